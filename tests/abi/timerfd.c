/* timerfd: reading, polling, periods, refused values, fdinfo. */
#include "test.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>

#define MS 1000000l
#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, u64)
#endif

static void set(int fd, int flags, u64 first_ns, u64 interval_ns)
{
	struct itimerspec it = {
		.it_value = { first_ns / 1000000000, first_ns % 1000000000 },
		.it_interval = { interval_ns / 1000000000, interval_ns % 1000000000 },
	};

	CHECK_OK(timerfd_settime(fd, flags, &it, NULL));
}

static u64 read_ticks(int fd)
{
	u64 ticks = 0;

	CHECK_EQ(read(fd, &ticks, sizeof(ticks)), sizeof(ticks));
	return ticks;
}

static int readable(int fd, int ms)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return CHECK_OK(poll(&p, 1, ms)) ? p.revents : 0;
}

TEST(one_shot_on_every_clock)
{
	static const clockid_t ids[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME };

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		int fd = CHECK_OK(timerfd_create(ids[i], 0));
		u64 start = now_ns(ids[i]);
		struct itimerspec it;

		set(fd, 0, 20 * MS, 0);
		CHECK_OK(timerfd_gettime(fd, &it));
		CHECK(!it.it_value.tv_sec && it.it_value.tv_nsec <= 20 * MS);
		CHECK_EQ(read_ticks(fd), 1);
		CHECK(now_ns(ids[i]) - start >= 20 * MS);
		CHECK_EQ(readable(fd, 0), 0);
		set(fd, TFD_TIMER_ABSTIME, now_ns(ids[i]) + 10 * MS, 0);
		CHECK_EQ(readable(fd, 10000), POLLIN);
		CHECK_EQ(read_ticks(fd), 1);
		CHECK_OK(timerfd_gettime(fd, &it));
		CHECK(!it.it_value.tv_sec && !it.it_value.tv_nsec);
		close(fd);
	}
}

TEST(periods_add_up)
{
	int fd = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
	struct itimerspec it;
	u64 start, armed, ticks, passed, before;

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(read(fd, &ticks, 8), EAGAIN);
	start = now_ns(CLOCK_MONOTONIC);
	set(fd, 0, 5 * MS, 5 * MS);
	armed = now_ns(CLOCK_MONOTONIC);
	sleep_ms(60);
	before = now_ns(CLOCK_MONOTONIC) - armed;
	ticks = read_ticks(fd);
	passed = now_ns(CLOCK_MONOTONIC) - start;
	CHECK(ticks <= passed / (5 * MS) && ticks + 1 >= before / (5 * MS));
	CHECK_OK(timerfd_gettime(fd, &it));
	CHECK_EQ(it.it_interval.tv_nsec, 5 * MS);
	CHECK(it.it_value.tv_nsec <= 5 * MS);
	CHECK_EQ(readable(fd, 10000), POLLIN);
	/* Setting it drops what was counted. */
	set(fd, 0, 100000 * MS, 0);
	CHECK_ERR(read(fd, &ticks, 8), EAGAIN);
	set(fd, 0, 1, 0);
	CHECK_EQ(readable(fd, 10000), POLLIN);
	set(fd, 0, 0, 0);
	CHECK_EQ(readable(fd, 0), 0);
}

TEST(gettime_of_a_late_reader)
{
	int fd = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, 0));
	struct itimerspec it;

	set(fd, 0, 5 * MS, 20 * MS);
	sleep_ms(100);
	CHECK_OK(timerfd_gettime(fd, &it));
	CHECK(it.it_value.tv_nsec > 0 && it.it_value.tv_nsec <= 20 * MS);
	CHECK(read_ticks(fd) >= 4);
}

TEST(blocking_read_is_woken)
{
	int fd = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, 0));
	pid_t pid = test_fork();

	if (pid == 0) {
		read_ticks(fd);
		_exit(0);
	}
	wait_state(pid, "S");
	set(fd, 0, 1 * MS, 0);
	CHECK_EXITS(pid, 0);
}

TEST(bad_arguments)
{
	struct itimerspec it = { .it_value = { 1, 0 } };
	int fd, pipes[2];
	u64 ticks = 0;

	CHECK_ERR(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
	CHECK_ERR(timerfd_create(CLOCK_TAI, 0), EINVAL);
	CHECK_ERR(timerfd_create(CLOCK_MONOTONIC_RAW, 0), EINVAL);
	CHECK_ERR(timerfd_create(99, 0), EINVAL);
	CHECK_ERR(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
	fd = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	CHECK_OK(pipe(pipes));
	CHECK_ERR(timerfd_settime(-1, 0, &it, NULL), EBADF);
	CHECK_ERR(timerfd_settime(pipes[0], 0, &it, NULL), EINVAL);
	CHECK_ERR(timerfd_gettime(pipes[0], &it), EINVAL);
	CHECK_ERR(timerfd_gettime(-1, &it), EBADF);
	CHECK_ERR(syscall(SYS_timerfd_settime, fd, 0, 8, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_timerfd_settime, fd, 0, &it, 8), EFAULT);
	CHECK_ERR(syscall(SYS_timerfd_gettime, fd, 8), EFAULT);
	CHECK_ERR(timerfd_settime(fd, 4, &it, NULL), EINVAL);
	it.it_value.tv_nsec = 1000000000;
	CHECK_ERR(timerfd_settime(fd, 0, &it, NULL), EINVAL);
	it.it_value = (struct timespec){ 0, 1 };
	it.it_interval = (struct timespec){ -1, 0 };
	CHECK_ERR(timerfd_settime(fd, 0, &it, NULL), EINVAL);
	CHECK_ERR(read(fd, &ticks, 7), EINVAL);
	CHECK_ERR(write(fd, &ticks, 8), EINVAL);
	CHECK_EQ(lseek(fd, 5, SEEK_SET), 0);
	CHECK_ERR(pread(fd, &ticks, 8, 0), ESPIPE);
	CHECK_ERR(ioctl(fd, 0x12345, &ticks), ENOTTY);
	set(fd, 0, 1, 0);
	CHECK_EQ(readable(fd, 10000), POLLIN);
	CHECK_ERR(syscall(SYS_read, fd, 8, 8), EFAULT);
}

TEST(set_ticks)
{
	int fd = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	u64 ticks = 0;

	if (ioctl(fd, TFD_IOC_SET_TICKS, &ticks) == -1 && errno == ENOTTY)
		SKIP("a kernel without CHECKPOINT_RESTORE");
	CHECK_ERR(ioctl(fd, TFD_IOC_SET_TICKS, &ticks), EINVAL);
	CHECK_ERR(ioctl(fd, TFD_IOC_SET_TICKS, (void *)8), EFAULT);
	ticks = 1ull << 40;
	CHECK_OK(ioctl(fd, TFD_IOC_SET_TICKS, &ticks));
	CHECK_EQ(readable(fd, 0), POLLIN);
	CHECK_EQ(read_ticks(fd), 1ull << 40);
}

TEST(fdinfo_tells_the_setting)
{
	int fd = CHECK_OK(timerfd_create(CLOCK_BOOTTIME, 0));
	char path[64], text[1024];
	const char *at;
	long long sec, nsec;

	set(fd, 0, 5000000 * MS, 7 * MS);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	read_file(path, text, sizeof(text));
	CHECK(strstr(text, "\nclockid: 7\nticks: 0\nsettime flags: 00\nit_value: ("));
	CHECK(strstr(text, "\nit_interval: (0, 7000000)\n"));
	at = strstr(text, "it_value: (");
	CHECK_EQ(sscanf(at, "it_value: (%lld, %lld)", &sec, &nsec), 2);
	CHECK(sec > 4000 && sec <= 5000);
}

TEST(dup_and_fork_share_it)
{
	int fd = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, 0)), two = CHECK_OK(dup(fd));

	set(fd, 0, 10 * MS, 0);
	close(fd);
	IN_CHILD
		CHECK_EQ(read_ticks(two), 1);
	CHECK_EQ(readable(two, 0), 0);
}
