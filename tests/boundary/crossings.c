/*
 * Compares registers, flags, stack and vector state before and after very many crossings, with
 * timer signals, a competing process and page faults going on: a program can tell that it was
 * interrupted only by the clock.
 */
#include "attack.h"

#include <sched.h>
#include <sys/time.h>

#define CROSSINGS SCALE(20000, 100000)

u64 cross_in[16], cross_out[16], cross_nr, cross_flags, cross_rsp[2];
u8 cross_vin[16 * 32] __attribute__((aligned(64))), cross_vout[16 * 32] __attribute__((aligned(64)));

/* Load all registers from cross_in, one SYSCALL (or a busy loop when the number is -1), store. */
#define CROSS(name, vec, load, store)                                                              \
	__attribute__((naked, noinline)) static void name(void)                                    \
	{                                                                                          \
		__asm__("push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"       \
			load "mov cross_in+0(%rip),%rbx;  mov cross_in+8(%rip),%rdx\n"             \
			"mov cross_in+16(%rip),%rbp; mov cross_in+24(%rip),%r8\n"                  \
			"mov cross_in+32(%rip),%r9;  mov cross_in+40(%rip),%r10\n"                 \
			"mov cross_in+48(%rip),%r12; mov cross_in+56(%rip),%r13\n"                 \
			"mov cross_in+64(%rip),%r14; mov cross_in+72(%rip),%r15\n"                 \
			"mov cross_in+80(%rip),%rsi; mov cross_in+88(%rip),%rdi\n"                 \
			"mov %rsp,cross_rsp(%rip)\n"                                               \
			"mov cross_nr(%rip),%rax; cmp $-1,%rax; je 2f\n"                           \
			"stc; std; syscall; jmp 3f\n"                                              \
			"2: mov $3000,%ecx; 1: dec %ecx; jnz 1b; stc; std\n"                       \
			"3: pushfq; cld; pop cross_flags(%rip); mov %rsp,cross_rsp+8(%rip)\n"      \
			"mov %rbx,cross_out+0(%rip);  mov %rdx,cross_out+8(%rip)\n"                \
			"mov %rbp,cross_out+16(%rip); mov %r8,cross_out+24(%rip)\n"                \
			"mov %r9,cross_out+32(%rip);  mov %r10,cross_out+40(%rip)\n"               \
			"mov %r12,cross_out+48(%rip); mov %r13,cross_out+56(%rip)\n"               \
			"mov %r14,cross_out+64(%rip); mov %r15,cross_out+72(%rip)\n"               \
			"mov %rsi,cross_out+80(%rip); mov %rdi,cross_out+88(%rip)\n" store         \
			"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret");        \
	}

#define SSE(op, dir)                                                                               \
	op(0, dir) op(1, dir) op(2, dir) op(3, dir) op(7, dir) op(8, dir) op(14, dir) op(15, dir)
#define LOAD_XMM(n, d) "movups cross_vin+32*" #n "(%rip),%xmm" #n "\n"
#define STORE_XMM(n, d) "movups %xmm" #n ",cross_vout+32*" #n "(%rip)\n"
#define LOAD_YMM(n, d) "vmovups cross_vin+32*" #n "(%rip),%ymm" #n "\n"
#define STORE_YMM(n, d) "vmovups %ymm" #n ",cross_vout+32*" #n "(%rip)\n"

CROSS(cross_sse, xmm, SSE(LOAD_XMM, 0), SSE(STORE_XMM, 0))
CROSS(cross_avx, ymm, SSE(LOAD_YMM, 0), SSE(STORE_YMM, 0) "vzeroupper\n")

static volatile int ticks;

static void on_tick(int sig)
{
	(void)sig;
	ticks++;
	__asm__ volatile("pxor %%xmm0,%%xmm0; pxor %%xmm15,%%xmm15" ::: "xmm0", "xmm15");
}

static void compare(void (*cross)(void), size_t bytes, u64 *state, long nr)
{
	static const u8 used[] = { 0, 1, 2, 3, 7, 8, 14, 15 };

	for (int i = 0; i < 12; i++)
		cross_in[i] = next_random(state);
	for (size_t i = 0; i < sizeof(cross_vin); i += 8)
		*(u64 *)(cross_vin + i) = next_random(state);
	cross_nr = nr;
	cross();
	for (int i = 0; i < 12; i++)
		CHECK_EQ(cross_out[i], cross_in[i]);
	for (size_t i = 0; i < sizeof(used); i++)
		CHECK(!memcmp(cross_vin + 32 * used[i], cross_vout + 32 * used[i], bytes));
	CHECK_EQ(cross_rsp[0], cross_rsp[1]);
	CHECK_EQ(cross_flags & 0x401, 0x401); /* CF and DF as set */
	CHECK_EQ(cross_flags & 0x3000, 0);
}

static void cross_many(void (*cross)(void), size_t bytes)
{
	static const long nrs[] = { SYS_getppid, 1000, SYS_sched_yield, -1 };
	struct itimerval it = { { 0, 3000 }, { 0, 3000 } };
	pid_t rival = test_fork();
	u64 state = 0x123456789abcdef ^ (u64)rival;

	if (rival == 0)
		for (;;) {
			__asm__ volatile("pcmpeqd %%xmm3,%%xmm3; pcmpeqd %%xmm15,%%xmm15" ::: "xmm3", "xmm15");
			sched_yield();
		}
	signal(SIGALRM, on_tick);
	CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
	for (int i = 0; i < CROSSINGS; i++)
		compare(cross, bytes, &state, nrs[i % 8 < 4 ? 0 : i % 4]);
	CHECK_OK(setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL));
	kill(rival, SIGKILL);
	CHECK_KILLED(rival, SIGKILL);
	CHECK(ticks > 0);
}

TEST_LIMIT(state_survives_with_sse, 120)
{
	cross_many(cross_sse, 16);
}

TEST_LIMIT(state_survives_with_avx, 120)
{
	if (!__builtin_cpu_supports("avx"))
		SKIP("CPU lacks AVX");
	cross_many(cross_avx, 32);
}

/* What lies below the stack pointer, the red zone, belongs to the program too. */
TEST(red_zone_survives_interrupts)
{
	u64 end = now_ns(CLOCK_MONOTONIC) + 200000000, bad = 0;

	while (now_ns(CLOCK_MONOTONIC) < end)
		__asm__ volatile("movq $0x11223344,-8(%%rsp); movq $0x55667788,-128(%%rsp);"
				 "mov $20000,%%ecx; 1: dec %%ecx; jnz 1b;"
				 "cmpq $0x11223344,-8(%%rsp); setne %b0; cmpq $0x55667788,-128(%%rsp);"
				 "setne %%cl; or %%cl,%b0"
				 : "+r"(bad) :: "rcx", "cc", "memory");
	CHECK_EQ(bad & 0xff, 0);
}
