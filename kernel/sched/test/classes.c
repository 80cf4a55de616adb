/*
 * The classes' promises: shares by weight, real-time before fair, preemption in kernel mode,
 * affinity. The spinning threads run kernel code that never calls the scheduler by itself.
 */
#include <sched/ktest_thread.h>
#include <time/clock.h>
#include <time/timer.h>

static bool stop;

static void spin(void *unused)
{
	while (!READ_ONCE(stop))
		cpu_relax();
}

static void sleep_for(u64 ns)
{
	u64 end = clock_monotonic() + ns;

	while (clock_monotonic() < end) {
		sched_set_state(TASK_UNINTERRUPTIBLE);
		(void)schedule_until(end);
	}
}

#define SHARERS 3
#define PATIENCE_NS (30 * NSEC_PER_SEC)

static u64 longest_wait_ns;

/* Notes how long a sharer did not run: the turns of the others, and what the host took away. */
static void spin_and_watch(void *unused)
{
	u64 last = clock_monotonic();

	while (!READ_ONCE(stop)) {
		u64 now = clock_monotonic();

		longest_wait_ns = MAX(longest_wait_ns, now - last);
		last = now;
	}
}

static u64 distance(u64 a, u64 b)
{
	return a > b ? a - b : b - a;
}

static void runtimes(struct ktest_thread *t, u64 *ran)
{
	for (u32 i = 0; i < SHARERS; i++)
		ran[i] = sched_task_runtime(t[i].task);
}

/*
 * 1024 : 1024 : 335. The scheduler promises a difference of a slice or so at any time, and time
 * that the host takes away counts for whom it hit: so the tolerance is the longest turn that was
 * seen, and the test goes on until the shares are large beside it, anew if the host took too much.
 */
KTEST(fair_threads_share_a_cpu_by_weight)
{
	static const s8 nice[SHARERS] = {0, 0, 5};
	u64 end = clock_monotonic() + PATIENCE_NS, anew, wait, ran[SHARERS], before[SHARERS];
	struct ktest_thread t[SHARERS];

	stop = false;
	for (u32 i = 0; i < SHARERS; i++) {
		struct sched_params p = {.policy = SCHED_NORMAL, .nice = nice[i]};

		if (!ktest_thread_start(&t[i], spin_and_watch, NULL, &p, BIT(0)))
			return;
	}
	sleep_for(50 * NSEC_PER_MSEC);
	do {
		WRITE_ONCE(longest_wait_ns, 0);
		runtimes(t, before);
		anew = clock_monotonic() + PATIENCE_NS / 10;
		do {
			sleep_for(100 * NSEC_PER_MSEC);
			runtimes(t, ran);
			for (u32 i = 0; i < SHARERS; i++)
				ran[i] -= before[i];
			wait = READ_ONCE(longest_wait_ns);
		} while (ran[0] < 16 * wait && clock_monotonic() < anew);
	} while (ran[0] < 16 * wait && clock_monotonic() < end);
	WRITE_ONCE(stop, true);
	for (u32 i = 0; i < SHARERS; i++)
		ktest_thread_join(&t[i]);
	/* Each of two can be a turn ahead or behind, at the first look and at the last. */
	EXPECT(ran[0] >= 16 * wait);
	EXPECT(distance(ran[0], ran[1]) <= 4 * wait);
	EXPECT(distance(ran[2] * 1024 / 335, ran[0]) <= 8 * wait);
}

#define WAKE_UPS 20

static u32 punctual;

static void wake_often(void *unused)
{
	for (u32 i = 0; i < WAKE_UPS; i++) {
		u64 due = clock_monotonic() + NSEC_PER_MSEC;

		sched_set_state(TASK_UNINTERRUPTIBLE);
		(void)schedule_until(due);
		punctual += clock_monotonic() - due < NSEC_PER_MSEC;
	}
}

/*
 * The spinner never leaves kernel code, so without preemption the other would never run again. That
 * it does not wait for the end of a slice, which is three of these wake-ups long, either shows in a
 * row most of which are punctual; a busy host may spoil the others, and some rows.
 */
KTEST(real_time_preempts_fair_in_kernel_mode)
{
	struct sched_params fifo = {.policy = SCHED_FIFO, .rt_priority = 10};
	u64 end = clock_monotonic() + PATIENCE_NS;
	struct ktest_thread spinner, rt;

	stop = false;
	ktest_thread_start(&spinner, spin, NULL, NULL, BIT(0));
	do {
		punctual = 0;
		ktest_thread_start(&rt, wake_often, NULL, &fifo, BIT(0));
		ktest_thread_join(&rt);
	} while (punctual <= WAKE_UPS * 3 / 4 && clock_monotonic() < end);
	WRITE_ONCE(stop, true);
	ktest_thread_join(&spinner);
	EXPECT(punctual > WAKE_UPS * 3 / 4);
}

static u32 where;

static void report_cpu(void *unused)
{
	where = smp_processor_id();
}

KTEST(affinity_is_obeyed_and_moves_a_running_thread)
{
	u32 last = nr_cpus - 1;
	struct ktest_thread t;

	ktest_thread_start(&t, report_cpu, NULL, NULL, BIT(last));
	ktest_thread_join(&t);
	EXPECT(where == last);

	stop = false;
	ktest_thread_start(&t, spin, NULL, NULL, BIT(0));
	sleep_for(3 * NSEC_PER_MSEC);
	if (t.task) {
		EXPECT(!sched_set_affinity(t.task, (struct cpumask){BIT(last)}));
		EXPECT(READ_ONCE(t.task->cpu) == last);
		EXPECT(sched_set_affinity(t.task, (struct cpumask){BIT(63)}) < 0 || nr_cpus == 64);
	}
	WRITE_ONCE(stop, true);
	ktest_thread_join(&t);
}

KTEST(policy_may_change_while_running)
{
	struct sched_params p = {.policy = SCHED_FIFO, .rt_priority = 1}, mine;
	struct sched_params urgent = {.policy = SCHED_FIFO, .rt_priority = 90};
	struct ktest_thread t;

	sched_get_params(current, &mine);
	EXPECT(!sched_set_params(current, &urgent)); /* or the spinner would keep us out */
	stop = false;
	ktest_thread_start(&t, spin, NULL, NULL, BIT(0));
	for (u32 i = 0; t.task && i < 6; i++) {
		EXPECT(!sched_set_params(t.task, &p));
		p = i % 2 ? (struct sched_params){.policy = SCHED_RR, .rt_priority = 2}
			  : (struct sched_params){.policy = SCHED_BATCH, .nice = 3};
		sleep_for(NSEC_PER_MSEC / 2);
	}
	WRITE_ONCE(stop, true);
	ktest_thread_join(&t);
	EXPECT(!sched_set_params(current, &mine));
}

#define STORM 3000

static struct timer storm;
static u32 firings;

/* Is due again before the way out of the interrupt is over, and wants the CPU each time. */
static void storm_fires(struct timer *t)
{
	sched_resched_this_cpu();
	WRITE_ONCE(firings, firings + 1);
	if (firings < STORM)
		timer_arm(t, clock_monotonic() + 500);
}

/* On a host that is slow enough, every slice is over at once: frames must not fill the stack. */
KTEST(interrupts_do_not_pile_up_on_their_way_out)
{
	firings = 0;
	timer_init(&storm, storm_fires);
	timer_arm(&storm, clock_monotonic() + NSEC_PER_MSEC);
	while (READ_ONCE(firings) < STORM)
		cpu_relax();
	timer_cancel_sync(&storm);
	EXPECT(firings == STORM);
}
