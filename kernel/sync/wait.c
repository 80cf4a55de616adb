/*
 * Wait queues, and what all sleeping primitives share. A queue's lock guards its list; callbacks run
 * under it with interrupts disabled, so they may wake tasks but not sleep. Every function that
 * wakes works in any context; those that sleep are for process context.
 *
 * The default callback takes the waiter off the queue when it has really woken it. The waiter can
 * then leave without the queue's lock: wait_unlink_locked makes the entry empty with a release
 * store as its very last access, and wait_finish tests for exactly that with an acquire load.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <sync/wait.h>
#include <task/task.h>
#include "internal.h"

void wait_queue_init(struct wait_queue *q)
{
	spin_init(&q->lock, LOCK_RANK_WAIT_QUEUE);
	list_init(&q->entries);
}

void wait_link_locked(struct wait_queue *q, struct wait_entry *e)
{
	if (e->exclusive)
		list_add_tail(&e->node, &q->entries);
	else
		list_add(&e->node, &q->entries);
}

void wait_unlink_locked(struct wait_entry *e)
{
	list_del_rcu(&e->node);
	WRITE_ONCE(e->node.prev, &e->node);
	smp_store_release(&e->node.next, &e->node);
}

static bool wake_task(struct wait_entry *e, u32 events)
{
	if (!sched_wake(e->task, TASK_NORMAL))
		return false;
	wait_unlink_locked(e);
	return true;
}

void wait_entry_init(struct wait_entry *e)
{
	list_init(&e->node);
	e->wake = wake_task;
	e->task = current;
	e->exclusive = false;
}

void wait_queue_add(struct wait_queue *q, struct wait_entry *e)
{
	u64 flags = spin_lock_irqsave(&q->lock);

	wait_link_locked(q, e);
	spin_unlock_irqrestore(&q->lock, flags);
}

void wait_queue_remove(struct wait_queue *q, struct wait_entry *e)
{
	u64 flags = spin_lock_irqsave(&q->lock);

	wait_unlink_locked(e);
	spin_unlock_irqrestore(&q->lock, flags);
}

static __always_inline void wake_entries(struct wait_queue *q, unsigned int nr_exclusive, u32 events)
{
	struct wait_entry *e, *next;

	list_for_each_safe(e, next, &q->entries, node) {
		/* The entry may be gone once its callback has returned true. */
		bool exclusive = e->exclusive;

		if (e->wake(e, events) && exclusive && --nr_exclusive == 0)
			return;
	}
}

void wake_up_locked(struct wait_queue *q, unsigned int nr_exclusive, u32 events)
{
	wake_entries(q, nr_exclusive, events);
}

void wake_up_events(struct wait_queue *q, unsigned int nr_exclusive, u32 events)
{
	u64 flags = spin_lock_irqsave(&q->lock);

	wake_entries(q, nr_exclusive, events);
	spin_unlock_irqrestore(&q->lock, flags);
}

void wake_up_nested(struct wait_queue *q, u32 events)
{
	u64 flags = arch_irq_save();

	spin_lock_nested(&q->lock);
	wake_entries(q, 1, events);
	spin_unlock(&q->lock);
	arch_irq_restore(flags);
}

void wait_prepare(struct wait_queue *q, struct wait_entry *e, u32 state)
{
	u64 flags = spin_lock_irqsave(&q->lock);

	if (list_empty(&e->node))
		wait_link_locked(q, e);
	/* Full barrier: the queueing comes before the caller's test of its condition. */
	__atomic_exchange_n(&current->state, state, __ATOMIC_SEQ_CST);
	spin_unlock_irqrestore(&q->lock, flags);
}

void wait_finish(struct wait_queue *q, struct wait_entry *e)
{
	WRITE_ONCE(current->state, TASK_RUNNING);
	if (smp_load_acquire(&e->node.next) != &e->node)
		wait_queue_remove(q, e);
}

bool wait_interrupted(u32 state)
{
	if (likely(!signal_pending(current)))
		return false;
	if (state & TASK_INTERRUPTIBLE)
		return true;
	return (state & TASK_WAKEKILL) && fatal_signal_pending(current);
}

int wait_sleep(u32 state, u64 deadline_ns)
{
	if (wait_interrupted(state))
		return -ERESTARTSYS;
	if (deadline_ns == U64_MAX) {
		schedule();
		return 0;
	}
	return schedule_until(deadline_ns) ? 0 : -ETIME;
}

/* The owner may exit meanwhile: its structure is freed through RCU, and we disable preemption. */
void lock_spin_on_owner(const uptr *owner_word, uptr flags)
{
	rcu_read_lock();
	while (!need_resched()) {
		const struct task *owner = (struct task *)(READ_ONCE(*owner_word) & ~flags);

		if (!owner || owner == current || !READ_ONCE(owner->on_cpu))
			break;
		cpu_relax();
	}
	rcu_read_unlock();
}
