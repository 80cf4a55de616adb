/*
 * A task that was preempted between announcing its death and its last switch had its stack freed by
 * the parent that reaped it, and went on running on memory of somebody else. Several parents reap
 * short-lived children as fast as they can, while a timer keeps preempting all of them.
 */
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define PARENTS  4
#define CHILDREN 1500

static void reap_children(void)
{
	struct itimerval often = {.it_interval.tv_usec = 300, .it_value.tv_usec = 300};

	signal(SIGALRM, SIG_IGN);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < CHILDREN; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(i & 0x7f);
		if (pid < 0 || waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != (i & 0x7f))
			_exit(1);
	}
	_exit(0);
}

TEST_LIMIT(dead_task_keeps_its_stack, 90) /* KASAN on a busy host */
{
	for (int i = 0; i < PARENTS; i++) {
		pid_t pid = CHECK_OK(fork());

		if (pid == 0)
			reap_children();
	}
	for (int i = 0; i < PARENTS; i++) {
		int status;

		CHECK_OK(wait(&status));
		CHECK_EQ(status, 0);
	}
}
