/*
 * Reader-writer semaphores. The count word:
 *
 *   bit 0    a writer holds it
 *   bit 1    the queue is not empty
 *   bit 2    the head of the queue has waited long enough: nobody overtakes it
 *   bits 8…  readers, including those that are about to find out that they may not enter
 *
 * A reader enters with one addition and looks at the result; if a writer or the queue was there, it
 * takes the addition back under the queue's lock and waits in line. A writer enters by setting its
 * bit when nobody holds the lock. Leaving looks after the head of the queue: readers are granted the lock
 * at once, all up to the next writer; a writer is woken and tries by itself. Handing the lock over
 * to a sleeping writer would keep everybody out until it runs, and make threads that take turns
 * sleep at each step. So a running writer may overtake the queue, for PATIENCE_NS at most: then the
 * lock is granted to the head, and OVERDUE keeps the others off if one of them was faster.
 *
 *   1. WAITERS and OVERDUE change under the queue lock, together with the queue.
 *   2. WRITER is set by one atomic step from a count with neither writer nor reader, READER added
 *      for good from one without writer, whoever does it.
 *   3. A newcomer that removes itself, and a leaver, then look whether the head may enter, so no
 *      opportunity is lost.
 *
 * A granted waiter looks at its grant under the queue lock, so its entry (on its stack) outlives
 * the grantor's use. Process context only, except that unlocking a read lock never sleeps.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <task/task.h>
#include <time/clock.h>
#include "internal.h"

#define WRITER  1ULL
#define WAITERS 2ULL
#define OVERDUE 4ULL
#define READER  256ULL

#define PATIENCE_NS (4 * NSEC_PER_MSEC)

struct rwsem_waiter {
	struct wait_entry e;
	u64 patient_ns; /* until then others may overtake it */
	bool writer;
	bool granted;   /* queue lock */
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

/* Makes t the writer unless somebody holds the lock or one of the `barred` bits is set. */
static bool enter_as_writer(struct rwsem *s, struct task *t, u64 barred)
{
	u64 old = READ_ONCE(s->count);

	do {
		if (old & (WRITER | barred) || old >= READER)
			return false;
	} while (!count_cmpxchg(s, &old, old | WRITER));
	WRITE_ONCE(s->writer, t);
	return true;
}

static bool enter_as_reader(struct rwsem *s)
{
	u64 old = READ_ONCE(s->count);

	do {
		if (old & WRITER)
			return false;
	} while (!count_cmpxchg(s, &old, old + READER));
	return true;
}

/* Queue lock held. Takes w off the queue. */
static void dequeue_locked(struct rwsem *s, struct rwsem_waiter *w)
{
	u64 gone = READ_ONCE(s->count) & OVERDUE;

	wait_unlink_locked(&w->e);
	if (list_empty(&s->wait.entries))
		gone |= WAITERS;
	count_add(s, -gone);
}

static struct rwsem_waiter *head_locked(struct rwsem *s)
{
	if (list_empty(&s->wait.entries))
		return NULL;
	return container_of(list_first(&s->wait.entries, struct wait_entry, node),
			    struct rwsem_waiter, e);
}

/* Queue lock held. Lets in from the head whoever may enter now. */
static void grant_locked(struct rwsem *s)
{
	struct rwsem_waiter *w;
	bool go_on = true;

	while (go_on && (w = head_locked(s))) {
		go_on = !w->writer;
		if (!(w->writer ? enter_as_writer(s, w->e.task, 0) : enter_as_reader(s)))
			return;
		dequeue_locked(s, w);
		w->granted = true;
		sched_wake(w->e.task, TASK_NORMAL);
	}
}

/* The lock is free, or was just now. */
static __noinline void wake_waiters(struct rwsem *s)
{
	u64 flags = spin_lock_irqsave(&s->wait.lock);
	struct rwsem_waiter *w = head_locked(s);
	bool overdue = w && clock_monotonic() >= w->patient_ns;

	if (w && w->writer && !overdue)
		sched_wake(w->e.task, TASK_NORMAL);
	else
		grant_locked(s);
	if (overdue && head_locked(s) == w)
		__atomic_fetch_or(&s->count, OVERDUE, __ATOMIC_RELAXED); /* its next chance is sure */
	spin_unlock_irqrestore(&s->wait.lock, flags);
}

/* Queue lock held. Sleeps until w is granted; -ERESTARTSYS when a signal came before that. */
static int wait_granted_locked(struct rwsem *s, struct rwsem_waiter *w, u32 state) NO_THREAD_SAFETY
{
	while (!w->granted) {
		sched_set_state(state);
		if (wait_interrupted(state)) {
			dequeue_locked(s, w);
			grant_locked(s); /* readers behind us may go now */
			return -ERESTARTSYS;
		}
		spin_unlock_irq(&s->wait.lock);
		schedule();
		spin_lock_irq(&s->wait.lock);
		if (head_locked(s) == w)
			grant_locked(s);
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
	w->patient_ns = clock_monotonic() + PATIENCE_NS;
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
	int err;

	lock_spin_on_owner((const uptr *)&s->writer, 0);
	if (enter_as_writer(s, current, OVERDUE))
		return 0;
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
