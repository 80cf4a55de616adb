/* seccomp's user notification: one process decides what another one's calls return. */
#include "seccomp.h"

#include <sched.h>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define LISTEN SECCOMP_FILTER_FLAG_NEW_LISTENER

static long parent(void)
{
	return syscall(SYS_getppid, 11, 22);
}

static long listener_for(int number, unsigned flags)
{
	return FILTER_FLAGS(LISTEN | flags, LOAD(NR_WORD), ON(number, SECCOMP_RET_USER_NOTIF),
			    RETURN(SECCOMP_RET_ALLOW));
}

/* A child under a filter that runs `what`; its listener comes through shared descriptors. */
struct asker {
	pid_t pid;
	int listener;
};

static struct asker ask(int (*what)(void), unsigned flags)
{
	struct asker a;

	no_new_privs();
	a.listener = -1;
	a.pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	CHECK(a.pid >= 0);
	if (!a.pid) {
		if (listener_for(SYS_getppid, flags) < 0)
			_exit(99);
		_exit(what());
	}
	/* The listener is the lowest free descriptor of the shared table. */
	for (int i = 0; i < 5000 && a.listener < 0; i++) {
		for (int fd = 3; fd < 64; fd++) {
			char name[64], to[64] = "";

			snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
			if (readlink(name, to, sizeof(to) - 1) > 0 &&
			    !strcmp(to, "anon_inode:seccomp notify"))
				a.listener = fd;
		}
		sleep_ms(1);
	}
	CHECK(a.listener >= 0);
	return a;
}

static struct seccomp_notif receive(int fd)
{
	struct seccomp_notif n = {0};

	CHECK_OK(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n));
	return n;
}

static int answer(int fd, u64 id, long long val, int error, unsigned flags)
{
	struct seccomp_notif_resp r = {.id = id, .val = val, .error = error, .flags = flags};

	return ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

static int one_call(void)
{
	long r = parent();

	return r < 0 ? 100 + errno : (int)r;
}

TEST(value_error_and_going_on)
{
	struct asker a = ask(one_call, 0);
	struct seccomp_notif n = receive(a.listener);

	CHECK_EQ(fcntl(a.listener, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(n.pid, a.pid);
	CHECK_EQ(n.flags, 0);
	CHECK_EQ(n.data.nr, SYS_getppid);
	CHECK_EQ(n.data.arch, AUDIT_ARCH_X86_64);
	CHECK_EQ(n.data.args[0], 11);
	CHECK_EQ(n.data.args[1], 22);
	CHECK_OK(answer(a.listener, n.id, 42, 0, 0));
	CHECK_EXITS(a.pid, 42);
	close(a.listener);

	a = ask(one_call, 0);
	n = receive(a.listener);
	CHECK_OK(answer(a.listener, n.id, 0, -ENOENT, 0));
	CHECK_EXITS(a.pid, 100 + ENOENT);
	close(a.listener);

	a = ask(one_call, 0);
	n = receive(a.listener);
	CHECK_ERR(answer(a.listener, n.id, 1, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE), EINVAL);
	CHECK_ERR(answer(a.listener, n.id, 0, 1, SECCOMP_USER_NOTIF_FLAG_CONTINUE), EINVAL);
	CHECK_ERR(answer(a.listener, n.id, 0, 0, 2), EINVAL);
	CHECK_OK(answer(a.listener, n.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE));
	CHECK_EQ(test_reap(a.pid), (getpid() & 0xff) << 8);
	close(a.listener);
}

TEST(order_of_things_is_kept)
{
	struct asker a = ask(one_call, 0);
	struct pollfd p = {a.listener, POLLIN | POLLOUT, 0};
	struct seccomp_notif n = {0}, bad = {.pid = 1};
	u64 id;

	CHECK_EQ(poll(&p, 1, 5000), 1);
	CHECK_EQ(p.revents, POLLIN);
	CHECK_ERR(ioctl(a.listener, SECCOMP_IOCTL_NOTIF_RECV, &bad), EINVAL);
	CHECK_ERR(ioctl(a.listener, SECCOMP_IOCTL_NOTIF_RECV, NULL), EFAULT);
	CHECK_ERR(ioctl(a.listener, SECCOMP_IOCTL_NOTIF_SEND, NULL), EFAULT);
	CHECK_ERR(ioctl(a.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, NULL), EFAULT);
	CHECK_ERR(ioctl(a.listener, 0x12345678, NULL), EINVAL);
	n = receive(a.listener);
	id = n.id;
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
	CHECK_OK(ioctl(a.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id));
	id++;
	CHECK_ERR(ioctl(a.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id), ENOENT);
	CHECK_ERR(answer(a.listener, id, 0, 0, 0), ENOENT);
	CHECK_OK(answer(a.listener, n.id, 3, 0, 0));
	CHECK_EXITS(a.pid, 3);
	CHECK_ERR(answer(a.listener, n.id, 3, 0, 0), ENOENT);
	CHECK_EQ(poll(&p, 1, 5000), 1);
	CHECK_EQ(p.revents, POLLHUP); /* nobody is left under the filter */
}

static int many_calls(void)
{
	for (int i = 0; i < 50; i++)
		if (parent() != i)
			return 1;
	return 0;
}

TEST(call_after_call)
{
	struct asker a = ask(many_calls, 0);
	u64 last = 0;

	for (int i = 0; i < 50; i++) {
		struct seccomp_notif n = receive(a.listener);

		CHECK(!i || n.id == last + 1);
		last = n.id;
		CHECK_OK(answer(a.listener, n.id, i, 0, 0));
	}
	CHECK_EXITS(a.pid, 0);
}

TEST(listener_that_closes_in_mid_call)
{
	struct asker a = ask(one_call, 0);

	receive(a.listener);
	close(a.listener);
	CHECK_EXITS(a.pid, 100 + ENOSYS);
	a = ask(one_call, 0);
	wait_state(a.pid, "S");
	close(a.listener); /* without having looked */
	CHECK_EXITS(a.pid, 100 + ENOSYS);
}

TEST(no_listener_no_call)
{
	no_new_privs();
	VERDICT(SYS_getppid, SECCOMP_RET_USER_NOTIF);
	CHECK_ERR(parent(), ENOSYS);
}

TEST(one_listener_on_the_way)
{
	int fd;

	no_new_privs();
	fd = (int)CHECK_OK(listener_for(SYS_getuid, 0));
	CHECK_ERR(listener_for(SYS_getgid, 0), EBUSY);
	close(fd);
	CHECK_OK(listener_for(SYS_getgid, 0)); /* the first one is gone */
}

static void nothing(int sig)
{
	(void)sig;
}

static int interrupted_call(void)
{
	struct sigaction act = {.sa_handler = nothing}; /* without SA_RESTART */

	sigaction(SIGUSR1, &act, NULL);
	return one_call();
}

TEST(signals_interrupt_the_wait)
{
	struct asker a = ask(interrupted_call, 0);
	struct seccomp_notif n;

	n = receive(a.listener);
	CHECK_OK(kill(a.pid, SIGUSR1));
	CHECK_EXITS(a.pid, 100 + EINTR);
	CHECK_ERR(answer(a.listener, n.id, 0, 0, 0), ENOENT);
	close(a.listener);
	/* From the receipt on only what kills disturbs it. */
	a = ask(interrupted_call, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
	n = receive(a.listener);
	CHECK_OK(kill(a.pid, SIGUSR1));
	sleep_ms(50);
	CHECK_OK(answer(a.listener, n.id, 17, 0, 0));
	CHECK_EXITS(a.pid, 17);
	close(a.listener);
	a = ask(interrupted_call, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
	n = receive(a.listener);
	CHECK_OK(kill(a.pid, SIGKILL));
	CHECK_KILLED(a.pid, SIGKILL);
}

static int addfd(int fd, u64 id, int src, int newfd, unsigned flags, unsigned newfd_flags)
{
	struct seccomp_notif_addfd r = {.id = id, .flags = flags, .srcfd = src, .newfd = newfd,
					.newfd_flags = newfd_flags};

	return ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &r);
}

static int own_table_call(void)
{
	CHECK_OK(unshare(CLONE_FILES));
	long fd = parent();
	char c = 0;

	if (fd < 0)
		return 100 + errno;
	if (read((int)fd, &c, 1) != 1 || c != 'x')
		return 1;
	return fcntl((int)fd, F_GETFD) == FD_CLOEXEC ? 2 : 3;
}

TEST(descriptors_are_handed_over)
{
	struct seccomp_notif n;
	struct asker a;
	int p[2], fd;

	CHECK_OK(pipe(p));
	CHECK_EQ(write(p[1], "xxxx", 4), 4);
	a = ask(own_table_call, 0);
	n = receive(a.listener);
	CHECK_ERR(addfd(a.listener, n.id, p[0], 5, 0, 0), EINVAL);
	CHECK_ERR(addfd(a.listener, n.id, p[0], 0, 4, 0), EINVAL);
	CHECK_ERR(addfd(a.listener, n.id, p[0], 0, 0, O_NONBLOCK), EINVAL);
	CHECK_ERR(addfd(a.listener, n.id, 999, 0, 0, 0), EBADF);
	CHECK_ERR(addfd(a.listener, n.id + 1, p[0], 0, 0, 0), ENOENT);
	fd = (int)CHECK_OK(addfd(a.listener, n.id, p[0], 0, 0, 0));
	CHECK_OK(answer(a.listener, n.id, fd, 0, 0));
	CHECK_EXITS(a.pid, 3);
	close(a.listener);

	a = ask(own_table_call, 0);
	n = receive(a.listener);
	CHECK_EQ(addfd(a.listener, n.id, p[0], 77, SECCOMP_ADDFD_FLAG_SETFD, O_CLOEXEC), 77);
	CHECK_OK(answer(a.listener, n.id, 77, 0, 0));
	CHECK_EXITS(a.pid, 2);
	close(a.listener);

	a = ask(own_table_call, 0);
	n = receive(a.listener);
	CHECK_EQ(addfd(a.listener, n.id, p[0], 80,
		       SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND, 0), 80);
	CHECK_EXITS(a.pid, 3);
	CHECK_ERR(addfd(a.listener, n.id, p[0], 0, 0, 0), ENOENT);
}

TEST(extensible_argument)
{
	struct seccomp_notif n;
	struct asker a = ask(one_call, 0);
	struct {
		struct seccomp_notif_addfd r;
		u64 more;
	} big = {.more = 1};

	n = receive(a.listener);
	big.r.id = n.id;
	big.r.srcfd = 0;
	CHECK_ERR(ioctl(a.listener, SECCOMP_IOW(3, big), &big), E2BIG);
	big.more = 0;
	CHECK_OK(ioctl(a.listener, SECCOMP_IOW(3, big), &big));
	CHECK_ERR(ioctl(a.listener, SECCOMP_IOW(3, u32), &big), EINVAL);
	CHECK_OK(answer(a.listener, n.id, 4, 0, 0));
	CHECK_EXITS(a.pid, 4);
}
