/*
 * execve read a file's mode and its owner one after the other. The set-id program of one user becomes root's, which takes
 * the bit away: with the mode from before and the owner from after it ran as root.
 */
#include "attack.h"

#define USER  1000
#define OTHER 1001

/* 1: without privilege, 2: as root, 3: as the other user. */
HELPER(whoami)
{
	return geteuid() == 0 ? 2 : geteuid() == OTHER ? 3 : 1;
}

static int run_as_user(void)
{
	pid_t pid = test_fork();

	if (!pid) {
		become(USER, USER);
		execl("./prog", "prog", "--helper", "whoami", NULL);
		_exit(9);
	}
	return test_reap(pid) >> 8;
}

TEST_LIMIT(owner_and_mode_are_read_together, 60)
{
	u64 end = now_ns(CLOCK_MONOTONIC) + SCALE(700, 40000) * 1000000ull;
	char cmd[8192];
	int gained = 0;
	pid_t pid;

	if (!enter_setid_directory())
		SKIP("no file system with set-id bits");
	snprintf(cmd, sizeof(cmd), "cp %s prog", test_self);
	CHECK_EQ(system(cmd), 0);
	CHECK_OK(chown("prog", OTHER, OTHER));
	CHECK_OK(chmod("prog", 04755));
	CHECK_EQ(run_as_user(), 3);
	pid = test_fork();
	if (!pid)
		for (;;) {
			CHECK_OK(chown("prog", 0, 0));
			CHECK_OK(chown("prog", OTHER, OTHER));
			CHECK_OK(chmod("prog", 04755));
		}
	while (now_ns(CLOCK_MONOTONIC) < end) {
		int who = run_as_user();

		if (who != 1 && who != 3)
			FAIL("it ran as %d", who);
		gained += who == 3;
	}
	CHECK(gained);
	kill(pid, SIGKILL);
	test_reap(pid);
}
