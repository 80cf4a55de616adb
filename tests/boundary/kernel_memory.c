/* Reads, writes and executes kernel addresses from ring 3, and hands them to system calls. */
#include "attack.h"

#include <sys/uio.h>

static void expect_maperr(const char *what, u64 addr)
{
	if (last_fault.sig != SIGSEGV || last_fault.code != SEGV_MAPERR || last_fault.addr != addr)
		FAIL("%s at %#lx * 2^16: signal %d code %#x", what, addr >> 16, last_fault.sig,
		     last_fault.code);
}

static void attack(u64 addr)
{
	volatile u64 got = 0x5a5a5a5a;

	FAULTED(got = *(volatile u64 *)addr);
	expect_maperr("read", addr);
	CHECK_EQ(got, 0x5a5a5a5a);
	FAULTED(*(volatile u64 *)addr = 0);
	expect_maperr("write", addr);
	FAULTED(((void (*)(void))addr)());
	expect_maperr("execute", addr);
}

/* Bit 47 set, then every bit of the index: the whole half, page-table entry by entry. */
TEST_LIMIT(the_whole_half_at_coarse_steps, 60)
{
	u64 step = SCALE(1ull << 38, 1ull << 31);

	attack_init();
	for (u64 addr = 0xffff800000000000; addr >> 47 == 0x1ffff; addr += step)
		attack(addr + 0x1000);
}

TEST_LIMIT(the_image_area_at_fine_steps, 60)
{
	u64 step = SCALE(8ull << 20, 1ull << 16);

	attack_init();
	for (u64 addr = 0xffffffff80000000; addr < 0xffffffffff000000; addr += step)
		attack(addr);
	attack(0xfffffffffffff000);
}

/* Non-canonical addresses fault without telling more. */
TEST(the_non_canonical_hole)
{
	attack_init();
	for (u64 addr = 1ull << 57; addr; addr += 1ull << 57) {
		FAULTED(*(volatile u8 *)addr);
		CHECK_EQ(last_fault.sig, SIGSEGV);
		CHECK_EQ(last_fault.code, SI_KERNEL);
		CHECK_EQ(last_fault.addr, 0);
	}
}

TEST(system_calls_do_not_read_or_write_it)
{
	static const u64 addrs[] = { 0xffff800000000000, 0xffff888000000000, 0xffffffff80000000,
				     0xffffffff81000000, 0xffffffffff600000, 0xfffffffffffff000,
				     0x0000800000000000, 0x00007ffffffff000, 0x8000000000000000 };
	int p[2], zero = CHECK_OK(open("/dev/zero", O_RDONLY));

	CHECK_OK(pipe(p));
	for (size_t i = 0; i < ARRAY_SIZE(addrs); i++) {
		void *k = (void *)addrs[i];
		struct iovec iov = { k, 8 }, half = { (void *)(addrs[i] - 4), 8 };

		CHECK_ERR(write(p[1], k, 8), EFAULT);
		CHECK_ERR(read(zero, k, 8), EFAULT);
		CHECK_ERR(writev(p[1], &iov, 1), EFAULT);
		CHECK_ERR(readv(zero, &iov, 1), EFAULT);
		CHECK_ERR(syscall(SYS_open, k, O_RDONLY), EFAULT);
		CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, k, 8), EFAULT);
		CHECK_ERR(syscall(SYS_clock_gettime, 0, k), EFAULT);
		(void)half;
	}
}

TEST(mappings_cannot_reach_it)
{
	static const u64 addrs[] = { 0xffff800000000000, 0xffffffff81000000, 0xfffffffffffff000 };
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < ARRAY_SIZE(addrs); i++) {
		void *k = (void *)addrs[i];

		CHECK(mmap(k, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		      MAP_FAILED);
		CHECK_EQ(munmap(k, 4096), -1);
		CHECK_EQ(mprotect(k, 4096, 7), -1);
		CHECK(mremap(p, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, k) == MAP_FAILED);
		CHECK_EQ(madvise(k, 4096, MADV_DONTNEED), -1);
	}
}
