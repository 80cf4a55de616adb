/*
 * Completions. `done` and the queue are guarded by the queue's lock, and the waiter tests under it,
 * so a completion on the waiter's stack is free of its completer when the wait returns. Completing
 * works in any context.
 */
#include <lib/errno.h>
#include <task/task.h>
#include "internal.h"

#define DONE_FOR_GOOD U32_MAX

void completion_init(struct completion *c)
{
	c->done = 0;
	wait_queue_init(&c->wait);
}

void complete(struct completion *c)
{
	u64 flags = spin_lock_irqsave(&c->wait.lock);

	if (c->done < DONE_FOR_GOOD - 1)
		c->done++;
	wake_up_locked(&c->wait, 1, 0);
	spin_unlock_irqrestore(&c->wait.lock, flags);
}

void complete_all(struct completion *c)
{
	u64 flags = spin_lock_irqsave(&c->wait.lock);

	c->done = DONE_FOR_GOOD;
	wake_up_locked(&c->wait, ~0U, 0);
	spin_unlock_irqrestore(&c->wait.lock, flags);
}

static int wait_done_locked(struct completion *c, struct wait_entry *e, u32 state) NO_THREAD_SAFETY
{
	while (!c->done) {
		if (list_empty(&e->node))
			wait_link_locked(&c->wait, e);
		sched_set_state(state);
		if (wait_interrupted(state))
			return -ERESTARTSYS;
		spin_unlock_irq(&c->wait.lock);
		schedule();
		spin_lock_irq(&c->wait.lock);
	}
	if (c->done != DONE_FOR_GOOD)
		c->done--;
	return 0;
}

static int wait_state(struct completion *c, u32 state) NO_THREAD_SAFETY
{
	struct wait_entry e;
	int err;

	might_sleep();
	wait_entry_init(&e);
	e.exclusive = true;
	spin_lock_irq(&c->wait.lock);
	err = wait_done_locked(c, &e, state);
	if (!list_empty(&e.node))
		wait_unlink_locked(&e);
	WRITE_ONCE(current->state, TASK_RUNNING);
	spin_unlock_irq(&c->wait.lock);
	return err;
}

void wait_for_completion(struct completion *c)
{
	(void)wait_state(c, TASK_UNINTERRUPTIBLE);
}

int wait_for_completion_killable(struct completion *c)
{
	return wait_state(c, TASK_KILLABLE);
}

int wait_for_completion_interruptible(struct completion *c)
{
	return wait_state(c, TASK_INTERRUPTIBLE);
}
