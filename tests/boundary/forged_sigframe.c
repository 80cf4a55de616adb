/* Forges every field of a signal frame and returns through it: the process may die, no more. */
#include "attack.h"

#include <cpuid.h>

static volatile int field, kind;
static volatile u64 value;

enum { GREG, CSSS, FPPTR, XHEADER, MXCSR, SIGMASK };

static u32 xfeature_bytes(u8 *fp)
{
	u32 size;

	memcpy(&size, fp + 464 + 16, 4); /* sw_reserved.xstate_size */
	return size;
}

static void forge(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;
	u8 *fp = (u8 *)uc->uc_mcontext.fpregs;

	(void)sig, (void)info;
	switch (kind) {
	case GREG:
		uc->uc_mcontext.gregs[field] = value;
		break;
	case CSSS:
		((u16 *)&uc->uc_mcontext.gregs[REG_CSGSFS])[field] = value;
		break;
	case FPPTR:
		uc->uc_mcontext.fpregs = (void *)value;
		break;
	case XHEADER:
		if (fp && xfeature_bytes(fp) > 576)
			memcpy(fp + 512 + field, (void *)&value, 8);
		break;
	case MXCSR:
		if (fp)
			memcpy(fp + 24, (void *)&value, 4);
		break;
	}
}

/* After the forged return nothing may have changed about the privilege level. */
static void still_ring_3(void)
{
	u16 cs, ss;
	u64 flags;

	__asm__ volatile("mov %%cs,%0; mov %%ss,%1; pushfq; pop %2" : "=r"(cs), "=r"(ss), "=r"(flags));
	if ((cs & 3) != 3 || flags & 0x3000 || !(flags & 0x200))
		_exit(77);
}

/* Forge once in a child: it survives with ring 3 intact, or dies of an ordinary signal. */
static void attack(int k, int f, u64 v)
{
	pid_t pid = test_fork();
	int status;

	if (pid == 0) {
		struct sigaction act = { .sa_sigaction = forge, .sa_flags = SA_SIGINFO };

		alarm(5);
		kind = k;
		field = f;
		value = v;
		sigaction(SIGUSR1, &act, NULL);
		syscall(SYS_kill, getpid(), SIGUSR1);
		still_ring_3();
		_exit(0);
	}
	status = test_reap(pid);
	if (status != 0 && !(status & 0x7f))
		FAIL("field %d/%d value %#lx: exit status %d", k, f, v >> 16, status >> 8);
	if ((status & 0x7f) == SIGKILL)
		FAIL("field %d/%d: killed", k, f);
}

static const u64 nasty[] = { 0, 1, 8, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x7ffffffff000,
			     0x800000000000, 0xffff800000000000, 0xffff888000000000,
			     0xffffffff81000000, 0x8000000000000000, 0x4141414141414141, ~0ull };

TEST_LIMIT(every_register, 60)
{
	for (int r = 0; r < 23; r++)
		for (size_t i = 0; i < ARRAY_SIZE(nasty); i += SCALE(2, 1))
			if (r != REG_CSGSFS)
				attack(GREG, r, nasty[i]);
}

TEST_LIMIT(code_and_stack_selectors, 60)
{
	for (unsigned sel = 0; sel < 0x100; sel += SCALE(5, 1)) {
		attack(CSSS, 0, sel);
		attack(CSSS, 3, sel);
	}
	attack(CSSS, 0, 0xfffb);
	attack(CSSS, 3, 0xfffb);
	attack(CSSS, 0, 0xffff);
	attack(CSSS, 3, 0xffff);
}

TEST(flags)
{
	for (int bit = 0; bit < 32; bit++)
		if (bit != 8) /* TF: the child would die of SIGTRAP, which is fine but tells nothing */
			attack(GREG, REG_EFL, 0x202 | 1ull << bit);
	attack(GREG, REG_EFL, 0);
	attack(GREG, REG_EFL, 0xffffffffffffffff);
}

/* IOPL and IF cannot be smuggled in: CLI and port access still fault afterwards. */
TEST(iopl_through_sigreturn)
{
	struct sigaction act = { .sa_sigaction = forge, .sa_flags = SA_SIGINFO };

	attack_init();
	kind = GREG;
	field = REG_EFL;
	value = 0x3202;
	CHECK_OK(sigaction(SIGUSR1, &act, NULL));
	CHECK_OK(raise(SIGUSR1));
	still_ring_3();
	CHECK(FAULTED(({ __asm__ volatile("cli"); })));
	CHECK_EQ(last_fault.sig, SIGSEGV);
	CHECK(FAULTED(({ __asm__ volatile("outb %%al,$0x80" :: "a"(0)); })));
}

TEST(vector_state_header)
{
	for (int off = 0; off < 64; off += 8)
		for (size_t i = 0; i < ARRAY_SIZE(nasty); i += 2)
			attack(XHEADER, off, nasty[i]);
}

TEST(mxcsr_reserved_bits)
{
	for (int bit = 0; bit < 32; bit++)
		attack(MXCSR, 0, 0x1f80 | 1ull << bit);
	attack(MXCSR, 0, 0xffffffff);
}

TEST(vector_state_pointer)
{
	for (size_t i = 0; i < ARRAY_SIZE(nasty); i++)
		attack(FPPTR, 0, nasty[i]);
}

/* rt_sigreturn without any frame. */
TEST(bare_sigreturn)
{
	static const u64 rsps[] = { 0, 8, 0x7ffffffff000, 0xffff888000000000, 0x4141414141414141 };

	for (size_t i = 0; i < ARRAY_SIZE(rsps); i++) {
		pid_t pid = test_fork();

		if (pid == 0)
			__asm__ volatile("mov %0,%%rsp; mov $15,%%eax; syscall; ud2" :: "r"(rsps[i]));
		CHECK_KILLED(pid, SIGSEGV);
	}
}

/* A frame of random bytes: whatever happens, it happens to the child. */
TEST_LIMIT(random_frames, 60)
{
	for (int seed = 1; seed <= SCALE(60, 2000); seed++) {
		pid_t pid = test_fork();
		int status;

		if (pid == 0) {
			static u64 frame[2048] __attribute__((aligned(64)));
			u64 state = seed * 0x9e3779b97f4a7c15ull;

			alarm(5);
			for (size_t i = 0; i < ARRAY_SIZE(frame); i++)
				frame[i] = next_random(&state) >> (next_random(&state) % 64);
			__asm__ volatile("mov %0,%%rsp; mov $15,%%eax; syscall; ud2"
					 :: "r"(frame + 512));
		}
		status = test_reap(pid);
		CHECK((status & 0x7f) != 0 && (status & 0x7f) != SIGKILL);
	}
}
