/* poll, ppoll, select, pselect: readiness, time-outs, masks, refusals. */
#include "test.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/select.h>

static int rd, wr;

static void setup(void)
{
	int p[2];

	CHECK_OK(pipe(p));
	rd = p[0];
	wr = p[1];
}

static volatile int hits;

static void on_signal(int sig)
{
	(void)sig;
	hits++;
}

static long k_ppoll(struct pollfd *p, unsigned n, struct timespec *ts, const void *mask, size_t size)
{
	return syscall(SYS_ppoll, p, n, ts, mask, size);
}

TEST(timeout_lasts)
{
	struct pollfd p;
	struct timeval tv = { 0, 20000 };
	u64 start;
	fd_set set;

	setup();
	p = (struct pollfd){ rd, POLLIN, 0 };
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_EQ(poll(&p, 1, 20), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20000000);
	FD_ZERO(&set);
	FD_SET(rd, &set);
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_EQ(select(rd + 1, &set, NULL, NULL, &tv), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20000000);
	CHECK(!FD_ISSET(rd, &set));
	CHECK_EQ(poll(NULL, 0, 1), 0);
}

TEST(wakes_on_data)
{
	struct pollfd p;
	fd_set set;

	setup();
	for (int i = 0; i < 2; i++) {
		pid_t self = getpid(), pid = test_fork();
		char c;

		if (pid == 0) {
			wait_state(self, "S");
			CHECK_EQ(write(wr, "x", 1), 1);
			_exit(0);
		}
		p = (struct pollfd){ rd, POLLIN, 0 };
		FD_ZERO(&set);
		FD_SET(rd, &set);
		CHECK_EQ(i ? select(rd + 1, &set, NULL, NULL, NULL) : poll(&p, 1, -1), 1);
		CHECK_EQ(read(rd, &c, 1), 1);
		CHECK_EXITS(pid, 0);
	}
}

TEST(bad_descriptors)
{
	struct pollfd p[3];
	fd_set set;

	setup();
	p[0] = (struct pollfd){ -1, POLLIN, 0x7f };
	p[1] = (struct pollfd){ 500, POLLIN, 0 };
	p[2] = (struct pollfd){ wr, POLLOUT, 0 };
	CHECK_EQ(poll(p, 3, -1), 2);
	CHECK_EQ(p[0].revents, 0);
	CHECK_EQ(p[1].revents, POLLNVAL);
	CHECK_EQ(p[2].revents, POLLOUT);
	FD_ZERO(&set);
	FD_SET(500, &set);
	CHECK_ERR(select(501, &set, NULL, NULL, NULL), EBADF);
	CHECK_ERR(select(-1, NULL, NULL, NULL, NULL), EINVAL);
}

TEST(refusals)
{
	struct timespec bad = { 0, 1000000000 };
	struct timeval badtv = { -1, 0 };
	struct pollfd p = { 1, POLLOUT, 0 };
	u64 mask = 0;

	CHECK_ERR(syscall(SYS_poll, 8, 1, 0), EFAULT);
	CHECK_ERR(k_ppoll(&p, 1, &bad, NULL, 8), EINVAL);
	CHECK_ERR(k_ppoll(&p, 1, NULL, &mask, 4), EINVAL);
	CHECK_ERR(k_ppoll(&p, 1, (void *)8, NULL, 8), EFAULT);
	CHECK_ERR(syscall(SYS_select, 0, NULL, NULL, NULL, &badtv), EINVAL);
	CHECK_ERR(syscall(SYS_select, 1, 8, NULL, NULL, NULL), EFAULT);
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 1000, 1000 }));
	CHECK_ERR(syscall(SYS_poll, &p, 1001, 0), EINVAL);
}

TEST(files_and_devices_are_always_ready)
{
	struct pollfd p[3];

	write_file("f", "");
	p[0] = (struct pollfd){ CHECK_OK(open("f", O_RDWR)), POLLIN | POLLOUT, 0 };
	p[1] = (struct pollfd){ CHECK_OK(open("/dev/null", O_RDWR)), POLLIN | POLLOUT, 0 };
	p[2] = (struct pollfd){ CHECK_OK(open("/dev/zero", O_RDWR)), POLLIN | POLLOUT, 0 };
	CHECK_EQ(poll(p, 3, -1), 3);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(p[i].revents, POLLIN | POLLOUT);
}

TEST(select_sets_and_remaining_time)
{
	struct timeval tv = { 10, 0 };
	fd_set r, w, e;

	setup();
	CHECK_EQ(write(wr, "x", 1), 1);
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&e);
	FD_SET(rd, &r);
	FD_SET(wr, &r);
	FD_SET(wr, &w);
	FD_SET(rd, &e);
	CHECK_EQ(syscall(SYS_select, wr + 1, &r, &w, &e, &tv), 2);
	CHECK(FD_ISSET(rd, &r) && !FD_ISSET(wr, &r) && FD_ISSET(wr, &w) && !FD_ISSET(rd, &e));
	CHECK(tv.tv_sec >= 8 && tv.tv_sec <= 10);
}

TEST(ppoll_swaps_the_mask_atomically)
{
	struct timespec ts = { 10, 0 };
	struct pollfd p;
	sigset_t set;
	u64 none = 0;

	setup();
	signal(SIGUSR1, on_signal);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	p = (struct pollfd){ rd, POLLIN, 0 };
	CHECK_ERR(k_ppoll(&p, 1, &ts, &none, 8), EINTR);
	CHECK_EQ(hits, 1);
	sigprocmask(SIG_BLOCK, NULL, &set);
	CHECK_EQ(sigismember(&set, SIGUSR1), 1);
	raise(SIGUSR1);
	ts = (struct timespec){ 10, 0 };
	CHECK_ERR(pselect(0, NULL, NULL, NULL, &ts, (sigset_t *)&(u64[16]){ 0 }), EINTR);
	CHECK_EQ(hits, 2);
	/* A ready descriptor wins over a signal that would be let through. */
	raise(SIGUSR1);
	CHECK_EQ(write(wr, "x", 1), 1);
	CHECK_EQ(k_ppoll(&p, 1, NULL, &none, 8), 1);
}

TEST(poll_is_interrupted_even_with_sa_restart)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	pid_t self = getpid(), pid;
	struct pollfd p;

	setup();
	CHECK_OK(sigaction(SIGUSR1, &act, NULL));
	pid = test_fork();
	if (pid == 0) {
		wait_state(self, "S");
		kill(self, SIGUSR1);
		_exit(0);
	}
	p = (struct pollfd){ rd, POLLIN, 0 };
	CHECK_ERR(poll(&p, 1, -1), EINTR);
	CHECK_EXITS(pid, 0);
}

TEST(hang_up_is_reported_without_asking)
{
	struct pollfd p;

	setup();
	p = (struct pollfd){ rd, 0, 0 };
	close(wr);
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(p.revents, POLLHUP);
}

TEST(many_descriptors)
{
	enum { N = 300 };
	static struct pollfd p[N];

	setup();
	for (int i = 0; i < N; i++)
		p[i] = (struct pollfd){ CHECK_OK(dup(rd)), POLLIN, 0 };
	CHECK_EQ(poll(p, N, 0), 0);
	CHECK_EQ(write(wr, "x", 1), 1);
	CHECK_EQ(poll(p, N, -1), N);
}
