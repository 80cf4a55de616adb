/* exit and exit_group: threads, descriptors, robust clean-up, what dies and what stays. */
#include "test.h"

#include <pthread.h>

static void *exit_thread(void *arg)
{
	syscall(SYS_exit, (long)arg);
	return NULL;
}

static void *exit_group_thread(void *arg)
{
	syscall(SYS_exit_group, (long)arg);
	return NULL;
}

static void *spin_thread(void *arg)
{
	for (volatile int i = 0;; i++)
		;
	return arg;
}

TEST(exit_ends_one_thread_only)
{
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, exit_thread, (void *)3L), 0);
	CHECK_EQ(pthread_detach(t), 0);
	sleep_ms(20);
	CHECK_EQ(getpid(), syscall(SYS_gettid));
}

TEST(exit_group_from_a_thread_ends_the_process)
{
	pid_t pid = test_fork();

	if (pid == 0) {
		pthread_t t;

		pthread_create(&t, NULL, spin_thread, NULL);
		pthread_create(&t, NULL, exit_group_thread, (void *)21L);
		for (;;)
			pause();
	}
	CHECK_EXITS(pid, 21);
}

TEST(leader_may_exit_before_its_threads)
{
	pid_t pid = test_fork();

	if (pid == 0) {
		pthread_t t;

		pthread_create(&t, NULL, spin_thread, NULL);
		syscall(SYS_exit, 1);
	}
	wait_state(pid, "Z");
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(test_reap(pid), SIGKILL);
}

TEST(last_exit_status_is_the_leaders)
{
	pid_t pid = test_fork();

	if (pid == 0) {
		pthread_t t;

		pthread_create(&t, NULL, exit_thread, (void *)5L);
		sleep_ms(10);
		syscall(SYS_exit, 6);
	}
	CHECK_EXITS(pid, 6);
}

TEST(fatal_signal_ends_all_threads)
{
	pid_t pid = test_fork();

	if (pid == 0) {
		pthread_t t;

		for (int i = 0; i < 4; i++)
			pthread_create(&t, NULL, spin_thread, NULL);
		sleep_ms(5);
		abort();
	}
	CHECK_EQ(test_reap(pid) & 0x7f, SIGABRT);
}

TEST(exit_closes_descriptors)
{
	int pipefd[2];
	char c;

	CHECK_OK(pipe(pipefd));
	IN_CHILD CHECK_OK(close(pipefd[0]));
	close(pipefd[1]);
	CHECK_EQ(read(pipefd[0], &c, 1), 0);
}

TEST(exit_clears_and_wakes_child_tid)
{
	static pthread_t t[8];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		CHECK_EQ(pthread_create(&t[i], NULL, exit_thread, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		pthread_detach(t[i]);

	/* By hand: the kernel stores 0 at the address and wakes one futex waiter. */
	static volatile int tid;
	static char stack[16384] __attribute__((aligned(16)));
	extern int clone(int (*)(void *), void *, int, void *, ...);

	tid = -1;
	CHECK_OK(clone((int (*)(void *))(void *)exit_thread, stack + sizeof(stack),
		       0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x200000 | 0x1000000 /* VM|FS|FILES|
		       SIGHAND|THREAD|CHILD_CLEARTID|CHILD_SETTID */, NULL, NULL, NULL, &tid));
	/* One look decides both: waiting for a 0 that is there already would never end. */
	for (int seen; (seen = tid) != 0;)
		syscall(SYS_futex, &tid, 0 /* FUTEX_WAIT */, seen, NULL);
}

TEST(set_tid_address_returns_the_tid)
{
	int word;

	CHECK_EQ(syscall(SYS_set_tid_address, &word), getpid());
	CHECK_EQ(syscall(SYS_set_tid_address, 8), getpid());
}

TEST(bad_clear_tid_address_is_harmless)
{
	IN_CHILD syscall(SYS_set_tid_address, 0x10);
}
