/* Helpers of the socket tests. */
#pragma once

#include "test.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#ifndef SCM_CREDENTIALS
#define SCM_CREDENTIALS 2
#endif

/* The C library copies and checks messages itself; its structure, zeroed, is the kernel's. */
#define sendmsg(fd, m, flags) syscall(SYS_sendmsg, fd, m, flags)
#define recvmsg(fd, m, flags) syscall(SYS_recvmsg, fd, m, flags)

struct test_ucred { /* struct ucred, whatever the feature macros say */
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

static inline void make_pair(int type, int fd[2])
{
	CHECK_OK(socketpair(AF_UNIX, type, 0, fd));
}

static inline int unix_socket(int type)
{
	return (int)CHECK_OK(socket(AF_UNIX, type, 0));
}

/* The address of a path, or of an abstract name when it begins with '@'. */
static inline socklen_t unix_addr(struct sockaddr_un *a, const char *name)
{
	size_t len = strlen(name);

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	memcpy(a->sun_path, name, len);
	if (name[0] == '@') {
		a->sun_path[0] = 0;
		return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	}
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
}

static inline int unix_bind(int fd, const char *name)
{
	struct sockaddr_un a;
	socklen_t len = unix_addr(&a, name);

	return bind(fd, (struct sockaddr *)&a, len);
}

static inline int unix_connect(int fd, const char *name)
{
	struct sockaddr_un a;
	socklen_t len = unix_addr(&a, name);

	return connect(fd, (struct sockaddr *)&a, len);
}

static inline ssize_t unix_sendto(int fd, const void *buf, size_t n, const char *name)
{
	struct sockaddr_un a;
	socklen_t len = unix_addr(&a, name);

	return sendto(fd, buf, n, 0, (struct sockaddr *)&a, len);
}

static inline int unix_listener(int type, const char *name, int backlog)
{
	int fd = unix_socket(type);

	CHECK_OK(unix_bind(fd, name));
	CHECK_OK(listen(fd, backlog));
	return fd;
}

static inline int poll_now(int fd, int events)
{
	struct pollfd p = { .fd = fd, .events = (short)events };

	CHECK_OK(poll(&p, 1, 0));
	return p.revents;
}

static inline void set_nonblocking(int fd)
{
	CHECK_OK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK));
}

static inline int get_option(int fd, int name)
{
	int val = -12345;
	socklen_t len = sizeof(val);

	CHECK_OK(getsockopt(fd, SOL_SOCKET, name, &val, &len));
	return val;
}

static inline void set_option(int fd, int name, int val)
{
	CHECK_OK(setsockopt(fd, SOL_SOCKET, name, &val, sizeof(val)));
}

/* One byte with descriptors; sendmsg's result. */
static inline ssize_t send_fds(int sock, const int *fds, size_t n)
{
	char control[CMSG_SPACE(254 * sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = CMSG_LEN(n * sizeof(int)) };
	struct cmsghdr *c = (struct cmsghdr *)control;

	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	return sendmsg(sock, &m, MSG_NOSIGNAL);
}

/* Receives with room for n descriptors; their number. *flags gets msg_flags. */
static inline int recv_fds(int sock, int *fds, size_t n, int flags, int *out_flags)
{
	char control[CMSG_SPACE(254 * sizeof(int))] __attribute__((aligned(8))) = { 0 };
	char buf[64];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = CMSG_LEN(n * sizeof(int)) };
	struct cmsghdr *c;

	CHECK_OK(recvmsg(sock, &m, flags));
	if (out_flags)
		*out_flags = m.msg_flags;
	c = CMSG_FIRSTHDR(&m);
	if (!c)
		return 0;
	CHECK_EQ(c->cmsg_level, SOL_SOCKET);
	CHECK_EQ(c->cmsg_type, SCM_RIGHTS);
	n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	return (int)n;
}
