/* ptrace(2) and the ends of threads, processes and tracers; threads; execve by a thread. */
#include "tracer.h"

#include <pthread.h>

static void *thread_exits(void *arg)
{
	(void)arg;
	return NULL;
}

TEST(threads_are_waited_for_one_by_one)
{
	pid_t pid, tid;

	TRACEE(pid) {
		pthread_t t;

		pthread_create(&t, NULL, thread_exits, NULL);
		pthread_join(t, NULL);
		raise(SIGSTOP);
		_exit(4);
	}
	TRACE_OK(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
	STEP_TO(PTRACE_CONT, pid, 0, EVENT(PTRACE_EVENT_CLONE));
	tid = (pid_t)message_of(pid);
	CHECK_STATUS(tid, STOP(SIGSTOP));
	TRACE_OK(PTRACE_CONT, pid, 0, 0);
	STEP_TO(PTRACE_CONT, tid, 0, 0);
	CHECK_STATUS(pid, STOP(SIGSTOP));
	STEP_TO(PTRACE_CONT, pid, 0, 4 << 8);
	CHECK_ERR(waitpid(tid, NULL, __WALL), ECHILD);
}

static void *thread_leads_exit(void *arg)
{
	(void)arg;
	usleep(50000);
	syscall(SYS_exit_group, 6);
	return NULL;
}

TEST(the_leader_is_told_last)
{
	pid_t pid, tid;
	int st;

	TRACEE(pid) {
		pthread_t t;

		pthread_create(&t, NULL, thread_leads_exit, NULL);
		syscall(SYS_exit, 0);
	}
	TRACE_OK(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
	STEP_TO(PTRACE_CONT, pid, 0, EVENT(PTRACE_EVENT_CLONE));
	tid = (pid_t)message_of(pid);
	CHECK_STATUS(tid, STOP(SIGSTOP));
	TRACE_OK(PTRACE_CONT, pid, 0, 0);
	wait_state(pid, "Z");
	CHECK_EQ(waitpid(pid, &st, WNOHANG | __WALL), 0);
	STEP_TO(PTRACE_CONT, tid, 0, 6 << 8);
	CHECK_STATUS(pid, 6 << 8);
}

HELPER(gives_7)
{
	return 7;
}

static void *thread_execs(void *arg)
{
	char *argv[] = { test_self, "--helper", "gives_7", NULL };

	(void)arg;
	execv(test_self, argv);
	return NULL;
}

TEST(execve_by_a_thread_takes_the_leaders_number)
{
	pid_t pid, tid;

	TRACEE(pid) {
		pthread_t t;

		pthread_create(&t, NULL, thread_execs, NULL);
		for (;;)
			pause();
	}
	TRACE_OK(PTRACE_SETOPTIONS, pid, 0,
		 PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT);
	STEP_TO(PTRACE_CONT, pid, 0, EVENT(PTRACE_EVENT_CLONE));
	tid = (pid_t)message_of(pid);
	CHECK_STATUS(tid, STOP(SIGSTOP));
	TRACE_OK(PTRACE_CONT, pid, 0, 0);
	TRACE_OK(PTRACE_CONT, tid, 0, 0);
	CHECK_STATUS(pid, EVENT(PTRACE_EVENT_EXIT)); /* the old leader */
	TRACE_OK(PTRACE_CONT, pid, 0, 0);
	CHECK_STATUS(pid, EVENT(PTRACE_EVENT_EXEC));
	CHECK_EQ(message_of(pid), tid);
	CHECK_ERR(trace(PTRACE_CONT, tid, 0, 0), ESRCH);
	STEP_TO(PTRACE_CONT, pid, 0, EVENT(PTRACE_EVENT_EXIT));
	STEP_TO(PTRACE_CONT, pid, 0, 7 << 8);
}

/* A process attaches to one that is not its child: both are told of the end, the tracer first. */
TEST(a_foreign_tracer_comes_before_the_parent)
{
	pid_t pid = child_waiting(), tracer;
	siginfo_t info;
	int p[2], q[2], st;
	char c;

	CHECK_OK(pipe(p));
	CHECK_OK(pipe(q));
	tracer = test_fork();
	if (!tracer) {
		TRACE_OK(PTRACE_ATTACH, pid, 0, 0);
		CHECK_STATUS(pid, STOP(SIGSTOP));
		TRACE_OK(PTRACE_CONT, pid, 0, 0);
		CHECK_EQ(write(p[1], "a", 1), 1); /* it is killed from here on */
		CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
		CHECK_EQ(info.si_code, CLD_KILLED);
		CHECK_EQ(write(p[1], "b", 1), 1);
		CHECK_EQ(read(q[0], &c, 1), 1);
		CHECK_STATUS(pid, SIGKILL);
		CHECK_ERR(waitpid(pid, &st, __WALL), ECHILD);
		_exit(0);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(waitpid(pid, &st, WNOHANG | WUNTRACED), 0);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(waitpid(pid, &st, WNOHANG), 0); /* dead, and not ours yet */
	CHECK_EQ(write(q[1], "x", 1), 1);
	test_reap(tracer);
	CHECK_EQ(waitpid(pid, &st, 0), pid);
	CHECK_EQ(st, SIGKILL);
}

TEST(a_tracer_that_ends_lets_go)
{
	pid_t pid = child_waiting(), tracer = test_fork();
	int st;

	if (!tracer) {
		TRACE_OK(PTRACE_ATTACH, pid, 0, 0);
		CHECK_STATUS(pid, STOP(SIGSTOP));
		_exit(0);
	}
	CHECK_EXITS(tracer, 0);
	wait_state(pid, "S");
	CHECK_EQ(waitpid(pid, &st, WNOHANG | WUNTRACED), 0);
	CHECK_OK(kill(pid, SIGTERM));
	CHECK_KILLED(pid, SIGTERM);
}

TEST(a_tracer_that_ends_may_kill)
{
	pid_t pid = child_waiting(), tracer = test_fork();

	if (!tracer) {
		TRACE_OK(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL);
		_exit(0);
	}
	CHECK_EXITS(tracer, 0);
	CHECK_KILLED(pid, SIGKILL);
}

TEST(a_tracer_of_many_ends)
{
	enum { N = 70 };
	pid_t pid[N], tracer;

	for (int i = 0; i < N; i++)
		pid[i] = child_waiting();
	tracer = test_fork();
	if (!tracer) {
		for (int i = 0; i < N; i++)
			TRACE_OK(PTRACE_SEIZE, pid[i], 0, i % 2 ? PTRACE_O_EXITKILL : 0);
		_exit(0);
	}
	CHECK_EXITS(tracer, 0);
	for (int i = 0; i < N; i++) {
		if (i % 2 == 0)
			CHECK_OK(kill(pid[i], SIGTERM));
		CHECK_KILLED(pid[i], i % 2 ? SIGKILL : SIGTERM);
	}
}

/* Dead and not waited for by the tracer: its end hands the zombie to the parent. */
TEST(a_tracer_that_ends_hands_zombies_over)
{
	pid_t pid = child_waiting(), tracer = test_fork();

	if (!tracer) {
		TRACE_OK(PTRACE_SEIZE, pid, 0, 0);
		CHECK_OK(kill(pid, SIGKILL));
		wait_state(pid, "Z");
		_exit(0);
	}
	CHECK_EXITS(tracer, 0);
	CHECK_KILLED(pid, SIGKILL);
}

static void *wait_elsewhere(void *arg)
{
	pid_t pid = *(pid_t *)arg;
	u64 v;

	CHECK_ERR(trace(PTRACE_PEEKDATA, pid, (u64)&v, (u64)&v), ESRCH); /* not this thread's tracee */
	CHECK_ERR(waitpid(pid, NULL, __WALL | __WNOTHREAD | WNOHANG), ECHILD);
	return NULL;
}

TEST(tracees_belong_to_one_thread)
{
	pid_t pid;
	pthread_t t;

	TRACEE(pid)
		_exit(0);
	CHECK_EQ(pthread_create(&t, NULL, wait_elsewhere, &pid), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	STEP_TO(PTRACE_CONT, pid, 0, 0);
}

static void *attach_and_end(void *arg)
{
	pid_t pid = *(pid_t *)arg;

	TRACE_OK(PTRACE_ATTACH, pid, 0, 0);
	CHECK_STATUS(pid, STOP(SIGSTOP));
	return NULL;
}

TEST(the_end_of_a_tracing_thread_lets_go)
{
	pid_t pid = child_waiting();
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, attach_and_end, &pid), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	wait_state(pid, "S");
	CHECK_OK(kill(pid, SIGTERM));
	CHECK_KILLED(pid, SIGTERM);
}
