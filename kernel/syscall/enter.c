/*
 * The slow way into a system call and out of it, taken when the task's work word asks for it. The
 * order is Linux's: first a tracer's stop, which may change number and arguments; then the filter,
 * which judges the registers as they are by then; last the record of what is really called. On the
 * way out the tracer comes last. Each has a WORK_ENTER bit of its own, and the word is read again for
 * each, because the one before it may have slept. Who refuses a call puts its result into the
 * registers and answers -1 here.
 */
#include <arch/entry.h>
#include <lib/errno.h>
#include <ptrace/ptrace.h>
#include <seccomp/seccomp.h>
#include <syscall/nr.h>
#include <task/task.h>
#include <trace/trace.h>

#define GATE_SKIP (-1L)

static inline bool wants(u32 bit)
{
	return READ_ONCE(current->work) & bit;
}

long gate_enter_work(struct regs *regs)
{
	bool refused;
	s32 nr;

	if (wants(WORK_ENTER_PTRACE | WORK_ENTER_EMULATE) && !ptrace_syscall_enter(regs))
		return GATE_SKIP;
	refused = wants(WORK_ENTER_SECCOMP) && !seccomp_enter(regs);
	if (wants(WORK_ENTER_TRACE))
		trace_enter(regs, refused ? TRACE_CHECK_SECCOMP : TRACE_CHECK_NONE);
	if (refused)
		return GATE_SKIP;
	nr = (s32)regs_syscall_nr(regs);
	if ((u32)nr < NR_SYSCALLS)
		return nr;
	/* -1 keeps the result that is in the registers. */
	if (nr != GATE_SKIP)
		regs_set_result(regs, -ENOSYS);
	return GATE_SKIP;
}

void syscall_exit_work(struct regs *regs)
{
	if (wants(WORK_EXIT_TRACE))
		trace_result(regs);
	if (wants(WORK_EXIT_PTRACE | WORK_EXIT_STEP))
		ptrace_syscall_exit(regs);
}
