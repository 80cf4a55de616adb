/* signalfd: whose signals, which fields, waking, masks, refusals. */
#include "test.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

typedef struct signalfd_siginfo info_t;

static void block_all(void)
{
	sigset_t set;

	sigfillset(&set);
	CHECK_OK(sigprocmask(SIG_SETMASK, &set, NULL));
}

static u64 bit(int sig)
{
	return 1ull << (sig - 1);
}

static int make(int fd, u64 mask, int flags)
{
	return (int)syscall(SYS_signalfd4, fd, &mask, 8, flags);
}

static int ready(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };

	CHECK_OK(poll(&p, 1, 0));
	return p.revents;
}

static void take(int fd, info_t *info)
{
	memset(info, 0x5a, sizeof(*info));
	CHECK_EQ(read(fd, info, sizeof(*info)), sizeof(*info));
}

TEST(kill_fields)
{
	info_t info, want = { 0 };
	int fd;

	block_all();
	fd = CHECK_OK(make(-1, bit(SIGUSR1), SFD_NONBLOCK));
	CHECK_EQ(ready(fd), 0);
	CHECK_ERR(read(fd, &info, sizeof(info)), EAGAIN);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(ready(fd), POLLIN);
	take(fd, &info);
	want.ssi_signo = SIGUSR1;
	want.ssi_code = SI_USER;
	want.ssi_pid = getpid();
	want.ssi_uid = getuid();
	CHECK(!memcmp(&info, &want, sizeof(want)));
	CHECK_EQ(ready(fd), 0);
	CHECK_ERR(read(fd, &info, sizeof(info)), EAGAIN);
}

TEST(queue_fields)
{
	info_t info, want = { 0 };
	union sigval v = { .sival_ptr = (void *)0x1122334455667788 };
	int fd;

	block_all();
	fd = CHECK_OK(make(-1, bit(SIGRTMIN + 1), 0));
	CHECK_OK(sigqueue(getpid(), SIGRTMIN + 1, v));
	take(fd, &info);
	want.ssi_signo = SIGRTMIN + 1;
	want.ssi_code = SI_QUEUE;
	want.ssi_pid = getpid();
	want.ssi_uid = getuid();
	want.ssi_ptr = 0x1122334455667788;
	want.ssi_int = 0x55667788;
	CHECK(!memcmp(&info, &want, sizeof(want)));
}

TEST(child_fields)
{
	info_t info;
	pid_t pid;
	int fd;

	block_all();
	fd = CHECK_OK(make(-1, bit(SIGCHLD), 0));
	pid = fork();
	if (pid == 0)
		_exit(7);
	take(fd, &info);
	CHECK_EQ(info.ssi_signo, SIGCHLD);
	CHECK_EQ(info.ssi_code, CLD_EXITED);
	CHECK_EQ(info.ssi_pid, pid);
	CHECK_EQ(info.ssi_uid, getuid());
	CHECK_EQ(info.ssi_status, 7);
	CHECK_EQ(info.ssi_ptr, 0);
	CHECK_EXITS(pid, 7);
}

TEST(fault_fields)
{
	siginfo_t si = { .si_signo = SIGSEGV, .si_code = SI_QUEUE };
	info_t info;
	int fd;

	block_all();
	fd = CHECK_OK(make(-1, bit(SIGSEGV) | bit(SIGALRM), 0));
	CHECK_OK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGSEGV, &si));
	take(fd, &info);
	CHECK_EQ(info.ssi_signo, SIGSEGV);
	CHECK_EQ(info.ssi_addr, 0);
	alarm(1);
	take(fd, &info);
	CHECK_EQ(info.ssi_signo, SIGALRM);
	CHECK_EQ(info.ssi_code, SI_KERNEL);
}

TEST(several_in_one_read)
{
	union sigval v = { .sival_int = 0 };
	info_t info[4];
	int fd;

	block_all();
	fd = CHECK_OK(make(-1, bit(SIGRTMIN) | bit(SIGUSR2), 0));
	for (v.sival_int = 1; v.sival_int < 4; v.sival_int++)
		CHECK_OK(sigqueue(getpid(), SIGRTMIN, v));
	CHECK_OK(raise(SIGUSR2));
	CHECK_OK(raise(SIGUSR1)); /* not ours */
	CHECK_EQ(read(fd, info, 3 * sizeof(*info) - 1), 2 * sizeof(*info));
	CHECK_EQ(info[0].ssi_signo, SIGUSR2);
	CHECK_EQ(info[1].ssi_int, 1);
	CHECK_EQ(read(fd, info, sizeof(info)), 2 * sizeof(*info));
	CHECK_EQ(info[0].ssi_int, 2);
	CHECK_EQ(info[1].ssi_int, 3);
}

static void send_later(pid_t to, int sig)
{
	if (test_fork() == 0) {
		wait_state(to, "S");
		CHECK_OK(kill(to, sig));
		_exit(0);
	}
}

TEST(read_and_polls_wake)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int fd, ep = CHECK_OK(epoll_create1(0));
	struct pollfd p;
	info_t info;

	block_all();
	fd = CHECK_OK(make(-1, bit(SIGUSR1), 0));
	send_later(getpid(), SIGUSR1);
	take(fd, &info);
	p = (struct pollfd){ fd, POLLIN, 0 };
	send_later(getpid(), SIGUSR1);
	CHECK_EQ(poll(&p, 1, -1), 1);
	take(fd, &info);
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	send_later(getpid(), SIGUSR1);
	CHECK_EQ(epoll_wait(ep, &ev, 1, -1), 1);
	CHECK_EQ(ev.events, EPOLLIN);
	take(fd, &info);
	CHECK_EQ(epoll_wait(ep, &ev, 1, 0), 0);
}

TEST(mask_can_be_changed)
{
	info_t info;
	int fd;

	block_all();
	fd = CHECK_OK(make(-1, bit(SIGUSR1), SFD_NONBLOCK | SFD_CLOEXEC));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_OK(raise(SIGUSR2));
	CHECK_EQ(ready(fd), 0);
	CHECK_EQ(make(fd, bit(SIGUSR2), 0), fd);
	CHECK_EQ(ready(fd), POLLIN);
	take(fd, &info);
	CHECK_EQ(info.ssi_signo, SIGUSR2);
}

TEST(reader_gets_its_own_signals)
{
	info_t info;
	int fd;

	block_all();
	fd = CHECK_OK(make(-1, bit(SIGUSR1), SFD_NONBLOCK));
	CHECK_OK(raise(SIGUSR1));
	IN_CHILD {
		CHECK_EQ(ready(fd), 0);
		CHECK_ERR(read(fd, &info, sizeof(info)), EAGAIN);
		CHECK_OK(kill(getpid(), SIGUSR1));
		CHECK_EQ(ready(fd), POLLIN);
		take(fd, &info);
		CHECK_EQ(info.ssi_pid, getpid());
	}
	take(fd, &info);
	CHECK_EQ(info.ssi_pid, getpid());
}

static void *other_thread(void *arg)
{
	int fd = *(int *)arg;
	info_t info;

	/* The main thread's own signal is not seen; the process's is. */
	CHECK_ERR(read(fd, &info, sizeof(info)), EAGAIN);
	CHECK_OK(kill(getpid(), SIGUSR1));
	take(fd, &info);
	return NULL;
}

TEST(threads_have_own_queues)
{
	pthread_t t;
	info_t info;
	int fd;

	block_all();
	fd = CHECK_OK(make(-1, bit(SIGUSR1), SFD_NONBLOCK));
	CHECK_OK(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1));
	CHECK_EQ(pthread_create(&t, NULL, other_thread, &fd), 0);
	pthread_join(t, NULL);
	take(fd, &info);
	CHECK_EQ(info.ssi_code, SI_TKILL);
}

/* The adder of an epoll item ends; the item stays and must not harm. */
TEST(epoll_item_outlives_its_maker)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int fd, ep = CHECK_OK(epoll_create1(0));

	block_all();
	fd = CHECK_OK(make(-1, bit(SIGUSR1), SFD_NONBLOCK));
	for (int i = 0; i < 20; i++) {
		IN_CHILD {
			int copy = CHECK_OK(dup(fd));

			CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, copy, &ev));
			CHECK_OK(epoll_ctl(ep, EPOLL_CTL_DEL, copy, &ev));
			if (i == 19)
				CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, copy, &ev));
		}
	}
	CHECK_OK(raise(SIGUSR1));
	CHECK_OK(epoll_wait(ep, &ev, 1, 0));
	CHECK_OK(close(fd));
	CHECK_EQ(epoll_wait(ep, &ev, 1, 0), 0);
}

TEST(refusals)
{
	info_t info;
	int fd, null = CHECK_OK(open("/dev/null", O_RDWR));
	u64 mask = 0;

	block_all();
	fd = CHECK_OK(make(-1, ~0ull, 0));
	CHECK_ERR(make(-1, 0, 1), EINVAL);
	CHECK_ERR(make(-2, 0, 0), EBADF);
	CHECK_ERR(make(null, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_signalfd4, -1, &mask, 4, 0), EINVAL);
	CHECK_ERR(syscall(SYS_signalfd4, -1, 8, 8, 1), EFAULT);
	CHECK_ERR(syscall(SYS_signalfd, -1, &mask, 16), EINVAL);
	CHECK_OK(syscall(SYS_signalfd, -1, &mask, 8));
	CHECK_ERR(read(fd, &info, sizeof(info) - 1), EINVAL);
	CHECK_ERR(write(fd, &info, sizeof(info)), EINVAL);
	CHECK_OK(raise(SIGUSR1));
	CHECK_ERR(syscall(SYS_read, fd, 8, 128), EFAULT);
}

TEST(fdinfo_shows_the_mask)
{
	char path[64], text[512];
	int fd;

	fd = CHECK_OK(make(-1, bit(SIGUSR1) | bit(SIGKILL), 0));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	read_file(path, text, sizeof(text));
	CHECK(strstr(text, "sigmask:\t0000000000000200\n"));
}
