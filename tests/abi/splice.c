/* Data moved between descriptors by the kernel: splice, tee, vmsplice, sendfile, copy_file_range, eventfd. */
#include "test.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static int rd, wr;

static void make_pipe(int flags)
{
	int p[2];

	CHECK_OK(pipe2(p, flags));
	rd = p[0];
	wr = p[1];
}

static int make_file(const char *name, const char *text)
{
	int fd = CHECK_OK(open(name, O_RDWR | O_CREAT | O_TRUNC, 0600));

	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	CHECK_OK(lseek(fd, 0, SEEK_SET));
	return fd;
}

static void expect_read(int fd, const char *text)
{
	char buf[64];
	ssize_t n = CHECK_OK(read(fd, buf, sizeof(buf) - 1));

	buf[n] = '\0';
	CHECK_STR(buf, text);
}

TEST(splice_file_to_pipe_moves_the_position)
{
	int fd = make_file("f", "0123456789");
	loff_t off = 4;

	make_pipe(O_NONBLOCK);
	CHECK_EQ(splice(fd, NULL, wr, NULL, 3, 0), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
	CHECK_EQ(splice(fd, &off, wr, NULL, 100, 0), 6);
	CHECK_EQ(off, 10);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
	CHECK_EQ(splice(fd, &off, wr, NULL, 100, 0), 0);
	expect_read(rd, "012456789");
}

TEST(splice_pipe_to_file_takes_what_it_is_asked_for)
{
	int fd = make_file("f", "..........");
	loff_t off = 2;

	make_pipe(O_NONBLOCK);
	CHECK_EQ(write(wr, "abcdef", 6), 6);
	CHECK_EQ(splice(rd, NULL, fd, &off, 4, 0), 4);
	CHECK_EQ(off, 6);
	CHECK_EQ(splice(rd, NULL, fd, NULL, 1, 0), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 1);
	expect_read(rd, "f");
	CHECK_OK(lseek(fd, 0, SEEK_SET));
	expect_read(fd, "e.abcd....");
	CHECK_ERR(splice(rd, NULL, fd, NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
	close(wr);
	CHECK_EQ(splice(rd, NULL, fd, NULL, 1, 0), 0);
}

TEST(splice_pipe_to_pipe)
{
	int in, out;

	make_pipe(O_NONBLOCK);
	in = rd;
	CHECK_EQ(write(wr, "abcdef", 6), 6);
	make_pipe(O_NONBLOCK);
	out = rd;
	CHECK_EQ(splice(in, NULL, wr, NULL, 2, 0), 2);
	expect_read(in, "cdef");
	expect_read(out, "ab");
	CHECK_ERR(splice(in, NULL, wr, NULL, 1, 0), EAGAIN);
}

TEST(splice_refusals)
{
	int fd = make_file("f", "x"), append = CHECK_OK(open("f", O_WRONLY | O_APPEND));
	loff_t off = 0;

	make_pipe(O_NONBLOCK);
	CHECK_EQ(splice(-1, NULL, -1, NULL, 0, ~0u), 0);
	CHECK_ERR(splice(fd, NULL, wr, NULL, 1, 16), EINVAL);
	CHECK_ERR(splice(-1, NULL, wr, NULL, 1, 0), EBADF);
	CHECK_ERR(splice(wr, NULL, fd, NULL, 1, 0), EBADF);
	CHECK_ERR(splice(fd, NULL, fd, NULL, 1, 0), EINVAL);
	CHECK_ERR(splice(rd, NULL, wr, NULL, 1, 0), EINVAL);
	CHECK_ERR(splice(rd, &off, fd, NULL, 1, 0), ESPIPE);
	CHECK_ERR(splice(fd, NULL, wr, &off, 1, 0), ESPIPE);
	CHECK_EQ(write(wr, "x", 1), 1);
	CHECK_ERR(splice(rd, NULL, append, NULL, 1, 0), EINVAL);
}

TEST(splice_into_a_full_pipe)
{
	static char page[4096];
	int fd = make_file("f", "");

	make_pipe(O_NONBLOCK);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(write(fd, page, 4096), 4096);
	CHECK_OK(lseek(fd, 0, SEEK_SET));
	CHECK_EQ(splice(fd, NULL, wr, NULL, 80 * 1024, 0), 64 * 1024);
	CHECK_ERR(splice(fd, NULL, wr, NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
	close(rd);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(splice(fd, NULL, wr, NULL, 1, 0), EPIPE);
}

TEST(tee_copies_without_consuming)
{
	int in, in_w, out;

	make_pipe(O_NONBLOCK);
	in = rd;
	in_w = wr;
	make_pipe(O_NONBLOCK);
	out = rd;
	CHECK_EQ(write(in_w, "abc", 3), 3);
	CHECK_EQ(tee(in, wr, 2, 0), 2);
	/* What is written now must not show up in the copy. */
	CHECK_EQ(write(in_w, "d", 1), 1);
	CHECK_EQ(tee(in, wr, 100, 0), 4);
	expect_read(out, "ababcd");
	expect_read(in, "abcd");
	CHECK_ERR(tee(in, wr, 1, 0), EAGAIN);
	CHECK_ERR(tee(in, in_w, 1, 0), EINVAL);
	CHECK_EQ(tee(-1, -1, 0, 0), 0);
	close(in_w);
	CHECK_EQ(tee(in, wr, 1, 0), 0);
}

TEST(vmsplice_both_ways)
{
	static char big[100 * 1024] __attribute__((aligned(4096)));
	struct iovec v[2] = { { "abc", 3 }, { "def", 3 } }, all = { big, sizeof(big) };
	char buf[8] = { 0 };
	struct iovec to = { buf, 6 };

	make_pipe(0);
	CHECK_EQ(vmsplice(wr, v, 2, 0), 6);
	CHECK_EQ(vmsplice(rd, &to, 1, 0), 6);
	CHECK_STR(buf, "abcdef");
	/* More than fits: a short count, not a wait. */
	CHECK_EQ(vmsplice(wr, &all, 1, 0), 64 * 1024);
	CHECK_ERR(vmsplice(wr, &all, 1, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_ERR(vmsplice(make_file("f", ""), v, 1, 0), EBADF);
}

TEST(sendfile_limits)
{
	int in = make_file("in", "0123456789"), out = make_file("out", "");
	int append = CHECK_OK(open("out", O_WRONLY | O_APPEND));
	off_t off = -1;

	make_pipe(O_NONBLOCK);
	CHECK_ERR(sendfile(out, in, &off, 1), EINVAL);
	CHECK_ERR(sendfile(append, in, NULL, 1), EINVAL);
	CHECK_ERR(sendfile(out, wr, NULL, 1), EBADF);
	off = 0;
	CHECK_ERR(sendfile(out, rd, &off, 1), ESPIPE);
	CHECK_EQ(sendfile(wr, in, NULL, 100), 10);
	expect_read(rd, "0123456789");
	CHECK_EQ(sendfile(out, in, NULL, 100), 0);
	CHECK_EQ(sendfile(out, in, NULL, 0), 0);
}

TEST(copy_file_range_within_and_across)
{
	int a = make_file("a", "0123456789"), b = make_file("b", "");
	loff_t from = 2, to = 5;

	CHECK_EQ(syscall(SYS_copy_file_range, a, &from, b, NULL, 3L, 0), 3);
	CHECK_EQ(from, 5);
	CHECK_EQ(lseek(a, 0, SEEK_CUR), 0);
	CHECK_EQ(lseek(b, 0, SEEK_CUR), 3);
	from = 0;
	CHECK_EQ(syscall(SYS_copy_file_range, a, &from, a, &to, 5L, 0), 5);
	expect_read(a, "0123401234");
	from = 0, to = 2;
	CHECK_ERR(syscall(SYS_copy_file_range, a, &from, a, &to, 5L, 0), EINVAL);
	CHECK_ERR(syscall(SYS_copy_file_range, a, NULL, b, NULL, 1L, 1), EINVAL);
	CHECK_ERR(syscall(SYS_copy_file_range, a, NULL, -1, NULL, 1L, 0), EBADF);
	CHECK_ERR(syscall(SYS_copy_file_range, open("/", O_RDONLY), NULL, b, NULL, 1L, 0), EISDIR);
	CHECK_ERR(syscall(SYS_copy_file_range, open("a", O_RDONLY), NULL, open("b", O_RDONLY), NULL,
			  1L, 0), EBADF);
	from = 100;
	CHECK_EQ(syscall(SYS_copy_file_range, a, &from, b, NULL, 1L, 0), 0);
}

TEST(eventfd_counts)
{
	int fd = CHECK_OK(eventfd(3, EFD_NONBLOCK));
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };
	u64 v = 4;

	CHECK_EQ(write(fd, &v, 8), 8);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 7);
	CHECK_ERR(read(fd, &v, 8), EAGAIN);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
	v = UINT64_MAX;
	CHECK_ERR(write(fd, &v, 8), EINVAL);
	v = UINT64_MAX - 1;
	CHECK_EQ(write(fd, &v, 8), 8);
	v = 1;
	CHECK_ERR(write(fd, &v, 8), EAGAIN);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN);
	CHECK_ERR(read(fd, &v, 7), EINVAL);
	CHECK_ERR(pread(fd, &v, 8, 0), ESPIPE);
	CHECK_ERR(eventfd(0, 2), EINVAL);
}

TEST(eventfd_semaphore_wakes_a_reader)
{
	int fd = CHECK_OK(eventfd(0, EFD_SEMAPHORE));
	u64 v = 2;
	pid_t pid = test_fork();

	if (pid == 0) {
		CHECK_EQ(read(fd, &v, 8), 8);
		_exit(v == 1 ? 0 : 1);
	}
	wait_state(pid, "S");
	CHECK_EQ(write(fd, &v, 8), 8);
	CHECK_EXITS(pid, 0);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 1);
}
