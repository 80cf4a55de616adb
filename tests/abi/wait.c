/* wait4 and waitid: who is waited for, what is reported, zombies and orphans. */
#include "test.h"

#include <sys/prctl.h>
#include <sys/resource.h>

static pid_t child_exiting(int code)
{
	pid_t pid = test_fork();

	if (pid == 0)
		_exit(code);
	return pid;
}

static pid_t child_pausing(void)
{
	pid_t pid = test_fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

TEST(exit_status_is_the_low_byte)
{
	static const int codes[] = { 0, 1, 127, 128, 255, 256, 511, -1 };

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		CHECK_EQ(test_reap(child_exiting(codes[i])), (codes[i] & 0xff) << 8);
}

TEST(killed_status_carries_the_signal)
{
	static const int sigs[] = { SIGHUP, SIGKILL, SIGTERM, SIGALRM, SIGUSR1, SIGPIPE, 34, 64 };

	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++) {
		pid_t pid = child_pausing();

		CHECK_OK(kill(pid, sigs[i]));
		CHECK_EQ(test_reap(pid), sigs[i]);
	}
}

TEST(core_bit_follows_rlimit_core)
{
	struct rlimit none = { 0, 0 };
	static const int sigs[] = { SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGSYS, SIGXCPU };

	CHECK_OK(setrlimit(RLIMIT_CORE, &none));
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++) {
		pid_t pid = child_pausing();

		CHECK_OK(kill(pid, sigs[i]));
		CHECK_EQ(test_reap(pid) & 0x7f, sigs[i]);
	}
}

TEST(wnohang_without_and_with_a_zombie)
{
	pid_t pid = child_pausing();
	int status = 0x55;

	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_EQ(status, 0x55);
	kill(pid, SIGKILL);
	wait_state(pid, "Z");
	CHECK_EQ(waitpid(-1, &status, WNOHANG), pid);
	CHECK_EQ(status, SIGKILL);
	CHECK_ERR(waitpid(-1, &status, WNOHANG), ECHILD);
}

TEST(wait_selects_by_pid_and_group)
{
	pid_t a = child_exiting(1), b = test_fork();

	if (b == 0) {
		setpgid(0, 0);
		_exit(2);
	}
	CHECK_EXITS(b, 2);
	b = test_fork();
	if (b == 0) {
		pause();
		_exit(0);
	}
	CHECK_OK(setpgid(b, b));
	CHECK_EQ(waitpid(-b, NULL, WNOHANG), 0);
	CHECK_EQ(waitpid(0, NULL, 0), a);
	CHECK_ERR(waitpid(0, NULL, 0), ECHILD);
	kill(b, SIGTERM);
	CHECK_EQ(waitpid(-b, NULL, 0), b);
	CHECK_ERR(waitpid(1, NULL, 0), ECHILD);
	CHECK_ERR(waitpid(-b, NULL, 0), ECHILD);
}

TEST(wait4_refuses_bad_options)
{
	CHECK_ERR(wait4(-1, NULL, 0x10, NULL), EINVAL);
	CHECK_ERR(wait4(INT32_MIN, NULL, 0, NULL), ESRCH);
	CHECK_ERR(waitid(P_ALL, 0, NULL, 0), EINVAL);
	CHECK_ERR(waitid(P_ALL, 0, NULL, WEXITED | 0x100), EINVAL);
	CHECK_ERR(waitid(99, 0, NULL, WEXITED), EINVAL);
	CHECK_ERR(waitid(P_PID, 0, NULL, WEXITED), EINVAL);
}

TEST(waitid_reports_siginfo)
{
	siginfo_t info;
	pid_t pid = child_exiting(42);

	memset(&info, 0x55, sizeof(info));
	CHECK_OK(waitid(P_PID, pid, &info, WEXITED));
	CHECK_EQ(info.si_signo, SIGCHLD);
	CHECK_EQ(info.si_code, CLD_EXITED);
	CHECK_EQ(info.si_status, 42);
	CHECK_EQ(info.si_pid, pid);
	CHECK_EQ(info.si_uid, getuid());

	pid = child_pausing();
	kill(pid, SIGKILL);
	CHECK_OK(waitid(P_PID, pid, &info, WEXITED));
	CHECK_EQ(info.si_code, CLD_KILLED);
	CHECK_EQ(info.si_status, SIGKILL);
}

TEST(waitid_nowait_leaves_the_zombie)
{
	siginfo_t info;
	pid_t pid = child_exiting(3);

	CHECK_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	CHECK_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT | WNOHANG));
	CHECK_EQ(info.si_status, 3);
	CHECK_EXITS(pid, 3);
}

TEST(waitid_nohang_clears_the_pid)
{
	siginfo_t info;
	pid_t pid = child_pausing();

	memset(&info, 0x55, sizeof(info));
	CHECK_OK(waitid(P_PID, pid, &info, WEXITED | WNOHANG));
	CHECK_EQ(info.si_pid, 0);
	CHECK_EQ(info.si_signo, 0);
	kill(pid, SIGKILL);
	test_reap(pid);
}

TEST(waitid_clears_the_result_when_there_is_no_child)
{
	siginfo_t info;

	memset(&info, 0x55, sizeof(info));
	CHECK_ERR(syscall(SYS_waitid, P_ALL, 0, &info, WEXITED, NULL), ECHILD);
	CHECK_EQ(info.si_signo, 0);
	CHECK_EQ(info.si_code, 0);
	CHECK_EQ(info.si_pid, 0);
	CHECK_EQ(info.si_status, 0);
	CHECK_ERR(syscall(SYS_waitid, P_ALL, 0, 8, WEXITED, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_waitid, P_ALL, 0, NULL, WEXITED, NULL), ECHILD);
}

TEST(stop_and_continue_are_reported_once)
{
	pid_t pid = child_pausing();
	int status;

	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_EQ(status, SIGSTOP << 8 | 0x7f);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	CHECK_EQ(status, 0xffff);
	CHECK_EQ(waitpid(pid, &status, WCONTINUED | WNOHANG), 0);
	kill(pid, SIGKILL);
	CHECK_KILLED(pid, SIGKILL);
}

TEST(wait_fills_rusage)
{
	struct rusage ru;
	pid_t pid = test_fork();

	if (pid == 0) {
		u64 end = now_ns(CLOCK_PROCESS_CPUTIME_ID) + 30000000;

		while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < end)
			;
		_exit(0);
	}
	CHECK_EQ(wait4(pid, NULL, 0, &ru), pid);
	CHECK(ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec + ru.ru_stime.tv_sec * 1000000 +
		      ru.ru_stime.tv_usec >= 20000);
}

TEST(orphans_go_to_the_subreaper)
{
	int pipefd[2];
	pid_t orphan, self = getpid();

	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	CHECK_OK(pipe(pipefd));
	IN_CHILD {
		pid_t middle = getpid();

		orphan = test_fork();
		if (orphan == 0) {
			while (getppid() == middle)
				sleep_ms(1);
			orphan = getppid();
			CHECK_EQ(write(pipefd[1], &orphan, sizeof(orphan)), sizeof(orphan));
			_exit(6);
		}
	}
	CHECK_EQ(read(pipefd[0], &orphan, sizeof(orphan)), sizeof(orphan));
	CHECK_EQ(orphan, self);
	CHECK_OK(wait(&orphan));
	CHECK_EQ(orphan, 6 << 8);
	CHECK_ERR(wait(NULL), ECHILD);
}

TEST(ignored_sigchld_leaves_no_zombie)
{
	pid_t pid;

	signal(SIGCHLD, SIG_IGN);
	pid = child_exiting(0);
	CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
	CHECK_ERR(kill(pid, 0), ESRCH);
}

TEST(sa_nocldwait_leaves_no_zombie_but_signals)
{
	struct sigaction act = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };
	pid_t pid;

	CHECK_OK(sigaction(SIGCHLD, &act, NULL));
	pid = child_exiting(0);
	CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
}

TEST(zombie_keeps_its_pid_until_reaped)
{
	pid_t pid = child_exiting(0);

	wait_state(pid, "Z");
	CHECK_OK(kill(pid, 0));
	CHECK_EQ(getpgid(pid), getpgrp());
	CHECK_EXITS(pid, 0);
	CHECK_ERR(kill(pid, 0), ESRCH);
	CHECK_ERR(getpgid(pid), ESRCH);
}

static void ignore_signal(int sig)
{
	(void)sig;
}

TEST(wait_is_interrupted_by_a_handler)
{
	struct sigaction act = { .sa_handler = ignore_signal };
	pid_t pid = child_pausing(), self = getpid(), killer;

	CHECK_OK(sigaction(SIGUSR1, &act, NULL));
	killer = test_fork();
	if (killer == 0) {
		wait_state(self, "S");
		kill(self, SIGUSR1);
		_exit(0);
	}
	CHECK_ERR(waitpid(pid, NULL, 0), EINTR);
	CHECK_EXITS(killer, 0);
	kill(pid, SIGKILL);
	test_reap(pid);
}

TEST(parent_death_signal)
{
	int pipefd[2];
	char c;

	CHECK_OK(pipe(pipefd));
	IN_CHILD {
		if (test_fork() == 0) {
			CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGKILL));
			CHECK_EQ(write(pipefd[1], "x", 1), 1);
			for (;;)
				pause();
		}
		CHECK_EQ(read(pipefd[0], &c, 1), 1);
	}
	close(pipefd[1]);
	CHECK_EQ(read(pipefd[0], &c, 1), 0);
}
