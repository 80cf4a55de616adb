/*
 * One-shot high-resolution timers, queued per CPU in deadline order. The callback runs in hard
 * interrupt context with interrupts disabled; it may re-arm its own timer.
 */
#pragma once

#include <arch/percpu.h>
#include <lib/rbtree.h>

struct timer {
	struct rb_node node;         /* queue lock */
	u64 deadline_ns;             /* monotonic; queue lock */
	void (*fn)(struct timer *);  /* immutable */
	u32 cpu;                     /* whose queue it belongs to; that queue's lock */
	bool queued;                 /* queue lock */
};

void timer_init(struct timer *t, void (*fn)(struct timer *));
/* Arms (or moves) the timer. Any context. */
void timer_arm(struct timer *t, u64 deadline_ns);
/* Disarms; true when it was queued. The callback may still be running on another CPU. */
bool timer_cancel(struct timer *t);
/* The same for callers that hold a lock the callback takes: -1, without disarming, while the callback
 * runs on another CPU; the caller drops its lock and tries again. Else 1 or 0 as timer_cancel. */
int timer_try_cancel(struct timer *t) __must_check;
/* Disarms and waits for a running callback. Not from the callback, no lock that it takes held. */
void timer_cancel_sync(struct timer *t);

/*
 * The scheduler's own event on this CPU: sched_tick(now) is called once it is due. It costs no
 * queueing, and no access to the hardware unless it is earlier than what is armed. Interrupts
 * disabled; U64_MAX: none.
 */
void timer_slice_arm(u64 deadline_ns);
DECLARE_PER_CPU(u64, timer_slice_ns); /* own CPU: what was armed */

/* Makes sure that sched_tick comes no later than the deadline. Interrupts disabled. */
static inline void timer_slice_within(u64 deadline_ns)
{
	if (deadline_ns < this_cpu_read(timer_slice_ns))
		timer_slice_arm(deadline_ns);
}

/* Called by arch when this CPU's one-shot event fires. Hard-interrupt context. */
void timer_interrupt(void);
void timers_cpu_init(void);
