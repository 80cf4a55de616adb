/* seccomp: modes, filters, what each verdict does, inheritance, all threads together. */
#include "seccomp.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/times.h>

static long parent(void)
{
	return syscall(SYS_getppid);
}

TEST(refusals)
{
	struct sock_filter allow = RETURN(SECCOMP_RET_ALLOW);
	struct sock_fprog none = {0, &allow}, wild = {1, (void *)8}, good = {1, &allow};

	no_new_privs();
	CHECK_ERR(seccomp_call(99, 0, NULL), EINVAL);
	CHECK_ERR(seccomp_call(SECCOMP_SET_MODE_STRICT, 1, NULL), EINVAL);
	CHECK_ERR(seccomp_call(SECCOMP_SET_MODE_STRICT, 0, &good), EINVAL);
	CHECK_ERR(seccomp_call(SECCOMP_SET_MODE_FILTER, 1 << 6, &good), EINVAL);
	CHECK_ERR(seccomp_call(SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
	CHECK_ERR(seccomp_call(SECCOMP_SET_MODE_FILTER, 0, &none), EINVAL);
	CHECK_ERR(seccomp_call(SECCOMP_SET_MODE_FILTER, 0, &wild), EFAULT);
	CHECK_ERR(seccomp_call(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC |
			       SECCOMP_FILTER_FLAG_NEW_LISTENER, &good), EINVAL);
	CHECK_ERR(seccomp_call(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &good),
		  EINVAL);
	CHECK_ERR(prctl(PR_SET_SECCOMP, SECCOMP_MODE_DISABLED, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_SECCOMP, 3, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0), EFAULT);
	CHECK_EQ(prctl(PR_GET_SECCOMP, 0, 0, 0, 0), SECCOMP_MODE_DISABLED);
}

TEST(programs_that_are_refused)
{
	no_new_privs();
	CHECK_ERR(FILTER_FLAGS(0, LOAD(64), RETURN(0)), EINVAL);
	CHECK_ERR(FILTER_FLAGS(0, LOAD(2), RETURN(0)), EINVAL);
	CHECK_ERR(FILTER_FLAGS(0, BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RETURN(0)), EINVAL);
	CHECK_ERR(FILTER_FLAGS(0, BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), RETURN(0)), EINVAL);
	CHECK_ERR(FILTER_FLAGS(0, BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RETURN(0)), EINVAL);
	CHECK_ERR(FILTER_FLAGS(0, BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(0)), EINVAL);
	CHECK_ERR(FILTER_FLAGS(0, BPF_STMT(BPF_LD | BPF_MEM, 0), RETURN(0)), EINVAL);
	CHECK_ERR(FILTER_FLAGS(0, BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN(0)), EINVAL);
	CHECK_ERR(FILTER_FLAGS(0, LOAD(0)), EINVAL);
	CHECK_ERR(FILTER_FLAGS(0, BPF_STMT(BPF_RET | BPF_X, 0)), EINVAL);
	CHECK_EQ(prctl(PR_GET_SECCOMP, 0, 0, 0, 0), SECCOMP_MODE_DISABLED);
}

TEST(needs_no_new_privs_or_the_capability)
{
	IN_CHILD {
		become(1234, 1234);
		CHECK_ERR(FILTER_FLAGS(0, RETURN(SECCOMP_RET_ALLOW)), EACCES);
		no_new_privs();
		FILTER(RETURN(SECCOMP_RET_ALLOW));
	}
	if (geteuid() == 0) {
		FILTER(RETURN(SECCOMP_RET_ALLOW));
		CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	}
}

TEST(sizes_and_actions)
{
	static const u32 all[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,
				  SECCOMP_RET_ERRNO, SECCOMP_RET_USER_NOTIF, SECCOMP_RET_TRACE,
				  SECCOMP_RET_LOG, SECCOMP_RET_ALLOW};
	struct seccomp_notif_sizes sizes = {0};
	u32 unknown = 0x7fff0001;
	char text[256];

	CHECK_OK(seccomp_call(SECCOMP_GET_NOTIF_SIZES, 0, &sizes));
	CHECK_EQ(sizes.seccomp_notif, 80);
	CHECK_EQ(sizes.seccomp_notif_resp, 24);
	CHECK_EQ(sizes.seccomp_data, 64);
	CHECK_ERR(seccomp_call(SECCOMP_GET_NOTIF_SIZES, 1, &sizes), EINVAL);
	CHECK_ERR(seccomp_call(SECCOMP_GET_NOTIF_SIZES, 0, NULL), EFAULT);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		CHECK_OK(seccomp_call(SECCOMP_GET_ACTION_AVAIL, 0, &all[i]));
	CHECK_ERR(seccomp_call(SECCOMP_GET_ACTION_AVAIL, 0, &unknown), EOPNOTSUPP);
	CHECK_ERR(seccomp_call(SECCOMP_GET_ACTION_AVAIL, 1, &all[0]), EINVAL);
	CHECK_ERR(seccomp_call(SECCOMP_GET_ACTION_AVAIL, 0, NULL), EFAULT);
	text[read_file("/proc/sys/kernel/seccomp/actions_avail", text, sizeof(text))] = '\0';
	CHECK_STR(text, "kill_process kill_thread trap errno user_notif trace log allow\n");
}

TEST(actions_logged_can_be_set)
{
	static const char path[] = "/proc/sys/kernel/seccomp/actions_logged";
	char before[256], text[256];
	int fd;

	if (!getenv("TEST_VM"))
		SKIP("changes a setting of the whole machine");
	before[read_file(path, before, sizeof(before))] = '\0';
	CHECK_STR(before, "kill_process kill_thread trap errno user_notif trace log\n");
	write_file(path, "log kill_process");
	text[read_file(path, text, sizeof(text))] = '\0';
	CHECK_STR(text, "kill_process log\n");
	fd = (int)CHECK_OK(open(path, O_WRONLY));
	CHECK_ERR(write(fd, "allow", 5), EINVAL);
	CHECK_ERR(write(fd, "log nonsense", 12), EINVAL);
	text[read_file(path, text, sizeof(text))] = '\0';
	CHECK_STR(text, "kill_process log\n");
	close(fd);
	write_file(path, before);
}

TEST(strict_mode_leaves_four_calls)
{
	pid_t pid = test_fork();

	if (!pid) {
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0))
			_exit(1);
		syscall(SYS_write, -1, "", 0);
		syscall(SYS_exit, 7);
	}
	CHECK_EXITS(pid, 7);
	pid = test_fork();
	if (!pid) {
		seccomp_call(SECCOMP_SET_MODE_STRICT, 0, NULL);
		parent();
		syscall(SYS_exit, 7);
	}
	CHECK_EQ(test_reap(pid), SIGKILL);
}

TEST(errno_and_its_bounds)
{
	static const int given[] = {0, 1, ENOENT, 4095, 4096, 0xffff};

	no_new_privs();
	for (size_t i = 0; i < ARRAY_SIZE(given); i++)
		IN_CHILD {
			VERDICT(SYS_getppid, SECCOMP_RET_ERRNO | given[i]);
			if (!given[i])
				CHECK_EQ(parent(), 0);
			else
				CHECK_ERR(parent(), given[i] < 4095 ? given[i] : 4095);
		}
}

static siginfo_t trap_info;
static greg_t trap_rax, trap_rip;

static void on_sigsys(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;

	(void)sig;
	trap_info = *info;
	trap_rax = uc->uc_mcontext.gregs[REG_RAX];
	trap_rip = uc->uc_mcontext.gregs[REG_RIP];
	uc->uc_mcontext.gregs[REG_RAX] = 1234;
}

TEST(trap_tells_of_the_call)
{
	struct sigaction act = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};

	no_new_privs();
	CHECK_OK(sigaction(SIGSYS, &act, NULL));
	VERDICT(SYS_getppid, SECCOMP_RET_TRAP | 77);
	CHECK_EQ(parent(), 1234);
	CHECK_EQ(trap_info.si_signo, SIGSYS);
	CHECK_EQ(trap_info.si_code, 1); /* SYS_SECCOMP */
	CHECK_EQ(trap_info.si_errno, 77);
	CHECK_EQ(trap_info.si_syscall, SYS_getppid);
	CHECK_EQ(trap_info.si_arch, AUDIT_ARCH_X86_64);
	CHECK_EQ((u64)trap_info.si_call_addr, (u64)trap_rip);
	CHECK_EQ(trap_rax, SYS_getppid);
}

TEST(trap_that_nobody_handles_kills)
{
	no_new_privs();
	for (int how = 0; how < 3; how++) {
		pid_t pid = test_fork();
		sigset_t set;

		if (!pid) {
			setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
			if (how == 1)
				signal(SIGSYS, SIG_IGN);
			sigemptyset(&set);
			sigaddset(&set, SIGSYS);
			if (how == 2)
				sigprocmask(SIG_BLOCK, &set, NULL);
			VERDICT(SYS_getppid, SECCOMP_RET_TRAP);
			parent();
			_exit(1);
		}
		CHECK_KILLED(pid, SIGSYS);
	}
}

static void *call_parent(void *unused)
{
	(void)unused;
	parent();
	return NULL;
}

static int with_thread(u32 verdict)
{
	pid_t pid = test_fork();
	pthread_t t;

	if (!pid) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		signal(SIGSYS, SIG_IGN);
		VERDICT(SYS_getppid, verdict);
		CHECK(!pthread_create(&t, NULL, call_parent, NULL));
		sleep_ms(300);
		_exit(9);
	}
	return test_reap(pid);
}

TEST(kill_thread_and_process)
{
	pid_t pid;

	no_new_privs();
	CHECK_EQ(with_thread(SECCOMP_RET_KILL_THREAD), 9 << 8);
	CHECK_EQ(with_thread(SECCOMP_RET_KILL_PROCESS) & 0x7f, SIGSYS);
	CHECK_EQ(with_thread(0x00010000) & 0x7f, SIGSYS); /* an action that nobody knows */
	pid = test_fork();
	if (!pid) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		VERDICT(SYS_getppid, SECCOMP_RET_KILL_THREAD); /* of the last thread */
		parent();
		_exit(1);
	}
	CHECK_KILLED(pid, SIGSYS);
}

TEST(log_and_trace)
{
	no_new_privs();
	VERDICT(SYS_getppid, SECCOMP_RET_LOG);
	CHECK_EQ(parent(), getppid());
	VERDICT(SYS_getuid, SECCOMP_RET_TRACE | 5);
	CHECK_ERR(syscall(SYS_getuid), ENOSYS);
}

/* The strictest verdict counts, whatever the order of the filters. */
TEST(precedence)
{
	static const u32 order[] = {SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_TRACE, SECCOMP_RET_LOG,
				    SECCOMP_RET_ALLOW};
	static const int result[] = {EPERM, ENOSYS, 0, 0};

	no_new_privs();
	for (size_t a = 0; a < ARRAY_SIZE(order); a++)
		for (size_t b = 0; b < ARRAY_SIZE(order); b++)
			IN_CHILD {
				int want = result[a < b ? a : b];

				VERDICT(SYS_getppid, order[a]);
				VERDICT(SYS_getppid, order[b]);
				if (want)
					CHECK_ERR(parent(), want);
				else
					CHECK_OK(parent());
			}
	/* Of equal ones the youngest gives the data. */
	VERDICT(SYS_getppid, SECCOMP_RET_ERRNO | 1);
	VERDICT(SYS_getppid, SECCOMP_RET_ERRNO | 2);
	CHECK_ERR(parent(), 2);
}

/* Both halves of every argument, the address and the architecture reach the filter. */
TEST(filters_see_the_arguments)
{
	long args[6] = {0x1122334455667788, 0x2233445566778899, 0x33445566778899aa,
			0x445566778899aabb, 0x5566778899aabbcc, 0x66778899aabbccdd};

	no_new_privs();
	for (int i = 0; i < 12; i++)
		IN_CHILD {
			u32 word = (u32)(args[i / 2] >> (i % 2 ? 32 : 0));

			FILTER(LOAD(NR_WORD), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0),
			       RETURN(SECCOMP_RET_ALLOW), LOAD(ARG_WORD(0) + 4 * i), ON(word, 0x50007),
			       RETURN(SECCOMP_RET_ALLOW));
			CHECK_ERR(syscall(SYS_getppid, args[0], args[1], args[2], args[3], args[4], args[5]),
				  7);
			CHECK_OK(syscall(SYS_getppid, 1, 2, 3, 4, 5, 6));
		}
	FILTER(LOAD(4), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
	       RETURN(SECCOMP_RET_KILL_PROCESS), LOAD(NR_WORD),
	       BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0), RETURN(SECCOMP_RET_ALLOW),
	       LOAD(8), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 9));
	CHECK_ERR(parent(), 9);
}

/* Programs that use everything else that the language has. */
TEST(arithmetic_slots_and_index)
{
	no_new_privs();
	/* (arg0 * 3 + 5) ^ arg1, through a slot and X, is 0x2a for 7 and 0x30. */
	FILTER(LOAD(NR_WORD), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0),
	       RETURN(SECCOMP_RET_ALLOW), LOAD(ARG_WORD(1)), BPF_STMT(BPF_ST, 15), LOAD(ARG_WORD(0)),
	       BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 3), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 5),
	       BPF_STMT(BPF_LDX | BPF_MEM, 15), BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
	       BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO), BPF_STMT(BPF_RET | BPF_A, 0));
	CHECK_ERR(syscall(SYS_getppid, 7, 0x30), 0x2a);
	CHECK_ERR(syscall(SYS_getppid, 1, 0), 8);
}

/* Division by a zero in X ends the program with 0: kill. */
TEST(division_by_zero_kills)
{
	pid_t pid = test_fork();

	if (!pid) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		no_new_privs();
		FILTER(LOAD(NR_WORD), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0),
		       RETURN(SECCOMP_RET_ALLOW), LOAD(ARG_WORD(0)), BPF_STMT(BPF_MISC | BPF_TAX, 0),
		       BPF_STMT(BPF_LD | BPF_IMM, 9), BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
		       RETURN(SECCOMP_RET_ALLOW));
		if (syscall(SYS_getppid, 1) < 0)
			_exit(2);
		syscall(SYS_getppid, 0);
		_exit(1);
	}
	CHECK_KILLED(pid, SIGSYS);
}

static int status_line(const char *key)
{
	char text[8192], *p;

	text[read_file("/proc/self/status", text, sizeof(text) - 1)] = '\0';
	p = strstr(text, key);
	CHECK(p);
	return atoi(p + strlen(key));
}

HELPER(inherited)
{
	CHECK_ERR(parent(), 5);
	CHECK_EQ(prctl(PR_GET_SECCOMP, 0, 0, 0, 0), SECCOMP_MODE_FILTER);
	CHECK_EQ(status_line("\nSeccomp:\t"), 2);
	CHECK_EQ(status_line("\nSeccomp_filters:\t"), 2);
	CHECK_EQ(status_line("\nNoNewPrivs:\t"), 1);
	return 0;
}

TEST(inherited_by_fork_and_exec)
{
	pid_t pid;

	CHECK_EQ(status_line("\nSeccomp:\t"), 0);
	CHECK_EQ(status_line("\nSeccomp_filters:\t"), 0);
	no_new_privs();
	VERDICT(SYS_getppid, SECCOMP_RET_ERRNO | 5);
	IN_CHILD {
		CHECK_ERR(parent(), 5);
		VERDICT(SYS_getuid, SECCOMP_RET_ERRNO | 6);
		pid = test_fork();
		if (!pid) {
			execl(test_self, test_self, "--helper", "inherited", NULL);
			_exit(127);
		}
		CHECK_EXITS(pid, 0);
	}
	CHECK_EQ(status_line("\nSeccomp_filters:\t"), 1);
	CHECK_OK(syscall(SYS_getuid)); /* the child's own filter is the child's */
}

TEST(modes_do_not_mix)
{
	no_new_privs();
	FILTER(RETURN(SECCOMP_RET_ALLOW));
	CHECK_ERR(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0), EINVAL);
	CHECK_ERR(seccomp_call(SECCOMP_SET_MODE_STRICT, 0, NULL), EINVAL);
	CHECK_EQ(prctl(PR_GET_SECCOMP, 0, 0, 0, 0), SECCOMP_MODE_FILTER);
}

TEST(filters_add_up_to_a_limit)
{
	static struct sock_filter f[4096];
	int n = 0;

	no_new_privs();
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	while (n < 100 && filter_set(f, ARRAY_SIZE(f), 0) == 0)
		n++;
	CHECK_EQ(errno, ENOMEM);
	CHECK(n >= 3 && n <= 8); /* Linux counts what it has translated */
	CHECK_OK(parent());
	CHECK_EQ(status_line("\nSeccomp_filters:\t"), n);
}

/* ---- all threads together ---- */

static volatile int stage, tsync_errno, tsync_nnp;
static volatile pid_t other_tid;

static void wait_stage(int n)
{
	while (stage < n)
		sleep_ms(1);
}

static void *follower(void *diverge)
{
	other_tid = (pid_t)syscall(SYS_gettid);
	if (diverge)
		FILTER(RETURN(SECCOMP_RET_ALLOW));
	stage = 1;
	wait_stage(2);
	errno = 0;
	parent();
	tsync_errno = errno;
	tsync_nnp = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	stage = 3;
	return NULL;
}

TEST(tsync_takes_all_threads_along)
{
	pthread_t t;

	CHECK(!pthread_create(&t, NULL, follower, NULL));
	wait_stage(1);
	no_new_privs();
	CHECK_EQ(FILTER_FLAGS(SECCOMP_FILTER_FLAG_TSYNC, LOAD(NR_WORD),
			      ON(SYS_getppid, SECCOMP_RET_ERRNO | 8), RETURN(SECCOMP_RET_ALLOW)), 0);
	stage = 2;
	wait_stage(3);
	CHECK_EQ(tsync_errno, 8);
	CHECK_EQ(tsync_nnp, 1);
	CHECK_ERR(parent(), 8);
}

TEST(tsync_names_a_thread_in_the_way)
{
	pthread_t t;

	no_new_privs();
	CHECK(!pthread_create(&t, NULL, follower, (void *)1));
	wait_stage(1);
	FILTER(RETURN(SECCOMP_RET_ALLOW));
	CHECK_EQ(FILTER_FLAGS(SECCOMP_FILTER_FLAG_TSYNC, RETURN(SECCOMP_RET_ERRNO | 8)), other_tid);
	CHECK_ERR(FILTER_FLAGS(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
			       RETURN(SECCOMP_RET_ERRNO | 8)), ESRCH);
	stage = 2;
	wait_stage(3);
	CHECK_EQ(tsync_errno, 0);
	CHECK_OK(parent());
}

static volatile bool racing;

static void *spin_calls(void *unused)
{
	(void)unused;
	while (racing) {
		errno = 0;
		if (parent() < 0 && errno != 8)
			FAIL("errno %d", errno);
	}
	return NULL;
}

/* Threads come, go and call while filters are laid over all of them. */
TEST(tsync_races_with_calls_and_threads)
{
	pthread_t t[4], brief;

	no_new_privs();
	racing = true;
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&t[i], NULL, spin_calls, NULL));
	for (int i = 0; i < SCALE(60, 400); i++) {
		CHECK(!pthread_create(&brief, NULL, call_parent, NULL));
		CHECK_EQ(FILTER_FLAGS(SECCOMP_FILTER_FLAG_TSYNC, LOAD(NR_WORD),
				      ON(SYS_getppid, SECCOMP_RET_ERRNO | 8),
				      RETURN(SECCOMP_RET_ALLOW)), 0);
		CHECK(!pthread_join(brief, NULL));
	}
	racing = false;
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(t[i], NULL));
}
