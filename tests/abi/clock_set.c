/* Setting and steering the clock, and what that does to those who wait for it. */
#include "test.h"

#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>

#define MS 1000000l

static long adjtimex_call(struct timex *tx)
{
	return syscall(SYS_adjtimex, tx);
}

/* Only a virtual machine's clock is ours to change. */
static void need_machine(void)
{
	if (!getenv("TEST_VM") || geteuid())
		SKIP("changes the machine's clock");
}

static void shift_clock(long seconds)
{
	struct timespec ts;

	CHECK_OK(clock_gettime(CLOCK_REALTIME, &ts));
	ts.tv_sec += seconds;
	CHECK_OK(syscall(SYS_clock_settime, CLOCK_REALTIME, &ts));
}

TEST(setting_moves_realtime_only)
{
	u64 mono, boot, real;

	need_machine();
	real = now_ns(CLOCK_REALTIME);
	mono = now_ns(CLOCK_MONOTONIC);
	boot = now_ns(CLOCK_BOOTTIME);
	shift_clock(100000);
	CHECK(now_ns(CLOCK_MONOTONIC) - mono < 60000 * MS);
	CHECK(now_ns(CLOCK_BOOTTIME) - boot < 60000 * MS);
	CHECK(now_ns(CLOCK_REALTIME) - real >= 100000000 * MS);
	CHECK(now_ns(CLOCK_REALTIME_COARSE) - real >= 99999000 * MS);
	shift_clock(-100000);
	CHECK(now_ns(CLOCK_REALTIME) - real < 120000 * MS);
}

TEST(settimeofday_and_the_time_zone)
{
	struct timezone zone = { 60, 0 }, seen = { 0 };
	struct timeval tv;

	need_machine();
	/* With the time: the first setting of the zone alone would move the clock. */
	CHECK_OK(syscall(SYS_gettimeofday, &tv, NULL));
	CHECK_OK(syscall(SYS_settimeofday, &tv, &zone));
	CHECK_OK(syscall(SYS_gettimeofday, NULL, &seen));
	CHECK_EQ(seen.tz_minuteswest, 60);
	CHECK_OK(syscall(SYS_gettimeofday, &tv, NULL));
	CHECK_OK(syscall(SYS_settimeofday, &tv, &(struct timezone){ 0, 0 }));
	tv.tv_usec = 1000001;
	CHECK_ERR(syscall(SYS_settimeofday, &tv, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_settimeofday, NULL, &(struct timezone){ 10000, 0 }), EINVAL);
	CHECK_ERR(syscall(SYS_settimeofday, 8, NULL), EFAULT);
}

TEST(absolute_sleeper_wakes_when_its_time_is_passed_over)
{
	pid_t pid;

	need_machine();
	pid = test_fork();
	if (pid == 0) {
		struct timespec ts;

		CHECK_OK(clock_gettime(CLOCK_REALTIME, &ts));
		ts.tv_sec += 5000;
		CHECK_EQ(syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL), 0);
		_exit(0);
	}
	wait_state(pid, "S");
	shift_clock(10000);
	CHECK_EXITS(pid, 0);
	shift_clock(-10000);
}

TEST(relative_sleeper_does_not_notice)
{
	struct timespec ts = { 0, 300 * MS };
	u64 start;
	pid_t pid;

	need_machine();
	start = now_ns(CLOCK_MONOTONIC);
	pid = test_fork();
	if (pid == 0) {
		CHECK_EQ(syscall(SYS_clock_nanosleep, CLOCK_REALTIME, 0, &ts, NULL), 0);
		CHECK(now_ns(CLOCK_MONOTONIC) - start >= 300 * MS);
		_exit(0);
	}
	wait_state(pid, "S");
	shift_clock(10000);
	CHECK_EXITS(pid, 0);
	shift_clock(-10000);
}

TEST(timers_follow_the_clock_they_are_set_on)
{
	struct itimerspec it = { .it_value = { 0, 0 } };
	sigset_t set;
	siginfo_t info;
	int abs_id = -1, rel_id = -1, fd, cancel_fd;
	u64 ticks;

	need_machine();
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_OK(syscall(SYS_timer_create, CLOCK_REALTIME, NULL, &abs_id));
	CHECK_OK(syscall(SYS_timer_create, CLOCK_REALTIME, NULL, &rel_id));
	fd = CHECK_OK(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
	cancel_fd = CHECK_OK(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
	it.it_value.tv_sec = 5000;
	CHECK_OK(syscall(SYS_timer_settime, rel_id, 0, &it, NULL));
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &it.it_value));
	it.it_value.tv_sec += 5000;
	CHECK_OK(syscall(SYS_timer_settime, abs_id, TIMER_ABSTIME, &it, NULL));
	CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &it, NULL));
	it.it_value.tv_sec += 100000;
	CHECK_OK(timerfd_settime(cancel_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &it, NULL));
	CHECK_ERR(read(fd, &ticks, 8), EAGAIN);
	CHECK_ERR(read(cancel_fd, &ticks, 8), EAGAIN);
	shift_clock(10000);
	CHECK_EQ(sigtimedwait(&set, &info, &(struct timespec){ 10, 0 }), SIGALRM);
	CHECK_EQ(info.si_timerid, abs_id);
	sleep_ms(20);
	CHECK_EQ(read(fd, &ticks, 8), 8);
	CHECK_EQ(ticks, 1);
	CHECK_ERR(read(cancel_fd, &ticks, 8), ECANCELED);
	CHECK_ERR(read(cancel_fd, &ticks, 8), EAGAIN);
	CHECK_OK(timerfd_gettime(cancel_fd, &it));
	CHECK(it.it_value.tv_sec > 80000 && it.it_value.tv_sec < 100000);
	CHECK_OK(syscall(SYS_timer_gettime, rel_id, &it));
	CHECK(it.it_value.tv_sec > 4000 && it.it_value.tv_sec <= 5000);
	shift_clock(-10000);
	/* Set again after one more setting of the clock: told once, and it runs. */
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &it.it_value));
	it.it_value.tv_sec += 100000;
	CHECK_ERR(timerfd_settime(cancel_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &it, NULL),
		  ECANCELED);
	CHECK_OK(timerfd_settime(cancel_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &it, NULL));
}

TEST(setting_back_keeps_an_absolute_timer_waiting)
{
	struct itimerspec it = { .it_value = { 0, 0 } };
	int fd;
	u64 ticks;

	need_machine();
	fd = CHECK_OK(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &it.it_value));
	it.it_value.tv_sec += 1;
	CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &it, NULL));
	shift_clock(-50000);
	sleep_ms(1300);
	CHECK_ERR(read(fd, &ticks, 8), EAGAIN);
	shift_clock(50000);
	sleep_ms(20);
	CHECK_EQ(read(fd, &ticks, 8), 8);
}

TEST(setoffset_steps)
{
	struct timex tx = { .modes = ADJ_SETOFFSET };
	u64 before, after;

	need_machine();
	before = now_ns(CLOCK_REALTIME);
	tx.time.tv_sec = 3000;
	tx.time.tv_usec = 500000;
	CHECK_OK(adjtimex_call(&tx));
	after = now_ns(CLOCK_REALTIME);
	CHECK(after - before >= 3000500 * MS && after - before < 3060500 * MS);
	tx = (struct timex){ .modes = ADJ_SETOFFSET | ADJ_NANO, .time = { -3001, 500000000 } };
	CHECK_OK(adjtimex_call(&tx));
	CHECK(now_ns(CLOCK_REALTIME) - before < 60000 * MS);
	CHECK_OK(adjtimex_call(&(struct timex){ .modes = ADJ_MICRO }));
	tx = (struct timex){ .modes = ADJ_SETOFFSET, .time = { 0, 1000000 } };
	CHECK_ERR(adjtimex_call(&tx), EINVAL);
	tx = (struct timex){ .modes = ADJ_SETOFFSET, .time = { 0, -1 } };
	CHECK_ERR(adjtimex_call(&tx), EINVAL);
}

TEST(tai_offset)
{
	struct timex tx = { .modes = ADJ_TAI, .constant = 37 };
	struct timespec real, tai;

	need_machine();
	CHECK_OK(adjtimex_call(&tx));
	tx = (struct timex){ 0 };
	CHECK_OK(adjtimex_call(&tx));
	CHECK_EQ(tx.tai, 37);
	CHECK_OK(syscall(SYS_clock_gettime, CLOCK_REALTIME, &real));
	CHECK_OK(clock_gettime(CLOCK_TAI, &tai));
	CHECK(tai.tv_sec - real.tv_sec >= 36 && tai.tv_sec - real.tv_sec <= 42);
	tx = (struct timex){ .modes = ADJ_TAI, .constant = -1 };
	CHECK_OK(adjtimex_call(&tx));
	tx = (struct timex){ .modes = ADJ_TAI, .constant = 0 };
	CHECK_OK(adjtimex_call(&tx));
	CHECK_EQ(tx.tai, 0);
}

/* How much faster than the hardware the clock runs, in millionths. */
static double rate_ppm(int ms)
{
	u64 mono = now_ns(CLOCK_MONOTONIC), raw = now_ns(CLOCK_MONOTONIC_RAW), mono2, raw2;

	sleep_ms(ms);
	mono2 = now_ns(CLOCK_MONOTONIC);
	raw2 = now_ns(CLOCK_MONOTONIC_RAW);
	return ((double)(mono2 - mono) / (double)(raw2 - raw) - 1) * 1e6;
}

TEST(tick_changes_the_rate)
{
	struct timex tx = { .modes = ADJ_TICK, .tick = 11000 };
	double fast, slow;

	need_machine();
	CHECK_OK(adjtimex_call(&tx));
	fast = rate_ppm(300);
	tx.tick = 9000;
	CHECK_OK(adjtimex_call(&tx));
	slow = rate_ppm(300);
	tx.tick = 10000;
	CHECK_OK(adjtimex_call(&tx));
	CHECK(fast > 60000 && fast < 140000);
	CHECK(slow < -60000 && slow > -140000);
	tx.tick = 11001;
	CHECK_ERR(adjtimex_call(&tx), EINVAL);
	tx.tick = 8999;
	CHECK_ERR(adjtimex_call(&tx), EINVAL);
}

TEST(frequency_is_kept_and_clamped)
{
	struct timex tx = { .modes = ADJ_FREQUENCY, .freq = 100 << 16 };

	need_machine();
	CHECK_OK(adjtimex_call(&tx));
	tx = (struct timex){ 0 };
	CHECK_OK(adjtimex_call(&tx));
	CHECK(tx.freq >= (100 << 16) - 2 && tx.freq <= (100 << 16) + 2);
	tx = (struct timex){ .modes = ADJ_FREQUENCY, .freq = 600 << 16 };
	CHECK_OK(adjtimex_call(&tx));
	CHECK(tx.freq >= (500 << 16) - 2 && tx.freq <= (500 << 16) + 2);
	tx = (struct timex){ .modes = ADJ_FREQUENCY, .freq = INT64_MAX };
	CHECK_ERR(adjtimex_call(&tx), EINVAL);
	tx = (struct timex){ .modes = ADJ_FREQUENCY, .freq = 0 };
	CHECK_OK(adjtimex_call(&tx));
}

TEST(adjtime_slews)
{
	struct timex tx = { .modes = 0x8001, .offset = 5000 };
	int tries = 0;

	need_machine();
	CHECK_OK(adjtimex_call(&tx));
	do {
		sleep_ms(500);
		tx = (struct timex){ .modes = 0xa001 };
		CHECK_OK(adjtimex_call(&tx));
	} while (tx.offset == 5000 && tries++ < 10);
	CHECK(tx.offset > 0 && tx.offset < 5000);
	tx = (struct timex){ .modes = 0x8001, .offset = 0 };
	CHECK_OK(adjtimex_call(&tx));
	CHECK(tx.offset > 0 && tx.offset < 5000);
	CHECK_ERR(adjtimex_call(&(struct timex){ .modes = 0x8000 }), EINVAL);
}

TEST(refusals)
{
	struct timex tx = { 0 };

	CHECK_ERR(adjtimex_call((void *)8), EFAULT);
	CHECK_ERR(syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, &tx), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_clock_adjtime, CLOCK_TAI, &tx), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_clock_adjtime, 99, &tx), EINVAL);
	CHECK_ERR(syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, 8), EFAULT);
	CHECK_OK(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &tx));
	CHECK_EQ(tx.precision, 1);
	CHECK(tx.tick >= 9000 && tx.tick <= 11000);
	CHECK(tx.time.tv_sec > 1600000000);
	if (geteuid())
		return;
	IN_CHILD {
		become(1000, 1000);
		tx = (struct timex){ .modes = ADJ_FREQUENCY };
		CHECK_ERR(adjtimex_call(&tx), EPERM);
		tx = (struct timex){ .modes = 0x8001, .offset = 1 };
		CHECK_ERR(adjtimex_call(&tx), EPERM);
		tx = (struct timex){ .modes = 0xa001 };
		CHECK_OK(adjtimex_call(&tx));
		tx = (struct timex){ .modes = ADJ_SETOFFSET };
		CHECK_ERR(adjtimex_call(&tx), EPERM);
		CHECK_OK(adjtimex_call(&(struct timex){ 0 }));
	}
}
