/* sched_*: policies, priorities, affinity, nice, yield; and that a higher priority preempts. */
#include "test.h"

#include <sched.h>
#include <linux/sched.h>
#include <sys/resource.h>

struct attr {
	u32 size, policy;
	u64 flags;
	int nice;
	u32 priority;
	u64 runtime, deadline, period;
};

/* musl's sched_setscheduler refuses by itself; these are the kernel's. */
static long set_policy(pid_t pid, int policy, int prio)
{
	struct sched_param p = { .sched_priority = prio };

	return syscall(SYS_sched_setscheduler, pid, policy, &p);
}

static long get_prio(pid_t pid)
{
	int prio = -1;

	CHECK_OK(syscall(SYS_sched_getparam, pid, &prio));
	return prio;
}

TEST(priority_ranges)
{
	CHECK_EQ(syscall(SYS_sched_get_priority_min, SCHED_FIFO), 1);
	CHECK_EQ(syscall(SYS_sched_get_priority_max, SCHED_FIFO), 99);
	CHECK_EQ(syscall(SYS_sched_get_priority_min, SCHED_RR), 1);
	CHECK_EQ(syscall(SYS_sched_get_priority_max, SCHED_RR), 99);
	CHECK_EQ(syscall(SYS_sched_get_priority_max, SCHED_OTHER), 0);
	CHECK_EQ(syscall(SYS_sched_get_priority_max, SCHED_BATCH), 0);
	CHECK_ERR(syscall(SYS_sched_get_priority_max, 99), EINVAL);
	CHECK_ERR(syscall(SYS_sched_get_priority_min, -1), EINVAL);
}

TEST(policy_round_trip)
{
	static const struct {
		int policy, prio;
	} t[] = { { SCHED_BATCH, 0 }, { SCHED_IDLE, 0 }, { SCHED_FIFO, 1 }, { SCHED_RR, 99 },
		  { SCHED_OTHER, 0 } };

	if (geteuid())
		SKIP("needs root");
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		CHECK_OK(set_policy(0, t[i].policy, t[i].prio));
		CHECK_EQ(syscall(SYS_sched_getscheduler, 0), t[i].policy);
		CHECK_EQ(get_prio(0), t[i].prio);
	}
}

TEST(policy_refusals)
{
	CHECK_ERR(set_policy(0, SCHED_OTHER, 1), EINVAL);
	CHECK_ERR(set_policy(0, SCHED_FIFO, 0), EINVAL);
	CHECK_ERR(set_policy(0, SCHED_FIFO, 100), EINVAL);
	CHECK_ERR(set_policy(0, 99, 0), EINVAL);
	CHECK_ERR(set_policy(-1, SCHED_OTHER, 0), EINVAL);
	CHECK_ERR(set_policy(0x3ffffff, SCHED_OTHER, 0), ESRCH);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, 8), EFAULT);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getscheduler, -1), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getscheduler, 0x3ffffff), ESRCH);
	CHECK_ERR(syscall(SYS_sched_getparam, 0, NULL), EINVAL);
}

TEST(users_may_not_become_real_time)
{
	if (geteuid())
		SKIP("needs root");
	IN_CHILD {
		struct rlimit none = { 0, 0 };

		CHECK_OK(setrlimit(RLIMIT_RTPRIO, &none));
		CHECK_OK(setrlimit(RLIMIT_NICE, &none));
		become(1000, 1000);
		CHECK_ERR(set_policy(0, SCHED_FIFO, 1), EPERM);
		CHECK_OK(set_policy(0, SCHED_BATCH, 0));
		errno = 0;
		CHECK_ERR(setpriority(PRIO_PROCESS, 0, -1), EACCES);
		CHECK_OK(setpriority(PRIO_PROCESS, 0, 5));
		CHECK_ERR(setpriority(PRIO_PROCESS, 0, 4), EACCES);
		CHECK_ERR(setpriority(PRIO_PROCESS, 1, 10), EPERM);
	}
}

TEST(nice_clamps_and_is_inherited)
{
	CHECK_OK(setpriority(PRIO_PROCESS, 0, 100));
	CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 1); /* 20 - nice */
	IN_CHILD CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
	CHECK_ERR(getpriority(99, 0), EINVAL);
	CHECK_ERR(getpriority(PRIO_PROCESS, 0x3ffffff), ESRCH);
	CHECK_EQ(getpriority(PRIO_PGRP, 0), 19);
}

TEST(reset_on_fork)
{
	if (geteuid())
		SKIP("needs root");
	CHECK_OK(set_policy(0, SCHED_FIFO | SCHED_RESET_ON_FORK, 3));
	CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_FIFO | SCHED_RESET_ON_FORK);
	IN_CHILD CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);
	CHECK_OK(set_policy(0, SCHED_FIFO, 3));
	IN_CHILD {
		CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_FIFO);
		CHECK_EQ(get_prio(0), 3);
	}
}

TEST(setattr_and_getattr)
{
	struct attr a = { .size = sizeof(a), .policy = SCHED_OTHER, .nice = 7 }, b = { 0 };

	CHECK_OK(syscall(SYS_sched_setattr, 0, &a, 0));
	CHECK_OK(syscall(SYS_sched_getattr, 0, &b, sizeof(b), 0));
	CHECK_EQ(b.nice, 7);
	CHECK_EQ(b.policy, SCHED_OTHER);
	CHECK(b.size >= sizeof(b));
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 7);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, &b, 47, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, &b, sizeof(b), 1), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, NULL, sizeof(b), 0), EINVAL);
	a.size = 47;
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 0), E2BIG);
	a.size = sizeof(a);
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 1), EINVAL);
	a.flags = 1ull << 40;
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL);
}

TEST(affinity)
{
	unsigned long mask[16] = { 0 }, one[16] = { 1 }, none[16] = { 0 };
	long len = CHECK_OK(syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask));
	unsigned cpu;

	CHECK(len > 0 && len <= (long)sizeof(mask) && len % 8 == 0);
	CHECK(mask[0] & 1);
	CHECK_ERR(syscall(SYS_sched_setaffinity, 0, sizeof(none), none), EINVAL);
	CHECK_OK(syscall(SYS_sched_setaffinity, 0, sizeof(one), one));
	CHECK_OK(syscall(SYS_getcpu, &cpu, NULL, NULL));
	CHECK_EQ(cpu, 0);
	IN_CHILD {
		CHECK_OK(syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask));
		CHECK_EQ(mask[0], 1);
	}
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 7, mask), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 9, mask), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0x3ffffff, sizeof(mask), mask), ESRCH);
	CHECK_ERR(syscall(SYS_sched_setaffinity, 0, 8, NULL), EFAULT);
}

TEST(every_allowed_cpu_can_be_visited)
{
	unsigned long all[16] = { 0 };

	CHECK_OK(syscall(SYS_sched_getaffinity, 0, sizeof(all), all));
	for (int i = 0; i < 64; i++) {
		unsigned long one[16] = { 1ul << i };
		unsigned cpu;

		if (!(all[0] >> i & 1))
			continue;
		CHECK_OK(syscall(SYS_sched_setaffinity, 0, sizeof(one), one));
		CHECK_OK(syscall(SYS_getcpu, &cpu, NULL, NULL));
		CHECK_EQ(cpu, i);
	}
}

TEST(rr_interval_and_yield)
{
	struct timespec ts = { -1, -1 };

	CHECK_OK(syscall(SYS_sched_rr_get_interval, 0, &ts));
	CHECK(ts.tv_sec == 0 && ts.tv_nsec >= 0);
	CHECK_ERR(syscall(SYS_sched_rr_get_interval, -1, &ts), EINVAL);
	CHECK_ERR(syscall(SYS_sched_rr_get_interval, 0x3ffffff, &ts), ESRCH);
	for (int i = 0; i < 100; i++)
		CHECK_OK(sched_yield());
}

/* On one CPU a spinning fair task must not keep a real-time one from running when it wakes. */
TEST(real_time_preempts_fair)
{
	unsigned long one[16] = { 1 };
	pid_t spinner;

	if (geteuid())
		SKIP("needs root");
	CHECK_OK(syscall(SYS_sched_setaffinity, 0, sizeof(one), one));
	spinner = test_fork();
	if (spinner == 0)
		for (volatile int i = 0;; i++)
			;
	CHECK_OK(set_policy(0, SCHED_FIFO, 50));
	for (int i = 0; i < 20; i++) {
		u64 start = now_ns(CLOCK_MONOTONIC);

		sleep_ms(1);
		CHECK(now_ns(CLOCK_MONOTONIC) - start < 500000000ull);
	}
	kill(spinner, SIGKILL);
	CHECK_KILLED(spinner, SIGKILL);
}

TEST(fair_tasks_share_one_cpu_by_weight)
{
	unsigned long one[16] = { 1 };
	volatile u64 *count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				   -1, 0);
	pid_t pid[3];

	CHECK_OK(syscall(SYS_sched_setaffinity, 0, sizeof(one), one));
	for (int i = 0; i < 3; i++) {
		pid[i] = test_fork();
		if (pid[i] == 0) {
			setpriority(PRIO_PROCESS, 0, i == 2 ? 19 : 0);
			for (;;)
				count[i * 8]++;
		}
	}
	sleep_ms(600);
	for (int i = 0; i < 3; i++) {
		kill(pid[i], SIGKILL);
		test_reap(pid[i]);
	}
	CHECK(count[0] && count[8] && count[16]);
	CHECK(count[0] < count[8] * 3 && count[8] < count[0] * 3);
	CHECK(count[16] < count[0] / 2);
}
