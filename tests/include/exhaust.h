/*
 * For tests that use something up: afterwards the machine must answer and its memory must be back.
 * Only inside a virtual machine.
 */
#pragma once

#include "test.h"

#include <sys/resource.h>

#define VM_ONLY                                                                                    \
	if (!getenv("TEST_VM"))                                                                    \
	SKIP("only inside a virtual machine")

static inline long meminfo_kib(const char *key)
{
	char buf[8192], *p;

	read_file("/proc/meminfo", buf, sizeof(buf));
	p = strstr(buf, key);
	CHECK(p);
	return atol(p + strlen(key));
}

static inline long available_kib(void)
{
	return meminfo_kib("MemAvailable:");
}

/* The machine answers: it forks, execs, pipes and writes files. */
static inline void check_alive(void)
{
	char out[16] = "";
	int p[2];
	pid_t pid;

	CHECK_OK(pipe(p));
	pid = test_fork();
	if (pid == 0) {
		dup2(p[1], 1);
		execl("/bin/busybox", "echo", "alive", NULL);
		_exit(127);
	}
	close(p[1]);
	CHECK_EXITS(pid, 0);
	CHECK_EQ(read(p[0], out, sizeof(out) - 1), 6);
	CHECK_STR(out, "alive\n");
	close(p[0]);
	write_file("alive", "yes");
}

/* Memory is back to within 1 % of all there is, given a moment for what is freed late. */
static inline void check_recovered(long before_kib)
{
	long total = meminfo_kib("MemTotal:"), now = 0;

	for (int i = 0; i < 300; i++) {
		now = available_kib();
		if (now >= before_kib - total / 100) {
			check_alive();
			return;
		}
		sleep_ms(20);
	}
	FAIL("%ld KiB were available, %ld KiB are, of %ld", before_kib, now, total);
}

/* Run it once small before measuring, so that caches which only grow once are filled. */
static inline long settle(void)
{
	check_alive();
	sleep_ms(50);
	return available_kib();
}

/* Kill the process group until nothing of it is left; reap what are our children. */
static inline void kill_group(pid_t group)
{
	for (int i = 0; i < 2000; i++) {
		if (kill(-group, SIGKILL) < 0 && errno == ESRCH)
			return;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		sleep_ms(5);
	}
	FAIL("the group does not die");
}
