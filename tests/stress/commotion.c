/*
 * Workers that do to themselves and to each other whatever threads, processes, signals, stops, pipes and
 * mappings allow, on as many CPUs as there are. The claim: everybody gets on, all end when they are told
 * to, and nothing is left behind. Meant for more CPUs than `make test` has: tests/run -c 4.
 */
#include "exhaust.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/time.h>

enum { WORKERS = 8, STUCK_S = 60 };

static struct worker {
	volatile pid_t pid;
	volatile u32 done, op; /* operations completed, and the one it is at */
	char pad[52];
} *workers;

static volatile bool *stop;
static u32 *word; /* that threads of all workers wait for */

static u32 next(u32 *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void on_signal(int sig)
{
	(void)sig;
}

static void *play_in_a_thread(void *arg)
{
	u32 seed = (u32)(uintptr_t)arg;

	for (int i = 0; i < 20; i++) {
		size_t len = (1 + next(&seed) % 8) * 4096;
		char *m = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		struct timespec t = { 0, next(&seed) % 200000 };

		if (m != MAP_FAILED) {
			m[next(&seed) % len] = 1;
			mprotect(m, len, PROT_READ);
			munmap(m, len);
		}
		if (next(&seed) % 2)
			syscall(SYS_futex, word, FUTEX_WAIT, __atomic_load_n(word, __ATOMIC_RELAXED), &t);
		else
			__atomic_fetch_add(word, 1, __ATOMIC_RELAXED);
		syscall(SYS_futex, word, FUTEX_WAKE, 2);
	}
	return NULL;
}

static void threads(u32 *seed)
{
	pthread_t t[3];
	int n = 0;

	while (n < 3 && pthread_create(&t[n], NULL, play_in_a_thread, (void *)(uintptr_t)next(seed)) == 0)
		n++;
	while (n)
		pthread_join(t[--n], NULL);
}

static pid_t reap(pid_t pid, int *status, int options)
{
	pid_t got;

	do
		got = waitpid(pid, status, options);
	while (got < 0 && errno == EINTR);
	return got;
}

/* A child that stops itself or is stopped, goes on, and is killed or ends. */
static void stopped_child(u32 *seed)
{
	bool self = next(seed) % 2, kill_stopped = next(seed) % 4 == 0;
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return;
	if (pid == 0) {
		if (self)
			raise(SIGSTOP);
		for (;;)
			sched_yield();
	}
	if (!self)
		kill(pid, SIGSTOP);
	if (reap(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		FAIL("a stopped child: status %#x", status);
	if (!kill_stopped) {
		kill(pid, SIGCONT);
		if (reap(pid, &status, WCONTINUED) != pid || !WIFCONTINUED(status))
			FAIL("a continued child: status %#x", status);
	}
	kill(pid, SIGKILL);
	if (reap(pid, &status, 0) != pid || status != SIGKILL)
		FAIL("a killed child: status %#x", status);
}

/* Bytes to and fro; now and then the other side is killed in the middle. */
static void pipes(u32 *seed)
{
	int to[2], fro[2], rounds = next(seed) % 30;
	bool murder = next(seed) % 4 == 0;
	char c = 0;
	pid_t pid;

	if (pipe(to))
		return;
	if (pipe(fro)) {
		close(to[0]), close(to[1]);
		return;
	}
	pid = fork();
	if (pid == 0) {
		close(to[1]), close(fro[0]);
		while (read(to[0], &c, 1) == 1 || errno == EINTR)
			while (write(fro[1], &c, 1) < 0 && errno == EINTR)
				;
		_exit(0);
	}
	close(to[0]), close(fro[1]);
	for (int i = 0; i < rounds && pid > 0; i++) {
		while (write(to[1], &c, 1) < 0 && errno == EINTR)
			;
		if (murder && i == rounds / 2)
			kill(pid, SIGKILL);
		while (read(fro[0], &c, 1) < 0 && errno == EINTR)
			;
	}
	close(to[1]), close(fro[0]);
	if (pid > 0) {
		if (murder)
			kill(pid, SIGKILL);
		reap(pid, NULL, 0);
	}
}

static void mappings(u32 *seed)
{
	size_t pages = 4 + next(seed) % 60;
	char *m = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	if (m == MAP_FAILED)
		return;
	for (size_t i = 0; i < pages; i += 1 + next(seed) % 3)
		m[i * 4096] = 1;
	pid = fork();
	if (pid == 0) {
		for (size_t i = 0; i < pages; i++)
			m[i * 4096]++;
		_exit(0);
	}
	madvise(m + 4096, 4096, MADV_DONTNEED);
	mprotect(m, 4096, PROT_READ);
	munmap(m + 2 * 4096, 4096);
	if (pid > 0)
		reap(pid, NULL, 0);
	munmap(m, pages * 4096);
}

static void execute(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execl("/bin/busybox", "true", NULL);
		_exit(1);
	}
	if (pid > 0)
		reap(pid, NULL, 0);
}

static void place(u32 *seed)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(next(seed) % 4, &set);
	CPU_SET(next(seed) % 4, &set);
	sched_setaffinity(0, sizeof(set), &set);
	setpriority(PRIO_PROCESS, 0, (int)(next(seed) % 10));
	sched_yield();
}

static void alarms(u32 *seed)
{
	struct itimerval it = { { 0, 0 }, { 0, 1 + next(seed) % 900 } };
	struct timespec t = { 0, next(seed) % 1000000 };

	setitimer(ITIMER_REAL, &it, NULL);
	nanosleep(&t, NULL);
}

static void stop_and_go(pid_t other)
{
	if (!other) /* not there yet, or no more */
		return;
	kill(other, SIGSTOP);
	kill(other, SIGCONT);
}

static void work(struct worker *me)
{
	u32 seed = (u32)(me - workers + 1) * 7919;
	pid_t other;

	while (!*stop) {
		me->op = next(&seed) % 9;
		other = workers[next(&seed) % WORKERS].pid;
		switch (me->op) {
		case 0: threads(&seed); break;
		case 1: stopped_child(&seed); break;
		case 2: pipes(&seed); break;
		case 3: mappings(&seed); break;
		case 4: execute(); break;
		case 5: place(&seed); break;
		case 6: alarms(&seed); break;
		case 7: stop_and_go(other); break;
		case 8: other ? kill(other, SIGUSR1) : 0; break;
		}
		me->done++;
	}
	_exit(0);
}

/* Two workers may stop each other for good: somebody from outside lets all go on. */
static void let_go_on(void)
{
	for (int i = 0; i < WORKERS; i++)
		if (workers[i].pid)
			kill(workers[i].pid, SIGCONT);
}

static void watch(int seconds)
{
	u32 seen[WORKERS] = { 0 };
	u64 since[WORKERS], start = now_ns(CLOCK_MONOTONIC), now = start;

	for (int i = 0; i < WORKERS; i++)
		since[i] = start;
	while (now < start + (u64)seconds * 1000000000) {
		sleep_ms(20);
		let_go_on();
		now = now_ns(CLOCK_MONOTONIC);
		for (int i = 0; i < WORKERS; i++) {
			if (workers[i].done != seen[i]) {
				seen[i] = workers[i].done;
				since[i] = now;
			}
			if (now > since[i] + STUCK_S * 1000000000ull)
				FAIL("worker %d hangs in operation %u after %u", i, workers[i].op, seen[i]);
		}
	}
}

static void end_all(void)
{
	*stop = true;
	for (int i = 0, waited = 0; i < WORKERS;) {
		int status;

		let_go_on();
		if (waitpid(workers[i].pid, &status, WNOHANG) == 0) {
			if (waited++ > STUCK_S * 100)
				FAIL("worker %d does not end: operation %u", i, workers[i].op);
			sleep_ms(10);
			continue;
		}
		CHECK_EQ(status, 0);
		workers[i++].pid = 0;
	}
}

TEST_LIMIT(everybody_gets_on_and_ends, 3600)
{
	long before;

	VM_ONLY;
	before = settle();
	signal(SIGUSR1, on_signal);
	signal(SIGALRM, on_signal);
	signal(SIGPIPE, SIG_IGN);
	workers = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(workers != MAP_FAILED);
	stop = (volatile bool *)workers + 4096;
	word = (u32 *)((char *)workers + 4096 + 64);
	for (int i = 0; i < WORKERS; i++) {
		pid_t pid = test_fork();

		if (pid == 0) {
			workers[i].pid = getpid();
			work(&workers[i]);
		}
		workers[i].pid = pid;
	}
	watch(SCALE(3, 120));
	end_all();
	munmap(workers, 8192);
	check_recovered(before);
}
