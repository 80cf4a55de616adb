/*
 * How long a real-time thread waits for the CPU while another process is inside a long system call:
 * preempt [-n SAMPLES] [NAME…]. A SCHED_FIFO thread sleeps until absolute times that do not keep step
 * with anything; the delay of each return is counted. Run with `gatehouse run --icount` a nanosecond
 * is an instruction, and the delay covers timer interrupt, switch and the way back to user mode.
 *
 * One line for each load: NAME SAMPLES LEAST MEDIAN P99 MOST, then the histogram by powers of two.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1l << 20)
#define PAGE 4096l

static void check(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "preempt: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static char *touched(long size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED, "mmap");
	madvise(p, size, MADV_NOHUGEPAGE);
	for (long i = 0; i < size; i += PAGE)
		p[i] = 1;
	return p;
}

/* The loads: each runs in a process of its own until it is killed. */

static void spin(void)
{
	for (;;)
		;
}

static void read_zero(void)
{
	int fd = open("/dev/zero", O_RDONLY);
	char *p = mmap(NULL, 1024 * MIB, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	check(p != MAP_FAILED, "mmap");
	/* A gigabyte in one call, onto 4 MiB of memory again and again. */
	int mem = (int)syscall(SYS_memfd_create, "m", 0);
	if (mem >= 0 && !ftruncate(mem, 4 * MIB))
		for (long i = 0; i < 1024 * MIB; i += 4 * MIB)
			check(mmap(p + i, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, mem,
				   0) != MAP_FAILED, "mmap");
	for (;;)
		check(read(fd, p, 1024 * MIB) > 0, "read");
}

static void unmap(void)
{
	for (;;)
		munmap(touched(96 * MIB), 96 * MIB);
}

static void fork_large(void)
{
	touched(96 * MIB);
	for (;;) {
		pid_t pid = fork();

		check(pid >= 0, "fork");
		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

/* The exit alone: the child has the memory to itself. */
static void exit_large(void)
{
	for (;;) {
		pid_t pid = fork();

		check(pid >= 0, "fork");
		if (pid == 0) {
			touched(96 * MIB);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

static void deep_path(void)
{
	char path[4096] = ".";
	size_t len = 1;
	struct stat st;

	check(!chdir("/tmp"), "chdir");
	for (int i = 0; len + 3 < sizeof(path); i++) {
		if (mkdir("d", 0755) && errno != EEXIST)
			check(false, "mkdir");
		check(!chdir("d"), "chdir");
		memcpy(path + len, "/d", 3);
		len += 2;
	}
	check(!chdir("/tmp"), "chdir");
	for (;;)
		check(!stat(path, &st), "stat");
}

static void large_directory(void)
{
	static char buf[1 << 20];
	char name[32];
	int dir;

	mkdir("/tmp/large", 0755);
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "/tmp/large/%d", i);
		int fd = open(name, O_CREAT | O_WRONLY, 0644);
		check(fd >= 0, name);
		close(fd);
	}
	dir = open("/tmp/large", O_RDONLY | O_DIRECTORY);
	for (;;) {
		while (syscall(SYS_getdents64, dir, buf, sizeof(buf)) > 0)
			;
		lseek(dir, 0, SEEK_SET);
	}
}

static void truncate_large(void)
{
	int fd = open("/tmp/truncated", O_CREAT | O_RDWR, 0644);
	char *p = touched(MIB);

	for (;;) {
		lseek(fd, 0, SEEK_SET);
		for (int i = 0; i < 64; i++)
			check(write(fd, p, MIB) == MIB, "write");
		check(!ftruncate(fd, 0), "ftruncate");
	}
}

static void protect(void)
{
	char *p = touched(96 * MIB);

	for (;;) {
		mprotect(p, 96 * MIB, PROT_READ);
		mprotect(p, 96 * MIB, PROT_READ | PROT_WRITE);
	}
}

static void move_memory(void)
{
	char *p = touched(96 * MIB), *to = mmap(NULL, 96 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (;;) {
		char *was = p;

		p = mremap(p, 96 * MIB, 96 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED, to);
		check(p != MAP_FAILED, "mremap");
		to = was;
	}
}

/* Signals to a large group, and its end. */
static void many_children(void)
{
	signal(SIGUSR1, SIG_IGN);
	for (;;) {
		pid_t group = 0;

		for (int i = 0; i < 300; i++) {
			pid_t pid = fork();

			check(pid >= 0, "fork");
			if (pid == 0) {
				pause();
				_exit(0);
			}
			group = group ? group : pid;
			setpgid(pid, group);
		}
		for (int i = 0; i < 20; i++)
			kill(-group, SIGUSR1);
		kill(-group, SIGKILL);
		while (waitpid(-1, NULL, 0) > 0)
			;
	}
}

static const struct load {
	const char *name;
	void (*run)(void);
} loads[] = {
	{ "user-mode", spin },
	{ "read-1-GiB-of-zero", read_zero },
	{ "munmap-96-MiB", unmap },
	{ "fork-96-MiB", fork_large },
	{ "exit-96-MiB", exit_large },
	{ "deep-path", deep_path },
	{ "large-directory", large_directory },
	{ "truncate-64-MiB", truncate_large },
	{ "mprotect-96-MiB", protect },
	{ "mremap-96-MiB", move_memory },
	{ "300-children", many_children },
};

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void report(const char *name, uint64_t *delay, int n)
{
	int bucket[64] = { 0 };

	qsort(delay, n, sizeof(*delay), by_size);
	printf("%s %d %llu %llu %llu %llu\n", name, n, (unsigned long long)delay[0],
	       (unsigned long long)delay[n / 2], (unsigned long long)delay[n * 99l / 100],
	       (unsigned long long)delay[n - 1]);
	for (int i = 0; i < n; i++)
		bucket[63 - __builtin_clzll(delay[i] | 1)]++;
	for (int i = 0; i < 64; i++)
		if (bucket[i])
			printf("  <%llu %d\n", 2ull << i, bucket[i]);
	fflush(stdout);
}

static void measure(const struct load *l, int n)
{
	uint64_t *delay = calloc(n, sizeof(*delay)), at, warm;
	pid_t pid = fork();

	check(delay && pid >= 0, "fork");
	if (pid == 0) {
		struct sched_param none = { 0 };

		setpgid(0, 0);
		syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &none);
		l->run();
		_exit(1);
	}
	setpgid(pid, pid);
	warm = now_ns() + 400000000; /* the load sets itself up */
	at = warm;
	for (int i = 0; i < n; i++) {
		struct timespec ts = { at / 1000000000, at % 1000000000 };

		syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
		delay[i] = now_ns() - at;
		at = now_ns() + 300000 + (uint64_t)i * 7919 % 400000;
	}
	check(!waitpid(pid, NULL, WNOHANG), "the load has ended");
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
	report(l->name, delay, n);
	free(delay);
}

int main(int argc, char **argv)
{
	struct sched_param fifo = { .sched_priority = 50 };
	int n = 3000, first = 1;

	if (argc > 2 && !strcmp(argv[1], "-n")) {
		n = atoi(argv[2]);
		first = 3;
	}
	mlockall(MCL_CURRENT);
	check(!syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &fifo), "sched_setscheduler");
	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		bool wanted = argc <= first;

		for (int k = first; k < argc; k++)
			wanted |= !strcmp(argv[k], loads[i].name);
		if (wanted)
			measure(&loads[i], n);
	}
	return 0;
}
