/* epoll: interest, edges, one-shot, exclusive waiters, nesting, life cycle, refusals. */
#include "test.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

static int ep, rd, wr;

static void setup(void)
{
	int p[2];

	CHECK_OK(pipe2(p, O_NONBLOCK));
	rd = p[0];
	wr = p[1];
	ep = CHECK_OK(epoll_create1(EPOLL_CLOEXEC));
}

static int ctl(int e, int op, int fd, u32 events, u64 data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	return epoll_ctl(e, op, fd, &ev);
}

static int look(int e, struct epoll_event *ev, int max)
{
	memset(ev, 0x5a, max * sizeof(*ev));
	return epoll_wait(e, ev, max, 0);
}

static void put(void)
{
	CHECK_EQ(write(wr, "x", 1), 1);
}

static void take(void)
{
	char c;

	CHECK_EQ(read(rd, &c, 1), 1);
}

static int new_eventfd(u64 value)
{
	return CHECK_OK(eventfd(value, EFD_NONBLOCK));
}

static void bump(int fd)
{
	u64 one = 1;

	CHECK_EQ(write(fd, &one, 8), 8);
}

static void drain(int fd)
{
	u64 v;

	CHECK_EQ(read(fd, &v, 8), 8);
}

TEST(level_reports_until_taken)
{
	struct epoll_event ev[4];

	setup();
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN, 0x1122334455667788));
	CHECK_EQ(look(ep, ev, 4), 0);
	put();
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(look(ep, ev, 4), 1);
		CHECK_EQ(ev[0].events, EPOLLIN);
		CHECK_EQ(ev[0].data.u64, 0x1122334455667788);
		CHECK_EQ(ev[1].events, 0x5a5a5a5a);
	}
	take();
	CHECK_EQ(look(ep, ev, 4), 0);
}

TEST(edge_reports_each_arrival_once)
{
	struct epoll_event ev[4];

	setup();
	put();
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN | EPOLLET, 1));
	CHECK_EQ(look(ep, ev, 4), 1);
	CHECK_EQ(look(ep, ev, 4), 0);
	put();
	CHECK_EQ(look(ep, ev, 4), 1);
	CHECK_EQ(ev[0].events, EPOLLIN);
	CHECK_EQ(look(ep, ev, 4), 0);
	take();
	CHECK_EQ(look(ep, ev, 4), 0);
	/* Changing the interest looks again. */
	CHECK_OK(ctl(ep, EPOLL_CTL_MOD, rd, EPOLLIN | EPOLLET, 1));
	CHECK_EQ(look(ep, ev, 4), 1);
	CHECK_EQ(look(ep, ev, 4), 0);
}

TEST(eventfd_edges)
{
	struct epoll_event ev;
	int fd = new_eventfd(0);

	setup();
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLET, 1));
	CHECK_EQ(look(ep, &ev, 1), 1);
	CHECK_EQ(ev.events, EPOLLOUT);
	CHECK_EQ(look(ep, &ev, 1), 0);
	bump(fd);
	CHECK_EQ(look(ep, &ev, 1), 1);
	CHECK_EQ(ev.events, EPOLLIN | EPOLLOUT);
	bump(fd); /* an edge for each write */
	CHECK_EQ(look(ep, &ev, 1), 1);
	drain(fd);
	CHECK_EQ(look(ep, &ev, 1), 1);
	CHECK_EQ(ev.events, EPOLLOUT);
}

TEST(oneshot_disables_until_rearmed)
{
	struct epoll_event ev;

	setup();
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN | EPOLLONESHOT, 1));
	put();
	CHECK_EQ(look(ep, &ev, 1), 1);
	put();
	CHECK_EQ(look(ep, &ev, 1), 0);
	CHECK_OK(close(wr)); /* not even a hang-up */
	CHECK_EQ(look(ep, &ev, 1), 0);
	CHECK_OK(ctl(ep, EPOLL_CTL_MOD, rd, EPOLLIN | EPOLLONESHOT, 2));
	CHECK_EQ(look(ep, &ev, 1), 1);
	CHECK_EQ(ev.events, EPOLLIN | EPOLLHUP);
	CHECK_EQ(ev.data.u64, 2);
}

TEST(hangup_and_error_come_unasked)
{
	struct epoll_event ev;

	setup();
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, rd, 0, 1));
	CHECK_EQ(look(ep, &ev, 1), 0);
	CHECK_OK(close(wr));
	CHECK_EQ(look(ep, &ev, 1), 1);
	CHECK_EQ(ev.events, EPOLLHUP);
	setup();
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, wr, 0, 1));
	CHECK_OK(close(rd));
	CHECK_EQ(look(ep, &ev, 1), 1);
	CHECK_EQ(ev.events, EPOLLERR);
}

TEST(ready_ones_take_turns)
{
	struct epoll_event ev[2];
	int fd[6], seen[6] = { 0 };

	setup();
	for (int i = 0; i < 6; i++) {
		fd[i] = new_eventfd(1);
		CHECK_OK(ctl(ep, EPOLL_CTL_ADD, fd[i], EPOLLIN, i));
	}
	for (int i = 0; i < 9; i++) {
		CHECK_EQ(look(ep, ev, 2), 2);
		for (int j = 0; j < 2; j++)
			seen[ev[j].data.u64]++;
	}
	for (int i = 0; i < 6; i++)
		CHECK_EQ(seen[i], 3);
}

TEST(key_is_file_and_descriptor)
{
	struct epoll_event ev[4];
	int copy;

	setup();
	copy = CHECK_OK(dup(rd));
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN, 1));
	CHECK_ERR(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN, 1), EEXIST);
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, copy, EPOLLIN, 2));
	put();
	CHECK_EQ(look(ep, ev, 4), 2);
	CHECK_OK(ctl(ep, EPOLL_CTL_DEL, copy, 0, 0));
	CHECK_ERR(ctl(ep, EPOLL_CTL_DEL, copy, 0, 0), ENOENT);
	/* The file lives on in the copy, and so does the interest in it. */
	CHECK_OK(close(rd));
	CHECK_EQ(look(ep, ev, 4), 1);
	CHECK_EQ(ev[0].data.u64, 1);
	CHECK_ERR(ctl(ep, EPOLL_CTL_DEL, rd, 0, 0), EBADF);
	CHECK_ERR(ctl(ep, EPOLL_CTL_DEL, copy, 0, 0), ENOENT);
	/* The descriptor number may mean another file meanwhile. */
	CHECK_EQ(dup2(new_eventfd(1), rd), rd);
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN, 3));
	CHECK_EQ(look(ep, ev, 4), 2);
	CHECK_OK(close(copy)); /* the last one of the pipe's end */
	CHECK_EQ(look(ep, ev, 4), 1);
	CHECK_EQ(ev[0].data.u64, 3);
}

TEST(last_close_elsewhere_removes)
{
	struct epoll_event ev;
	pid_t pid;
	int go[2];

	setup();
	CHECK_OK(pipe(go));
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN, 1));
	put();
	pid = test_fork();
	if (pid == 0) {
		char c;

		CHECK_OK(close(go[1]));
		CHECK_EQ(read(go[0], &c, 1), 0);
		_exit(0);
	}
	CHECK_OK(close(rd));
	CHECK_EQ(look(ep, &ev, 1), 1);
	CHECK_OK(close(go[1]));
	CHECK_EXITS(pid, 0);
	CHECK_EQ(look(ep, &ev, 1), 0);
}

TEST(refusals)
{
	struct epoll_event ev;
	int file = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	int dir = CHECK_OK(open(".", O_RDONLY));
	int null = CHECK_OK(open("/dev/null", O_RDWR));

	setup();
	CHECK_ERR(ctl(ep, EPOLL_CTL_ADD, file, EPOLLIN, 1), EPERM);
	CHECK_ERR(ctl(ep, EPOLL_CTL_ADD, dir, EPOLLIN, 1), EPERM);
	CHECK_ERR(ctl(ep, EPOLL_CTL_ADD, null, EPOLLIN, 1), EPERM);
	CHECK_ERR(ctl(rd, EPOLL_CTL_ADD, file, EPOLLIN, 1), EPERM);
	CHECK_ERR(ctl(rd, EPOLL_CTL_ADD, wr, EPOLLIN, 1), EINVAL);
	CHECK_ERR(ctl(ep, EPOLL_CTL_ADD, ep, EPOLLIN, 1), EINVAL);
	CHECK_ERR(ctl(-1, EPOLL_CTL_ADD, rd, EPOLLIN, 1), EBADF);
	CHECK_ERR(ctl(ep, EPOLL_CTL_ADD, 500, EPOLLIN, 1), EBADF);
	CHECK_ERR(ctl(ep, EPOLL_CTL_MOD, rd, EPOLLIN, 1), ENOENT);
	CHECK_ERR(ctl(ep, EPOLL_CTL_DEL, rd, EPOLLIN, 1), ENOENT);
	CHECK_ERR(ctl(ep, 4, rd, EPOLLIN, 1), EINVAL);
	CHECK_ERR(ctl(ep, 0, rd, EPOLLIN, 1), EINVAL);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, rd, NULL), EFAULT);
	CHECK_ERR(epoll_ctl(-1, EPOLL_CTL_MOD, rd, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_epoll_ctl, -1, 77, rd, NULL), EFAULT);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_DEL, rd, NULL), ENOENT);
	CHECK_ERR(epoll_create1(1), EINVAL);
	CHECK_ERR(syscall(SYS_epoll_create, 0), EINVAL);
	CHECK_ERR(syscall(SYS_epoll_create, -1), EINVAL);
	CHECK_OK(syscall(SYS_epoll_create, 1));
	CHECK_ERR(epoll_wait(ep, &ev, 0, 0), EINVAL);
	CHECK_ERR(epoll_wait(ep, &ev, -1, 0), EINVAL);
	CHECK_ERR(epoll_wait(ep, &ev, 0x7fffffff / 12 + 1, 0), EINVAL);
	CHECK_ERR(epoll_wait(-1, &ev, 1, 0), EBADF);
	CHECK_ERR(epoll_wait(rd, &ev, 1, 0), EINVAL);
	CHECK_ERR(syscall(SYS_epoll_wait, ep, 1ul << 63, 1, 0), EFAULT);
	CHECK_ERR(read(ep, &ev, 1), EINVAL);
	CHECK_ERR(write(ep, &ev, 1), EINVAL);
	CHECK_EQ(lseek(ep, 77, SEEK_SET), 0);
	CHECK_EQ(lseek(new_eventfd(0), 77, SEEK_SET), 0);
}

TEST(fault_keeps_the_event)
{
	struct epoll_event ev;

	setup();
	put();
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN | EPOLLET, 1));
	CHECK_ERR(syscall(SYS_epoll_wait, ep, 8, 1, 0), EFAULT);
	CHECK_EQ(look(ep, &ev, 1), 1);
	CHECK_EQ(look(ep, &ev, 1), 0);
}

TEST(events_before_a_fault_count)
{
	u8 *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct epoll_event ev[3];

	CHECK_OK(mprotect(page + 4096, 4096, PROT_NONE));
	setup();
	for (int i = 0; i < 3; i++)
		CHECK_OK(ctl(ep, EPOLL_CTL_ADD, new_eventfd(1), EPOLLIN | EPOLLET, i));
	CHECK_EQ(epoll_wait(ep, (void *)(page + 4096 - 2 * sizeof(*ev)), 3, 0), 2);
	CHECK_EQ(look(ep, ev, 3), 1);
	CHECK_EQ(ev[0].data.u64, 2);
}

TEST(timeouts)
{
	struct timespec ts = { 0, 20000000 }, bad = { 0, 1000000000 }, neg = { -1, 0 };
	struct epoll_event ev;
	u64 start, mask = 0;

	setup();
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN, 1));
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_EQ(epoll_wait(ep, &ev, 1, 20), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20000000);
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_EQ(syscall(SYS_epoll_pwait2, ep, &ev, 1, &ts, NULL, 0), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20000000);
	CHECK_EQ(ts.tv_nsec, 20000000);
	ts.tv_nsec = 0;
	CHECK_EQ(syscall(SYS_epoll_pwait2, ep, &ev, 1, &ts, NULL, 0), 0);
	CHECK_ERR(syscall(SYS_epoll_pwait2, ep, &ev, 1, &bad, NULL, 0), EINVAL);
	CHECK_ERR(syscall(SYS_epoll_pwait2, ep, &ev, 1, &neg, NULL, 0), EINVAL);
	CHECK_ERR(syscall(SYS_epoll_pwait2, ep, &ev, 1, 8, NULL, 0), EFAULT);
	CHECK_ERR(syscall(SYS_epoll_pwait, ep, &ev, 1, 0, &mask, 4), EINVAL);
	CHECK_EQ(syscall(SYS_epoll_pwait, ep, &ev, 1, 0, NULL, 4), 0);
	CHECK_ERR(syscall(SYS_epoll_pwait, ep, &ev, 1, 0, 8, 8), EFAULT);
	put();
	CHECK_EQ(syscall(SYS_epoll_pwait2, ep, &ev, 1, NULL, NULL, 0), 1);
}

static volatile int hits;

static void on_signal(int sig)
{
	(void)sig;
	hits++;
}

TEST(signal_interrupts_without_restart)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	pid_t self = getpid(), pid;
	struct epoll_event ev;

	setup();
	CHECK_OK(sigaction(SIGUSR1, &act, NULL));
	pid = test_fork();
	if (pid == 0) {
		wait_state(self, "S");
		CHECK_OK(kill(self, SIGUSR1));
		_exit(0);
	}
	CHECK_ERR(epoll_wait(ep, &ev, 1, -1), EINTR);
	CHECK_EQ(hits, 1);
	CHECK_EXITS(pid, 0);
}

TEST(pwait_swaps_the_mask)
{
	struct epoll_event ev;
	sigset_t set, old;
	u64 none = 0;

	setup();
	signal(SIGUSR1, on_signal);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(hits, 0);
	CHECK_ERR(syscall(SYS_epoll_pwait, ep, &ev, 1, -1, &none, 8), EINTR);
	CHECK_EQ(hits, 1);
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &old));
	CHECK(sigismember(&old, SIGUSR1));
	/* Ready events win over the signal. */
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, wr, EPOLLOUT, 1));
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(syscall(SYS_epoll_pwait, ep, &ev, 1, -1, &none, 8), 1);
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &old));
	CHECK(sigismember(&old, SIGUSR1));
}

TEST(exclusive_rules)
{
	int e2;

	setup();
	e2 = CHECK_OK(epoll_create1(0));
	CHECK_ERR(ctl(ep, EPOLL_CTL_ADD, e2, EPOLLIN | EPOLLEXCLUSIVE, 1), EINVAL);
	CHECK_ERR(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 1), EINVAL);
	CHECK_ERR(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN | EPOLLRDHUP | EPOLLEXCLUSIVE, 1), EINVAL);
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 1));
	CHECK_ERR(ctl(ep, EPOLL_CTL_MOD, rd, EPOLLIN, 1), EINVAL);
	CHECK_ERR(ctl(ep, EPOLL_CTL_MOD, rd, EPOLLIN | EPOLLEXCLUSIVE, 1), EINVAL);
	CHECK_OK(ctl(ep, EPOLL_CTL_DEL, rd, EPOLLIN | EPOLLEXCLUSIVE, 1));
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN, 1));
	CHECK_ERR(ctl(ep, EPOLL_CTL_MOD, rd, EPOLLIN | EPOLLEXCLUSIVE, 1), EINVAL);
}

static int nr_woken;

struct sleeper {
	int ep, timeout_ms, result;
	pid_t tid;
	pthread_t thread;
};

static void *sleeper_main(void *arg)
{
	struct sleeper *s = arg;
	struct epoll_event ev;

	__atomic_store_n(&s->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	s->result = epoll_wait(s->ep, &ev, 1, s->timeout_ms);
	if (s->result == 1)
		__atomic_fetch_add(&nr_woken, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void start_sleeper(struct sleeper *s, int e, int timeout_ms)
{
	s->ep = e;
	s->timeout_ms = timeout_ms;
	s->tid = 0;
	CHECK_EQ(pthread_create(&s->thread, NULL, sleeper_main, s), 0);
	while (!__atomic_load_n(&s->tid, __ATOMIC_ACQUIRE))
		sched_yield();
	wait_state(s->tid, "S");
}

#define SLEEPERS 4

TEST(edge_wakes_one_of_many_waiters)
{
	struct sleeper s[SLEEPERS];

	setup();
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN | EPOLLET, 1));
	for (int i = 0; i < SLEEPERS; i++)
		start_sleeper(&s[i], ep, 400);
	put();
	for (int i = 0; i < SLEEPERS; i++)
		pthread_join(s[i].thread, NULL);
	CHECK_EQ(nr_woken, 1);
}

TEST(level_wakes_all_waiters)
{
	struct sleeper s[SLEEPERS];

	setup();
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN, 1));
	for (int i = 0; i < SLEEPERS; i++)
		start_sleeper(&s[i], ep, 5000);
	put();
	for (int i = 0; i < SLEEPERS; i++)
		pthread_join(s[i].thread, NULL);
	CHECK_EQ(nr_woken, SLEEPERS);
}

TEST(exclusive_wakes_one_epoll)
{
	struct sleeper s[SLEEPERS];
	int fd = new_eventfd(0);

	for (int i = 0; i < SLEEPERS; i++) {
		int e = CHECK_OK(epoll_create1(0));

		CHECK_OK(ctl(e, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE, i));
		start_sleeper(&s[i], e, 400);
	}
	bump(fd);
	for (int i = 0; i < SLEEPERS; i++)
		pthread_join(s[i].thread, NULL);
	CHECK_EQ(nr_woken, 1);
}

TEST(shared_wakes_every_epoll)
{
	struct sleeper s[SLEEPERS];
	int fd = new_eventfd(0);

	for (int i = 0; i < SLEEPERS; i++) {
		int e = CHECK_OK(epoll_create1(0));

		CHECK_OK(ctl(e, EPOLL_CTL_ADD, fd, EPOLLIN, i));
		start_sleeper(&s[i], e, 5000);
	}
	bump(fd);
	for (int i = 0; i < SLEEPERS; i++)
		pthread_join(s[i].thread, NULL);
	CHECK_EQ(nr_woken, SLEEPERS);
}

TEST(add_wakes_a_sleeper)
{
	struct sleeper s;

	setup();
	put();
	start_sleeper(&s, ep, 5000);
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN, 1));
	pthread_join(s.thread, NULL);
	CHECK_EQ(s.result, 1);
}

TEST(nested_level_and_edge)
{
	struct pollfd p;
	struct epoll_event ev[2];
	int outer;

	setup();
	outer = CHECK_OK(epoll_create1(0));
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN, 1));
	CHECK_OK(ctl(outer, EPOLL_CTL_ADD, ep, EPOLLIN, 2));
	p = (struct pollfd){ outer, POLLIN, 0 };
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_EQ(look(outer, ev, 2), 0);
	put();
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN);
	CHECK_EQ(look(outer, ev, 2), 1);
	CHECK_EQ(ev[0].data.u64, 2);
	CHECK_EQ(look(outer, ev, 2), 1);
	CHECK_EQ(look(ep, ev, 2), 1);
	CHECK_EQ(look(outer, ev, 2), 1);
	take();
	CHECK_EQ(look(outer, ev, 2), 0);
	CHECK_EQ(look(ep, ev, 2), 0);
	/* Edges of the inner one. */
	CHECK_OK(ctl(outer, EPOLL_CTL_MOD, ep, EPOLLIN | EPOLLET, 3));
	put();
	CHECK_EQ(look(outer, ev, 2), 1);
	CHECK_EQ(look(outer, ev, 2), 0);
	put();
	CHECK_EQ(look(outer, ev, 2), 1);
	CHECK_EQ(ev[0].data.u64, 3);
}

TEST(nested_wakes_sleeper_of_the_outermost)
{
	struct sleeper s;
	int e[4];

	setup();
	e[0] = ep;
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN, 1));
	for (int i = 1; i < 4; i++) {
		e[i] = CHECK_OK(epoll_create1(0));
		CHECK_OK(ctl(e[i], EPOLL_CTL_ADD, e[i - 1], EPOLLIN, i));
	}
	start_sleeper(&s, e[3], 5000);
	put();
	pthread_join(s.thread, NULL);
	CHECK_EQ(s.result, 1);
}

TEST(loops_are_refused)
{
	int e[4];

	for (int i = 0; i < 4; i++)
		e[i] = CHECK_OK(epoll_create1(0));
	CHECK_OK(ctl(e[0], EPOLL_CTL_ADD, e[1], EPOLLIN, 1));
	CHECK_ERR(ctl(e[1], EPOLL_CTL_ADD, e[0], EPOLLIN, 1), ELOOP);
	CHECK_OK(ctl(e[1], EPOLL_CTL_ADD, e[2], EPOLLIN, 1));
	CHECK_ERR(ctl(e[2], EPOLL_CTL_ADD, e[0], EPOLLIN, 1), ELOOP);
	CHECK_OK(ctl(e[2], EPOLL_CTL_ADD, e[3], EPOLLIN, 1));
	CHECK_ERR(ctl(e[3], EPOLL_CTL_ADD, e[1], EPOLLIN, 1), ELOOP);
	CHECK_ERR(ctl(e[3], EPOLL_CTL_MOD, e[1], EPOLLIN, 1), ENOENT);
	/* Two ways down are no loop. */
	CHECK_OK(ctl(e[0], EPOLL_CTL_ADD, e[3], EPOLLIN, 1));
	/* Once the way is cut, the direction may turn. */
	CHECK_OK(ctl(e[0], EPOLL_CTL_DEL, e[1], 0, 0));
	CHECK_OK(close(e[2]));
	CHECK_OK(ctl(e[1], EPOLL_CTL_ADD, e[0], EPOLLIN, 1));
}

TEST(nesting_has_a_limit)
{
	int e[8], n = 0;

	setup();
	e[0] = CHECK_OK(epoll_create1(0));
	CHECK_OK(ctl(e[0], EPOLL_CTL_ADD, rd, EPOLLIN, 1));
	while (n < 7) {
		e[n + 1] = CHECK_OK(epoll_create1(0));
		if (ctl(e[n + 1], EPOLL_CTL_ADD, e[n], EPOLLIN, 1))
			break;
		n++;
	}
	CHECK(errno == ELOOP || errno == EINVAL);
	CHECK_EQ(n, 4);
}

TEST(chains_cannot_be_joined_beyond_the_limit)
{
	int e[10];

	for (int i = 0; i < 10; i++)
		e[i] = CHECK_OK(epoll_create1(0));
	for (int i = 0; i < 3; i++) { /* e0 above e1 … e3, e5 above e6 … e8 */
		CHECK_OK(ctl(e[i], EPOLL_CTL_ADD, e[i + 1], EPOLLIN, 1));
		CHECK_OK(ctl(e[i + 5], EPOLL_CTL_ADD, e[i + 6], EPOLLIN, 1));
	}
	CHECK_ERR(ctl(e[3], EPOLL_CTL_ADD, e[5], EPOLLIN, 1), ELOOP);
	CHECK_OK(ctl(e[3], EPOLL_CTL_ADD, e[8], EPOLLIN, 1));
}

TEST(limit_per_user)
{
	static const char file[] = "/proc/sys/fs/epoll/max_user_watches";
	char limit[32];

	read_file(file, limit, sizeof(limit));
	CHECK(atol(limit) > 1000);
	if (!getenv("TEST_VM"))
		SKIP("would change the host's setting");
	setup();
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN, 1));
	write_file(file, "1");
	CHECK_ERR(ctl(ep, EPOLL_CTL_ADD, wr, EPOLLIN, 1), ENOSPC);
	CHECK_OK(ctl(ep, EPOLL_CTL_DEL, rd, 0, 0));
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, wr, EPOLLIN, 1));
	write_file(file, limit);
}

TEST(fdinfo_lists_items)
{
	char path[64], want[128], text[1024];
	struct stat st;

	setup();
	CHECK_OK(ctl(ep, EPOLL_CTL_ADD, rd, EPOLLIN | EPOLLET, 0xabcdef12345678));
	CHECK_OK(fstat(rd, &st));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", ep);
	read_file(path, text, sizeof(text));
	snprintf(want, sizeof(want), "tfd: %8d events: %8x data: %16llx  pos:0 ino:%lx sdev:", rd,
		 (u32)(EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLET), 0xabcdef12345678ull,
		 (unsigned long)st.st_ino);
	CHECK(strstr(text, want));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ep);
	CHECK_EQ(readlink(path, want, sizeof(want)), 22);
	CHECK(!memcmp(want, "anon_inode:[eventpoll]", 22));
}

TEST(many_descriptors)
{
	static struct epoll_event ev[2000];
	int fd[1000];

	setup();
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 2048, 2048 }));
	for (int i = 0; i < 1000; i++) {
		fd[i] = new_eventfd(i % 3 == 0);
		CHECK_OK(ctl(ep, EPOLL_CTL_ADD, fd[i], EPOLLIN, i));
	}
	CHECK_EQ(look(ep, ev, 2000), 334);
	for (int i = 0; i < 334; i++)
		CHECK_EQ(ev[i].data.u64 % 3, 0);
	for (int i = 0; i < 1000; i += 2)
		CHECK_OK(close(fd[i]));
	CHECK_EQ(look(ep, ev, 2000), 167);
	for (int i = 1; i < 1000; i += 2)
		CHECK_OK(ctl(ep, EPOLL_CTL_DEL, fd[i], 0, 0));
	CHECK_EQ(look(ep, ev, 2000), 0);
}
