/* Pipes and FIFOs: capacity, blocking, atomicity, end conditions. */
#include "test.h"

#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>

static int rd, wr;

static void make_pipe(int flags)
{
	int p[2];

	CHECK_OK(pipe2(p, flags));
	rd = p[0];
	wr = p[1];
}

/* Fill the pipe without blocking; the number of bytes it took. */
static long fill(void)
{
	static char buf[4096];
	long total = 0;
	ssize_t n;

	CHECK_OK(fcntl(wr, F_SETFL, O_NONBLOCK));
	while ((n = write(wr, buf, sizeof(buf))) > 0)
		total += n;
	CHECK_EQ(errno, EAGAIN);
	return total;
}

TEST(flags_and_refusals)
{
	make_pipe(O_CLOEXEC | O_NONBLOCK);
	CHECK_EQ(fcntl(rd, F_GETFD), FD_CLOEXEC);
	CHECK(fcntl(wr, F_GETFL) & O_NONBLOCK);
	CHECK_EQ(fcntl(rd, F_GETFL) & O_ACCMODE, O_RDONLY);
	CHECK_EQ(fcntl(wr, F_GETFL) & O_ACCMODE, O_WRONLY);
	CHECK_ERR(syscall(SYS_pipe2, (int[2]){ 0 }, 1), EINVAL);
	CHECK_ERR(syscall(SYS_pipe, 8), EFAULT);
	CHECK_ERR(write(rd, "x", 1), EBADF);
	CHECK_ERR(read(wr, &rd, 1), EBADF);
}

TEST(default_capacity_is_64k)
{
	make_pipe(0);
	CHECK_EQ(fcntl(wr, 1032 /* F_GETPIPE_SZ */), 65536);
	CHECK_EQ(fill(), 65536);
}

TEST(setpipe_sz)
{
	make_pipe(0);
	CHECK_EQ(fcntl(wr, 1031, 1), 4096);
	CHECK_EQ(fill(), 4096);
	CHECK_EQ(fcntl(rd, 1031, 100000), 131072);
	CHECK_EQ(fill(), 131072 - 4096);
	CHECK_ERR(fcntl(wr, 1031, 4096), EBUSY);
	CHECK_ERR(fcntl(wr, 1031, -1), EINVAL);
	CHECK_ERR(fcntl(CHECK_OK(open("/", O_RDONLY)), 1032), EBADF);
	if (geteuid())
		return;
	IN_CHILD {
		become(7, 7);
		CHECK_ERR(fcntl(wr, 1031, 16 << 20), EPERM);
	}
}

TEST(data_arrives_in_order_and_split)
{
	char buf[8] = "";

	make_pipe(0);
	CHECK_EQ(write(wr, "abcdef", 6), 6);
	CHECK_EQ(write(wr, "gh", 2), 2);
	CHECK_EQ(read(rd, buf, 4), 4);
	CHECK(!memcmp(buf, "abcd", 4));
	CHECK_EQ(read(rd, buf, 8), 4);
	CHECK(!memcmp(buf, "efgh", 4));
}

TEST(end_of_file_when_all_writers_are_gone)
{
	char c;
	int w2;

	make_pipe(0);
	w2 = CHECK_OK(dup(wr));
	CHECK_EQ(write(wr, "x", 1), 1);
	close(wr);
	CHECK_EQ(read(rd, &c, 1), 1);
	CHECK_OK(fcntl(rd, F_SETFL, O_NONBLOCK));
	CHECK_ERR(read(rd, &c, 1), EAGAIN);
	close(w2);
	CHECK_EQ(read(rd, &c, 1), 0);
}

TEST(no_reader_is_epipe)
{
	make_pipe(0);
	signal(SIGPIPE, SIG_IGN);
	CHECK_EQ(write(wr, "x", 1), 1);
	close(rd);
	CHECK_ERR(write(wr, "y", 1), EPIPE);
	CHECK_EQ(write(wr, "", 0), 0);
}

TEST(closing_the_reader_wakes_a_blocked_writer)
{
	pid_t pid;

	make_pipe(0);
	fill();
	CHECK_OK(fcntl(wr, F_SETFL, 0));
	pid = test_fork();
	if (pid == 0) {
		close(rd);
		write(wr, "x", 1);
		_exit(1);
	}
	wait_state(pid, "S");
	close(rd);
	CHECK_KILLED(pid, SIGPIPE);
}

TEST(small_nonblocking_write_is_all_or_nothing)
{
	static char buf[PIPE_BUF];
	char c[100];

	make_pipe(0);
	fill();
	CHECK_EQ(read(rd, c, 100), 100);
	CHECK_ERR(write(wr, buf, PIPE_BUF), EAGAIN);
	CHECK_EQ(read(rd, buf, PIPE_BUF), PIPE_BUF);
	CHECK_EQ(write(wr, buf, PIPE_BUF), PIPE_BUF);
}

TEST(large_nonblocking_write_is_partial)
{
	static char buf[200000];

	make_pipe(O_NONBLOCK);
	CHECK_EQ(write(wr, buf, sizeof(buf)), 65536);
	CHECK_ERR(write(wr, buf, sizeof(buf)), EAGAIN);
}

TEST(large_blocking_write_waits_for_room)
{
	static char buf[200000];
	pid_t pid;
	long total = 0;
	ssize_t n;

	make_pipe(0);
	pid = test_fork();
	if (pid == 0)
		_exit(write(wr, buf, sizeof(buf)) != sizeof(buf));
	close(wr);
	while ((n = CHECK_OK(read(rd, buf, 7777))) > 0)
		total += n;
	CHECK_EQ(total, sizeof(buf));
	CHECK_EXITS(pid, 0);
}

/* Writes up to PIPE_BUF from several processes never mix. */
TEST(writes_up_to_pipe_buf_do_not_interleave)
{
	enum { WRITERS = 4, EACH = 50, SIZE = 1000 };
	char buf[SIZE];
	int got = 0;

	make_pipe(0);
	for (int w = 0; w < WRITERS; w++)
		if (test_fork() == 0) {
			memset(buf, 'a' + w, SIZE);
			for (int i = 0; i < EACH; i++)
				CHECK_EQ(write(wr, buf, SIZE), SIZE);
			_exit(0);
		}
	close(wr);
	for (;;) {
		int n = 0;
		ssize_t r = 0;

		while (n < SIZE && (r = CHECK_OK(read(rd, buf + n, SIZE - n))) > 0)
			n += r;
		if (r == 0)
			break;
		for (int i = 1; i < SIZE; i++)
			CHECK_EQ(buf[i], buf[0]);
		got++;
	}
	CHECK_EQ(got, WRITERS * EACH);
	while (wait(NULL) > 0)
		;
}

TEST(fionread_and_poll_states)
{
	struct pollfd p[2];
	int n = -1;

	make_pipe(0);
	p[0] = (struct pollfd){ rd, POLLIN | POLLOUT, 0 };
	p[1] = (struct pollfd){ wr, POLLIN | POLLOUT, 0 };
	CHECK_EQ(poll(p, 2, 0), 1);
	CHECK_EQ(p[0].revents, 0);
	CHECK_EQ(p[1].revents, POLLOUT);
	CHECK_EQ(write(wr, "abc", 3), 3);
	CHECK_OK(ioctl(rd, FIONREAD, &n));
	CHECK_EQ(n, 3);
	CHECK_EQ(poll(p, 1, 0), 1);
	CHECK_EQ(p[0].revents, POLLIN);
	fill();
	CHECK_EQ(poll(p + 1, 1, 0), 0);
	close(wr);
	CHECK_EQ(poll(p, 1, 0), 1);
	CHECK_EQ(p[0].revents, POLLIN | POLLHUP);
	make_pipe(0);
	close(rd);
	p[1].fd = wr;
	CHECK_EQ(poll(p + 1, 1, 0), 1);
	CHECK_EQ(p[1].revents, POLLOUT | POLLERR);
}

TEST(fifo_open_waits_for_the_other_end)
{
	pid_t pid;
	int fd;
	char c;

	SKIP_ON_SHARE("mkfifo with this QEMU");
	CHECK_OK(mkfifo("p", 0600));
	CHECK_ERR(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
	fd = CHECK_OK(open("p", O_RDONLY | O_NONBLOCK));
	CHECK_EQ(read(fd, &c, 1), 0); /* never had a writer */
	close(fd);
	pid = test_fork();
	if (pid == 0) {
		fd = CHECK_OK(open("p", O_WRONLY));
		CHECK_EQ(write(fd, "x", 1), 1);
		_exit(0);
	}
	wait_state(pid, "S");
	fd = CHECK_OK(open("p", O_RDONLY));
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EXITS(pid, 0);
	CHECK_EQ(read(fd, &c, 1), 0);
	CHECK_OK(open("p", O_RDWR));
}

TEST(fifo_shares_one_buffer)
{
	int a, b, w;
	char buf[4] = "";

	SKIP_ON_SHARE("mkfifo with this QEMU");
	CHECK_OK(mkfifo("p", 0600));
	a = CHECK_OK(open("p", O_RDONLY | O_NONBLOCK));
	b = CHECK_OK(open("p", O_RDONLY | O_NONBLOCK));
	w = CHECK_OK(open("p", O_WRONLY));
	CHECK_ERR(read(a, buf, 1), EAGAIN);
	CHECK_EQ(write(w, "12", 2), 2);
	CHECK_EQ(read(a, buf, 1), 1);
	CHECK_EQ(read(b, buf + 1, 1), 1);
	CHECK_STR(buf, "12");
	CHECK_OK(unlink("p"));
	CHECK_EQ(write(w, "3", 1), 1);
	CHECK_EQ(read(a, buf, 4), 1);
}

TEST(pipe_reopened_through_proc)
{
	char path[40], c;
	int again;

	make_pipe(0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", rd);
	again = CHECK_OK(open(path, O_RDONLY));
	CHECK_EQ(write(wr, "q", 1), 1);
	CHECK_EQ(read(again, &c, 1), 1);
	CHECK_EQ(c, 'q');
}
