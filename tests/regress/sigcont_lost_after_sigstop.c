/*
 * SIGCONT that came after the target had taken SIGSTOP, but before it had stopped, was lost: the
 * process stayed stopped for good. Needs two CPUs to show.
 */
#include "test.h"

TEST(sigcont_right_after_sigstop_always_continues)
{
	int to[2], from[2];
	char c;
	pid_t pid;

	CHECK_OK(pipe(to));
	CHECK_OK(pipe(from));
	pid = test_fork();
	if (pid == 0) {
		while (read(to[0], &c, 1) == 1)
			CHECK_EQ(write(from[1], &c, 1), 1);
		_exit(0);
	}
	for (int i = 0; i < 1500; i++) {
		CHECK_OK(kill(pid, SIGSTOP));
		CHECK_OK(kill(pid, SIGCONT));
		CHECK_EQ(write(to[1], "x", 1), 1);
		CHECK_EQ(read(from[0], &c, 1), 1);
	}
	kill(pid, SIGKILL);
	CHECK_KILLED(pid, SIGKILL);
}
