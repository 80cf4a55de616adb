/* Resource limits, prctl, personality, usage, system information. */
#include "test.h"

#include <linux/prctl.h>
#include <sys/personality.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>

extern int prctl(int, ...);

TEST(limits_have_sane_defaults)
{
	struct rlimit l;

	for (int i = 0; i < 16; i++) {
		CHECK_OK(getrlimit(i, &l));
		CHECK(l.rlim_cur <= l.rlim_max);
	}
	CHECK_OK(getrlimit(RLIMIT_STACK, &l));
	CHECK(l.rlim_cur >= 1 << 20);
	CHECK_ERR(getrlimit(16, &l), EINVAL);
	CHECK_ERR(syscall(SYS_getrlimit, RLIMIT_CPU, 8), EFAULT);
}

TEST(soft_limit_moves_under_the_hard_one)
{
	if (geteuid())
		SKIP("needs root");
	IN_CHILD {
		struct rlimit l = { 100, 200 };

		CHECK_OK(setrlimit(RLIMIT_NOFILE, &l));
		l.rlim_cur = 201;
		CHECK_ERR(setrlimit(RLIMIT_NOFILE, &l), EINVAL);
		become(1000, 1000);
		l = (struct rlimit){ 100, 201 };
		CHECK_ERR(setrlimit(RLIMIT_NOFILE, &l), EPERM);
		l = (struct rlimit){ 150, 150 };
		CHECK_OK(setrlimit(RLIMIT_NOFILE, &l));
		l.rlim_max = 200;
		CHECK_ERR(setrlimit(RLIMIT_NOFILE, &l), EPERM);
	}
}

TEST(prlimit_reads_and_sets_another_process)
{
	struct rlimit old, new = { 64, 64 };
	pid_t pid = test_fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	CHECK_OK(prlimit(pid, RLIMIT_NOFILE, &new, &old));
	CHECK(old.rlim_cur > 64);
	CHECK_OK(prlimit(pid, RLIMIT_NOFILE, NULL, &old));
	CHECK_EQ(old.rlim_cur, 64);
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &old));
	CHECK(old.rlim_cur > 64);
	CHECK_ERR(prlimit(0x3ffffff, RLIMIT_NOFILE, NULL, &old), ESRCH);
	CHECK_ERR(prlimit(0, 16, NULL, &old), EINVAL);
	kill(pid, SIGKILL);
	test_reap(pid);
}

TEST(limits_are_inherited_across_fork_and_exec)
{
	struct rlimit l = { 123, 456 };

	IN_CHILD {
		CHECK_OK(setrlimit(RLIMIT_NOFILE, &l));
		execl(test_self, test_self, "--helper", "nofile_is_123", NULL);
		FAIL("exec");
	}
}

HELPER(nofile_is_123)
{
	struct rlimit l;

	getrlimit(RLIMIT_NOFILE, &l);
	return l.rlim_cur != 123 || l.rlim_max != 456;
}

TEST(nofile_bounds_new_descriptors)
{
	IN_CHILD {
		struct rlimit l = { 10, 1024 };

		CHECK_OK(setrlimit(RLIMIT_NOFILE, &l));
		while (dup(1) >= 0)
			;
		CHECK_EQ(errno, EMFILE);
		CHECK_ERR(open("/", O_RDONLY), EMFILE);
		CHECK_ERR(pipe((int[2]){ 0 }), EMFILE);
		CHECK_ERR(dup2(1, 10), EBADF);
		CHECK_ERR(fcntl(1, F_DUPFD, 10), EINVAL);
		CHECK_OK(close(9));
		CHECK_EQ(dup(1), 9);
	}
}

TEST(fsize_sends_sigxfsz_and_cuts_writes)
{
	IN_CHILD {
		struct rlimit l = { 10, 10 };
		int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

		CHECK_OK(setrlimit(RLIMIT_FSIZE, &l));
		CHECK_EQ(write(fd, "0123456789abc", 13), 10);
		signal(SIGXFSZ, SIG_IGN);
		CHECK_ERR(write(fd, "x", 1), EFBIG);
		CHECK_ERR(ftruncate(fd, 11), EFBIG);
		CHECK_OK(ftruncate(fd, 5));
		signal(SIGXFSZ, SIG_DFL);
		IN_CHILD {
			pid_t pid = test_fork();

			if (pid == 0) {
				lseek(fd, 10, SEEK_SET);
				_exit(write(fd, "x", 1));
			}
			CHECK_KILLED(pid, SIGXFSZ);
		}
	}
}

static volatile int nr_xfsz;

static void on_xfsz(int sig)
{
	(void)sig;
	nr_xfsz++;
}

/* The file's system decides: tmpfs counts what is allocated beyond the size, too. */
TEST(fsize_limits_fallocate)
{
	IN_CHILD {
		struct rlimit l = { 8192, 8192 };
		int fd = CHECK_OK(memfd_create("f", 0));

		CHECK_OK(setrlimit(RLIMIT_FSIZE, &l));
		signal(SIGXFSZ, on_xfsz);
		CHECK_ERR(fallocate(fd, 0, 8192, 1), EFBIG);
		CHECK_EQ(nr_xfsz, 1);
		CHECK_ERR(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8193), EFBIG);
		CHECK_EQ(nr_xfsz, 2);
		CHECK_OK(fallocate(fd, 0, 0, 8192));
		CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 1 << 20));
		CHECK_EQ(nr_xfsz, 2);
	}
}

TEST(cpu_limit_kills)
{
	pid_t pid = test_fork();

	if (pid == 0) {
		struct rlimit l = { 1, 2 };

		setrlimit(RLIMIT_CPU, &l);
		for (volatile int i = 0;; i++)
			;
	}
	CHECK_KILLED(pid, SIGXCPU);
}

TEST(as_limit_refuses_maps)
{
	IN_CHILD {
		struct rlimit l = { 64 << 20, 64 << 20 };

		CHECK_OK(setrlimit(RLIMIT_AS, &l));
		CHECK_ERR(mmap(NULL, 128 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			  ENOMEM);
		CHECK_OK(mmap(NULL, 16 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	}
}

TEST(data_limit_stops_brk)
{
	IN_CHILD {
		struct rlimit l = { 1 << 20, 1 << 20 };
		unsigned long now = syscall(SYS_brk, 0);

		CHECK_OK(setrlimit(RLIMIT_DATA, &l));
		CHECK_EQ(syscall(SYS_brk, now + (4 << 20)), now);
	}
}

TEST(process_name)
{
	char name[17] = "", path[64];

	CHECK_OK(prctl(PR_SET_NAME, "sixteen-is-too-long"));
	CHECK_OK(prctl(PR_GET_NAME, name));
	CHECK_STR(name, "sixteen-is-too-");
	read_file("/proc/self/comm", path, sizeof(path));
	CHECK_STR(path, "sixteen-is-too-\n");
	CHECK_ERR(prctl(PR_SET_NAME, 8), EFAULT);
}

TEST(prctl_tells_the_tid_address)
{
	int tid;
	int *where = NULL;

	CHECK_OK(syscall(SYS_set_tid_address, &tid));
	CHECK_OK(prctl(PR_GET_TID_ADDRESS, &where));
	CHECK_EQ((long)where, (long)&tid);
	IN_CHILD { /* a plain fork clears nothing */
		CHECK_OK(prctl(PR_GET_TID_ADDRESS, &where));
		CHECK_EQ((long)where, 0);
	}
}

static int tsc_mode(void)
{
	int mode = -1;

	CHECK_OK(prctl(PR_GET_TSC, &mode));
	return mode;
}

static void read_tsc(void)
{
	__asm__ volatile("rdtsc" ::: "rax", "rdx");
}

/* The counter can be taken away, from this thread and from the children it makes then. */
TEST(prctl_takes_the_tsc_away)
{
	pid_t pid;

	CHECK_EQ(tsc_mode(), PR_TSC_ENABLE);
	CHECK_ERR(prctl(PR_SET_TSC, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_TSC, 3), EINVAL);
	read_tsc();
	pid = test_fork();
	if (pid == 0) {
		CHECK_OK(prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
		CHECK_EQ(tsc_mode(), PR_TSC_SIGSEGV);
		pid = test_fork();
		if (pid == 0) {
			CHECK_EQ(tsc_mode(), PR_TSC_SIGSEGV);
			syscall(SYS_sched_yield);
			read_tsc();
			_exit(0);
		}
		CHECK_KILLED(pid, SIGSEGV);
		CHECK_OK(prctl(PR_SET_TSC, PR_TSC_ENABLE));
		read_tsc();
		_exit(0);
	}
	for (int i = 0; i < 100; i++) { /* our own is not affected */
		read_tsc();
		syscall(SYS_sched_yield);
	}
	CHECK_EXITS(pid, 0);
}

TEST(strict_seccomp_takes_the_tsc_away)
{
	pid_t pid = test_fork();

	if (pid == 0) {
		if (prctl(PR_SET_SECCOMP, 1 /* SECCOMP_MODE_STRICT */, 0, 0, 0))
			_exit(1);
		read_tsc();
		syscall(SYS_exit, 0);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(prctl_pdeathsig_dumpable_and_unknown)
{
	int sig = -1;

	CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
	CHECK_OK(prctl(PR_GET_PDEATHSIG, &sig));
	CHECK_EQ(sig, SIGUSR1);
	IN_CHILD {
		CHECK_OK(prctl(PR_GET_PDEATHSIG, &sig));
		CHECK_EQ(sig, 0);
	}
	CHECK_ERR(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
	CHECK_OK(prctl(PR_SET_DUMPABLE, 0));
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
	CHECK_ERR(prctl(PR_SET_DUMPABLE, 2), EINVAL);
	CHECK_ERR(prctl(0x7fffffff), EINVAL);
}

TEST(timer_slack_and_subreaper)
{
	int v = -1;

	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	CHECK_OK(prctl(PR_GET_CHILD_SUBREAPER, &v));
	CHECK_EQ(v, 1);
	CHECK(prctl(PR_GET_TIMERSLACK) > 0);
}

TEST(personality_round_trip)
{
	CHECK_EQ(personality(0xffffffff), 0);
	CHECK_EQ(personality(ADDR_NO_RANDOMIZE), 0);
	CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE);
	IN_CHILD CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE);
}

TEST(uname_is_linux)
{
	struct utsname u;

	CHECK_OK(uname(&u));
	CHECK_STR(u.sysname, "Linux");
	CHECK_STR(u.machine, "x86_64");
	CHECK(atoi(u.release) >= 6);
	CHECK(u.version[0] && u.nodename[0]);
	CHECK_ERR(uname((void *)8), EFAULT);
}

TEST(hostname_needs_privilege_and_sane_length)
{
	struct utsname u;

	if (geteuid())
		SKIP("needs root");
	CHECK_OK(uname(&u));
	CHECK_OK(sethostname(u.nodename, strlen(u.nodename)));
	CHECK_ERR(sethostname(u.nodename, 65), EINVAL);
	CHECK_ERR(sethostname(u.nodename, -1), EINVAL);
	CHECK_ERR(sethostname((char *)8, 4), EFAULT);
	IN_CHILD {
		become(1000, 1000);
		CHECK_ERR(sethostname("x", 1), EPERM);
		CHECK_ERR(syscall(SYS_setdomainname, "x", 1), EPERM);
	}
}

TEST(sysinfo_adds_up)
{
	struct sysinfo si;

	memset(&si, 0, sizeof(si));
	CHECK_OK(sysinfo(&si));
	CHECK(si.mem_unit > 0 && si.procs > 0);
	CHECK(si.freeram <= si.totalram && si.totalram * si.mem_unit > 16 << 20);
	CHECK_ERR(sysinfo((void *)8), EFAULT);
}

static void burn(int ms)
{
	u64 end = now_ns(CLOCK_PROCESS_CPUTIME_ID) + ms * 1000000ull;

	while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < end)
		;
}

static u64 tv_us(struct timeval tv)
{
	return tv.tv_sec * 1000000ull + tv.tv_usec;
}

TEST(rusage_counts_cpu_and_faults)
{
	struct rusage before, after;
	volatile char *p = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK_OK(madvise((void *)p, 64 * 4096, MADV_NOHUGEPAGE) * 0);
	CHECK_OK(getrusage(RUSAGE_SELF, &before));
	for (int i = 0; i < 64; i++)
		p[i * 4096] = 1;
	burn(40);
	CHECK_OK(getrusage(RUSAGE_SELF, &after));
	CHECK(after.ru_minflt >= before.ru_minflt + 1);
	CHECK(tv_us(after.ru_utime) + tv_us(after.ru_stime) >=
	      tv_us(before.ru_utime) + tv_us(before.ru_stime) + 20000);
	CHECK_ERR(getrusage(99, &after), EINVAL);
	CHECK_ERR(getrusage(RUSAGE_SELF, (void *)8), EFAULT);
}

TEST(rusage_children_counts_the_reaped_only)
{
	struct rusage ru;
	pid_t pid = test_fork();

	if (pid == 0) {
		burn(40);
		_exit(0);
	}
	wait_state(pid, "Z");
	CHECK_OK(getrusage(RUSAGE_CHILDREN, &ru));
	CHECK_EQ(tv_us(ru.ru_utime) + tv_us(ru.ru_stime), 0);
	test_reap(pid);
	CHECK_OK(getrusage(RUSAGE_CHILDREN, &ru));
	CHECK(tv_us(ru.ru_utime) + tv_us(ru.ru_stime) >= 20000);
}

TEST(times_counts_in_clock_ticks)
{
	struct tms tms;
	clock_t a, b;

	a = CHECK_OK(times(NULL));
	burn(60);
	b = CHECK_OK(times(&tms));
	CHECK(b - a >= 4);
	CHECK(tms.tms_utime + tms.tms_stime >= 3);
}

TEST(getrandom_fills_and_checks)
{
	u8 a[64] = { 0 }, b[64] = { 0 };

	CHECK_EQ(syscall(SYS_getrandom, a, sizeof(a), 0), sizeof(a));
	CHECK_EQ(syscall(SYS_getrandom, b, sizeof(b), 1), sizeof(b));
	CHECK(memcmp(a, b, sizeof(a)));
	CHECK_ERR(syscall(SYS_getrandom, a, 1, 0x80), EINVAL);
	CHECK_ERR(syscall(SYS_getrandom, 8, 1, 0), EFAULT);
	CHECK_EQ(syscall(SYS_getrandom, a, 0, 0), 0);
}

TEST(unknown_numbers_are_enosys)
{
	static const long nr[] = { 335, 400, 1000, 511, 512, 0x40000000, 0x7fffffff, -1, -4096 };

	for (size_t i = 0; i < ARRAY_SIZE(nr); i++)
		if (nr[i] != 335)
			CHECK_ERR(syscall(nr[i], 0, 0, 0, 0, 0, 0), ENOSYS);
}
