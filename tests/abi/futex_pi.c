/* Futexes with priority inheritance, robust ones, requeueing to them, and waiting for several. */
#include "test.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>

#define MODES 2
static const int private_flag[MODES] = { FUTEX_PRIVATE_FLAG, 0 };

static long futex(volatile void *word, int op, u32 val, const void *ts, volatile void *word2,
		  u32 val3)
{
	return syscall(SYS_futex, word, op, val, ts, word2, val3);
}

static int gettid_(void)
{
	return (int)syscall(SYS_gettid);
}

static long lock_pi(volatile u32 *word)
{
	return futex(word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
}

static long unlock_pi(volatile u32 *word)
{
	return futex(word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
}

/* A time on a clock, ms from now. */
static struct timespec soon(clockid_t clock, int ms)
{
	u64 ns = now_ns(clock) + (u64)ms * 1000000;

	return (struct timespec){ (time_t)(ns / 1000000000), (long)(ns % 1000000000) };
}

TEST(lock_and_unlock_without_waiters)
{
	for (int i = 0; i < MODES; i++) {
		u32 word = 0;

		CHECK_OK(futex(&word, FUTEX_LOCK_PI | private_flag[i], 0, NULL, NULL, 0));
		CHECK_EQ(word, gettid_());
		CHECK_ERR(futex(&word, FUTEX_LOCK_PI | private_flag[i], 0, NULL, NULL, 0), EDEADLK);
		CHECK_ERR(futex(&word, FUTEX_TRYLOCK_PI | private_flag[i], 0, NULL, NULL, 0), EDEADLK);
		CHECK_OK(futex(&word, FUTEX_UNLOCK_PI | private_flag[i], 0, NULL, NULL, 0));
		CHECK_EQ(word, 0);
		CHECK_OK(futex(&word, FUTEX_TRYLOCK_PI | private_flag[i], 0, NULL, NULL, 0));
		CHECK_EQ(word, gettid_());
	}
}

TEST(refusals)
{
	u32 word = 0, two[2] = { 0 };
	struct timespec bad = { 0, 1000000000 };

	CHECK_ERR(unlock_pi(&word), EPERM);
	word = 1;
	CHECK_ERR(unlock_pi(&word), EPERM);
	word = 0x3ffffff0; /* no such thread */
	CHECK_ERR(lock_pi(&word), ESRCH);
	CHECK_EQ(word, 0x3ffffff0 | FUTEX_WAITERS);
	word = 0x3ffffff0;
	CHECK_ERR(futex(&word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0), ESRCH);
	word = 2;
	if (getenv("TEST_VM")) /* a kernel thread there */
		CHECK_ERR(lock_pi(&word), EPERM);
	CHECK_ERR(futex((char *)&word + 1, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERR(lock_pi((void *)8), EFAULT);
	CHECK_ERR(unlock_pi((void *)8), EFAULT);
	CHECK_ERR(futex(&word, FUTEX_LOCK_PI, 0, &bad, NULL, 0), EINVAL);
	CHECK_ERR(futex(&word, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
	CHECK_ERR(futex(&word, FUTEX_FD, 0, NULL, NULL, 0), ENOSYS);
	CHECK_ERR(futex(&word, FUTEX_UNLOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
	CHECK_ERR(futex(&word, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &word, 0), EINVAL);
	CHECK_ERR(futex(&word, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &word, 0), EINVAL);
	CHECK_ERR(futex(two, FUTEX_CMP_REQUEUE_PI, 0, (void *)1, two + 1, 0), EINVAL);
	CHECK_ERR(futex(two, FUTEX_CMP_REQUEUE_PI, 2, (void *)1, two + 1, 0), EINVAL);
	CHECK_ERR(futex(two, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, two + 1, 7), EAGAIN);
	CHECK_EQ(futex(two, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, two + 1, 0), 0);
	CHECK_ERR(futex(two, FUTEX_WAIT_REQUEUE_PI, 1, NULL, two + 1, 0), EAGAIN);
}

TEST(read_only_word)
{
	u32 *word = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK_ERR(lock_pi(word), EFAULT);
}

static volatile u32 words[16];
static volatile int step;

static void *holder(void *arg)
{
	CHECK_OK(lock_pi(&words[0]));
	step = 1;
	sleep_ms(arg ? 1000 : 40);
	CHECK(words[0] & FUTEX_WAITERS);
	step = 2;
	CHECK_OK(unlock_pi(&words[0]));
	return arg;
}

TEST(unlock_hands_over)
{
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, holder, NULL), 0);
	while (!step)
		sched_yield();
	CHECK_ERR(futex(&words[0], FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EAGAIN);
	CHECK_OK(lock_pi(&words[0]));
	CHECK_EQ(step, 2);
	CHECK_EQ(words[0] & FUTEX_TID_MASK, gettid_());
	CHECK_OK(unlock_pi(&words[0]));
	CHECK_EQ(words[0], 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
}

TEST(timeouts)
{
	struct timespec real, mono;
	pthread_t t;
	u64 start;

	CHECK_EQ(pthread_create(&t, NULL, holder, (void *)1), 0);
	while (!step)
		sched_yield();
	start = now_ns(CLOCK_MONOTONIC);
	real = soon(CLOCK_REALTIME, 10);
	CHECK_ERR(futex(&words[0], FUTEX_LOCK_PI_PRIVATE, 0, &real, NULL, 0), ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 9000000);
	mono = soon(CLOCK_MONOTONIC, 5);
	CHECK_ERR(futex(&words[0], FUTEX_LOCK_PI2_PRIVATE, 0, &mono, NULL, 0), ETIMEDOUT);
	real = soon(CLOCK_REALTIME, 5);
	CHECK_ERR(futex(&words[0], FUTEX_LOCK_PI2_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &real, NULL, 0),
		  ETIMEDOUT);
	CHECK_EQ(pthread_join(t, NULL), 0);
}

static void *lock_two(void *arg)
{
	CHECK_OK(lock_pi(&words[1]));
	step = 1;
	CHECK_OK(lock_pi(&words[0])); /* the main thread's */
	CHECK_OK(unlock_pi(&words[0]));
	CHECK_OK(unlock_pi(&words[1]));
	return arg;
}

TEST(deadlock_is_found)
{
	pthread_t t;

	CHECK_OK(lock_pi(&words[0]));
	CHECK_EQ(pthread_create(&t, NULL, lock_two, NULL), 0);
	while (!step)
		sched_yield();
	sleep_ms(20);
	CHECK_ERR(lock_pi(&words[1]), EDEADLK);
	CHECK_OK(unlock_pi(&words[0]));
	CHECK_EQ(pthread_join(t, NULL), 0);
}

static void *die_holding(void *arg)
{
	CHECK_OK(lock_pi(&words[0]));
	step = 1;
	sleep_ms(30);
	return arg;
}

TEST(owner_that_dies_leaves_the_mark)
{
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, die_holding, NULL), 0);
	while (!step)
		sched_yield();
	CHECK_OK(lock_pi(&words[0]));
	CHECK_EQ(words[0] & FUTEX_TID_MASK, gettid_());
	CHECK(words[0] & FUTEX_OWNER_DIED);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_OK(unlock_pi(&words[0]));
	CHECK_EQ(words[0], 0);
}

static void *spoil(void *arg)
{
	CHECK_OK(lock_pi(&words[0]));
	step = 1;
	while (step != 2)
		sched_yield();
	return arg;
}

static void *wait_pi(void *arg)
{
	struct timespec ts = soon(CLOCK_REALTIME, 300);

	CHECK_ERR(futex(&words[0], FUTEX_LOCK_PI_PRIVATE, 0, &ts, NULL, 0), ETIMEDOUT);
	return arg;
}

TEST(word_that_contradicts_the_kernel)
{
	pthread_t t, w;

	CHECK_EQ(pthread_create(&t, NULL, spoil, NULL), 0);
	while (step != 1)
		sched_yield();
	CHECK_EQ(pthread_create(&w, NULL, wait_pi, NULL), 0);
	while (!(words[0] & FUTEX_WAITERS))
		sched_yield();
	sleep_ms(30);
	CHECK_ERR(futex(&words[0], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
	words[0] = 1 | FUTEX_WAITERS; /* another thread's number */
	CHECK_ERR(lock_pi(&words[0]), EINVAL);
	words[0] = (u32)gettid_() | FUTEX_WAITERS;
	CHECK_ERR(unlock_pi(&words[0]), EINVAL);
	CHECK_EQ(pthread_join(w, NULL), 0);
	step = 2;
	CHECK_EQ(pthread_join(t, NULL), 0);
}

static void *plain_waiter(void *arg)
{
	u32 now = words[0];

	step = 1;
	futex(&words[0], FUTEX_WAIT_PRIVATE, now, NULL, NULL, 0);
	return arg;
}

TEST(plain_waiters_on_the_word)
{
	pthread_t t;

	words[0] = 1;
	CHECK_EQ(pthread_create(&t, NULL, plain_waiter, NULL), 0);
	while (step != 1)
		sched_yield();
	sleep_ms(30);
	CHECK_ERR(lock_pi(&words[0]), EINVAL);
	CHECK_EQ(futex(&words[0], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
	CHECK_EQ(pthread_join(t, NULL), 0);
}

/* --- priorities --- */

static void be_fifo(int priority)
{
	struct sched_param p = { .sched_priority = priority };

	CHECK_OK(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p));
}

static int priority_of(int tid)
{
	char name[64], text[1024], *at;
	int priority;

	snprintf(name, sizeof(name), "/proc/self/task/%d/stat", tid);
	text[read_file(name, text, sizeof(text))] = '\0';
	at = strrchr(text, ')');
	CHECK(at && sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %d",
			   &priority) == 1);
	return priority;
}

static volatile int tids[4], release_chain;

/* Thread n holds word n and waits for word n - 1; the first waits to be let go. */
static void *chain_link(void *arg)
{
	long n = (long)arg;

	tids[n] = gettid_();
	CHECK_OK(lock_pi(&words[n]));
	__sync_fetch_and_add(&step, 1);
	if (n == 0) {
		while (!release_chain)
			sleep_ms(1);
	} else {
		CHECK_OK(lock_pi(&words[n - 1]));
		CHECK_OK(unlock_pi(&words[n - 1]));
	}
	CHECK_OK(unlock_pi(&words[n]));
	return NULL;
}

static void *boost(void *arg)
{
	struct timespec ts = soon(CLOCK_REALTIME, *(int *)arg);

	be_fifo(50);
	step = 100;
	(void)!futex(&words[2], FUTEX_LOCK_PI_PRIVATE, 0, &ts, NULL, 0);
	if ((words[2] & FUTEX_TID_MASK) == (u32)gettid_())
		CHECK_OK(unlock_pi(&words[2]));
	return NULL;
}

TEST(priority_goes_along_the_chain)
{
	pthread_t t[3], b;
	int span = 200;

	if (getuid())
		SKIP("needs real-time priorities");
	for (long i = 0; i < 3; i++) {
		CHECK_EQ(pthread_create(&t[i], NULL, chain_link, (void *)i), 0);
		while (step != i + 1)
			sleep_ms(1);
		sleep_ms(10);
	}
	for (int i = 0; i < 3; i++)
		CHECK_EQ(priority_of(tids[i]), 20);
	CHECK_EQ(pthread_create(&b, NULL, boost, &span), 0);
	sleep_ms(60);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(priority_of(tids[i]), -51);
	/* The time is up: nobody inherits any more. */
	CHECK_EQ(pthread_join(b, NULL), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(priority_of(tids[i]), 20);
	/* Once more, until all have it. */
	span = 5000;
	step = 0;
	CHECK_EQ(pthread_create(&b, NULL, boost, &span), 0);
	while (step != 100 || priority_of(tids[0]) != -51)
		sleep_ms(1);
	release_chain = 1;
	CHECK_EQ(pthread_join(b, NULL), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(words[i], 0);
}

static volatile int order[8], nr_order;

static void *wait_with_priority(void *arg)
{
	be_fifo((int)(long)arg);
	__sync_fetch_and_add(&step, 1);
	CHECK_OK(lock_pi(&words[3]));
	order[nr_order++] = (int)(long)arg;
	CHECK_OK(unlock_pi(&words[3]));
	return NULL;
}

TEST(highest_priority_is_next)
{
	static const long priorities[] = { 10, 30, 20, 40 };
	pthread_t t[4];

	if (getuid())
		SKIP("needs real-time priorities");
	CHECK_OK(lock_pi(&words[3]));
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(pthread_create(&t[i], NULL, wait_with_priority, (void *)priorities[i]), 0);
		while (step != i + 1)
			sleep_ms(1);
		sleep_ms(10);
	}
	CHECK_OK(unlock_pi(&words[3]));
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(order[i], 40 - 10 * i);
}

static void *wait_plain_with_priority(void *arg)
{
	be_fifo((int)(long)arg);
	__sync_fetch_and_add(&step, 1);
	CHECK_OK(futex(&words[4], FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
	order[nr_order++] = (int)(long)arg;
	return NULL;
}

TEST(plain_wake_prefers_priority)
{
	static const long priorities[] = { 10, 30, 20 };
	pthread_t t[3];

	if (getuid())
		SKIP("needs real-time priorities");
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(pthread_create(&t[i], NULL, wait_plain_with_priority, (void *)priorities[i]), 0);
		while (step != i + 1)
			sleep_ms(1);
		sleep_ms(10);
	}
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(futex(&words[4], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
		while (nr_order != i + 1)
			sleep_ms(1);
		CHECK_EQ(order[i], 30 - 10 * i);
	}
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
}

/* --- requeue --- */

static volatile int nr_owned, nr_waiting;
static volatile int waiter_tid[5];

/* All of them are about to wait: until they do. */
static void waiters_sleep(int nr)
{
	while (nr_waiting != nr)
		sleep_ms(1);
	for (int i = 0; i < nr; i++)
		wait_state(waiter_tid[i], "S");
}

static void waiter_comes(void)
{
	static int next;

	waiter_tid[__sync_fetch_and_add(&next, 1)] = gettid_();
	__sync_fetch_and_add(&nr_waiting, 1);
}

static void *cond_waiter(void *arg)
{
	waiter_comes();
	CHECK_OK(futex(&words[5], FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &words[6], 0));
	CHECK_EQ(words[6] & FUTEX_TID_MASK, gettid_());
	nr_owned++;
	CHECK_OK(unlock_pi(&words[6]));
	return arg;
}

TEST(requeue_makes_owners)
{
	pthread_t t[5];

	for (int i = 0; i < 5; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, cond_waiter, NULL), 0);
	waiters_sleep(5);
	CHECK_ERR(futex(&words[5], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex(&words[5], FUTEX_REQUEUE_PRIVATE, 0, (void *)5, &words[7], 0), EINVAL);
	CHECK_ERR(futex(&words[5], FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)5, &words[7], 0), EINVAL);
	/* One becomes the owner at once. */
	CHECK_EQ(futex(&words[5], FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)0, &words[6], 0), 1);
	while (nr_owned != 1)
		sleep_ms(1);
	/* The rest waits for the mutex, which we hold. */
	CHECK_OK(lock_pi(&words[6]));
	CHECK_EQ(futex(&words[5], FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)INT32_MAX, &words[6], 0), 4);
	sleep_ms(10);
	CHECK_EQ(nr_owned, 1);
	CHECK(words[6] & FUTEX_WAITERS);
	CHECK_OK(unlock_pi(&words[6]));
	for (int i = 0; i < 5; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	CHECK_EQ(nr_owned, 5);
	CHECK_EQ(words[6], 0);
}

static void *cond_timed_waiter(void *arg)
{
	struct timespec ts = soon(CLOCK_MONOTONIC, 1000);

	waiter_comes();
	CHECK_ERR(futex(&words[5], FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &ts, &words[6], 0), ETIMEDOUT);
	return arg;
}

TEST(requeued_waiter_times_out)
{
	struct timespec ts = soon(CLOCK_MONOTONIC, 10);
	pthread_t t;

	CHECK_ERR(futex(&words[5], FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &ts, &words[6], 0), ETIMEDOUT);
	CHECK_OK(lock_pi(&words[6]));
	CHECK_EQ(pthread_create(&t, NULL, cond_timed_waiter, NULL), 0);
	waiters_sleep(1);
	CHECK_EQ(futex(&words[5], FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)0, &words[6], 0), 1);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_OK(unlock_pi(&words[6]));
}

/* --- the C library's mutexes --- */

static pthread_mutex_t *shared_mutex(int protocol, int robust)
{
	pthread_mutexattr_t a;
	pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	CHECK_EQ(pthread_mutexattr_setprotocol(&a, protocol), 0);
	CHECK_EQ(pthread_mutexattr_setrobust(&a, robust), 0);
	CHECK_EQ(pthread_mutex_init(m, &a), 0);
	return m;
}

static void robust_mutex_survives(int protocol)
{
	pthread_mutex_t *m = shared_mutex(protocol, PTHREAD_MUTEX_ROBUST);
	pid_t pid = test_fork();

	if (!pid) {
		CHECK_EQ(pthread_mutex_lock(m), 0);
		sleep_ms(30);
		_exit(0);
	}
	sleep_ms(10);
	CHECK_EQ(pthread_mutex_lock(m), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(m), 0);
	CHECK_EQ(pthread_mutex_unlock(m), 0);
	CHECK_EQ(pthread_mutex_lock(m), 0);
	CHECK_EQ(pthread_mutex_unlock(m), 0);
	CHECK_EXITS(pid, 0);
}

TEST(robust_mutexes)
{
	robust_mutex_survives(PTHREAD_PRIO_NONE);
	robust_mutex_survives(PTHREAD_PRIO_INHERIT);
}

static pthread_mutex_t *contended;
static volatile long counter;

static void *count(void *arg)
{
	for (int i = 0; i < *(int *)arg; i++) {
		CHECK_EQ(pthread_mutex_lock(contended), 0);
		counter = counter + 1;
		if (i % 16 == 0)
			sched_yield();
		CHECK_EQ(pthread_mutex_unlock(contended), 0);
	}
	return NULL;
}

TEST(inheriting_mutex_under_contention)
{
	int rounds = SCALE(500, 50000);
	pthread_t t[4];

	contended = shared_mutex(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, count, &rounds), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	CHECK_EQ(counter, 4L * rounds);
}

/* --- futex_waitv --- */

struct waitv {
	u64 val, uaddr;
	u32 flags, reserved;
};

static long waitv(struct waitv *w, u32 nr, u32 flags, struct timespec *ts, clockid_t clock)
{
	return syscall(449, w, nr, flags, ts, clock);
}

TEST(waitv_refusals)
{
	static u32 a, b;
	struct waitv w[129] = { { 0, (u64)&a, 2 | FUTEX_PRIVATE_FLAG, 0 }, { 0, (u64)&b, 2, 0 } };
	struct timespec ts = soon(CLOCK_MONOTONIC, 10), bad = { 0, -1 };

	CHECK_ERR(waitv(w, 0, 0, NULL, 0), EINVAL);
	CHECK_ERR(waitv(w, 129, 0, NULL, 0), EINVAL);
	CHECK_ERR(waitv(w, 2, 1, NULL, 0), EINVAL);
	CHECK_ERR(waitv(NULL, 2, 0, NULL, 0), EINVAL);
	CHECK_ERR(waitv((void *)8, 2, 0, NULL, 0), EFAULT);
	CHECK_ERR(waitv(w, 2, 0, &ts, CLOCK_BOOTTIME), EINVAL);
	CHECK_ERR(waitv(w, 2, 0, &bad, CLOCK_MONOTONIC), EINVAL);
	CHECK_ERR(waitv(w, 2, 0, &ts, CLOCK_MONOTONIC), ETIMEDOUT);
	ts = soon(CLOCK_REALTIME, 10);
	CHECK_ERR(waitv(w, 2, 0, &ts, CLOCK_REALTIME), ETIMEDOUT);
	w[1].val = 1;
	CHECK_ERR(waitv(w, 2, 0, NULL, 0), EAGAIN);
	w[1].val = 0;
	w[1].reserved = 1;
	CHECK_ERR(waitv(w, 2, 0, NULL, 0), EINVAL);
	w[1].reserved = 0;
	w[1].flags = 0;
	CHECK_ERR(waitv(w, 2, 0, NULL, 0), EINVAL);
	w[1].flags = 2;
	w[1].uaddr = (u64)&b + 1;
	CHECK_ERR(waitv(w, 2, 0, NULL, 0), EINVAL);
	w[1].uaddr = 64;
	CHECK_ERR(waitv(w, 2, 0, NULL, 0), EFAULT);
}

static void *wake_third(void *arg)
{
	sleep_ms(20);
	words[2] = 1;
	CHECK_EQ(futex(&words[2], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
	return arg;
}

TEST(waitv_tells_which)
{
	struct waitv w[5];
	pthread_t t;

	for (int i = 0; i < 5; i++)
		w[i] = (struct waitv){ 0, (u64)&words[i], 2 | FUTEX_PRIVATE_FLAG, 0 };
	CHECK_EQ(pthread_create(&t, NULL, wake_third, NULL), 0);
	CHECK_EQ(waitv(w, 5, 0, NULL, 0), 2);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_EQ(futex(&words[1], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
}

/* Threads write nonsense into words that others lock: errors, but no hang and no crash. */
static volatile int stop;

static void *play(void *arg)
{
	u32 seed = (u32)(long)arg * 2654435761u;

	while (!stop) {
		seed = seed * 1664525 + 1013904223;
		switch (seed >> 28 & 7) {
		case 0:
			words[seed >> 8 & 1] = seed;
			break;
		case 1:
			words[seed >> 8 & 1] = (u32)gettid_() | (seed & 0xc0000000);
			break;
		case 2:
			words[seed >> 8 & 1] = 0;
			break;
		case 3:
		case 4: {
			struct timespec ts = soon(CLOCK_REALTIME, 1);

			futex(&words[seed >> 8 & 1], FUTEX_LOCK_PI_PRIVATE, 0, &ts, NULL, 0);
			break;
		}
		case 5: {
			struct timespec ts = soon(CLOCK_MONOTONIC, 1);

			futex(&words[2], FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &ts, &words[0], 0);
			break;
		}
		case 6:
			futex(&words[2], FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)3, &words[0], 0);
			break;
		default:
			unlock_pi(&words[seed >> 8 & 1]);
		}
	}
	return NULL;
}

TEST(hostile_words)
{
	pthread_t t[6];

	for (long i = 0; i < 6; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, play, (void *)(i + 1)), 0);
	sleep_ms(SCALE(500, 10000));
	stop = 1;
	for (int i = 0; i < 6; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
}
