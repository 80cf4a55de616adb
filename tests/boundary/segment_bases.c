/* Points the FS and GS bases at non-canonical and kernel addresses. */
#include "attack.h"

#include <asm/prctl.h>
#include <elf.h>
#include <sys/auxv.h>

#define HWCAP2_FSGSBASE 2

static long k_prctl(int op, u64 v)
{
	return syscall(SYS_arch_prctl, op, v);
}

static bool has_fsgsbase(void)
{
	return getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE;
}

static const u64 canonical[] = { 0, 1, 0x7fffffffffff, 0xffff800000000000, 0xffff888000000000,
				 0xffffffff81000000, ~0ull };

TEST(arch_prctl_refuses_what_is_not_user_space)
{
	static const u64 bad[] = { 0xffff800000000000, 0xffffffff81000000, 0x8000000000000000,
				   0x4141414141414141, ~0ull };
	u64 before, after;

	CHECK_OK(k_prctl(ARCH_GET_FS, (u64)&before));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_ERR(k_prctl(ARCH_SET_FS, bad[i]), EPERM);
		CHECK_ERR(k_prctl(ARCH_SET_GS, bad[i]), EPERM);
		CHECK_ERR(k_prctl(ARCH_GET_FS, bad[i]), EFAULT);
	}
	CHECK_OK(k_prctl(ARCH_GET_FS, (u64)&after));
	CHECK_EQ(before, after);
	CHECK_ERR(k_prctl(0x9999, 0), EINVAL);
}

TEST(gs_base_round_trip)
{
	u64 v = 0;

	CHECK_OK(k_prctl(ARCH_SET_GS, (u64)&v));
	v = 0x1234;
	u64 got;
	__asm__ volatile("mov %%gs:0,%0" : "=r"(got));
	CHECK_EQ(got, 0x1234);
	IN_CHILD {
		__asm__ volatile("mov %%gs:0,%0" : "=r"(got));
		CHECK_EQ(got, 0x1234);
	}
	CHECK_OK(k_prctl(ARCH_GET_GS, (u64)&got));
	CHECK_EQ(got, (u64)&v);
}

__attribute__((target("fsgsbase"))) static void write_gs(u64 v)
{
	__builtin_ia32_wrgsbase64(v);
}

__attribute__((target("fsgsbase"))) static u64 read_gs(void)
{
	return __builtin_ia32_rdgsbase64();
}

/* Any canonical GS base may be set with WRGSBASE; every way into the kernel must cope. */
TEST(kernel_gs_base_while_entering_by_every_door)
{
	volatile char *fresh = mmap(NULL, 4096 * 16, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!has_fsgsbase())
		SKIP("no FSGSBASE");
	attack_init();
	for (size_t i = 0; i < ARRAY_SIZE(canonical); i++) {
		u64 end = now_ns(CLOCK_MONOTONIC) + 10000000;

		write_gs(canonical[i]);
		CHECK_EQ(syscall(SYS_getppid), getppid());
		fresh[i * 4096] = 1;
		CHECK(RUN_CODE(0xcc));
		CHECK(RUN_CODE(0x0f, 0x0b));
		CHECK(RUN_CODE(0xf4));
		CHECK(FAULTED(*(volatile char *)0xffff888000000000));
		while (now_ns(CLOCK_MONOTONIC) < end)
			syscall(SYS_sched_yield);
		CHECK_EQ(read_gs(), canonical[i]);
		if ((int64_t)canonical[i] < 0 || canonical[i] < 2)
			CHECK(FAULTED(({ __asm__ volatile("mov %%gs:0,%%al" ::: "rax"); })));
	}
	/* QEMU's emulation lets a non-canonical base through; the kernel must cope with that too. */
	if (!FAULTED(write_gs(0x4141414141414141)))
		for (int i = 0; i < 100; i++)
			CHECK_EQ(syscall(SYS_getppid), getppid());
	else
		CHECK_EQ(last_fault.sig, SIGSEGV);
	write_gs(0);
}

TEST(single_step_and_debug_traps_with_kernel_gs)
{
	if (!has_fsgsbase())
		SKIP("no FSGSBASE");
	attack_init();
	write_gs(0xffff888000000000);
	for (int i = 0; i < 50; i++) {
		CHECK(FAULTED(({ __asm__ volatile("pushfq; orl $0x100,(%%rsp); popfq; nop; nop"
						  ::: "cc", "memory"); })));
		CHECK_EQ(last_fault.sig, SIGTRAP);
	}
	CHECK_EQ(read_gs(), 0xffff888000000000);
	write_gs(0);
}
