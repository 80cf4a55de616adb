/* Descriptors for processes, and the calls that take them; kcmp. */
#include "test.h"

#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sys/uio.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int pidfd_open(pid_t pid, u32 flags)
{
	return (int)syscall(434, pid, flags);
}

static long pidfd_send(int fd, int sig, siginfo_t *info, u32 flags)
{
	return syscall(424, fd, sig, info, flags);
}

static long pidfd_getfd(int fd, int target, u32 flags)
{
	return syscall(438, fd, target, flags);
}

static pid_t child_pausing(void)
{
	pid_t pid = test_fork();

	if (!pid)
		for (;;)
			pause();
	return pid;
}

TEST(open_refusals)
{
	CHECK_ERR(pidfd_open(0, 0), EINVAL);
	CHECK_ERR(pidfd_open(-1, 0), EINVAL);
	CHECK_ERR(pidfd_open(getpid(), 1), EINVAL);
	CHECK_ERR(pidfd_open(0x3ffffff0, 0), ESRCH);
}

static bool readable(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return CHECK_OK(poll(&p, 1, 0)) == 1 && (p.revents & POLLIN);
}

TEST(poll_tells_of_the_end)
{
	pid_t pid = child_pausing();
	int fd = (int)CHECK_OK(pidfd_open(pid, 0));
	struct pollfd p = { fd, POLLIN, 0 };

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK(!readable(fd));
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(poll(&p, 1, 5000), 1);
	CHECK_EQ(p.revents, POLLIN);
	CHECK_KILLED(pid, SIGKILL);
	CHECK(readable(fd));
	CHECK_ERR(pidfd_send(fd, 0, NULL, 0), ESRCH);
	CHECK_ERR(read(fd, &p, 1), EINVAL);
	CHECK_ERR(write(fd, &p, 1), EINVAL);
}

TEST(fdinfo_names_the_process)
{
	pid_t pid = child_pausing();
	int fd = (int)CHECK_OK(pidfd_open(pid, 0));
	char name[64], text[512], want[64];

	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
	text[read_file(name, text, sizeof(text))] = '\0';
	snprintf(want, sizeof(want), "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
	CHECK(strstr(text, want));
	CHECK_OK(kill(pid, SIGKILL));
	test_reap(pid);
	text[read_file(name, text, sizeof(text))] = '\0';
	CHECK(strstr(text, "Pid:\t-1\n"));
}

TEST(signals)
{
	pid_t pid = child_pausing();
	int fd = (int)CHECK_OK(pidfd_open(pid, 0)), dir, me = (int)CHECK_OK(pidfd_open(getpid(), 0));
	char name[64];
	siginfo_t info;
	sigset_t set;

	CHECK_OK(pidfd_send(fd, 0, NULL, 0));
	CHECK_ERR(pidfd_send(fd, 0, NULL, 256), EINVAL);
	CHECK_ERR(pidfd_send(fd, 65, NULL, 0), EINVAL);
	CHECK_ERR(pidfd_send(-1, SIGTERM, NULL, 0), EBADF);
	CHECK_ERR(pidfd_send(0, SIGTERM, NULL, 0), EBADF);
	CHECK_ERR(pidfd_send(fd, SIGTERM, (void *)8, 0), EFAULT);
	memset(&info, 0, sizeof(info));
	info.si_signo = SIGTERM;
	info.si_code = SI_USER;
	CHECK_ERR(pidfd_send(fd, SIGTERM, &info, 0), EPERM);
	CHECK_ERR(pidfd_send(fd, SIGHUP, &info, 0), EINVAL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_OK(pidfd_send(me, SIGTERM, &info, 0));
	CHECK_EQ(sigwaitinfo(&set, &info), SIGTERM);
	CHECK_EQ(info.si_code, SI_USER);
	snprintf(name, sizeof(name), "/proc/%d", pid);
	dir = (int)CHECK_OK(open(name, O_RDONLY | O_DIRECTORY));
	CHECK_OK(pidfd_send(dir, SIGUSR1, NULL, 0));
	CHECK_KILLED(pid, SIGUSR1);
	CHECK_ERR(pidfd_send(dir, 0, NULL, 0), ESRCH);
}

TEST(signals_need_permission)
{
	pid_t pid = child_pausing();
	int fd = (int)CHECK_OK(pidfd_open(pid, 0));

	IN_CHILD {
		become(1234, 1234);
		CHECK_ERR(pidfd_send(fd, SIGTERM, NULL, 0), EPERM);
		CHECK_ERR(pidfd_getfd(fd, 0, 0), EPERM);
	}
	kill(pid, SIGKILL);
	test_reap(pid);
}

TEST(getfd)
{
	int pipes[2], go[2], fd, copy;
	pid_t pid;
	char c;

	CHECK_OK(pipe(go));
	pid = test_fork();
	if (!pid) {
		CHECK_OK(pipe(pipes));
		CHECK_EQ(dup2(pipes[0], 100), 100);
		CHECK_EQ(write(pipes[1], "x", 1), 1);
		CHECK_EQ(write(go[1], "g", 1), 1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(go[0], &c, 1), 1);
	fd = (int)CHECK_OK(pidfd_open(pid, 0));
	CHECK_ERR(pidfd_getfd(fd, 100, 1), EINVAL);
	CHECK_ERR(pidfd_getfd(fd, 101, 0), EBADF);
	CHECK_ERR(pidfd_getfd(fd, -1, 0), EBADF);
	CHECK_ERR(pidfd_getfd(-1, 0, 0), EBADF);
	CHECK_ERR(pidfd_getfd(go[0], 0, 0), EBADF);
	copy = (int)CHECK_OK(pidfd_getfd(fd, 100, 0));
	CHECK_EQ(fcntl(copy, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(read(copy, &c, 1), 1);
	CHECK_EQ(c, 'x');
	CHECK_OK(kill(pid, SIGKILL));
	test_reap(pid);
	CHECK_ERR(pidfd_getfd(fd, 100, 0), ESRCH);
}

TEST(waitid_by_descriptor)
{
	pid_t pid = test_fork(), other;
	siginfo_t info;
	int fd, nonblocking;

	if (!pid) {
		sleep_ms(50);
		_exit(7);
	}
	fd = (int)CHECK_OK(pidfd_open(pid, 0));
	nonblocking = (int)CHECK_OK(pidfd_open(pid, O_NONBLOCK));
	CHECK_ERR(waitid(P_PIDFD, (id_t)nonblocking, &info, WEXITED), EAGAIN);
	CHECK_OK(waitid(P_PIDFD, (id_t)nonblocking, &info, WEXITED | WNOHANG));
	CHECK_OK(waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
	CHECK_EQ(info.si_pid, pid);
	CHECK_EQ(info.si_status, 7);
	CHECK_ERR(waitid(P_PIDFD, (id_t)fd, &info, WEXITED), ECHILD);
	CHECK_ERR(waitid(P_PIDFD, 0, &info, WEXITED), EBADF);
	CHECK_ERR(waitid(P_PIDFD, (id_t)-1, &info, WEXITED), EINVAL);
	other = getppid();
	fd = (int)CHECK_OK(pidfd_open(other, 0));
	CHECK_ERR(waitid(P_PIDFD, (id_t)fd, &info, WEXITED), ECHILD);
}

TEST(clone_gives_one)
{
	int fd = -1;
	long pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, &fd, NULL, 0);
	siginfo_t info;

	if (!pid)
		_exit(3);
	CHECK(pid > 0);
	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_OK(waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
	CHECK_EQ(info.si_pid, pid);
	CHECK_ERR(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, NULL, &fd, NULL, 0),
		  EINVAL);
	CHECK_ERR(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, (void *)8, NULL, 0), EFAULT);
	close(fd);
	CHECK_EQ(open("/", O_RDONLY), fd); /* the failed ones have left nothing behind */
}

TEST(clone3_gives_one)
{
	int fd = -1, tid = -1;
	struct clone_args a = { .flags = CLONE_PIDFD | CLONE_PARENT_SETTID, .pidfd = (u64)&fd,
				.parent_tid = (u64)&tid, .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &a, sizeof(a));
	siginfo_t info;

	if (!pid)
		_exit(4);
	CHECK(pid > 0 && fd >= 0);
	CHECK_EQ(tid, pid);
	CHECK_OK(waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
	a.parent_tid = a.pidfd;
	CHECK_ERR(syscall(SYS_clone3, &a, sizeof(a)), EINVAL);
	a.flags = CLONE_INTO_CGROUP;
	a.cgroup = 1000;
	CHECK_ERR(syscall(SYS_clone3, &a, sizeof(a)), EBADF);
}

static void *thread_pausing(void *arg)
{
	*(volatile int *)arg = (int)syscall(SYS_gettid);
	for (;;)
		pause();
	return NULL;
}

TEST(only_for_whole_processes)
{
	volatile int tid = 0;
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, thread_pausing, (void *)&tid), 0);
	while (!tid)
		sleep_ms(1);
	errno = 0;
	CHECK(pidfd_open(tid, 0) == -1 && (errno == EINVAL || errno == ENOENT));
}

/* The leader ends, another thread lives on: the process has not ended. */
static void *outlive(void *arg)
{
	sleep_ms(100);
	_exit(9);
	return arg;
}

TEST(ends_with_the_last_thread)
{
	pid_t pid = test_fork();
	int fd;
	pthread_t t;
	siginfo_t info;

	if (!pid) {
		CHECK_EQ(pthread_create(&t, NULL, outlive, NULL), 0);
		syscall(SYS_exit, 0);
	}
	fd = (int)CHECK_OK(pidfd_open(pid, 0));
	sleep_ms(40);
	CHECK(!readable(fd));
	CHECK_OK(waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
	CHECK_EQ(info.si_status, 9);
}

TEST(process_madvise)
{
	pid_t pid = child_pausing();
	int fd = (int)CHECK_OK(pidfd_open(pid, 0));
	void *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec v = { p, 8192 };

	v.iov_base = (void *)((u64)test_self & ~4095ULL);
	v.iov_len = 4096;
	CHECK_ERR(syscall(440, fd, &v, 1, MADV_COLD, 1), EINVAL);
	CHECK_ERR(syscall(440, fd, &v, 1, MADV_DODUMP, 0), EINVAL);
	CHECK_ERR(syscall(440, -1, &v, 1, MADV_COLD, 0), EBADF);
	CHECK_ERR(syscall(440, fd, (void *)8, 1, MADV_COLD, 0), EFAULT);
	CHECK_ERR(syscall(440, fd, &v, 1025, MADV_COLD, 0), EINVAL);
	CHECK_EQ(syscall(440, fd, &v, 1, MADV_WILLNEED, 0), 4096);
	v.iov_base = (void *)1;
	CHECK_ERR(syscall(440, fd, &v, 1, MADV_COLD, 0), EINVAL);
	kill(pid, SIGKILL);
	test_reap(pid);
	CHECK_ERR(syscall(440, fd, &v, 1, MADV_COLD, 0), ESRCH);
}

TEST(process_mrelease)
{
	pid_t pid = child_pausing();
	int fd = (int)CHECK_OK(pidfd_open(pid, 0));
	long res;

	CHECK_ERR(syscall(448, fd, 1), EINVAL);
	CHECK_ERR(syscall(448, -1, 0), EBADF);
	CHECK_ERR(syscall(448, fd, 0), EINVAL);
	CHECK_OK(kill(pid, SIGKILL));
	res = syscall(448, fd, 0);
	CHECK(res == 0 || errno == ESRCH); /* it may be gone already */
	test_reap(pid);
	CHECK_ERR(syscall(448, fd, 0), ESRCH);
}

static long kcmp(pid_t a, pid_t b, int type, u64 x, u64 y)
{
	return syscall(SYS_kcmp, a, b, type, x, y);
}

TEST(kcmp_tells_what_is_shared)
{
	int me = getpid(), fd = open("/", O_RDONLY), twin = dup(fd), other = open("/", O_RDONLY);
	pid_t pid;

	CHECK_EQ(kcmp(me, me, 0, (u64)fd, (u64)twin), 0);
	CHECK(kcmp(me, me, 0, (u64)fd, (u64)other) > 0);
	CHECK_EQ(kcmp(me, me, 0, (u64)fd, (u64)other) + kcmp(me, me, 0, (u64)other, (u64)fd), 3);
	CHECK_ERR(kcmp(me, me, 0, (u64)fd, 1000), EBADF);
	CHECK_ERR(kcmp(me, me, 8, 0, 0), EINVAL);
	CHECK_ERR(kcmp(me, 0x3ffffff0, 1, 0, 0), ESRCH);
	pid = child_pausing();
	CHECK_EQ(kcmp(me, pid, 0, (u64)fd, (u64)fd), 0);
	for (int type = 1; type < 5; type++)
		CHECK(kcmp(me, pid, type, 0, 0) > 0);
	for (int type = 1; type < 7; type++)
		CHECK_EQ(kcmp(me, me, type, 0, 0), 0);
	IN_CHILD {
		become(1234, 1234);
		CHECK_ERR(kcmp(me, pid, 1, 0, 0), EPERM);
	}
	kill(pid, SIGKILL);
	test_reap(pid);
}
