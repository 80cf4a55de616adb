/* AF_UNIX datagrams and sequenced packets. */
#include "sockets.h"

static int fd[2];

static long qlen(void)
{
	char buf[32];

	read_file("/proc/sys/net/unix/max_dgram_qlen", buf, sizeof(buf));
	return atol(buf);
}

TEST(messages_stay_whole)
{
	char buf[16] = "";

	for (int type = SOCK_DGRAM; type <= SOCK_SEQPACKET; type += 3) {
		make_pair(type, fd);
		CHECK_EQ(write(fd[0], "abc", 3), 3);
		CHECK_EQ(send(fd[0], "defg", 4, 0), 4);
		CHECK_EQ(read(fd[1], buf, 16), 3);
		CHECK_EQ(read(fd[1], buf, 2), 2);
		CHECK(!memcmp(buf, "de", 2));
		CHECK_ERR(recv(fd[1], buf, 16, MSG_DONTWAIT), EAGAIN); /* the rest is lost */
		CHECK_EQ(send(fd[0], "", 0, 0), 0);
		CHECK_EQ(poll_now(fd[1], POLLIN), POLLIN);
		CHECK_EQ(recv(fd[1], buf, 16, 0), 0);
		CHECK_EQ(poll_now(fd[1], POLLIN), 0);
	}
}

TEST(truncation_is_reported)
{
	char buf[16];
	struct iovec iov = { buf, 2 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	for (int type = SOCK_DGRAM; type <= SOCK_SEQPACKET; type += 3) {
		make_pair(type, fd);
		CHECK_EQ(send(fd[0], "abcd", 4, 0), 4);
		CHECK_EQ(send(fd[0], "abcd", 4, 0), 4);
		CHECK_EQ(recvmsg(fd[1], &m, MSG_PEEK), 2);
		CHECK_EQ(m.msg_flags & MSG_TRUNC, MSG_TRUNC);
		CHECK_EQ(recvmsg(fd[1], &m, MSG_TRUNC), 4);
		CHECK_EQ(m.msg_flags, MSG_TRUNC);
		CHECK_EQ(recv(fd[1], buf, 0, MSG_TRUNC), 4);
		CHECK_EQ(send(fd[0], "ab", 2, 0), 2);
		CHECK_EQ(recvmsg(fd[1], &m, MSG_CMSG_CLOEXEC), 2);
		CHECK_EQ(m.msg_flags, MSG_CMSG_CLOEXEC);
	}
}

TEST(message_size_limit)
{
	static char buf[300000];
	int size = 0;

	for (int type = SOCK_DGRAM; type <= SOCK_SEQPACKET; type += 3) {
		make_pair(type, fd);
		set_option(fd[0], SO_SNDBUF, 50000);
		size = get_option(fd[0], SO_SNDBUF);
		CHECK_ERR(send(fd[0], buf, (size_t)size - 31, 0), EMSGSIZE);
		buf[size - 33] = 'e';
		CHECK_EQ(send(fd[0], buf, (size_t)size - 32, 0), size - 32);
		buf[size - 33] = 0;
		CHECK_EQ(recv(fd[1], buf, sizeof(buf), 0), size - 32);
		CHECK_EQ(buf[size - 33], 'e');
	}
}

TEST(datagrams_to_names)
{
	int a = unix_socket(SOCK_DGRAM), b = unix_socket(SOCK_DGRAM);
	struct sockaddr_un from;
	socklen_t len = sizeof(from);
	char buf[8];

	CHECK_ERR(send(a, "x", 1, 0), ENOTCONN);
	CHECK_ERR(unix_sendto(a, "x", 1, "nowhere"), ENOENT);
	CHECK_ERR(unix_sendto(a, "x", 1, "@nowhere"), ECONNREFUSED);
	CHECK_OK(unix_bind(b, "there"));
	CHECK_EQ(unix_sendto(a, "hello", 5, "there"), 5);
	CHECK_EQ(recvfrom(b, buf, 8, 0, (void *)&from, &len), 5);
	CHECK_EQ(len, 0);
	CHECK_OK(unix_bind(a, "here"));
	CHECK_EQ(unix_sendto(a, "hello", 5, "there"), 5);
	len = sizeof(from);
	CHECK_EQ(recvfrom(b, buf, 8, 0, (void *)&from, &len), 5);
	CHECK_EQ(len, 7);
	CHECK_STR(from.sun_path, "here");
	CHECK_EQ(sendto(b, "re", 2, 0, (void *)&from, len), 2);
	CHECK_EQ(read(a, buf, 8), 2);
	CHECK_EQ(unix_sendto(a, "me", 2, "here"), 2); /* to itself */
	CHECK_EQ(read(a, buf, 8), 2);
	close(b);
	CHECK_ERR(unix_sendto(a, "x", 1, "there"), ECONNREFUSED);
	CHECK_OK(unlink("there"));
	CHECK_ERR(unix_sendto(a, "x", 1, "there"), ENOENT);
}

TEST(connected_datagram_sockets)
{
	int a = unix_socket(SOCK_DGRAM), b = unix_socket(SOCK_DGRAM), c = unix_socket(SOCK_DGRAM);
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct sockaddr_un name;
	socklen_t len = sizeof(name);
	char buf[8];

	CHECK_OK(unix_bind(a, "@a"));
	CHECK_OK(unix_bind(b, "@b"));
	CHECK_OK(unix_bind(c, "@c"));
	CHECK_OK(unix_connect(a, "@b"));
	CHECK_OK(getpeername(a, (void *)&name, &len));
	CHECK(!memcmp(name.sun_path, "\0b", 2));
	CHECK_EQ(write(a, "1", 1), 1);
	CHECK_EQ(read(b, buf, 8), 1);
	CHECK_ERR(unix_sendto(c, "x", 1, "@a"), EPERM); /* a listens to b alone */
	CHECK_ERR(unix_connect(c, "@a"), EPERM);
	CHECK_EQ(unix_sendto(b, "x", 1, "@a"), 1);
	CHECK_EQ(unix_sendto(a, "2", 1, "@c"), 1); /* but may write to others */
	CHECK_EQ(read(c, buf, 8), 1);
	CHECK_OK(unix_connect(a, "@c"));
	CHECK_EQ(write(a, "3", 1), 1);
	CHECK_EQ(read(c, buf, 8), 1);
	CHECK_ERR(recv(a, buf, 8, MSG_DONTWAIT), EAGAIN); /* b's message went with the change */
	CHECK_OK(connect(a, &none, sizeof(none)));
	CHECK_ERR(write(a, "x", 1), ENOTCONN);
	CHECK_ERR(getpeername(a, (void *)&name, &len), ENOTCONN);
	CHECK_OK(connect(a, &none, sizeof(none)));
	CHECK_ERR(connect(a, &none, 1), EINVAL);
	CHECK_EQ(unix_sendto(c, "x", 1, "@a"), 1);
}

TEST(a_peer_that_disconnects_with_mail_is_told)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	char buf[8];

	make_pair(SOCK_DGRAM, fd);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	CHECK_OK(connect(fd[0], &none, sizeof(none)));
	CHECK_EQ(get_option(fd[1], SO_ERROR), ECONNRESET);
	CHECK_ERR(recv(fd[0], buf, 8, MSG_DONTWAIT), EAGAIN);
}

TEST(the_peer_of_a_datagram_socket_dies)
{
	char buf[8];

	make_pair(SOCK_DGRAM, fd);
	CHECK_EQ(write(fd[1], "last", 4), 4);
	close(fd[1]);
	CHECK_EQ(poll_now(fd[0], POLLIN | POLLOUT | POLLRDHUP), POLLIN | POLLOUT);
	CHECK_EQ(recv(fd[0], buf, 8, MSG_PEEK), 4);
	CHECK_ERR(write(fd[0], "x", 1), ECONNREFUSED);
	CHECK_ERR(write(fd[0], "x", 1), ENOTCONN);
	CHECK_ERR(recv(fd[0], buf, 8, MSG_DONTWAIT), EAGAIN); /* lost by the disconnection */
}

TEST(the_peer_of_a_seqpacket_socket_dies)
{
	char buf[8];

	signal(SIGPIPE, SIG_DFL);
	make_pair(SOCK_SEQPACKET, fd);
	CHECK_EQ(write(fd[1], "last", 4), 4);
	close(fd[1]);
	CHECK_EQ(poll_now(fd[0], POLLIN | POLLOUT | POLLRDHUP),
		 POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	CHECK_ERR(write(fd[0], "x", 1), EPIPE); /* without a signal */
	CHECK_EQ(read(fd[0], buf, 8), 4);
	CHECK_EQ(read(fd[0], buf, 8), 0);
	CHECK_EQ(recv(fd[0], buf, 8, MSG_DONTWAIT), 0);
	make_pair(SOCK_SEQPACKET, fd);
	CHECK_EQ(write(fd[0], "lost", 4), 4);
	close(fd[1]);
	CHECK_ERR(read(fd[0], buf, 8), ECONNRESET);
	CHECK_EQ(read(fd[0], buf, 8), 0);
}

TEST(shutdown_of_datagram_sockets)
{
	char buf[8];

	make_pair(SOCK_DGRAM, fd);
	CHECK_OK(shutdown(fd[0], SHUT_WR));
	CHECK_ERR(write(fd[0], "x", 1), EPIPE);
	CHECK_EQ(write(fd[1], "y", 1), 1);
	CHECK_OK(shutdown(fd[0], SHUT_RD));
	CHECK_ERR(write(fd[1], "x", 1), EPIPE);
	CHECK_EQ(read(fd[0], buf, 8), 1);
	CHECK_EQ(read(fd[0], buf, 8), 0);
	CHECK_ERR(recv(fd[0], buf, 8, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(poll_now(fd[0], POLLIN | POLLRDHUP), POLLIN | POLLRDHUP | POLLHUP);
}

TEST(a_full_queue_stops_strangers)
{
	int a = unix_socket(SOCK_DGRAM), b = unix_socket(SOCK_DGRAM);
	long n = 0, limit = qlen() + 1;
	char buf[8];

	CHECK_OK(unix_bind(b, "@full"));
	set_nonblocking(a);
	while (unix_sendto(a, "x", 1, "@full") == 1)
		n++;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(n, limit > 277 ? n : limit);
	CHECK_EQ(poll_now(a, POLLOUT), POLLOUT); /* it may still send to others */
	CHECK_OK(unix_connect(a, "@full"));
	CHECK_EQ(poll_now(a, POLLOUT), 0);
	CHECK_EQ(read(b, buf, 8), 1);
	CHECK_EQ(poll_now(a, POLLOUT), POLLOUT);
	CHECK_EQ(write(a, "x", 1), 1);
	CHECK_ERR(write(a, "x", 1), EAGAIN);
	IN_CHILD {
		struct pollfd p = { .fd = a, .events = POLLOUT };
		pid_t poller = test_fork();

		if (poller == 0) {
			CHECK_EQ(poll(&p, 1, 5000), 1);
			CHECK_EQ(p.revents, POLLOUT);
			_exit(0);
		}
		wait_state(poller, "S");
		CHECK_EQ(read(b, buf, 8), 1);
		test_join(poller);
	}
	CHECK_EQ(write(a, "x", 1), 1);
	IN_CHILD {
		pid_t sender = test_fork();

		if (sender == 0) {
			CHECK_OK(fcntl(a, F_SETFL, 0));
			CHECK_EQ(write(a, "x", 1), 1);
			_exit(0);
		}
		wait_state(sender, "S");
		CHECK_EQ(read(b, buf, 8), 1);
		test_join(sender);
	}
	CHECK_OK(unix_bind(a, "@back"));
	CHECK_OK(unix_connect(b, "@back")); /* now they know each other */
	CHECK_EQ(write(a, "x", 1), 1);
}

TEST(a_blocked_sender_learns_of_the_receivers_end)
{
	int b = unix_socket(SOCK_DGRAM);

	CHECK_OK(unix_bind(b, "@dies"));
	IN_CHILD {
		pid_t sender = test_fork();

		if (sender == 0) {
			int a = unix_socket(SOCK_DGRAM);

			close(b);
			CHECK_OK(unix_connect(a, "@dies"));
			while (write(a, "x", 1) == 1)
				;
			CHECK_EQ(errno, ECONNREFUSED);
			_exit(0);
		}
		wait_state(sender, "S");
		kill(getppid(), SIGCONT);
		close(b);
		test_join(sender);
	} else {
		siginfo_t info;
		sigset_t set;

		(void)info;
		sigemptyset(&set);
		sleep_ms(300);
		close(b);
	}
}

TEST(datagram_flags)
{
	char buf[8];

	make_pair(SOCK_DGRAM, fd);
	CHECK_ERR(send(fd[0], "x", 1, MSG_OOB), EOPNOTSUPP);
	CHECK_ERR(recv(fd[0], buf, 1, MSG_OOB), EOPNOTSUPP);
	CHECK_ERR(recv(fd[0], buf, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(send(fd[0], "ab", 2, MSG_EOR), 2);
	CHECK_EQ(recv(fd[1], buf, 8, MSG_PEEK), 2);
	CHECK_EQ(recv(fd[1], buf, 8, MSG_WAITALL), 2);
	CHECK_ERR(recv(unix_socket(SOCK_SEQPACKET), buf, 1, MSG_DONTWAIT), ENOTCONN);
	CHECK_ERR(send(unix_socket(SOCK_SEQPACKET), buf, 1, 0), ENOTCONN);
}

TEST(peek_offset_walks_over_messages)
{
	char buf[8];

	make_pair(SOCK_DGRAM, fd);
	set_option(fd[1], SO_PEEK_OFF, 0);
	CHECK_EQ(write(fd[0], "abc", 3), 3);
	CHECK_EQ(write(fd[0], "de", 2), 2);
	CHECK_EQ(recv(fd[1], buf, 2, MSG_PEEK), 2);
	CHECK_EQ(recv(fd[1], buf, 8, MSG_PEEK), 1);
	CHECK_EQ(buf[0], 'c');
	CHECK_EQ(recv(fd[1], buf, 8, MSG_PEEK), 2);
	CHECK_EQ(buf[0], 'd');
	CHECK_ERR(recv(fd[1], buf, 8, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(recv(fd[1], buf, 8, 0), 3);
	CHECK_EQ(get_option(fd[1], SO_PEEK_OFF), 2);
	CHECK_EQ(recv(fd[1], buf, 8, 0), 2);
}

TEST(a_fault_loses_the_datagram)
{
	char buf[8];

	make_pair(SOCK_DGRAM, fd);
	CHECK_EQ(write(fd[0], "abc", 3), 3);
	CHECK_EQ(write(fd[0], "de", 2), 2);
	CHECK_ERR(recv(fd[1], (void *)8, 8, 0), EFAULT);
	CHECK_EQ(recv(fd[1], buf, 8, 0), 2);
	CHECK_ERR(send(fd[0], (void *)8, 8, 0), EFAULT);
	CHECK_ERR(recv(fd[1], buf, 8, MSG_DONTWAIT), EAGAIN);
}

TEST(sequenced_packets_are_connections)
{
	int l = unix_listener(SOCK_SEQPACKET, "seq", 5), c = unix_socket(SOCK_SEQPACKET), s;
	char buf[8];

	CHECK_ERR(unix_connect(unix_socket(SOCK_STREAM), "seq"), EPROTOTYPE);
	CHECK_ERR(unix_connect(unix_socket(SOCK_DGRAM), "seq"), EPROTOTYPE);
	CHECK_OK(unix_connect(c, "seq"));
	s = (int)CHECK_OK(accept(l, NULL, NULL));
	CHECK_EQ(send(c, "ab", 2, 0), 2);
	CHECK_EQ(unix_sendto(c, "cd", 2, "@whatever"), 2); /* the name does not count */
	CHECK_EQ(recv(s, buf, 8, 0), 2);
	CHECK_EQ(recv(s, buf, 8, 0), 2);
	CHECK_OK(shutdown(c, SHUT_WR));
	CHECK_EQ(recv(s, buf, 8, 0), 0);
}

TEST(timestamps)
{
	char control[64] __attribute__((aligned(8))), buf[8];
	struct iovec iov = { buf, 8 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = (void *)control;
	struct timeval tv;

	make_pair(SOCK_DGRAM, fd);
	set_option(fd[1], SO_TIMESTAMP, 1);
	CHECK_EQ(write(fd[0], "x", 1), 1);
	CHECK_EQ(recvmsg(fd[1], &m, 0), 1);
	CHECK_EQ(m.msg_controllen, CMSG_SPACE(16));
	CHECK_EQ(c->cmsg_type, SO_TIMESTAMP);
	memcpy(&tv, CMSG_DATA(c), sizeof(tv));
	CHECK(labs(time(NULL) - tv.tv_sec) <= 2);
}
