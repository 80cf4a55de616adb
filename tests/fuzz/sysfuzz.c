/*
 * sysfuzz [-s SECONDS] [-r SEED] [-p PROGRAM [-m MASK]]: drives the kernel with typed, hostile system calls.
 *
 * A program is a short sequence of calls, made from one number: arguments of the kinds that
 * syscalls.def names, descriptors, identifiers and addresses flowing from earlier results into later
 * calls, run by one to three threads at once while another one rewrites the memory that the arguments point
 * to. Each program runs as an unprivileged user with tight limits, in a process and a directory
 * of its own, for a fraction of a second; then everything of that user is killed.
 *
 * What counts as a failure here: a process that cannot be killed, or memory that does not come back. What
 * the kernel itself notices (assertions, sanitizers) ends the machine; the kernel log then says
 * which program ran last, and -p PROGRAM runs that one again and again. -m MASK leaves out the calls whose
 * bits are clear, for finding those that matter.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "grammar.h"

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

enum {
	USER = 31337, CALLS_MAX = 24, POOL = 16, PROGRAM_MS = 150, UNKILLABLE_MS = 20000,
	ARENA_PAGES = 16, PAGE = 4096,
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* ---- Random numbers ---- */

static u64 mix(u64 z)
{
	z += 0x9e3779b97f4a7c15;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static u64 rnd64(u64 *state)
{
	return mix((*state)++);
}

static u32 rnd(u64 *state, u32 n)
{
	return (u32)(rnd64(state) >> 20) % n;
}

/* ---- The memory that arguments point to ---- */

/*
 * Pages 0 to 7 are private, 8 to 11 shared, 12 is read-only, 13 a file's, 14 has no access, and behind page 15
 * there is nothing. All threads use them, and the scribbler changes them.
 */
static u8 *arena;

static u64 interesting(u64 *s)
{
	static const u64 numbers[] = {
		0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 63, 64, 100, 127, 128, 255, 256, 511, 512, 1000, 1024,
		4095, 4096, 4097, 8192, 65535, 65536, 1 << 20, 1 << 30, 0x7fffffff, 0x80000000, 0xffffffff,
		0x100000000, 0x7fffffffffff, 0x7fffffffffffffff, 0x8000000000000000, ~0ull, -2ull, -4096ull,
		-100ull, 0xffff800000000000, 0xffffffff80000000,
	};

	switch (rnd(s, 8)) {
	case 0:
		return rnd64(s) >> rnd(s, 64);
	case 1:
		return 1ull << rnd(s, 64);
	default:
		return numbers[rnd(s, rnd(s, 2) ? 12 : ARRAY_SIZE(numbers))];
	}
}

static u64 arena_address(u64 *s)
{
	u64 at = (u64)arena;

	switch (rnd(s, 16)) {
	case 0:
		return at + ARENA_PAGES * PAGE - rnd(s, 64); /* runs over the end */
	case 1:
		return at + 12 * PAGE + rnd(s, PAGE);
	case 2:
		return at + 14 * PAGE - rnd(s, 32);
	case 3:
		return at + rnd(s, ARENA_PAGES * PAGE);
	case 4:
		return at + (u64)rnd(s, ARENA_PAGES) * PAGE;
	default:
		return at + rnd(s, 11 * PAGE / 64) * 64;
	}
}

static u64 bad_address(u64 *s)
{
	static const u64 bad[] = { 0, 1, 0x1000, 0x7ffffffff000, 0x800000000000, 0xffff800000000000,
				   0xffffffff80000000, ~0ull, -4096ull };

	return bad[rnd(s, ARRAY_SIZE(bad))];
}

/* ---- What flows from call to call ---- */

struct pool {
	u64 value[POOL];
	u32 next;
};
static struct pool fds, pids, ids, addresses;

static void pool_add(struct pool *p, u64 v)
{
	p->value[p->next++ % POOL] = v;
}

static u64 pool_pick(const struct pool *p, u64 *s)
{
	u32 n = p->next < POOL ? p->next : POOL;

	return n ? p->value[rnd(s, n)] : rnd(s, 4);
}

/* ---- Arguments ---- */

static const char *const paths[] = {
	"f0", "f1", "f2", "d0", "d0/f3", "d1/d2", "link", "loop", "fifo", "s0", ".", "..", "", "/", "f0/x",
	"/proc/self/fd/3", "/proc/self/fd", "/proc/self/maps", "/proc/self/mem", "/proc/self/status",
	"/proc/self/environ", "/proc/self/task", "/proc/self/oom_score_adj", "/proc/self/timers",
	"/proc/self/pagemap", "/proc/self/clear_refs", "/proc/thread-self/comm", "/proc/1/status",
	"/proc/meminfo", "/proc/locks", "/proc/sys/kernel/hostname", "/proc/self/root", "/proc/self/cwd",
	"/proc/self/exe", "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/ptmx", "/dev/tty",
	"/dev/shm/sysfuzz", "/dev/kmsg", "/dev/mqueue", "/sys/kernel", "/sys/class", "/q0", "user.x",
	"system.posix_acl_access", "security.capability", "tmpfs", "proc",
};

static u64 path_argument(u64 *s)
{
	char *to = (char *)(arena + rnd(s, 8 * PAGE / 64) * 64);
	const char *path = paths[rnd(s, rnd(s, 3) ? 12 : ARRAY_SIZE(paths))];

	switch (rnd(s, 24)) {
	case 0:
		memset(arena + 4 * PAGE, 'a' + (int)rnd(s, 3), 2 * PAGE);
		return (u64)arena + 4 * PAGE;
	case 1:
		return bad_address(s);
	case 2:
		return arena_address(s);
	default:
		strcpy(to, path);
		return (u64)to;
	}
}

static u64 flag_set(u64 *s, const char *set, bool many)
{
	u64 value = 0;
	int first = 0, n = 0;

	while (first < nr_flags && strcmp(flags[first].set, set))
		first++;
	while (first + n < nr_flags && !strcmp(flags[first + n].set, set))
		n++;
	if (!n || !rnd(s, 12))
		return interesting(s);
	if (!many)
		return flags[first + (int)rnd(s, (u32)n)].value;
	for (u32 k = rnd(s, 5); k; k--)
		value |= flags[first + (int)rnd(s, (u32)n)].value;
	return value;
}

static u64 ioctl_command(u64 *s)
{
	static const u32 commands[] = {
		0x5401, 0x5402, 0x5403, 0x5409, 0x540b, 0x540e, 0x540f, 0x5410, 0x5411, 0x5412, 0x5413,
		0x5414, 0x541b, 0x5420, 0x5421, 0x5422, 0x5423, 0x5424, 0x5428, 0x5429, 0x5450, 0x5451, 0x5452,
		0x80045430, 0x40045431, 0x5441, 0x8901, 0x8902, 0x8903, 0x8904, 0x8906, 0x8910, 0x8912, 0x8913,
		0x80086601, 0x40086602, 0xc020660b, 0x40049409, 0x80081272, 0x1260, 0x40045436,
	};

	return rnd(s, 8) ? commands[rnd(s, ARRAY_SIZE(commands))] : interesting(s);
}

/* Sockets, control data, vectors: nested pointers stay in the arena. */
static void fill_message(u64 *w, u64 *s)
{
	u64 *control = (u64 *)(arena + 2 * PAGE), *vec = (u64 *)(arena + 3 * PAGE);

	for (int i = 0; i < 4; i++) {
		vec[2 * i] = arena_address(s);
		vec[2 * i + 1] = interesting(s) & 0xffff;
	}
	control[0] = 16 + 4 * rnd(s, 6);
	control[1] = 1 | (u64)(1 + rnd(s, 3)) << 32; /* SOL_SOCKET, SCM_RIGHTS or CREDENTIALS */
	for (int i = 2; i < 6; i++)
		control[i] = pool_pick(&fds, s) | pool_pick(&fds, s) << 32;
	w[0] = rnd(s, 2) ? arena_address(s) : 0;
	w[1] = rnd(s, 128);
	w[2] = (u64)vec;
	w[3] = rnd(s, 5);
	w[4] = (u64)control;
	w[5] = rnd(s, 4) ? control[0] : interesting(s);
	w[6] = 0;
}

static u64 structure(u64 *s, const struct arg *a)
{
	u64 at = (u64)arena + rnd(s, 8 * PAGE / 256) * 256, *w = (u64 *)at;

	if (!rnd(s, 14))
		return rnd(s, 2) ? 0 : bad_address(s);
	if (!rnd(s, 14))
		return arena_address(s);
	if (a->kind == K_OUT)
		return at;
	for (int i = 0; i < 16; i++) {
		static struct pool *const pools[] = { &fds, &pids, &ids, &addresses };

		switch (rnd(s, 5)) {
		case 0:
			w[i] = pool_pick(pools[rnd(s, 4)], s);
			break;
		case 1:
			w[i] = arena_address(s);
			break;
		case 2:
			w[i] = rnd(s, 8) | (u64)rnd(s, 8) << 32;
			break;
		default:
			w[i] = interesting(s);
		}
	}
	if (strstr(a->name, "time") || strstr(a->name, "itimer")) /* soon over */
		for (int i = 0; i < 4; i++)
			w[i] = i & 1 && rnd(s, 8) ? rnd(s, 5000000) : rnd(s, 16) ? 0 : interesting(s);
	else if (!strcmp(a->name, "iovec"))
		for (int i = 0; i < 8; i += 2)
			w[i] = arena_address(s), w[i + 1] = interesting(s) & 0xffff;
	else if (!strcmp(a->name, "pollfd"))
		for (int i = 0; i < 8; i++)
			w[i] = (u32)pool_pick(&fds, s) | (u64)rnd(s, 256) << 32;
	else if (!strcmp(a->name, "sigaction"))
		w[0] = rnd(s, 2), w[2] = (u64)arena;
	else if (strstr(a->text, "msg"))
		fill_message(w, s);
	else if (strstr(a->text, "addr"))
		memcpy(w, "\1\0s0\0\0\0\0", 8);
	return at;
}

static u64 argument(u64 *s, const struct call *c, const struct arg *a)
{
	if (!rnd(s, 40))
		return rnd(s, 2) ? interesting(s) : rnd64(s);
	switch (a->kind) {
	case K_FD:
		return rnd(s, 10) ? pool_pick(&fds, s) : interesting(s);
	case K_DIRFD:
		return rnd(s, 4) ? (u64)AT_FDCWD : pool_pick(&fds, s);
	case K_PID:
		return rnd(s, 3) ? (u64[]){ 0, (u64)getpid(), 1, (u64)gettid() }[rnd(s, 4)] : pool_pick(&pids, s);
	case K_UID:
	case K_GID:
		return rnd(s, 2) ? USER : interesting(s);
	case K_SIG:
		return rnd(s, 66);
	case K_PATH:
	case K_STR:
		return path_argument(s);
	case K_SIZE:
		return rnd(s, 3) ? rnd(s, 3 * PAGE) : interesting(s);
	case K_FLAGS:
		return flag_set(s, a->name, true);
	case K_VALUE:
		return !strcmp(a->name, "ioctl") ? ioctl_command(s) : flag_set(s, a->name, false);
	case K_MODE:
		return rnd(s, 2) ? 0755 : rnd(s, 010000);
	case K_I32:
	case K_U32:
	case K_I64:
		return rnd(s, 2) ? rnd(s, 16) : rnd(s, 2) ? pool_pick(&ids, s) : interesting(s);
	case K_OFF:
		return interesting(s);
	case K_U64:
		return rnd(s, 2) ? arena_address(s) : interesting(s);
	case K_ADDR:
		return rnd(s, 4) ? ((u64)arena + (u64)rnd(s, ARENA_PAGES) * PAGE) : pool_pick(&addresses, s);
	default:
		return structure(s, a);
	}
	(void)c;
}

/* ---- Programs ---- */

struct step {
	const struct call *call;
	u64 seed; /* of the arguments */
};

static struct step steps[CALLS_MAX];
static int nr_steps, nr_threads;
static u32 step_mask = ~0u;

/* Calls that only end the program, or take its own ground away. */
static bool useless(const struct call *c)
{
	static const short list[] = { SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_vfork, SYS_pause,
				      SYS_reboot, SYS_vhangup };

	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		if (c->nr == list[i])
			return true;
	return false;
}

/* Calls that make what other calls need; they come more often. */
static const short makers[] = {
	SYS_open, SYS_openat, SYS_pipe2, SYS_socketpair, SYS_socket, SYS_epoll_create1, SYS_eventfd2,
	SYS_timerfd_create, SYS_signalfd4, SYS_memfd_create, SYS_inotify_init1, SYS_mmap, SYS_dup, SYS_fork,
	SYS_shmget, SYS_semget, SYS_msgget, SYS_mq_open, SYS_timer_create, SYS_pidfd_open, SYS_bind,
	SYS_listen, SYS_connect, SYS_accept4, SYS_sendmsg, SYS_recvmsg, SYS_epoll_ctl, SYS_write, SYS_read,
};

static const struct call *call_of(int nr)
{
	for (int i = 0; i < nr_calls; i++)
		if (calls[i].nr == nr)
			return &calls[i];
	return &calls[0];
}

static void make_program(u64 seed)
{
	u64 s = seed;

	nr_steps = 4 + (int)rnd(&s, CALLS_MAX - 3);
	nr_threads = 1 + (int)rnd(&s, 3);
	for (int i = 0; i < nr_steps; i++) {
		const struct call *c;

		do
			c = rnd(&s, 5) < 2 ? call_of(makers[rnd(&s, ARRAY_SIZE(makers))])
					   : &calls[rnd(&s, (u32)nr_calls)];
		while (useless(c));
		steps[i] = (struct step){ c, rnd64(&s) };
	}
}

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

static void run_step(const struct step *step)
{
	u64 s = step->seed, a[6] = { 0 };
	pid_t self = (pid_t)syscall(SYS_gettid);
	long ret;

	for (int k = 0; k < step->call->nr_args; k++)
		a[k] = argument(&s, step->call, &step->call->args[k]);
	/* A child without a stack of its own would run on ours. */
	if (step->call->nr == SYS_clone)
		a[0] &= ~(u64)0x100, a[1] = 0;
	ret = syscall(step->call->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (syscall(SYS_gettid) != self && rnd(&s, 2))
		syscall(SYS_exit, 0);
	remember(step->call, a, ret);
}

static void *run_thread(void *arg)
{
	int first = (int)(long)arg;

	for (int round = 0; round < 3; round++)
		for (int i = 0; i < nr_steps; i++) {
			int at = (first + i) % nr_steps;

			if (step_mask & (1u << at))
				run_step(&steps[at]);
		}
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

/* The process of a program: never returns. */
_Noreturn static void program_main(u64 seed)
{
	struct itimerval tick = { { 0, 15000 }, { 0, 15000 } };
	int null = open("/dev/null", O_RDWR);
	pthread_t t;

	for (int i = 0; i < 3; i++)
		dup2(null, i);
	setsid();
	if (setresgid(USER, USER, USER) || setresuid(USER, USER, USER))
		_exit(2);
	limit(RLIMIT_NPROC, 24);
	limit(RLIMIT_NOFILE, 64);
	limit(RLIMIT_AS, 256ull << 20);
	limit(RLIMIT_FSIZE, 1 << 20);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, 2);
	if (!make_arena())
		_exit(2);
	make_files();
	make_program(seed);
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL); /* ends blocking calls */
	setitimer(ITIMER_REAL, &tick, NULL);
	if (nr_threads > 1)
		pthread_create(&t, NULL, scribble, (void *)seed);
	for (long i = 1; i < nr_threads; i++)
		pthread_create(&t, NULL, run_thread, (void *)(i * 5));
	run_thread(NULL);
	_exit(0);
}

/* ---- The supervisor ---- */

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

static void remove_ipc(void)
{
	if (fork() == 0) {
		if (setresuid(USER, USER, USER))
			_exit(1);
		for (int i = 0; i < 32; i++) { /* the low numbers of each table */
			syscall(SYS_shmctl, i, 0, 0);
			syscall(SYS_semctl, i, 0, 0, 0);
			syscall(SYS_msgctl, i, 0, 0);
		}
		unlink("/dev/shm/sysfuzz");
		_exit(0);
	}
	waitpid(-1, NULL, 0);
}

static void tell_kernel_log(u64 program)
{
	static int fd = -2;

	if (fd == -2)
		fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		dprintf(fd, "sysfuzz: program 0x%llx\n", (unsigned long long)program);
}

static bool run_program(u64 seed)
{
	char dir[64];
	pid_t pid;
	u64 end;
	bool gone;

	snprintf(dir, sizeof(dir), "/tmp/sysfuzz.%d", getpid());
	mkdir(dir, 0755);
	if (chown(dir, USER, USER) || chdir(dir))
		return false;
	tell_kernel_log(seed);
	pid = fork();
	if (pid == 0)
		program_main(seed);
	end = now_ms() + PROGRAM_MS;
	while (now_ms() < end && waitpid(pid, NULL, WNOHANG) == 0)
		nap_ms(2);
	kill_user();
	gone = reap_all();
	if (chdir("/") == 0)
		remove_directory(dir);
	remove_ipc();
	return gone;
}

static void show_program(u64 seed)
{
	make_program(seed);
	printf("%d threads:", nr_threads);
	for (int i = 0; i < nr_steps; i++)
		printf(" %s", steps[i].call->name);
	printf("\n");
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

int main(int argc, char **argv)
{
	u64 seconds = 20, seed = now_ms(), one = 0, end, programs = 0;
	long before, after;
	int c;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((c = getopt(argc, argv, "s:r:p:m:")) != -1) {
		u64 value = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (c) {
		case 's': seconds = value; break;
		case 'r': seed = value; break;
		case 'p': one = value; break;
		case 'm': step_mask = (u32)value; break;
		default:
			fprintf(stderr, "usage: sysfuzz [-s SECONDS] [-r SEED] [-p PROGRAM [-m MASK]]\n");
			return 2;
		}
	}
	if (getpid() != 1 && getuid() != 0) {
		fprintf(stderr, "sysfuzz: only as root, only in a virtual machine\n");
		return 2;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (one)
		show_program(one);
	run_program(mix(seed)); /* what is made once is made now */
	before = free_mib();
	printf("sysfuzz: seed %llu, %d calls in the table\n", (unsigned long long)seed, nr_calls);
	for (end = now_ms() + seconds * 1000; now_ms() < end; programs++) {
		u64 program = one ? one : mix(seed + programs) | 1;

		if (!run_program(program)) {
			printf("FAIL sysfuzz: program 0x%llx leaves a process that cannot be killed\n",
			       (unsigned long long)program);
			return 1;
		}
	}
	after = free_mib();
	printf("sysfuzz: %llu programs, %ld MiB free before, %ld after\n", (unsigned long long)programs, before,
	       after);
	if (after < before - before / 20 - 4) {
		printf("FAIL sysfuzz: memory does not come back\n");
		return 1;
	}
	printf("1 passed, 0 failed\n");
	return 0;
}
