/* seccomp under a tracer: what it sees, what it may change, what it cannot prevent. */
#include "seccomp.h"

#include <linux/ptrace.h>
#include <sys/resource.h>
#include <sys/user.h>

static long trace_call(long request, pid_t pid, unsigned long addr, void *data)
{
	return syscall(SYS_ptrace, request, pid, addr, data);
}

static long parent(void)
{
	return syscall(SYS_getppid);
}

/* A traced child that stops, is given options, and then runs `what`. */
static pid_t tracee(void (*what)(void), unsigned long options)
{
	pid_t pid = test_fork();
	int status;

	if (!pid) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		no_new_privs();
		trace_call(PTRACE_TRACEME, 0, 0, NULL);
		raise(SIGSTOP);
		what();
		_exit(77);
	}
	status = test_reap(pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	CHECK_OK(trace_call(PTRACE_SETOPTIONS, pid, 0, (void *)(options | PTRACE_O_EXITKILL)));
	CHECK_OK(trace_call(PTRACE_CONT, pid, 0, NULL));
	return pid;
}

static void killed_by_filter(void)
{
	VERDICT(SYS_getppid, SECCOMP_RET_KILL_PROCESS);
	parent();
}

/* The signal of a filter's death sentence is not the tracer's to keep back. */
TEST(tracer_cannot_keep_back_the_kill)
{
	pid_t pid = tracee(killed_by_filter, 0);

	CHECK_KILLED(pid, SIGSYS);
}

static void trapped_by_filter(void)
{
	VERDICT(SYS_getppid, SECCOMP_RET_TRAP);
	_exit(parent() == SYS_getppid ? 5 : 6);
}

/* SECCOMP_RET_TRAP is an ordinary forced signal: that one is. */
TEST(tracer_may_keep_back_the_trap)
{
	pid_t pid = tracee(trapped_by_filter, 0);
	int status = test_reap(pid);

	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSYS);
	CHECK_OK(trace_call(PTRACE_CONT, pid, 0, NULL));
	CHECK_EXITS(pid, 5);
}

static void traced_by_filter(void)
{
	VERDICT(SYS_getppid, SECCOMP_RET_TRACE | 0x1234);
	VERDICT(SYS_getuid, SECCOMP_RET_ERRNO | 9);
	long r = parent();

	_exit(r < 0 ? errno : 1);
}

/* The tracer changes the call into one that the filter forbids: it is judged as what it is now. */
TEST(changed_call_is_judged_again)
{
	pid_t pid = tracee(traced_by_filter, PTRACE_O_TRACESECCOMP);
	struct user_regs_struct regs;
	unsigned long message;
	int status = test_reap(pid);

	CHECK_EQ(status >> 8, SIGTRAP | PTRACE_EVENT_SECCOMP << 8);
	CHECK_OK(trace_call(PTRACE_GETEVENTMSG, pid, 0, &message));
	CHECK_EQ(message, 0x1234);
	CHECK_OK(trace_call(PTRACE_GETREGS, pid, 0, &regs));
	CHECK_EQ(regs.orig_rax, SYS_getppid);
	regs.orig_rax = SYS_getuid;
	CHECK_OK(trace_call(PTRACE_SETREGS, pid, 0, &regs));
	CHECK_OK(trace_call(PTRACE_CONT, pid, 0, NULL));
	CHECK_EXITS(pid, 9);
}

static void two_filters(void)
{
	CHECK_OK(FILTER_FLAGS(SECCOMP_FILTER_FLAG_LOG, RETURN(SECCOMP_RET_ALLOW)));
	FILTER(RETURN(SECCOMP_RET_ALLOW));
	raise(SIGSTOP);
}

TEST(metadata_of_filters)
{
	struct seccomp_metadata md = {0};
	pid_t pid;

	if (geteuid() != 0)
		SKIP("needs root");
	pid = tracee(two_filters, 0);
	CHECK(WIFSTOPPED(test_reap(pid)));
	CHECK_EQ(trace_call(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(md), &md), sizeof(md));
	CHECK_EQ(md.flags, SECCOMP_FILTER_FLAG_LOG);
	md.filter_off = 1;
	CHECK_EQ(trace_call(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(md), &md), sizeof(md));
	CHECK_EQ(md.flags, 0);
	md.filter_off = 2;
	CHECK_ERR(trace_call(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(md), &md), ENOENT);
	CHECK_ERR(trace_call(PTRACE_SECCOMP_GET_METADATA, pid, 4, &md), EINVAL);
	CHECK_ERR(trace_call(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(md), NULL), EFAULT);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}
