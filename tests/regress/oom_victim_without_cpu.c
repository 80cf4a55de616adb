/*
 * The process chosen to end for lack of memory does not get a CPU: a realtime thread has the one that it may
 * run on. Its memory is taken all the same, and nobody else has to die.
 */
#include <sched.h>
#include <sys/mman.h>
#include "exhaust.h"

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK_OK(sched_setaffinity(0, sizeof(set), &set));
}

static void touch(size_t bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	for (size_t i = 0; i < bytes; i += 4096)
		p[i] = 1;
}

/* A child that holds so many bytes and would go before its parent; it writes a byte to tell when it has them. */
static pid_t holder(int cpu, size_t bytes, const char *adj)
{
	int ready[2];
	char c;
	pid_t pid;

	CHECK_OK(pipe(ready));
	pid = test_fork();
	if (pid == 0) {
		run_on(cpu);
		write_file("/proc/self/oom_score_adj", adj);
		touch(bytes);
		CHECK_EQ(write(ready[1], "x", 1), 1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

TEST_LIMIT(victim_that_cannot_run_is_emptied, 60)
{
	size_t free_bytes;
	pid_t victim, bystander, hog;
	int status;

	VM_ONLY;
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP("needs two CPUs");
	free_bytes = (size_t)settle() * 1024;
	write_file("/proc/self/oom_score_adj", "-1000");
	write_file("/proc/sys/kernel/sched_rt_runtime_us", "-1"); /* none for anybody else */
	run_on(0);
	bystander = holder(0, 1 << 20, "500");
	victim = holder(1, free_bytes / 2, "1000");
	hog = test_fork();
	if (hog == 0) {
		struct sched_param rt = {.sched_priority = 50};

		run_on(1);
		CHECK_OK(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &rt));
		for (;;)
			;
	}
	touch(free_bytes / 4 * 3);
	CHECK_EQ(waitpid(bystander, NULL, WNOHANG), 0);
	CHECK_OK(kill(hog, SIGKILL));
	CHECK_EQ(waitpid(hog, &status, 0), hog);
	write_file("/proc/sys/kernel/sched_rt_runtime_us", "950000");
	CHECK_EQ(waitpid(victim, &status, 0), victim);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_EQ(waitpid(bystander, NULL, WNOHANG), 0);
	CHECK_OK(kill(bystander, SIGKILL));
	test_reap(bystander);
}
