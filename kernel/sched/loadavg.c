/*
 * The load averages: exponentially damped means of the number of tasks that run or sleep
 * uninterruptibly, over 1, 5 and 15 minutes, from a sample every five seconds. The sample is taken
 * by the first scheduler event after it is due, or by the first reader; an idle machine has no
 * events, so the periods that passed without one are folded in as idle.
 */
#include <time/clock.h>
#include "run_queue.h"

#define PERIOD_NS (5 * NSEC_PER_SEC)
#define ONE       65536ULL

/* e^(-5 s / 1, 5, 15 min) in 1/65536ths. */
static const u64 decay[3] = {60296, 64453, 65173};

static DEFINE_SPINLOCK(load_lock, LOCK_RANK_TIMER);
static u64 load[3];        /* load_lock */
static u64 next_ns = PERIOD_NS; /* load_lock to write; torn-free reads */

static u32 count_active(u32 *running)
{
	s64 uninterruptible = 0;
	u32 nr = 0;

	for_each_cpu(cpu) {
		nr += READ_ONCE(cpu_rq(cpu)->nr_running);
		uninterruptible += READ_ONCE(cpu_rq(cpu)->nr_uninterruptible);
	}
	*running = nr;
	return nr + (uninterruptible > 0 ? (u32)uninterruptible : 0);
}

static u64 power(u64 base, u64 n)
{
	u64 result = ONE;

	for (; n; n >>= 1) {
		if (n & 1)
			result = result * base / ONE;
		base = base * base / ONE;
	}
	return result;
}

static void fold_locked(u64 now)
{
	u64 missed = (now - next_ns) / PERIOD_NS;
	u32 running, active = count_active(&running);

	for (int i = 0; i < 3; i++) {
		load[i] = load[i] * power(decay[i], missed) / ONE;
		load[i] = (load[i] * decay[i] + active * ONE * (ONE - decay[i])) / ONE;
	}
	WRITE_ONCE(next_ns, next_ns + (missed + 1) * PERIOD_NS);
}

void loadavg_tick(u64 now)
{
	u64 flags;

	if (likely(now < READ_ONCE(next_ns)))
		return;
	flags = spin_lock_irqsave(&load_lock);
	if (now >= next_ns)
		fold_locked(now);
	spin_unlock_irqrestore(&load_lock, flags);
}

void sched_loadavg(u64 avg[3], u32 *running)
{
	u64 flags;

	loadavg_tick(clock_monotonic());
	(void)count_active(running);
	flags = spin_lock_irqsave(&load_lock);
	for (int i = 0; i < 3; i++)
		avg[i] = load[i];
	spin_unlock_irqrestore(&load_lock, flags);
}
