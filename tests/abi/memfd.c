/* memfd_create and file seals. */
#include "test.h"

#include <linux/falloc.h>
#include <linux/memfd.h>
#include <sys/uio.h>

#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_GET_SEALS 1034
#endif
#define SEAL 1
#define SHRINK 2
#define GROW 4
#define WRITE 8
#define FUTURE_WRITE 16

static int make(const char *name, unsigned flags)
{
	return (int)syscall(SYS_memfd_create, name, flags);
}

/* Two pages of 'x'. */
static int filled(void)
{
	static char data[8192];
	int fd = CHECK_OK(make("f", MFD_ALLOW_SEALING));

	memset(data, 'x', sizeof(data));
	CHECK_EQ(write(fd, data, sizeof(data)), sizeof(data));
	return fd;
}

static void *map(int fd, int prot, int flags)
{
	return mmap(NULL, 4096, prot, flags, fd, 0);
}

TEST(is_an_unlinked_file)
{
	char path[64], link[64] = { 0 }, c = 0;
	struct stat st;
	int fd = CHECK_OK(make("a name/with slash", MFD_CLOEXEC)), fd2;

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | 0100000);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_mode & ~0111, S_IFREG | 0666); /* vm.memfd_noexec may take the x bits */
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(st.st_size, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_OK(readlink(path, link, sizeof(link) - 1));
	CHECK_STR(link, "/memfd:a name/with slash (deleted)");
	CHECK_EQ(write(fd, "hello", 5), 5);
	fd2 = CHECK_OK(open(path, O_RDONLY));
	CHECK_EQ(pread(fd2, &c, 1, 4), 1);
	CHECK_EQ(c, 'o');
	CHECK_EQ(lseek(fd2, 0, SEEK_CUR), 0);
	CHECK_OK(ftruncate(fd, 100));
	CHECK_EQ(lseek(fd2, 0, SEEK_END), 100);
}

TEST(maps_and_sharing)
{
	int fd = CHECK_OK(make("m", 0));
	static char maps[65536];
	char *p, *q;

	CHECK_OK(ftruncate(fd, 4096));
	p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	CHECK(p != MAP_FAILED);
	read_file("/proc/self/maps", maps, sizeof(maps));
	CHECK(strstr(maps, "rw-s 00000000"));
	CHECK(strstr(maps, "/memfd:m (deleted)"));
	IN_CHILD {
		p[1] = 'y';
	}
	CHECK_EQ(p[1], 'y');
	q = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	q[1] = 'z';
	CHECK_EQ(p[1], 'y');
}

TEST(refusals)
{
	char name[260];

	memset(name, 'n', sizeof(name));
	name[250] = 0;
	CHECK_ERR(make(name, 0), EINVAL);
	name[249] = 0;
	CHECK_OK(make(name, 0));
	CHECK_OK(make("", 0));
	CHECK_ERR(make((void *)8, 0), EFAULT);
	CHECK_ERR(make((void *)8, 0x100), EINVAL);
	CHECK_ERR(make("x", 0x80000000), EINVAL);
	CHECK_ERR(make("x", MFD_HUGETLB | 0x100), EINVAL);
}

TEST(sealing_must_be_allowed)
{
	int fd = CHECK_OK(make("x", 0)), file = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600)), p[2];

	CHECK_EQ(fcntl(fd, F_GET_SEALS), SEAL);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, WRITE), EPERM);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, 0x4000), EINVAL);
	CHECK_OK(pipe(p));
	CHECK_ERR(fcntl(p[0], F_GET_SEALS), EINVAL);
	CHECK_ERR(fcntl(p[0], F_ADD_SEALS, WRITE), EPERM);
	CHECK_ERR(fcntl(p[1], F_ADD_SEALS, WRITE), EINVAL);
	CHECK_OK(close(p[0]));
	CHECK_ERR(fcntl(p[0], F_GET_SEALS), EBADF);
	CHECK(fcntl(file, F_GET_SEALS) == SEAL || errno == EINVAL); /* by file system */
}

TEST(adding_seals)
{
	int fd = CHECK_OK(make("x", MFD_ALLOW_SEALING)), ro;
	char path[64];

	CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, 0));
	CHECK_OK(fcntl(fd, F_ADD_SEALS, SHRINK));
	CHECK_OK(fcntl(fd, F_ADD_SEALS, GROW));
	CHECK_EQ(fcntl(fd, F_GET_SEALS), SHRINK | GROW);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, WRITE | 0x100), EINVAL);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = CHECK_OK(open(path, O_RDONLY));
	CHECK_ERR(fcntl(ro, F_ADD_SEALS, WRITE), EPERM);
	CHECK_EQ(fcntl(ro, F_GET_SEALS), SHRINK | GROW);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, WRITE | SEAL));
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, FUTURE_WRITE), EPERM);
	CHECK_EQ(fcntl(ro, F_GET_SEALS), SHRINK | GROW | WRITE | SEAL);
}

TEST(seal_shrink)
{
	int fd = filled();
	char path[64];

	CHECK_OK(fcntl(fd, F_ADD_SEALS, SHRINK));
	CHECK_ERR(ftruncate(fd, 8191), EPERM);
	CHECK_OK(ftruncate(fd, 8192));
	CHECK_OK(ftruncate(fd, 9000));
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_ERR(open(path, O_RDWR | O_TRUNC), EPERM);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 9000);
}

TEST(seal_grow)
{
	char data[8192] = { 0 };
	int fd = filled();

	CHECK_OK(fcntl(fd, F_ADD_SEALS, GROW));
	CHECK_ERR(ftruncate(fd, 8193), EPERM);
	CHECK_EQ(pwrite(fd, data, 8192, 0), 8192);
	CHECK_EQ(pwrite(fd, data, 8192, 4096), 4096); /* what fits, page by page */
	CHECK_EQ(pwrite(fd, data, 4096, 4097), 4095);
	CHECK_ERR(pwrite(fd, data, 1, 8192), EPERM);
	CHECK_ERR(fallocate(fd, 0, 0, 8193), EPERM);
	CHECK_ERR(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8193), EPERM);
	CHECK_OK(fallocate(fd, 0, 0, 8192));
	CHECK_OK(ftruncate(fd, 100));
}

TEST(seal_write)
{
	int fd = filled(), p[2];
	char *shared, *private;
	char c;

	shared = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, WRITE), EBUSY);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
	/* It may become writable again: still busy. */
	CHECK_OK(mprotect(shared, 4096, PROT_READ));
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, WRITE), EBUSY);
	IN_CHILD {
		CHECK_OK(munmap(shared, 4096));
		CHECK_ERR(fcntl(fd, F_ADD_SEALS, WRITE), EBUSY);
	}
	CHECK_OK(munmap(shared, 4096));
	CHECK_OK(fcntl(fd, F_ADD_SEALS, WRITE));
	CHECK_ERR(write(fd, "a", 1), EPERM);
	CHECK_ERR(pwrite(fd, "a", 1, 0), EPERM);
	CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), EPERM);
	CHECK(map(fd, PROT_READ | PROT_WRITE, MAP_SHARED) == MAP_FAILED);
	CHECK_EQ(errno, EPERM);
	private = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	CHECK(private != MAP_FAILED);
	private[0] = 'p';
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 'x');
	CHECK_OK(pipe(p));
	CHECK_EQ(write(p[1], "a", 1), 1);
	CHECK_ERR(splice(p[0], NULL, fd, &(loff_t){ 0 }, 1, 0), EPERM);
	/* The size may change: that takes seals of its own. */
	CHECK_OK(ftruncate(fd, 100));
	CHECK_OK(ftruncate(fd, 10000));
}

TEST(seal_write_and_a_read_only_mapping)
{
	char path[64], *m;
	int fd = filled(), ro;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = CHECK_OK(open(path, O_RDONLY));
	m = map(ro, PROT_READ, MAP_SHARED);
	CHECK(m != MAP_FAILED);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, WRITE));
	CHECK_EQ(m[5], 'x');
	CHECK(map(ro, PROT_READ, MAP_SHARED) != MAP_FAILED);
	CHECK_ERR(mprotect(m, 4096, PROT_READ | PROT_WRITE), EACCES);
}

/* What is sealed may be shared for reading through a descriptor that once could write (since 6.7,
 * and in later releases of 6.1). */
TEST(seal_write_leaves_shared_reading)
{
	int fd = filled();
	char *m;

	CHECK_OK(fcntl(fd, F_ADD_SEALS, WRITE));
	m = map(fd, PROT_READ, MAP_SHARED);
	CHECK(m != MAP_FAILED);
	CHECK_EQ(m[5], 'x');
	CHECK_ERR(mprotect(m, 4096, PROT_READ | PROT_WRITE), EACCES);
	CHECK(map(fd, PROT_WRITE, MAP_SHARED) == MAP_FAILED);
	CHECK_EQ(errno, EPERM);
}

TEST(seal_future_write)
{
	int fd = filled();
	char *old = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED), *new;
	char c;

	CHECK_OK(fcntl(fd, F_ADD_SEALS, FUTURE_WRITE));
	CHECK_EQ(fcntl(fd, F_GET_SEALS), FUTURE_WRITE);
	old[0] = 'o';
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 'o');
	CHECK_ERR(pwrite(fd, "a", 1, 0), EPERM);
	CHECK(map(fd, PROT_READ | PROT_WRITE, MAP_SHARED) == MAP_FAILED);
	CHECK_EQ(errno, EPERM);
	new = map(fd, PROT_READ, MAP_SHARED);
	CHECK(new != MAP_FAILED);
	CHECK_ERR(mprotect(new, 4096, PROT_READ | PROT_WRITE), EACCES);
	old[1] = 'p';
	CHECK_EQ(new[1], 'p');
	CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), EPERM);
}

TEST(can_be_executed)
{
	int fd = CHECK_OK(make("program", MFD_ALLOW_SEALING)), in;
	char buf[65536], arg0[] = "x", path[64], *argv[] = { arg0, "--helper", "exe", NULL };
	pid_t pid;
	ssize_t n;

	in = CHECK_OK(open(test_self, O_RDONLY));
	while ((n = CHECK_OK(read(in, buf, sizeof(buf)))) > 0)
		CHECK_EQ(write(fd, buf, n), n);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, WRITE | GROW | SHRINK | SEAL));
	snprintf(path, sizeof(path), "%d", fd);
	pid = test_fork();
	if (pid == 0) {
		setenv("MEMFD", path, 1);
		syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
		FAIL("execveat: errno %d", errno);
	}
	CHECK_EXITS(pid, 42);
}

HELPER(exe)
{
	char link[64] = { 0 };

	if (readlink("/proc/self/exe", link, sizeof(link) - 1) < 0)
		return 1;
	return strcmp(link, "/memfd:program (deleted)") ? 2 : 42;
}
