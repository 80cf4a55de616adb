/* Threads without end, in one process and in many; all die with one exit. */
#include "exhaust.h"

#include <pthread.h>

static void *sleep_thread(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void *spin_thread(void *arg)
{
	for (volatile int i = 0;; i++)
		;
	return arg;
}

static long create(void *(*run)(void *), long most)
{
	pthread_attr_t attr;
	pthread_t t;
	long n = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384);
	while (n < most && pthread_create(&t, &attr, run, NULL) == 0)
		n++;
	return n;
}

TEST_LIMIT(as_many_threads_as_there_can_be, 60)
{
	long before;

	VM_ONLY;
	before = settle();
	for (int i = 0; i < 2; i++)
		IN_CHILD CHECK(create(sleep_thread, SCALE(1000, 100000)) > 100);
	check_recovered(before);
}

TEST_LIMIT(limit_of_a_user_counts_threads, 60)
{
	long before;

	VM_ONLY;
	before = settle();
	IN_CHILD {
		long n;

		CHECK_OK(setrlimit(RLIMIT_NPROC, &(struct rlimit){ 50, 50 }));
		become(2002, 2002);
		n = create(sleep_thread, 1000);
		CHECK(n >= 40 && n < 50);
		CHECK_ERR(fork(), EAGAIN);
	}
	check_recovered(before);
}

TEST_LIMIT(spinning_threads_do_not_lock_the_machine, 60)
{
	long before;
	pid_t pid;

	VM_ONLY;
	before = settle();
	pid = test_fork();
	if (pid == 0) {
		create(spin_thread, 50);
		for (;;)
			pause();
	}
	sleep_ms(200);
	check_alive();
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
	check_recovered(before);
}
