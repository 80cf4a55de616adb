/* File leases: who may have one, who breaks it, how its holder is told, and when time is up. */
#include "test.h"

static void block(int sig)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	CHECK_OK(sigprocmask(SIG_BLOCK, &s, NULL));
}

static bool take(int sig, siginfo_t *info, int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	return sigtimedwait(&s, info, &t) == sig;
}

static int make(const char *name, int flags)
{
	CHECK_OK(close((int)CHECK_OK(open(name, O_CREAT | O_RDWR, 0644))));
	return (int)CHECK_OK(open(name, flags));
}

/* In a child: opens, gives the errno back and tells how long it took. */
static pid_t opener(const char *name, int flags, int want_errno, int min_ms, int max_ms)
{
	pid_t pid = test_fork();

	if (pid == 0) {
		u64 start = now_ns(CLOCK_MONOTONIC);
		int fd, ms;

		errno = 0;
		fd = open(name, flags);
		ms = (int)((now_ns(CLOCK_MONOTONIC) - start) / 1000000);
		CHECK_EQ(fd < 0 ? errno : 0, want_errno);
		CHECK(ms >= min_ms && ms <= max_ms);
		_exit(0);
	}
	return pid;
}

TEST(lease_is_granted_and_reported)
{
	int fd = make("f", O_RDONLY);

	CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
	CHECK_ERR(fcntl(fd, F_SETLEASE, F_UNLCK), EAGAIN);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_WRLCK);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
	CHECK_ERR(fcntl(fd, F_SETLEASE, F_UNLCK), EAGAIN);
}

TEST(lease_needs_the_right_file)
{
	int fd = make("f", O_RDWR), ro = (int)CHECK_OK(open("f", O_RDONLY)), p[2];

	CHECK_ERR(fcntl(fd, F_SETLEASE, 3), EINVAL);
	CHECK_ERR(fcntl(fd, F_SETLEASE, -1), EINVAL);
	CHECK_ERR(fcntl(-1, F_SETLEASE, F_RDLCK), EBADF);
	/* Open for writing, even by itself: no shared lease. */
	CHECK_ERR(fcntl(fd, F_SETLEASE, F_RDLCK), EAGAIN);
	CHECK_ERR(fcntl(ro, F_SETLEASE, F_RDLCK), EAGAIN);
	/* Open twice: no exclusive one. */
	CHECK_ERR(fcntl(fd, F_SETLEASE, F_WRLCK), EAGAIN);
	close(ro);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	close(fd);
	CHECK_OK(pipe(p));
	CHECK_ERR(fcntl(p[0], F_SETLEASE, F_RDLCK), EINVAL);
	CHECK_EQ(fcntl(p[0], F_GETLEASE), F_UNLCK);
	fd = (int)CHECK_OK(open(".", O_RDONLY));
	CHECK_ERR(fcntl(fd, F_SETLEASE, F_RDLCK), EINVAL);
}

TEST(lease_of_anothers_file_needs_capability)
{
	int fd = make("f", O_RDONLY);

	if (geteuid())
		SKIP("needs root");
	IN_CHILD {
		CHECK_OK(setuid(1000));
		CHECK_ERR(fcntl(fd, F_SETLEASE, F_RDLCK), EACCES);
		CHECK_ERR(fcntl(fd, F_SETLEASE, F_UNLCK), EACCES);
		_exit(0);
	}
}

TEST(shared_leases_stand_beside_each_other)
{
	int a = make("f", O_RDONLY), b = (int)CHECK_OK(open("f", O_RDONLY)), c;

	block(SIGIO);
	CHECK_OK(fcntl(a, F_SETLEASE, F_RDLCK));
	CHECK_OK(fcntl(b, F_SETLEASE, F_RDLCK));
	CHECK_ERR(fcntl(a, F_SETLEASE, F_WRLCK), EAGAIN);
	c = (int)CHECK_OK(open("f", O_RDONLY)); /* reading disturbs nobody */
	CHECK_ERR(open("f", O_WRONLY | O_NONBLOCK), EWOULDBLOCK);
	close(c);
}

TEST(lease_goes_with_the_open_file)
{
	int fd = make("f", O_RDONLY), copy = (int)CHECK_OK(dup(fd));

	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	CHECK_EQ(fcntl(copy, F_GETLEASE), F_RDLCK);
	close(fd);
	CHECK_EQ(fcntl(copy, F_GETLEASE), F_RDLCK);
	close(copy);
	CHECK_OK(open("f", O_WRONLY | O_NONBLOCK));
}

TEST(breaking_tells_the_holder)
{
	siginfo_t info;
	int fd = make("f", O_RDONLY);

	block(SIGIO);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	CHECK_EQ(fcntl(fd, F_GETOWN), getpid());
	CHECK_ERR(open("f", O_WRONLY | O_NONBLOCK), EWOULDBLOCK);
	CHECK(take(SIGIO, &info, 1000));
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK); /* what is asked of him */
	CHECK_ERR(open("f", O_RDWR | O_NONBLOCK), EWOULDBLOCK);
	CHECK(!take(SIGIO, &info, 0)); /* once is enough */
	CHECK_ERR(fcntl((int)CHECK_OK(open("f", O_RDONLY)), F_SETLEASE, F_RDLCK), EAGAIN);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	CHECK_EQ(fcntl(fd, F_GETOWN), 0);
	CHECK_OK(open("f", O_WRONLY | O_NONBLOCK));
}

TEST(breaking_with_a_chosen_signal)
{
	const int sig = SIGRTMIN + 1;
	siginfo_t info;
	int fd = make("f", O_RDONLY);

	block(sig);
	CHECK_OK(fcntl(fd, F_SETSIG, sig));
	CHECK_OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	CHECK_ERR(open("f", O_RDONLY | O_NONBLOCK), EWOULDBLOCK);
	CHECK(take(sig, &info, 1000));
	CHECK_EQ(info.si_fd, fd);
	CHECK_EQ(info.si_code, POLL_MSG);
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
	/* Turned down is enough for a reader. */
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	CHECK_OK(open("f", O_RDONLY | O_NONBLOCK));
	CHECK_ERR(open("f", O_WRONLY | O_NONBLOCK), EWOULDBLOCK);
}

TEST(opener_waits_for_the_holder)
{
	siginfo_t info;
	int fd = make("f", O_RDONLY);
	pid_t pid;

	block(SIGIO);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	pid = opener("f", O_RDWR, 0, 150, 5000);
	CHECK(take(SIGIO, &info, 5000));
	sleep_ms(250);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	CHECK_EXITS(pid, 0);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	pid = opener("f", O_RDONLY, 0, 0, 5000);
	CHECK_EXITS(pid, 0);
	pid = opener("f", O_WRONLY | O_TRUNC, 0, 150, 5000);
	CHECK(take(SIGIO, &info, 5000));
	sleep_ms(250);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	CHECK_EXITS(pid, 0);
}

TEST(truncation_breaks_a_lease)
{
	siginfo_t info;
	int fd = make("f", O_RDONLY);
	pid_t pid;

	block(SIGIO);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	pid = test_fork();
	if (pid == 0) {
		CHECK_OK(truncate("f", 10));
		_exit(0);
	}
	CHECK(take(SIGIO, &info, 5000));
	CHECK_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	CHECK_EXITS(pid, 0);
	/* What does not open the file does not break it. */
	CHECK_OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	CHECK_OK(chmod("f", 0600));
	CHECK_OK(close((int)CHECK_OK(open("f", O_PATH))));
	CHECK_OK(rename("f", "g"));
	CHECK_OK(unlink("g"));
	CHECK(!take(SIGIO, &info, 0));
}

static void on_signal(int sig)
{
	(void)sig;
}

TEST(waiting_opener_can_be_interrupted)
{
	int fd = make("f", O_RDONLY);
	struct sigaction act = { .sa_handler = on_signal };
	pid_t pid;

	signal(SIGIO, SIG_IGN);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	pid = test_fork();
	if (pid == 0) {
		CHECK_OK(sigaction(SIGUSR1, &act, NULL));
		CHECK_ERR(open("f", O_WRONLY), EINTR);
		_exit(0);
	}
	wait_state(pid, "SD");
	sleep_ms(50);
	CHECK_OK(kill(pid, SIGUSR1));
	CHECK_EXITS(pid, 0);
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK); /* it stays asked for */
}

TEST(lease_ends_when_time_is_up)
{
	siginfo_t info;
	int fd, s;
	pid_t pid;

	if (geteuid() || !getenv("TEST_VM"))
		SKIP("changes a setting of the whole system: only in a virtual machine");
	block(SIGIO);
	s = (int)CHECK_OK(open("/proc/sys/fs/lease-break-time", O_WRONLY));
	CHECK_EQ(write(s, "1", 1), 1);
	fd = make("f", O_RDONLY);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	pid = opener("f", O_RDONLY, 0, 800, 10000);
	CHECK_EXITS(pid, 0);
	CHECK(take(SIGIO, &info, 0));
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK); /* turned down */
	pid = opener("f", O_WRONLY, 0, 800, 10000);
	CHECK_EXITS(pid, 0);
	CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
	CHECK_ERR(fcntl(fd, F_SETLEASE, F_UNLCK), EAGAIN);
	CHECK_EQ(pwrite(s, "45", 2, 0), 2);
}

TEST(leases_can_be_turned_off)
{
	int fd, s;

	if (geteuid() || !getenv("TEST_VM"))
		SKIP("changes a setting of the whole system: only in a virtual machine");
	s = (int)CHECK_OK(open("/proc/sys/fs/leases-enable", O_WRONLY));
	CHECK_EQ(write(s, "0", 1), 1);
	fd = make("f", O_RDONLY);
	CHECK_ERR(fcntl(fd, F_SETLEASE, F_RDLCK), EINVAL);
	CHECK_EQ(pwrite(s, "1", 1, 0), 1);
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
}

/* Nobody gets an exclusive lease while another process opens and closes the file, or both are told. */
TEST_LIMIT(grant_and_open_see_each_other, 60)
{
	int fd = make("f", O_RDONLY), granted = 0;
	pid_t pid;

	signal(SIGIO, SIG_IGN);
	pid = test_fork();
	if (pid == 0) {
		for (;;) {
			int w = open("f", O_RDWR | O_NONBLOCK);

			if (w >= 0) {
				/* While it is open nobody holds an exclusive lease. */
				CHECK_EQ(write(w, "x", 1), 1);
				close(w);
			} else {
				CHECK_EQ(errno, EWOULDBLOCK);
			}
		}
	}
	/* On a busy host the file may be open all the while. */
	for (int i = 0; i < SCALE(3000, 100000) || !granted; i++) {
		if (fcntl(fd, F_SETLEASE, F_WRLCK)) {
			CHECK_EQ(errno, EAGAIN);
			continue;
		}
		granted++;
		CHECK_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	}
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}
