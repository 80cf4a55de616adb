/*
 * A process that eats all memory is ended and begins anew, over and over, while others need a little memory now and
 * then. They wait while a victim's memory is on its way back, and are not chosen instead.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include "exhaust.h"

#define WORKERS 4

static void touch(size_t bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		_exit(2);
	for (size_t i = 0; i < bytes; i += 4096)
		p[i] = 1;
	munmap(p, bytes);
}

static void eat_everything(void)
{
	CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGKILL));
	write_file("/proc/self/oom_score_adj", "1000");
	touch((size_t)8 << 30);
	_exit(3);
}

TEST_LIMIT(others_wait_for_the_memory, 120)
{
	pid_t worker[WORKERS], pid;

	VM_ONLY;
	settle();
	for (int i = 0; i < WORKERS; i++) {
		worker[i] = test_fork();
		if (worker[i] == 0)
			for (;;)
				touch(1 << 20);
	}
	for (int i = 0; i < SCALE(6, 200); i++) {
		pid = test_fork();
		if (pid == 0)
			eat_everything();
		CHECK_EQ(test_reap(pid), SIGKILL);
		for (int k = 0; k < WORKERS; k++)
			CHECK_EQ(waitpid(worker[k], NULL, WNOHANG), 0);
	}
	for (int i = 0; i < WORKERS; i++) {
		CHECK_OK(kill(worker[i], SIGKILL));
		test_reap(worker[i]);
	}
}
