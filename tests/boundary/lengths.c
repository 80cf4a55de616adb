/* Lengths of zero, SSIZE_MAX, and such that pointer plus length wraps. */
#include "attack.h"

#include <limits.h>
#include <poll.h>
#include <sys/uio.h>

static char buf[4096] __attribute__((aligned(4096)));

static const u64 huge[] = { 1ull << 31, 1ull << 32, 1ull << 57, SSIZE_MAX, 1ull << 63, -4096ull, ~0ull };

TEST(read_and_write)
{
	int p[2], zero = CHECK_OK(open("/dev/zero", O_RDONLY));
	char *edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK_OK(munmap(edge + 4096, 4096));
	CHECK_OK(pipe2(p, O_NONBLOCK));
	CHECK_EQ(syscall(SYS_read, zero, buf, 0), 0);
	CHECK_EQ(syscall(SYS_write, p[1], buf, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(huge); i++) {
		long got;

		/* A range that leaves user space is refused outright ... */
		if (huge[i] >> 57) {
			CHECK_ERR(syscall(SYS_read, zero, edge, huge[i]), EFAULT);
			CHECK_ERR(syscall(SYS_write, p[1], edge, huge[i]), EFAULT);
			continue;
		}
		/* ... one inside is served up to the first bad page. */
		got = syscall(SYS_read, zero, edge, huge[i]);
		CHECK(got == 4096 || (got == -1 && errno == EFAULT));
		got = syscall(SYS_write, p[1], edge, huge[i]);
		CHECK(got <= 65536);
		CHECK_OK(fcntl(p[0], F_SETFL, O_NONBLOCK));
		while (read(p[0], buf, sizeof(buf)) > 0)
			;
	}
}

TEST(vectors)
{
	struct iovec v[3] = { { buf, 8 }, { buf, SSIZE_MAX }, { buf, 1 } };
	int zero = CHECK_OK(open("/dev/zero", O_RDWR));

	CHECK_ERR(readv(zero, v, 3), EFAULT);
	v[1].iov_len = ~0ull;
	CHECK_ERR(readv(zero, v, 3), EINVAL);
	for (long n = -1; n > -5; n--)
		CHECK_ERR(syscall(SYS_readv, zero, v, n), EINVAL);
	CHECK_ERR(syscall(SYS_readv, zero, v, 0x80000001u), EINVAL);
	CHECK_EQ(syscall(SYS_readv, zero, v, 0), 0);
	CHECK_EQ(syscall(SYS_writev, zero, v, 1), 8);
}

TEST(offsets)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	CHECK_ERR(syscall(SYS_pread64, fd, buf, 1, LONG_MIN), EINVAL);
	CHECK_ERR(syscall(SYS_pwrite64, fd, buf, 1, -1L), EINVAL);
	CHECK_EQ(syscall(SYS_pread64, fd, buf, 1, LONG_MAX - 1), 0);
	CHECK(syscall(SYS_pwrite64, fd, buf, 2, LONG_MAX) == -1 && (errno == EFBIG || errno == EINVAL));
	CHECK_ERR(syscall(SYS_lseek, fd, LONG_MIN, SEEK_SET), EINVAL);
	CHECK(syscall(SYS_ftruncate, fd, LONG_MAX) == 0 || errno == EFBIG);
	CHECK_ERR(syscall(SYS_ftruncate, fd, LONG_MIN), EINVAL);
	CHECK_ERR(syscall(SYS_fallocate, fd, 0, LONG_MAX, LONG_MAX), EFBIG);
	CHECK_ERR(syscall(SYS_fallocate, fd, 0, 0L, LONG_MIN), EINVAL);
}

TEST(address_ranges)
{
	static const long calls[] = { SYS_munmap, SYS_mprotect, SYS_madvise, SYS_msync, SYS_mlock,
				      SYS_munlock, SYS_mincore };

	for (size_t c = 0; c < ARRAY_SIZE(calls); c++)
		for (size_t i = 0; i < ARRAY_SIZE(huge); i++) {
			if (calls[c] == SYS_munlock || huge[i] < 1ull << 57)
				continue;
			errno = 0;
			CHECK_EQ(syscall(calls[c], 0x7ffff0000000, huge[i] & -4096ull, 0), -1);
			CHECK(errno == EINVAL || errno == ENOMEM || errno == EFAULT);
		}
	for (size_t i = 2; i < ARRAY_SIZE(huge); i++) {
		CHECK_ERR(syscall(SYS_mmap, 0, huge[i], 3, 0x22, -1, 0), ENOMEM);
		CHECK_EQ(syscall(SYS_mremap, buf, 4096, huge[i], 1), -1);
		CHECK(errno == ENOMEM || errno == EINVAL || errno == EFAULT);
		CHECK_EQ(syscall(SYS_mremap, buf, huge[i], 4096, 1), -1);
	}
	CHECK_EQ(buf[0], 0); /* still there */
}

TEST(counts)
{
	struct pollfd p = { 0, 0, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(huge); i++) {
		unsigned low = huge[i];

		if (low > 1 << 20)
			CHECK_ERR(syscall(SYS_poll, &p, huge[i], 0), EINVAL);
	}
	CHECK_ERR(syscall(SYS_getgroups, INT_MIN, buf), EINVAL);
	CHECK(syscall(SYS_setgroups, INT_MAX, buf) == -1 && (errno == EINVAL || errno == EPERM));
	CHECK_ERR(syscall(SYS_select, INT_MIN, NULL, NULL, NULL, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_readlink, "/proc/self", buf, 0), EINVAL);
	CHECK_ERR(syscall(SYS_readlink, "/proc/self", buf, -1), EINVAL);
	CHECK_ERR(syscall(SYS_getcwd, buf, 0), ERANGE);
	CHECK_ERR(syscall(SYS_getdents64, CHECK_OK(open("/", O_RDONLY)), buf, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 0, buf), EINVAL);
}

/* Strings that end exactly at a page's end are fine; without an end they are not. */
TEST(strings_at_the_edge)
{
	char *m = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *s;

	CHECK_OK(munmap(m + 2 * 4096, 4096));
	for (int n = 1; n < 20; n++) {
		s = m + 2 * 4096 - n - 1;
		memset(s, 'q', n);
		s[n] = 0;
		CHECK_ERR(open(s, O_RDONLY), ENOENT);
		s[n] = 'q';
		CHECK_ERR(open(s, O_RDONLY), EFAULT);
	}
	memset(m, '/', 2 * 4096);
	CHECK_ERR(open(m, O_RDONLY), ENAMETOOLONG);
	s = m + 2 * 4096 - 4096;
	CHECK_ERR(open(s, O_RDONLY), ENAMETOOLONG);
	CHECK_ERR(open(s + 1, O_RDONLY), EFAULT);
}
