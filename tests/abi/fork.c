/* fork, vfork, clone, clone3: what a child shares, what it gets of its own, and refused flags. */
#include "test.h"

#include <linux/sched.h>
#include <sys/times.h>

#define CSIGNAL_CHLD ((unsigned long)SIGCHLD)

static long clone3(struct clone_args *args, size_t size)
{
	return syscall(SYS_clone3, args, size);
}

static long raw_clone(unsigned long flags, void *stack, int *ptid, int *ctid, unsigned long tls)
{
	return syscall(SYS_clone, flags, stack, ptid, ctid, tls);
}

TEST(fork_child_has_own_memory)
{
	static volatile int data = 1;
	volatile int stack = 2;

	IN_CHILD {
		CHECK_EQ(data, 1);
		data = 10;
		stack = 20;
	}
	CHECK_EQ(data, 1);
	CHECK_EQ(stack, 2);
}

TEST(fork_ids)
{
	pid_t parent = getpid();

	IN_CHILD {
		CHECK_EQ(getppid(), parent);
		CHECK(getpid() != parent);
		CHECK_EQ(getpgrp(), getpgid(parent));
		CHECK_EQ(getsid(0), getsid(parent));
		CHECK_EQ(syscall(SYS_gettid), getpid());
	}
}

TEST(fork_shares_file_offset)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	IN_CHILD CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
}

TEST(fork_copies_descriptor_table)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	IN_CHILD CHECK_OK(close(fd));
	CHECK_OK(fcntl(fd, F_GETFD));
}

TEST(fork_clears_pending_signals_and_times)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	alarm(100);
	IN_CHILD {
		struct tms tms;

		CHECK_OK(sigpending(&set));
		CHECK_EQ(sigismember(&set, SIGUSR1), 0);
		CHECK_EQ(alarm(0), 0);
		times(&tms);
		CHECK_EQ(tms.tms_cutime, 0);
	}
	CHECK_OK(sigpending(&set));
	CHECK_EQ(sigismember(&set, SIGUSR1), 1);
}

TEST(fork_keeps_mask_cwd_umask)
{
	sigset_t set;
	char cwd[256];

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(chdir("d"));
	umask(0135);
	IN_CHILD {
		sigprocmask(SIG_BLOCK, NULL, &set);
		CHECK_EQ(sigismember(&set, SIGUSR2), 1);
		CHECK_EQ(umask(0), 0135);
		CHECK(getcwd(cwd, sizeof(cwd)));
		CHECK_STR(strrchr(cwd, '/'), "/d");
		CHECK_OK(chdir("/"));
	}
	CHECK_EQ(umask(0), 0135);
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK_STR(strrchr(cwd, '/'), "/d");
}

TEST(vfork_parent_waits_and_shares_memory)
{
	static volatile int shared;
	pid_t pid = CHECK_OK(vfork());

	if (pid == 0) {
		for (int i = 0; i < 1000; i++)
			shared++;
		_exit(3);
	}
	CHECK_EQ(shared, 1000);
	CHECK_EXITS(pid, 3);
}

TEST(vfork_parent_resumes_at_exec)
{
	char *argv[] = { test_self, "--helper", "sleeper", NULL };
	u64 start = now_ns(CLOCK_MONOTONIC);
	pid_t pid = CHECK_OK(vfork());

	if (pid == 0) {
		execv(test_self, argv);
		_exit(127);
	}
	CHECK(now_ns(CLOCK_MONOTONIC) - start < 5000000000ull);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	CHECK_KILLED(pid, SIGKILL);
}

HELPER(sleeper)
{
	sleep(10);
	return 0;
}

/* A child on a stack of its own; it cannot return from the C function that called clone. */
static char child_stack[65536] __attribute__((aligned(16)));
static volatile int clone_flag;

static int set_flag(void *arg)
{
	clone_flag = (int)(long)arg;
	return 7;
}

extern int clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);

TEST(clone_vm_shares_memory)
{
	pid_t pid = CHECK_OK(clone(set_flag, child_stack + sizeof(child_stack), CLONE_VM | SIGCHLD,
				   (void *)5L));

	CHECK_EXITS(pid, 7);
	CHECK_EQ(clone_flag, 5);
}

static int close_zero(void *arg)
{
	(void)arg;
	return close(0);
}

TEST(clone_files_shares_descriptors)
{
	pid_t pid;

	CHECK_OK(dup2(1, 0));
	pid = CHECK_OK(clone(close_zero, child_stack + sizeof(child_stack),
			     CLONE_VM | CLONE_FILES | SIGCHLD, NULL));
	CHECK_EXITS(pid, 0);
	CHECK_ERR(fcntl(0, F_GETFD), EBADF);
}

static int change_fs(void *arg)
{
	(void)arg;
	umask(0123);
	return chdir("/proc");
}

TEST(clone_fs_shares_cwd_and_umask)
{
	char cwd[64];
	pid_t pid = CHECK_OK(clone(change_fs, child_stack + sizeof(child_stack),
				   CLONE_VM | CLONE_FS | SIGCHLD, NULL));

	CHECK_EXITS(pid, 0);
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK_STR(cwd, "/proc");
	CHECK_EQ(umask(0), 0123);
}

TEST(clone_parent_and_child_settid)
{
	int ptid = 0, *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = CHECK_OK(raw_clone(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, NULL,
				       &ptid, shared, 0));

	if (pid == 0)
		_exit(*shared != (int)syscall(SYS_getpid));
	CHECK_EQ(ptid, pid);
	CHECK_EXITS(pid, 0);
	CHECK_EQ(*shared, pid);
}

TEST(clone_parent_makes_a_sibling)
{
	int pipefd[2];
	pid_t sibling = 0;

	CHECK_OK(pipe(pipefd));
	IN_CHILD {
		pid_t pid = CHECK_OK(raw_clone(CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0));

		if (pid == 0)
			_exit(9);
		CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
		CHECK_EQ(write(pipefd[1], &pid, sizeof(pid)), sizeof(pid));
	}
	CHECK_EQ(read(pipefd[0], &sibling, sizeof(sibling)), sizeof(sibling));
	CHECK_EXITS(sibling, 9);
}

TEST(clone_exit_signal_is_the_one_asked_for)
{
	sigset_t set;
	siginfo_t info;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pid = CHECK_OK(raw_clone(SIGUSR1, NULL, NULL, NULL, 0));
	if (pid == 0)
		_exit(4);
	CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
	CHECK_EQ(info.si_pid, pid);
	CHECK_EQ(info.si_code, CLD_EXITED);
	CHECK_EQ(info.si_status, 4);
	CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
	CHECK_EQ(waitpid(pid, NULL, __WALL), pid);
}

TEST(clone_refuses_contradictions)
{
	static const unsigned long bad[] = {
		CLONE_THREAD | CLONE_VM,	       /* needs SIGHAND */
		CLONE_SIGHAND,			       /* needs VM */
		CLONE_THREAD | CLONE_SIGHAND,
		CLONE_FS | CLONE_NEWNS,
		CLONE_PIDFD | CLONE_PARENT_SETTID,
		CLONE_PIDFD | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_DETACHED,
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_ERR(raw_clone(bad[i] | SIGCHLD, NULL, NULL, NULL, 0), EINVAL);
}

TEST(clone3_fork_and_exit_signal)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	pid_t pid = CHECK_OK(clone3(&args, sizeof(args)));

	if (pid == 0)
		_exit(11);
	CHECK_EXITS(pid, 11);
}

TEST(clone3_refuses_bad_arguments)
{
	static const struct clone_args bad[] = {
		{ .flags = 1ull << 40, .exit_signal = SIGCHLD },
		{ .flags = SIGCHLD },
		{ .exit_signal = 65 },
		{ .stack = 4096, .exit_signal = SIGCHLD },
		{ .stack_size = 4096, .exit_signal = SIGCHLD },
		{ .flags = CLONE_THREAD, .exit_signal = SIGCHLD },
		{ .flags = CLONE_DETACHED, .exit_signal = SIGCHLD },
		{ .set_tid_size = 1, .exit_signal = SIGCHLD },
	};
	struct {
		struct clone_args args;
		u64 more;
	} big = { .args = { .exit_signal = SIGCHLD }, .more = 1 };
	struct clone_args args = { .exit_signal = SIGCHLD };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		args = bad[i];
		CHECK_ERR(clone3(&args, sizeof(args)), EINVAL);
	}
	args = (struct clone_args){ .exit_signal = SIGCHLD };
	CHECK_ERR(clone3(&args, 0), EINVAL);
	CHECK_ERR(clone3(&args, CLONE_ARGS_SIZE_VER0 - 1), EINVAL);
	CHECK_ERR(clone3(&args, 4097), E2BIG);
	CHECK_ERR(clone3(&big.args, sizeof(big)), E2BIG);
	CHECK_ERR(clone3(NULL, sizeof(args)), EFAULT);
}

/* Bytes that this kernel does not know are read in order: a set one counts before a page that is missing. */
TEST(clone3_unknown_bytes_before_missing_page)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct clone_args *args = (void *)(pages + 4096 - 8 - sizeof(*args));

	CHECK(pages != MAP_FAILED);
	CHECK_OK(munmap(pages + 4096, 4096));
	args->exit_signal = SIGCHLD;
	CHECK_ERR(clone3(args, sizeof(*args) + 16), EFAULT);
	pages[4095] = 1;
	CHECK_ERR(clone3(args, sizeof(*args) + 16), E2BIG);
}

TEST(clone3_clear_sighand)
{
	struct clone_args args = { .flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD };
	struct sigaction act;
	pid_t pid;

	signal(SIGUSR1, (void (*)(int))sleep_ms);
	signal(SIGUSR2, SIG_IGN);
	pid = CHECK_OK(clone3(&args, sizeof(args)));
	if (pid == 0) {
		sigaction(SIGUSR1, NULL, &act);
		CHECK(act.sa_handler == SIG_DFL);
		sigaction(SIGUSR2, NULL, &act);
		CHECK(act.sa_handler == SIG_IGN);
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
}

TEST(many_children_all_reaped_once)
{
	enum { N = 50 };
	unsigned char seen[N] = { 0 };

	for (int i = 0; i < N; i++)
		if (test_fork() == 0)
			_exit(i);
	for (int i = 0; i < N; i++) {
		int status;

		CHECK_OK(wait(&status));
		CHECK(WIFEXITED(status));
		CHECK_EQ(seen[WEXITSTATUS(status)]++, 0);
	}
	CHECK_ERR(wait(NULL), ECHILD);
}

TEST(rlimit_nproc_refuses_fork_for_users)
{
	if (geteuid())
		SKIP("needs root");
	IN_CHILD {
		struct { u64 cur, max; } lim = { 1, 1 };

		CHECK_OK(syscall(SYS_setrlimit, 6 /* RLIMIT_NPROC */, &lim));
		become(54321, 54321);
		CHECK_ERR(fork(), EAGAIN);
	}
}
