/*
 * Hands bad pointers to every pointer argument of the calls below: null, unmapped, kernel,
 * non-canonical, straddling the end of a mapping, read-only. Exactly EFAULT, and no harm.
 */
#include "attack.h"

#include <dirent.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* Stands for the attacked pointer. */
#define P 0x50505050l

enum { READ, WRITE };

static struct call {
	const char *name;
	u8 direction; /* what the kernel does to the memory */
	bool null_ok; /* NULL has a meaning of its own */
	u8 size;      /* bytes touched; 0 for strings */
	long nr, arg[6];
} calls[] = {
#define CALL(name, dir, null_ok, size, ...) { #name, dir, null_ok, size, SYS_##name, { __VA_ARGS__ } }
	CALL(open, READ, false, 0, P, O_RDONLY),
	CALL(stat, READ, false, 0, P, 0),
	CALL(lstat, READ, false, 0, P, 0),
	CALL(access, READ, false, 0, P, 0),
	CALL(mkdir, READ, false, 0, P, 0700),
	CALL(rmdir, READ, false, 0, P),
	CALL(unlink, READ, false, 0, P),
	CALL(chdir, READ, false, 0, P),
	CALL(chmod, READ, false, 0, P, 0),
	CALL(chown, READ, false, 0, P, 0, 0),
	CALL(truncate, READ, false, 0, P, 0),
	CALL(readlink, READ, false, 0, P, 0, 1),
	CALL(symlink, READ, false, 0, P, (long)"x"),
	CALL(symlink, READ, false, 0, (long)"x", P),
	CALL(link, READ, false, 0, P, (long)"x"),
	CALL(rename, READ, false, 0, P, (long)"x"),
	CALL(mknod, READ, false, 0, P, S_IFIFO, 0),
	CALL(execve, READ, false, 0, P, 0, 0),
	CALL(statfs, READ, false, 0, P, 0),
	CALL(chroot, READ, false, 0, P),
	CALL(openat, READ, false, 0, AT_FDCWD, P, O_RDONLY),
	CALL(getxattr, READ, false, 0, (long)"/", P, 0, 0),
	CALL(stat, WRITE, false, 144, (long)"/", P),
	CALL(lstat, WRITE, false, 144, (long)"/", P),
	CALL(fstat, WRITE, false, 144, 1, P),
	CALL(newfstatat, WRITE, false, 144, AT_FDCWD, (long)"/", P, 0),
	CALL(statx, WRITE, false, 255, AT_FDCWD, (long)"/", 0, 0xfff, P),
	CALL(statfs, WRITE, false, 120, (long)"/", P),
	CALL(getcwd, WRITE, false, 8, P, 100),
	CALL(read, WRITE, false, 64, 3, P, 64), /* descriptor 3: /dev/zero */
	CALL(pread64, WRITE, false, 64, 3, P, 64, 0),
	CALL(readv, READ, false, 16, 3, P, 1),
	CALL(writev, READ, false, 16, 3, P, 1),
	CALL(write, READ, false, 64, 5, P, 64), /* descriptor 5: a pipe's end */
	CALL(getdents64, WRITE, false, 20, 4, P, 1000), /* descriptor 4: a directory */
	CALL(pipe, WRITE, false, 8, P),
	CALL(pipe2, WRITE, false, 8, P, 0),
	CALL(poll, READ, false, 8, P, 1, 0),
	CALL(select, READ, true, 8, 8, P, 0, 0, (long)&(long[2]){ 0 }),
	CALL(fcntl, READ, false, 32, 4, F_SETLK, P),
	CALL(ioctl, WRITE, false, 4, 5, 0x541b /* FIONREAD */, P),
	CALL(rt_sigaction, READ, true, 32, SIGUSR1, P, 0, 8),
	CALL(rt_sigaction, WRITE, true, 32, SIGUSR1, 0, P, 8),
	CALL(rt_sigprocmask, READ, true, 8, SIG_BLOCK, P, 0, 8),
	CALL(rt_sigprocmask, WRITE, true, 8, SIG_BLOCK, 0, P, 8),
	CALL(rt_sigpending, WRITE, false, 8, P, 8),
	CALL(rt_sigtimedwait, READ, false, 8, P, 0, 0, 8),
	CALL(rt_sigsuspend, READ, false, 8, P, 8),
	CALL(rt_sigqueueinfo, READ, false, 48, 1, 0, P),
	CALL(sigaltstack, READ, true, 24, P, 0),
	CALL(sigaltstack, WRITE, true, 24, 0, P),
	CALL(nanosleep, READ, false, 16, P, 0),
	CALL(clock_gettime, WRITE, false, 16, 0, P),
	CALL(clock_getres, WRITE, true, 16, 0, P),
	CALL(clock_nanosleep, READ, false, 16, 0, 0, P, 0),
	CALL(gettimeofday, WRITE, true, 16, P, 0),
	CALL(time, WRITE, true, 8, P),
	CALL(times, WRITE, true, 32, P),
	CALL(getitimer, WRITE, false, 32, 0, P),
	CALL(getrlimit, WRITE, false, 16, RLIMIT_CPU, P),
	CALL(setrlimit, READ, false, 16, RLIMIT_CORE, P),
	CALL(prlimit64, READ, true, 16, 0, RLIMIT_CORE, P, 0),
	CALL(prlimit64, WRITE, true, 16, 0, RLIMIT_CORE, 0, P),
	CALL(getrusage, WRITE, false, 144, 0, P),
	CALL(uname, WRITE, false, 255, P),
	CALL(sysinfo, WRITE, false, 112, P),
	CALL(getresuid, WRITE, false, 4, P, P, P),
	CALL(getresgid, WRITE, false, 4, P, P, P),
	CALL(setgroups, READ, false, 4, 1, P),
	CALL(capget, READ, false, 4, P, 0),
	CALL(prctl, READ, false, 0, PR_SET_NAME, P),
	CALL(prctl, WRITE, false, 16, PR_GET_NAME, P),
	CALL(prctl, WRITE, false, 4, PR_GET_PDEATHSIG, P),
	CALL(getrandom, WRITE, false, 16, P, 16, 0),
	CALL(sched_getaffinity, WRITE, false, 8, 0, 128, P),
	CALL(sched_setaffinity, READ, false, 8, 0, 8, P),
	CALL(sched_rr_get_interval, WRITE, false, 16, 0, P),
	CALL(arch_prctl, WRITE, false, 8, 0x1003 /* ARCH_GET_FS */, P),
	CALL(clone3, READ, false, 64, P, 64),
	CALL(futex, READ, false, 4, P, 0, 0, 0),
	CALL(utimensat, READ, true, 32, AT_FDCWD, (long)"/dev/null", P, 0),
	CALL(mincore, WRITE, false, 1, 0x400000 /* where static programs lie */, 4096, P),
#undef CALL
};

static char *rw_end, *ro_end, *unmapped;

static void set_up(void)
{
	int p[2];
	char *m = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(m != MAP_FAILED);
	memset(m, 'A', 8 * 4096);
	CHECK_OK(munmap(m + 4096, 4096));
	CHECK_OK(munmap(m + 3 * 4096, 4096));
	CHECK_OK(mprotect(m + 2 * 4096, 4096, PROT_READ));
	rw_end = m + 4096;
	ro_end = m + 3 * 4096;
	unmapped = m + 4096 + 8;
	CHECK_EQ(dup2(CHECK_OK(open("/dev/zero", O_RDWR)), 103), 103);
	CHECK_EQ(dup2(CHECK_OK(open("/", O_RDONLY)), 104), 104);
	CHECK_OK(pipe(p));
	CHECK_EQ(dup2(p[1], 105), 105);
	for (int i = 3; i <= 5; i++)
		CHECK_EQ(dup2(100 + i, i), i);
}

static void attack(const struct call *c, u64 pointer, const char *what)
{
	long a[6], ret;

	for (int i = 0; i < 6; i++)
		a[i] = c->arg[i] == P ? (long)pointer : c->arg[i];
	memset(rw_end - 4096, 'A', 4096);
	errno = 0;
	ret = syscall(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (ret == -1 && (errno == ENOSYS || (errno == EINVAL && c->nr == SYS_futex && pointer % 4)))
		return;
	/* A stream of bytes is served up to the bad one. */
	if (ret > 0 && ret == c->size - 1 && !strcmp(what, "a straddling"))
		return;
	if (ret != -1 || errno != EFAULT)
		FAIL("%s with %s pointer: %ld, errno %d", c->name, what, ret, errno);
}

#define EACH_CALL                                                                                  \
	set_up();                                                                                  \
	for (const struct call *c = calls; c < calls + ARRAY_SIZE(calls); c++)

TEST(null)
{
	EACH_CALL
	if (!c->null_ok)
		attack(c, 0, "a null");
}

TEST(unmapped_and_low)
{
	EACH_CALL {
		attack(c, (u64)unmapped, "an unmapped");
		attack(c, 8, "a low");
	}
}

TEST(kernel)
{
	static const u64 where[] = { 0xffff800000000000, 0xffff888000001000, 0xffffffff81000000,
				     0xfffffffffffff000, ~0ull };

	EACH_CALL
	for (size_t i = 0; i < ARRAY_SIZE(where); i++)
		attack(c, where[i], "a kernel");
}

TEST(non_canonical_and_edge)
{
	static const u64 where[] = { 0x0000800000000000, 0x8000000000000000, 0x4141414141414141,
				     0x00007ffffffff000, 0x00007fffffffffff };

	EACH_CALL
	for (size_t i = 0; i < ARRAY_SIZE(where); i++)
		attack(c, where[i], "a non-canonical");
}

/* All but the last byte are accessible; strings find no end. */
TEST(page_straddling)
{
	EACH_CALL
	attack(c, (u64)rw_end - (c->size > 1 ? c->size - 1 : c->size ? 0 : 3), "a straddling");
}

TEST(read_only_result)
{
	EACH_CALL
	if (c->direction == WRITE)
		attack(c, (u64)ro_end - 4096, "a read-only");
}

TEST(write_only_does_not_exist_but_no_access_does)
{
	char *none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EACH_CALL
	attack(c, (u64)none, "an inaccessible");
}

/* A failed result store must not have done the deed half-way: no descriptors leak. */
TEST(failed_pipe_leaks_no_descriptor)
{
	int before = CHECK_OK(dup(1));

	close(before);
	for (int i = 0; i < 100; i++)
		CHECK_ERR(syscall(SYS_pipe, 8), EFAULT);
	CHECK_EQ(dup(1), before);
}
