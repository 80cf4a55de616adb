/* Opening, reading, writing, seeking, truncating; descriptors and their flags. */
#include "test.h"

#include <limits.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <sys/sendfile.h>

static int create(const char *text)
{
	write_file("f", text);
	return CHECK_OK(open("f", O_RDWR));
}

static void check_content(int fd, const char *want)
{
	char buf[256] = "";

	CHECK_EQ(pread(fd, buf, sizeof(buf) - 1, 0), strlen(want));
	CHECK_STR(buf, want);
}

TEST(open_flags)
{
	int fd;

	CHECK_ERR(open("f", O_RDONLY), ENOENT);
	fd = CHECK_OK(open("f", O_RDWR | O_CREAT | O_EXCL, 0640));
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_ERR(open("f", O_CREAT | O_EXCL, 0600), EEXIST);
	CHECK_OK(open("f", O_RDWR | O_TRUNC));
	check_content(fd, "");
	CHECK_ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERR(open("f/", O_RDONLY), ENOTDIR);
	CHECK_ERR(open("new/", O_CREAT, 0600), EISDIR);
	CHECK_ERR(open(".", O_WRONLY), EISDIR);
	CHECK_ERR(open(".", O_RDWR), EISDIR);
	CHECK_ERR(open(".", O_RDONLY | O_CREAT, 0600), EISDIR);
	CHECK_ERR(open("", O_RDONLY), ENOENT);
	CHECK_ERR(open("no/such", O_CREAT, 0600), ENOENT);
	CHECK_ERR(open((char *)8, O_RDONLY), EFAULT);
}

TEST(access_mode_is_enforced)
{
	char c;
	int r, w;

	write_file("f", "x");
	r = CHECK_OK(open("f", O_RDONLY));
	w = CHECK_OK(open("f", O_WRONLY));
	CHECK_ERR(write(r, "y", 1), EBADF);
	CHECK_ERR(read(w, &c, 1), EBADF);
	CHECK_ERR(ftruncate(r, 0), EINVAL);
	CHECK_EQ(fcntl(r, F_GETFL) & O_ACCMODE, O_RDONLY);
	CHECK_EQ(fcntl(w, F_GETFL) & O_ACCMODE, O_WRONLY);
}

TEST(umask_applies_to_new_files)
{
	struct stat st;

	umask(027);
	close(CHECK_OK(open("f", O_CREAT | O_WRONLY, 0777)));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0750);
	CHECK_OK(mkdir("d", 0777));
	CHECK_OK(stat("d", &st));
	CHECK_EQ(st.st_mode, S_IFDIR | 0750);
	CHECK_EQ(umask(0777), 027);
	CHECK_EQ(umask(01777), 0777);
	CHECK_EQ(umask(0), 0777);
}

TEST(lowest_descriptor_is_given)
{
	int a = CHECK_OK(dup(1)), b = CHECK_OK(dup(1));

	CHECK_EQ(b, a + 1);
	CHECK_OK(close(a));
	CHECK_EQ(dup(1), a);
	CHECK_EQ(fcntl(1, F_DUPFD, 100), 100);
	CHECK_EQ(fcntl(1, F_DUPFD, 100), 101);
	CHECK_ERR(fcntl(1, F_DUPFD, -1), EINVAL);
	CHECK_ERR(close(500), EBADF);
	CHECK_ERR(close(-1), EBADF);
	CHECK_ERR(dup(500), EBADF);
}

TEST(dup2_and_dup3)
{
	int fd = create("x");

	CHECK_EQ(dup2(fd, fd), fd);
	CHECK_EQ(dup2(fd, 50), 50);
	CHECK_EQ(fcntl(50, F_GETFD), 0);
	CHECK_ERR(dup2(500, 50), EBADF);
	CHECK_OK(fcntl(50, F_GETFD));
	CHECK_ERR(dup2(fd, -1), EBADF);
	CHECK_ERR(dup2(fd, INT_MAX), EBADF);
	CHECK_ERR(syscall(SYS_dup3, fd, fd, 0), EINVAL);
	CHECK_ERR(syscall(SYS_dup3, fd, 51, O_RDONLY | O_APPEND), EINVAL);
	CHECK_EQ(syscall(SYS_dup3, fd, 51, O_CLOEXEC), 51);
	CHECK_EQ(fcntl(51, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(lseek(fd, 1, SEEK_SET), 1);
	CHECK_EQ(lseek(51, 0, SEEK_CUR), 1);
}

TEST(cloexec_flag)
{
	int fd = CHECK_OK(open("/", O_RDONLY | O_CLOEXEC));

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_OK(fcntl(fd, F_SETFD, 0));
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK_EQ(fcntl(CHECK_OK(fcntl(fd, F_DUPFD_CLOEXEC, 0)), F_GETFD), FD_CLOEXEC);
	CHECK_OK(ioctl(fd, FIOCLEX));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_OK(ioctl(fd, FIONCLEX));
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
}

TEST(setfl_changes_only_what_it_may)
{
	int fd = create("abc");

	CHECK_OK(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | O_WRONLY | O_CREAT));
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_CREAT),
		 O_RDWR | O_APPEND | O_NONBLOCK);
	CHECK_EQ(write(fd, "d", 1), 1);
	check_content(fd, "abcd");
	CHECK_ERR(fcntl(fd, 9999), EINVAL);
}

TEST(append_writes_at_the_end)
{
	int a, b;

	create("12");
	a = CHECK_OK(open("f", O_WRONLY | O_APPEND));
	b = CHECK_OK(open("f", O_RDWR | O_APPEND));
	CHECK_EQ(write(a, "3", 1), 1);
	CHECK_EQ(write(b, "4", 1), 1);
	CHECK_OK(lseek(a, 0, SEEK_SET));
	CHECK_EQ(write(a, "5", 1), 1);
	CHECK_EQ(lseek(a, 0, SEEK_CUR), 5);
	CHECK_EQ(pwrite(b, "6", 1, 0), 1); /* Linux appends here too */
	check_content(b, "123456");
}

TEST(seek)
{
	int fd = create("0123456789"), pipefd[2];

	CHECK_EQ(lseek(fd, 3, SEEK_SET), 3);
	CHECK_EQ(lseek(fd, 2, SEEK_CUR), 5);
	CHECK_EQ(lseek(fd, -1, SEEK_END), 9);
	CHECK_EQ(lseek(fd, 100, SEEK_END), 110);
	CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERR(lseek(fd, 0, 99), EINVAL);
	CHECK_ERR(lseek(fd, INT64_MIN, SEEK_CUR), EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 110);
	CHECK_OK(pipe(pipefd));
	CHECK_ERR(lseek(pipefd[0], 0, SEEK_CUR), ESPIPE);
	CHECK_ERR(pread(pipefd[0], &fd, 1, 0), ESPIPE);
	CHECK_ERR(lseek(-1, 0, SEEK_SET), EBADF);
}

TEST(sparse_files_read_as_zero_and_seek_data)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	struct stat st;
	char c = 1;

	SKIP_ON_SHARE("SEEK_DATA");
	CHECK_EQ(pwrite(fd, "x", 1, 1 << 20), 1);
	CHECK_EQ(pread(fd, &c, 1, 1000), 1);
	CHECK_EQ(c, 0);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, (1 << 20) + 1);
	CHECK(st.st_blocks * 512 < 1 << 19);
	CHECK_EQ(lseek(fd, 0, 3 /* SEEK_DATA */), 1 << 20);
	CHECK_EQ(lseek(fd, 1 << 20, 4 /* SEEK_HOLE */), (1 << 20) + 1);
	CHECK_EQ(lseek(fd, 0, 4), 0);
	CHECK_ERR(lseek(fd, 2 << 20, 3), ENXIO);
}

TEST(pread_and_pwrite_leave_the_offset)
{
	int fd = create("abcdef");
	char buf[3] = "";

	CHECK_EQ(pread(fd, buf, 2, 3), 2);
	CHECK_STR(buf, "de");
	CHECK_EQ(pwrite(fd, "X", 1, 5), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	check_content(fd, "abcdeX");
	CHECK_EQ(pread(fd, buf, 2, 100), 0);
	CHECK_ERR(pread(fd, buf, 1, -1), EINVAL);
	CHECK_ERR(pwrite(fd, buf, 1, -1), EINVAL);
}

TEST(vectors_scatter_gather_and_refuse)
{
	int fd = create("");
	char a[3] = "", b[4] = "";
	struct iovec out[] = { { "ab", 2 }, { NULL, 0 }, { "cde", 3 } }, in[] = { { a, 2 }, { b, 3 } };
	struct iovec bad[] = { { "x", 1 }, { "y", -1 } }, fault[] = { { (void *)8, 4 } }, *many;

	CHECK_EQ(writev(fd, out, 3), 5);
	CHECK_EQ(preadv(fd, in, 2, 0), 5);
	CHECK_STR(a, "ab");
	CHECK_STR(b, "cde");
	CHECK_ERR(writev(fd, bad, 2), EINVAL);
	CHECK_ERR(writev(fd, out, -1), EINVAL);
	CHECK_ERR(writev(fd, out, 1025), EINVAL);
	CHECK_EQ(writev(fd, out, 0), 0);
	CHECK_ERR(writev(fd, fault, 1), EFAULT);
	CHECK_ERR(writev(fd, (void *)8, 1), EFAULT);
	many = calloc(1024, sizeof(*many));
	for (int i = 0; i < 1024; i++)
		many[i] = (struct iovec){ "z", 1 };
	CHECK_EQ(writev(fd, many, 1024), 1024);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 1029);
}

TEST(preadv2_flags_and_current_offset)
{
	int fd = create("abc");
	char c;
	struct iovec iov = { &c, 1 }, out = { "Z", 1 };

	CHECK_EQ(syscall(SYS_preadv2, fd, &iov, 1, -1L, -1L, 0), 1);
	CHECK_EQ(c, 'a');
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 1);
	CHECK_EQ(syscall(SYS_preadv2, fd, &iov, 1, 2, 0, 0), 1);
	CHECK_EQ(c, 'c');
	CHECK_ERR(syscall(SYS_preadv2, fd, &iov, 1, 0, 0, 0x80000000), EOPNOTSUPP);
	CHECK_EQ(syscall(SYS_pwritev2, fd, &out, 1, 0, 0, 0x10 /* RWF_APPEND */), 1);
	check_content(fd, "abcZ");
}

TEST(lengths_zero_and_huge)
{
	int fd = create("abc"), zero = CHECK_OK(open("/dev/zero", O_RDONLY));
	char buf[16];

	CHECK_EQ(read(fd, buf, 0), 0);
	CHECK_EQ(write(fd, buf, 0), 0);
	CHECK_EQ(read(fd, NULL, 0), 0);
	CHECK_ERR(syscall(SYS_read, zero, buf, -1l), EFAULT);
	CHECK_ERR(syscall(SYS_read, zero, buf, SSIZE_MAX), EFAULT);
	CHECK_ERR(syscall(SYS_write, -1, buf, -1l), EBADF);
	CHECK_EQ(read(fd, buf, sizeof(buf)), 3);
	CHECK_EQ(read(fd, buf, sizeof(buf)), 0);
}

TEST(truncate_and_its_refusals)
{
	int fd = create("abcdef"), pipefd[2];

	CHECK_OK(ftruncate(fd, 3));
	check_content(fd, "abc");
	CHECK_OK(truncate("f", 1));
	check_content(fd, "a");
	CHECK_ERR(ftruncate(fd, -1), EINVAL);
	CHECK_ERR(truncate("f", -1), EINVAL);
	CHECK_ERR(truncate(".", 0), EISDIR);
	CHECK_ERR(truncate("no", 0), ENOENT);
	CHECK_ERR(truncate("f/x", 0), ENOTDIR);
	CHECK_OK(pipe(pipefd));
	CHECK_ERR(ftruncate(pipefd[1], 0), EINVAL);
	CHECK_ERR(ftruncate(-1, 0), EBADF);
}

TEST(fallocate_modes_and_refusals)
{
	int fd = create("abc"), pipefd[2];
	struct stat st;

	SKIP_ON_SHARE("fallocate");
	CHECK_OK(syscall(SYS_fallocate, fd, 0, 0, 8192));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 8192);
	CHECK_OK(syscall(SYS_fallocate, fd, 1 /* KEEP_SIZE */, 8192, 8192));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 8192);
	CHECK_ERR(syscall(SYS_fallocate, fd, 0, -1L, 1L), EINVAL);
	CHECK_ERR(syscall(SYS_fallocate, fd, 0, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_fallocate, fd, 2 /* PUNCH without KEEP_SIZE */, 0, 1), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_fallocate, fd, 0x1000, 0, 1), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_fallocate, fd, 0, INT64_MAX, 1), EFBIG);
	CHECK_OK(pipe(pipefd));
	CHECK_ERR(syscall(SYS_fallocate, pipefd[1], 0, 0, 1), ESPIPE);
	CHECK_ERR(syscall(SYS_fallocate, CHECK_OK(open("f", O_RDONLY)), 0, 0, 1), EBADF);
	CHECK_ERR(syscall(SYS_fallocate, CHECK_OK(open("/dev/null", O_WRONLY)), 0, 0, 1), ENODEV);
}

TEST(directories_cannot_be_read_or_written)
{
	int fd = CHECK_OK(open(".", O_RDONLY));
	char c;

	CHECK_ERR(read(fd, &c, 1), EISDIR);
	CHECK_ERR(pread(fd, &c, 1, 0), EISDIR);
	CHECK_ERR(write(fd, &c, 1), EBADF);
	CHECK_ERR(ftruncate(fd, 0), EINVAL);
}

TEST(o_path_descriptor_only_names)
{
	struct stat st;
	char c;
	int fd, dir;

	write_file("f", "x");
	fd = CHECK_OK(open("f", O_PATH));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 1);
	CHECK_ERR(read(fd, &c, 1), EBADF);
	CHECK_ERR(write(fd, &c, 1), EBADF);
	CHECK_ERR(ftruncate(fd, 0), EBADF);
	CHECK_ERR(syscall(SYS_fchmod, fd, 0600), EBADF);
	CHECK_ERR(ioctl(fd, FIONREAD, &st), EBADF);
	CHECK_ERR(lseek(fd, 0, SEEK_CUR), EBADF);
	CHECK_ERR(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), EBADF);
	CHECK(fcntl(fd, F_GETFL) & O_PATH);
	CHECK_OK(dup(fd));
	dir = CHECK_OK(open(".", O_PATH | O_DIRECTORY));
	CHECK_OK(openat(dir, "f", O_RDONLY));
	CHECK_OK(fchdir(dir));
	CHECK_OK(symlink("f", "l"));
	fd = CHECK_OK(open("l", O_PATH | O_NOFOLLOW));
	CHECK_OK(fstat(fd, &st));
	CHECK(S_ISLNK(st.st_mode));
}

TEST(unlinked_file_lives_until_closed)
{
	int fd = create("data");
	struct stat st;

	CHECK_OK(unlink("f"));
	check_content(fd, "data");
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(pwrite(fd, "D", 1, 0), 1);
	check_content(fd, "Data");
}

TEST(close_range)
{
	for (int i = 20; i < 30; i++)
		CHECK_EQ(dup2(1, i), i);
	CHECK_OK(syscall(SYS_close_range, 22, 25, 0));
	CHECK_OK(fcntl(21, F_GETFD));
	CHECK_ERR(fcntl(22, F_GETFD), EBADF);
	CHECK_ERR(fcntl(25, F_GETFD), EBADF);
	CHECK_EQ(fcntl(26, F_GETFD), 0);
	CHECK_OK(syscall(SYS_close_range, 26, 27, 4 /* CLOEXEC */));
	CHECK_EQ(fcntl(26, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(syscall(SYS_close_range, 5, 4, 0), EINVAL);
	CHECK_ERR(syscall(SYS_close_range, 5, 6, 0x80), EINVAL);
}

TEST(sync_family)
{
	int fd = create("x"), pipefd[2];

	CHECK_OK(fsync(fd));
	CHECK_OK(fdatasync(fd));
	CHECK_OK(pipe(pipefd));
	CHECK_ERR(fsync(pipefd[0]), EINVAL);
	CHECK_ERR(fsync(-1), EBADF);
	sync();
	CHECK_OK(syncfs(fd));
	CHECK_OK(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
	CHECK_EQ(posix_fadvise(fd, 0, 0, 99), EINVAL);
	CHECK_EQ(posix_fadvise(pipefd[0], 0, 0, 0), ESPIPE);
}

TEST(sendfile_copies)
{
	int in = create("0123456789"), out = CHECK_OK(open("g", O_RDWR | O_CREAT, 0600));
	off_t off = 2;

	CHECK_EQ(sendfile(out, in, &off, 5), 5);
	CHECK_EQ(off, 7);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 0);
	check_content(out, "23456");
	CHECK_EQ(sendfile(out, in, NULL, 100), 10);
	check_content(out, "234560123456789");
	CHECK_ERR(sendfile(in, -1, NULL, 1), EBADF);
}

TEST(large_io_round_trip)
{
	enum { N = 3 << 20 };
	u8 *a = malloc(N), *b = malloc(N);
	int fd = create("");

	CHECK(a && b);
	for (int i = 0; i < N; i++)
		a[i] = i * 2654435761u >> 13;
	CHECK_EQ(pwrite(fd, a, N, 100), N);
	CHECK_EQ(pread(fd, b, N, 100), N);
	CHECK(!memcmp(a, b, N));
	CHECK_EQ(pread(fd, b, 1, 5 * N), 0);
}

