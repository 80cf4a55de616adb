/*
 * The slow way into a system call, taken when the task's work word asks for it before dispatch.
 * Tracing and filters hang in here; without them every request is dispatched as it came.
 */
#include <arch/entry.h>
#include <task/task.h>

long gate_enter_work(struct regs *regs)
{
	return regs_syscall_nr(regs);
}
