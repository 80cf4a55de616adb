/* POSIX timers: clocks, notifications, overruns, what exec and fork do to them, CPU-time clocks. */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/time.h>

#define MS 1000000l

/* The kernel's calls: libc hides ids and events behind its own types. */
struct event {
	uint64_t value;
	int signo, notify, tid;
	char pad[44];
};

static long create(clockid_t clock, struct event *ev, int *id)
{
	return syscall(SYS_timer_create, clock, ev, id);
}

static long settime(int id, int flags, u64 first_ns, u64 interval_ns, struct itimerspec *old)
{
	struct itimerspec it = {
		.it_value = { first_ns / 1000000000, first_ns % 1000000000 },
		.it_interval = { interval_ns / 1000000000, interval_ns % 1000000000 },
	};

	return syscall(SYS_timer_settime, id, flags, &it, old);
}

static u64 left_ns(int id)
{
	struct itimerspec it;

	CHECK_OK(syscall(SYS_timer_gettime, id, &it));
	return it.it_value.tv_sec * 1000000000ull + it.it_value.tv_nsec;
}

static int signal_timer(clockid_t clock, int sig, u64 value)
{
	struct event ev = { .value = value, .signo = sig, .notify = SIGEV_SIGNAL };
	int id = -1;

	CHECK_OK(create(clock, &ev, &id));
	CHECK(id >= 0);
	return id;
}

static void block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
}

/* The signal within ms; 0 when it has not come. */
static int await(int sig, siginfo_t *info, int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * MS };
	sigset_t set;
	int got;

	sigemptyset(&set);
	sigaddset(&set, sig);
	do
		got = sigtimedwait(&set, info, &ts);
	while (got == -1 && errno == EINTR);
	return got == -1 ? 0 : got;
}

static void burn(clockid_t clock, u64 ns)
{
	u64 start = now_ns(clock);

	while (now_ns(clock) - start < ns)
		;
}

TEST(one_shot_fires_once_and_not_early)
{
	static const clockid_t ids[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI };

	block(SIGUSR1);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		int id = signal_timer(ids[i], SIGUSR1, 0x1122334455667788);
		u64 start = now_ns(ids[i]);
		siginfo_t info;

		CHECK_OK(settime(id, 0, 30 * MS, 0, NULL));
		CHECK_EQ(await(SIGUSR1, &info, 10000), SIGUSR1);
		CHECK(now_ns(ids[i]) - start >= 30 * MS);
		CHECK_EQ(info.si_code, SI_TIMER);
		CHECK_EQ((u64)info.si_value.sival_ptr, 0x1122334455667788);
		CHECK_EQ(info.si_timerid, id);
		CHECK_EQ(info.si_overrun, 0);
		CHECK_EQ(left_ns(id), 0);
		CHECK_EQ(await(SIGUSR1, &info, 50), 0);
		CHECK_OK(syscall(SYS_timer_delete, id));
	}
}

TEST(default_event_is_sigalrm_with_the_id)
{
	siginfo_t info;
	int id = -1;

	block(SIGALRM);
	CHECK_OK(create(CLOCK_MONOTONIC, NULL, &id));
	CHECK_OK(settime(id, 0, 1, 0, NULL));
	CHECK_EQ(await(SIGALRM, &info, 10000), SIGALRM);
	CHECK_EQ(info.si_value.sival_int, id);
	CHECK_EQ(info.si_code, SI_TIMER);
}

TEST(absolute_time)
{
	siginfo_t info;
	int id = signal_timer(CLOCK_MONOTONIC, SIGUSR1, 0);
	u64 at;

	block(SIGUSR1);
	at = now_ns(CLOCK_MONOTONIC) + 40 * MS;
	CHECK_OK(settime(id, TIMER_ABSTIME, at, 0, NULL));
	CHECK(left_ns(id) <= 40 * MS);
	CHECK_EQ(await(SIGUSR1, &info, 10000), SIGUSR1);
	CHECK(now_ns(CLOCK_MONOTONIC) >= at);
	/* In the past: at once. */
	CHECK_OK(settime(id, TIMER_ABSTIME, 1, 0, NULL));
	CHECK_EQ(await(SIGUSR1, &info, 10000), SIGUSR1);
}

TEST(missed_periods_are_overruns)
{
	siginfo_t info;
	int id = signal_timer(CLOCK_MONOTONIC, SIGUSR1, 0);
	u64 start, armed, passed;

	block(SIGUSR1);
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_OK(settime(id, 0, 5 * MS, 5 * MS, NULL));
	armed = now_ns(CLOCK_MONOTONIC);
	sleep_ms(60);
	passed = now_ns(CLOCK_MONOTONIC) - armed;
	CHECK_EQ(await(SIGUSR1, &info, 10000), SIGUSR1);
	CHECK(info.si_overrun >= (int)(passed / (5 * MS)) - 1);
	CHECK_EQ(syscall(SYS_timer_getoverrun, id), info.si_overrun);
	/* It goes on in step. */
	CHECK(left_ns(id) <= 5 * MS);
	CHECK_EQ(await(SIGUSR1, &info, 10000), SIGUSR1);
	CHECK_EQ((now_ns(CLOCK_MONOTONIC) >= start + 10 * MS), 1);
	CHECK_OK(settime(id, 0, 0, 0, NULL));
	CHECK_EQ(syscall(SYS_timer_getoverrun, id), 0);
}

TEST(gettime_of_a_pending_periodic_timer_shows_the_next_period)
{
	struct itimerspec it;
	int id = signal_timer(CLOCK_MONOTONIC, SIGUSR1, 0);

	block(SIGUSR1);
	CHECK_OK(settime(id, 0, 10 * MS, 3600000 * MS, NULL));
	sleep_ms(30);
	CHECK_OK(syscall(SYS_timer_gettime, id, &it));
	CHECK_EQ(it.it_interval.tv_sec, 3600);
	CHECK(it.it_value.tv_sec >= 3590 && it.it_value.tv_sec < 3600);
}

TEST(settime_tells_what_was_left)
{
	struct itimerspec old;
	int id = signal_timer(CLOCK_MONOTONIC, SIGUSR1, 0);

	CHECK_OK(settime(id, 0, 1000000 * MS, 7 * MS, &old));
	CHECK(!old.it_value.tv_sec && !old.it_value.tv_nsec && !old.it_interval.tv_nsec);
	CHECK_OK(settime(id, 0, 0, 9 * MS, &old));
	CHECK(old.it_value.tv_sec >= 900 && old.it_value.tv_sec <= 1000);
	CHECK_EQ(old.it_interval.tv_nsec, 7 * MS);
	CHECK_OK(syscall(SYS_timer_gettime, id, &old));
	CHECK(!old.it_value.tv_sec && !old.it_value.tv_nsec && !old.it_interval.tv_nsec);
}

TEST(none_counts_in_silence)
{
	struct event ev = { .notify = SIGEV_NONE };
	siginfo_t info;
	int id;

	block(SIGALRM);
	CHECK_OK(create(CLOCK_MONOTONIC, &ev, &id));
	CHECK_OK(settime(id, 0, 100000 * MS, 0, NULL));
	CHECK(left_ns(id) > 0 && left_ns(id) <= 100000 * MS);
	CHECK_OK(settime(id, 0, 5 * MS, 0, NULL));
	sleep_ms(20);
	CHECK_EQ(left_ns(id), 0);
	CHECK_EQ(await(SIGALRM, &info, 1), 0);
	CHECK_OK(settime(id, 0, 5 * MS, 1000000 * MS, NULL));
	sleep_ms(20);
	CHECK(left_ns(id) > 0 && left_ns(id) <= 1000000 * MS);
}

static int thread_got, main_got;
static pid_t thread_tid;

static void *waiting_thread(void *arg)
{
	siginfo_t info;

	__atomic_store_n(&thread_tid, gettid(), __ATOMIC_SEQ_CST);
	thread_got = await(SIGUSR2, &info, 10000);
	return arg;
}

TEST(thread_id_reaches_that_thread)
{
	struct event ev = { .signo = SIGUSR2, .notify = SIGEV_THREAD_ID };
	siginfo_t info;
	pthread_t thread;
	int id;

	block(SIGUSR2);
	CHECK_EQ(pthread_create(&thread, NULL, waiting_thread, NULL), 0);
	while (!__atomic_load_n(&thread_tid, __ATOMIC_SEQ_CST))
		sched_yield();
	ev.tid = thread_tid;
	CHECK_OK(create(CLOCK_MONOTONIC, &ev, &id));
	CHECK_OK(settime(id, 0, 5 * MS, 0, NULL));
	main_got = await(SIGUSR2, &info, 100);
	pthread_join(thread, NULL);
	CHECK_EQ(main_got, 0);
	CHECK_EQ(thread_got, SIGUSR2);
	/* It is gone: nothing happens, nothing breaks. */
	CHECK_OK(settime(id, 0, 1 * MS, 1 * MS, NULL));
	sleep_ms(20);
	CHECK_EQ(await(SIGUSR2, &info, 1), 0);
	CHECK_OK(syscall(SYS_timer_delete, id));
	ev.tid = 1;
	CHECK_ERR(create(CLOCK_MONOTONIC, &ev, &id), EINVAL);
	ev.tid = 0x3fffffff;
	CHECK_ERR(create(CLOCK_MONOTONIC, &ev, &id), EINVAL);
}

TEST(two_timers_queue_two_signals)
{
	siginfo_t info;
	int a = signal_timer(CLOCK_MONOTONIC, SIGUSR1, 1), b = signal_timer(CLOCK_MONOTONIC, SIGUSR1, 2);
	int seen = 0;

	CHECK(a != b);
	block(SIGUSR1);
	CHECK_OK(settime(a, 0, 1 * MS, 0, NULL));
	CHECK_OK(settime(b, 0, 1 * MS, 0, NULL));
	sleep_ms(20);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(await(SIGUSR1, &info, 10000), SIGUSR1);
		seen |= info.si_value.sival_int;
	}
	CHECK_EQ(seen, 3);
	CHECK_EQ(await(SIGUSR1, &info, 1), 0);
}

TEST(ignored_signal_lets_the_timer_go_on)
{
	siginfo_t info;
	int id = signal_timer(CLOCK_MONOTONIC, SIGUSR1, 0);

	signal(SIGUSR1, SIG_IGN);
	CHECK_OK(settime(id, 0, 1 * MS, 1 * MS, NULL));
	sleep_ms(40);
	CHECK(left_ns(id) > 0);
	block(SIGUSR1);
	signal(SIGUSR1, SIG_DFL);
	CHECK_EQ(await(SIGUSR1, &info, 10000), SIGUSR1);
}

TEST(bad_arguments)
{
	struct event ev = { .signo = SIGUSR1, .notify = SIGEV_SIGNAL };
	struct itimerspec it = { .it_value = { 1, 0 } };
	int id = -1;

	CHECK_ERR(create(99, &ev, &id), EINVAL);
	CHECK_ERR(create(-1, &ev, &id), EINVAL);
	CHECK_ERR(create(CLOCK_MONOTONIC_RAW, &ev, &id), EOPNOTSUPP);
	CHECK_ERR(create(CLOCK_REALTIME_COARSE, &ev, &id), EOPNOTSUPP);
	CHECK_ERR(create(CLOCK_MONOTONIC_COARSE, &ev, &id), EOPNOTSUPP);
	CHECK_ERR(create(CLOCK_MONOTONIC, (void *)8, &id), EFAULT);
	CHECK_ERR(create(CLOCK_MONOTONIC, &ev, (void *)8), EFAULT);
	ev.signo = 0;
	CHECK_ERR(create(CLOCK_MONOTONIC, &ev, &id), EINVAL);
	ev.signo = 65;
	CHECK_ERR(create(CLOCK_MONOTONIC, &ev, &id), EINVAL);
	ev = (struct event){ .signo = SIGUSR1, .notify = 77 };
	CHECK_ERR(create(CLOCK_MONOTONIC, &ev, &id), EINVAL);
	CHECK_ERR(syscall(SYS_timer_settime, 12345, 0, &it, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_timer_gettime, 12345, &it), EINVAL);
	CHECK_ERR(syscall(SYS_timer_getoverrun, 12345), EINVAL);
	CHECK_ERR(syscall(SYS_timer_delete, 12345), EINVAL);
	CHECK_ERR(syscall(SYS_timer_delete, -1), EINVAL);
	id = signal_timer(CLOCK_MONOTONIC, SIGUSR1, 0);
	CHECK_ERR(syscall(SYS_timer_settime, id, 0, NULL, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_timer_settime, id, 0, (void *)8, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_timer_gettime, id, (void *)8), EFAULT);
	it.it_value.tv_nsec = 1000000000;
	CHECK_ERR(syscall(SYS_timer_settime, id, 0, &it, NULL), EINVAL);
	it.it_value = (struct timespec){ -1, 0 };
	CHECK_ERR(syscall(SYS_timer_settime, id, 0, &it, NULL), EINVAL);
	it = (struct itimerspec){ .it_value = { 1, 0 }, .it_interval = { 0, -1 } };
	CHECK_ERR(syscall(SYS_timer_settime, id, 0, &it, NULL), EINVAL);
	CHECK_OK(syscall(SYS_timer_delete, id));
	CHECK_ERR(syscall(SYS_timer_delete, id), EINVAL);
}

TEST(time_far_away)
{
	struct itimerspec it = { .it_value = { INT64_MAX, 999999999 },
				 .it_interval = { INT64_MAX, 999999999 } };
	int id = signal_timer(CLOCK_REALTIME, SIGUSR1, 0);
	siginfo_t info;

	block(SIGUSR1);
	CHECK_OK(syscall(SYS_timer_settime, id, 0, &it, NULL));
	CHECK_OK(syscall(SYS_timer_settime, id, TIMER_ABSTIME, &it, NULL));
	CHECK_EQ(await(SIGUSR1, &info, 10), 0);
	CHECK(left_ns(id) > 1000000000000ull);
	it.it_value = (struct timespec){ 0, 1 };
	CHECK_OK(syscall(SYS_timer_settime, id, 0, &it, NULL));
	CHECK_EQ(await(SIGUSR1, &info, 10000), SIGUSR1);
	CHECK_EQ(await(SIGUSR1, &info, 10), 0);
}

TEST(sigpending_limit_bounds_timers)
{
	struct event ev = { .signo = SIGUSR1, .notify = SIGEV_NONE };
	struct rlimit lim = { 4, 4 };
	int id, made = 0;

	if (!geteuid())
		become(54321, 54321); /* a user of whom nothing else is pending */
	CHECK_OK(setrlimit(RLIMIT_SIGPENDING, &lim));
	while (made < 10 && !create(CLOCK_MONOTONIC, &ev, &id))
		made++;
	CHECK(made <= 4);
	CHECK_ERR(create(CLOCK_MONOTONIC, &ev, &id), EAGAIN);
}

TEST(child_has_no_timers)
{
	siginfo_t info;
	int id = signal_timer(CLOCK_MONOTONIC, SIGUSR1, 0);

	block(SIGUSR1);
	CHECK_OK(settime(id, 0, 20 * MS, 0, NULL));
	IN_CHILD {
		CHECK_ERR(syscall(SYS_timer_gettime, id, &info), EINVAL);
		CHECK_EQ(await(SIGUSR1, &info, 60), 0);
	}
	CHECK_EQ(await(SIGUSR1, &info, 10000), SIGUSR1);
}

HELPER(after_exec)
{
	struct itimerspec it;
	sigset_t pending;

	sleep_ms(30);
	if (syscall(SYS_timer_gettime, atoi(argv[0]), &it) != -1 || errno != EINVAL)
		return 1;
	if (sigpending(&pending))
		return 2;
	if (sigismember(&pending, SIGUSR1))
		return 3;
	return sigismember(&pending, SIGUSR2) ? 0 : 4;
}

TEST(exec_deletes_timers_and_their_signals)
{
	int id = signal_timer(CLOCK_MONOTONIC, SIGUSR1, 0), pending = signal_timer(CLOCK_MONOTONIC, SIGUSR1, 0);
	char text[16];
	pid_t pid;

	(void)pending;
	snprintf(text, sizeof(text), "%d", id);
	pid = test_fork();
	if (pid == 0) {
		block(SIGUSR1);
		block(SIGUSR2);
		id = signal_timer(CLOCK_MONOTONIC, SIGUSR1, 0);
		snprintf(text, sizeof(text), "%d", id);
		CHECK_OK(settime(id, 0, 1, 0, NULL));
		raise(SIGUSR2);
		sleep_ms(5);
		id = signal_timer(CLOCK_MONOTONIC, SIGUSR1, 0);
		CHECK_OK(settime(id, 0, 10 * MS, 0, NULL));
		execl(test_self, test_self, "--helper", "after_exec", text, (char *)NULL);
		_exit(127);
	}
	CHECK_EXITS(pid, 0);
}

TEST(deleted_with_its_signal_pending)
{
	siginfo_t info;
	int id = signal_timer(CLOCK_MONOTONIC, SIGRTMIN + 3, 5);

	block(SIGRTMIN + 3);
	CHECK_OK(settime(id, 0, 1 * MS, 1 * MS, NULL));
	sleep_ms(20);
	CHECK_OK(syscall(SYS_timer_delete, id));
	/* Kernels differ in whether the signal stays; it comes at most once. */
	await(SIGRTMIN + 3, &info, 1);
	CHECK_EQ(await(SIGRTMIN + 3, &info, 30), 0);
}

TEST(process_cpu_timer_counts_work)
{
	siginfo_t info;
	int id = signal_timer(CLOCK_PROCESS_CPUTIME_ID, SIGUSR1, 0);
	u64 start;

	block(SIGUSR1);
	start = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	CHECK_OK(settime(id, 0, 250 * MS, 0, NULL));
	sleep_ms(60);
	CHECK(left_ns(id) > 0);
	while (!await(SIGUSR1, &info, 0)) {
		burn(CLOCK_MONOTONIC, MS);
		CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - start < 4000 * MS);
	}
	CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - start >= 250 * MS);
	CHECK_EQ(info.si_code, SI_TIMER);
	CHECK_EQ(left_ns(id), 0);
}

TEST(thread_cpu_timer_is_periodic)
{
	siginfo_t info;
	int id = signal_timer(CLOCK_THREAD_CPUTIME_ID, SIGUSR1, 0);
	u64 start;

	block(SIGUSR1);
	start = now_ns(CLOCK_THREAD_CPUTIME_ID);
	CHECK_OK(settime(id, 0, 20 * MS, 20 * MS, NULL));
	for (int i = 1; i <= 3; i++) {
		while (!await(SIGUSR1, &info, 0)) {
			burn(CLOCK_MONOTONIC, MS);
			CHECK(now_ns(CLOCK_THREAD_CPUTIME_ID) - start < 8000 * MS);
		}
		CHECK(now_ns(CLOCK_THREAD_CPUTIME_ID) - start >= (u64)(i * 20 * MS));
	}
}

TEST(cpu_timer_of_another_process)
{
	siginfo_t info;
	int id;
	pid_t pid = test_fork();

	if (pid == 0)
		for (;;)
			;
	block(SIGUSR1);
	id = signal_timer((clockid_t)(~(unsigned)pid << 3 | 2), SIGUSR1, 0);
	CHECK_OK(settime(id, 0, 30 * MS, 0, NULL));
	CHECK_EQ(await(SIGUSR1, &info, 15000), SIGUSR1);
	CHECK(now_ns((clockid_t)(~(unsigned)pid << 3 | 2)) >= 30 * MS);
	kill(pid, SIGKILL);
	test_reap(pid);
	CHECK_ERR(settime(id, 0, 30 * MS, 0, NULL), ESRCH);
	CHECK_EQ(left_ns(id), 0);
	CHECK_OK(syscall(SYS_timer_delete, id));
	CHECK_ERR(create((clockid_t)(~(unsigned)pid << 3 | 2), NULL, &id), EINVAL);
}

TEST(cpu_timer_that_is_over_fires_at_once)
{
	siginfo_t info;
	int id = signal_timer(CLOCK_PROCESS_CPUTIME_ID, SIGUSR1, 0);

	block(SIGUSR1);
	CHECK_OK(settime(id, TIMER_ABSTIME, 1, 0, NULL));
	CHECK_EQ(await(SIGUSR1, &info, 5000), SIGUSR1);
}

static volatile sig_atomic_t profs;

static void count(int sig __attribute__((unused)))
{
	profs++;
}

TEST(itimer_prof_and_virtual_follow_work)
{
	struct itimerval it = { { 0, 10000 }, { 0, 10000 } };
	u64 start;

	signal(SIGPROF, count);
	signal(SIGVTALRM, count);
	for (int which = ITIMER_VIRTUAL; which <= ITIMER_PROF; which++) {
		profs = 0;
		start = now_ns(CLOCK_PROCESS_CPUTIME_ID);
		CHECK_OK(setitimer(which, &it, NULL));
		while (profs < 3)
			CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - start < 8000 * MS);
		CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - start >= 25 * MS);
		CHECK_OK(setitimer(which, &(struct itimerval){ 0 }, NULL));
	}
}

TEST(rttime_limit_ends_a_greedy_realtime_thread)
{
	struct sched_param prio = { .sched_priority = 1 };
	struct rlimit lim = { 50000, 150000 };
	pid_t pid;

	if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &prio))
		SKIP("no real-time scheduling allowed");
	CHECK_OK(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &(struct sched_param){ 0 }));
	pid = test_fork();
	if (pid == 0) {
		signal(SIGXCPU, SIG_IGN);
		CHECK_OK(setrlimit(RLIMIT_RTTIME, &lim));
		CHECK_OK(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &prio));
		burn(CLOCK_MONOTONIC, 15000 * MS);
		_exit(0);
	}
	CHECK_KILLED(pid, SIGKILL);
}

TEST(alarm_clocks)
{
	struct timespec ts;
	siginfo_t info;
	int id;

	if (clock_gettime(CLOCK_BOOTTIME_ALARM, &ts))
		SKIP("no clock that could wake this machine");
	block(SIGUSR1);
	id = signal_timer(CLOCK_BOOTTIME_ALARM, SIGUSR1, 0);
	CHECK_OK(settime(id, 0, 10 * MS, 0, NULL));
	CHECK_EQ(await(SIGUSR1, &info, 10000), SIGUSR1);
	if (geteuid())
		return;
	IN_CHILD {
		become(1000, 1000);
		CHECK_ERR(create(CLOCK_REALTIME_ALARM, NULL, &id), EPERM);
		CHECK_ERR(syscall(SYS_timerfd_create, CLOCK_REALTIME_ALARM, 0), EPERM);
	}
}

TEST_LIMIT(many_timers, 60)
{
	enum { NR = 2000 };
	static int ids[NR];
	struct event ev = { .notify = SIGEV_SIGNAL, .signo = SIGUSR1 };
	int made = 0;

	block(SIGUSR1);
	while (made < NR && !create(CLOCK_MONOTONIC, &ev, &ids[made]))
		made++;
	CHECK(made > 100);
	for (int i = 0; i < made; i++)
		CHECK_OK(settime(ids[i], 0, (i % 50 + 1) * MS, i % 2 * MS, NULL));
	sleep_ms(20);
	for (int i = 0; i < made; i++)
		CHECK_OK(syscall(SYS_timer_delete, ids[i]));
	CHECK_ERR(syscall(SYS_timer_delete, ids[0]), EINVAL);
}
