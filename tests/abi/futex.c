/* Futexes as C libraries use them, and threads on top. */
#include "test.h"

#include <linux/futex.h>
#include <pthread.h>

static long futex(volatile void *word, int op, u32 val, const struct timespec *ts)
{
	return syscall(SYS_futex, word, op, val, ts, NULL, 0);
}

TEST(wait_checks_the_value)
{
	u32 word = 1;

	CHECK_ERR(futex(&word, FUTEX_WAIT, 0, NULL), EAGAIN);
	CHECK_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 2, NULL), EAGAIN);
	CHECK_EQ(futex(&word, FUTEX_WAKE, 1, NULL), 0);
}

TEST(wait_times_out)
{
	u32 word = 0;
	struct timespec ts = { 0, 20000000 }, bad = { 0, 1000000000 };
	u64 start = now_ns(CLOCK_MONOTONIC);

	CHECK_ERR(futex(&word, FUTEX_WAIT, 0, &ts), ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20000000);
	CHECK_ERR(futex(&word, FUTEX_WAIT, 0, &bad), EINVAL);
}

TEST(refusals)
{
	u32 word[2] = { 0 };

	CHECK_ERR(futex((char *)word + 1, FUTEX_WAIT, 0, NULL), EINVAL);
	CHECK_ERR(futex((void *)8, FUTEX_WAIT, 0, NULL), EFAULT);
	CHECK_ERR(futex((void *)0xffff800000000000, FUTEX_WAIT, 0, NULL), EFAULT);
	CHECK_ERR(futex(word, 77, 0, NULL), ENOSYS);
	CHECK_ERR(syscall(SYS_futex, word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
}

TEST(shared_futex_works_between_processes)
{
	volatile u32 *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				  -1, 0);
	pid_t pid = test_fork();

	if (pid == 0)
		_exit(futex(word, FUTEX_WAIT, 0, NULL) != 0);
	wait_state(pid, "S");
	CHECK_EQ(futex(word, FUTEX_WAKE_PRIVATE, 1, NULL), 0);
	CHECK_EQ(futex(word, FUTEX_WAKE, 1, NULL), 1);
	CHECK_EXITS(pid, 0);
}

static volatile u32 gate;
static volatile int woken;

static void *wait_at_gate(void *arg)
{
	while (!gate)
		futex(&gate, FUTEX_WAIT_PRIVATE, 0, NULL);
	__sync_fetch_and_add(&woken, 1);
	return arg;
}

TEST(wake_counts)
{
	pthread_t t[5];
	long n = 0;

	for (int i = 0; i < 5; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, wait_at_gate, NULL), 0);
	sleep_ms(30);
	gate = 1;
	n += futex(&gate, FUTEX_WAKE_PRIVATE, 2, NULL);
	CHECK(n <= 2);
	futex(&gate, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	CHECK_EQ(woken, 5);
}

TEST(requeue_moves_waiters)
{
	static volatile u32 a, b;
	volatile u32 *sa = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid[2];

	(void)a, (void)b;
	for (int i = 0; i < 2; i++) {
		pid[i] = test_fork();
		if (pid[i] == 0)
			_exit(futex(sa, FUTEX_WAIT, 0, NULL) != 0);
		wait_state(pid[i], "S");
	}
	CHECK_ERR(syscall(SYS_futex, sa, FUTEX_CMP_REQUEUE, 1, 1L, sa + 1, 5), EAGAIN);
	CHECK_EQ(syscall(SYS_futex, sa, FUTEX_CMP_REQUEUE, 1, 1L, sa + 1, 0), 2);
	CHECK_EQ(futex(sa, FUTEX_WAKE, 9, NULL), 0);
	CHECK_EQ(futex(sa + 1, FUTEX_WAKE, 9, NULL), 1);
	CHECK_EXITS(pid[0], 0);
	CHECK_EXITS(pid[1], 0);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *count_up(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	return arg;
}

TEST(mutexes_exclude)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, count_up, NULL), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	CHECK_EQ(counter, 80000);
}

static __thread int tls = 7;

static void *check_tls(void *arg)
{
	CHECK_EQ(tls, 7);
	tls = (int)(long)arg;
	for (int i = 0; i < 50; i++) {
		sched_yield();
		CHECK_EQ(tls, (int)(long)arg);
	}
	return NULL;
}

#include <sched.h>

TEST(thread_local_storage_is_per_thread)
{
	pthread_t t[6];

	for (long i = 0; i < 6; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, check_tls, (void *)(i + 100)), 0);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	CHECK_EQ(tls, 7);
}

TEST(robust_list_round_trip)
{
	struct robust_list_head *head = NULL;
	size_t len = 0;

	CHECK_OK(syscall(SYS_get_robust_list, 0, &head, &len));
	CHECK_ERR(syscall(SYS_set_robust_list, head, 8), EINVAL);
	CHECK_ERR(syscall(SYS_get_robust_list, 0x3ffffff, &head, &len), ESRCH);
}
