/* The socket calls themselves: arguments, descriptors, options, messages in general. */
#include "sockets.h"

#define BAD ((void *)8)

TEST(socket_refuses_bad_families_types_and_protocols)
{
	CHECK_ERR(socket(-1, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERR(socket(46, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERR(socket(45, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERR(socket(AF_UNIX, 11, 0), EINVAL);
	CHECK_ERR(socket(AF_UNIX, 15, 0), EINVAL);
	CHECK_ERR(socket(AF_UNIX, SOCK_STREAM | 0x10, 0), EINVAL);
	CHECK_ERR(socket(AF_UNIX, 0, 0), ESOCKTNOSUPPORT);
	CHECK_ERR(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
	CHECK_ERR(socket(AF_UNIX, 10 /* SOCK_PACKET */, 0), ESOCKTNOSUPPORT);
	CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 2), EPROTONOSUPPORT);
	CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, -1), EPROTONOSUPPORT);
	CHECK_OK(socket(AF_UNIX, SOCK_STREAM, AF_UNIX));
	CHECK_EQ(get_option(unix_socket(SOCK_RAW), SO_TYPE), SOCK_DGRAM);
}

TEST(socket_flags)
{
	int fd = (int)CHECK_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
	fd = unix_socket(SOCK_STREAM);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR);
}

TEST(socketpair_checks_before_it_makes_anything)
{
	int fd[2] = { -7, -7 }, next = dup(0);

	close(next);
	CHECK_ERR(socketpair(AF_UNIX, SOCK_STREAM | 0x100, 0, fd), EINVAL);
	CHECK_ERR(socketpair(AF_UNIX, SOCK_RDM, 0, fd), ESOCKTNOSUPPORT);
	CHECK_ERR(socketpair(99, SOCK_STREAM, 0, fd), EAFNOSUPPORT);
	CHECK_ERR(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 8), EFAULT);
	CHECK_ERR(syscall(SYS_socketpair, 99, SOCK_STREAM, 0, 8), EFAULT);
	make_pair(SOCK_STREAM | SOCK_CLOEXEC, fd);
	CHECK_EQ(fd[0], next);
	CHECK_EQ(fd[1], next + 1);
	CHECK_EQ(fcntl(fd[1], F_GETFD), FD_CLOEXEC);
}

TEST(a_socket_is_a_file_of_its_own)
{
	char link[64] = "", want[64];
	struct stat st, other;
	int fd[2];

	make_pair(SOCK_STREAM, fd);
	CHECK_OK(fstat(fd[0], &st));
	CHECK_OK(fstat(fd[1], &other));
	CHECK_EQ(st.st_mode, S_IFSOCK | 0777);
	CHECK_EQ(st.st_nlink, 1);
	CHECK_EQ(st.st_size, 0);
	CHECK(st.st_ino != other.st_ino);
	CHECK_EQ(st.st_dev, other.st_dev);
	snprintf(want, sizeof(want), "/proc/self/fd/%d", fd[0]);
	CHECK_OK(readlink(want, link, sizeof(link) - 1));
	CHECK_ERR(open(want, O_RDWR), ENXIO);
	snprintf(want, sizeof(want), "socket:[%lu]", (unsigned long)st.st_ino);
	CHECK_STR(link, want);
	CHECK_ERR(lseek(fd[0], 0, SEEK_CUR), ESPIPE);
	CHECK_ERR(pread(fd[0], want, 1, 0), ESPIPE);
	CHECK_ERR(ftruncate(fd[0], 0), EINVAL);
	CHECK_EQ((long)mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd[0], 0), -1);
	CHECK_EQ(errno, ENODEV);
	CHECK_OK(fchmod(fd[0], 0600));
	CHECK_OK(fstat(fd[0], &st));
	CHECK_EQ(st.st_mode, S_IFSOCK | 0600);
}

TEST(calls_want_a_socket)
{
	struct sockaddr_un a;
	socklen_t len = sizeof(a);
	struct msghdr m = { 0 };
	int file = (int)CHECK_OK(open("/", O_RDONLY)), val = 0;
	int path = (int)CHECK_OK(open("/", O_PATH));

	CHECK_ERR(bind(-1, (void *)&a, len), EBADF);
	CHECK_ERR(bind(path, (void *)&a, len), EBADF);
	CHECK_ERR(bind(file, (void *)&a, len), ENOTSOCK);
	CHECK_ERR(connect(file, (void *)&a, len), ENOTSOCK);
	CHECK_ERR(listen(file, 1), ENOTSOCK);
	CHECK_ERR(accept(file, NULL, NULL), ENOTSOCK);
	CHECK_ERR(syscall(SYS_accept4, -1, 0, 0, 1), EBADF);
	CHECK_ERR(syscall(SYS_accept4, file, 0, 0, 1), EINVAL);
	CHECK_ERR(getsockname(file, (void *)&a, &len), ENOTSOCK);
	CHECK_ERR(getpeername(file, (void *)&a, &len), ENOTSOCK);
	CHECK_ERR(send(file, "x", 1, 0), ENOTSOCK);
	CHECK_ERR(send(-1, "x", 1, 0), EBADF);
	CHECK_ERR(recv(file, &val, 1, 0), ENOTSOCK);
	CHECK_ERR(sendmsg(file, &m, 0), ENOTSOCK);
	CHECK_ERR(recvmsg(file, &m, 0), ENOTSOCK);
	CHECK_ERR(shutdown(file, SHUT_RD), ENOTSOCK);
	CHECK_ERR(shutdown(-1, 77), EBADF);
	CHECK_ERR(getsockopt(file, SOL_SOCKET, SO_TYPE, &val, &len), ENOTSOCK);
	CHECK_ERR(setsockopt(file, SOL_SOCKET, SO_TYPE, &val, sizeof(val)), ENOTSOCK);
	CHECK_ERR(syscall(SYS_sendmmsg, file, 0, 0, 0), ENOTSOCK);
	CHECK_ERR(syscall(SYS_recvmmsg, file, 0, 0, 0, 0), ENOTSOCK);
}

static long setting(const char *name)
{
	char path[100], buf[32];

	snprintf(path, sizeof(path), "/proc/sys/net/core/%s", name);
	read_file(path, buf, sizeof(buf));
	return atol(buf);
}

TEST(constant_options)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		int fd = unix_socket(types[i]);

		CHECK_EQ(get_option(fd, SO_TYPE), types[i]);
		CHECK_EQ(get_option(fd, SO_DOMAIN), AF_UNIX);
		CHECK_EQ(get_option(fd, SO_PROTOCOL), 0);
		CHECK_EQ(get_option(fd, SO_ERROR), 0);
		CHECK_EQ(get_option(fd, SO_ACCEPTCONN), 0);
		CHECK_EQ(get_option(fd, SO_SNDBUF), setting("wmem_default"));
		CHECK_EQ(get_option(fd, SO_RCVBUF), setting("rmem_default"));
		CHECK_EQ(get_option(fd, SO_RCVLOWAT), 1);
		CHECK_EQ(get_option(fd, SO_SNDLOWAT), 1);
		CHECK_EQ(get_option(fd, SO_PASSCRED), 0);
		CHECK_EQ(get_option(fd, SO_PEEK_OFF), -1);
		CHECK_EQ(get_option(fd, SO_KEEPALIVE), 0);
	}
}

TEST(options_that_can_be_set)
{
	static const int bits[] = { SO_REUSEADDR, SO_BROADCAST, SO_KEEPALIVE, SO_DONTROUTE,
				    SO_OOBINLINE, SO_PASSCRED, SO_TIMESTAMP };
	int fd = unix_socket(SOCK_STREAM);

	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		set_option(fd, bits[i], 5);
		CHECK_EQ(get_option(fd, bits[i]), 1);
		set_option(fd, bits[i], 0);
		CHECK_EQ(get_option(fd, bits[i]), 0);
	}
	set_option(fd, SO_SNDBUF, 10000);
	CHECK_EQ(get_option(fd, SO_SNDBUF), 20000);
	set_option(fd, SO_SNDBUF, 0);
	CHECK_EQ(get_option(fd, SO_SNDBUF), 4608);
	set_option(fd, SO_SNDBUF, -1);
	CHECK_EQ(get_option(fd, SO_SNDBUF), 2 * setting("wmem_max"));
	set_option(fd, SO_RCVBUF, 1);
	CHECK_EQ(get_option(fd, SO_RCVBUF), 2304);
	set_option(fd, SO_RCVBUF, 0x7fffffff);
	CHECK_EQ(get_option(fd, SO_RCVBUF), 2 * setting("rmem_max"));
	set_option(fd, SO_RCVLOWAT, 0);
	CHECK_EQ(get_option(fd, SO_RCVLOWAT), 1);
	set_option(fd, SO_RCVLOWAT, -1);
	CHECK_EQ(get_option(fd, SO_RCVLOWAT), 0x7fffffff);
	set_option(fd, SO_PRIORITY, 6);
	CHECK_EQ(get_option(fd, SO_PRIORITY), 6);
	set_option(fd, SO_PEEK_OFF, 7);
	CHECK_EQ(get_option(fd, SO_PEEK_OFF), 7);
}

TEST(privileged_options)
{
	int fd = unix_socket(SOCK_STREAM), val = 1000000;

	if (geteuid())
		SKIP("root only");
	CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &val, sizeof(val)));
	CHECK_EQ(get_option(fd, SO_SNDBUF), 2000000);
	CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &val, sizeof(val)));
	CHECK_EQ(get_option(fd, SO_RCVBUF), 2000000);
	IN_CHILD {
		become(7, 7);
		CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &val, sizeof(val)), EPERM);
		CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &val, sizeof(val)), EPERM);
		val = 7;
		CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &val, sizeof(val)), EPERM);
		CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_DEBUG, &val, sizeof(val)), EACCES);
	}
}

TEST(option_arguments_are_checked)
{
	int fd = unix_socket(SOCK_STREAM), val = 1;
	socklen_t len = sizeof(val);

	CHECK_ERR(syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_KEEPALIVE, &val, -1), EINVAL);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &val, 3), EINVAL);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, BAD, 4), EFAULT);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_LINGER, &val, 4), EINVAL);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &val, 4), EINVAL);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_TYPE, &val, 4), ENOPROTOOPT);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_ERROR, &val, 4), ENOPROTOOPT);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &val, 4), ENOPROTOOPT);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_PEERCRED, &val, 4), ENOPROTOOPT);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, 9999, &val, 4), ENOPROTOOPT);
	CHECK_ERR(setsockopt(fd, 6 /* TCP */, 1, &val, 4), EOPNOTSUPP);
	CHECK_ERR(getsockopt(fd, 6, 1, &val, &len), EOPNOTSUPP);
	CHECK_ERR(getsockopt(fd, SOL_SOCKET, 9999, &val, &len), ENOPROTOOPT);
	CHECK_ERR(getsockopt(fd, SOL_SOCKET, SO_TYPE, &val, BAD), EFAULT);
	CHECK_ERR(getsockopt(fd, SOL_SOCKET, SO_TYPE, BAD, &len), EFAULT);
	len = (socklen_t)-1;
	CHECK_ERR(getsockopt(fd, SOL_SOCKET, SO_TYPE, &val, &len), EINVAL);
	len = 2;
	val = -1;
	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &val, &len));
	CHECK_EQ(len, 2);
	CHECK_EQ(val, (int)0xffff0001);
	len = 400;
	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &val, &len));
	CHECK_EQ(len, 4);
}

TEST(linger_and_timeouts)
{
	struct { int on, time; } l = { 1, 77 };
	struct timeval tv = { 2, 500000 };
	int fd = unix_socket(SOCK_STREAM);
	socklen_t len = sizeof(l);

	CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	memset(&l, 0, sizeof(l));
	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len));
	CHECK(l.on == 1 && l.time == 77 && len == sizeof(l));
	CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	memset(&tv, 0, sizeof(tv));
	len = sizeof(tv);
	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
	CHECK(tv.tv_sec == 2 && tv.tv_usec == 500000 && len == sizeof(tv));
	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, &len));
	CHECK(tv.tv_sec == 0 && tv.tv_usec == 0);
	tv.tv_usec = 1000000;
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), EDOM);
	tv.tv_usec = -1;
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), EDOM);
}

TEST(a_receive_ends_with_its_timeout)
{
	struct timeval tv = { 0, 100000 };
	int fd[2], type[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	u64 start;
	char c;

	for (size_t i = 0; i < ARRAY_SIZE(type); i++) {
		make_pair(type[i], fd);
		CHECK_OK(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
		start = now_ns(CLOCK_MONOTONIC);
		CHECK_ERR(recv(fd[0], &c, 1, 0), EAGAIN);
		CHECK(now_ns(CLOCK_MONOTONIC) - start >= 90000000);
		tv.tv_sec = -1;
		CHECK_OK(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
		CHECK_ERR(recv(fd[0], &c, 1, 0), EAGAIN);
		tv.tv_sec = 0;
	}
}

TEST(a_send_ends_with_its_timeout)
{
	struct timeval tv = { 0, 100000 };
	static char buf[4096];
	int fd[2];

	make_pair(SOCK_STREAM, fd);
	set_nonblocking(fd[0]);
	while (send(fd[0], buf, sizeof(buf), 0) > 0)
		;
	CHECK_EQ(errno, EAGAIN);
	CHECK_OK(fcntl(fd[0], F_SETFL, 0));
	CHECK_OK(setsockopt(fd[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	CHECK_ERR(send(fd[0], buf, 1, 0), EAGAIN);
	CHECK_ERR(send(fd[0], buf, 1, MSG_DONTWAIT), EAGAIN);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(only_an_unlimited_wait_restarts)
{
	struct timeval tv = { 5, 0 };
	int fd[2];
	char c;

	make_pair(SOCK_STREAM, fd);
	CHECK_OK(sigaction(SIGALRM, &(struct sigaction){ .sa_handler = nothing,
							 .sa_flags = SA_RESTART }, NULL));
	IN_CHILD {
		CHECK_OK(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
		ualarm(50000, 0);
		CHECK_ERR(recv(fd[0], &c, 1, 0), EINTR);
		tv.tv_sec = 0;
		CHECK_OK(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
		if (fork() == 0) {
			sleep_ms(300);
			_exit(write(fd[1], "x", 1) != 1);
		}
		ualarm(50000, 0);
		CHECK_EQ(recv(fd[0], &c, 1, 0), 1);
	}
}

TEST(names_are_written_as_far_as_there_is_room)
{
	struct sockaddr_un a;
	socklen_t len;
	int fd[2];

	make_pair(SOCK_STREAM, fd);
	memset(&a, 0x55, sizeof(a));
	len = sizeof(a);
	CHECK_OK(getsockname(fd[0], (void *)&a, &len));
	CHECK_EQ(len, 2);
	CHECK_EQ(a.sun_family, AF_UNIX);
	CHECK_EQ(a.sun_path[0], 0x55);
	memset(&a, 0x55, sizeof(a));
	len = 1;
	CHECK_OK(getpeername(fd[0], (void *)&a, &len));
	CHECK_EQ(len, 2);
	CHECK_EQ(((u8 *)&a)[0], AF_UNIX);
	CHECK_EQ(((u8 *)&a)[1], 0x55);
	len = 0;
	CHECK_OK(getsockname(fd[0], BAD, &len));
	CHECK_EQ(len, 2);
	len = (socklen_t)-5;
	CHECK_ERR(getsockname(fd[0], (void *)&a, &len), EINVAL);
	len = 4;
	CHECK_ERR(getsockname(fd[0], BAD, &len), EFAULT);
	CHECK_ERR(getsockname(fd[0], (void *)&a, BAD), EFAULT);
	CHECK_ERR(getpeername(unix_socket(SOCK_STREAM), (void *)&a, &len), ENOTCONN);
}

TEST(addresses_are_checked)
{
	char long_addr[200] = { AF_UNIX };
	struct sockaddr_un a = { .sun_family = AF_INET, .sun_path = "x" };
	int fd = unix_socket(SOCK_STREAM);

	CHECK_ERR(bind(fd, (void *)long_addr, 129), EINVAL);
	CHECK_ERR(bind(fd, (void *)long_addr, (socklen_t)-1), EINVAL);
	CHECK_ERR(bind(fd, BAD, 20), EFAULT);
	CHECK_ERR(bind(fd, BAD, 0), EINVAL);
	CHECK_ERR(bind(fd, (void *)&a, 4), EINVAL);
	a.sun_family = AF_UNIX;
	CHECK_ERR(bind(fd, (void *)&a, 1), EINVAL);
	CHECK_ERR(bind(fd, (void *)&a, sizeof(a) + 1), EINVAL);
	CHECK_ERR(connect(fd, (void *)&a, 2), EINVAL);
	CHECK_ERR(connect(fd, (void *)&a, 0), EINVAL);
	CHECK_ERR(connect(fd, BAD, 20), EFAULT);
	CHECK_ERR(connect(fd, (void *)long_addr, 129), EINVAL);
}

TEST(message_headers_are_checked)
{
	static struct iovec many[1025];
	struct iovec iov = { .iov_base = "abc", .iov_len = 3 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	char buf[8];
	int fd[2];

	make_pair(SOCK_STREAM, fd);
	CHECK_ERR(sendmsg(fd[0], BAD, 0), EFAULT);
	CHECK_ERR(recvmsg(fd[0], BAD, 0), EFAULT);
	CHECK_ERR(sendmsg(fd[0], &m, (int)0x80000000), EINVAL);
	CHECK_ERR(recvmsg(fd[0], &m, (int)0x80000000), EINVAL);
	m.msg_iov = many;
	m.msg_iovlen = 1025;
	CHECK_ERR(sendmsg(fd[0], &m, 0), EMSGSIZE);
	CHECK_ERR(recvmsg(fd[0], &m, MSG_DONTWAIT), EMSGSIZE);
	m.msg_iovlen = 1;
	m.msg_iov = BAD;
	CHECK_ERR(sendmsg(fd[0], &m, 0), EFAULT);
	m.msg_iov = &iov;
	iov.iov_len = (size_t)-1;
	CHECK_ERR(sendmsg(fd[0], &m, 0), EINVAL);
	iov = (struct iovec){ BAD, 3 };
	CHECK_ERR(sendmsg(fd[0], &m, 0), EFAULT);
	iov = (struct iovec){ "abc", 3 };
	m.msg_name = "x";
	m.msg_namelen = (socklen_t)-1;
	CHECK_ERR(sendmsg(fd[0], &m, 0), EINVAL);
	m.msg_name = NULL;
	CHECK_EQ(sendmsg(fd[0], &m, 0), 3);
	m.msg_control = buf;
	m.msg_controllen = 1 << 20;
	CHECK_ERR(sendmsg(fd[0], &m, 0), ENOBUFS);
	m.msg_control = BAD;
	m.msg_controllen = 16;
	CHECK_ERR(sendmsg(fd[0], &m, 0), EFAULT);
	m.msg_control = NULL;
	CHECK_ERR(sendmsg(fd[0], &m, 0), EFAULT);
	m.msg_controllen = 0;
	CHECK_EQ(read(fd[1], buf, 8), 3);
	CHECK_ERR(send(fd[0], BAD, 1, 0), EFAULT);
	CHECK_ERR(send(fd[0], (void *)-4096, 1, 0), EFAULT);
	CHECK_EQ(write(fd[1], "q", 1), 1);
	CHECK_ERR(recv(fd[0], BAD, 1, 0), EFAULT);
	CHECK_EQ(recv(fd[0], buf, 8, 0), 1);
}

TEST(vectors_scatter_and_gather)
{
	char a[3], b[4], c[9];
	struct iovec out[] = { { "12", 2 }, { "", 0 }, { "3456789", 7 } };
	struct iovec in[] = { { a, 3 }, { b, 4 }, { c, 9 } };
	struct msghdr m = { .msg_iov = out, .msg_iovlen = 3 };
	int fd[2];

	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		make_pair(type, fd);
		CHECK_EQ(sendmsg(fd[0], &m, 0), 9);
		CHECK_EQ(readv(fd[1], in, 3), 9);
		CHECK(!memcmp(a, "123", 3) && !memcmp(b, "4567", 4) && !memcmp(c, "89", 2));
		CHECK_EQ(writev(fd[1], out, 3), 9);
		CHECK_EQ(recv(fd[0], c, 9, 0), 9);
		CHECK(!memcmp(c, "123456789", 9));
	}
}

TEST(sendmmsg_and_recvmmsg)
{
	struct { struct msghdr h; unsigned len; } v[4] = { 0 };
	struct iovec iov[4];
	char buf[4][8] = { "a", "bb", "ccc", "dddd" };
	struct timespec ts = { 0, 50000000 };
	int fd[2];

	make_pair(SOCK_DGRAM, fd);
	for (int i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ buf[i], (size_t)i + 1 };
		v[i].h.msg_iov = &iov[i];
		v[i].h.msg_iovlen = 1;
	}
	CHECK_EQ(syscall(SYS_sendmmsg, fd[0], v, 4, 0), 4);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(v[i].len, i + 1);
		iov[i].iov_len = 8;
	}
	memset(buf, 0, sizeof(buf));
	CHECK_EQ(syscall(SYS_recvmmsg, fd[1], v, 3, 0, 0), 3);
	CHECK_EQ(v[2].len, 3);
	CHECK_STR(buf[2], "ccc");
	CHECK_EQ(syscall(SYS_recvmmsg, fd[1], v, 4, MSG_WAITFORONE, 0), 1);
	CHECK_STR(buf[0], "dddd");
	CHECK_ERR(syscall(SYS_recvmmsg, fd[1], v, 4, MSG_DONTWAIT, 0), EAGAIN);
	CHECK_ERR(syscall(SYS_recvmmsg, fd[1], v, 4, MSG_DONTWAIT, &(struct timespec){ 0, -1 }), EINVAL);
	CHECK_ERR(syscall(SYS_recvmmsg, fd[1], v, 4, MSG_DONTWAIT, BAD), EFAULT);
	CHECK_ERR(syscall(SYS_sendmmsg, fd[0], BAD, 1, 0), EFAULT);
	CHECK_EQ(syscall(SYS_sendmmsg, fd[0], BAD, 0, 0), 0);
	CHECK_EQ(send(fd[0], "x", 1, 0), 1);
	CHECK_EQ(send(fd[0], "y", 1, 0), 1);
	CHECK_EQ(syscall(SYS_recvmmsg, fd[1], v, 2, 0, &ts), 2);
	CHECK(ts.tv_sec == 0 && ts.tv_nsec <= 50000000);
}

TEST(ioctls)
{
	int fd[2], n = -1, one = 1, zero = 0;
	char buf[64];

	make_pair(SOCK_STREAM, fd);
	CHECK_OK(ioctl(fd[1], FIONREAD, &n));
	CHECK_EQ(n, 0);
	CHECK_EQ(write(fd[0], "hello", 5), 5);
	CHECK_EQ(write(fd[0], "you", 3), 3);
	CHECK_OK(ioctl(fd[1], FIONREAD, &n));
	CHECK_EQ(n, 8);
	CHECK_OK(ioctl(fd[0], TIOCOUTQ, &n)); /* SIOCOUTQ: with overhead */
	CHECK(n >= 8);
	CHECK_EQ(read(fd[1], buf, 6), 6);
	CHECK_OK(ioctl(fd[1], FIONREAD, &n));
	CHECK_EQ(n, 2);
	CHECK_EQ(read(fd[1], buf, 6), 2);
	CHECK_OK(ioctl(fd[0], TIOCOUTQ, &n));
	CHECK_EQ(n, 0);
	CHECK_OK(ioctl(fd[1], FIONBIO, &one));
	CHECK_ERR(read(fd[1], buf, 1), EAGAIN);
	CHECK(fcntl(fd[1], F_GETFL) & O_NONBLOCK);
	CHECK_OK(ioctl(fd[1], FIONBIO, &zero));
	CHECK(!(fcntl(fd[1], F_GETFL) & O_NONBLOCK));
	CHECK_ERR(ioctl(fd[1], FIONREAD, BAD), EFAULT);
	CHECK_ERR(ioctl(fd[1], TCGETS, buf), ENOTTY);
	make_pair(SOCK_DGRAM, fd);
	CHECK_EQ(write(fd[0], "hello", 5), 5);
	CHECK_EQ(write(fd[0], "you", 3), 3);
	CHECK_OK(ioctl(fd[1], FIONREAD, &n));
	CHECK_EQ(n, 5);
	CHECK_ERR(ioctl(unix_listener(SOCK_STREAM, "@fionread", 1), FIONREAD, &n), EINVAL);
}

TEST(shutdown_arguments)
{
	int fd = unix_socket(SOCK_STREAM);

	CHECK_ERR(shutdown(fd, 3), EINVAL);
	CHECK_ERR(shutdown(fd, -1), EINVAL);
	CHECK_OK(shutdown(fd, SHUT_RDWR));
}

TEST(files_can_be_sent_and_spliced)
{
	int fd[2], p[2], file;
	char buf[64] = "";
	off_t off = 3;

	write_file("data", "0123456789");
	file = (int)CHECK_OK(open("data", O_RDONLY));
	make_pair(SOCK_STREAM, fd);
	CHECK_OK(pipe(p));
	CHECK_EQ(syscall(SYS_sendfile, fd[0], file, &off, 5), 5);
	CHECK_EQ(off, 8);
	CHECK_EQ(read(fd[1], buf, sizeof(buf)), 5);
	CHECK(!memcmp(buf, "34567", 5));
	CHECK_EQ(write(p[1], "pipe", 4), 4);
	CHECK_EQ(syscall(SYS_splice, p[0], 0, fd[0], 0, 100, 0), 4);
	CHECK_EQ(syscall(SYS_splice, fd[1], 0, p[1], 0, 100, 0), 4);
	CHECK_EQ(read(p[0], buf, sizeof(buf)), 4);
	CHECK(!memcmp(buf, "pipe", 4));
	CHECK_ERR(syscall(SYS_splice, fd[1], 0, p[1], 0, 100, 2 /* NONBLOCK */), EAGAIN);
	CHECK_ERR(syscall(SYS_sendfile, file, fd[0], 0, 5), EBADF);
}

TEST(descriptor_limit)
{
	struct rlimit { u64 cur, max; } r = { 10, 10 };
	int fd[2], l = unix_listener(SOCK_STREAM, "@limit", 5), c = unix_socket(SOCK_STREAM);

	CHECK_OK(unix_connect(c, "@limit"));
	CHECK_OK(syscall(SYS_prlimit64, 0, 7 /* NOFILE */, &r, 0));
	while (dup(0) >= 0)
		;
	CHECK_EQ(errno, EMFILE);
	CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 0), EMFILE);
	CHECK_ERR(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), EMFILE);
	CHECK_ERR(accept(l, NULL, NULL), EMFILE);
	close(9);
	CHECK_ERR(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), EMFILE);
	CHECK_EQ(accept(l, NULL, NULL), 9);
}
