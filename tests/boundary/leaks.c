/*
 * Looks for kernel addresses and stale memory in everything that is copied out: result structures
 * with their padding, signal frames, procfs, fresh memory, the auxiliary vector.
 */
#include "attack.h"

#include <linux/stat.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/utsname.h>

/* In the upper half, but not one of the small negative numbers. */
static bool is_kernel_address(u64 v)
{
	return v >= 0xffff800000000000 && v < 0xffffffffff000000;
}

static void scan(const char *what, const void *p, size_t len)
{
	for (size_t i = 0; i + 8 <= len; i += 8) {
		u64 v;

		memcpy(&v, (const u8 *)p + i, 8);
		if (is_kernel_address(v))
			FAIL("%s: kernel address at offset %zu", what, i);
	}
}

static u8 out[8192] __attribute__((aligned(64)));

/* Call twice over different patterns: a byte that follows the pattern was not written. */
static void check_call(const char *name, long nr, long a, long b, long c, long d, size_t size)
{
	u8 *p = out;
	static u8 first[8192];

	for (int round = 0; round < 2; round++) {
		long args[4] = { a, b, c, d };

		memset(p, round ? 0xa5 : 0x5a, sizeof(out));
		for (int i = 0; i < 4; i++)
			if (args[i] == -77)
				args[i] = (long)p;
		if (syscall(nr, args[0], args[1], args[2], args[3], 0, 0) < 0) {
			if (errno == ENOSYS)
				return;
			FAIL("%s: errno %d", name, errno);
		}
		scan(name, p, size);
		if (round == 0)
			memcpy(first, p, size);
	}
	for (size_t i = 0; i < size; i++)
		if (first[i] == 0x5a && p[i] == 0xa5)
			FAIL("%s: byte %zu is not written", name, i);
	for (size_t i = size; i < sizeof(out); i++)
		if (p[i] != 0xa5)
			FAIL("%s: byte %zu beyond the end is written", name, i);
}

TEST(result_structures_are_written_whole)
{
	check_call("stat", SYS_stat, (long)"/", -77, 0, 0, 144);
	check_call("fstat", SYS_fstat, 1, -77, 0, 0, 144);
	check_call("statfs", SYS_statfs, (long)"/tmp", -77, 0, 0, sizeof(struct statfs));
	check_call("uname", SYS_uname, -77, 0, 0, 0, sizeof(struct utsname));
	check_call("sysinfo", SYS_sysinfo, -77, 0, 0, 0, 112);
	check_call("getrusage", SYS_getrusage, 0, -77, 0, 0, 144);
	check_call("times", SYS_times, -77, 0, 0, 0, sizeof(struct tms));
	check_call("getrlimit", SYS_getrlimit, RLIMIT_STACK, -77, 0, 0, 16);
	check_call("clock_gettime", SYS_clock_gettime, 0, -77, 0, 0, 16);
	check_call("getitimer", SYS_getitimer, 0, -77, 0, 0, 32);
	check_call("rt_sigaction", SYS_rt_sigaction, SIGUSR1, 0, -77, 8, 32);
	check_call("rt_sigprocmask", SYS_rt_sigprocmask, 0, 0, -77, 8, 8);
	check_call("sigaltstack", SYS_sigaltstack, 0, -77, 0, 0, 24);
	check_call("sched_rr_get_interval", SYS_sched_rr_get_interval, 0, -77, 0, 0, 16);
}

TEST(statx_is_written_whole)
{
	for (int round = 0; round < 2; round++) {
		memset(out, round ? 0xa5 : 0x5a, sizeof(out));
		CHECK_OK(syscall(SYS_statx, AT_FDCWD, "/", 0, 0xfff, out));
		scan("statx", out, 256);
		for (int i = 0; i < 256 - 8; i++)
			CHECK(memcmp(out + i, "\xa5\xa5\xa5\xa5\xa5\xa5\xa5", 7));
		CHECK_EQ(out[256], round ? 0xa5 : 0x5a);
	}
}

TEST(waitid_siginfo_is_clean)
{
	pid_t pid = test_fork();

	if (pid == 0)
		_exit(1);
	memset(out, 0x5a, 128);
	CHECK_OK(syscall(SYS_waitid, P_PID, pid, out, WEXITED, NULL));
	scan("siginfo", out, 128);
}

static void scan_frame(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;

	(void)sig;
	scan("siginfo", info, sizeof(*info));
	scan("ucontext", uc, 168 + 40 + 8);
	if (uc->uc_mcontext.fpregs)
		scan("fpstate", uc->uc_mcontext.fpregs, 512);
}

TEST(signal_frames_are_clean)
{
	struct sigaction act = { .sa_sigaction = scan_frame, .sa_flags = SA_SIGINFO };

	CHECK_OK(sigaction(SIGUSR1, &act, NULL));
	raise(SIGUSR1);
	kill(getpid(), SIGUSR1);
	sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 1 });
}

TEST(registers_after_a_call_are_clean)
{
	for (long nr = 0; nr < 12; nr++) {
		static const long nrs[] = { SYS_getppid, 999, SYS_getuid, SYS_uname, SYS_brk, SYS_fcntl,
					    SYS_close, SYS_getcwd, SYS_sched_yield, SYS_stat, SYS_umask,
					    SYS_alarm };
		u64 rax, rcx, rdx = 0, r8, r9, r10, r11;

		__asm__ volatile("xor %%r8d,%%r8d; xor %%r9d,%%r9d; xor %%r10d,%%r10d; syscall;"
				 "mov %%r8,%[r8]; mov %%r9,%[r9]; mov %%r10,%[r10]; mov %%r11,%[r11]"
				 : "=a"(rax), "=c"(rcx), "+d"(rdx), [r8] "=m"(r8), [r9] "=m"(r9),
				   [r10] "=m"(r10), [r11] "=m"(r11)
				 : "0"(nrs[nr]), "D"(-1l), "S"(0l)
				 : "r8", "r9", "r10", "r11", "memory");
		CHECK(!is_kernel_address(rax) && !is_kernel_address(rcx) && !is_kernel_address(r11));
		CHECK_EQ(rdx | r8 | r9 | r10, 0);
	}
}

/* Freed memory of the kernel or of others comes back as zeroes. */
TEST(fresh_memory_is_zero)
{
	for (int round = 0; round < 3; round++) {
		size_t len = 8 << 20;
		u64 *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		CHECK(p != MAP_FAILED);
		for (size_t i = 0; i < len / 8; i++) {
			if (p[i])
				FAIL("word %zu is not zero", i);
			p[i] = 0xdeadbeefdeadbeef;
		}
		munmap(p, len);
	}
}

TEST(fresh_file_blocks_are_zero)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(ftruncate(fd, 4 << 20));
	for (int off = 1; off < 4 << 20; off += sizeof(out)) {
		ssize_t n = CHECK_OK(pread(fd, out, sizeof(out), off));

		for (ssize_t i = 0; i < n; i++)
			CHECK_EQ(out[i], 0);
	}
}

TEST(initial_vector_registers_and_stack_are_clean)
{
	IN_CHILD {
		execl(test_self, test_self, "--helper", "scan_stack", NULL);
		FAIL("exec");
	}
}

HELPER(scan_stack)
{
	for (u8 *p = (u8 *)argv; ((u64)p & 4095) < 4088; p += 8) {
		u64 v;

		memcpy(&v, p, 8);
		if (is_kernel_address(v))
			return 1;
	}
	return 0;
}

TEST(procfs_tells_users_no_kernel_address)
{
	static const char *const names[] = {
		"/proc/self/stat", "/proc/self/status", "/proc/self/maps", "/proc/self/wchan",
		"/proc/self/stack", "/proc/self/syscall", "/proc/self/auxv", "/proc/modules",
		"/proc/kallsyms", "/proc/iomem", "/proc/timer_list", "/proc/interrupts",
		"/proc/cpuinfo", "/proc/meminfo", "/proc/slabinfo", "/proc/vmallocinfo", "/proc/mounts",
		"/proc/self/smaps", "/proc/net/tcp", "/proc/net/unix", "/proc/version", "/proc/cmdline",
	};

	if (geteuid() == 0)
		become(1000, 1000);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int fd = open(names[i], O_RDONLY);
		ssize_t n;

		if (fd < 0)
			continue;
		while ((n = read(fd, out, sizeof(out) - 1)) > 0) {
			out[n] = 0;
			if (!strcmp(names[i], "/proc/self/auxv")) {
				scan(names[i], out, n);
				continue;
			}
			for (char *p = (char *)out; (p = strstr(p, "ffff")); p++)
				if (strspn(p, "0123456789abcdef") >= 16 &&
				    strncmp(p, "ffffffffff600", 13) && strncmp(p, "ffffffffffff", 12))
					FAIL("%s: %.20s...", names[i], p);
		}
		close(fd);
	}
}
