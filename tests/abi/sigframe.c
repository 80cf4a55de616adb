/* The signal frame on x86-64: what a handler sees, and that everything comes back as it was. */
#include "test.h"

#include <cpuid.h>
#include <immintrin.h>
#include <ucontext.h>

static volatile int hits;

static void on_signal(int sig)
{
	(void)sig;
	hits++;
	/* Leave nothing as it was. */
	__asm__ volatile("xor %%ebx,%%ebx; xor %%ecx,%%ecx; xor %%edx,%%edx; xor %%esi,%%esi;"
			 "xor %%edi,%%edi; xor %%r8d,%%r8d; xor %%r9d,%%r9d; xor %%r10d,%%r10d;"
			 "xor %%r11d,%%r11d; pxor %%xmm0,%%xmm0; pxor %%xmm7,%%xmm7;"
			 "pxor %%xmm15,%%xmm15; std; cld; fninit"
			 ::: "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0",
			 "xmm7", "xmm15", "cc", "memory");
}

u64 in[12], out[12], flags_out;

/* Load the registers from in[], kill(self, SIGUSR1), store them to out[]. */
__attribute__((naked, noinline)) static void call_with_registers(int pid __attribute__((unused)))
{
	__asm__("push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
		"mov in+0(%rip),%rbx;  mov in+8(%rip),%rdx;   mov in+16(%rip),%rbp\n"
		"mov in+24(%rip),%r8;  mov in+32(%rip),%r9;   mov in+40(%rip),%r10\n"
		"mov in+48(%rip),%r12; mov in+56(%rip),%r13;  mov in+64(%rip),%r14\n"
		"mov in+72(%rip),%r15; mov $10,%esi; mov $62,%eax\n"
		"stc; syscall; pushfq; pop flags_out(%rip)\n"
		"mov %rbx,out+0(%rip);  mov %rdx,out+8(%rip);  mov %rbp,out+16(%rip)\n"
		"mov %r8,out+24(%rip);  mov %r9,out+32(%rip);  mov %r10,out+40(%rip)\n"
		"mov %r12,out+48(%rip); mov %r13,out+56(%rip); mov %r14,out+64(%rip)\n"
		"mov %r15,out+72(%rip); mov %rsi,out+80(%rip); mov %rdi,out+88(%rip)\n"
		"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret");
}

/* rcx, r11 and rax belong to the call; all else must come back. */
TEST(registers_survive_a_handler)
{
	signal(SIGUSR1, on_signal);
	for (int i = 0; i < 10; i++)
		in[i] = 0x1111111111111111ull * (i + 1);
	call_with_registers(getpid());
	CHECK_EQ(hits, 1);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(out[i], in[i]);
	CHECK_EQ(out[10], 10);
	CHECK_EQ(out[11], getpid());
	CHECK_EQ(flags_out & 1, 1);
}

TEST(xmm_and_mxcsr_survive_a_handler)
{
	u64 in[4] = { 0x0123456789abcdef, 0xfedcba9876543210, 5, 6 }, out[4] = { 0 };
	u32 csr = 0x7f80, csr_out = 0;
	u64 nr = SYS_kill;

	signal(SIGUSR1, on_signal);
	__asm__ volatile("ldmxcsr %[csr]; movdqu (%[in]),%%xmm0; movdqu 16(%[in]),%%xmm15\n"
			 "syscall\n"
			 "movdqu %%xmm0,(%[out]); movdqu %%xmm15,16(%[out]); stmxcsr %[csro]\n"
			 : "+a"(nr), [csro] "=m"(csr_out)
			 : "D"((long)getpid()), "S"(10L), [csr] "m"(csr), [in] "r"(in), [out] "r"(out)
			 : "rcx", "r11", "xmm0", "xmm15", "memory");
	CHECK_EQ(hits, 1);
	CHECK(!memcmp(in, out, sizeof(in)));
	CHECK_EQ(csr_out, csr);
}

TEST(x87_state_survives_a_handler)
{
	long double in = 3.14159265358979323846L, out = 0;
	u16 cw = 0x0f7f, cw_out = 0;
	u64 nr = SYS_kill;

	signal(SIGUSR1, on_signal);
	__asm__ volatile("fldcw %[cw]; fldt %[in]; syscall; fstpt %[out]; fnstcw %[cwo]; fninit"
			 : "+a"(nr), [out] "=m"(out), [cwo] "=m"(cw_out)
			 : "D"((long)getpid()), "S"(10L), [in] "m"(in), [cw] "m"(cw)
			 : "rcx", "r11", "memory", "st");
	CHECK_EQ(hits, 1);
	CHECK(in == out);
	CHECK_EQ(cw_out, cw);
}

__attribute__((target("avx"))) static void clobber_avx(int sig)
{
	(void)sig;
	hits++;
	__asm__ volatile("vzeroall" ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
			 "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
			 "xmm15");
}

__attribute__((target("avx"))) static void avx_round_trip(void)
{
	u8 in[32], out[32] = { 0 };
	u64 nr = SYS_kill;

	for (int i = 0; i < 32; i++)
		in[i] = i * 7 + 1;
	__asm__ volatile("vmovdqu (%[in]),%%ymm5; syscall; vmovdqu %%ymm5,(%[out]); vzeroupper"
			 : "+a"(nr)
			 : "D"((long)getpid()), "S"(10L), [in] "r"(in), [out] "r"(out)
			 : "rcx", "r11", "xmm5", "memory");
	CHECK_EQ(hits, 1);
	CHECK(!memcmp(in, out, 32));
}

TEST(sigreturn_restores_avx)
{
	if (!__builtin_cpu_supports("avx"))
		SKIP("CPU lacks AVX");
	signal(SIGUSR1, clobber_avx);
	avx_round_trip();
}

static void check_context(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;
	u64 *fp = (u64 *)uc->uc_mcontext.fpregs;

	(void)info;
	hits++;
	CHECK_EQ(sig, SIGUSR1);
	CHECK_EQ((u64)uc % 16, 0);
	CHECK_EQ((u64)fp % 64, 0);
	CHECK_EQ(uc->uc_mcontext.gregs[REG_RAX], 0);
	CHECK_EQ(uc->uc_mcontext.gregs[REG_CSGSFS] & 0xffff, 0x33);
	CHECK_EQ((u64)uc->uc_mcontext.gregs[REG_CSGSFS] >> 48, 0x2b);
	CHECK_EQ(uc->uc_mcontext.gregs[REG_EFL] & 0x200, 0x200);
	CHECK_EQ(uc->uc_mcontext.gregs[REG_RDX], 0x5eed);
	CHECK_EQ(uc->uc_mcontext.gregs[REG_OLDMASK], 1ull << (SIGUSR2 - 1));
	uc->uc_mcontext.gregs[REG_RDX] = 0xfeed;
	sigaddset(&uc->uc_sigmask, SIGHUP);
}

TEST(handler_sees_and_changes_the_context)
{
	struct sigaction act = { .sa_sigaction = check_context, .sa_flags = SA_SIGINFO };
	u64 nr = SYS_kill, rdx = 0x5eed;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK_OK(sigaction(SIGUSR1, &act, NULL));
	__asm__ volatile("syscall" : "+a"(nr), "+d"(rdx) : "D"((long)getpid()), "S"(10L)
			 : "rcx", "r11", "memory");
	CHECK_EQ(hits, 1);
	CHECK_EQ(rdx, 0xfeed);
	sigprocmask(SIG_BLOCK, NULL, &set);
	CHECK(sigismember(&set, SIGHUP) && sigismember(&set, SIGUSR2));
}

volatile u64 entry_flags, entry_sp;

__attribute__((naked)) static void raw_handler(void)
{
	__asm__("pushfq; pop entry_flags(%rip); mov %rsp,entry_sp(%rip); ret");
}

/* The handler is entered as after a call: sp + 8 divisible by 16, DF clear, 128 bytes skipped. */
TEST(handler_entry_follows_the_abi)
{
	u64 nr = SYS_kill, before, red = 0x7edd7edd;

	signal(SIGUSR1, (void (*)(int))raw_handler);
	__asm__ volatile("mov %%rsp,%[sp]; mov %[red],-8(%%rsp); mov %[red],-128(%%rsp)\n"
			 "std; syscall; cld\n"
			 "xor %[red],%[red]; mov -8(%%rsp),%[red]; cmp -128(%%rsp),%[red]\n"
			 "je 1f; xor %[red],%[red]; 1:"
			 : "+a"(nr), [sp] "=&r"(before), [red] "+r"(red)
			 : "D"((long)getpid()), "S"(10L)
			 : "rcx", "r11", "memory", "cc");
	CHECK_EQ((entry_sp + 8) % 16, 0);
	CHECK_EQ(entry_flags & 0x400, 0);
	CHECK(entry_sp < before - 128);
	CHECK_EQ(red, 0x7edd7edd);
}

static volatile int depth;

static void nest(int sig)
{
	(void)sig;
	if (++depth < 20)
		raise(SIGUSR1);
}

TEST(nested_handlers_unwind)
{
	struct sigaction act = { .sa_handler = nest, .sa_flags = SA_NODEFER };

	CHECK_OK(sigaction(SIGUSR1, &act, NULL));
	raise(SIGUSR1);
	CHECK_EQ(depth, 20);
}

static void skip_fault(int sig, siginfo_t *info, void *ctx)
{
	(void)sig, (void)info;
	hits++;
	((ucontext_t *)ctx)->uc_mcontext.gregs[REG_RIP] += 2;
}

TEST(handler_may_move_the_instruction_pointer)
{
	struct sigaction act = { .sa_sigaction = skip_fault, .sa_flags = SA_SIGINFO };
	int v = 0;

	CHECK_OK(sigaction(SIGILL, &act, NULL));
	__asm__ volatile("ud2; mov $1,%0" : "=r"(v));
	CHECK_EQ(v, 1);
	CHECK_EQ(hits, 1);
}

TEST(vector_state_survives_preemption)
{
	u64 end = now_ns(CLOCK_MONOTONIC) + 100000000;
	pid_t other = test_fork();
	u64 v = other ? 0x1122334455667788 : 0x99aabbccddeeff00, got = v;

	while (got == v && now_ns(CLOCK_MONOTONIC) < end)
		__asm__ volatile("movq %1,%%xmm9; mov $20000,%%ecx; 1: dec %%ecx; jnz 1b;"
				 "movq %%xmm9,%0" : "=r"(got) : "r"(v) : "rcx", "xmm9", "cc");
	CHECK_EQ(got, v);
	test_join(other);
}
