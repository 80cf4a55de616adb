/*
 * I7: a runnable thread of higher priority gets the CPU soon, even while a lower one is in the
 * middle of a long system call. On one CPU a real-time process wakes again and again while an
 * ordinary one makes calls that each take long.
 *
 * "Soon" is measured against the load itself: a fraction of what one of its calls takes undisturbed.
 * A kernel that lets the call finish first is late by most of a call at every wake-up, so it never
 * has eight good ones in a row. The host may take the CPU away at any time: that spoils rows of a
 * kernel that does preempt, which is why one good row is enough.
 */
#include "test.h"

#include <sched.h>
#include <sys/mman.h>

#define ROW 8
#define APART_NS 300000 /* a row fits into what a busy host gives at a time */
#define PATIENCE_NS 40000000000ull
#define PART 4 /* of a call: what a wake-up may be late */

static void as_real_time(void)
{
	struct sched_param p = { .sched_priority = 50 };

	CHECK_OK(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p));
}

/* How late the latest of a row of wake-ups was. */
static u64 row_latency(void)
{
	u64 worst = 0;

	for (int i = 0; i < ROW; i++) {
		u64 due = now_ns(CLOCK_MONOTONIC) + APART_NS, now;
		struct timespec ts = { due / 1000000000, due % 1000000000 };

		CHECK_OK(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL));
		now = now_ns(CLOCK_MONOTONIC);
		if (now - due > worst)
			worst = now - due;
	}
	return worst;
}

static u64 call_takes(void (*load)(void))
{
	u64 least = UINT64_MAX;

	for (int i = 0; i < 5; i++) {
		u64 start = now_ns(CLOCK_MONOTONIC), took;

		load();
		took = now_ns(CLOCK_MONOTONIC) - start;
		if (took < least)
			least = took;
	}
	return least;
}

/* Runs `load` for ever in a child on this CPU, and looks at our own wake-ups meanwhile. */
static void check_against(void (*load)(void))
{
	u64 late, worst = UINT64_MAX, end = now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
	unsigned long one[16] = { 1 };
	pid_t pid;

	if (geteuid())
		SKIP("needs root");
	CHECK_OK(syscall(SYS_sched_setaffinity, 0, sizeof(one), one));
	late = call_takes(load) / PART;
	if (late < APART_NS)
		SKIP("this machine is so fast that the calls show nothing");
	pid = test_fork();
	if (pid == 0)
		for (;;)
			load();
	as_real_time();
	while (worst >= late && now_ns(CLOCK_MONOTONIC) < end)
		worst = row_latency();
	kill(pid, SIGKILL);
	CHECK_KILLED(pid, SIGKILL);
	if (worst >= late)
		FAIL("a wake-up in every row is %llu us late or more", (unsigned long long)late / 1000);
}

#define BIG (32ul << 20)

static void read_zeroes(void)
{
	static int fd = -1;
	static char *buf;

	if (fd < 0) {
		fd = CHECK_OK(open("/dev/zero", O_RDONLY));
		buf = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(buf != MAP_FAILED);
	}
	CHECK_EQ(read(fd, buf, BIG), (long)BIG);
}

TEST_LIMIT(real_time_wakes_during_a_long_read, 60)
{
	check_against(read_zeroes);
}

static void map_and_unmap(void)
{
	void *p = mmap(NULL, BIG, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK_OK(munmap(p, BIG));
}

TEST_LIMIT(real_time_wakes_while_memory_is_mapped_and_freed, 60)
{
	check_against(map_and_unmap);
}

static void fork_with_memory(void)
{
	static char *p;
	pid_t pid;

	if (!p) {
		p = mmap(NULL, 2 * BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(p != MAP_FAILED);
		memset(p, 1, 2 * BIG);
	}
	pid = fork();
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
}

TEST_LIMIT(real_time_wakes_while_a_large_process_forks, 60)
{
	check_against(fork_with_memory);
}

static void spin(void)
{
	for (volatile int i = 0; i < 20000000; i++)
		;
}

TEST_LIMIT(real_time_wakes_while_user_code_spins, 60)
{
	check_against(spin);
}
