/*
 * The process in which a program runs: one to three threads make its calls, each starting elsewhere,
 * while another one rewrites the memory that the arguments point to.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "arguments.h"
#include "jail.h"
#include "program.h"

static const struct program *program;

static void remember(const struct call *c, const u64 *a, long ret)
{
	if (ret < 0)
		return;
	switch (c->nr) {
	case SYS_fork:
	case SYS_clone:
	case SYS_clone3:
		pool_add(&pids, (u64)ret);
		return;
	case SYS_mmap:
	case SYS_mremap:
	case SYS_shmat:
	case SYS_brk:
		pool_add(&addresses, (u64)ret);
		return;
	case SYS_pipe:
	case SYS_pipe2:
		pool_add(&fds, (u64)((int *)a[0])[0]);
		pool_add(&fds, (u64)((int *)a[0])[1]);
		return;
	case SYS_socketpair:
		pool_add(&fds, (u64)((int *)a[3])[0]);
		pool_add(&fds, (u64)((int *)a[3])[1]);
		return;
	}
	if (ret < 64)
		pool_add(&fds, (u64)ret);
	pool_add(&ids, (u64)ret);
}

/* The step's wish that something in it fails; without such a file (other flavours) nothing does. */
static void set_failure(u32 nth)
{
	char text[16];
	int fd = open("/proc/thread-self/fail-nth", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, (size_t)sprintf(text, "%u", nth)) < 0)
		nth = 0;
	close(fd);
}

static void run_step(const struct step *step)
{
	u64 a[6] = { 0 };
	pid_t self = (pid_t)syscall(SYS_gettid);
	long ret;

	for (int k = 0; k < step->call->nr_args; k++) {
		u64 s = step->seeds[k];

		a[k] = argument(&s, &step->call->args[k]);
	}
	/* A child without a stack of its own would run on ours. */
	if (step->call->nr == SYS_clone)
		a[0] &= ~(u64)0x100, a[1] = 0;
	if (step->fail_nth)
		set_failure(step->fail_nth);
	ret = syscall(step->call->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (syscall(SYS_gettid) != self && (step->seeds[0] & 1))
		syscall(SYS_exit, 0);
	if (step->fail_nth)
		set_failure(0);
	remember(step->call, a, ret);
}

static void *run_thread(void *arg)
{
	int first = (int)(long)arg;

	for (int round = 0; round < 3; round++)
		for (int i = 0; i < program->nr_steps; i++)
			run_step(&program->steps[(first + i) % program->nr_steps]);
	return NULL;
}

/* Rewrites what calls may be reading. */
static void *scribble(void *arg)
{
	u64 s = (u64)arg;

	for (;;) {
		u64 *w = (u64 *)(arena + rnd(&s, 12 * PAGE / 8) * 8), old = *(volatile u64 *)w;

		*(volatile u64 *)w = rnd(&s, 2) ? interesting(&s) : arena_address(&s);
		if (rnd(&s, 2))
			*(volatile u64 *)w = old;
		if (!rnd(&s, 64))
			sched_yield();
	}
	return NULL;
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void limit(int what, u64 value)
{
	setrlimit(what, &(struct rlimit){ value, value });
}

static bool make_arena(void)
{
	int fd;

	arena = mmap(NULL, (ARENA_PAGES + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena == MAP_FAILED)
		return false;
	mmap(arena + 8 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	mprotect(arena + 12 * PAGE, PAGE, PROT_READ);
	mprotect(arena + 14 * PAGE, PAGE, PROT_NONE);
	munmap(arena + ARENA_PAGES * PAGE, PAGE);
	fd = open("f0", O_RDWR | O_CREAT, 0644);
	if (fd < 0)
		return false;
	if (ftruncate(fd, 2 * PAGE) == 0)
		mmap(arena + 13 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	pool_add(&fds, (u64)fd);
	return true;
}

static void make_files(void)
{
	mkdir("d0", 0755);
	mkdir("d1", 0755);
	mkfifo("fifo", 0644);
	if (symlink("f1", "link") || symlink("loop", "loop"))
		return;
	for (int i = 0; i < 3; i++)
		pool_add(&fds, (u64)i);
	pool_add(&fds, (u64)open("d0", O_RDONLY | O_DIRECTORY));
	pool_add(&fds, (u64)open("f1", O_RDWR | O_CREAT, 0644));
}

static void become_user(const char *dir)
{
	if (privileged) {
		jail_enter(dir);
		prctl(PR_SET_KEEPCAPS, 1);
	}
	if (setresgid(USER, USER, USER) || setresuid(USER, USER, USER))
		_exit(2);
	if (privileged)
		jail_take_capabilities();
}

_Noreturn void program_run(const struct program *p, const char *dir)
{
	struct itimerval tick = { { 0, 15000 }, { 0, 15000 } };
	int null = open("/dev/null", O_RDWR);
	pthread_t t;

	for (int i = 0; i < 3; i++)
		dup2(null, i);
	syscall(SYS_close_range, 3, ~0u, 0); /* the supervisor's are not the program's */
	program = p;
	setsid();
	become_user(dir);
	limit(RLIMIT_NPROC, 24);
	limit(RLIMIT_NOFILE, 64);
	limit(RLIMIT_AS, 256ull << 20);
	limit(RLIMIT_FSIZE, 1 << 20);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, 2);
	if (!make_arena())
		_exit(2);
	make_files();
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL); /* ends blocking calls */
	setitimer(ITIMER_REAL, &tick, NULL);
	if (p->nr_threads > 1)
		pthread_create(&t, NULL, scribble, (void *)(u64)p->steps[0].seeds[0]);
	for (long i = 1; i < p->nr_threads; i++)
		pthread_create(&t, NULL, run_thread, (void *)(i * 5));
	run_thread(NULL);
	_exit(0);
}
