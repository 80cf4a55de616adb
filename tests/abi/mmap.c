/* mmap, munmap, mprotect, mremap, madvise, brk: placement, sharing, copy-on-write, refusals. */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/resource.h>
#include <sys/uio.h>

#define PAGE 4096ul
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static sigjmp_buf back;

static void on_fault(int sig)
{
	siglongjmp(back, sig);
}

/* The signal that touching p raises; 0 if none. */
static int touch(volatile char *p, bool write)
{
	int sig;

	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	sig = sigsetjmp(back, 1);
	if (sig == 0) {
		if (write)
			*p = *p;
		else
			(void)*p;
	}
	return sig;
}

static char *map(size_t len, int prot, int flags)
{
	char *p = mmap(NULL, len, prot, flags, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

TEST(anonymous_memory_is_zero_and_page_aligned)
{
	char *p = map(10 * PAGE, RW, ANON);

	CHECK_EQ((u64)p % PAGE, 0);
	for (size_t i = 0; i < 10 * PAGE; i += 64)
		CHECK_EQ(p[i], 0);
	memset(p, 1, 10 * PAGE);
	CHECK_OK(munmap(p, 10 * PAGE));
	CHECK_EQ(touch(p, false), SIGSEGV);
}

TEST(mmap_refusals)
{
	int dir = CHECK_OK(open("/", O_RDONLY)), ro, wo, pipefd[2];

	write_file("f", "x");
	ro = CHECK_OK(open("f", O_RDONLY));
	wo = CHECK_OK(open("f", O_WRONLY));
	CHECK_OK(pipe(pipefd));
	CHECK_ERR(mmap(NULL, 0, RW, ANON, -1, 0), EINVAL);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERR(mmap((void *)1, PAGE, RW, ANON | MAP_FIXED, -1, 0), EINVAL);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0), EBADF);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, wo, 0), EACCES);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_SHARED, ro, 0), EACCES);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0), ENODEV);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, pipefd[0], 0), ENODEV);
	CHECK_ERR(syscall(SYS_mmap, 0, PAGE, RW, MAP_PRIVATE, ro, 1), EINVAL);
	CHECK_ERR(syscall(SYS_mmap, 0, -1ul, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERR(syscall(SYS_mmap, 0, 1ul << 47, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERR(syscall(SYS_mmap, 0xfffffffffff000, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
	CHECK_ERR(syscall(SYS_mmap, 0xffff800000000000, PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
	CHECK_ERR(syscall(SYS_mmap, 0, 2 * PAGE, PROT_READ, MAP_PRIVATE, ro, -PAGE), EOVERFLOW);
	CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | 0x800000, ro, 0), EOPNOTSUPP);
}

TEST(fixed_replaces_noreplace_does_not_hint_is_used)
{
	char *p = map(3 * PAGE, RW, ANON), *q;

	memset(p, 7, 3 * PAGE);
	CHECK(mmap(p + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == p + PAGE);
	CHECK_EQ(p[0] + p[PAGE] + p[2 * PAGE], 14);
	CHECK_ERR(mmap(p + PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	CHECK_OK(munmap(p, 3 * PAGE));
	CHECK(mmap(p, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == p);
	CHECK(mmap(p + PAGE, PAGE, RW, ANON, -1, 0) == p + PAGE);
	q = mmap(p, PAGE, RW, ANON, -1, 0);
	CHECK(q != MAP_FAILED && q != p);
}

TEST(low_addresses_are_refused)
{
	if (geteuid())
		SKIP("needs root");
	IN_CHILD {
		become(1000, 1000);
		CHECK_ERR(mmap(NULL, PAGE, RW, ANON | MAP_FIXED, -1, 0), EPERM);
	}
}

TEST(map_32bit_stays_low)
{
	char *p = mmap(NULL, PAGE, RW, ANON | MAP_32BIT, -1, 0);

	CHECK(p != MAP_FAILED && (u64)p < 1ull << 31);
}

TEST(munmap_splits_and_refuses)
{
	char *p = map(5 * PAGE, RW, ANON);

	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_OK(munmap(p + 3 * PAGE, PAGE));
	CHECK_EQ(touch(p, true), 0);
	CHECK_EQ(touch(p + PAGE, true), SIGSEGV);
	CHECK_EQ(touch(p + 2 * PAGE, true), 0);
	CHECK_EQ(touch(p + 3 * PAGE, true), SIGSEGV);
	CHECK_EQ(touch(p + 4 * PAGE, true), 0);
	CHECK_OK(munmap(p, 5 * PAGE)); /* holes are fine */
	CHECK_OK(munmap(p, 5 * PAGE));
	CHECK_ERR(munmap(p, 0), EINVAL);
	CHECK_ERR(munmap(p + 1, PAGE), EINVAL);
	CHECK_ERR(syscall(SYS_munmap, p, -1ul), EINVAL);
	CHECK_ERR(syscall(SYS_munmap, 0xffff800000000000, PAGE), EINVAL);
}

TEST(fork_copies_private_and_shares_shared)
{
	volatile char *priv = map(PAGE, RW, ANON), *shr = map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS);

	*priv = *shr = 1;
	IN_CHILD {
		CHECK_EQ(*priv, 1);
		*priv = *shr = 2;
	}
	CHECK_EQ(*priv, 1);
	CHECK_EQ(*shr, 2);
}

TEST(untouched_shared_memory_is_shared_too)
{
	volatile char *shr = map(4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS);

	IN_CHILD shr[3 * PAGE] = 9;
	CHECK_EQ(shr[3 * PAGE], 9);
	IN_CHILD CHECK_EQ(shr[3 * PAGE], 9);
}

TEST(cow_keeps_generations_apart)
{
	enum { N = 16 };
	volatile char *p = map(N * PAGE, RW, ANON);

	for (int i = 0; i < N; i++)
		p[i * PAGE] = i;
	IN_CHILD {
		for (int i = 0; i < N; i += 2)
			p[i * PAGE] = 100;
		IN_CHILD {
			for (int i = 0; i < N; i++) {
				CHECK_EQ(p[i * PAGE], i % 2 ? i : 100);
				p[i * PAGE] = 50;
			}
		}
		for (int i = 0; i < N; i++)
			CHECK_EQ(p[i * PAGE], i % 2 ? i : 100);
	}
	for (int i = 0; i < N; i++)
		CHECK_EQ(p[i * PAGE], i);
}

TEST(file_private_does_not_reach_the_file)
{
	int fd;
	char *p, buf[8] = "";

	write_file("f", "hello");
	fd = CHECK_OK(open("f", O_RDONLY));
	p = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK_STR(p, "hello");
	p[0] = 'j';
	CHECK_EQ(pread(fd, buf, 5, 0), 5);
	CHECK_STR(buf, "hello");
	CHECK_EQ(p[PAGE - 1], 0);
}

TEST(file_shared_is_coherent_with_read_and_write)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	char *p, *q, buf[4] = "";

	CHECK_OK(ftruncate(fd, 2 * PAGE));
	p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
	CHECK(p != MAP_FAILED && q != MAP_FAILED);
	close(fd);
	memcpy(p + PAGE, "abc", 3);
	CHECK_STR(q, "abc");
	fd = CHECK_OK(open("f", O_RDWR));
	CHECK_EQ(pread(fd, buf, 3, PAGE), 3);
	CHECK_STR(buf, "abc");
	CHECK_EQ(pwrite(fd, "xyz", 3, 0), 3);
	CHECK(!memcmp(p, "xyz", 3));
	CHECK_OK(msync(p, 2 * PAGE, MS_SYNC));
	CHECK_ERR(msync(p, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_ERR(msync(p + 1, PAGE, MS_SYNC), EINVAL);
	CHECK_OK(unlink("f"));
	CHECK_STR(q, "abc");
}

TEST(truncate_under_a_mapping_raises_sigbus)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	char *p;

	CHECK_OK(ftruncate(fd, 2 * PAGE));
	p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	p[0] = p[PAGE] = 1;
	CHECK_OK(ftruncate(fd, 10));
	CHECK_EQ(touch(p + PAGE, true), SIGBUS);
	CHECK_EQ(touch(p, true), 0);
	CHECK_EQ(p[0], 1);
	CHECK_OK(ftruncate(fd, 2 * PAGE));
	CHECK_EQ(touch(p + PAGE, false), 0);
	CHECK_EQ(p[PAGE], 0);
}

TEST(truncate_zeroes_the_rest_of_the_page)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	char buf[100];

	memset(buf, 'x', sizeof(buf));
	CHECK_EQ(write(fd, buf, 100), 100);
	CHECK_OK(ftruncate(fd, 10));
	CHECK_OK(ftruncate(fd, 100));
	CHECK_EQ(pread(fd, buf, 100, 0), 100);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(buf[i], i < 10 ? 'x' : 0);
}

TEST(dev_zero_maps_as_memory)
{
	int fd = CHECK_OK(open("/dev/zero", O_RDWR));
	volatile char *p = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0),
		      *s = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED && s != MAP_FAILED);
	CHECK_EQ(*p, 0);
	*p = 1;
	IN_CHILD *s = 5;
	CHECK_EQ(*s, 5);
}

TEST(mprotect_changes_and_splits)
{
	char *p = map(3 * PAGE, RW, ANON);

	memset(p, 5, 3 * PAGE);
	CHECK_OK(mprotect(p + PAGE, PAGE, PROT_READ));
	CHECK_EQ(touch(p + PAGE, false), 0);
	CHECK_EQ(touch(p + PAGE, true), SIGSEGV);
	CHECK_EQ(touch(p, true), 0);
	CHECK_EQ(touch(p + 2 * PAGE, true), 0);
	CHECK_OK(mprotect(p + PAGE, PAGE, PROT_NONE));
	CHECK_EQ(touch(p + PAGE, false), SIGSEGV);
	CHECK_OK(mprotect(p, 3 * PAGE, RW));
	CHECK_EQ(touch(p + PAGE, true), 0);
	CHECK_EQ(p[PAGE], 5);
}

TEST(mprotect_refusals)
{
	char *p = map(3 * PAGE, RW, ANON), *q;
	int ro;

	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERR(mprotect(p, 3 * PAGE, PROT_READ), ENOMEM);
	CHECK_EQ(touch(p, true), SIGSEGV); /* what lies before the hole has changed */
	CHECK_ERR(syscall(SYS_mprotect, p + 1, PAGE, PROT_READ), EINVAL);
	CHECK_ERR(syscall(SYS_mprotect, p, PAGE, 0x100), EINVAL);
	CHECK_ERR(syscall(SYS_mprotect, p, -PAGE, PROT_READ), ENOMEM);
	CHECK_OK(mprotect(p, 0, PROT_READ));
	write_file("f", "x");
	ro = CHECK_OK(open("f", O_RDONLY));
	q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0);
	CHECK_ERR(mprotect(q, PAGE, RW), EACCES);
	CHECK_OK(mprotect(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, ro, 0), PAGE, RW));
}

TEST(mprotect_of_shared_cow_page_stays_private)
{
	volatile char *p = map(PAGE, RW, ANON);

	*p = 1;
	IN_CHILD {
		CHECK_OK(mprotect((void *)p, PAGE, PROT_READ));
		CHECK_OK(mprotect((void *)p, PAGE, RW));
		*p = 2;
	}
	CHECK_EQ(*p, 1);
}

TEST(mremap_grows_moves_and_shrinks)
{
	char *p = map(2 * PAGE, RW, ANON), *q;

	memset(p, 3, 2 * PAGE);
	q = mremap(p, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED);
	CHECK_EQ(q[0] + q[2 * PAGE - 1] + q[2 * PAGE] + q[64 * PAGE - 1], 6);
	CHECK(mremap(q, 64 * PAGE, PAGE, 0) == q);
	CHECK_EQ(touch(q + PAGE, false), SIGSEGV);
	CHECK_EQ(q[0], 3);
}

TEST(mremap_fixed_replaces_the_target)
{
	char *p = map(PAGE, RW, ANON), *q = map(3 * PAGE, RW, ANON);

	*p = 1;
	memset(q, 2, 3 * PAGE);
	CHECK(mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + PAGE) == q + PAGE);
	CHECK_EQ(q[0] * 100 + q[PAGE] * 10 + q[2 * PAGE], 212);
	CHECK_EQ(touch(p, false), SIGSEGV);
}

TEST(mremap_refusals)
{
	char *p = map(4 * PAGE, RW, ANON);

	CHECK_ERR(mremap(p, PAGE, 0, 0), EINVAL);
	CHECK_ERR(mremap(p + 1, PAGE, PAGE, MREMAP_MAYMOVE), EINVAL);
	CHECK_ERR(mremap(p, PAGE, 2 * PAGE, 0), ENOMEM); /* the next page is in use */
	CHECK_ERR(mremap(p, PAGE, PAGE, MREMAP_FIXED, p + 2 * PAGE), EINVAL);
	CHECK_ERR(mremap(p, PAGE, PAGE, 0x80), EINVAL);
	CHECK_ERR(mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE), EINVAL);
	CHECK_ERR(mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 1), EINVAL);
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERR(mremap(p, 3 * PAGE, 5 * PAGE, MREMAP_MAYMOVE), EFAULT);
	CHECK_ERR(mremap(p + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
}

TEST(mremap_of_size_zero_duplicates_shared)
{
	volatile char *p = map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS), *q;

	*p = 4;
	q = mremap((void *)p, 0, PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED && q != p);
	CHECK_EQ(*q, 4);
	*q = 5;
	CHECK_EQ(*p, 5);
	CHECK_ERR(mremap(map(PAGE, RW, ANON), 0, PAGE, MREMAP_MAYMOVE), EINVAL);
}

TEST(madvise_dontneed_zeroes_private_and_rereads_files)
{
	char *p = map(2 * PAGE, RW, ANON), *q;

	memset(p, 1, 2 * PAGE);
	CHECK_OK(madvise(p, PAGE, MADV_DONTNEED));
	CHECK_EQ(p[0], 0);
	CHECK_EQ(p[PAGE], 1);
	write_file("f", "file");
	q = mmap(NULL, PAGE, RW, MAP_PRIVATE, CHECK_OK(open("f", O_RDONLY)), 0);
	q[0] = 'F';
	CHECK_OK(madvise(q, PAGE, MADV_DONTNEED));
	CHECK_STR(q, "file");
}

TEST(madvise_hints_and_refusals)
{
	static const int hints[] = { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,
				     MADV_FREE, MADV_DONTFORK, MADV_DOFORK };
	char *p = map(3 * PAGE, RW, ANON);

	for (size_t i = 0; i < ARRAY_SIZE(hints); i++)
		CHECK_OK(madvise(p, PAGE, hints[i]));
	CHECK_ERR(madvise(p, PAGE, 999), EINVAL);
	CHECK_ERR(madvise(p + 1, PAGE, MADV_NORMAL), EINVAL);
	CHECK_OK(madvise(p, 0, MADV_NORMAL));
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERR(madvise(p, 3 * PAGE, MADV_DONTNEED), ENOMEM);
	CHECK_ERR(syscall(SYS_madvise, p, -PAGE, MADV_NORMAL), EINVAL);
}

TEST(madvise_dontfork_and_wipeonfork)
{
	char *gone = map(PAGE, RW, ANON), *wiped = map(PAGE, RW, ANON);

	*gone = *wiped = 1;
	CHECK_OK(madvise(gone, PAGE, MADV_DONTFORK));
	CHECK_OK(madvise(wiped, PAGE, MADV_WIPEONFORK));
	IN_CHILD {
		CHECK_EQ(touch(gone, false), SIGSEGV);
		CHECK_EQ(*wiped, 0);
	}
	CHECK_EQ(*gone + *wiped, 2);
}

TEST(brk_grows_zeroed_and_shrinks)
{
	char *start = (char *)syscall(SYS_brk, 0), *end;

	CHECK(start);
	end = (char *)((u64)start + 16 * PAGE + 1);
	CHECK((char *)syscall(SYS_brk, end) == end);
	for (char *p = (char *)((u64)start + PAGE); p < end; p += PAGE)
		CHECK_EQ(*p, 0);
	memset(start, 1, end - start);
	CHECK((char *)syscall(SYS_brk, start) == start);
	CHECK_EQ(touch((char *)(((u64)start + 2 * PAGE) & -PAGE), false), SIGSEGV);
	CHECK((char *)syscall(SYS_brk, end) == end);
	CHECK_EQ(*(char *)(((u64)start + 2 * PAGE) & -PAGE), 0);
	CHECK((char *)syscall(SYS_brk, 8) == end);
	CHECK((char *)syscall(SYS_brk, 0xffff800000000000) == end);
}

TEST(brk_stops_at_another_mapping)
{
	char *now = (char *)syscall(SYS_brk, 0);
	char *wall = (char *)(((u64)now + 8 * PAGE) & -PAGE);

	CHECK(mmap(wall, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == wall);
	CHECK((char *)syscall(SYS_brk, wall + PAGE) == now);
	*wall = 1;
}

static volatile bool deep = true;

static int use_stack(int kib)
{
	volatile char frame[1024];

	frame[0] = kib;
	return kib && deep ? use_stack(kib - 1) + frame[0] : 0;
}

TEST(stack_grows_to_its_limit)
{
	pid_t pid = test_fork();

	if (pid == 0) {
		use_stack(6000);
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
	pid = test_fork();
	if (pid == 0) {
		setrlimit(RLIMIT_STACK, &(struct rlimit){ 1 << 20, 1 << 20 });
		use_stack(3000);
		_exit(0);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(grows_down_area_grows_but_keeps_its_gap)
{
	char *p = map(600 * PAGE, RW, ANON), *top = p + 599 * PAGE;

	CHECK_OK(munmap(p + PAGE, 598 * PAGE));
	CHECK_OK(munmap(top, PAGE));
	CHECK(mmap(top, PAGE, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1, 0) == top);
	top[0] = 1;
	CHECK_EQ(touch(top - 10, true), 0);
	CHECK_EQ(touch(top - 100 * PAGE, true), 0);
	/* 256 pages stay free between it and the mapping below. */
	CHECK_EQ(touch(p + 200 * PAGE, true), SIGSEGV);
	CHECK_EQ(touch(p, true), 0);
}

TEST(mincore_tells_residency)
{
	char *p = map(4 * PAGE, RW, ANON);
	unsigned char vec[4];

	p[PAGE] = 1;
	CHECK_OK(mincore(p, 4 * PAGE, vec));
	CHECK_EQ(vec[1] & 1, 1);
	CHECK_EQ(vec[3] & 1, 0);
	CHECK_ERR(mincore(p + 1, PAGE, vec), EINVAL);
	CHECK_ERR(syscall(SYS_mincore, p, PAGE, 8), EFAULT);
	CHECK_OK(munmap(p + 2 * PAGE, PAGE));
	CHECK_ERR(mincore(p, 4 * PAGE, vec), ENOMEM);
}

TEST(mlock_counts_against_its_limit)
{
	char *p = map(4 * PAGE, RW, ANON);

	CHECK_OK(mlock(p, PAGE));
	CHECK_OK(munlock(p, PAGE));
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERR(mlock(p, 4 * PAGE), ENOMEM);
	if (geteuid())
		return;
	IN_CHILD {
		CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ PAGE, PAGE }));
		become(1000, 1000);
		CHECK_OK(mlock(p, PAGE));
		CHECK_ERR(mlock(p + 2 * PAGE, 2 * PAGE), ENOMEM);
		CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ 0, 0 }));
		CHECK_ERR(mlock(p, PAGE), EPERM);
	}
}

TEST(populate_and_large_sparse_maps)
{
	char *p = map(64 * PAGE, RW, ANON | MAP_POPULATE), *big;
	unsigned char vec[64];

	CHECK_OK(mincore(p, 64 * PAGE, vec));
	for (int i = 0; i < 64; i++)
		CHECK(vec[i] & 1);
	big = map(1ul << 36, RW, ANON | MAP_NORESERVE);
	big[0] = big[1ul << 35] = big[(1ul << 36) - 1] = 1;
	CHECK_OK(munmap(big, 1ul << 36));
}

TEST(many_areas)
{
	enum { N = 1000 };
	char *p = map(2 * N * PAGE, RW, ANON);

	for (int i = 0; i < N; i++)
		CHECK_OK(mprotect(p + 2 * i * PAGE, PAGE, PROT_READ));
	for (int i = 0; i < N; i += 97) {
		CHECK_EQ(touch(p + 2 * i * PAGE, true), SIGSEGV);
		CHECK_EQ(touch(p + (2 * i + 1) * PAGE, true), 0);
	}
	CHECK_OK(munmap(p, 2 * N * PAGE));
	CHECK_EQ(touch(p + PAGE, false), SIGSEGV);
}

TEST(system_calls_on_bad_ranges_are_efault_and_partial)
{
	char *p = map(2 * PAGE, RW, ANON);
	int pipefd[2], zero = CHECK_OK(open("/dev/zero", O_RDONLY));

	CHECK_OK(pipe(pipefd));
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERR(write(pipefd[1], p + PAGE, 10), EFAULT);
	CHECK_ERR(read(zero, p + PAGE, 10), EFAULT);
	CHECK_OK(mprotect(p, PAGE, PROT_READ));
	CHECK_ERR(read(zero, p, 10), EFAULT);
	CHECK_EQ(write(pipefd[1], p, 10), 10);
}

TEST(process_vm_style_self_write_respects_protection)
{
	char *p = map(PAGE, PROT_READ, ANON);
	int pipefd[2];

	CHECK_OK(pipe(pipefd));
	CHECK_EQ(write(pipefd[1], "abc", 3), 3);
	CHECK_ERR(read(pipefd[0], p, 3), EFAULT);
	CHECK_EQ(p[0], 0);
}

/* ---- what other CPUs have cached ---- */

static struct {
	char *page;
	int ask[2], answer[2];
} sleeper;

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set); /* with one CPU both stay there */
}

/* Sleeps, looks at the page, tells what it saw; its CPU has nothing else to do. */
static void *sleeper_main(void *unused)
{
	char c;

	run_on(1);
	while (read(sleeper.ask[0], &c, 1) == 1) {
		c = *(volatile char *)sleeper.page;
		CHECK_EQ(write(sleeper.answer[1], &c, 1), 1);
	}
	return unused;
}

static char sleeper_sees(void)
{
	char c = 0;

	CHECK_EQ(write(sleeper.ask[1], "?", 1), 1);
	CHECK_EQ(read(sleeper.answer[0], &c, 1), 1);
	return c;
}

TEST(a_thread_that_slept_sees_changed_mappings)
{
	pthread_t thread;

	run_on(0);
	CHECK_OK(pipe(sleeper.ask));
	CHECK_OK(pipe(sleeper.answer));
	sleeper.page = map(PAGE, RW, ANON);
	CHECK_EQ(pthread_create(&thread, NULL, sleeper_main, NULL), 0);
	for (int i = 1; i <= 200; i++) {
		*sleeper.page = (char)i;
		CHECK_EQ(sleeper_sees(), (char)i);
		if (i % 3 == 0) /* time to become idle */
			sleep_ms(1);
		CHECK(mmap(sleeper.page, PAGE, RW, ANON | MAP_FIXED, -1, 0) == sleeper.page);
		CHECK_EQ(sleeper_sees(), 0);
	}
	close(sleeper.ask[1]);
	pthread_join(thread, NULL);
}

TEST(a_thread_that_slept_loses_access)
{
	pid_t pid = CHECK_OK(fork());
	pthread_t thread;

	if (pid == 0) {
		run_on(0);
		CHECK_OK(pipe(sleeper.ask));
		CHECK_OK(pipe(sleeper.answer));
		sleeper.page = map(PAGE, RW, ANON);
		CHECK_EQ(pthread_create(&thread, NULL, sleeper_main, NULL), 0);
		CHECK_EQ(sleeper_sees(), 0);
		sleep_ms(5);
		CHECK_OK(mprotect(sleeper.page, PAGE, PROT_NONE));
		sleeper_sees();
		_exit(0);
	}
	CHECK_KILLED(pid, SIGSEGV);
}
