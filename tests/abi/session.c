/* Process groups and sessions: who may join what, and who gets signals sent to a group. */
#include "test.h"

static pid_t sleeper(void)
{
	pid_t pid = test_fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	CHECK_KILLED(pid, SIGKILL);
}

TEST(setsid_makes_leader_of_new_session_and_group)
{
	IN_CHILD {
		pid_t self = getpid();

		CHECK_EQ(setsid(), self);
		CHECK_EQ(getsid(0), self);
		CHECK_EQ(getpgrp(), self);
		CHECK_ERR(setsid(), EPERM);
		CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_ERR(setpgid(0, 0), EPERM);
	}
}

TEST(setsid_refused_to_group_leader)
{
	IN_CHILD {
		CHECK_OK(setpgid(0, 0));
		CHECK_ERR(setsid(), EPERM);
	}
}

TEST(setpgid_moves_children_before_exec)
{
	pid_t a = sleeper(), b = sleeper();

	CHECK_OK(setpgid(a, 0));
	CHECK_EQ(getpgid(a), a);
	CHECK_OK(setpgid(b, a));
	CHECK_EQ(getpgid(b), a);
	CHECK_OK(setpgid(b, getpgrp()));
	end(a);
	end(b);
}

TEST(setpgid_refusals)
{
	pid_t child = sleeper();

	CHECK_ERR(setpgid(getpid(), -1), EINVAL);
	CHECK_ERR(setpgid(0x3ffffff, 0), ESRCH);
	CHECK_ERR(setpgid(1, 0), ESRCH);
	CHECK_ERR(setpgid(child, 0x3ffffff), EPERM);
	CHECK_ERR(getpgid(0x3ffffff), ESRCH);
	CHECK_ERR(getsid(0x3ffffff), ESRCH);
	end(child);

	/* A child in another session is out of reach. */
	child = test_fork();
	if (child == 0) {
		setsid();
		for (;;)
			pause();
	}
	while (getsid(child) != child)
		sleep_ms(1);
	CHECK_ERR(setpgid(child, getpgrp()), EPERM);
	end(child);
}

TEST(setpgid_after_exec_is_refused)
{
	pid_t child = test_fork();

	if (child == 0) {
		execl(test_self, test_self, "--helper", "wait_forever", NULL);
		_exit(1);
	}
	for (;;) {
		char path[40], buf[4096];

		snprintf(path, sizeof(path), "/proc/%d/cmdline", child);
		read_file(path, buf, sizeof(buf));
		if (!strcmp(buf + strlen(buf) + 1, "--helper"))
			break;
		sleep_ms(1);
	}
	CHECK_ERR(setpgid(child, child), EACCES);
	end(child);
}

HELPER(wait_forever)
{
	pause();
	return 0;
}

TEST(kill_reaches_the_whole_group)
{
	pid_t leader = sleeper(), member;

	CHECK_OK(setpgid(leader, leader));
	member = sleeper();
	CHECK_OK(setpgid(member, leader));
	CHECK_OK(kill(-leader, SIGTERM));
	CHECK_KILLED(leader, SIGTERM);
	CHECK_KILLED(member, SIGTERM);
	CHECK_ERR(kill(-leader, 0), ESRCH);
}

TEST(kill_zero_reaches_own_group_only)
{
	pid_t outside = sleeper();

	CHECK_OK(setpgid(outside, outside));
	IN_CHILD {
		pid_t inside;

		CHECK_OK(setpgid(0, 0));
		inside = sleeper();
		signal(SIGUSR1, SIG_IGN);
		CHECK_OK(kill(0, SIGUSR1));
		CHECK_KILLED(inside, SIGUSR1);
	}
	CHECK_EQ(waitpid(outside, NULL, WNOHANG), 0);
	end(outside);
}

TEST(group_outlives_its_leader)
{
	pid_t leader = test_fork(), member;
	char c;
	int pipefd[2];

	if (leader == 0) {
		pause();
		_exit(0);
	}
	CHECK_OK(setpgid(leader, leader));
	CHECK_OK(pipe(pipefd));
	member = test_fork();
	if (member == 0) {
		setpgid(0, leader);
		CHECK_EQ(write(pipefd[1], "x", 1), 1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(pipefd[0], &c, 1), 1);
	end(leader);
	CHECK_EQ(getpgid(member), leader);
	CHECK_OK(kill(-leader, SIGTERM));
	CHECK_KILLED(member, SIGTERM);
}

TEST(orphaned_stopped_group_gets_hup_and_cont)
{
	int pipefd[2];
	char c = 0;

	CHECK_OK(pipe(pipefd));
	IN_CHILD {
		pid_t pid;

		CHECK_OK(setpgid(0, 0));
		pid = test_fork();
		if (pid == 0) {
			sigset_t set;
			int sig;

			CHECK_OK(setpgid(0, 0));
			sigemptyset(&set);
			sigaddset(&set, SIGHUP);
			sigprocmask(SIG_BLOCK, &set, NULL);
			raise(SIGSTOP);
			CHECK_EQ(sigwait(&set, &sig), 0);
			CHECK_EQ(write(pipefd[1], "h", 1), 1);
			_exit(0);
		}
		CHECK_EQ(waitpid(pid, NULL, WUNTRACED), pid);
	}
	CHECK_EQ(read(pipefd[0], &c, 1), 1);
	CHECK_EQ(c, 'h');
}
