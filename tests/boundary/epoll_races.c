/*
 * Attacks on epoll's life cycle: watched files, epolls and interest change and vanish under waiters
 * on several CPUs; loops and joins of nested epolls race; no wake-up may get lost, nothing may hang.
 */
#include "test.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

static int slot[16];      /* descriptors that everybody plays with; -1: none */
static volatile int stop;

static u32 next(u32 *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16;
}

static int new_object(u32 r)
{
	int p[2];

	switch (r % 4) {
	case 0:
		return epoll_create1(0);
	case 1:
		if (pipe2(p, O_NONBLOCK))
			return -1;
		close(p[r & 4 ? 0 : 1]);
		return p[r & 4 ? 1 : 0];
	default:
		return eventfd(r & 8 ? 1 : 0, EFD_NONBLOCK);
	}
}

static void play(u32 r, u32 *seed)
{
	struct epoll_event ev[4] = { { .events = next(seed) & (EPOLLIN | EPOLLOUT) } };
	int a = slot[next(seed) % 16], b = slot[next(seed) % 16];
	u64 one = 1;

	if (next(seed) % 4 == 0)
		ev[0].events |= EPOLLET;
	if (next(seed) % 8 == 0)
		ev[0].events |= EPOLLONESHOT;
	if (next(seed) % 8 == 0)
		ev[0].events |= EPOLLEXCLUSIVE;
	switch (r % 8) {
	case 0:
	case 1:
		epoll_ctl(a, EPOLL_CTL_ADD, b, ev);
		break;
	case 2:
		epoll_ctl(a, next(seed) % 2 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD, b, ev);
		break;
	case 3:
		epoll_wait(a, ev, 4, next(seed) % 4 == 0);
		break;
	case 4:
		if (write(b, &one, 8) == 8 && next(seed) % 2 && read(b, &one, 8) < 0)
			break;
		break;
	case 5:
		poll(&(struct pollfd){ a, POLLIN, 0 }, 1, 0);
		break;
	case 6: {
		int i = next(seed) % 16, fd = new_object(next(seed));

		fd = __atomic_exchange_n(&slot[i], fd, __ATOMIC_SEQ_CST);
		if (fd >= 0)
			close(fd);
		break;
	}
	case 7:
		if (a >= 0 && b >= 0 && next(seed) % 4 == 0)
			dup2(a, b);
		break;
	}
}

static void *player(void *arg)
{
	u32 seed = (u32)(uintptr_t)arg;

	while (!stop)
		play(next(&seed), &seed);
	return NULL;
}

TEST_LIMIT(everything_changes_under_everybody, 60)
{
	pthread_t t[4];

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 16; i++)
		slot[i] = new_object(i);
	for (uintptr_t i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, player, (void *)(i * 7919 + 1)), 0);
	sleep(2);
	stop = 1;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

/* Each token written to an eventfd semaphore is taken by exactly one of the edge-triggered waiters. */

static int ep, sem;
static int taken;

static void *taker(void *arg)
{
	struct epoll_event ev;
	u64 v;

	(void)arg;
	for (;;) {
		if (epoll_wait(ep, &ev, 1, -1) != 1)
			continue;
		if (ev.data.fd != sem)
			return NULL;
		while (read(sem, &v, 8) == 8)
			__atomic_fetch_add(&taken, 1, __ATOMIC_SEQ_CST);
	}
}

static void run_takers(u32 how, int n)
{
	struct epoll_event ev = { .events = EPOLLIN | how };
	int end = CHECK_OK(eventfd(0, EFD_NONBLOCK));
	pthread_t t[3];
	u64 one = 1;

	ep = CHECK_OK(epoll_create1(0));
	sem = CHECK_OK(eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE));
	ev.data.fd = sem;
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, sem, &ev));
	ev = (struct epoll_event){ .events = EPOLLIN, .data.fd = end };
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, end, &ev));
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, taker, NULL), 0);
	for (int i = 1; i <= n; i++) {
		CHECK_EQ(write(sem, &one, 8), 8);
		if (i % 3 == 0) /* let the takers sleep now and then */
			while (__atomic_load_n(&taken, __ATOMIC_SEQ_CST) < i)
				sched_yield();
	}
	while (__atomic_load_n(&taken, __ATOMIC_SEQ_CST) < n)
		sched_yield();
	CHECK_EQ(write(end, &one, 8), 8); /* level: every taker sees it */
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(taken, n);
}

TEST_LIMIT(edges_are_not_lost, 600)
{
	run_takers(EPOLLET, SCALE(2000, 100000));
}

TEST_LIMIT(levels_are_not_lost, 600)
{
	run_takers(0, SCALE(1000, 50000));
}

TEST_LIMIT(exclusive_wakeups_are_not_lost, 600)
{
	run_takers(EPOLLET | EPOLLEXCLUSIVE, SCALE(2000, 100000));
}

/* A waiter that gives up just when it is chosen passes the event on. */

static void on_signal(int sig)
{
	(void)sig;
}

static pid_t waiter_tid;

static void *interrupted(void *arg)
{
	struct epoll_event ev;

	(void)arg;
	__atomic_store_n(&waiter_tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	while (!stop)
		if (epoll_wait(ep, &ev, 1, 1) == 1) {
			u64 v;

			if (read(sem, &v, 8) == 8)
				__atomic_fetch_add(&taken, 1, __ATOMIC_SEQ_CST);
		}
	return NULL;
}

TEST_LIMIT(interrupted_waiters_lose_nothing, 600)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	struct sigaction act = { .sa_handler = on_signal };
	pthread_t t[2];
	u64 one = 1;

	CHECK_OK(sigaction(SIGUSR1, &act, NULL));
	ep = CHECK_OK(epoll_create1(0));
	sem = CHECK_OK(eventfd(0, EFD_NONBLOCK));
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, sem, &ev));
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, interrupted, NULL), 0);
	for (int i = 1; i <= SCALE(500, 20000); i++) {
		CHECK_EQ(write(sem, &one, 8), 8);
		if (waiter_tid)
			syscall(SYS_tkill, waiter_tid, SIGUSR1);
		while (__atomic_load_n(&taken, __ATOMIC_SEQ_CST) < i)
			sched_yield();
	}
	stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

/* Two threads try to close a cycle from both sides: one of them must lose. */

static int left, right;
static volatile int turn;
static int results[2];

static void *joiner(void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int side = (int)(uintptr_t)arg;

	for (int i = 1; i <= 200; i++) {
		while (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) < 4 * i)
			sched_yield();
		results[side] = epoll_ctl(side ? left : right, EPOLL_CTL_ADD, side ? right : left, &ev);
		__atomic_fetch_add(&turn, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

TEST_LIMIT(cycles_from_both_sides, 60)
{
	pthread_t t[2];

	left = CHECK_OK(epoll_create1(0));
	right = CHECK_OK(epoll_create1(0));
	for (uintptr_t i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, joiner, (void *)i), 0);
	for (int i = 1; i <= 200; i++) {
		__atomic_store_n(&turn, 4 * i, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) < 4 * i + 2)
			sched_yield();
		CHECK_EQ((results[0] == 0) + (results[1] == 0), 1);
		epoll_ctl(left, EPOLL_CTL_DEL, right, NULL);
		epoll_ctl(right, EPOLL_CTL_DEL, left, NULL);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

/* Wide and deep: a wake-up must not multiply without bound. */
TEST(wakeup_paths_are_limited)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int level[5][12], refused = 0;

	for (int l = 0; l < 5; l++)
		for (int i = 0; i < 12; i++)
			level[l][i] = CHECK_OK(epoll_create1(0));
	for (int l = 1; l < 5; l++)
		for (int i = 0; i < 12; i++)
			for (int j = 0; j < 12; j++)
				if (epoll_ctl(level[l][i], EPOLL_CTL_ADD, level[l - 1][j], &ev)) {
					CHECK(errno == EINVAL || errno == ELOOP);
					refused++;
				}
	/* Linux counts the paths of files: give it one to count. */
	CHECK_OK(refused);
	if (epoll_ctl(level[0][0], EPOLL_CTL_ADD, CHECK_OK(eventfd(1, 0)), &ev))
		CHECK_EQ(errno, EINVAL);
}

TEST(deep_chain_closes_from_any_end)
{
	struct epoll_event ev = { .events = EPOLLIN };

	for (int round = 0; round < 5; round++) {
		int e[5], fd = CHECK_OK(eventfd(1, 0));

		for (int i = 0; i < 5; i++) {
			e[i] = CHECK_OK(epoll_create1(0));
			CHECK_OK(epoll_ctl(e[i], EPOLL_CTL_ADD, i ? e[i - 1] : fd, &ev));
		}
		CHECK_EQ(epoll_wait(e[4], &ev, 1, 0), 1);
		CHECK_OK(close(e[round]));
		CHECK_EQ(epoll_wait(e[round == 4 ? 3 : 4], &ev, 1, 0), round == 4);
		ev.events = EPOLLIN;
		for (int i = 4; i >= 0; i--)
			if (i != round)
				CHECK_OK(close(e[i]));
		CHECK_OK(close(fd));
	}
}
