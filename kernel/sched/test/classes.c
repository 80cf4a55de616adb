/*
 * The classes' promises: shares by weight, real-time before fair, preemption in kernel mode,
 * affinity. The spinning threads run kernel code that never calls the scheduler by itself.
 */
#include <sched/ktest_thread.h>
#include <time/clock.h>

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

KTEST(fair_threads_share_a_cpu_by_weight)
{
	static const s8 nice[3] = {0, 0, 5};
	struct ktest_thread t[3];
	u64 ran[3];

	stop = false;
	for (u32 i = 0; i < 3; i++) {
		struct sched_params p = {.policy = SCHED_NORMAL, .nice = nice[i]};

		ktest_thread_start(&t[i], spin, NULL, &p, BIT(0));
	}
	sleep_for(200 * NSEC_PER_MSEC);
	for (u32 i = 0; i < 3; i++)
		ran[i] = t[i].task ? sched_task_runtime(t[i].task) : 1;
	WRITE_ONCE(stop, true);
	for (u32 i = 0; i < 3; i++)
		ktest_thread_join(&t[i]);
	/* 1024 : 1024 : 335, give or take a slice or two. */
	EXPECT(ran[0] > 50 * NSEC_PER_MSEC);
	EXPECT(ran[0] < ran[1] * 5 / 4 && ran[1] < ran[0] * 5 / 4);
	EXPECT(ran[2] * 2 < ran[0] && ran[2] * 5 > ran[0]);
}

static u64 worst_ns;

static void wake_often(void *unused)
{
	for (u32 i = 0; i < 20; i++) {
		u64 due = clock_monotonic() + NSEC_PER_MSEC;

		sched_set_state(TASK_UNINTERRUPTIBLE);
		(void)schedule_until(due);
		worst_ns = MAX(worst_ns, clock_monotonic() - due);
	}
}

KTEST(real_time_preempts_fair_in_kernel_mode)
{
	struct sched_params fifo = {.policy = SCHED_FIFO, .rt_priority = 10};
	struct ktest_thread spinner, rt;

	stop = false;
	worst_ns = 0;
	ktest_thread_start(&spinner, spin, NULL, NULL, BIT(0));
	ktest_thread_start(&rt, wake_often, NULL, &fifo, BIT(0));
	ktest_thread_join(&rt);
	WRITE_ONCE(stop, true);
	ktest_thread_join(&spinner);
	/* Microseconds on a quiet host; the bound only excludes waiting for the end of a slice chain. */
	EXPECT(worst_ns < 50 * NSEC_PER_MSEC);
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
