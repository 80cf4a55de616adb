/*
 * Timers on clocks that can be set. Those that are armed on such a clock stand on one list; setting
 * the clock walks it and moves them. follow_lock (interrupts disabled) guards the list and is held
 * while such a timer is armed, so that a setting sees it armed by the old offset or the new.
 *
 * A timer leaves the list when it is due or cancelled. Being moved while its callback begins, it may
 * be called once too often: clock_timer_due tells.
 */
#include <sync/spinlock.h>
#include <time/clock.h>
#include <time/clock_timer.h>
#include "internal.h"

static DEFINE_SPINLOCK(follow_lock, LOCK_RANK_CLOCK_TIMERS);
static struct list_head followers = LIST_INIT(followers);

static bool can_be_set(u32 clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_TAI;
}

u64 clock_now(u32 clock)
{
	return clock_monotonic() + (u64)clock_offset(clock);
}

u64 clock_forward(u64 expires_ns, u64 interval_ns, u64 now_ns, u64 *steps)
{
	*steps = expires_ns <= now_ns ? (now_ns - expires_ns) / interval_ns + 1 : 0;
	if (__builtin_add_overflow(expires_ns, *steps * interval_ns, &expires_ns) ||
	    expires_ns > (u64)S64_MAX)
		return S64_MAX;
	return expires_ns;
}

void clock_timer_init(struct clock_timer *ct, void (*fn)(struct timer *))
{
	timer_init(&ct->timer, fn);
	list_init(&ct->follow);
	ct->expires_ns = 0;
	ct->clock = CLOCK_MONOTONIC;
}

static void arm(struct clock_timer *ct)
{
	timer_arm(&ct->timer, clock_to_monotonic(ct->clock, ct->expires_ns));
}

void clock_timer_arm(struct clock_timer *ct, u32 clock, u64 expires_ns)
{
	u64 flags;

	if (!can_be_set(clock) && !can_be_set(ct->clock)) {
		ct->clock = clock;
		ct->expires_ns = expires_ns;
		arm(ct);
		return;
	}
	flags = spin_lock_irqsave(&follow_lock);
	ct->clock = clock;
	ct->expires_ns = expires_ns;
	if (!can_be_set(clock))
		list_del(&ct->follow);
	else if (list_empty(&ct->follow))
		list_add_tail(&ct->follow, &followers);
	arm(ct);
	spin_unlock_irqrestore(&follow_lock, flags);
}

int clock_timer_try_cancel(struct clock_timer *ct)
{
	u64 flags;
	int res;

	if (!can_be_set(ct->clock))
		return timer_try_cancel(&ct->timer);
	flags = spin_lock_irqsave(&follow_lock);
	res = timer_try_cancel(&ct->timer);
	if (res >= 0)
		list_del(&ct->follow);
	spin_unlock_irqrestore(&follow_lock, flags);
	return res;
}

bool clock_timer_due(struct clock_timer *ct)
{
	bool due = true;
	u64 flags;

	if (!can_be_set(READ_ONCE(ct->clock)))
		return true;
	flags = spin_lock_irqsave(&follow_lock);
	if (list_empty(&ct->follow)) {
		due = false;
	} else if (clock_now(ct->clock) < ct->expires_ns) {
		arm(ct);
		due = false;
	} else {
		list_del(&ct->follow);
	}
	spin_unlock_irqrestore(&follow_lock, flags);
	return due;
}

void clock_timers_follow(void)
{
	u64 flags = spin_lock_irqsave(&follow_lock);
	struct clock_timer *ct;

	list_for_each(ct, &followers, follow)
		arm(ct);
	spin_unlock_irqrestore(&follow_lock, flags);
}
