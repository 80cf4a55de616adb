/*
 * A sleep that PTRACE_INTERRUPT broke off stopped at the end of its call, which was all the trap that there was to
 * be: nothing was pending behind it, the call was not restarted, and the program saw the kernel's own error 516.
 */
#include "tracer.h"

#include <time.h>

#define INTERRUPTED EVENT(PTRACE_EVENT_STOP)
#define RESTART     516

static int go[2];

static void sleeper(void)
{
	struct timespec t = { .tv_nsec = 500000000 }, left = { 0 };
	char c;

	if (read(go[0], &c, 1) != 1)
		_exit(255);
	_exit(nanosleep(&t, &left) ? errno & 0x7f : 0);
}

/* A tracee at the end of its interrupted sleep. */
static pid_t interrupted(void)
{
	pid_t pid;

	CHECK_OK(pipe(go));
	pid = test_fork();
	if (pid == 0)
		sleeper();
	TRACE_OK(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD);
	TRACE_OK(PTRACE_INTERRUPT, pid, 0, 0);
	CHECK_STATUS(pid, INTERRUPTED);
	CHECK_OK(write(go[1], "g", 1));
	do
		STEP_TO(PTRACE_SYSCALL, pid, 0, SYSCALL_STOP);
	while (regs_of(pid).orig_rax != SYS_nanosleep && regs_of(pid).orig_rax != SYS_clock_nanosleep);
	TRACE_OK(PTRACE_SYSCALL, pid, 0, 0);
	usleep(100000);
	TRACE_OK(PTRACE_INTERRUPT, pid, 0, 0);
	CHECK_STATUS(pid, SYSCALL_STOP);
	CHECK_EQ(regs_of(pid).rax, (u64)-RESTART);
	close(go[0]);
	close(go[1]);
	return pid;
}

TEST(sleep_goes_on_behind_the_trap)
{
	pid_t pid = interrupted();

	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

TEST(sleep_goes_on_without_its_tracer)
{
	pid_t pid = interrupted();

	STEP_TO(PTRACE_DETACH, pid, 0, 0);
}
