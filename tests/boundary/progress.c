/*
 * I7: a runnable thread of higher priority gets the CPU soon, even while a lower one is in the
 * middle of a long system call. On one CPU a real-time process wakes every millisecond while an
 * ordinary one makes calls that each take long; every wake-up must come in time.
 */
#include "test.h"

#include <sched.h>
#include <sys/mman.h>

#define ROUNDS 100
/* Far more than a wake-up takes, far less than the calls below do together. */
#define LATE_NS 60000000ull

static void as_real_time(void)
{
	struct sched_param p = { .sched_priority = 50 };

	CHECK_OK(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p));
}

static u64 worst_latency(void)
{
	u64 worst = 0;

	for (int i = 0; i < ROUNDS; i++) {
		u64 due = now_ns(CLOCK_MONOTONIC) + 1000000, now;
		struct timespec ts = { due / 1000000000, due % 1000000000 };

		CHECK_OK(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL));
		now = now_ns(CLOCK_MONOTONIC);
		if (now - due > worst)
			worst = now - due;
	}
	return worst;
}

/* Runs `load` for ever in a child on this CPU, and looks at our own wake-ups meanwhile. */
static void check_against(void (*load)(void))
{
	unsigned long one[16] = { 1 };
	pid_t pid;

	if (geteuid())
		SKIP("needs root");
	CHECK_OK(syscall(SYS_sched_setaffinity, 0, sizeof(one), one));
	pid = test_fork();
	if (pid == 0)
		for (;;)
			load();
	as_real_time();
	CHECK(worst_latency() < LATE_NS);
	kill(pid, SIGKILL);
	CHECK_KILLED(pid, SIGKILL);
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

TEST(real_time_wakes_during_a_long_read)
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

TEST(real_time_wakes_while_memory_is_mapped_and_freed)
{
	check_against(map_and_unmap);
}

static void fork_with_memory(void)
{
	static char *p;
	pid_t pid;

	if (!p) {
		p = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(p != MAP_FAILED);
		memset(p, 1, BIG);
	}
	pid = fork();
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
}

TEST(real_time_wakes_while_a_large_process_forks)
{
	check_against(fork_with_memory);
}

static void spin(void)
{
	for (volatile int i = 0; i < 1000000; i++)
		;
}

TEST(real_time_wakes_while_user_code_spins)
{
	check_against(spin);
}
