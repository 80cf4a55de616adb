/* Tools of the tests of ptrace(2): the bare system call, tracees, and waits for one stop. */
#pragma once

#include "test.h"

#include <elf.h>
#include <linux/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#ifndef __WALL
#define __WALL 0x40000000
#endif
#ifndef __WNOTHREAD
#define __WNOTHREAD 0x20000000
#endif

#define REQUEST_GETREGS   12
#define REQUEST_SETREGS   13
#define REQUEST_GETFPREGS 14
#define REQUEST_SETFPREGS 15
#define REQUEST_ARCH_PRCTL 30
#define REQUEST_SYSEMU    31
#define REQUEST_SYSEMU_STEP 32

static inline long trace(long request, pid_t pid, u64 addr, u64 data)
{
	return syscall(SYS_ptrace, request, (long)pid, addr, data);
}

#define TRACE_OK(request, pid, addr, data) CHECK_OK(trace(request, pid, (u64)(addr), (u64)(data)))

/* The next stop of this thread: the status word of wait4. */
static inline int wait_status(pid_t pid)
{
	int st = -1;

	CHECK_EQ(CHECK_OK(waitpid(pid, &st, __WALL)), pid);
	return st;
}

#define STOP(sig) ((sig) << 8 | 0x7f)
#define EVENT(event) (SIGTRAP << 8 | (event) << 16 | 0x7f)
#define SYSCALL_STOP STOP(SIGTRAP | 0x80)
#define CHECK_STATUS(pid, want) CHECK_EQ(wait_status(pid), want)

/* Ends the trap by this request and expects this status. */
#define STEP_TO(request, pid, data, want)                                                          \
	do {                                                                                       \
		TRACE_OK(request, pid, 0, data);                                                   \
		CHECK_STATUS(pid, want);                                                           \
	} while (0)

static inline struct user_regs_struct regs_of(pid_t pid)
{
	struct user_regs_struct r;

	TRACE_OK(REQUEST_GETREGS, pid, 0, &r);
	return r;
}

static inline void regs_put(pid_t pid, const struct user_regs_struct *r)
{
	TRACE_OK(REQUEST_SETREGS, pid, 0, r);
}

static inline siginfo_t siginfo_of(pid_t pid)
{
	siginfo_t info;

	TRACE_OK(PTRACE_GETSIGINFO, pid, 0, &info);
	return info;
}

static inline u64 message_of(pid_t pid)
{
	unsigned long m;

	TRACE_OK(PTRACE_GETEVENTMSG, pid, 0, &m);
	return m;
}

/* A child that asks to be traced, and has stopped itself. The block runs in it afterwards. */
#define TRACEE(pid)                                                                                \
	for (int once_ = ((pid) = test_fork()) == 0 ? (tracee_begin(), 2) : (tracee_seen(pid), 0); \
	     once_; _exit(0))

static inline void tracee_begin(void)
{
	TRACE_OK(PTRACE_TRACEME, 0, 0, 0);
	raise(SIGSTOP);
}

static inline void tracee_seen(pid_t pid)
{
	CHECK_STATUS(pid, STOP(SIGSTOP));
	TRACE_OK(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
}

/* A child that is not traced and waits. */
static inline pid_t child_waiting(void)
{
	pid_t pid = test_fork();

	if (!pid)
		for (;;)
			pause();
	return pid;
}
