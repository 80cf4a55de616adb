/* Traps of ptrace(2): events, signals, stops of the group, PTRACE_SEIZE and its relatives. */
#include "tracer.h"

#include <pthread.h>
#include <sched.h>

TEST(signals_are_shown_injected_and_suppressed)
{
	siginfo_t info;
	pid_t pid;

	TRACEE(pid) {
		signal(SIGUSR2, SIG_IGN);
		raise(SIGUSR1); /* would end it */
		raise(SIGUSR2); /* ignored, and shown all the same */
		raise(SIGTERM);
		_exit(1);
	}
	STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGUSR1));
	info = siginfo_of(pid);
	CHECK_EQ(info.si_signo, SIGUSR1);
	CHECK_EQ(info.si_code, SI_TKILL);
	CHECK_EQ(info.si_pid, pid);
	STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGUSR2));
	STEP_TO(PTRACE_CONT, pid, SIGUSR2, STOP(SIGTERM));
	STEP_TO(PTRACE_CONT, pid, SIGALRM, SIGALRM); /* another one instead */
}

static volatile int seen_pid, seen_code, seen_value;

static void note_signal(int sig, siginfo_t *info, void *ctx)
{
	(void)sig, (void)ctx;
	seen_pid = info->si_pid;
	seen_code = info->si_code;
	seen_value = info->si_value.sival_int;
}

TEST(an_injected_signal_comes_from_the_tracer)
{
	pid_t tracer = getpid(), pid;

	TRACEE(pid) {
		struct sigaction act = { .sa_sigaction = note_signal, .sa_flags = SA_SIGINFO };

		sigaction(SIGUSR2, &act, NULL);
		raise(SIGUSR1);
		_exit(seen_pid == tracer && seen_code == SI_USER ? 0 : 1);
	}
	STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGUSR1));
	STEP_TO(PTRACE_CONT, pid, SIGUSR2, 0);
}

TEST(setsiginfo_changes_what_the_handler_sees)
{
	siginfo_t info;
	pid_t pid;

	TRACEE(pid) {
		struct sigaction act = { .sa_sigaction = note_signal, .sa_flags = SA_SIGINFO };

		sigaction(SIGUSR1, &act, NULL);
		raise(SIGUSR1);
		_exit(seen_code == SI_QUEUE && seen_value == 77 ? 0 : 1);
	}
	STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGUSR1));
	info = siginfo_of(pid);
	info.si_code = SI_QUEUE;
	info.si_value.sival_int = 77;
	TRACE_OK(PTRACE_SETSIGINFO, pid, 0, &info);
	STEP_TO(PTRACE_CONT, pid, SIGUSR1, 0);
}

TEST(masks_and_pending_signals)
{
	struct ptrace_peeksiginfo_args args = { .off = 0, .flags = PTRACE_PEEKSIGINFO_SHARED, .nr = 8 };
	siginfo_t infos[8];
	u64 mask;
	pid_t pid;

	TRACEE(pid) {
		sigset_t set;

		sigfillset(&set);
		sigprocmask(SIG_BLOCK, &set, NULL);
		for (int i = 0; i < 3; i++)
			sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i });
		syscall(SYS_tkill, getpid(), SIGUSR1);
		raise(SIGSTOP);
		_exit(0);
	}
	STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGSTOP));
	CHECK_EQ(TRACE_OK(PTRACE_PEEKSIGINFO, pid, &args, infos), 3);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(infos[i].si_value.sival_int, i);
	args.off = 2;
	CHECK_EQ(TRACE_OK(PTRACE_PEEKSIGINFO, pid, &args, infos), 1);
	CHECK_EQ(infos[0].si_value.sival_int, 2);
	args = (struct ptrace_peeksiginfo_args){ .nr = 8 };
	CHECK_EQ(TRACE_OK(PTRACE_PEEKSIGINFO, pid, &args, infos), 1);
	CHECK_EQ(infos[0].si_signo, SIGUSR1);
	args.nr = -1;
	CHECK_ERR(trace(PTRACE_PEEKSIGINFO, pid, (u64)&args, (u64)infos), EINVAL);
	args = (struct ptrace_peeksiginfo_args){ .nr = 8, .flags = 2 };
	CHECK_ERR(trace(PTRACE_PEEKSIGINFO, pid, (u64)&args, (u64)infos), EINVAL);
	TRACE_OK(PTRACE_GETSIGMASK, pid, 8, &mask);
	CHECK_EQ(mask & (1UL << (SIGUSR1 - 1)), 1UL << (SIGUSR1 - 1));
	CHECK_ERR(trace(PTRACE_GETSIGMASK, pid, 4, (u64)&mask), EINVAL);
	mask = ~(1UL << (SIGUSR1 - 1));
	TRACE_OK(PTRACE_SETSIGMASK, pid, 8, &mask);
	TRACE_OK(PTRACE_GETSIGMASK, pid, 8, &mask);
	CHECK_EQ(mask & (1UL << (SIGKILL - 1)), 0);
	STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGUSR1)); /* let in now */
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

TEST(sigkill_ends_a_trap)
{
	pid_t pid;
	u64 v;

	TRACEE(pid)
		_exit(0);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_STATUS(pid, SIGKILL);
	CHECK_ERR(trace(PTRACE_PEEKDATA, pid, (u64)&v, (u64)&v), ESRCH);
}

TEST(fork_vfork_clone_events)
{
	static const struct { int event, option; } kinds[] = {
		{ PTRACE_EVENT_FORK, PTRACE_O_TRACEFORK },
		{ PTRACE_EVENT_VFORK, PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE },
		{ PTRACE_EVENT_CLONE, PTRACE_O_TRACECLONE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		pid_t pid, child;

		TRACEE(pid) {
			static const u64 flags[] = { SIGCHLD, CLONE_VFORK | SIGCHLD, 0 };

			child = (pid_t)syscall(SYS_clone, flags[i], 0, 0, 0, 0);
			if (!child)
				_exit(5);
			if (waitpid(child, NULL, __WALL) != child)
				_exit(1);
			_exit(0);
		}
		TRACE_OK(PTRACE_SETOPTIONS, pid, 0, kinds[i].option);
		STEP_TO(PTRACE_CONT, pid, 0, EVENT(kinds[i].event));
		child = (pid_t)message_of(pid);
		CHECK_STATUS(child, STOP(SIGSTOP));
		CHECK_EQ(regs_of(child).rax, 0);
		CHECK_EQ(regs_of(child).orig_rax, SYS_clone);
		if (kinds[i].event == PTRACE_EVENT_VFORK) {
			TRACE_OK(PTRACE_CONT, pid, 0, 0);
			STEP_TO(PTRACE_CONT, child, 0, 5 << 8);
			CHECK_STATUS(pid, EVENT(PTRACE_EVENT_VFORK_DONE));
			CHECK_EQ(message_of(pid), child);
		} else {
			STEP_TO(PTRACE_CONT, child, 0, 5 << 8); /* its tracer's first, then its parent's */
		}
		TRACE_OK(PTRACE_CONT, pid, 0, 0);
		for (int st; (st = wait_status(pid)) != 0;) {
			CHECK_EQ(st, STOP(SIGCHLD));
			TRACE_OK(PTRACE_CONT, pid, 0, 0);
		}
	}
}

TEST(clone_ptrace_and_untraced)
{
	pid_t pid, child;
	int st;

	TRACEE(pid) {
		child = (pid_t)syscall(SYS_clone, CLONE_PTRACE | SIGCHLD, 0, 0, 0, 0);
		if (!child)
			_exit(0);
		raise(SIGUSR1);
		child = (pid_t)syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0);
		if (!child)
			_exit(0);
		_exit(0);
	}
	TRACE_OK(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_EXITKILL);
	STEP_TO(PTRACE_CONT, pid, 0, EVENT(PTRACE_EVENT_FORK));
	child = (pid_t)message_of(pid);
	CHECK_STATUS(child, STOP(SIGSTOP));
	TRACE_OK(PTRACE_DETACH, child, 0, 0);
	TRACE_OK(PTRACE_CONT, pid, 0, 0);
	while ((st = wait_status(pid)) == STOP(SIGCHLD))
		TRACE_OK(PTRACE_CONT, pid, 0, 0);
	CHECK_EQ(st, STOP(SIGUSR1));
	TRACE_OK(PTRACE_CONT, pid, 0, 0);
	while ((st = wait_status(pid)) == STOP(SIGCHLD)) /* no event */
		TRACE_OK(PTRACE_CONT, pid, 0, 0);
	CHECK_EQ(st, 0);
}

HELPER(nothing)
{
	return 0;
}

TEST(exec_event_and_its_old_form)
{
	char *argv[] = { test_self, "--helper", "nothing", NULL };
	struct user_regs_struct r;
	pid_t pid;

	for (int event = 0; event < 2; event++) {
		TRACEE(pid) {
			execv(test_self, argv);
			_exit(9);
		}
		TRACE_OK(PTRACE_SETOPTIONS, pid, 0, event ? PTRACE_O_TRACEEXEC : 0);
		STEP_TO(PTRACE_CONT, pid, 0, event ? EVENT(PTRACE_EVENT_EXEC) : STOP(SIGTRAP));
		if (event)
			CHECK_EQ(message_of(pid), pid);
		else
			CHECK_EQ(siginfo_of(pid).si_code, SI_USER);
		r = regs_of(pid);
		CHECK_EQ(r.orig_rax, SYS_execve);
		CHECK_EQ(r.rax, event ? -ENOSYS : 0); /* before, and behind, the end of the call */
		CHECK_EQ(r.rbx, 0);
		STEP_TO(PTRACE_CONT, pid, 0, 0);
	}
}

TEST(exit_event)
{
	pid_t pid;

	TRACEE(pid)
		_exit(3);
	TRACE_OK(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT);
	STEP_TO(PTRACE_CONT, pid, 0, EVENT(PTRACE_EVENT_EXIT));
	CHECK_EQ(message_of(pid), 3 << 8);
	STEP_TO(PTRACE_CONT, pid, 0, 3 << 8);

	TRACEE(pid)
		_exit(3);
	TRACE_OK(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_STATUS(pid, EVENT(PTRACE_EVENT_EXIT)); /* even then it stops once more */
	CHECK_EQ(message_of(pid), SIGKILL);
	STEP_TO(PTRACE_CONT, pid, 0, SIGKILL);
}

TEST(group_stop_of_an_attached_tracee)
{
	pid_t pid;

	TRACEE(pid) {
		raise(SIGTSTP);
		_exit(0);
	}
	STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGTSTP));
	(void)siginfo_of(pid);
	STEP_TO(PTRACE_CONT, pid, SIGSTOP, STOP(SIGSTOP));
	siginfo_t info; /* not a signal any more: the stop of the group */
	CHECK_ERR(trace(PTRACE_GETSIGINFO, pid, 0, (u64)&info), EINVAL);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

static pid_t child_seized(u64 options)
{
	pid_t pid = child_waiting();

	TRACE_OK(PTRACE_SEIZE, pid, 0, options | PTRACE_O_EXITKILL);
	return pid;
}

#define EVENT_STOP(sig) ((sig) << 8 | PTRACE_EVENT_STOP << 16 | 0x7f)

TEST(seize_does_not_stop_and_interrupt_does)
{
	pid_t pid = child_seized(0);
	int st;

	CHECK_EQ(waitpid(pid, &st, WNOHANG | __WALL), 0);
	TRACE_OK(PTRACE_INTERRUPT, pid, 0, 0);
	CHECK_STATUS(pid, EVENT_STOP(SIGTRAP));
	CHECK_EQ(siginfo_of(pid).si_code, SIGTRAP | PTRACE_EVENT_STOP << 8);
	/* One more is kept for later. */
	TRACE_OK(PTRACE_INTERRUPT, pid, 0, 0);
	CHECK_EQ(waitpid(pid, &st, WNOHANG | __WALL), 0);
	STEP_TO(PTRACE_CONT, pid, 0, EVENT_STOP(SIGTRAP));
	TRACE_OK(PTRACE_CONT, pid, 0, 0);
	wait_state(pid, "S");
	CHECK_EQ(waitpid(pid, &st, WNOHANG | __WALL), 0);
	CHECK_ERR(trace(PTRACE_LISTEN, pid, 0, 0), ESRCH);
	kill(pid, SIGKILL);
	CHECK_STATUS(pid, SIGKILL);
}

TEST(seize_sees_group_stops_and_listens)
{
	pid_t pid = child_seized(0);
	int st;

	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_STATUS(pid, STOP(SIGSTOP));
	STEP_TO(PTRACE_CONT, pid, SIGSTOP, EVENT_STOP(SIGSTOP));
	TRACE_OK(PTRACE_LISTEN, pid, 0, 0);
	CHECK_EQ(waitpid(pid, &st, WNOHANG | __WALL), 0);
	CHECK_ERR(trace(PTRACE_CONT, pid, 0, 0), ESRCH); /* counts as not stopped */
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_STATUS(pid, EVENT_STOP(SIGTRAP));
	STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGCONT));
	TRACE_OK(PTRACE_CONT, pid, 0, SIGCONT);
	wait_state(pid, "S");
	/* INTERRUPT ends listening too. */
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_STATUS(pid, STOP(SIGSTOP));
	STEP_TO(PTRACE_CONT, pid, SIGSTOP, EVENT_STOP(SIGSTOP));
	TRACE_OK(PTRACE_LISTEN, pid, 0, 0);
	STEP_TO(PTRACE_INTERRUPT, pid, 0, EVENT_STOP(SIGSTOP));
	TRACE_OK(PTRACE_DETACH, pid, 0, 0);
	wait_state(pid, "T");
	kill(pid, SIGKILL);
	CHECK_STATUS(pid, SIGKILL);
}

TEST(children_of_a_seized_tracee_stop_without_sigstop)
{
	pid_t pid = test_fork(), child;

	if (!pid) {
		raise(SIGSTOP);
		child = test_fork();
		if (!child)
			_exit(0);
		_exit(test_reap(child) ? 1 : 0);
	}
	CHECK_EQ(CHECK_OK(waitpid(pid, &(int){ 0 }, WUNTRACED)), pid);
	TRACE_OK(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_EXITKILL);
	CHECK_STATUS(pid, EVENT_STOP(SIGSTOP));
	TRACE_OK(PTRACE_CONT, pid, 0, 0); /* out of the group's stop by the tracer's will */
	CHECK_OK(kill(pid, SIGCONT));
	for (int st; (st = wait_status(pid)) != EVENT(PTRACE_EVENT_FORK);)
		TRACE_OK(PTRACE_CONT, pid, 0, st >> 16 ? 0 : st >> 8);
	child = (pid_t)message_of(pid);
	CHECK_STATUS(child, EVENT_STOP(SIGTRAP));
	STEP_TO(PTRACE_CONT, child, 0, 0);
	TRACE_OK(PTRACE_CONT, pid, 0, 0);
	for (int st; (st = wait_status(pid)) != 0;)
		TRACE_OK(PTRACE_CONT, pid, 0, st >> 16 ? 0 : (st >> 8 & 0x7f) == SIGCHLD ? SIGCHLD : 0);
}

TEST(waitid_tells_of_traps)
{
	siginfo_t info;
	pid_t pid;

	TRACEE(pid)
		raise(SIGUSR1);
	TRACE_OK(PTRACE_CONT, pid, 0, 0);
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WSTOPPED | WNOWAIT));
	CHECK_EQ(info.si_code, CLD_TRAPPED);
	CHECK_EQ(info.si_status, SIGUSR1);
	CHECK_EQ(info.si_pid, pid);
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED)); /* traps come unasked */
	CHECK_EQ(info.si_code, CLD_TRAPPED);
	info.si_pid = 1;
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG));
	CHECK_EQ(info.si_pid, 0);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

static volatile sig_atomic_t chld_code, chld_status;

static void note_chld(int sig, siginfo_t *info, void *ctx)
{
	(void)sig, (void)ctx;
	chld_code = info->si_code;
	chld_status = info->si_status;
}

TEST(sigchld_tells_of_traps)
{
	struct sigaction act = { .sa_sigaction = note_chld, .sa_flags = SA_SIGINFO | SA_RESTART };
	pid_t pid;

	TRACEE(pid)
		raise(SIGUSR1);
	CHECK_OK(sigaction(SIGCHLD, &act, NULL));
	STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGUSR1));
	CHECK_EQ(chld_code, CLD_TRAPPED);
	CHECK_EQ(chld_status, SIGUSR1);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
	CHECK_EQ(chld_code, CLD_EXITED);
}
