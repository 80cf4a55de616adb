/*
 * rseq(2). All work is done by the thread itself on its way to user mode, in process context; the
 * scheduler only sets WORK_RSEQ. The registered structure and the descriptors are user memory: what
 * cannot be read or makes no sense ends in SIGSEGV, as in Linux 6.1, whose deprecated flags for
 * not restarting count as senseless too.
 */
#include <arch/entry.h>
#include <linux/rseq.h>
#include <syscall/table.h>
#include <task/rseq.h>
#include "internal.h"

#define RSEQ_SIZE 32 /* of struct rseq in 6.1, and its alignment */

struct rseq_section {
	u32 version, flags;
	u64 start_ip, post_commit_offset, abort_ip;
};
DEFINE_USER_PTR(rseq_section, struct rseq_section);
static_assert(sizeof(struct rseq_section) == sizeof(struct rseq_cs), "the ABI's layout");
static_assert(sizeof(struct rseq) == RSEQ_SIZE, "the ABI's size");

static struct user_bytes rseq_field(const struct task *t, size_t offset)
{
	return user_handle(bytes, t->rseq_addr + offset);
}

static int rseq_write_cpu(u32 start, u32 id)
{
	u32 both[2] = {start, id};

	static_assert(offsetof(struct rseq, cpu_id) == sizeof(u32), "written together");
	return user_write_bytes(rseq_field(current, 0), both, sizeof(both));
}

static int rseq_clear_section(void)
{
	u64 none = 0;

	return user_write_bytes(rseq_field(current, offsetof(struct rseq, rseq_cs)), &none,
				sizeof(none));
}

/* The descriptor that the thread points at: 0 with s->start_ip..., 1: none, or -errno. */
static int rseq_read_section(struct rseq_section *s)
{
	u64 at;
	u32 signature;

	if (user_read_bytes(&at, rseq_field(current, offsetof(struct rseq, rseq_cs)), sizeof(at)))
		return -EFAULT;
	if (!at)
		return 1;
	if (at >= USER_TOP || user_read(s, user_handle(rseq_section, at)))
		return -EFAULT;
	if (s->start_ip >= USER_TOP || s->post_commit_offset >= USER_TOP ||
	    s->start_ip + s->post_commit_offset >= USER_TOP || s->abort_ip >= USER_TOP ||
	    s->version || s->abort_ip - s->start_ip < s->post_commit_offset)
		return -EINVAL;
	/* Nobody can make a thread jump to code that was not meant as an abort handler. */
	if (user_read(&signature, user_handle(u32, s->abort_ip - sizeof(u32))))
		return -EFAULT;
	return signature == current->rseq_sig ? 0 : -EINVAL;
}

static int rseq_abort_section(struct regs *regs)
{
	struct rseq_section s;
	u32 flags;
	int err = rseq_read_section(&s);

	if (err)
		return err < 0 ? err : 0;
	if (regs_ip(regs) - s.start_ip >= s.post_commit_offset)
		return rseq_clear_section();
	if (user_read_bytes(&flags, rseq_field(current, offsetof(struct rseq, flags)), sizeof(flags)))
		return -EFAULT;
	if (s.flags || flags)
		return -EINVAL;
	err = rseq_clear_section();
	if (!err)
		regs_set_ip(regs, s.abort_ip);
	return err;
}

/* A switch between noting the CPU and writing it sets WORK_RSEQ again. */
static int rseq_update_cpu(void)
{
	u32 cpu;

	preempt_disable();
	cpu = smp_processor_id();
	current->rseq_cpu = cpu;
	preempt_enable();
	return rseq_write_cpu(cpu, cpu);
}

static void rseq_handle(struct regs *regs, int sig)
{
	siginfo_t info;

	task_clear_work(current, WORK_RSEQ);
	if (!current->rseq_addr || (!rseq_abort_section(regs) && !rseq_update_cpu()))
		return;
	siginfo_kernel(&info, SIGSEGV);
	if (sig == SIGSEGV)
		signal_force_default(SIGSEGV, &info);
	else
		signal_force(SIGSEGV, &info);
}

void rseq_resume(struct regs *regs)
{
	rseq_handle(regs, 0);
}

void rseq_signal(struct regs *regs, int sig)
{
	rseq_handle(regs, sig);
}

static long rseq_unregister(u64 addr, u32 len, u32 flags, u32 sig)
{
	struct task *me = current;

	if (flags != RSEQ_FLAG_UNREGISTER || !me->rseq_addr || me->rseq_addr != addr ||
	    len != RSEQ_SIZE)
		return -EINVAL;
	if (me->rseq_sig != sig)
		return -EPERM;
	if (rseq_write_cpu(0, (u32)RSEQ_CPU_ID_UNINITIALIZED))
		return -EFAULT;
	me->rseq_addr = 0;
	me->rseq_len = me->rseq_sig = 0;
	return 0;
}

long sys_rseq(struct user_bytes urseq, u32 len, u32 flags, u32 sig)
{
	struct task *me = current;
	u64 addr = user_address(urseq);

	if (flags & RSEQ_FLAG_UNREGISTER)
		return rseq_unregister(addr, len, flags, sig);
	if (flags)
		return -EINVAL;
	if (me->rseq_addr) {
		if (me->rseq_addr != addr || len != RSEQ_SIZE)
			return -EINVAL;
		return me->rseq_sig == sig ? -EBUSY : -EPERM;
	}
	if (!IS_ALIGNED(addr, RSEQ_SIZE) || len != RSEQ_SIZE)
		return -EINVAL;
	if (addr >= USER_TOP - RSEQ_SIZE)
		return -EFAULT;
	me->rseq_len = len;
	me->rseq_sig = sig;
	me->rseq_cpu = U32_MAX;
	me->rseq_addr = addr;
	task_set_work(me, WORK_RSEQ);
	return 0;
}
