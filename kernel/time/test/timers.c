/* Timers fire in order and not early, can be moved, cancelled, and re-arm themselves. */
#include <sched/ktest_thread.h>
#include <time/clock.h>
#include <time/timer.h>

#define NR 32

struct probe {
	struct timer timer;
	u64 fired_ns;
	u32 seq;
};

static u32 next_seq;

static void probe_fire(struct timer *t)
{
	struct probe *p = container_of(t, struct probe, timer);

	p->fired_ns = clock_monotonic();
	p->seq = __atomic_add_fetch(&next_seq, 1, __ATOMIC_SEQ_CST);
}

static void sleep_for(u64 ns)
{
	u64 end = clock_monotonic() + ns;

	while (clock_monotonic() < end) {
		sched_set_state(TASK_UNINTERRUPTIBLE);
		(void)schedule_until(end);
	}
}

KTEST(timers_fire_in_deadline_order_and_never_early)
{
	static struct probe p[NR];
	u64 base;

	next_seq = 0;
	preempt_disable(); /* all on one CPU's queue */
	base = clock_monotonic() + 2 * NSEC_PER_MSEC;
	for (u32 i = 0; i < NR; i++) {
		u32 n = i * 13 % NR; /* armed out of order */

		timer_init(&p[n].timer, probe_fire);
		timer_arm(&p[n].timer, base + n * 50 * NSEC_PER_USEC);
	}
	preempt_enable();
	sleep_for(8 * NSEC_PER_MSEC);
	for (u32 i = 0; i < NR; i++) {
		timer_cancel_sync(&p[i].timer);
		EXPECT(p[i].seq == i + 1);
		EXPECT(p[i].fired_ns >= base + i * 50 * NSEC_PER_USEC);
	}
}

KTEST(timer_cancelled_or_moved_does_not_fire_at_its_old_time)
{
	struct probe a = {0}, b = {0};
	u64 now = clock_monotonic();

	timer_init(&a.timer, probe_fire);
	timer_init(&b.timer, probe_fire);
	EXPECT(!timer_cancel(&a.timer));
	timer_arm(&a.timer, now + 2 * NSEC_PER_MSEC);
	timer_arm(&b.timer, now + 2 * NSEC_PER_MSEC);
	timer_arm(&b.timer, now + 6 * NSEC_PER_MSEC);
	EXPECT(timer_cancel(&a.timer));
	sleep_for(10 * NSEC_PER_MSEC);
	timer_cancel_sync(&b.timer);
	EXPECT(!a.fired_ns);
	EXPECT(b.fired_ns >= now + 6 * NSEC_PER_MSEC);
}

static struct timer periodic;
static u32 periods;

static void periodic_fire(struct timer *t)
{
	if (++periods < 5)
		timer_arm(t, t->deadline_ns + 200 * NSEC_PER_USEC);
}

KTEST(timer_rearms_itself)
{
	periods = 0;
	timer_init(&periodic, periodic_fire);
	timer_arm(&periodic, clock_monotonic() + 200 * NSEC_PER_USEC);
	sleep_for(6 * NSEC_PER_MSEC);
	timer_cancel_sync(&periodic);
	EXPECT(periods == 5);
}

KTEST(clock_never_goes_back)
{
	u64 last = clock_monotonic();
	u32 back = 0;

	for (u32 i = 0; i < 20000; i++) {
		u64 now = clock_monotonic();

		back += now < last;
		last = now;
	}
	EXPECT(!back);
}
