/*
 * The slow way into a system call, taken when the task's work word asks for it before dispatch.
 * The order is Linux's: first a tracer's stop, which may change number and arguments; then the
 * filter, which judges the registers as they are by then; last the record of what is really called.
 * Each has a WORK_ENTER bit of its own, and the word is read again for each, because the one before
 * it may have slept. Who refuses a call puts its result into the registers and answers -1 here.
 */
#include <arch/entry.h>
#include <seccomp/seccomp.h>
#include <task/task.h>

#define GATE_SKIP (-1L)

long gate_enter_work(struct regs *regs)
{
	if ((READ_ONCE(current->work) & WORK_ENTER_SECCOMP) && !seccomp_enter(regs))
		return GATE_SKIP;
	return regs_syscall_nr(regs);
}
