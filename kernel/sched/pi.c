/*
 * Priority inheritance. Invariants, under pi_spin:
 *   1. task->pi_waiting is the one wait of a blocked task; lock->waiters holds it in the order of
 *      its priority, which is the task's effective real-time priority.
 *   2. task->pi_priority is the highest priority among the first waiters of all locks it owns.
 *   3. Effective priority is the higher one of the task's own and pi_priority (sched/params.c).
 * A change at one task is carried along its chain (task → lock it waits for → owner …) until nothing
 * changes any more; every step restores the invariants for one task. Chains end because pi_wait
 * refuses to close a cycle.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <sched/pi.h>
#include "run_queue.h"

#define PI_CHAIN_MAX 1024 /* as Linux */

DEFINE_SPINLOCK(pi_spin, LOCK_RANK_PI);

void pi_lock_init(struct pi_lock *l)
{
	l->owner = NULL;
	list_init(&l->waiters);
	list_init(&l->owned_node);
}

static u8 effective_priority(const struct task *t)
{
	return task_is_rt(t) ? READ_ONCE(t->sched.rt_priority) : 0;
}

static void waiter_insert(struct pi_waiter *w)
{
	struct pi_waiter *at;

	w->priority = effective_priority(w->task);
	list_for_each(at, &w->lock->waiters, node)
		if (at->priority < w->priority)
			break;
	list_add_tail(&w->node, &at->node); /* before `at`, or at the end */
}

struct pi_waiter *pi_first_waiter(struct pi_lock *l)
{
	return list_empty(&l->waiters) ? NULL : list_first(&l->waiters, struct pi_waiter, node);
}

static u8 inherited_priority(struct task *t)
{
	struct pi_lock *l;
	u8 highest = 0;

	list_for_each(l, &t->pi_owned, owned_node) {
		const struct pi_waiter *w = pi_first_waiter(l);

		if (w)
			highest = MAX(highest, w->priority);
	}
	return highest;
}

/* The waiters of a lock that t owns have changed. */
static void chain_update(struct task *t)
{
	while (t) {
		u8 priority = inherited_priority(t);
		struct pi_waiter *w = t->pi_waiting;

		if (priority != t->pi_priority)
			sched_set_inherited(t, priority);
		if (!w || w->priority == effective_priority(t))
			return;
		list_del(&w->node);
		waiter_insert(w);
		t = w->lock->owner;
	}
}

void pi_set_owner(struct pi_lock *l, struct task *t)
{
	struct task *old = l->owner;

	ASSERT_HELD(&pi_spin);
	if (old) {
		list_del(&l->owned_node);
		list_init(&l->owned_node);
	}
	l->owner = t;
	if (t)
		list_add_tail(&l->owned_node, &t->pi_owned);
	chain_update(old);
	chain_update(t);
}

/* Would t, waiting for l, wait for itself? */
static bool closes_cycle(const struct pi_lock *l, const struct task *t)
{
	const struct task *owner = l->owner;

	for (u32 depth = 0; owner; depth++) {
		if (owner == t || depth > PI_CHAIN_MAX)
			return true;
		owner = owner->pi_waiting ? owner->pi_waiting->lock->owner : NULL;
	}
	return false;
}

int pi_wait(struct pi_lock *l, struct pi_waiter *w, struct task *t)
{
	ASSERT_HELD(&pi_spin);
	if (closes_cycle(l, t))
		return -EDEADLK;
	w->task = t;
	w->lock = l;
	WRITE_ONCE(t->pi_waiting, w);
	smp_mb(); /* against pi_priority_changed: one of the two sees the other's change */
	waiter_insert(w);
	chain_update(l->owner);
	return 0;
}

void pi_cancel(struct pi_waiter *w)
{
	ASSERT_HELD(&pi_spin);
	list_del(&w->node);
	WRITE_ONCE(w->task->pi_waiting, NULL);
	chain_update(w->lock->owner);
}

void pi_grant(struct pi_waiter *w)
{
	ASSERT_HELD(&pi_spin);
	list_del(&w->node);
	WRITE_ONCE(w->task->pi_waiting, NULL);
	pi_set_owner(w->lock, w->task);
}

void pi_priority_changed(struct task *t)
{
	smp_mb();
	if (likely(!READ_ONCE(t->pi_waiting)))
		return;
	spin_lock(&pi_spin);
	chain_update(t);
	spin_unlock(&pi_spin);
}
