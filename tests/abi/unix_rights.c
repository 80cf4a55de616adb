/* What travels beside the data of AF_UNIX sockets: descriptors and credentials. */
#include "sockets.h"

#include <sys/resource.h>

static int fd[2];

static int open_fds(void)
{
	int n = 0;

	for (int i = 0; i < 1024; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

TEST(a_descriptor_names_the_same_file)
{
	int p[2], got[4], flags, types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	struct stat a, b;
	char c;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		make_pair(types[i], fd);
		CHECK_OK(pipe(p));
		CHECK_EQ(send_fds(fd[0], p, 2), 1);
		CHECK_EQ(recv_fds(fd[1], got, 4, 0, &flags), 2);
		CHECK_EQ(flags, 0);
		CHECK_OK(fstat(p[0], &a));
		CHECK_OK(fstat(got[0], &b));
		CHECK_EQ(a.st_ino, b.st_ino);
		CHECK_EQ(fcntl(got[0], F_GETFD), 0);
		close(p[1]);
		CHECK_EQ(write(got[1], "x", 1), 1);
		close(got[1]);
		CHECK_EQ(read(p[0], &c, 1), 1);
		CHECK_EQ(read(got[0], &c, 1), 0);
		CHECK_EQ(send_fds(fd[0], p, 1), 1);
		CHECK_EQ(recv_fds(fd[1], got, 4, MSG_CMSG_CLOEXEC, &flags), 1);
		CHECK_EQ(fcntl(got[0], F_GETFD), FD_CLOEXEC);
	}
}

TEST(bad_descriptors_are_refused)
{
	int bad[] = { 0, 999 }, before = open_fds(), path, got[2];
	char c;

	make_pair(SOCK_STREAM, fd);
	CHECK_ERR(send_fds(fd[0], bad, 2), EBADF);
	bad[1] = -1;
	CHECK_ERR(send_fds(fd[0], bad, 2), EBADF);
	CHECK_ERR(recv(fd[1], &c, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(open_fds(), before + 2);
	path = (int)CHECK_OK(open("/", O_PATH));
	CHECK_EQ(send_fds(fd[0], &path, 1), 1);
	CHECK_EQ(recv_fds(fd[1], got, 2, 0, NULL), 1);
	CHECK_EQ(fcntl(got[0], F_GETFL) & O_PATH, O_PATH);
}

TEST(up_to_253_descriptors)
{
	int many[254], got[254];

	for (int i = 0; i < 254; i++)
		many[i] = 0;
	make_pair(SOCK_STREAM, fd);
	CHECK_ERR(send_fds(fd[0], many, 254), EINVAL);
	CHECK_EQ(send_fds(fd[0], many, 253), 1);
	CHECK_EQ(recv_fds(fd[1], got, 253, 0, NULL), 253);
	for (int i = 0; i < 253; i++)
		CHECK_OK(close(got[i]));
	CHECK_EQ(send_fds(fd[0], many, 0), 1); /* none is fine, too */
	CHECK_EQ(recv_fds(fd[1], got, 253, 0, NULL), 0);
}

/* A message with control bytes as given. */
static ssize_t send_control(const void *control, size_t len)
{
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = (void *)control,
			    .msg_controllen = len };

	return sendmsg(fd[0], &m, MSG_NOSIGNAL);
}

struct one_fd {
	struct { size_t len; int level, type; } h;
	int fd[2];
};

TEST(control_headers_are_checked)
{
	struct one_fd c[3];
	size_t bad[] = { 0, 1, 15, 25, 1 << 20, (size_t)1 << 63, (size_t)-1, (size_t)-8 };
	char buf[8];

	make_pair(SOCK_STREAM, fd);
	memset(c, 0, sizeof(c));
	c[0].h.level = SOL_SOCKET;
	c[0].h.type = SCM_RIGHTS;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		c[0].h.len = bad[i];
		CHECK_ERR(send_control(c, 24), EINVAL);
	}
	CHECK_EQ(send_control(c, 15), 1); /* too short for a header: nothing there */
	c[0].h.len = 20;
	c[0].h.type = 3;
	CHECK_ERR(send_control(c, 24), EINVAL);
	c[0].h.level = 6;
	CHECK_EQ(send_control(c, 24), 1); /* other levels are not looked at */
	c[0].h.level = SOL_SOCKET;
	c[0].h.type = SCM_RIGHTS;
	c[0].h.len = 19;
	CHECK_EQ(send_control(c, 24), 1); /* no whole descriptor */
	CHECK_EQ(recv(fd[1], buf, 8, 0), 3);
	c[0].h.len = 24;
	c[1] = c[0];
	CHECK_EQ(send_control(c, 48), 1);
	CHECK_EQ(recv(fd[1], buf, 8, 0), 1);
	c[1].h.len = 999;
	CHECK_ERR(send_control(c, 48), EINVAL);
}

TEST(two_lists_become_one)
{
	struct one_fd c[2] = { { { 20, SOL_SOCKET, SCM_RIGHTS }, { 0, 0 } },
			       { { 20, SOL_SOCKET, SCM_RIGHTS }, { 1, 0 } } };
	int got[4];

	make_pair(SOCK_STREAM, fd);
	CHECK_EQ(send_control(c, 48), 1);
	CHECK_EQ(recv_fds(fd[1], got, 4, 0, NULL), 2);
}

TEST(little_room_for_descriptors)
{
	char control[64] __attribute__((aligned(8))), buf[8];
	struct iovec iov = { buf, 8 };
	struct msghdr m;
	struct one_fd *c = (void *)control;
	int three[] = { 0, 0, 0 }, before;

	make_pair(SOCK_DGRAM, fd);
	before = open_fds();
	for (size_t room = 0; room <= 40; room++) {
		int fits = room > 16 ? (int)(room - 16) / 4 : 0;

		if (fits > 3)
			fits = 3;
		memset(control, 0x55, sizeof(control));
		m = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				     .msg_controllen = room };
		CHECK_EQ(send_fds(fd[0], three, 3), 1);
		CHECK_EQ(recvmsg(fd[1], &m, 0), 1);
		CHECK_EQ(m.msg_flags, fits < 3 ? MSG_CTRUNC : 0);
		CHECK_EQ(open_fds(), before + fits);
		if (!fits) {
			CHECK_EQ(m.msg_controllen, 0);
			CHECK_EQ(control[0], 0x55);
			continue;
		}
		CHECK_EQ(c->h.len, 16 + 4 * fits);
		CHECK_EQ(m.msg_controllen, room < CMSG_SPACE(4 * fits) ? room : CMSG_SPACE(4 * fits));
		CHECK_EQ(control[16 + 4 * fits], 0x55);
		for (int i = 0; i < fits; i++)
			close(c->fd[0] + i);
	}
	CHECK_EQ(send_fds(fd[0], three, 3), 1);
	CHECK_EQ(read(fd[1], buf, 8), 1); /* read drops them */
	CHECK_EQ(open_fds(), before);
	CHECK_EQ(send_fds(fd[0], three, 3), 1);
	m = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 };
	CHECK_EQ(recvmsg(fd[1], &m, 0), 1);
	CHECK_EQ(m.msg_flags, MSG_CTRUNC);
}

TEST(a_full_table_cuts_the_list)
{
	struct rlimit r = { 12, 12 };
	int three[] = { 0, 1, 0 }, got[4], flags, n;

	make_pair(SOCK_STREAM, fd);
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &r));
	while ((n = dup(0)) < 11)
		CHECK_OK(n);
	close(11);
	CHECK_EQ(send_fds(fd[0], three, 3), 1);
	CHECK_EQ(recv_fds(fd[1], got, 4, 0, &flags), 1);
	CHECK_EQ(got[0], 11);
	CHECK_EQ(flags, MSG_CTRUNC);
	CHECK_EQ(send_fds(fd[0], three, 3), 1);
	CHECK_EQ(recv_fds(fd[1], got, 4, 0, &flags), 0);
	CHECK_EQ(flags, MSG_CTRUNC);
}

TEST(peeking_makes_copies)
{
	int zero = 0, got[2], before;

	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		make_pair(type, fd);
		CHECK_EQ(send_fds(fd[0], &zero, 1), 1);
		before = open_fds();
		CHECK_EQ(recv_fds(fd[1], got, 2, MSG_PEEK, NULL), 1);
		CHECK_EQ(recv_fds(fd[1], got, 2, MSG_PEEK, NULL), 1);
		CHECK_EQ(recv_fds(fd[1], got, 2, 0, NULL), 1);
		CHECK_EQ(open_fds(), before + 3);
	}
}

TEST(descriptors_end_a_stream_receive)
{
	int zero = 0, got[2];
	char buf[16];

	make_pair(SOCK_STREAM, fd);
	CHECK_EQ(write(fd[0], "abc", 3), 3);
	CHECK_EQ(send_fds(fd[0], &zero, 1), 1);
	CHECK_EQ(write(fd[0], "def", 3), 3);
	CHECK_EQ(recv_fds(fd[1], got, 2, 0, NULL), 1); /* "abc" and "x" */
	CHECK_EQ(recv(fd[1], buf, 16, 0), 3);
	CHECK(!memcmp(buf, "def", 3));
}

TEST(sockets_travel_too)
{
	int other[2], got[2], l, c;
	char buf[8];

	make_pair(SOCK_STREAM, fd);
	make_pair(SOCK_STREAM, other);
	CHECK_EQ(write(other[0], "inside", 6), 6);
	CHECK_EQ(send_fds(fd[0], &other[1], 1), 1);
	close(other[1]);
	CHECK_EQ(write(other[0], "2", 1), 1);
	CHECK_EQ(recv_fds(fd[1], got, 1, 0, NULL), 1);
	CHECK_EQ(read(got[0], buf, 8), 7);
	l = unix_listener(SOCK_STREAM, "@travels", 5);
	CHECK_EQ(send_fds(fd[0], &l, 1), 1);
	close(l);
	c = unix_socket(SOCK_STREAM);
	CHECK_OK(unix_connect(c, "@travels"));
	CHECK_EQ(recv_fds(fd[1], got, 1, 0, NULL), 1);
	CHECK_OK(accept(got[0], NULL, NULL));
	CHECK_EQ(send_fds(fd[0], fd, 2), 1); /* itself and its peer */
	CHECK_EQ(recv_fds(fd[1], got, 2, 0, NULL), 2);
	CHECK_EQ(write(got[0], "self", 4), 4);
	CHECK_EQ(read(got[1], buf, 8), 4);
}

TEST(closing_the_queue_closes_what_lies_in_it)
{
	int p[2];
	char c;

	make_pair(SOCK_STREAM, fd);
	CHECK_OK(pipe(p));
	CHECK_EQ(send_fds(fd[0], &p[1], 1), 1);
	close(p[1]);
	CHECK_OK(fcntl(p[0], F_SETFL, O_NONBLOCK));
	CHECK_ERR(read(p[0], &c, 1), EAGAIN);
	close(fd[1]);
	CHECK_EQ(read(p[0], &c, 1), 0);
}

/* The pipe's writers are gone, perhaps after a while: what held them has been collected. */
static void check_collected(int rd)
{
	struct pollfd p = { .fd = rd, .events = POLLIN };
	int extra[2];

	/* Linux looks when some socket dies. */
	for (int i = 0; i < 50; i++) {
		make_pair(SOCK_STREAM, extra);
		close(extra[0]);
		close(extra[1]);
		CHECK_OK(poll(&p, 1, 100));
		if (p.revents & POLLHUP)
			return;
	}
	FAIL("the pipe is still held");
}

TEST(a_socket_in_its_own_queue_is_collected)
{
	int p[2];

	CHECK_OK(pipe(p));
	make_pair(SOCK_STREAM, fd);
	CHECK_EQ(send_fds(fd[0], (int[]){ p[1], fd[1] }, 2), 1);
	close(p[1]);
	close(fd[0]);
	close(fd[1]);
	check_collected(p[0]);
}

TEST(both_ends_in_a_queue_are_collected)
{
	int p[2];

	CHECK_OK(pipe(p));
	make_pair(SOCK_DGRAM, fd);
	CHECK_EQ(send_fds(fd[0], (int[]){ p[1], fd[1], fd[0] }, 3), 1);
	close(p[1]);
	close(fd[0]);
	close(fd[1]);
	check_collected(p[0]);
}

TEST(a_ring_of_sockets_is_collected)
{
	enum { N = 20 };
	int pair[N][2], p[2];

	CHECK_OK(pipe(p));
	for (int i = 0; i < N; i++)
		make_pair(SOCK_STREAM, pair[i]);
	for (int i = 0; i < N; i++)
		CHECK_EQ(send_fds(pair[i][0], (int[]){ p[1], pair[(i + 1) % N][1] }, 2), 1);
	close(p[1]);
	for (int i = 0; i < N; i++) {
		close(pair[i][0]);
		close(pair[i][1]);
	}
	check_collected(p[0]);
}

TEST(a_listener_in_its_own_queue_is_collected)
{
	int p[2], l = unix_listener(SOCK_STREAM, "@cycle", 5), c = unix_socket(SOCK_STREAM);

	CHECK_OK(pipe(p));
	CHECK_OK(unix_connect(c, "@cycle"));
	CHECK_EQ(send_fds(c, (int[]){ p[1], l }, 2), 1);
	close(p[1]);
	close(l);
	close(c);
	check_collected(p[0]);
	CHECK_ERR(unix_connect(unix_socket(SOCK_STREAM), "@cycle"), ECONNREFUSED);
}

TEST(a_live_holder_keeps_a_cycle_alive)
{
	int p[2], keep[2], got[4];
	char c;

	CHECK_OK(pipe(p));
	make_pair(SOCK_STREAM, fd);
	make_pair(SOCK_STREAM, keep);
	CHECK_EQ(send_fds(fd[0], (int[]){ p[1], fd[1] }, 2), 1);
	CHECK_EQ(send_fds(keep[0], &fd[1], 1), 1);
	close(p[1]);
	close(fd[0]);
	close(fd[1]);
	for (int i = 0; i < 5; i++) {
		make_pair(SOCK_STREAM, fd);
		close(fd[0]);
		close(fd[1]);
		sleep_ms(20);
	}
	CHECK_EQ(recv_fds(keep[1], got, 4, 0, NULL), 1);
	CHECK_EQ(recv_fds(got[0], got + 1, 2, 0, NULL), 2);
	CHECK_EQ(write(got[1], "!", 1), 1);
	CHECK_EQ(read(p[0], &c, 1), 1);
	close(got[0]);
	close(got[1]);
	close(got[2]);
	check_collected(p[0]);
}

TEST(what_is_under_way_counts_against_the_limit)
{
	struct rlimit r = { 64, 64 };
	int zero[32] = { 0 }, n = 0;
	char c;

	if (geteuid())
		SKIP("root only");
	IN_CHILD {
		make_pair(SOCK_STREAM, fd);
		become(4242, 4242);
		CHECK_OK(setrlimit(RLIMIT_NOFILE, &r));
		while (send_fds(fd[0], zero, 32) == 1)
			n++;
		CHECK_EQ(errno, ETOOMANYREFS);
		CHECK_EQ(n, 3);
		CHECK_EQ(write(fd[0], "x", 1), 1);
		while (recv(fd[1], &c, 1, MSG_DONTWAIT) > 0)
			;
		CHECK_EQ(send_fds(fd[0], zero, 32), 1);
	}
}

/* ---- Credentials ---- */

static ssize_t send_creds(int sock, pid_t pid, uid_t uid, gid_t gid)
{
	struct { struct { size_t len; int level, type; } h; struct test_ucred u; } c = {
		{ sizeof(c.h) + sizeof(c.u), SOL_SOCKET, SCM_CREDENTIALS }, { pid, uid, gid } };
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c,
			    .msg_controllen = c.h.len };

	return sendmsg(sock, &m, 0);
}

/* The credentials of the next message; false: it has none. */
static bool recv_creds(int sock, struct test_ucred *u)
{
	char control[64] __attribute__((aligned(8))) = { 0 }, buf[4];
	struct iovec iov = { buf, 4 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = (void *)control;

	CHECK_OK(recvmsg(sock, &m, MSG_DONTWAIT));
	if (!m.msg_controllen)
		return false;
	CHECK_EQ(c->cmsg_type, SCM_CREDENTIALS);
	CHECK_EQ(c->cmsg_len, CMSG_LEN(sizeof(*u)));
	memcpy(u, CMSG_DATA(c), sizeof(*u));
	return true;
}

TEST(credentials_on_request)
{
	struct test_ucred u;
	char buf[4];

	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		make_pair(type, fd);
		CHECK_EQ(write(fd[0], "a", 1), 1);
		CHECK(!recv_creds(fd[1], &u));
		CHECK_EQ(write(fd[0], "b", 1), 1);
		set_option(fd[1], SO_PASSCRED, 1);
		CHECK(recv_creds(fd[1], &u)); /* sent before anybody asked */
		CHECK(u.pid == 0 && u.uid == 65534 && u.gid == 65534);
		CHECK_EQ(write(fd[0], "c", 1), 1);
		CHECK(recv_creds(fd[1], &u));
		CHECK(u.pid == getpid() && u.uid == getuid() && u.gid == getgid());
		CHECK_EQ(write(fd[0], "d", 1), 1);
		CHECK_EQ(read(fd[1], buf, 4), 1);
		CHECK_EQ(send_creds(fd[0], getpid(), getuid(), getgid()), 1);
		CHECK(recv_creds(fd[1], &u));
		CHECK_EQ(u.pid, getpid());
	}
}

TEST(streams_do_not_glue_senders)
{
	struct test_ucred u;

	make_pair(SOCK_STREAM, fd);
	set_option(fd[1], SO_PASSCRED, 1);
	CHECK_EQ(write(fd[0], "a", 1), 1);
	IN_CHILD
		CHECK_EQ(write(fd[0], "b", 1), 1);
	CHECK(recv_creds(fd[1], &u));
	CHECK_EQ(u.pid, getpid());
	CHECK(recv_creds(fd[1], &u));
	CHECK(u.pid != getpid());
}

TEST(credentials_are_checked)
{
	make_pair(SOCK_STREAM, fd);
	CHECK_ERR(send_creds(fd[0], getpid(), (uid_t)-1, 0), EINVAL);
	CHECK_ERR(send_creds(fd[0], getpid(), 0, (gid_t)-1), EINVAL);
	if (geteuid())
		SKIP("root only");
	CHECK_EQ(send_creds(fd[0], 1, 12, 34), 1);
	CHECK_ERR(send_creds(fd[0], 0x3ffffff, 0, 0), ESRCH);
	CHECK_ERR(send_creds(fd[0], 0, 0, 0), ESRCH);
	CHECK_ERR(send_creds(fd[0], -1, 0, 0), ESRCH);
	IN_CHILD {
		become(7, 8);
		CHECK_EQ(send_creds(fd[0], getpid(), 7, 8), 1);
		CHECK_ERR(send_creds(fd[0], 1, 7, 8), EPERM);
		CHECK_ERR(send_creds(fd[0], getpid(), 0, 8), EPERM);
		CHECK_ERR(send_creds(fd[0], getpid(), 7, 0), EPERM);
	}
}
