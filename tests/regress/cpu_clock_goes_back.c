/*
 * A thread reads its CPU clock over and over while another one, on another CPU, changes its priority, which
 * brings its account up to date. Broke once: the reader added the two halves of its account up
 * without the lock, and the clock went back by what it had just run.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include "test.h"

static pid_t reader;
static volatile bool stop;

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK_OK(sched_setaffinity(0, sizeof(set), &set));
}

static void *changer(void *unused)
{
	stay_on(1);
	for (int nice = 1; !stop; nice ^= 1)
		CHECK_OK(setpriority(PRIO_PROCESS, (id_t)reader, nice));
	return unused;
}

TEST(cpu_clock_goes_forward_only)
{
	u64 end = now_ns(CLOCK_MONOTONIC) + 3000000000ull, last = 0, now;
	pthread_t t;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP("one CPU");
	stay_on(0);
	reader = (pid_t)syscall(SYS_gettid);
	CHECK_EQ(pthread_create(&t, NULL, changer, NULL), 0);
	while (now_ns(CLOCK_MONOTONIC) < end)
		for (int i = 0; i < 1000; i++) {
			now = now_ns(CLOCK_THREAD_CPUTIME_ID);
			CHECK(now >= last);
			last = now;
		}
	stop = true;
	CHECK_EQ(pthread_join(t, NULL), 0);
}
