/* Clocks, sleeping, interval timers: resolution, interruption, refused values. */
#include "test.h"

#include <sys/time.h>
#include <sys/timex.h>

static const struct timespec bad_times[] = { { -1, 0 }, { 0, -1 }, { 0, 1000000000 },
					     { 0, INT64_MAX }, { INT64_MIN, 0 } };

static long k_gettime(clockid_t c, void *ts)
{
	return syscall(SYS_clock_gettime, c, ts);
}

static long k_sleep(clockid_t c, int flags, const void *req, void *rem)
{
	return syscall(SYS_clock_nanosleep, c, flags, req, rem);
}

TEST(monotonic_never_goes_back)
{
	u64 last = now_ns(CLOCK_MONOTONIC);

	for (int i = 0; i < 20000; i++) {
		u64 now = now_ns(CLOCK_MONOTONIC);

		CHECK(now >= last);
		last = now;
	}
}

TEST(monotonic_never_goes_back_across_cpus)
{
	unsigned long all[16] = { 0 };
	u64 last = 0;

	CHECK_OK(syscall(SYS_sched_getaffinity, 0, sizeof(all), all));
	for (int i = 0; i < 50; i++) {
		unsigned long one[16] = { 1ul << i % 2 };
		struct timespec ts;
		u64 now;

		if (!(all[0] & one[0]))
			continue;
		CHECK_OK(syscall(SYS_sched_setaffinity, 0, sizeof(one), one));
		CHECK_OK(k_gettime(CLOCK_MONOTONIC, &ts));
		now = ts.tv_sec * 1000000000ull + ts.tv_nsec;
		CHECK(now >= last);
		last = now;
	}
}

TEST(every_clock_reads)
{
	static const clockid_t ids[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
					 CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW,
					 CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE,
					 CLOCK_BOOTTIME, CLOCK_TAI };

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct timespec ts = { -1, -1 };

		CHECK_OK(k_gettime(ids[i], &ts));
		CHECK(ts.tv_sec >= 0 && ts.tv_nsec >= 0 && ts.tv_nsec < 1000000000);
		CHECK_OK(syscall(SYS_clock_getres, ids[i], &ts));
		CHECK(ts.tv_sec == 0 && ts.tv_nsec > 0);
		CHECK_OK(syscall(SYS_clock_getres, ids[i], NULL));
	}
}

TEST(realtime_agrees_with_gettimeofday_and_time)
{
	struct timespec ts;
	struct timeval tv;
	time_t t;

	CHECK_OK(k_gettime(CLOCK_REALTIME, &ts));
	CHECK_OK(syscall(SYS_gettimeofday, &tv, NULL));
	t = CHECK_OK(syscall(SYS_time, NULL));
	CHECK(tv.tv_sec - ts.tv_sec <= 2 && tv.tv_sec >= ts.tv_sec);
	CHECK(t - ts.tv_sec <= 3 && t >= ts.tv_sec - 1);
	CHECK(tv.tv_usec >= 0 && tv.tv_usec < 1000000);
	CHECK(ts.tv_sec > 1600000000);
}

TEST(clock_refusals)
{
	struct timespec ts;

	CHECK_ERR(k_gettime(99, &ts), EINVAL);
	CHECK_ERR(k_gettime(CLOCK_REALTIME, (void *)8), EFAULT);
	CHECK_ERR(syscall(SYS_clock_getres, 99, &ts), EINVAL);
	CHECK_ERR(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &ts), EINVAL);
	CHECK_ERR(syscall(SYS_clock_settime, CLOCK_REALTIME, (void *)8), EFAULT);
	for (size_t i = 0; i < ARRAY_SIZE(bad_times); i++)
		CHECK_ERR(syscall(SYS_clock_settime, CLOCK_REALTIME, &bad_times[i]), EINVAL);
	if (geteuid())
		return;
	IN_CHILD {
		CHECK_OK(k_gettime(CLOCK_REALTIME, &ts));
		become(1000, 1000);
		CHECK_ERR(syscall(SYS_clock_settime, CLOCK_REALTIME, &ts), EPERM);
		CHECK_ERR(syscall(SYS_settimeofday, &(struct timeval){ 0, 0 }, NULL), EPERM);
	}
}

TEST(cpu_clocks_count_work_not_sleep)
{
	u64 cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID), wall;

	sleep_ms(60);
	CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu < 50000000);
	cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
	wall = now_ns(CLOCK_MONOTONIC);
	while (now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu < 20000000)
		CHECK(now_ns(CLOCK_MONOTONIC) - wall < 5000000000ull);
}

TEST(cpu_clock_of_another_process)
{
	clockid_t clock;
	struct timespec ts;
	pid_t pid = test_fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	clock = (clockid_t)(~(unsigned)pid << 3 | 2);
	CHECK_OK(k_gettime(clock, &ts));
	kill(pid, SIGKILL);
	test_reap(pid);
	CHECK_ERR(k_gettime(clock, &ts), EINVAL);
}

TEST(sleep_lasts_at_least_as_long_as_asked)
{
	static const int us[] = { 0, 1, 100, 1000, 20000 };

	for (size_t i = 0; i < ARRAY_SIZE(us); i++) {
		struct timespec ts = { 0, us[i] * 1000 };
		u64 start = now_ns(CLOCK_MONOTONIC);

		CHECK_OK(syscall(SYS_nanosleep, &ts, NULL));
		CHECK(now_ns(CLOCK_MONOTONIC) - start >= (u64)ts.tv_nsec);
	}
}

TEST(absolute_sleep_until_past_and_future)
{
	struct timespec ts;
	u64 end = now_ns(CLOCK_MONOTONIC) + 20000000;

	CHECK_OK(k_gettime(CLOCK_MONOTONIC, &ts));
	CHECK_OK(k_sleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL));
	ts.tv_sec = end / 1000000000;
	ts.tv_nsec = end % 1000000000;
	CHECK_OK(k_sleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL));
	CHECK(now_ns(CLOCK_MONOTONIC) >= end);
}

TEST(sleep_refusals)
{
	struct timespec ts = { 0, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad_times); i++) {
		CHECK_ERR(syscall(SYS_nanosleep, &bad_times[i], NULL), EINVAL);
		CHECK_ERR(k_sleep(CLOCK_MONOTONIC, 0, &bad_times[i], NULL), EINVAL);
	}
	CHECK_ERR(syscall(SYS_nanosleep, 8, NULL), EFAULT);
	CHECK_ERR(k_sleep(99, 0, &ts, NULL), EINVAL);
	CHECK_ERR(k_sleep(CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL), EOPNOTSUPP);
	CHECK_ERR(k_sleep(CLOCK_MONOTONIC_COARSE, 0, &ts, NULL), EOPNOTSUPP);
}

static void on_signal(int sig)
{
	(void)sig;
}

TEST(interrupted_sleep_tells_what_is_left)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct itimerval it = { .it_value.tv_usec = 20000 };
	struct timespec req = { 100, 0 }, rem = { 0, 0 };

	CHECK_OK(sigaction(SIGALRM, &act, NULL));
	CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
	CHECK_ERR(syscall(SYS_nanosleep, &req, &rem), EINTR);
	CHECK(rem.tv_sec >= 90 && rem.tv_sec < 100);

	rem = (struct timespec){ 1, 2 };
	CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
	req.tv_sec += now_ns(CLOCK_MONOTONIC) / 1000000000;
	act.sa_flags = 0;
	CHECK_OK(sigaction(SIGALRM, &act, NULL));
	CHECK_ERR(k_sleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &req, &rem), EINTR);
	CHECK(rem.tv_sec == 1 && rem.tv_nsec == 2);
}

TEST(stopped_sleep_goes_on_with_the_rest)
{
	u64 start = now_ns(CLOCK_MONOTONIC);
	pid_t pid = test_fork();

	if (pid == 0) {
		struct timespec req = { 0, 150000000 };

		_exit(syscall(SYS_nanosleep, &req, NULL) != 0);
	}
	wait_state(pid, "S");
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, NULL, WUNTRACED), pid);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EXITS(pid, 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 150000000);
}

static volatile int ticks;

static void on_tick(int sig)
{
	(void)sig;
	ticks++;
}

TEST(itimer_real_repeats_until_stopped)
{
	struct itimerval it = { { 0, 5000 }, { 0, 5000 } }, old;
	int seen;

	signal(SIGALRM, on_tick);
	CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
	while (ticks < 5)
		pause();
	CHECK_OK(getitimer(ITIMER_REAL, &old));
	CHECK_EQ(old.it_interval.tv_usec, 5000);
	CHECK_OK(setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, &old));
	seen = ticks;
	sleep_ms(20);
	CHECK(ticks <= seen + 1);
	CHECK_ERR(setitimer(99, &it, NULL), EINVAL);
	it.it_value.tv_usec = 1000000;
	CHECK_ERR(syscall(SYS_setitimer, ITIMER_REAL, &it, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_setitimer, ITIMER_REAL, 8, NULL), EFAULT);
}

TEST(itimer_virtual_and_prof_count_cpu_time)
{
	static const struct {
		int which, sig;
	} t[] = { { ITIMER_VIRTUAL, SIGVTALRM }, { ITIMER_PROF, SIGPROF } };

	for (int i = 0; i < 2; i++) {
		struct itimerval it = { .it_value.tv_usec = 20000 };
		u64 end = now_ns(CLOCK_MONOTONIC) + 10000000000ull;

		ticks = 0;
		signal(t[i].sig, on_tick);
		CHECK_OK(setitimer(t[i].which, &it, NULL));
		while (!ticks)
			CHECK(now_ns(CLOCK_MONOTONIC) < end);
	}
}

TEST(alarm_returns_the_seconds_left)
{
	CHECK_EQ(alarm(100), 0);
	CHECK_EQ(alarm(0), 100);
	CHECK_EQ(alarm(0), 0);
}

TEST(adjtimex_reads_without_privilege)
{
	struct timex tx = { .modes = 0 };

	CHECK_OK(syscall(SYS_adjtimex, &tx));
	CHECK(tx.tick >= 9000 && tx.tick <= 11000);
}
