/*
 * sysfuzz [-a] [-s SECONDS] [-r SEED] [-c CORPUS] [-k FILE] [-x] [-p PROGRAM [-m MASK]]: drives the kernel with
 * typed, hostile system calls.
 *
 * Each program (program.h) runs as an unprivileged user in a process and a directory of its own for a fraction
 * of a second; then everything of that user is killed. Programs are random, or changed ones of the corpus: a
 * file of programs, one per line. On a kernel that tells its coverage (/dev/coverage, the cover flavour) those
 * that reach new code join the corpus of the run, and are appended to FILE. -x runs the corpus once and keeps,
 * in FILE, what is still needed to reach all that it reaches.
 *
 * What counts as a failure here: a process that cannot be killed, or memory that does not come back. What
 * the kernel itself notices (assertions, sanitizers) ends the machine; the kernel log then says
 * which program ran last, and -p PROGRAM runs that one again and again. -m MASK leaves out the calls whose
 * bits are clear, for finding those that matter. -a: programs have nearly all capabilities, and mount
 * and damage a disk (jail.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arguments.h"
#include "jail.h"
#include "program.h"

/* CACHES_MIB: what stacks, slabs and the quarantine of a sanitizer may keep. */
enum { PROGRAM_MS = 150, UNKILLABLE_MS = 20000, CORPUS_MAX = 8192, CACHES_MIB = 8 };

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

static void nap_ms(int ms)
{
	nanosleep(&(struct timespec){ 0, ms * 1000000L }, NULL);
}

/* Everything that runs as the programs' user. */
static void kill_user(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (setresuid(USER, USER, USER) == 0)
			kill(-1, SIGKILL);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, __WALL);
}

/* False: somebody does not go. Orphans are ours, too. */
static bool reap_all(void)
{
	u64 end = now_ms() + UNKILLABLE_MS;

	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG | __WALL);

		if (pid < 0 && errno == ECHILD)
			return true;
		if (pid > 0)
			continue;
		if (now_ms() > end)
			return false;
		kill_user();
		nap_ms(1);
	}
}

/* As a shell would, for trees of any shape that a program may have made. */
static void remove_directory(const char *dir)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", dir, NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

/* What a table of /proc/sysvipc lists: key and number begin each line. */
static void remove_listed(const char *table, void (*remove)(int id))
{
	char line[256];
	FILE *f = fopen(table, "r");
	int id;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*d %d", &id) == 1)
			remove(id);
	if (f)
		fclose(f);
}

static void remove_shm(int id)
{
	syscall(SYS_shmctl, id, 0, 0);
}

static void remove_sem(int id)
{
	syscall(SYS_semctl, id, 0, 0, 0);
}

static void remove_msg(int id)
{
	syscall(SYS_msgctl, id, 0, 0);
}

static void remove_ipc(void)
{
	remove_listed("/proc/sysvipc/shm", remove_shm);
	remove_listed("/proc/sysvipc/sem", remove_sem);
	remove_listed("/proc/sysvipc/msg", remove_msg);
	unlink("/dev/shm/sysfuzz");
}

/* The last program before an end of the machine stands in the kernel's log, in lines of what fits. */
static void tell_kernel_log(const char *program)
{
	static int fd = -2;

	if (fd == -2)
		fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		for (size_t at = 0; at < strlen(program); at += 700)
			dprintf(fd, "sysfuzz: %s%.700s\n", at ? "+" : "program ", program + at);
}

/* False: it leaves a process that cannot be killed. */
static bool run_program(const struct program *p)
{
	char dir[64], text[TEXT_MAX];
	pid_t pid;
	u64 end;
	bool gone;

	snprintf(dir, sizeof(dir), "/tmp/sysfuzz.%d", getpid());
	mkdir(dir, 0755);
	if (chown(dir, USER, USER) || (privileged && !jail_make(dir)) || chdir(dir))
		return false;
	program_print(p, text);
	tell_kernel_log(text);
	pid = fork();
	if (pid == 0)
		program_run(p, dir);
	end = now_ms() + PROGRAM_MS;
	while (now_ms() < end && waitpid(pid, NULL, WNOHANG) == 0)
		nap_ms(2);
	kill_user();
	gone = reap_all();
	if (chdir("/") == 0) {
		if (privileged)
			jail_remove();
		remove_directory(dir);
	}
	remove_ipc();
	return gone;
}

/* Megabytes that programs could have. */
static long free_mib(void)
{
	char line[128];
	long kib = -1;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib / 1024;
}

/* ---- The corpus ---- */

static struct program *corpus;
static int nr_corpus;
static FILE *keep_file;

static void corpus_add(const struct program *p)
{
	if (nr_corpus < CORPUS_MAX)
		corpus[nr_corpus++] = *p;
}

static bool corpus_load(const char *path)
{
	char line[TEXT_MAX];
	FILE *f = fopen(path, "r");
	struct program p;

	while (f && fgets(line, sizeof(line), f))
		if (line[0] != '#' && program_parse(&p, line))
			corpus_add(&p);
	if (f)
		fclose(f);
	return f;
}

static void keep(const struct program *p)
{
	char text[TEXT_MAX];

	if (!keep_file)
		return;
	program_print(p, text);
	fprintf(keep_file, "%s\n", text);
	fflush(keep_file);
}

/* Basic blocks of the kernel that have run; 0 where it does not tell. */
static u64 coverage(void)
{
	static int fd = -2;
	u64 n = 0;

	if (fd == -2)
		fd = open("/dev/coverage", O_RDONLY | O_CLOEXEC);
	return fd >= 0 && pread(fd, &n, sizeof(n), 0) == sizeof(n) ? n : 0;
}

static void next_program(struct program *p, u64 *s)
{
	if (nr_corpus && rnd(s, 4)) {
		/* What was found last leads on most often. */
		u32 recent = (u32)nr_corpus < 64 ? (u32)nr_corpus : 64;

		*p = corpus[rnd(s, 2) ? (u32)nr_corpus - 1 - rnd(s, recent) : rnd(s, (u32)nr_corpus)];
		program_mutate(p, &corpus[rnd(s, (u32)nr_corpus)], s);
	} else {
		program_random(p, s);
	}
}

/* ---- The runs ---- */

static bool run_and_judge(const struct program *p)
{
	char text[TEXT_MAX];

	if (run_program(p))
		return true;
	program_print(p, text);
	printf("FAIL sysfuzz: a process that cannot be killed is left by: %s\n", text);
	return false;
}

/* Each program of the corpus once; those that reached something new are kept. */
static bool run_corpus(void)
{
	int kept = 0;

	for (int i = 0; i < nr_corpus; i++) {
		u64 before = coverage();

		if (!run_and_judge(&corpus[i]))
			return false;
		if (coverage() > before) {
			keep(&corpus[i]);
			kept++;
		}
	}
	printf("sysfuzz: %d of %d programs add to the coverage, %llu blocks\n", kept, nr_corpus,
	       (unsigned long long)coverage());
	return true;
}

static bool run_random(u64 seconds, u64 seed)
{
	u64 end = now_ms() + seconds * 1000, tell = now_ms() + 60000, programs = 0, found = 0;

	for (; now_ms() < end; programs++) {
		u64 before = coverage();
		struct program p;

		next_program(&p, &seed);
		if (!run_and_judge(&p))
			return false;
		if (coverage() > before) {
			found++;
			corpus_add(&p);
			keep(&p);
		}
		if (now_ms() > tell) {
			printf("sysfuzz: %llu programs, %llu blocks, %llu found\n", (unsigned long long)programs,
			       (unsigned long long)coverage(), (unsigned long long)found);
			tell += 60000;
		}
	}
	printf("sysfuzz: %llu programs, %llu of them joined the corpus, %llu blocks reached\n",
	       (unsigned long long)programs, (unsigned long long)found, (unsigned long long)coverage());
	return true;
}

static bool run_one(const struct program *p, u64 seconds)
{
	for (u64 end = now_ms() + seconds * 1000; now_ms() < end;)
		if (!run_and_judge(p))
			return false;
	return true;
}

static void usage(void)
{
	fprintf(stderr, "usage: sysfuzz [-a] [-s SECONDS] [-r SEED] [-c CORPUS] [-k FILE] [-x] [-p PROGRAM [-m MASK]]\n");
	exit(2);
}

int main(int argc, char **argv)
{
	u64 seconds = 20, seed = now_ms();
	struct program one = { 0 }, warm;
	u32 mask = ~0u;
	bool distil = false, ok;
	long before, after;
	int c;

	setvbuf(stdout, NULL, _IOLBF, 0);
	corpus = calloc(CORPUS_MAX, sizeof(*corpus));
	while ((c = getopt(argc, argv, "as:r:c:k:xp:m:")) != -1) {
		switch (c) {
		case 'a': privileged = true; break;
		case 's': seconds = strtoull(optarg, NULL, 0); break;
		case 'r': seed = strtoull(optarg, NULL, 0); break;
		case 'c':
			if (!corpus_load(optarg))
				usage();
			break;
		case 'k': keep_file = fopen(optarg, "ae"); break;
		case 'x': distil = true; break;
		case 'p':
			if (!program_parse(&one, optarg))
				usage();
			break;
		case 'm': mask = (u32)strtoul(optarg, NULL, 0); break;
		default: usage();
		}
	}
	if (getuid() != 0) {
		fprintf(stderr, "sysfuzz: only as root, only in a virtual machine\n");
		return 2;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	program_random(&warm, &(u64){ mix(seed) });
	run_program(&warm); /* what is made once is made now */
	before = free_mib();
	printf("sysfuzz: seed %llu, %d calls in the table, %d programs in the corpus\n", (unsigned long long)seed,
	       nr_calls, nr_corpus);
	program_reduce(&one, mask);
	ok = one.nr_steps ? run_one(&one, seconds) : distil ? run_corpus() : run_random(seconds, seed);
	after = free_mib();
	printf("sysfuzz: %ld MiB free before, %ld after\n", before, after);
	if (ok && after < before - CACHES_MIB) {
		printf("FAIL sysfuzz: memory does not come back\n");
		ok = false;
	}
	printf("%d passed, %d failed\n", ok, !ok);
	return !ok;
}
