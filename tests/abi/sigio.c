/*
 * Signal-driven I/O: O_ASYNC and FIOASYNC, owners (F_SETOWN, F_SETOWN_EX), F_SETSIG, on pipes,
 * FIFOs and pseudo-terminals; and what files that cannot do it answer.
 */
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "test.h"

#define RT (SIGRTMIN + 3)

static void block(int sig)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	CHECK_OK(sigprocmask(SIG_BLOCK, &s, NULL));
}

/* The pending signal sig is taken; false: none comes within the time. */
static bool take(int sig, siginfo_t *info, int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	return sigtimedwait(&s, info, &t) == sig;
}

static void set_async(int fd, bool on)
{
	int flags = (int)CHECK_OK(fcntl(fd, F_GETFL));

	CHECK_OK(fcntl(fd, F_SETFL, on ? flags | O_ASYNC : flags & ~O_ASYNC));
	CHECK_EQ(!(fcntl(fd, F_GETFL) & O_ASYNC), !on);
}

TEST(sigio_tells_a_pipes_reader)
{
	siginfo_t info;
	int p[2];

	block(SIGIO);
	CHECK_OK(pipe(p));
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK(!take(SIGIO, &info, 0)); /* nobody asked */
	CHECK_OK(fcntl(p[0], F_SETOWN, getpid()));
	set_async(p[0], true);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK(take(SIGIO, &info, 1000));
	CHECK_EQ(info.si_code, SI_KERNEL);
	CHECK(!take(SIGIO, &info, 0));
	set_async(p[0], false);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK(!take(SIGIO, &info, 0));
}

TEST(sigio_without_owner_goes_to_nobody)
{
	siginfo_t info;
	int p[2];

	block(SIGIO);
	CHECK_OK(pipe(p));
	set_async(p[0], true);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK(!take(SIGIO, &info, 50));
	CHECK_EQ(fcntl(p[0], F_GETOWN), 0);
}

TEST(setsig_carries_descriptor_and_band)
{
	siginfo_t info;
	char c;
	int p[2];

	block(RT);
	block(SIGCHLD);
	CHECK_OK(pipe(p));
	CHECK_OK(fcntl(p[0], F_SETOWN, getpid()));
	CHECK_OK(fcntl(p[1], F_SETOWN, getpid()));
	CHECK_OK(fcntl(p[0], F_SETSIG, RT));
	CHECK_OK(fcntl(p[1], F_SETSIG, SIGCHLD));
	CHECK_EQ(fcntl(p[0], F_GETSIG), RT);
	CHECK_ERR(fcntl(p[0], F_SETSIG, 65), EINVAL);
	CHECK_ERR(fcntl(p[0], F_SETSIG, -1), EINVAL);
	set_async(p[0], true);
	set_async(p[1], true);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK(take(RT, &info, 1000));
	CHECK_EQ(info.si_code, POLL_IN);
	CHECK_EQ(info.si_fd, p[0]);
	CHECK_EQ(info.si_band, POLLIN | POLLRDNORM);
	CHECK_EQ(read(p[0], &c, 1), 1);
	/* A signal with si_code values of its own gets SI_SIGIO. */
	CHECK(take(SIGCHLD, &info, 1000));
	CHECK_EQ(info.si_code, SI_SIGIO);
	CHECK_EQ(info.si_fd, p[1]);
	CHECK_OK(fcntl(p[0], F_SETSIG, 0));
	CHECK_EQ(fcntl(p[0], F_GETSIG), 0);
}

TEST(sigio_tells_of_the_other_end_closing)
{
	siginfo_t info;
	int p[2];

	block(SIGIO);
	CHECK_OK(pipe(p));
	CHECK_OK(fcntl(p[0], F_SETOWN, getpid()));
	set_async(p[0], true);
	close(p[1]);
	CHECK(take(SIGIO, &info, 1000));
}

TEST(sigio_ends_with_the_file)
{
	siginfo_t info;
	int p[2], q;

	block(SIGIO);
	CHECK_OK(pipe(p));
	CHECK_OK(fcntl(p[0], F_SETOWN, getpid()));
	set_async(p[0], true);
	q = (int)CHECK_OK(dup(p[0]));
	close(p[0]);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK(take(SIGIO, &info, 1000)); /* the open file is still there */
	close(q);
	while (take(SIGIO, &info, 0))
		;
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(p[1], "x", 1), EPIPE);
	CHECK(!take(SIGIO, &info, 50));
}

TEST(sigio_reaches_a_group)
{
	siginfo_t info;
	int p[2], ready[2];
	pid_t pid;
	char c;

	CHECK_OK(pipe(p));
	CHECK_OK(pipe(ready));
	block(SIGIO);
	pid = test_fork();
	if (pid == 0) {
		CHECK_EQ(write(ready[1], "r", 1), 1);
		_exit(!take(SIGIO, &info, 5000));
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	CHECK_OK(fcntl(p[0], F_SETOWN, -getpgrp()));
	CHECK_EQ(fcntl(p[0], F_GETOWN), -getpgrp());
	set_async(p[0], true);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK(take(SIGIO, &info, 1000));
	CHECK_EXITS(pid, 0);
}

TEST(sigio_owner_kinds)
{
	struct f_owner_ex o = { F_OWNER_TID, 0 };
	int p[2];
	pid_t pid;

	CHECK_OK(pipe(p));
	CHECK_OK(fcntl(p[0], F_GETOWN_EX, &o));
	CHECK_EQ(o.pid, 0);
	o.type = F_OWNER_PGRP;
	o.pid = getpgrp();
	CHECK_OK(fcntl(p[0], F_SETOWN_EX, &o));
	CHECK_EQ(fcntl(p[0], F_GETOWN), -getpgrp());
	o.type = F_OWNER_TID;
	o.pid = (int)syscall(SYS_gettid);
	CHECK_OK(fcntl(p[0], F_SETOWN_EX, &o));
	o = (struct f_owner_ex){ 9, 9 };
	CHECK_OK(fcntl(p[0], F_GETOWN_EX, &o));
	CHECK_EQ(o.type, F_OWNER_TID);
	CHECK_EQ(o.pid, (int)syscall(SYS_gettid));
	o.type = 3;
	CHECK_ERR(fcntl(p[0], F_SETOWN_EX, &o), EINVAL);
	CHECK_ERR(fcntl(p[0], F_SETOWN_EX, (void *)8), EFAULT);
	CHECK_ERR(fcntl(p[0], F_SETOWN, 0x7ffffff0), ESRCH);
	CHECK_ERR(fcntl(p[0], F_SETOWN, (int)0x80000000), EINVAL);
	/* An owner that is gone is nobody. */
	pid = test_fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	CHECK_OK(fcntl(p[0], F_SETOWN, pid));
	CHECK_EQ(fcntl(p[0], F_GETOWN), pid);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
	CHECK_EQ(fcntl(p[0], F_GETOWN), 0);
	CHECK_OK(fcntl(p[0], F_SETOWN, 0));
}

/* The signal goes in the name of who set the owner: a user cannot signal root's processes so. */
TEST(sigio_is_sent_in_the_setters_name)
{
	int p[2], ready[2];
	siginfo_t info;
	pid_t pid;
	char c;

	if (geteuid())
		SKIP("needs root");
	CHECK_OK(pipe(p));
	CHECK_OK(pipe(ready));
	block(SIGIO);
	pid = test_fork();
	if (pid == 0) {
		CHECK_OK(setuid(1000));
		CHECK_OK(fcntl(p[0], F_SETOWN, getppid()));
		set_async(p[0], true);
		CHECK_EQ(write(ready[1], "r", 1), 1);
		_exit(0);
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	CHECK_EXITS(pid, 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK(!take(SIGIO, &info, 100));
	CHECK_OK(fcntl(p[0], F_SETOWN, getpid()));
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK(take(SIGIO, &info, 1000));
}

TEST(fioasync_is_the_same_flag)
{
	siginfo_t info;
	int p[2], on = 1, off = 0, fd;

	block(SIGIO);
	CHECK_OK(pipe(p));
	CHECK_OK(fcntl(p[0], F_SETOWN, getpid()));
	CHECK_OK(ioctl(p[0], FIOASYNC, &on));
	CHECK(fcntl(p[0], F_GETFL) & O_ASYNC);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK(take(SIGIO, &info, 1000));
	CHECK_OK(ioctl(p[0], FIOASYNC, &off));
	CHECK(!(fcntl(p[0], F_GETFL) & O_ASYNC));
	CHECK_ERR(ioctl(p[0], FIOASYNC, (void *)8), EFAULT);
	/* A regular file refuses the ioctl, and fcntl has no effect. */
	fd = (int)CHECK_OK(open("f", O_CREAT | O_RDWR, 0600));
	CHECK_ERR(ioctl(fd, FIOASYNC, &on), ENOTTY);
	CHECK_OK(ioctl(fd, FIOASYNC, &off));
	CHECK_OK(fcntl(fd, F_SETFL, O_ASYNC));
	CHECK(!(fcntl(fd, F_GETFL) & O_ASYNC));
}

/* When the queue is full of the chosen signal, SIGIO without details comes instead. */
TEST(sigio_when_the_queue_is_full)
{
	siginfo_t info;
	int p[2];

	block(SIGIO);
	block(RT);
	CHECK_OK(pipe(p));
	CHECK_OK(fcntl(p[0], F_SETOWN, getpid()));
	CHECK_OK(fcntl(p[0], F_SETSIG, RT));
	set_async(p[0], true);
	for (int i = 0; i < 100000; i++)
		if (sigqueue(getpid(), RT, (union sigval){ 0 }))
			break;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK(take(SIGIO, &info, 1000));
	CHECK_EQ(info.si_code, SI_KERNEL);
}

TEST(sigio_of_a_terminal)
{
	struct termios t;
	siginfo_t info;
	int master, slave;
	char c;

	block(SIGIO);
	CHECK_OK(openpty(&master, &slave, NULL, NULL, NULL));
	CHECK_OK(tcgetattr(slave, &t));
	cfmakeraw(&t);
	CHECK_OK(tcsetattr(slave, TCSANOW, &t));
	set_async(slave, true); /* the owner comes by itself */
	CHECK(fcntl(slave, F_GETOWN) != 0);
	CHECK_EQ(write(master, "x", 1), 1);
	CHECK(take(SIGIO, &info, 1000));
	CHECK_EQ(read(slave, &c, 1), 1);
	set_async(slave, false);
	set_async(master, true);
	CHECK_EQ(write(slave, "x", 1), 1);
	CHECK(take(SIGIO, &info, 1000));
	CHECK_EQ(read(master, &c, 1), 1);
}
