/* Processes that only fork: the limit stops them, the machine answers meanwhile and afterwards. */
#include "exhaust.h"

#include <sys/prctl.h>

/* Forks for ever, whether that works or not. */
_Noreturn static void bomb(void)
{
	for (;;)
		if (fork() < 0)
			sleep_ms(1);
}

static pid_t start(void (*run)(void))
{
	pid_t pid = test_fork();

	if (pid == 0) {
		setpgid(0, 0);
		run();
	}
	setpgid(pid, pid);
	return pid;
}

static void user_bomb(void)
{
	setrlimit(RLIMIT_NPROC, &(struct rlimit){ 200, 200 });
	become(2001, 2001);
	bomb();
}

TEST_LIMIT(bomb_of_a_user, 60)
{
	long before;
	pid_t group;

	VM_ONLY;
	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	before = settle();
	group = start(user_bomb);
	for (int i = 0; i < 5; i++) {
		sleep_ms(200);
		check_alive();
	}
	kill_group(group);
	check_recovered(before);
}

/* As root, to the limit of the system: fork says EAGAIN or ENOMEM in the end. */
static void fill(void)
{
	long n = 0;

	for (;;) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;)
				pause();
		if (pid < 0)
			break;
		if (++n == SCALE(600, 1200))
			break;
	}
	_exit(n > 100 ? 0 : 1);
}

TEST_LIMIT(as_many_as_root_can_have, 120)
{
	long before;
	int status;
	pid_t group;

	VM_ONLY;
	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	before = settle();
	group = start(fill);
	CHECK_EQ(waitpid(group, &status, 0), group);
	CHECK_EQ(status, 0);
	kill_group(group);
	check_recovered(before);
}

/* Children that die at once and are never reaped until their parent goes. */
static void zombies(void)
{
	for (int i = 0; i < 300; i++)
		if (fork() == 0)
			_exit(0);
	sleep_ms(100);
	_exit(0);
}

TEST(zombies_go_with_their_parent)
{
	long before;
	int status;
	pid_t group;

	VM_ONLY;
	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	before = settle();
	group = start(zombies);
	CHECK_EQ(waitpid(group, &status, 0), group);
	kill_group(group);
	check_recovered(before);
}
