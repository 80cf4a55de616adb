/*
 * Attacks through ptrace(2) and its relatives: on programs with more privilege, on execve's gain of
 * it, on the kernel by register contents, and by deaths at the wrong moment.
 */
#include "attack.h"
#include "tracer.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#define USER 1000

static volatile u64 secret = 0x5ec2e75ec2e7;

static void check_closed(pid_t pid)
{
	struct iovec mine = { &(u64){ 0 }, 8 }, its = { (void *)&secret, 8 };
	char name[64];

	CHECK_ERR(trace(PTRACE_ATTACH, pid, 0, 0), EPERM);
	CHECK_ERR(trace(PTRACE_SEIZE, pid, 0, 0), EPERM);
	CHECK_ERR(process_vm_readv(pid, &mine, 1, &its, 1, 0), EPERM);
	CHECK_ERR(process_vm_writev(pid, &mine, 1, &its, 1, 0), EPERM);
	snprintf(name, sizeof(name), "/proc/%d/mem", pid);
	CHECK_ERR(open(name, O_RDWR), EACCES);
}

TEST(other_users_and_root)
{
	pid_t pid = child_waiting();

	IN_CHILD {
		become(USER, USER);
		check_closed(pid);
	}
	kill(pid, SIGKILL);
}

TEST(same_user_but_not_dumpable)
{
	pid_t pid = test_fork();

	if (!pid) {
		become(USER, USER);
		prctl(PR_SET_DUMPABLE, 0);
		for (;;)
			pause();
	}
	wait_state(pid, "S");
	IN_CHILD {
		become(USER, USER);
		check_closed(pid);
	}
	kill(pid, SIGKILL);
}

/* Reports through its exit status: 1 without privilege, 2 with it, 3 with it and traced. */
HELPER(privilege)
{
	char text[4096];

	if (geteuid() != 0)
		return 1;
	text[read_file("/proc/self/status", text, sizeof(text) - 1)] = '\0';
	return strstr(text, "TracerPid:\t0\n") ? 2 : 3;
}

static void make_setid(const char *path)
{
	char cmd[8192];

	if (!enter_setid_directory())
		SKIP("no file system with set-id bits");
	snprintf(cmd, sizeof(cmd), "cp %s %s", test_self, path);
	CHECK_EQ(system(cmd), 0);
	CHECK_OK(chown(path, 0, 0));
	CHECK_OK(chmod(path, 04755));
}

static void exec_setid(void)
{
	execl("./setid", "setid", "--helper", "privilege", NULL);
	_exit(9);
}

TEST(set_id_gains_nothing_under_a_tracer)
{
	make_setid("setid");
	IN_CHILD {
		pid_t pid;
		int st;

		become(USER, USER);
		pid = test_fork(); /* for comparison: it gains */
		if (!pid)
			exec_setid();
		st = test_reap(pid);
		CHECK_EQ(st, 2 << 8);
		TRACEE(pid)
			exec_setid();
		STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGTRAP));
		STEP_TO(PTRACE_CONT, pid, 0, 1 << 8);
	}
}

TEST_LIMIT(set_id_exec_races_with_attach, 60)
{
	make_setid("setid");
	IN_CHILD {
		u64 dice = 88172645463325252;

		become(USER, USER);
		for (int i = 0; i < SCALE(25, 400); i++) {
			pid_t pid = test_fork();
			bool reaped = false;
			int st;

			if (!pid)
				exec_setid();
			for (u64 spin = next_random(&dice) % 20000; spin; spin--)
				__asm__ volatile("" ::: "memory");
			while (trace(PTRACE_SEIZE, pid, 0, 0) == -1 && !reaped)
				reaped = waitpid(pid, &st, WNOHANG | __WALL) == pid;
			if (!reaped)
				st = wait_status(pid);
			while (WIFSTOPPED(st)) {
				trace(PTRACE_CONT, pid, 0, 0);
				st = wait_status(pid);
			}
			CHECK(st != 3 << 8);
		}
	}
}

TEST(an_open_mem_file_sees_nothing_of_the_next_program)
{
	make_setid("setid");
	IN_CHILD {
		pid_t pid;
		char name[64], c;
		int go[2], fd;

		become(USER, USER);
		CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
		CHECK_OK(pipe(go));
		pid = test_fork();
		if (!pid) {
			CHECK_EQ(read(go[0], &c, 1), 1);
			execl("./setid", "setid", "--helper", "sleeps", NULL);
			_exit(9);
		}
		snprintf(name, sizeof(name), "/proc/%d/mem", pid);
		fd = (int)CHECK_OK(open(name, O_RDWR));
		CHECK_EQ(pread(fd, &c, 1, (off_t)&secret), 1);
		CHECK_EQ(write(go[1], "x", 1), 1);
		for (int i = 0; i < 2000; i++) {
			char text[64] = "";
			int cmd;

			snprintf(name, sizeof(name), "/proc/%d/comm", pid);
			cmd = open(name, O_RDONLY);
			CHECK(read(cmd, text, sizeof(text) - 1) >= 0);
			close(cmd);
			if (!strcmp(text, "setid\n"))
				break;
			usleep(1000);
		}
		sleep_ms(100);
		CHECK_EQ(pread(fd, &c, 1, (off_t)&secret), 0);
		CHECK_EQ(pwrite(fd, "x", 1, (off_t)&secret), 0);
		kill(pid, SIGKILL);
		test_reap(pid);
	}
}

HELPER(sleeps)
{
	sleep(3);
	return 0;
}

/* It had the tracee before that became set-id: it keeps control, without a view of the memory. */
TEST(memory_that_may_not_be_dumped_is_not_shown)
{
	IN_CHILD {
		pid_t pid;
		u64 v;

		become(USER, USER);
		CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
		TRACEE(pid) {
			prctl(PR_SET_DUMPABLE, 0);
			raise(SIGUSR1);
			_exit(0);
		}
		TRACE_OK(PTRACE_PEEKDATA, pid, &secret, &v);
		CHECK_EQ(v, 0x5ec2e75ec2e7);
		STEP_TO(PTRACE_CONT, pid, 0, STOP(SIGUSR1));
		CHECK_ERR(trace(PTRACE_PEEKDATA, pid, (u64)&secret, (u64)&v), EIO);
		CHECK_ERR(trace(PTRACE_POKEDATA, pid, (u64)&secret, 0), EIO);
		STEP_TO(PTRACE_CONT, pid, 0, 0);
	}
}

TEST(no_breakpoint_on_the_kernel)
{
	static const u64 addrs[] = { 0xffffffff81000000, 0xffff888000000000, 0xffffc90000000000,
				     0xfffffe0000000000, 0xffffffffff600000, -8UL };

	IN_CHILD {
		pid_t pid;
		u64 v;

		become(USER, USER);
		CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
		TRACEE(pid)
			_exit(0);
		for (size_t i = 0; i < ARRAY_SIZE(addrs); i++)
			for (int n = 0; n < 4; n++) {
				CHECK(trace(PTRACE_POKEUSR, pid, offsetof(struct user, u_debugreg[n]),
					    addrs[i]) == -1);
				CHECK(errno == EINVAL || errno == EPERM || errno == EIO);
				TRACE_OK(PTRACE_PEEKUSR, pid, offsetof(struct user, u_debugreg[n]), &v);
				CHECK_EQ(v, 0);
			}
		STEP_TO(PTRACE_CONT, pid, 0, 0);
	}
}

/* Whatever the registers are, the tracee gets a signal at worst. */
static void run_with(const struct user_regs_struct *wild, long how)
{
	struct user_regs_struct r;
	pid_t pid;
	int st;

	TRACEE(pid)
		_exit(0);
	r = regs_of(pid);
	for (size_t i = 0; i < sizeof(r) / 8; i++)
		trace(PTRACE_POKEUSR, pid, i * 8, ((const u64 *)wild)[i]);
	TRACE_OK(how, pid, 0, 0);
	sleep_ms(1);
	kill(pid, SIGKILL);
	for (int i = 0; (st = wait_status(pid), WIFSTOPPED(st)); i++)
		trace(PTRACE_CONT, pid, 0, 0);
}

TEST_LIMIT(hostile_register_sets, 60)
{
	static const u64 values[] = { 0, 1, -1UL, 1UL << 47, (1UL << 47) - 1, (1UL << 47) - 4096,
				      0xffff800000000000, 0xffffffff81000000, 0x8000000000000000,
				      0x7fffffffffff, 0xffffffff, 0x80000000 };
	static const long hows[] = { PTRACE_CONT, PTRACE_SYSCALL, PTRACE_SINGLESTEP, REQUEST_SYSEMU };
	u64 dice = 2463534242;

	for (int i = 0; i < SCALE(60, 2000); i++) {
		struct user_regs_struct r;
		u64 *words = (u64 *)&r;

		for (size_t n = 0; n < sizeof(r) / 8; n++)
			words[n] = next_random(&dice) % 2 ? values[next_random(&dice) % ARRAY_SIZE(values)]
							  : next_random(&dice);
		r.cs = next_random(&dice) % 3 ? (next_random(&dice) & 0x7f) | 3 : 0x33;
		r.ss = next_random(&dice) % 3 ? (next_random(&dice) & 0x7f) | 3 : 0x2b;
		r.ds = (next_random(&dice) & 0xff) | 3;
		r.es = (next_random(&dice) & 0xffff) | 3;
		r.fs = (next_random(&dice) & 0xff) | 3;
		r.gs = (next_random(&dice) & 0xff) | 3;
		run_with(&r, hows[next_random(&dice) % ARRAY_SIZE(hows)]);
	}
}

static void *busy_thread(void *arg)
{
	for (int i = 0; i < 50; i++)
		syscall(SYS_getppid);
	return arg;
}

/* Forks, makes threads, stops and signals itself, executes. */
static void busy_tracee(void)
{
	for (int n = 0;; n++) {
		pthread_t t;
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		pthread_create(&t, NULL, busy_thread, NULL);
		raise(SIGUSR1);
		waitpid(pid, NULL, __WALL);
		pthread_join(t, NULL);
	}
}

static void busy_tracer(pid_t pid, u64 options, u64 *dice)
{
	static const long hows[] = { PTRACE_CONT, PTRACE_SYSCALL, PTRACE_SINGLESTEP };
	int st;

	if (trace(PTRACE_SEIZE, pid, 0, options) == -1)
		_exit(0);
	trace(PTRACE_INTERRUPT, pid, 0, 0);
	for (;;) {
		pid_t who = waitpid(-1, &st, __WALL);
		struct user_regs_struct r;

		if (who < 0)
			_exit(0);
		trace(REQUEST_GETREGS, who, 0, (u64)&r);
		if (next_random(dice) % 8 == 0)
			trace(PTRACE_INTERRUPT, who, 0, 0);
		if (next_random(dice) % 64 == 0)
			trace(PTRACE_DETACH, who, 0, 0);
		trace(hows[next_random(dice) % ARRAY_SIZE(hows)], who, 0, 0);
	}
}

TEST_LIMIT(deaths_at_every_point, 120)
{
	u64 dice = 362436069;

	for (int i = 0; i < SCALE(25, 500); i++) {
		u64 options = next_random(&dice) & 0x7e;
		pid_t tracee, tracer;

		if (i % 3 == 0)
			options |= PTRACE_O_EXITKILL;
		tracee = test_fork();
		if (!tracee) {
			signal(SIGUSR1, SIG_IGN);
			busy_tracee();
		}
		tracer = test_fork();
		if (!tracer)
			busy_tracer(tracee, options, &dice);
		usleep((useconds_t)(next_random(&dice) % 30000));
		kill(next_random(&dice) % 2 ? tracer : tracee, SIGKILL);
		usleep((useconds_t)(next_random(&dice) % 3000));
		kill(tracer, SIGKILL);
		kill(tracee, SIGKILL);
		test_reap(tracer);
		test_reap(tracee);
	}
}
