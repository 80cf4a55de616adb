/*
 * Looking at the kernel stack of another task, for /proc: its saved user registers, and where in the
 * kernel it sleeps. A stack goes after its task has passed exit_notify and been reaped, both under
 * tasklist_lock; so while that lock is held and the task has not passed, its stack may be read. What
 * is read is as old as the moment: the task may run on meanwhile.
 */
#include <arch/context.h>
#include <task/access.h>
#include "internal.h"

bool task_copy_regs(struct task *t, struct regs *out)
{
	u64 flags = spin_lock_irqsave(&tasklist_lock);
	bool alive = !(t->flags & TASK_F_EXITED) && t->kernel_stack;

	if (alive)
		*out = *task_regs(t);
	spin_unlock_irqrestore(&tasklist_lock, flags);
	return alive;
}

u32 task_kernel_trace(struct task *t, uptr *addrs, u32 max)
{
	u64 flags = spin_lock_irqsave(&tasklist_lock);
	u32 n = 0;

	if (!(t->flags & TASK_F_EXITED) && t->kernel_stack && READ_ONCE(t->state) != TASK_RUNNING &&
	    !smp_load_acquire(&t->on_cpu))
		n = arch_task_trace(t, addrs, max);
	spin_unlock_irqrestore(&tasklist_lock, flags);
	return n;
}
