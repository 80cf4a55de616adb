/* Hands impossible descriptors to every call that takes one: EBADF, whatever the other arguments. */
#include "attack.h"

static const struct call {
	const char *name;
	long nr, arg[6]; /* the descriptor is argument 0, or 2 for the two-directory calls */
} calls[] = {
#define CALL(name, ...) { #name, SYS_##name, { 0, __VA_ARGS__ } }
	CALL(read, 0, 0), CALL(write, 0, 0), CALL(pread64, 0, 1, 0), CALL(pwrite64, 0, 1, 0),
	CALL(readv, 0, 0), CALL(writev, 0, 0), CALL(preadv, 0, 0, 0), CALL(pwritev, 0, 0, 0),
	CALL(close, 0), CALL(fstat, 0), CALL(lseek, 0, 0), CALL(dup, 0), CALL(dup2, 9), CALL(dup3, 9, 0),
	CALL(fcntl, F_GETFD), CALL(fcntl, F_GETFL), CALL(fcntl, F_DUPFD, 0), CALL(fcntl, F_GETLK, 0),
	CALL(ioctl, 0x5401, 0), CALL(flock, 1), CALL(fsync, 0), CALL(fdatasync, 0), CALL(syncfs, 0),
	CALL(ftruncate, 0), CALL(fallocate, 0, 0, 1), CALL(getdents64, 0, 0), CALL(fchdir, 0),
	CALL(fchmod, 0), CALL(fchown, 0, 0), CALL(fstatfs, 0), CALL(fgetxattr, (long)"user.a", 0, 0),
	CALL(flistxattr, 0, 0), CALL(fremovexattr, (long)"user.a"), CALL(readahead, 0, 0),
	CALL(fadvise64, 0, 0, 0),
	CALL(openat, (long)"x", 0), CALL(mkdirat, (long)"x", 0), CALL(mknodat, (long)"x", S_IFIFO, 0),
	CALL(fchownat, (long)"x", 0, 0, 0), CALL(newfstatat, (long)"x", 0, 0),
	CALL(unlinkat, (long)"x", 0), CALL(readlinkat, (long)"x", (long)"", 1),
	CALL(fchmodat, (long)"x", 0), CALL(faccessat, (long)"x", 0), CALL(utimensat, (long)"x", 0, 0),
	CALL(statx, (long)"x", 0, 0, 0), CALL(execveat, (long)"x", 0, 0, 0),
	CALL(renameat, (long)"x", AT_FDCWD, (long)"y"), CALL(linkat, (long)"x", AT_FDCWD, (long)"y", 0),
#undef CALL
};

static const long bad[] = { -1, -2, -101, 800, 1 << 20, INT32_MAX, INT32_MIN, 0x100000000000 - 1 };

TEST(bad_numbers_are_ebadf)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
			const long *a = calls[i].arg;
			long ret;

			errno = 0;
			ret = syscall(calls[i].nr, bad[k], a[1], a[2], a[3], a[4], a[5]);
			if (ret == -1 && errno == ENOSYS)
				continue;
			if (ret != -1 || errno != EBADF)
				FAIL("%s(%ld): %ld, errno %d", calls[i].name, bad[k], ret, errno);
		}
}

/* Only the low 32 bits are the descriptor. */
TEST(upper_halves_are_ignored)
{
	CHECK_EQ(syscall(SYS_fcntl, 0x7000000000000001, F_GETFD), fcntl(1, F_GETFD));
}

/* Every call given a descriptor of every other kind: any errno, but an orderly one. */
TEST(wrong_kinds)
{
	int fds[6], p[2];

	CHECK_OK(pipe(p));
	fds[0] = p[0];
	fds[1] = p[1];
	fds[2] = CHECK_OK(open(".", O_RDONLY)); /* it gets the mode 0, too */
	fds[3] = CHECK_OK(open("/dev/null", O_RDWR));
	fds[4] = CHECK_OK(open("/proc/self/stat", O_RDONLY));
	fds[5] = CHECK_OK(open("/", O_PATH));
	for (int k = 0; k < 6; k++)
		IN_CHILD for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
			const long *a = calls[i].arg;
			long ret;

			if (calls[i].nr == SYS_close || calls[i].nr == SYS_read)
				continue;
			errno = 0;
			ret = syscall(calls[i].nr, fds[k], a[1], a[2], a[3], a[4], a[5]);
			CHECK(ret >= -1 && (ret >= 0 || (errno > 0 && errno < 134)));
		}
}
