/*
 * Reader-writer semaphores. The count word:
 *
 *   bit 0    a writer holds it
 *   bit 1    the queue is not empty
 *   bits 8…  readers, including those that are about to find out that they may not enter
 *
 * A reader enters with one addition and looks at the result; if a writer or the queue was there, it
 * takes the addition back under the queue's lock and waits in line. A writer enters by replacing
 * exactly 0. Leaving wakes through grant_locked, which hands the lock over to the head of the
 * queue: either one writer, or all readers up to the next writer. So the order is first come,
 * first served, except that a newcomer may still enter while nobody waits.
 *
 *   1. WAITERS changes under the queue lock, together with the queue.
 *   2. While WAITERS is set, WRITER is set only by grant_locked (the fast path needs 0), so what
 *      grant_locked tests stays true until it acts, save that newcomers add and remove themselves.
 *   3. A newcomer that removes itself, and a leaver, then look whether the head may enter, so no
 *      opportunity is lost.
 *
 * A granted waiter looks at its grant under the queue lock, so its entry (on its stack) outlives
 * the grantor's use. Process context only, except that unlocking a read lock never sleeps.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <task/task.h>
#include "internal.h"

#define WRITER  1ULL
#define WAITERS 2ULL
#define READER  256ULL

struct rwsem_waiter {
	struct wait_entry e;
	bool writer;
	bool granted; /* queue lock */
};

void rwsem_init(struct rwsem *s, enum lock_rank rank __maybe_unused)
{
	s->count = 0;
	s->writer = NULL;
	wait_queue_init(&s->wait);
#ifdef CONFIG_DEBUG
	s->rank = rank;
#endif
}

static inline u64 count_add(struct rwsem *s, u64 v)
{
	return __atomic_add_fetch(&s->count, v, __ATOMIC_ACQ_REL);
}

static inline bool count_cmpxchg(struct rwsem *s, u64 *old, u64 new)
{
	return __atomic_compare_exchange_n(&s->count, old, new, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

/* Queue lock held. Takes w off the queue; the bits to subtract when it was the last. */
static u64 dequeue_locked(struct rwsem *s, struct rwsem_waiter *w)
{
	wait_unlink_locked(&w->e);
	return list_empty(&s->wait.entries) ? WAITERS : 0;
}

/* Queue lock held. Lets the writer at the head in when nobody holds the lock. */
static bool grant_writer_locked(struct rwsem *s, struct rwsem_waiter *w)
{
	u64 old = READ_ONCE(s->count);

	do {
		if (old & WRITER || old >= READER)
			return false;
	} while (!count_cmpxchg(s, &old, old | WRITER));
	WRITE_ONCE(s->writer, w->e.task);
	count_add(s, -dequeue_locked(s, w));
	return true;
}

static bool grant_reader_locked(struct rwsem *s, struct rwsem_waiter *w)
{
	if (READ_ONCE(s->count) & WRITER)
		return false;
	count_add(s, READER - dequeue_locked(s, w));
	return true;
}

/* Queue lock held. Lets in from the head whoever may enter now. */
static void grant_locked(struct rwsem *s)
{
	bool go_on = true;

	while (go_on && !list_empty(&s->wait.entries)) {
		struct rwsem_waiter *w = container_of(
			list_first(&s->wait.entries, struct wait_entry, node), struct rwsem_waiter, e);
		bool writer = w->writer;

		if (!(writer ? grant_writer_locked(s, w) : grant_reader_locked(s, w)))
			return;
		w->granted = true;
		sched_wake(w->e.task, TASK_NORMAL);
		go_on = !writer;
	}
}

static __noinline void wake_waiters(struct rwsem *s)
{
	u64 flags = spin_lock_irqsave(&s->wait.lock);

	grant_locked(s);
	spin_unlock_irqrestore(&s->wait.lock, flags);
}

/* Queue lock held. Sleeps until w is granted; -ERESTARTSYS when a signal came before that. */
static int wait_granted_locked(struct rwsem *s, struct rwsem_waiter *w, u32 state) NO_THREAD_SAFETY
{
	while (!w->granted) {
		sched_set_state(state);
		if (wait_interrupted(state)) {
			count_add(s, -dequeue_locked(s, w));
			grant_locked(s); /* readers behind us may go now */
			return -ERESTARTSYS;
		}
		spin_unlock_irq(&s->wait.lock);
		schedule();
		spin_lock_irq(&s->wait.lock);
	}
	return 0;
}

static int wait_in_line_locked(struct rwsem *s, struct rwsem_waiter *w, u64 delta, u32 state)
{
	int err;

	if (list_empty(&s->wait.entries))
		delta += WAITERS;
	wait_entry_init(&w->e);
	w->e.exclusive = true;
	wait_link_locked(&s->wait, &w->e);
	count_add(s, delta);
	grant_locked(s);
	err = wait_granted_locked(s, w, state);
	sched_set_state(TASK_RUNNING);
	return err;
}

/* The caller's READER is in the count, but a writer or the queue was there before it. */
static __noinline void read_lock_slow(struct rwsem *s) NO_THREAD_SAFETY
{
	struct rwsem_waiter w = {.writer = false};

	spin_lock_irq(&s->wait.lock);
	if (!list_empty(&s->wait.entries) || READ_ONCE(s->count) & WRITER)
		(void)wait_in_line_locked(s, &w, -READER, TASK_UNINTERRUPTIBLE);
	spin_unlock_irq(&s->wait.lock);
}

void rwsem_read_lock(struct rwsem *s) NO_THREAD_SAFETY
{
	might_sleep();
	sleeping_lock_acquire(s);
	if (unlikely(count_add(s, READER) & (WRITER | WAITERS)))
		read_lock_slow(s);
}

bool rwsem_read_trylock(struct rwsem *s)
{
	u64 old = READ_ONCE(s->count);

	do {
		if (old & (WRITER | WAITERS))
			return false;
	} while (!count_cmpxchg(s, &old, old + READER));
	sleeping_lock_acquire_nested(s);
	return true;
}

void rwsem_read_unlock(struct rwsem *s) NO_THREAD_SAFETY
{
	u64 now;

	sleeping_lock_release(s);
	now = count_add(s, -READER);
	if (unlikely((now & WAITERS) && now < READER))
		wake_waiters(s);
}

bool rwsem_write_trylock(struct rwsem *s) NO_THREAD_SAFETY
{
	u64 free = 0;

	if (!count_cmpxchg(s, &free, WRITER))
		return false;
	sleeping_lock_acquire_nested(s);
	WRITE_ONCE(s->writer, current);
	return true;
}

static __noinline int write_lock_slow(struct rwsem *s, u32 state) NO_THREAD_SAFETY
{
	struct rwsem_waiter w = {.writer = true};
	u64 free = 0;
	int err;

	lock_spin_on_owner((const uptr *)&s->writer, 0);
	if (count_cmpxchg(s, &free, WRITER)) {
		WRITE_ONCE(s->writer, current);
		return 0;
	}
	spin_lock_irq(&s->wait.lock);
	err = wait_in_line_locked(s, &w, 0, state);
	spin_unlock_irq(&s->wait.lock);
	return err;
}

static inline int write_lock_state(struct rwsem *s, u32 state)
{
	u64 free = 0;

	if (unlikely(!count_cmpxchg(s, &free, WRITER)))
		return write_lock_slow(s, state);
	WRITE_ONCE(s->writer, current);
	return 0;
}

void rwsem_write_lock(struct rwsem *s) NO_THREAD_SAFETY
{
	might_sleep();
	sleeping_lock_acquire(s);
	(void)write_lock_state(s, TASK_UNINTERRUPTIBLE);
}

void rwsem_write_lock_nested(struct rwsem *s) NO_THREAD_SAFETY
{
	might_sleep();
	sleeping_lock_acquire_nested(s);
	(void)write_lock_state(s, TASK_UNINTERRUPTIBLE);
}

int rwsem_write_lock_killable(struct rwsem *s)
{
	int err;

	might_sleep();
	sleeping_lock_acquire(s);
	err = write_lock_state(s, TASK_KILLABLE);
	if (err)
		sleeping_lock_release(s);
	return err;
}

void rwsem_write_unlock(struct rwsem *s) NO_THREAD_SAFETY
{
	ASSERT(rwsem_write_held(s));
	sleeping_lock_release(s);
	WRITE_ONCE(s->writer, NULL);
	if (unlikely(count_add(s, -WRITER) & WAITERS))
		wake_waiters(s);
}

void rwsem_downgrade(struct rwsem *s)
{
	ASSERT(rwsem_write_held(s));
	WRITE_ONCE(s->writer, NULL);
	if (count_add(s, READER - WRITER) & WAITERS)
		wake_waiters(s);
}

bool rwsem_write_held(const struct rwsem *s)
{
	return READ_ONCE(s->writer) == current;
}
