/*
 * Measures the cost of basic operations: ops [NAME…] prints "NAME NANOSECONDS" per operation. Run
 * with `gatehouse run --icount` one instruction takes one nanosecond, so these are instruction
 * counts, loop included, the same on every run.
 *
 * Each operation runs in batches that double until one lasts long enough; the best of five batches
 * of that size counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
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
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096l

static int zero_fd, null_fd, there[2], back[2];
static char byte;

static void check(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "ops: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static uint64_t since(uint64_t start)
{
	return now_ns() - start;
}

__attribute__((noinline)) static void empty(void)
{
	__asm__ volatile("");
}

/* Each function does its operation n times and returns the time that took. */

static uint64_t call(long n)
{
	uint64_t start = now_ns();

	while (n--)
		empty();
	return since(start);
}

static uint64_t getppid_call(long n)
{
	uint64_t start = now_ns();

	while (n--)
		syscall(SYS_getppid);
	return since(start);
}

static uint64_t read_zero(long n)
{
	uint64_t start = now_ns();

	while (n--)
		check(read(zero_fd, &byte, 1) == 1, "read");
	return since(start);
}

static uint64_t write_null(long n)
{
	uint64_t start = now_ns();

	while (n--)
		check(write(null_fd, &byte, 1) == 1, "write");
	return since(start);
}

static uint64_t clock_call(long n)
{
	struct timespec ts;
	uint64_t start = now_ns();

	while (n--)
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
	return since(start);
}

static uint64_t clock_vdso(long n)
{
	struct timespec ts;
	uint64_t start = now_ns();

	while (n--)
		clock_gettime(CLOCK_MONOTONIC, &ts);
	return since(start);
}

static uint64_t pipe_round_trip(long n)
{
	uint64_t start, spent;
	pid_t pid = fork();

	check(pid >= 0, "fork");
	if (pid == 0) {
		while (n-- && read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	start = now_ns();
	while (n--) {
		check(write(there[1], &byte, 1) == 1, "write");
		check(read(back[0], &byte, 1) == 1, "read");
	}
	spent = since(start);
	waitpid(pid, NULL, 0);
	return spent;
}

/* n bytes to another process and back. */
static uint64_t socket_round_trip(int type, long n)
{
	uint64_t start, spent;
	int fd[2];
	pid_t pid;

	check(socketpair(AF_UNIX, type, 0, fd) == 0, "socketpair");
	pid = fork();
	check(pid >= 0, "fork");
	if (pid == 0) {
		while (n-- && read(fd[1], &byte, 1) == 1 && write(fd[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	start = now_ns();
	while (n--) {
		check(write(fd[0], &byte, 1) == 1, "write");
		check(read(fd[0], &byte, 1) == 1, "read");
	}
	spent = since(start);
	waitpid(pid, NULL, 0);
	close(fd[0]);
	close(fd[1]);
	return spent;
}

static uint64_t unix_stream_round_trip(long n)
{
	return socket_round_trip(SOCK_STREAM, n);
}

static uint64_t unix_dgram_round_trip(long n)
{
	return socket_round_trip(SOCK_DGRAM, n);
}

/* n writes of 64 KiB that another process reads. */
static uint64_t unix_64k_write(long n)
{
	static char buf[65536];
	uint64_t start, spent;
	int fd[2];
	pid_t pid;

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0, "socketpair");
	pid = fork();
	check(pid >= 0, "fork");
	if (pid == 0) {
		close(fd[0]);
		while (read(fd[1], buf, sizeof(buf)) > 0)
			;
		_exit(0);
	}
	close(fd[1]);
	start = now_ns();
	while (n--)
		check(write(fd[0], buf, sizeof(buf)) == sizeof(buf), "write");
	close(fd[0]);
	waitpid(pid, NULL, 0);
	spent = since(start);
	return spent;
}

static uint64_t unix_pass_fd(long n)
{
	struct {
		struct cmsghdr h;
		int fd, pad;
	} c;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c,
			    .msg_controllen = sizeof(c) };
	uint64_t start, spent;
	int fd[2];

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0, "socketpair");
	start = now_ns();
	while (n--) {
		c.h = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
					.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		c.fd = null_fd;
		m.msg_controllen = sizeof(c);
		check(sendmsg(fd[0], &m, 0) == 1 && recvmsg(fd[1], &m, 0) == 1, "pass");
		close(c.fd);
	}
	spent = since(start);
	close(fd[0]);
	close(fd[1]);
	return spent;
}

static uint64_t unix_connect_accept(long n)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "\0bench" };
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c, s;
	uint64_t start, spent;

	check(bind(l, (struct sockaddr *)&a, 8) == 0 && listen(l, 8) == 0, "listen");
	start = now_ns();
	while (n--) {
		c = socket(AF_UNIX, SOCK_STREAM, 0);
		check(connect(c, (struct sockaddr *)&a, 8) == 0, "connect");
		s = accept(l, NULL, NULL);
		check(s >= 0, "accept");
		close(c);
		close(s);
	}
	spent = since(start);
	close(l);
	return spent;
}

static uint64_t fork_exit_wait(long n)
{
	uint64_t start = now_ns();

	while (n--) {
		pid_t pid = fork();

		check(pid >= 0, "fork");
		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	return since(start);
}

/* In a function of its own: a vfork child shares the locals. */
__attribute__((noinline)) static pid_t run_true(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execl("/bin/busybox", "true", (char *)NULL);
		_exit(127);
	}
	return pid;
}

static uint64_t vfork_exec_exit(long n)
{
	uint64_t start = now_ns();

	while (n--) {
		pid_t pid = run_true();

		check(pid > 0, "vfork");
		waitpid(pid, NULL, 0);
	}
	return since(start);
}

static uint64_t page_touch(long n)
{
	char *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t start, spent;

	check(p != MAP_FAILED, "mmap");
	madvise(p, n * PAGE, MADV_NOHUGEPAGE);
	start = now_ns();
	for (long i = 0; i < n; i++)
		p[i * PAGE] = 1;
	spent = since(start);
	munmap(p, n * PAGE);
	return spent;
}

static uint64_t mmap_munmap(long n)
{
	uint64_t start = now_ns();

	while (n--) {
		char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		check(p != MAP_FAILED, "mmap");
		munmap(p, PAGE);
	}
	return since(start);
}

static uint64_t mmap_touch_munmap(long n)
{
	uint64_t start = now_ns();

	while (n--) {
		char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		check(p != MAP_FAILED, "mmap");
		*p = 1;
		munmap(p, PAGE);
	}
	return since(start);
}

static uint64_t open_close(long n)
{
	uint64_t start = now_ns();

	while (n--) {
		int fd = open("/bin/busybox", O_RDONLY);

		check(fd >= 0, "open");
		close(fd);
	}
	return since(start);
}

/* A file 16 directories deep, and its name. */
static char deep[512];

static void make_deep(void)
{
	int fd;

	strcpy(deep, "/tmp");
	for (int i = 0; i < 16; i++) {
		strcat(deep, i & 1 ? "/lib" : "/component");
		check(mkdir(deep, 0755) == 0 || errno == EEXIST, "mkdir");
	}
	strcat(deep, "/file.txt");
	fd = open(deep, O_CREAT | O_WRONLY, 0644);
	check(fd >= 0, deep);
	close(fd);
}

static uint64_t stat_near(long n)
{
	struct stat st;
	uint64_t start = now_ns();

	while (n--)
		check(stat("/tmp", &st) == 0, "stat");
	return since(start);
}

static uint64_t stat_deep(long n)
{
	struct stat st;
	uint64_t start = now_ns();

	while (n--)
		check(stat(deep, &st) == 0, "stat");
	return since(start);
}

static uint64_t access_deep(long n)
{
	uint64_t start = now_ns();

	while (n--)
		check(access(deep, R_OK) == 0, "access");
	return since(start);
}

static uint64_t open_close_deep(long n)
{
	uint64_t start = now_ns();

	while (n--) {
		int fd = open(deep, O_RDONLY);

		check(fd >= 0, "open");
		close(fd);
	}
	return since(start);
}

static uint64_t yield(long n)
{
	uint64_t start = now_ns();

	while (n--)
		syscall(SYS_sched_yield);
	return since(start);
}

/* Between equals of a real-time class each yield is a switch, on every kernel. */
static void set_fifo(bool on)
{
	struct sched_param prio = { .sched_priority = on };

	check(!syscall(SYS_sched_setscheduler, 0, on ? SCHED_FIFO : SCHED_OTHER, &prio),
	      "sched_setscheduler");
}

static uint64_t yield_processes(long n)
{
	uint64_t start, spent;
	pid_t pid;

	set_fifo(true);
	pid = fork();
	check(pid >= 0, "fork");
	if (pid == 0) {
		for (;;)
			syscall(SYS_sched_yield);
	}
	syscall(SYS_sched_yield);
	start = now_ns();
	for (long i = 0; i < n; i += 2)
		syscall(SYS_sched_yield);
	spent = since(start);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	set_fifo(false);
	return spent;
}

/* Two threads take turns at a word; each sleeps until the other has put it its way. */
static int turn, stop;

static void *yield_until_stopped(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		syscall(SYS_sched_yield);
	return arg;
}

static uint64_t yield_threads(long n)
{
	pthread_t thread;
	uint64_t start, spent;

	stop = 0;
	set_fifo(true);
	check(!pthread_create(&thread, NULL, yield_until_stopped, NULL), "pthread_create");
	syscall(SYS_sched_yield);
	start = now_ns();
	for (long i = 0; i < n; i += 2)
		syscall(SYS_sched_yield);
	spent = since(start);
	stop = 1;
	pthread_join(thread, NULL);
	set_fifo(false);
	return spent;
}

static void pass_turn(int from, int to)
{
	while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != from)
		syscall(SYS_futex, &turn, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, to, NULL);
	__atomic_store_n(&turn, to, __ATOMIC_RELEASE);
	syscall(SYS_futex, &turn, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
}

static void *futex_partner(void *arg)
{
	for (long n = *(long *)arg; n; n--)
		pass_turn(1, 0);
	return NULL;
}

static uint64_t futex_round_trip(long n)
{
	pthread_t thread;
	uint64_t start, spent;
	long left = n;

	turn = 0;
	check(!pthread_create(&thread, NULL, futex_partner, &left), "pthread_create");
	start = now_ns();
	for (long i = 0; i < n; i++)
		pass_turn(0, 1);
	pthread_join(thread, NULL);
	spent = since(start);
	return spent;
}

static uint64_t futex_wake_none(long n)
{
	uint64_t start = now_ns();

	while (n--)
		syscall(SYS_futex, &turn, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
	return since(start);
}

/* What it costs beyond the time that was asked for. */
static uint64_t nanosleep_10us(long n)
{
	struct timespec ts = { 0, 10000 };
	uint64_t start, waited = n * 10000ull;

	prctl(PR_SET_TIMERSLACK, 1);
	start = now_ns();
	while (n--)
		syscall(SYS_nanosleep, &ts, NULL);
	return since(start) - waited;
}

static uint64_t timer_arm(long n)
{
	struct itimerspec it = { .it_value = { 100, 0 } };
	uint64_t start;
	int id;

	check(!syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &id), "timer_create");
	start = now_ns();
	while (n--)
		syscall(SYS_timer_settime, id, 0, &it, NULL);
	start = since(start);
	syscall(SYS_timer_delete, id);
	return start;
}

static void *nothing(void *arg)
{
	return arg;
}

static uint64_t thread_create_join(long n)
{
	uint64_t start = now_ns();

	while (n--) {
		pthread_t thread;

		check(!pthread_create(&thread, NULL, nothing, NULL), "pthread_create");
		pthread_join(thread, NULL);
	}
	return since(start);
}

/* ---- Waiting for many ---- */

static int eight[8];

static void make_eight(void)
{
	int p[2];

	if (eight[7])
		return;
	for (int i = 0; i < 8; i++) {
		check(pipe(p) == 0, "pipe");
		eight[i] = p[0];
	}
}

/* None is ready: every one is looked at. */
static uint64_t poll_8(long n)
{
	struct pollfd p[8];
	uint64_t start;

	make_eight();
	for (int i = 0; i < 8; i++)
		p[i] = (struct pollfd){ eight[i], POLLIN, 0 };
	start = now_ns();
	while (n--)
		check(poll(p, 8, 0) == 0, "poll");
	return since(start);
}

static uint64_t select_8(long n)
{
	struct timeval zero = { 0, 0 };
	fd_set want, set;
	uint64_t start;

	make_eight();
	FD_ZERO(&want);
	for (int i = 0; i < 8; i++)
		FD_SET(eight[i], &want);
	start = now_ns();
	while (n--) {
		set = want;
		check(select(eight[7] + 1, &set, NULL, NULL, &zero) == 0, "select");
	}
	return since(start);
}

/* Sleeping in poll on eight until the other side writes. */
static uint64_t poll_round_trip(long n)
{
	struct pollfd p[9];
	uint64_t start, spent;
	pid_t pid;

	make_eight();
	for (int i = 0; i < 8; i++)
		p[i] = (struct pollfd){ eight[i], POLLIN, 0 };
	pid = fork();
	check(pid >= 0, "fork");
	if (pid == 0) {
		p[8] = (struct pollfd){ there[0], POLLIN, 0 };
		while (n-- && poll(p, 9, -1) == 1 && read(there[0], &byte, 1) == 1 &&
		       write(back[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	p[8] = (struct pollfd){ back[0], POLLIN, 0 };
	start = now_ns();
	while (n--) {
		check(write(there[1], &byte, 1) == 1, "write");
		check(poll(p, 9, -1) == 1 && read(back[0], &byte, 1) == 1, "read");
	}
	spent = since(start);
	waitpid(pid, NULL, 0);
	return spent;
}

static int epoll_on(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0);

	check(ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0, "epoll");
	return ep;
}

static void bump(int fd)
{
	uint64_t one = 1;

	check(write(fd, &one, 8) == 8, "eventfd write");
}

static void drain(int fd)
{
	uint64_t value;

	check(read(fd, &value, 8) == 8, "eventfd read");
}

/* Two processes, each asleep in epoll_wait on an eventfd until the other writes to it. */
static uint64_t epoll_round_trip(long n)
{
	int a = eventfd(0, 0), b = eventfd(0, 0), ep;
	struct epoll_event ev;
	uint64_t start, spent;
	pid_t pid = fork();

	check(pid >= 0, "fork");
	if (pid == 0) {
		ep = epoll_on(a);
		while (n-- && epoll_wait(ep, &ev, 1, -1) == 1) {
			drain(a);
			bump(b);
		}
		_exit(0);
	}
	ep = epoll_on(b);
	start = now_ns();
	while (n--) {
		bump(a);
		check(epoll_wait(ep, &ev, 1, -1) == 1, "epoll_wait");
		drain(b);
	}
	spent = since(start);
	waitpid(pid, NULL, 0);
	close(a);
	close(b);
	close(ep);
	return spent;
}

static uint64_t eventfd_write_read(long n)
{
	int fd = eventfd(0, 0);
	uint64_t start = now_ns();

	while (n--) {
		bump(fd);
		drain(fd);
	}
	start = since(start);
	close(fd);
	return start;
}

#define MANY 100000

static int crowd_ep[2], crowd[MANY], guest_fd;

/* epoll 0 has the last sixteen of the crowd, epoll 1 all others. */
static void make_crowd(void)
{
	static const struct rlimit limit = { MANY + 100, MANY + 100 };
	struct epoll_event ev = { .events = EPOLLIN };
	int fd;

	if (crowd_ep[0])
		return;
	check(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
	fd = open("/proc/sys/fs/epoll/max_user_watches", O_WRONLY);
	check(fd >= 0 && write(fd, "1000000", 7) == 7, "max_user_watches");
	close(fd);
	crowd_ep[0] = epoll_create1(0);
	crowd_ep[1] = epoll_create1(0);
	guest_fd = eventfd(0, 0);
	for (int i = 0; i < MANY; i++) {
		crowd[i] = eventfd(0, 0);
		check(crowd[i] >= 0, "eventfd");
		check(epoll_ctl(crowd_ep[i < MANY - 16], EPOLL_CTL_ADD, crowd[i], &ev) == 0,
		      "epoll_ctl");
	}
}

static uint64_t crowd_ctl(int ep, long n)
{
	struct epoll_event ev = { .events = EPOLLIN };
	uint64_t start = now_ns();

	while (n--) {
		check(epoll_ctl(ep, EPOLL_CTL_ADD, guest_fd, &ev) == 0, "add");
		check(epoll_ctl(ep, EPOLL_CTL_DEL, guest_fd, &ev) == 0, "remove");
	}
	return since(start);
}

static uint64_t crowd_wake(int ep, int first, int nr, long n)
{
	struct epoll_event ev;
	uint64_t start = now_ns();

	for (unsigned i = 0; n--; i += 7919) {
		int fd = crowd[first + (int)(i % (unsigned)nr)];

		bump(fd);
		check(epoll_wait(ep, &ev, 1, -1) == 1, "epoll_wait");
		drain(fd);
		check(epoll_wait(ep, &ev, 1, 0) == 0, "epoll_wait");
	}
	return since(start);
}

static uint64_t epoll_ctl_16(long n)
{
	make_crowd();
	return crowd_ctl(crowd_ep[0], n);
}

static uint64_t epoll_ctl_100k(long n)
{
	make_crowd();
	return crowd_ctl(crowd_ep[1], n);
}

static uint64_t epoll_wake_16(long n)
{
	make_crowd();
	return crowd_wake(crowd_ep[0], MANY - 16, 16, n);
}

static uint64_t epoll_wake_100k(long n)
{
	make_crowd();
	return crowd_wake(crowd_ep[1], 0, MANY - 16, n);
}

/* ---- getppid under seccomp filters: in a child, which keeps its filter for good ---- */

#define RULES 300
static struct sock_filter filter[2 * RULES + 8];

static void add_code(unsigned short *len, struct sock_filter code)
{
	filter[(*len)++] = code;
}

/* A rule for each of `rules` other calls, as libseccomp makes them; for getppid by its argument, or not. */
static unsigned short make_filter(int rules, bool by_argument)
{
	unsigned short len = 0;

	add_code(&len, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0));
	for (int nr = 0; nr < rules; nr++) {
		int other = nr + 1000;

		add_code(&len, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, other, 0, 1));
		add_code(&len, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1));
	}
	if (by_argument) {
		add_code(&len, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 3));
		add_code(&len, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16));
		add_code(&len, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 77, 0, 1));
		add_code(&len, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1));
	}
	add_code(&len, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	return len;
}

static uint64_t getppid_filtered(long n, int rules, bool by_argument)
{
	static uint64_t *took;
	struct sock_fprog prog = { make_filter(rules, by_argument), filter };
	int status;

	if (!took)
		took = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(took != MAP_FAILED, "mmap");
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) == 0, "seccomp");
		*took = getppid_call(n);
		_exit(0);
	}
	check(waitpid(pid, &status, 0) == pid && status == 0, "filtered child");
	return *took;
}

static uint64_t getppid_allow(long n)
{
	return getppid_filtered(n, 0, false);
}

static uint64_t getppid_300(long n)
{
	return getppid_filtered(n, RULES, false);
}

static uint64_t getppid_300_arg(long n)
{
	return getppid_filtered(n, RULES, true);
}

/* The supervisor of a child that has n calls judged: they share their descriptors. */
static void supervise(int listener, long n)
{
	struct seccomp_notif request;
	struct seccomp_notif_resp response;

	while (n--) {
		memset(&request, 0, sizeof(request));
		check(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) == 0, "receive");
		memset(&response, 0, sizeof(response));
		response.id = request.id;
		response.val = 1;
		check(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) == 0, "send");
	}
}

static uint64_t user_notif_round_trip(long n)
{
	static struct {
		volatile int listener;
		uint64_t took;
	} *shared;
	struct sock_filter judge[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(judge) / sizeof(judge[0]), judge };
	int status;

	if (!shared)
		shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(shared != MAP_FAILED, "mmap");
	shared->listener = 0;
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				      SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
		check(fd > 0, "listener");
		shared->listener = fd;
		shared->took = getppid_call(n);
		_exit(0);
	}
	while (!shared->listener)
		sched_yield();
	supervise(shared->listener, n);
	check(waitpid(pid, &status, 0) == pid && status == 0, "supervised child");
	close(shared->listener);
	return shared->took;
}

static const struct op {
	const char *name;
	uint64_t (*run)(long n);
	long most; /* operations in one batch */
} ops[] = {
	{ "call", call, 1 << 20 },
	{ "getppid", getppid_call, 1 << 20 },
	{ "getppid-allow-filter", getppid_allow, 1 << 20 },
	{ "getppid-300-rules", getppid_300, 1 << 20 },
	{ "getppid-300-rules-arg", getppid_300_arg, 1 << 20 },
	{ "getppid-user-notif", user_notif_round_trip, 1 << 14 },
	{ "read-zero", read_zero, 1 << 20 },
	{ "write-null", write_null, 1 << 20 },
	{ "clock-syscall", clock_call, 1 << 20 },
	{ "clock-vdso", clock_vdso, 1 << 20 },
	{ "sched-yield", yield, 1 << 20 },
	{ "switch-processes", yield_processes, 1 << 16 },
	{ "switch-threads", yield_threads, 1 << 16 },
	{ "futex-wake-none", futex_wake_none, 1 << 20 },
	{ "futex-round-trip", futex_round_trip, 1 << 13 },
	{ "thread-create-join", thread_create_join, 1 << 10 },
	{ "nanosleep-10us", nanosleep_10us, 1 << 12 },
	{ "timer-arm", timer_arm, 1 << 16 },
	{ "open-close", open_close, 1 << 16 },
	{ "open-close-deep", open_close_deep, 1 << 15 },
	{ "stat-near", stat_near, 1 << 16 },
	{ "stat-deep", stat_deep, 1 << 15 },
	{ "access-deep", access_deep, 1 << 15 },
	{ "pipe-round-trip", pipe_round_trip, 1 << 12 },
	{ "unix-round-trip", unix_stream_round_trip, 1 << 12 },
	{ "unix-dgram-round-trip", unix_dgram_round_trip, 1 << 12 },
	{ "unix-64k-write", unix_64k_write, 1 << 9 },
	{ "unix-pass-fd", unix_pass_fd, 1 << 12 },
	{ "unix-connect-accept", unix_connect_accept, 1 << 11 },
	{ "fork-exit-wait", fork_exit_wait, 1 << 8 },
	{ "vfork-exec-exit", vfork_exec_exit, 1 << 7 },
	{ "page-touch", page_touch, 1 << 10 },
	{ "mmap-munmap", mmap_munmap, 1 << 14 },
	{ "mmap-touch-munmap", mmap_touch_munmap, 1 << 14 },
	{ "poll-8", poll_8, 1 << 18 },
	{ "select-8", select_8, 1 << 18 },
	{ "poll-round-trip", poll_round_trip, 1 << 12 },
	{ "eventfd-write-read", eventfd_write_read, 1 << 18 },
	{ "epoll-round-trip", epoll_round_trip, 1 << 12 },
	/* The same operations with few and with many descriptors registered. */
	{ "epoll-ctl-16", epoll_ctl_16, 1 << 16 },
	{ "epoll-ctl-100k", epoll_ctl_100k, 1 << 16 },
	{ "epoll-wake-100k", epoll_wake_100k, 1 << 16 },
	{ "epoll-wake-16", epoll_wake_16, 1 << 16 },
};

static void measure(const struct op *op)
{
	const uint64_t enough_ns = 3000000;
	double best = 1e18;
	long n = 1;

	while (n < op->most && op->run(n) < enough_ns)
		n *= 2;
	for (int i = 0; i < 5; i++) {
		double each = (double)op->run(n) / n;

		if (each < best)
			best = each;
	}
	printf("%s %.1f\n", op->name, best);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	zero_fd = open("/dev/zero", O_RDONLY);
	null_fd = open("/dev/null", O_WRONLY);
	check(zero_fd >= 0 && null_fd >= 0 && pipe(there) == 0 && pipe(back) == 0, "set-up");
	make_deep();
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		bool wanted = argc < 2;

		for (int k = 1; k < argc; k++)
			wanted |= !strcmp(argv[k], ops[i].name);
		if (wanted)
			measure(&ops[i]);
	}
	return 0;
}
