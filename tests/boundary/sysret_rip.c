/* Makes SYSCALL return to the edge of user space, to non-canonical and to kernel addresses. */
#include "attack.h"

/* SYSCALL as the very last instruction that user space can hold. */
TEST(syscall_at_the_end_of_user_space)
{
	u8 *last = (u8 *)0x7fffffffe000, *p;

	attack_init();
	p = mmap(last, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (p != last)
		SKIP("the last page is taken");
	p[4094] = 0x0f;
	p[4095] = 0x05;
	CHECK(FAULTED(({ __asm__ volatile("call *%0" :: "r"(p + 4094), "a"(110) : "rcx", "r11", "memory"); })));
	CHECK_EQ(last_fault.sig, SIGSEGV);
	CHECK_EQ(last_fault.addr, 0x7ffffffff000);
}

static const u64 bad_rips[] = { 0x0000800000000000, 0x00007ffffffff000, 0xffff800000000000,
				0xffffffff81000000, 0x4141414141414141, 0x8000000000000000,
				0xfffffffffffffff0 };

static volatile u64 new_rip, new_rsp;
static volatile bool first;

/* The first time: forge the return. The second time: that return has faulted. */
static void forge(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;

	if (!first) {
		attack_handler(sig, info, ctx);
		return;
	}
	first = false;
	if (new_rip)
		uc->uc_mcontext.gregs[REG_RIP] = new_rip;
	if (new_rsp)
		uc->uc_mcontext.gregs[REG_RSP] = new_rsp;
}

static void catch_forged(void)
{
	struct sigaction act = { .sa_sigaction = forge, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	attack_init();
	CHECK_OK(sigaction(SIGSEGV, &act, NULL));
	CHECK_OK(sigaction(SIGBUS, &act, NULL));
	CHECK_OK(sigaction(SIGUSR1, &act, NULL));
}

TEST(sigreturn_to_bad_addresses)
{
	catch_forged();
	for (size_t i = 0; i < ARRAY_SIZE(bad_rips); i++) {
		new_rip = bad_rips[i];
		first = true;
		CHECK(FAULTED(raise(SIGUSR1)));
		CHECK_EQ(last_fault.sig, SIGSEGV);
		CHECK(!first);
	}
}

/* The same from a handler that interrupts user code, so that the way out is not a system call's. */
TEST(sigreturn_to_bad_addresses_after_a_fault)
{
	catch_forged();
	for (size_t i = 0; i < ARRAY_SIZE(bad_rips); i++) {
		new_rip = bad_rips[i];
		first = true;
		CHECK(FAULTED(*(volatile int *)8 = 0));
		CHECK_EQ(last_fault.sig, SIGSEGV);
	}
}

TEST(bad_stack_pointers_do_not_matter_to_the_kernel)
{
	static const u64 rsps[] = { 0, 8, 0x0000800000000000, 0xffff800000000000, 0xffffffff81000000,
				    0x4141414141414141, ~0ull };

	attack_init();
	for (size_t i = 0; i < ARRAY_SIZE(rsps); i++) {
		long ret;

		__asm__ volatile("mov %%rsp,%%rbx; mov %[sp],%%rsp; syscall; mov %%rbx,%%rsp"
				 : "=a"(ret) : "0"(110L), [sp] "r"(rsps[i])
				 : "rbx", "rcx", "r11", "memory");
		CHECK_EQ(ret, getppid());
		CHECK(FAULTED(({ __asm__ volatile("mov %0,%%rsp; int3" :: "r"(rsps[i])); })));
		CHECK_EQ(last_fault.sig, SIGTRAP);
		CHECK(FAULTED(({ __asm__ volatile("mov %0,%%rsp; ud2" :: "r"(rsps[i])); })));
		CHECK_EQ(last_fault.sig, SIGILL);
		CHECK(FAULTED(({ __asm__ volatile("mov %0,%%rsp; movb $0,8" :: "r"(rsps[i])); })));
		CHECK_EQ(last_fault.sig, SIGSEGV);
		CHECK_EQ(last_fault.addr, 8);
	}
}

TEST(signal_on_an_impossible_stack_kills)
{
	static const u64 rsps[] = { 0x1000, 0xffff888000001000, 0x4141414141414140, 0x00007ffffffff100 };

	for (size_t i = 0; i < ARRAY_SIZE(rsps); i++) {
		pid_t pid = test_fork();

		if (pid == 0) {
			struct sigaction act = { .sa_sigaction = attack_handler,
						 .sa_flags = SA_SIGINFO };

			sigaction(SIGTRAP, &act, NULL);
			__asm__ volatile("mov %0,%%rsp; int3" :: "r"(rsps[i]));
		}
		CHECK_KILLED(pid, SIGSEGV);
	}
}
