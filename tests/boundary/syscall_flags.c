/* Executes SYSCALL with odd flags set: they neither reach the kernel nor get lost. */
#include "attack.h"

#define CF 0x1
#define TF 0x100
#define DF 0x400
#define OF 0x800
#define NT 0x4000
#define RF 0x10000
#define AC 0x40000
#define ID 0x200000

/* Set the flags, do the call, give its result and the flags after it. */
static long call_with_flags(u64 flags, long nr, long a, long b, long c, u64 *after)
{
	long ret;
	u64 got;

	__asm__ volatile("pushfq; pushfq; or %[f],(%%rsp); popfq; syscall; pushfq; pop %[got]; popfq"
			 : "=a"(ret), [got] "=&r"(got)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), [f] "r"(flags)
			 : "rcx", "r11", "cc", "memory");
	*after = got;
	return ret;
}

TEST(flags_do_not_disturb_the_call_and_survive_it)
{
	static const u64 sets[] = { CF, DF, OF, NT, AC, ID, DF | NT | AC | CF | OF | ID };
	static char in[20000], out[20000];
	int p[2];
	u64 after;

	CHECK_OK(pipe(p));
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = i * 31;
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		CHECK_EQ(call_with_flags(sets[i], SYS_getppid, 0, 0, 0, &after), getppid());
		CHECK_EQ(after & sets[i], sets[i]);
		CHECK_EQ(after & 0x3000, 0);
		/* Copies of odd length from and to odd addresses. */
		CHECK_EQ(call_with_flags(sets[i], SYS_write, p[1], (long)in + 3, 10001, &after), 10001);
		CHECK_EQ(after & sets[i], sets[i]);
		memset(out, 0, sizeof(out));
		CHECK_EQ(call_with_flags(sets[i], SYS_read, p[0], (long)out + 5, 10001, &after), 10001);
		CHECK_EQ(after & sets[i], sets[i]);
		CHECK(!memcmp(in + 3, out + 5, 10001));
		CHECK_EQ(call_with_flags(sets[i], 99999, 0, 0, 0, &after), -ENOSYS);
		CHECK_EQ(after & sets[i], sets[i]);
	}
}

TEST(call_clobbers_only_rcx_and_r11)
{
	u64 rcx, r11, next;

	__asm__ volatile("pushfq; pop %%rbx; lea 1f(%%rip),%2; mov $110,%%eax; syscall; 1:"
			 "mov %%rcx,%0; mov %%r11,%1"
			 : "=r"(rcx), "=r"(r11), "=&r"(next) :: "rax", "rbx", "rcx", "r11", "memory");
	CHECK_EQ(rcx, next);
	CHECK_EQ(r11 & ~0x8d5ull, 0x202);
}

static volatile int traps;
static volatile u64 trap_rip[64];

static void on_trap(int sig, siginfo_t *info, void *ctx)
{
	(void)sig, (void)info;
	if (traps < 64)
		trap_rip[traps] = ((ucontext_t *)ctx)->uc_mcontext.gregs[REG_RIP];
	traps++;
}

/* Single-stepping over SYSCALL traps in user space only, after the call has been done. */
TEST(trap_flag_steps_over_the_call)
{
	struct sigaction act = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	long ret;

	CHECK_OK(sigaction(SIGTRAP, &act, NULL));
	__asm__ volatile("pushfq; orl $0x100,(%%rsp); popfq; mov $110,%%eax; syscall; nop; nop;"
			 "pushfq; andl $~0x100,(%%rsp); popfq"
			 : "=a"(ret) :: "rcx", "r11", "cc", "memory");
	CHECK_EQ(ret, getppid());
	CHECK(traps >= 4 && traps <= 8);
	for (int i = 0; i < traps; i++)
		CHECK(trap_rip[i] < 1ull << 47);
}

/* NT set while a fault, a breakpoint and an interrupt return with IRET. */
TEST(nested_task_flag_does_not_break_iret)
{
	u64 end = now_ns(CLOCK_MONOTONIC) + 30000000;
	volatile char *fresh = mmap(NULL, 4096 * 16, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < 16; i++)
		__asm__ volatile("pushfq; pushfq; orl $0x4000,(%%rsp); popfq; movb $1,(%0); popfq"
				 :: "r"(fresh + i * 4096) : "cc", "memory");
	while (now_ns(CLOCK_MONOTONIC) < end)
		__asm__ volatile("pushfq; pushfq; orl $0x4000,(%%rsp); popfq; mov $10000,%%ecx;"
				 "1: dec %%ecx; jnz 1b; popfq" ::: "rcx", "cc", "memory");
}

/* The compatibility entries: SYSENTER and INT 0x80 end in a result or a signal, never in chaos. */
TEST(other_gates)
{
	pid_t pid = test_fork();
	int status;

	if (pid == 0) {
		__asm__ volatile("mov $0x7fffffff,%%eax; int $0x80" ::: "rax", "rcx", "r8", "r9", "r10",
				 "r11", "memory");
		_exit(0);
	}
	status = test_reap(pid);
	CHECK(status == 0 || (status & 0x7f) == SIGSEGV);
	pid = test_fork();
	if (pid == 0) {
		__asm__ volatile("mov %%rsp,%%rbp; mov $0x7fffffff,%%eax; sysenter" ::: "rax", "rcx",
				 "rdx", "memory");
		_exit(0);
	}
	status = test_reap(pid);
	CHECK(status == 0 || (status & 0x7f) == SIGSEGV || (status & 0x7f) == SIGILL);
}

/* Upper halves and the x32 bit of the call number. */
TEST(odd_call_numbers)
{
	static const u64 nrs[] = { 110 | 1ull << 32, 0xffffffff0000006e };
	u64 after;

	for (size_t i = 0; i < ARRAY_SIZE(nrs); i++)
		CHECK_EQ(call_with_flags(0, nrs[i], 0, 0, 0, &after), getppid());
	CHECK_EQ(call_with_flags(0, 0xffffffffffffffff, 0, 0, 0, &after), -ENOSYS);
	CHECK_EQ(call_with_flags(0, 0x80000000, 0, 0, 0, &after), -ENOSYS);
	for (u64 nr = 600; nr < 1ull << 62; nr = nr * 3 + 1)
		if ((u32)nr > 600 && !((u32)nr & 0x40000000 && (u32)nr < 0x40000400))
			CHECK_EQ(call_with_flags(0, nr, 0, 0, 0, &after), -ENOSYS);
}
