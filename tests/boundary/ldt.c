/* Every descriptor that modify_ldt gives, loaded, jumped to and returned to, while others change the table. */
#include "ldt.h"

#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/user.h>

/* Number n of all descriptors that a program can ask for, at entry 0. */
static struct user_desc nth_desc(unsigned n)
{
	static const unsigned limits[] = { 0, 1, 0xfff, 0xfffff };

	return (struct user_desc){ .contents = n & 3, .seg_32bit = n >> 2, .read_exec_only = n >> 3,
				   .limit_in_pages = n >> 4, .seg_not_present = n >> 5,
				   .useable = n >> 6, .lm = n >> 7, .limit = limits[n >> 8 & 3],
				   .base_addr = n & 0x400 ? 0xfffff000 : 0 };
}
#define NR_DESCS 0x800

static bool set_nth(unsigned n, struct user_desc *d, bool narrow)
{
	int ret;

	*d = nth_desc(n);
	if (!d->seg_32bit && !narrow)
		return false;
	ret = modify_ldt(0x11, d, sizeof(*d));
	/* Conforming code must not be present. */
	CHECK_EQ(ret, d->contents == 3 && !d->seg_not_present ? -EINVAL : 0);
	return ret == 0;
}

/* Ring 3, code or data, never a gate, never 64-bit code; what is read back says the same. */
TEST_LIMIT(descriptors_are_ring_3_segments, 60)
{
	bool narrow = segments_16();

	for (unsigned n = 0; n < NR_DESCS; n++) {
		struct user_desc d;
		u64 raw;
		u32 access;

		if (!set_nth(n, &d, narrow))
			continue;
		CHECK_EQ(modify_ldt(0, &raw, 8), 8);
		if (!raw)
			continue; /* "no segment" */
		CHECK_EQ(raw >> 40 & 0x71, 0x71);
		CHECK_EQ(raw >> 53 & 1, 0);
		access = segment_access(LDT_SEL(0));
		CHECK_EQ(access, raw >> 32 & 0xf0ff00);
		CHECK_EQ(access >> 15 & 1, !d.seg_not_present);
	}
}

/* Loads sel into fs and puts the thread pointer back before C runs. */
static u16 load_fs(u16 sel, u64 base)
{
	u64 got;

	__asm__ volatile("mov %2,%%fs; mov %%fs,%0; mov %3,%%rsi; mov %4,%%edi; mov %5,%%eax; syscall"
			 : "=&b"(got) : "0"(0ul), "r"((u32)sel), "r"(base), "i"(ARCH_SET_FS),
			   "i"(SYS_arch_prctl)
			 : "rax", "rcx", "rdx", "rsi", "rdi", "r11", "memory");
	return got;
}

#define LOAD(seg) FAULTED(({ __asm__ volatile("mov %0,%%" seg "; mov %1,%%" seg :: "r"((u32)sel), "r"(0)); }))

static void check_load(bool faulted, bool good, bool present, const char *seg, unsigned n, u16 sel)
{
	if (faulted == good)
		FAIL("descriptor %#x in %s: %s", n, seg, faulted ? "refused" : "taken");
	if (!faulted)
		return;
	CHECK_EQ(last_fault.sig, present ? SIGSEGV : SIGBUS);
	CHECK_EQ(last_fault.err, sel & ~3);
}

TEST_LIMIT(every_descriptor_into_every_register, 120)
{
	bool narrow = segments_16();
	u16 sel = LDT_SEL(0);
	u64 base;

	attack_init();
	CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &base));
	for (unsigned n = 0; n < NR_DESCS; n += SCALE(7, 1)) {
		struct user_desc d;
		volatile u32 access;
		volatile bool ok, present, writable;
		bool code, readable;

		if (!set_nth(n, &d, narrow))
			continue;
		access = segment_access(sel);
		code = access & 0x800;
		readable = access && (!code || access & 0x200);
		present = access & 0x8000;
		ok = readable && present;
		present |= !readable; /* the type is looked at first */
		check_load(LOAD("ds"), ok, present, "ds", n, sel);
		check_load(LOAD("es"), ok, present, "es", n, sel);
		check_load(LOAD("gs"), ok, present, "gs", n, sel);
		check_load(FAULTED(load_fs(sel, base)), ok, present, "fs", n, sel);
		u32 old;
		writable = access && !code && access & 0x200;
		bool bad = FAULTED(({ __asm__ volatile("mov %%ss,%0; mov %1,%%ss; mov %0,%%ss"
						       : "=&r"(old) : "r"((u32)sel)); }));
		check_load(bad, writable && access & 0x8000, !writable || access & 0x8000, "ss", n, sel);
	}
}

TEST(far_jumps)
{
	struct user_desc d;
	u8 *page = segment_page();
	u32 code32 = (u32)(u64)page + SP_CODE32;

	attack_init();
	bool narrow = segments_16();
	d = code_desc(0, true);
	ldt_set(&d);
	d = code_desc(1, !narrow);
	ldt_set(&d);
	d = data_desc(2, true);
	ldt_set(&d);
	d = code_desc(3, true);
	d.seg_not_present = 1;
	ldt_set(&d);
	d.contents = 3;
	d.entry_number = 4;
	ldt_set(&d);
	CHECK(!FAULTED(segment_enter(LDT_SEL(0), code32, 0)));
	if (narrow)
		CHECK(!FAULTED(segment_enter(LDT_SEL(1), SP_CODE16, 0)));
	CHECK(!FAULTED(segment_enter(0x23, code32, 0)));
	static const struct {
		u16 sel;
		int sig;
	} bad[] = { { LDT_SEL(2), SIGSEGV }, { LDT_SEL(3), SIGBUS }, { LDT_SEL(4), SIGBUS },
		    { LDT_SEL(5), SIGSEGV }, { LDT_SEL(8191), SIGSEGV }, { 3, SIGSEGV },
		    { 0x10, SIGSEGV }, { 0x40, SIGSEGV }, { 0x50, SIGSEGV }, { 0x53, SIGSEGV } };
	for (volatile size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK(FAULTED(segment_enter(bad[i].sel, code32, 0)));
		CHECK_EQ(last_fault.sig, bad[i].sig);
		CHECK_EQ(last_fault.err, bad[i].sel & ~3);
	}
	d = code_desc(1, true);
	d.limit = code32 >> 12;
	ldt_set(&d);
	CHECK(FAULTED(segment_enter(LDT_SEL(1), code32 + 0x1000, 0))); /* beyond its limit */
	CHECK_EQ(last_fault.sig, SIGSEGV);
}

static volatile u16 want_cs, want_ss;
static volatile u64 want_ip, want_sp;
static struct {
	u16 cs, ss;
	u64 sp;
} seen;

static void forge(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;
	u16 *sel = (u16 *)&uc->uc_mcontext.gregs[REG_CSGSFS];

	(void)sig, (void)info;
	sel[0] = want_cs;
	sel[3] = want_ss;
	uc->uc_mcontext.gregs[REG_RIP] = want_ip;
	uc->uc_mcontext.gregs[REG_RSP] = want_sp;
}

static void look(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;
	u16 *sel = (u16 *)&uc->uc_mcontext.gregs[REG_CSGSFS];

	/* The handler may run on a stack segment that the other thread takes away. */
	__asm__ volatile("mov %0,%%ss" :: "r"(0x2b));
	seen.cs = sel[0];
	seen.ss = sel[3];
	seen.sp = uc->uc_mcontext.gregs[REG_RSP];
	attack_handler(sig, info, ctx);
}

static void forge_init(void)
{
	struct sigaction act = { .sa_sigaction = look, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	attack_init();
	CHECK_OK(sigaction(SIGTRAP, &act, NULL));
	CHECK_OK(sigaction(SIGSEGV, &act, NULL));
	CHECK_OK(sigaction(SIGBUS, &act, NULL));
	act.sa_sigaction = forge;
	CHECK_OK(sigaction(SIGUSR1, &act, NULL));
}

/* Returns through a forged frame to a breakpoint instruction: the fault is the trap, or IRET's. */
static void return_to(u16 cs, u16 ss, bool narrow)
{
	want_cs = cs;
	want_ss = ss;
	want_ip = narrow ? SP_TRAP : (u64)segment_page() + SP_TRAP;
	want_sp = 0x8badf00d5aadc0d8;
	CHECK(FAULTED(raise(SIGUSR1)));
}

/* The stack pointer that comes back is the program's in the lower half, and nothing of the kernel's stack. */
TEST(sigreturn_to_every_pair_of_segments)
{
	enum { CODE32, CODE16, CODE_NP, CONF_NP, DATA32, DATA16, DOWN, RO, DATA_NP, GONE };
	static const struct {
		u16 sel;
		bool good, missing;
	} cs[] = { { 0x33, 1, 0 }, { 0x23, 1, 0 }, { LDT_SEL(CODE32), 1, 0 }, { LDT_SEL(CODE16), 1, 0 },
		   { LDT_SEL(CODE_NP), 0, 1 }, { LDT_SEL(CONF_NP), 0, 1 }, { LDT_SEL(DATA32), 0, 0 },
		   { LDT_SEL(GONE), 0, 0 }, { LDT_SEL(8191), 0, 0 }, { 3, 0, 0 }, { 0x13, 0, 0 },
		   { 0x2b, 0, 0 }, { 0x43, 0, 0 }, { 0x53, 0, 0 }, { 0xfffb, 0, 0 } },
	  ss[] = { { 0x2b, 1, 0 }, { LDT_SEL(DATA32), 1, 0 }, { LDT_SEL(DATA16), 1, 0 },
		   { LDT_SEL(DOWN), 1, 0 }, { LDT_SEL(RO), 0, 0 }, { LDT_SEL(CODE32), 0, 0 },
		   { LDT_SEL(DATA_NP), 0, 1 }, { LDT_SEL(GONE), 0, 0 }, { 3, 0, 0 }, { 0x1b, 0, 0 },
		   { 0x33, 0, 0 }, { 0x7b, 0, 0 } };
	bool narrow = segments_16();
	struct user_desc d[] = { code_desc(CODE32, true), code_desc(CODE16, !narrow), code_desc(CODE_NP, true),
				 code_desc(CONF_NP, true), data_desc(DATA32, true), data_desc(DATA16, !narrow),
				 data_desc(DOWN, !narrow), data_desc(RO, true), data_desc(DATA_NP, !narrow) };

	d[CODE_NP].seg_not_present = d[CONF_NP].seg_not_present = d[DATA_NP].seg_not_present = 1;
	d[CONF_NP].contents = 3;
	d[DOWN].contents = 1;
	d[RO].read_exec_only = 1;
	for (size_t i = 0; i < ARRAY_SIZE(d); i++)
		ldt_set(&d[i]);
	forge_init();
	for (size_t i = 0; i < ARRAY_SIZE(cs); i++)
		for (size_t j = 0; j < ARRAY_SIZE(ss); j++) {
			u64 err = !cs[i].good ? cs[i].sel & ~3 : ss[j].sel & ~3;

			return_to(cs[i].sel, ss[j].sel, narrow && cs[i].sel == LDT_SEL(CODE16));
			if (cs[i].good && ss[j].good) {
				CHECK_EQ(last_fault.sig, SIGTRAP);
				CHECK_EQ(seen.cs, cs[i].sel);
				CHECK_EQ(seen.ss, ss[j].sel);
				CHECK_EQ((u32)seen.sp, (u32)want_sp);
				if (seen.sp >> 32 != want_sp >> 32 && seen.sp >> 32)
					CHECK_EQ(seen.sp >> 40, 0xffffff);
				continue;
			}
			/* With 16-bit segments Linux forgets the cause when the stack segment is in the LDT. */
			bool lost = narrow && ss[j].sel & 4;
			bool bus = !lost && (cs[i].good ? ss[j].missing : cs[i].missing);

			if (lost)
				err = 0;
			if (last_fault.sig != (bus ? SIGBUS : SIGSEGV) || last_fault.err != err)
				FAIL("cs %#x, ss %#x: signal %d, error %#lx, not %#lx", cs[i].sel,
				     ss[j].sel, last_fault.sig, last_fault.err, err);
			CHECK(last_fault.trapno == 13 ? !bus : bus && last_fault.trapno - 11 < 2);
		}
}

TEST(return_beyond_the_limit_of_a_segment)
{
	struct user_desc d = code_desc(0, true);

	if (cpu_is_tcg() && strcmp(getenv("TEST_PLATFORM") ?: "", "gatehouse"))
		SKIP("QEMU's emulation of IRET does not look at the limit");
	d.limit = 0;
	ldt_set(&d);
	forge_init();
	want_cs = LDT_SEL(0);
	want_ss = 0x2b;
	want_ip = 0x1000;
	want_sp = 0x1000;
	CHECK(FAULTED(raise(SIGUSR1)));
	CHECK_EQ(last_fault.sig, SIGSEGV);
}

/* DS and ES are looked at again as soon as the table changes, the others at the next switch at the latest. */
TEST(selectors_of_segments_that_vanish)
{
	struct user_desc d = data_desc(0, true);
	u32 ds = 0, es = 0, gs = 0, sel = LDT_SEL(0);
	u64 end;

	ldt_set(&d);
	__asm__ volatile("mov %0,%%ds; mov %0,%%es; mov %0,%%gs" :: "r"(sel));
	CHECK_OK(syscall(SYS_getppid));
	IN_CHILD {
		__asm__ volatile("mov %%ds,%0; mov %%es,%1; mov %%gs,%2" : "=r"(ds), "=r"(es), "=r"(gs));
		CHECK(ds == sel && es == sel && gs == sel);
	}
	__asm__ volatile("mov %%ds,%0; mov %%es,%1; mov %%gs,%2" : "=r"(ds), "=r"(es), "=r"(gs));
	CHECK(ds == sel && es == sel && gs == sel);
	ldt_clear(0);
	__asm__ volatile("mov %%ds,%0; mov %%es,%1" : "=r"(ds), "=r"(es));
	CHECK(ds == 0 && es == 0);
	end = now_ns(CLOCK_MONOTONIC) + 2000000000;
	do {
		sleep_ms(1);
		__asm__ volatile("mov %%gs,%0" : "=r"(gs));
	} while (gs && now_ns(CLOCK_MONOTONIC) < end);
	CHECK_EQ(gs, 0);
}

static volatile bool stop, narrow_stacks;

/* Code and data, present, absent and gone, in turn. */
static void *change_table(void *arg)
{
	for (unsigned n = 0; !stop; n++) {
		struct user_desc code = code_desc(0, true), stack = data_desc(1, n & 8 || !narrow_stacks);

		code.seg_not_present = n % 4 == 1;
		stack.seg_not_present = n % 8 == 3;
		if (n % 4 == 2)
			ldt_clear(0);
		else
			ldt_set(&code);
		if (n % 8 == 5)
			ldt_clear(1);
		else
			ldt_set(&stack);
		if (n % 64 == 0) { /* a long table */
			stack.entry_number = 8191;
			ldt_set(&stack);
		}
	}
	return arg;
}

/* In the segment, returning to it from interrupts, from signals, with its stack, while it goes and comes. */
TEST_LIMIT(table_changes_under_a_running_thread, 60)
{
	u64 end = now_ns(CLOCK_MONOTONIC) + SCALE(1000000000ull, 10000000000ull);
	unsigned in = 0, out = 0, forged = 0;
	pthread_t t;

	forge_init();
	narrow_stacks = segments_16();
	stop = false;
	CHECK_EQ(pthread_create(&t, NULL, change_table, NULL), 0);
	while (now_ns(CLOCK_MONOTONIC) < end) {
		u32 loop = (u32)(u64)segment_page() + SP_LOOP32;
		int sig;

		if (FAULTED(segment_enter(LDT_SEL(0), loop, 30000)))
			out++;
		else
			in++;
		sig = last_fault.sig;
		CHECK(!sig || sig == SIGSEGV || sig == SIGBUS);
		return_to(LDT_SEL(0), LDT_SEL(1), false);
		sig = last_fault.sig;
		CHECK(sig == SIGTRAP || sig == SIGSEGV || sig == SIGBUS);
		if (sig == SIGTRAP) {
			CHECK_EQ((u32)seen.sp, (u32)want_sp);
			forged++;
		}
		FAULTED(({ __asm__ volatile("mov %0,%%ds; mov %0,%%es; mov %0,%%gs; mov %1,%%ss"
					    :: "r"((u32)LDT_SEL(1)), "r"(0x2b)); }));
	}
	stop = true;
	pthread_join(t, NULL);
	if (!in || !out || !forged)
		FAIL("%u times in, %u times out, %u times forged", in, out, forged);
}

HELPER(no_table)
{
	char byte;

	return segment_access(LDT_SEL(0)) || modify_ldt(0, &byte, 1) ? 1 : 0;
}

/* A child has a copy of its own, a program that is executed none; ends with a table are ends. */
TEST(fork_exec_and_exit_with_a_table)
{
	struct user_desc d = data_desc(0, true);
	u32 before;

	ldt_set(&d);
	before = segment_access(LDT_SEL(0));
	CHECK(before);
	IN_CHILD {
		CHECK_EQ(segment_access(LDT_SEL(0)), before);
		ldt_clear(0);
		CHECK_EQ(segment_access(LDT_SEL(0)), 0);
	}
	CHECK_EQ(segment_access(LDT_SEL(0)), before);
	IN_CHILD {
		__asm__ volatile("mov %0,%%ds; mov %0,%%es; mov %0,%%gs" :: "r"((u32)LDT_SEL(0)));
		execl(test_self, test_self, "--helper", "no_table", NULL);
		_exit(126);
	}
	for (unsigned i = 0; i < SCALE(50, 2000); i++)
		IN_CHILD {
			d.entry_number = i % 2 ? 8191 : 3;
			ldt_set(&d);
			__asm__ volatile("mov %0,%%ds; mov %0,%%gs" :: "r"((u32)LDT_SEL(d.entry_number)));
		}
}

/* A tracer may name any selector of ring 3; what it names is judged as everything else. */
TEST(tracer_sets_selectors)
{
	static const u16 sels[] = { LDT_SEL(0), LDT_SEL(1), LDT_SEL(5), 0x23, 0x13 | 3, 0x43, 0x53, 0xffff };
	struct user_desc d = data_desc(0, !segments_16());

	ldt_set(&d);
	d = code_desc(1, true);
	ldt_set(&d);
	for (size_t i = 0; i < ARRAY_SIZE(sels); i++)
		for (unsigned reg = 0; reg < 6; reg++) {
			static const size_t at[] = { offsetof(struct user_regs_struct, cs),
				offsetof(struct user_regs_struct, ss), offsetof(struct user_regs_struct, ds),
				offsetof(struct user_regs_struct, es), offsetof(struct user_regs_struct, fs),
				offsetof(struct user_regs_struct, gs) };
			pid_t pid = test_fork();
			int status;

			if (pid == 0) {
				ptrace(PTRACE_TRACEME, 0, 0, 0);
				syscall(SYS_kill, getpid(), SIGSTOP);
				__asm__ volatile("syscall" :: "a"(SYS_exit_group), "D"(0));
			}
			CHECK_EQ(test_reap(pid) & 0xff, 0x7f);
			CHECK_OK(ptrace(PTRACE_POKEUSER, pid, at[reg], (long)sels[i]));
			CHECK_EQ(ptrace(PTRACE_PEEKUSER, pid, at[reg], 0), sels[i]);
			CHECK_OK(ptrace(PTRACE_CONT, pid, 0, 0));
			status = test_reap(pid);
			if ((status & 0xff) == 0x7f) { /* a fault; it dies of it */
				CHECK(status >> 8 == SIGSEGV || status >> 8 == SIGBUS || status >> 8 == SIGILL ||
				      status >> 8 == SIGTRAP);
				CHECK_OK(kill(pid, SIGKILL));
				test_reap(pid);
			}
		}
}
