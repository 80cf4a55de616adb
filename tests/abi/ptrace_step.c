/* ptrace(2): single steps, and the hardware's breakpoints and watchpoints. */
#include "tracer.h"

#include <sys/prctl.h>

#define TF 0x100

#define DEBUGREG(n) offsetof(struct user, u_debugreg[n])

static u64 debugreg(pid_t pid, int n)
{
	u64 v;

	TRACE_OK(PTRACE_PEEKUSR, pid, DEBUGREG(n), &v);
	return v;
}

#define SET_DEBUGREG(pid, n, v) TRACE_OK(PTRACE_POKEUSR, pid, DEBUGREG(n), v)
#define BAD_DEBUGREG(pid, n, v)                                                                    \
	CHECK(trace(PTRACE_POKEUSR, pid, DEBUGREG(n), (u64)(v)) == -1 &&                           \
	      (errno == EINVAL || errno == EPERM || errno == EIO))

/* Labels of instructions, for the tracer to stop at. */
void step_nops(void), step_after(void), step_popf(void), step_syscall(void), step_branch(void), step_there(void);
__asm__(".globl step_nops, step_after, step_popf, step_syscall, step_branch, step_there\n"
	"step_nops: nop; nop\n"
	"step_after: nop; ret\n"
	"step_branch: nop; nop; jmp step_there; nop\n"
	"step_there: nop; nop; ret\n"
	"step_popf: pushfq; popfq; nop; ret\n"
	"step_syscall: mov $39, %eax\n syscall\n nop; ret\n");

/* A tracee at the first instruction of fn. */
#define TRACEE_AT(pid, fn)                                                                         \
	do {                                                                                       \
		TRACEE(pid)                                                                        \
			((void (*)(void))(fn))();                                                  \
		SET_DEBUGREG(pid, 0, fn);                                                          \
		SET_DEBUGREG(pid, 7, 1);                                                           \
		STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGTRAP));                                       \
		CHECK_EQ(regs_of(pid).rip, (fn));                                                  \
		CHECK_EQ(siginfo_of(pid).si_code, 4 /* TRAP_HWBKPT */);                            \
		SET_DEBUGREG(pid, 7, 0);                                                           \
	} while (0)

TEST(each_step_is_one_instruction)
{
	pid_t pid;

	TRACEE_AT(pid, step_nops);
	STEP_TO(PTRACE_SINGLESTEP, pid, 0, STOP(SIGTRAP));
	CHECK_EQ(regs_of(pid).rip, (u64)step_nops + 1);
	CHECK_EQ(siginfo_of(pid).si_code, TRAP_TRACE);
	CHECK_EQ((u64)siginfo_of(pid).si_addr, (u64)step_nops + 1);
	CHECK_EQ(regs_of(pid).eflags & TF, 0); /* hidden */
	CHECK_EQ(debugreg(pid, 6) & 0x4000, 0x4000);
	STEP_TO(PTRACE_SINGLESTEP, pid, 0, STOP(SIGTRAP));
	CHECK_EQ(regs_of(pid).rip, (u64)step_after);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

TEST(a_step_over_a_system_call_ends_behind_it)
{
	pid_t pid;

	TRACEE_AT(pid, step_syscall);
	STEP_TO(PTRACE_SINGLESTEP, pid, 0, STOP(SIGTRAP));
	CHECK_EQ(regs_of(pid).rax, 39);
	STEP_TO(PTRACE_SINGLESTEP, pid, 0, STOP(SIGTRAP));
	CHECK_EQ(regs_of(pid).rip, (u64)step_syscall + 7);
	CHECK_EQ(regs_of(pid).rax, pid);
	CHECK_EQ(siginfo_of(pid).si_code, TRAP_BRKPT);
	CHECK_EQ(regs_of(pid).eflags & TF, 0);
	CHECK_EQ(regs_of(pid).r11 & TF, TF); /* SYSCALL has put the flags there */
	STEP_TO(PTRACE_SINGLESTEP, pid, 0, STOP(SIGTRAP));
	CHECK_EQ(regs_of(pid).rip, (u64)step_syscall + 8);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

/* At each instruction where the CPU has no such mode. */
TEST(steps_by_blocks_stop_at_a_branch_at_the_latest)
{
	pid_t pid;
	u64 at;
	int steps = 0;

	TRACEE_AT(pid, step_branch);
	do {
		STEP_TO(PTRACE_SINGLEBLOCK, pid, 0, STOP(SIGTRAP));
		at = regs_of(pid).rip;
		CHECK(at > (u64)step_branch && at <= (u64)step_there);
		CHECK_EQ(siginfo_of(pid).si_code, TRAP_TRACE);
		CHECK_EQ(regs_of(pid).eflags & TF, 0);
	} while (at != (u64)step_there && ++steps < 3);
	CHECK_EQ(at, (u64)step_there);
	STEP_TO(PTRACE_SINGLESTEP, pid, 0, STOP(SIGTRAP));
	CHECK_EQ(regs_of(pid).rip, (u64)step_there + 1);
	STEP_TO(PTRACE_SINGLEBLOCK, pid, 0, STOP(SIGTRAP));
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

/* POPF puts back what PUSHF saw; stepping must not leave TF in the program for good. */
TEST(steps_over_popf_leave_no_tf)
{
	struct user_regs_struct r;
	pid_t pid;

	TRACEE_AT(pid, step_popf);
	for (int i = 1; i <= 3; i++) {
		STEP_TO(PTRACE_SINGLESTEP, pid, 0, STOP(SIGTRAP));
		CHECK_EQ(regs_of(pid).rip, (u64)step_popf + i);
		if (i == 1) { /* PUSHF has seen the tracer's TF: take it out, as debuggers do */
			u64 flags, sp = regs_of(pid).rsp;

			TRACE_OK(PTRACE_PEEKDATA, pid, sp, &flags);
			CHECK_EQ(flags & TF, TF);
			TRACE_OK(PTRACE_POKEDATA, pid, sp, flags & ~(u64)TF);
		}
	}
	/* Linux takes the TF of a step behind POPF for the program's own. */
	r = regs_of(pid);
	r.eflags &= ~(u64)TF;
	regs_put(pid, &r);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

/* TF that the tracer sets by hand is the program's own. */
TEST(tf_set_by_registers_stays)
{
	struct user_regs_struct r;
	pid_t pid;

	TRACEE_AT(pid, step_nops);
	r = regs_of(pid);
	r.eflags |= TF;
	regs_put(pid, &r);
	STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGTRAP));
	CHECK_EQ(regs_of(pid).rip, (u64)step_nops + 1);
	CHECK_EQ(regs_of(pid).eflags & TF, TF);
	r = regs_of(pid);
	r.eflags &= ~(u64)TF;
	regs_put(pid, &r);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

static volatile int handled;
static volatile u64 handler_flags;

static void handler(int sig)
{
	(void)sig;
	__asm__ volatile("pushfq; pop %0" : "=r"(handler_flags));
	handled = 1;
}

TEST(a_step_into_a_handler_stops_at_its_first_instruction)
{
	pid_t pid;

	TRACEE(pid) {
		signal(SIGUSR1, handler);
		raise(SIGUSR1);
		_exit(handled && !(handler_flags & TF) ? 0 : 1);
	}
	STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGUSR1));
	STEP_TO(PTRACE_SINGLESTEP, pid, SIGUSR1, STOP(SIGTRAP));
	CHECK_EQ(regs_of(pid).rip, handler);
	CHECK_EQ(regs_of(pid).rdi, SIGUSR1);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

TEST(a_child_is_not_stepped)
{
	pid_t pid;

	TRACEE(pid) {
		pid_t child = test_fork();

		if (!child)
			_exit(0);
		_exit(test_reap(child) ? 1 : 0);
	}
	for (int st = STOP(SIGTRAP), n = 0; st;) {
		bool chld = st == STOP(SIGCHLD);

		n++;
		TRACE_OK(n < 2000 ? PTRACE_SINGLESTEP : PTRACE_CONT, pid, 0, chld ? SIGCHLD : 0);
		st = wait_status(pid);
		if (st && !chld)
			CHECK(st == STOP(SIGTRAP) || st == STOP(SIGCHLD));
	}
}

static volatile u64 watched[4] __attribute__((aligned(64)));

TEST(watchpoints)
{
	pid_t pid;

	TRACEE(pid) {
		watched[0] = 1;
		(void)watched[1];
		watched[1] = 2;
		*(volatile u8 *)&watched[2] = 3;
		*((volatile u8 *)&watched[2] + 4) = 3;
		_exit(0);
	}
	SET_DEBUGREG(pid, 0, watched);
	SET_DEBUGREG(pid, 1, &watched[1]);
	SET_DEBUGREG(pid, 2, (u8 *)&watched[2] + 4);
	SET_DEBUGREG(pid, 7, 0x15 | 0x9UL << 16 | 0xbUL << 20 | 0x1UL << 24);
	CHECK_EQ(debugreg(pid, 7), 0x15 | 0x9UL << 16 | 0xbUL << 20 | 0x1UL << 24);
	STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGTRAP));
	CHECK_EQ(debugreg(pid, 6) & 15, 1);
	SET_DEBUGREG(pid, 6, 0);
	for (int i = 0; i < 2; i++) { /* a read, and a write */
		STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGTRAP));
		CHECK_EQ(debugreg(pid, 6) & 15, 2);
		CHECK_EQ(siginfo_of(pid).si_code, 4);
	}
	SET_DEBUGREG(pid, 6, 0);
	STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGTRAP));
	CHECK_EQ(debugreg(pid, 6) & 15, 4);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

/* The kernel's own writes go through, and the machine lives on. */
TEST(the_kernel_may_write_to_watched_memory)
{
	int p[2];
	pid_t pid;

	CHECK_OK(pipe(p));
	CHECK_EQ(write(p[1], "12345678", 8), 8);
	TRACEE(pid)
		_exit(read(p[0], (void *)watched, 8) == 8 ? 0 : 1);
	SET_DEBUGREG(pid, 0, watched);
	SET_DEBUGREG(pid, 7, 1 | 0xdUL << 16);
	TRACE_OK(PTRACE_CONT, pid, 0, 0);
	CHECK_STATUS(pid, 0);
}

TEST(debug_registers_are_judged)
{
	pid_t pid;

	TRACEE(pid)
		_exit(0);
	CHECK_EQ(debugreg(pid, 0), 0);
	CHECK_EQ(debugreg(pid, 6), 0xffff0ff0);
	CHECK_ERR(trace(PTRACE_POKEUSR, pid, DEBUGREG(4), 0), EIO);
	CHECK_ERR(trace(PTRACE_POKEUSR, pid, DEBUGREG(5), 0), EIO);
	SET_DEBUGREG(pid, 0, (u64)watched + 1);
	BAD_DEBUGREG(pid, 7, 1 | 0x5UL << 16);  /* two bytes, odd */
	BAD_DEBUGREG(pid, 7, 1 | 0x4UL << 16);  /* execution of more than a byte */
	BAD_DEBUGREG(pid, 7, 1 | 0x2UL << 16);  /* ports */
	SET_DEBUGREG(pid, 7, 1 | 0x1UL << 16);
	CHECK_EQ(debugreg(pid, 7), 1 | 0x1UL << 16);
	SET_DEBUGREG(pid, 7, 0xfc00);           /* general detect and reserved bits never reach the CPU */
	CHECK_EQ(debugreg(pid, 7), 0xfc00);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

TEST(children_and_new_programs_have_no_breakpoints)
{
	pid_t pid, child;

	TRACEE(pid) {
		child = test_fork();
		if (!child) {
			watched[0] = 1;
			_exit(0);
		}
		_exit(test_reap(child) ? 1 : 0);
	}
	TRACE_OK(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_EXITKILL);
	SET_DEBUGREG(pid, 0, watched);
	SET_DEBUGREG(pid, 7, 1 | 0xdUL << 16);
	STEP_TO(PTRACE_CONT, pid, 0, EVENT(PTRACE_EVENT_FORK));
	child = (pid_t)message_of(pid);
	CHECK_STATUS(child, STOP(SIGSTOP));
	CHECK_EQ(debugreg(child, 0), 0);
	STEP_TO(PTRACE_CONT, child, 0, 0);
	TRACE_OK(PTRACE_CONT, pid, 0, 0);
	for (int st; (st = wait_status(pid));) {
		CHECK_EQ(st, STOP(SIGCHLD));
		TRACE_OK(PTRACE_CONT, pid, 0, 0);
	}
}
