/*
 * One-shot high-resolution timers, queued per CPU in deadline order. The callback runs in hard
 * interrupt context with interrupts disabled; it may re-arm its own timer.
 */
#pragma once

#include <lib/rbtree.h>

struct timer {
	struct rb_node node;         /* queue lock */
	u64 deadline_ns;             /* monotonic; queue lock */
	void (*fn)(struct timer *);  /* immutable */
	u32 cpu;                     /* queue it is on; queue lock */
	bool queued;                 /* queue lock */
	bool running;                /* callback in progress; queue lock */
};

void timer_init(struct timer *t, void (*fn)(struct timer *));
/* Arms (or moves) the timer. Any context. */
void timer_arm(struct timer *t, u64 deadline_ns);
/* Disarms; true when it was queued. The callback may still be running on another CPU. */
bool timer_cancel(struct timer *t);
/* Disarms and waits for a running callback. Not from the callback, no lock that it takes held. */
void timer_cancel_sync(struct timer *t);

/* Called by arch when this CPU's one-shot event fires. Hard-interrupt context. */
void timer_interrupt(void);
void timers_cpu_init(void);
