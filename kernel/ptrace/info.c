/* What a tracer may ask about its tracee in one structure: the system call it stands in, its rseq area. */
#include <arch/ptrace.h>
#include <lib/string.h>
#include <linux/ptrace.h>
#include <mm/user.h>
#include "internal.h"

#define SYSCALL_ARGS 6

static size_t info_entry(struct ptrace_syscall_info *info, const struct regs *r)
{
	info->op = PTRACE_SYSCALL_INFO_ENTRY;
	info->entry.nr = (u64)(s32)regs_syscall_nr(r);
	for (unsigned int i = 0; i < SYSCALL_ARGS; i++)
		info->entry.args[i] = regs_arg(r, i);
	return offsetof(struct ptrace_syscall_info, entry) + sizeof(info->entry);
}

static size_t info_seccomp(struct ptrace_syscall_info *info, const struct regs *r, u64 message)
{
	(void)info_entry(info, r);
	info->op = PTRACE_SYSCALL_INFO_SECCOMP;
	info->seccomp.ret_data = (u32)message;
	return offsetof(struct ptrace_syscall_info, seccomp.ret_data) +
	       sizeof(info->seccomp.ret_data);
}

static size_t info_exit(struct ptrace_syscall_info *info, const struct regs *r)
{
	long result = regs_result(r);

	info->op = PTRACE_SYSCALL_INFO_EXIT;
	info->exit.rval = result;
	info->exit.is_error = result < 0 && result >= -4095;
	return offsetof(struct ptrace_syscall_info, exit.is_error) + sizeof(info->exit.is_error);
}

/* The stop that t is in, by what its siginfo says. Its size. */
static size_t info_fill(struct task *t, struct ptrace_syscall_info *info)
{
	const struct regs *r = task_regs(t);
	int code = t->ptrace.info ? t->ptrace.info->si_code : 0;
	u64 message = t->ptrace.message;

	memset(info, 0, sizeof(*info));
	info->op = PTRACE_SYSCALL_INFO_NONE;
	info->arch = arch_audit_machine();
	info->instruction_pointer = regs_ip(r);
	info->stack_pointer = regs_sp(r);
	if (code == (SIGTRAP | 0x80) && message == PTRACE_EVENTMSG_SYSCALL_ENTRY)
		return info_entry(info, r);
	if (code == (SIGTRAP | 0x80) && message == PTRACE_EVENTMSG_SYSCALL_EXIT)
		return info_exit(info, r);
	if (code == (SIGTRAP | (PTRACE_EVENT_SECCOMP << 8)))
		return info_seccomp(info, r, message);
	return offsetof(struct ptrace_syscall_info, entry);
}

long ptrace_get_syscall_info(struct task *t, u64 size, u64 data)
{
	struct ptrace_syscall_info info;
	size_t actual = info_fill(t, &info);

	if (user_write_bytes(user_handle(bytes, data), &info, MIN(actual, size)))
		return -EFAULT;
	return (long)actual;
}

long ptrace_get_rseq(struct task *t, u64 size, u64 data)
{
	struct ptrace_rseq_configuration conf = {
		.rseq_abi_pointer = t->rseq_addr,
		.rseq_abi_size = t->rseq_len,
		.signature = t->rseq_sig,
	};

	if (user_write_bytes(user_handle(bytes, data), &conf, MIN(size, sizeof(conf))))
		return -EFAULT;
	return sizeof(conf);
}
