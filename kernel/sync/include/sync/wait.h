/*
 * Wait queues: tasks that sleep until a condition holds, and callbacks (poll, epoll) that want to
 * know. The waker changes the condition first and wakes afterwards; the waiter queues itself
 * first and tests afterwards, so no wake-up is lost. wake_up* works in any context.
 */
#pragma once

#include <lib/list.h>
#include <sched/sched.h>
#include <sync/spinlock.h>

struct task;
struct wait_entry;

/* Runs under the queue's lock, interrupts disabled. True: counts as one exclusive wake-up. */
typedef bool (*wait_wake_fn)(struct wait_entry *e, u32 events);

struct wait_queue {
	struct spinlock lock;      /* LOCK_RANK_WAIT_QUEUE */
	struct list_head entries;  /* lock; non-exclusive first */
};

struct wait_entry {
	struct list_head node;     /* queue lock */
	wait_wake_fn wake;         /* immutable while queued */
	struct task *task;         /* immutable while queued */
	bool exclusive;
};

#define WAIT_QUEUE_INIT(name)                                                                      \
	{.lock = SPINLOCK_INIT(LOCK_RANK_WAIT_QUEUE), .entries = LIST_INIT((name).entries)}
#define DEFINE_WAIT_QUEUE(name) struct wait_queue name = WAIT_QUEUE_INIT(name)

void wait_queue_init(struct wait_queue *q);
/* Entry for the current task, woken in whatever sleeping state it is. */
void wait_entry_init(struct wait_entry *e);
void wait_queue_add(struct wait_queue *q, struct wait_entry *e);
void wait_queue_remove(struct wait_queue *q, struct wait_entry *e);

/* events: EPOLL* bits for callbacks that filter, 0 for "anything". */
void wake_up_events(struct wait_queue *q, unsigned int nr_exclusive, u32 events);

/* The same for owners who use the queue's lock for more: it is held. */
void wake_up_locked(struct wait_queue *q, unsigned int nr_exclusive, u32 events);
/* From a callback, under another queue's lock: wakes one. The caller sees to it that such chains end. */
void wake_up_nested(struct wait_queue *q, u32 events);

/* Cheap test before taking the lock; includes the barrier that pairs with the waiter's queueing. */
static inline bool wait_queue_active(struct wait_queue *q)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !list_empty(&q->entries);
}

static inline void wake_up(struct wait_queue *q)
{
	if (wait_queue_active(q))
		wake_up_events(q, 1, 0);
}

static inline void wake_up_all(struct wait_queue *q)
{
	if (wait_queue_active(q))
		wake_up_events(q, ~0U, 0);
}

static inline void wake_up_poll(struct wait_queue *q, u32 events)
{
	if (wait_queue_active(q))
		wake_up_events(q, 1, events);
}

/* Queues e (again) and sets the current task's state; prepares one round of waiting. */
void wait_prepare(struct wait_queue *q, struct wait_entry *e, u32 state);
/* Back to running, off the queue. */
void wait_finish(struct wait_queue *q, struct wait_entry *e);
/* One sleep: 0, -ERESTARTSYS when a signal that the state reacts to is pending, or -ETIME when
 * deadline_ns (monotonic, U64_MAX: none) has passed. */
int wait_sleep(u32 state, u64 deadline_ns) __must_check;

/*
 * wait_event_*(queue, condition): sleeps until the condition is true. 0, -ERESTARTSYS
 * (interruptible: any unblocked signal; killable: a fatal one), -ETIME past the deadline.
 */
#define wait_event_state_(q, cond, state, deadline_ns, excl)                                       \
	({                                                                                         \
		int wait_err_ = 0;                                                                 \
		if (!(cond)) {                                                                     \
			struct wait_entry we_;                                                     \
			wait_entry_init(&we_);                                                     \
			we_.exclusive = (excl);                                                    \
			do {                                                                       \
				wait_prepare((q), &we_, (state));                                  \
				if (cond)                                                          \
					break;                                                     \
				wait_err_ = wait_sleep((state), (deadline_ns));                    \
				if (cond) { /* usually: no need to queue again */                  \
					wait_err_ = 0;                                             \
					break;                                                     \
				}                                                                  \
			} while (!wait_err_);                                                      \
			wait_finish((q), &we_);                                                    \
		}                                                                                  \
		wait_err_;                                                                         \
	})
#define wait_event(q, cond)                                                                        \
	((void)wait_event_state_(q, cond, TASK_UNINTERRUPTIBLE, U64_MAX, false))
#define wait_event_interruptible(q, cond)                                                          \
	wait_event_state_(q, cond, TASK_INTERRUPTIBLE, U64_MAX, false)
#define wait_event_exclusive(q, cond)                                                              \
	wait_event_state_(q, cond, TASK_INTERRUPTIBLE, U64_MAX, true)
#define wait_event_killable(q, cond) wait_event_state_(q, cond, TASK_KILLABLE, U64_MAX, false)
#define wait_event_deadline(q, cond, deadline_ns)                                                  \
	wait_event_state_(q, cond, TASK_INTERRUPTIBLE, deadline_ns, false)

/* One-shot event: complete() lets one waiter pass, complete_all() every one from now on. */
struct completion {
	u32 done;
	struct wait_queue wait;
};
void completion_init(struct completion *c);
void complete(struct completion *c);
void complete_all(struct completion *c);
void wait_for_completion(struct completion *c);
int wait_for_completion_killable(struct completion *c) __must_check;
int wait_for_completion_interruptible(struct completion *c) __must_check;
