/*
 * Mutexes. The owner word holds the owner and two flags:
 *
 *   WAITERS  the queue is not empty: unlocking must wake its head
 *   HANDOFF  the head has lost a race after being woken: the next unlock gives it the lock
 *
 * Free and uncontended is 0, so taking and dropping are one compare-and-swap each. Everything else
 * happens under the queue's lock:
 *
 *   1. WAITERS is set by a waiter after it has queued itself and cleared by whoever empties the
 *      queue, both under the queue lock; the fast paths expect exactly 0 or exactly the owner, so
 *      they fail while it is set.
 *   2. An unlock with WAITERS set stores WAITERS alone (free, but not 0) and wakes the head.
 *      Newcomers may take the lock first; the head then sets HANDOFF and waits once more, so it
 *      is overtaken at most once.
 *   3. After the fast unlock the mutex is not touched again, and in the slow one the new owner
 *      needs the queue lock to get in, so an owner may free the object that holds the mutex right
 *      after its own unlock. (Not if waiters may give up: then the queue can be empty already.)
 *
 * A newcomer first spins while the owner runs on another CPU: most sections are shorter than two
 * context switches. Process context only.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <task/task.h>
#include "internal.h"

#define WAITERS 1UL
#define HANDOFF 2UL
#define FLAGS   (WAITERS | HANDOFF)

void mutex_init(struct mutex *m, enum lock_rank rank __maybe_unused)
{
	m->owner = 0;
	wait_queue_init(&m->wait);
#ifdef CONFIG_DEBUG
	m->rank = rank;
#endif
}

static bool owner_cmpxchg(struct mutex *m, uptr old, uptr new)
{
	return __atomic_compare_exchange_n(&m->owner, &old, new, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

bool mutex_held(const struct mutex *m)
{
	return (READ_ONCE(m->owner) & ~FLAGS) == (uptr)current;
}

/* Queue lock held. Takes a lock that is free, or that was handed to us; keeps the flags. */
static bool try_locked(struct mutex *m)
{
	uptr self = (uptr)current, old = READ_ONCE(m->owner);

	for (;;) {
		if ((old & ~FLAGS) == self)
			return true;
		if (old & ~FLAGS)
			return false;
		if (owner_cmpxchg(m, old, self | (old & WAITERS)))
			return true;
		old = READ_ONCE(m->owner);
	}
}

/* Queue lock held, e off the queue: the flags that no longer hold go. */
static void leave_locked(struct mutex *m, struct wait_entry *e)
{
	wait_unlink_locked(e);
	if (list_empty(&m->wait.entries))
		__atomic_fetch_and(&m->owner, ~FLAGS, __ATOMIC_RELAXED);
}

/* Queue lock held: the lock may have become free, or ours, between a signal and here. */
static int give_up_locked(struct mutex *m, struct wait_entry *e)
{
	if (try_locked(m)) {
		leave_locked(m, e);
		return 0;
	}
	leave_locked(m, e);
	__atomic_fetch_and(&m->owner, ~HANDOFF, __ATOMIC_RELAXED);
	return -ERESTARTSYS;
}

static int wait_locked(struct mutex *m, struct wait_entry *e, u32 state) NO_THREAD_SAFETY
{
	for (bool woken = false;; woken = true) {
		uptr flags = WAITERS;

		if (woken && list_first(&m->wait.entries, struct wait_entry, node) == e)
			flags |= HANDOFF;
		sched_set_state(state);
		__atomic_fetch_or(&m->owner, flags, __ATOMIC_RELAXED);
		if (try_locked(m)) {
			leave_locked(m, e);
			return 0;
		}
		if (wait_interrupted(state))
			return give_up_locked(m, e);
		spin_unlock_irq(&m->wait.lock);
		schedule();
		spin_lock_irq(&m->wait.lock);
	}
}

static __noinline int lock_slow(struct mutex *m, u32 state) NO_THREAD_SAFETY
{
	struct wait_entry e;
	int err;

	lock_spin_on_owner(&m->owner, FLAGS);
	if (owner_cmpxchg(m, 0, (uptr)current))
		return 0;
	wait_entry_init(&e);
	e.exclusive = true;
	spin_lock_irq(&m->wait.lock);
	wait_link_locked(&m->wait, &e);
	err = wait_locked(m, &e, state);
	sched_set_state(TASK_RUNNING);
	spin_unlock_irq(&m->wait.lock);
	return err;
}

static inline int lock_state(struct mutex *m, u32 state)
{
	if (likely(owner_cmpxchg(m, 0, (uptr)current)))
		return 0;
	return lock_slow(m, state);
}

void mutex_lock(struct mutex *m) NO_THREAD_SAFETY
{
	might_sleep();
	sleeping_lock_acquire(m);
	(void)lock_state(m, TASK_UNINTERRUPTIBLE);
}

void mutex_lock_nested(struct mutex *m) NO_THREAD_SAFETY
{
	might_sleep();
	sleeping_lock_acquire_nested(m);
	(void)lock_state(m, TASK_UNINTERRUPTIBLE);
}

static int lock_signalled(struct mutex *m, u32 state)
{
	int err;

	might_sleep();
	sleeping_lock_acquire(m);
	err = lock_state(m, state);
	if (err)
		sleeping_lock_release(m);
	return err;
}

int mutex_lock_killable(struct mutex *m)
{
	return lock_signalled(m, TASK_KILLABLE);
}

int mutex_lock_interruptible(struct mutex *m)
{
	return lock_signalled(m, TASK_INTERRUPTIBLE);
}

bool mutex_trylock(struct mutex *m) NO_THREAD_SAFETY
{
	if (!owner_cmpxchg(m, 0, (uptr)current))
		return false;
	sleeping_lock_acquire_nested(m);
	return true;
}

static __noinline void unlock_slow(struct mutex *m)
{
	u64 flags = spin_lock_irqsave(&m->wait.lock);
	struct wait_entry *head;

	if (list_empty(&m->wait.entries)) { /* the last waiter gave up just now */
		__atomic_store_n(&m->owner, 0, __ATOMIC_RELEASE);
		spin_unlock_irqrestore(&m->wait.lock, flags);
		return;
	}
	head = list_first(&m->wait.entries, struct wait_entry, node);
	if (READ_ONCE(m->owner) & HANDOFF)
		__atomic_store_n(&m->owner, (uptr)head->task | WAITERS, __ATOMIC_RELEASE);
	else
		__atomic_store_n(&m->owner, WAITERS, __ATOMIC_RELEASE);
	sched_wake(head->task, TASK_NORMAL);
	spin_unlock_irqrestore(&m->wait.lock, flags);
}

void mutex_unlock(struct mutex *m) NO_THREAD_SAFETY
{
	ASSERT(mutex_held(m));
	sleeping_lock_release(m);
	if (unlikely(!owner_cmpxchg(m, (uptr)current, 0)))
		unlock_slow(m);
}
