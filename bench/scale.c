/*
 * Does the cost of an operation depend on how much of everything there is? scale [NAME…] measures
 * each operation among few neighbours and among many, and prints "OPERATION FEW MANY" in nanoseconds;
 * with `gatehouse run --icount` these are instructions. Each set-up runs in a process of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096l
#define MAX_OPS 8

static void check(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "scale: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static uint32_t seed = 1;

static uint32_t pick(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(seed >> 4) * n >> 28);
}

static long nr;          /* how many there are */
static pid_t *pids;
static char *areas;
static int turn;

/* ---- Processes ---- */

static void make_processes(void)
{
	pids = calloc(nr, sizeof(*pids));
	check(pids, "calloc");
	for (long i = 0; i < nr; i++) {
		pids[i] = fork();
		check(pids[i] >= 0, "fork");
		if (pids[i] == 0)
			for (;;)
				pause();
	}
}

static void end_processes(void)
{
	for (long i = 0; i < nr; i++)
		kill(pids[i], SIGKILL);
	for (long i = 0; i < nr; i++)
		waitpid(pids[i], NULL, 0);
}

static void fork_wait(void)
{
	pid_t pid = fork();

	check(pid >= 0, "fork");
	if (pid == 0)
		_exit(0);
	check(waitpid(pid, NULL, 0) == pid, "waitpid");
}

static void kill_0(void)
{
	check(!kill(pids[pick(nr)], 0), "kill");
}

static void stop_continue(void)
{
	pid_t pid = pids[pick(nr)];

	check(!kill(pid, SIGSTOP) && waitpid(pid, NULL, WUNTRACED) == pid, "stop");
	check(!kill(pid, SIGCONT) && waitpid(pid, NULL, WCONTINUED) == pid, "continue");
}

static void proc_stat(void)
{
	char path[64], buf[1024];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pids[pick(nr)]);
	fd = open(path, O_RDONLY);
	check(fd >= 0 && read(fd, buf, sizeof(buf)) > 0, path);
	close(fd);
}

/* ---- Threads ---- */

static int *words;

static void *blocked_thread(void *arg)
{
	int *word = arg;

	while (!__atomic_load_n(word, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, NULL);
	return NULL;
}

static void make_threads(void)
{
	pthread_attr_t attr;

	words = mmap(NULL, nr * sizeof(*words), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(words != MAP_FAILED, "mmap");
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384);
	pthread_attr_setguardsize(&attr, 0);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (long i = 0; i < nr; i++) {
		pthread_t t;

		errno = pthread_create(&t, &attr, blocked_thread, &words[i]);
		check(!errno, "pthread_create");
	}
	/* They run in turn on the one CPU: after a while all of them sleep. */
	usleep(1000000);
}

static void end_threads(void)
{
	_exit(0);
}

static void *partner(void *arg)
{
	for (long n = *(long *)arg; n; n--) {
		while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != 1)
			syscall(SYS_futex, &turn, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, NULL);
		__atomic_store_n(&turn, 0, __ATOMIC_RELEASE);
		syscall(SYS_futex, &turn, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
	}
	return NULL;
}

static void futex_round_trips(void)
{
	long left = 200;
	pthread_t t;

	check(!pthread_create(&t, NULL, partner, &left), "pthread_create");
	for (long i = 0; i < 200; i++) {
		while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != 0)
			syscall(SYS_futex, &turn, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 1, NULL);
		__atomic_store_n(&turn, 1, __ATOMIC_RELEASE);
		syscall(SYS_futex, &turn, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
	}
	pthread_join(t, NULL);
}

static void futex_spurious_wake(void)
{
	int *word = &words[pick(nr)];

	check(syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1) >= 0, "futex");
	sched_yield();
}

static void *nothing(void *arg)
{
	return arg;
}

static void thread_create_join(void)
{
	pthread_t t;

	check(!pthread_create(&t, NULL, nothing, NULL), "pthread_create");
	pthread_join(t, NULL);
}

/* ---- Files ---- */

static void file_name(char *buf, long i)
{
	snprintf(buf, 64, "/tmp/scale/f%ld", i);
}

static void make_files(void)
{
	char name[64];

	mkdir("/tmp/scale", 0755);
	for (long i = 0; i < nr; i++) {
		int fd;

		file_name(name, i);
		fd = open(name, O_CREAT | O_WRONLY, 0644);
		check(fd >= 0, name);
		close(fd);
	}
}

static void end_files(void)
{
	char name[64];

	for (long i = 0; i < nr; i++) {
		file_name(name, i);
		unlink(name);
	}
	rmdir("/tmp/scale");
}

static void stat_file(void)
{
	struct stat st;
	char name[64];

	file_name(name, pick(nr));
	check(!stat(name, &st), name);
}

static void open_close_file(void)
{
	char name[64];
	int fd;

	file_name(name, pick(nr));
	fd = open(name, O_RDONLY);
	check(fd >= 0, name);
	close(fd);
}

static void create_unlink(void)
{
	int fd = open("/tmp/scale/new", O_CREAT | O_EXCL | O_WRONLY, 0644);

	check(fd >= 0, "create");
	close(fd);
	check(!unlink("/tmp/scale/new"), "unlink");
}

static void missing_file(void)
{
	struct stat st;

	check(stat("/tmp/scale/missing", &st) && errno == ENOENT, "stat");
}

static void rename_file(void)
{
	char name[64];

	file_name(name, pick(nr));
	check(!rename(name, "/tmp/scale/other") && !rename("/tmp/scale/other", name), "rename");
}

/* ---- Descriptors in an epoll, none of them ready but the one that was written to ---- */

static int epoll_fd, *fds_watched;

static void make_descriptors(void)
{
	struct rlimit lim = { 300000, 300000 };

	check(!setrlimit(RLIMIT_NOFILE, &lim), "setrlimit");
	epoll_fd = epoll_create1(0);
	fds_watched = calloc(nr, sizeof(*fds_watched));
	check(epoll_fd >= 0 && fds_watched, "epoll_create1");
	for (long i = 0; i < nr; i++) {
		struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u64 = i };

		fds_watched[i] = eventfd(0, EFD_NONBLOCK);
		check(fds_watched[i] >= 0, "eventfd");
		check(!epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fds_watched[i], &ev), "epoll_ctl");
	}
}

static void end_descriptors(void)
{
	for (long i = 0; i < nr; i++)
		close(fds_watched[i]);
	close(epoll_fd);
}

static void ready_and_wait(void)
{
	uint64_t one = 1;
	struct epoll_event ev;
	uint32_t i = pick(nr);

	check(write(fds_watched[i], &one, 8) == 8, "write");
	check(epoll_wait(epoll_fd, &ev, 1, -1) == 1 && ev.data.u64 == i, "epoll_wait");
	check(read(fds_watched[i], &one, 8) == 8, "read");
}

static void remove_and_add(void)
{
	uint32_t i = pick(nr);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u64 = i };

	check(!epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fds_watched[i], NULL) &&
	      !epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fds_watched[i], &ev), "epoll_ctl");
}

static void open_close_descriptor(void)
{
	int fd = eventfd(0, 0);

	check(fd >= 0 && !close(fd), "eventfd");
}

/* ---- Areas: every other page differs from its neighbours ---- */

static void make_areas(void)
{
	nr /= 2;
	areas = mmap(NULL, 2 * nr * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	check(areas != MAP_FAILED, "mmap");
	for (long i = 0; i < nr; i++)
		check(!mprotect(areas + 2 * i * PAGE, PAGE, PROT_READ), "mprotect");
}

static void end_areas(void)
{
	munmap(areas, 2 * nr * PAGE);
}

static void mmap_munmap(void)
{
	char *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED && !munmap(p, PAGE), "mmap");
}

static void touch(void)
{
	char *p = areas + (2 * pick(nr) + 1) * PAGE;

	*p = 1;
	madvise(p, PAGE, MADV_DONTNEED);
}

static void split_and_join(void)
{
	char *p = areas + 2 * pick(nr) * PAGE;

	check(!mprotect(p, PAGE, PROT_READ | PROT_WRITE) && !mprotect(p, PAGE, PROT_READ), "mprotect");
}

static const struct set {
	const char *name;
	long few, many;
	void (*make)(void), (*end)(void);
	struct { const char *name; void (*run)(void); int times, each; } op[MAX_OPS];
} sets[] = {
	{ "10000-processes", 10, 10000, make_processes, end_processes,
	  { { "fork-exit-wait", fork_wait, 20, 1 }, { "kill-0", kill_0, 500, 1 },
	    { "stop-continue", stop_continue, 100, 1 }, { "read-proc-stat", proc_stat, 50, 1 } } },
	{ "20000-threads", 20, 20000, make_threads, end_threads,
	  { { "futex-round-trip", futex_round_trips, 3, 200 },
	    { "futex-spurious-wake", futex_spurious_wake, 500, 1 },
	    { "thread-create-join", thread_create_join, 50, 1 } } },
	{ "500000-files", 500, 500000, make_files, end_files,
	  { { "stat", stat_file, 1000, 1 }, { "stat-missing", missing_file, 500, 1 },
	    { "open-close", open_close_file, 500, 1 }, { "create-unlink", create_unlink, 200, 1 },
	    { "rename-twice", rename_file, 200, 1 } } },
	{ "100000-descriptors", 100, 100000, make_descriptors, end_descriptors,
	  { { "ready-and-wait", ready_and_wait, 500, 1 }, { "remove-and-add", remove_and_add, 500, 1 },
	    { "open-close", open_close_descriptor, 500, 1 } } },
	{ "60000-areas", 60, 60000, make_areas, end_areas,
	  { { "mmap-munmap", mmap_munmap, 500, 1 }, { "fault-and-drop", touch, 500, 1 },
	    { "split-and-join", split_and_join, 500, 1 } } },
};

/* Runs in a child; one figure per operation through the pipe. */
static void run_set(const struct set *s, long n, int out)
{
	struct rlimit lim = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_NPROC, &lim);
	setrlimit(RLIMIT_SIGPENDING, &lim);
	nr = n;
	s->make();
	for (int i = 0; i < MAX_OPS && s->op[i].run; i++) {
		double best = 1e18;

		for (int k = 0; k < s->op[i].times / 10 + 1; k++)
			s->op[i].run(); /* warm */
		for (int round = 0; round < 3; round++) {
			uint64_t start = now_ns();
			double each;

			for (int k = 0; k < s->op[i].times; k++)
				s->op[i].run();
			each = (double)(now_ns() - start) / s->op[i].times / s->op[i].each;
			best = each < best ? each : best;
		}
		check(write(out, &best, sizeof(best)) == sizeof(best), "write");
	}
	s->end();
	_exit(0);
}

static void measure(const struct set *s, long n, double *cost)
{
	int fds[2];
	pid_t pid;

	check(!pipe(fds), "pipe");
	pid = fork();
	check(pid >= 0, "fork");
	if (pid == 0) {
		close(fds[0]);
		run_set(s, n, fds[1]);
	}
	close(fds[1]);
	for (int i = 0; i < MAX_OPS && s->op[i].run; i++)
		check(read(fds[0], &cost[i], sizeof(cost[i])) == sizeof(cost[i]), s->name);
	close(fds[0]);
	waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		const struct set *s = &sets[i];
		double few[MAX_OPS], many[MAX_OPS];
		bool wanted = argc < 2;

		for (int k = 1; k < argc; k++)
			wanted |= !strcmp(argv[k], s->name);
		if (!wanted)
			continue;
		measure(s, s->few, few);
		measure(s, s->many, many);
		for (int k = 0; k < MAX_OPS && s->op[k].run; k++)
			printf("%s/%s %.0f %.0f\n", s->name, s->op[k].name, few[k], many[k]);
		fflush(stdout);
	}
	return 0;
}
