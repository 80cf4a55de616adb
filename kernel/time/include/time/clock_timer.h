/*
 * Timers that expire at a time of a clock. On CLOCK_MONOTONIC and CLOCK_BOOTTIME that is a plain
 * timer; one on CLOCK_REALTIME or CLOCK_TAI moves when the clock is set. The owner's lock, which
 * the callback takes too, guards arming and cancelling.
 */
#pragma once

#include <lib/list.h>
#include <time/timer.h>

struct clock_timer {
	struct timer timer;
	struct list_head follow; /* those that move with their clock; follow_lock of clock_timer.c */
	u64 expires_ns;          /* on the clock; owner's lock, and follow_lock */
	u32 clock;               /* fixed id; the same */
};

void clock_timer_init(struct clock_timer *ct, void (*fn)(struct timer *));
/* Arms or moves it. Any context. */
void clock_timer_arm(struct clock_timer *ct, u32 clock, u64 expires_ns);
/* As timer_try_cancel. */
int clock_timer_try_cancel(struct clock_timer *ct) __must_check;
/* To be asked first in the callback: false when there is nothing to do, as the clock has been set. */
bool clock_timer_due(struct clock_timer *ct) __must_check;

/* The time of a fixed clock (not RAW, not COARSE). */
u64 clock_now(u32 clock);
/* expires_ns moved by whole intervals (not 0) past now_ns; *steps: how many. */
u64 clock_forward(u64 expires_ns, u64 interval_ns, u64 now_ns, u64 *steps);
