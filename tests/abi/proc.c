/* procfs: the files programs parse, and that they tell the truth. */
#include "test.h"

#include <dirent.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>

static char buf[65536], path[128];

static long field(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	if (!p)
		FAIL("no %s", key);
	return atol(p + strlen(key));
}

static pid_t sleeper(void)
{
	pid_t pid = test_fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	test_reap(pid);
}

TEST(self_links_to_the_caller)
{
	char want[16], got[16] = "";

	snprintf(want, sizeof(want), "%d", getpid());
	CHECK_OK(readlink("/proc/self", got, sizeof(got) - 1));
	CHECK_STR(got, want);
}

TEST(directories_come_and_go_with_processes)
{
	pid_t pid = sleeper();
	struct stat st;
	bool found = false;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	CHECK_OK(stat(path, &st));
	CHECK(S_ISDIR(st.st_mode));
	d = opendir("/proc");
	CHECK(d);
	while ((e = readdir(d)))
		found |= atoi(e->d_name) == pid;
	CHECK(found);
	end(pid);
	CHECK_ERR(stat(path, &st), ENOENT);
	CHECK_ERR(stat("/proc/0", &st), ENOENT);
	CHECK_ERR(stat("/proc/01", &st), ENOENT);
	CHECK_ERR(stat("/proc/4000000", &st), ENOENT);
}

TEST(stat_line)
{
	pid_t pid = sleeper(), v[6];
	char comm[32], state;

	wait_state(pid, "S");
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	read_file(path, buf, sizeof(buf));
	CHECK_EQ(sscanf(buf, "%d (%31[^)]) %c %d %d %d %d %d", &v[0], comm, &state, &v[1], &v[2],
			&v[3], &v[4], &v[5]), 8);
	CHECK_EQ(v[0], pid);
	CHECK_STR(comm, "proc");
	CHECK_EQ(state, 'S');
	CHECK_EQ(v[1], getpid());
	CHECK_EQ(v[2], getpgrp());
	CHECK_EQ(v[3], getsid(0));
	int fields = 1;
	for (char *p = buf; *p; p++)
		fields += *p == ' ';
	CHECK_EQ(fields, 52);
	end(pid);
}

TEST(status_lines)
{
	static const char *const keys[] = {
		"Name:\tproc\n", "\nUmask:\t0022\n", "\nState:\tR (running)\n", "\nTgid:\t", "\nPid:\t",
		"\nPPid:\t", "\nTracerPid:\t0\n", "\nUid:\t", "\nGid:\t", "\nGroups:\t", "\nVmSize:\t",
		"\nVmRSS:\t", "\nThreads:\t1\n", "\nSigQ:\t", "\nSigPnd:\t0000000000000000\n",
		"\nSigBlk:\t", "\nSigIgn:\t", "\nSigCgt:\t", "\nCapInh:\t", "\nCapPrm:\t",
		"\nCapEff:\t", "\nCapBnd:\t", "\nNoNewPrivs:\t0\n", "\nSeccomp:\t0\n",
	};
	sigset_t set;

	read_file("/proc/self/status", buf, sizeof(buf));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strstr(buf, keys[i]))
			FAIL("no line %s", keys[i]);
	CHECK_EQ(field(buf, "\nPid:\t"), getpid());
	CHECK_EQ(field(buf, "\nPPid:\t"), getppid());
	CHECK_EQ(field(buf, "\nUid:\t"), getuid());
	CHECK(field(buf, "\nVmSize:\t") > 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGUSR1);
	read_file("/proc/self/status", buf, sizeof(buf));
	CHECK(strstr(buf, "\nShdPnd:\t0000000000000200\n"));
	CHECK(strstr(buf, "\nSigBlk:\t0000000000000200\n"));
}

TEST(cmdline_environ_comm_exe_cwd_root)
{
	char here[256], link[256] = "";
	pid_t pid = test_fork();
	size_t n;

	if (pid == 0) {
		char *argv[] = { test_self, "--helper", "hold", "a b", "", NULL };
		char *envp[] = { "X=1", "Y=2", NULL };

		execve(test_self, argv, envp);
		_exit(1);
	}
	for (int i = 0; i < 5000; i++) {
		snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
		n = read_file(path, buf, sizeof(buf));
		if (n > 6 && !memcmp(buf + n - 5, "a b\0", 5))
			break;
		sleep_ms(1);
	}
	CHECK_EQ(n, strlen(test_self) + 1 + 9 + 5 + 4 + 1);
	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	CHECK_EQ(read_file(path, buf, sizeof(buf)), 8);
	CHECK(!memcmp(buf, "X=1\0Y=2", 8));
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	CHECK_OK(readlink(path, link, sizeof(link) - 1));
	CHECK_STR(link, test_self);
	snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
	memset(link, 0, sizeof(link));
	CHECK_OK(readlink(path, link, sizeof(link) - 1));
	CHECK(getcwd(here, sizeof(here)));
	CHECK_STR(link, here);
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	CHECK_EQ(readlink(path, link, sizeof(link)), 1);
	end(pid);
}

HELPER(hold)
{
	for (;;)
		pause();
	return 0;
}

TEST(maps_lists_areas)
{
	char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char line[80], want_path[300];
	int fd;

	CHECK_OK(mprotect(p + 4096, 4096, PROT_READ));
	write_file("mapped", "x");
	fd = CHECK_OK(open("mapped", O_RDONLY));
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	read_file("/proc/self/maps", buf, sizeof(buf));
	snprintf(line, sizeof(line), "%lx-%lx r--p 00000000 00:00 0", (long)p + 4096, (long)p + 8192);
	CHECK(strstr(buf, line));
	CHECK(strstr(buf, "[stack]\n"));
	CHECK(strstr(buf, "r-xp "));
	CHECK(realpath("mapped", want_path));
	CHECK(strstr(buf, want_path));
	CHECK(strstr(buf, " r--s 00000000 "));
}

TEST(statm_matches_status)
{
	long size, rss, shared;

	read_file("/proc/self/statm", buf, sizeof(buf));
	CHECK_EQ(sscanf(buf, "%ld %ld %ld", &size, &rss, &shared), 3);
	CHECK(size > 0 && rss > 0 && rss <= size && shared <= rss);
	read_file("/proc/self/status", buf, sizeof(buf));
	CHECK(labs(field(buf, "\nVmSize:\t") - size * 4) <= 64);
}

TEST(fd_directory_and_links)
{
	char link[256] = "", want[256];
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600)), p[2], n = 0, seen = 0;
	struct dirent *e;
	DIR *d;

	CHECK_OK(pipe(p));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_OK(readlink(path, link, sizeof(link) - 1));
	CHECK(realpath("f", want));
	CHECK_STR(link, want);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
	memset(link, 0, sizeof(link));
	CHECK_OK(readlink(path, link, sizeof(link) - 1));
	CHECK(!strncmp(link, "pipe:[", 6));
	d = opendir("/proc/self/fd");
	CHECK(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.') {
			n++;
			seen += atoi(e->d_name) == fd;
		}
	CHECK(seen == 1 && n >= 4);
	CHECK_OK(unlink("f"));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	memset(link, 0, sizeof(link));
	CHECK_OK(readlink(path, link, sizeof(link) - 1));
	CHECK(strstr(link, "/f (deleted)"));
	CHECK_EQ(write(CHECK_OK(open(path, O_WRONLY)), "x", 1), 1);
	CHECK_ERR(open("/proc/self/fd/700", O_RDONLY), ENOENT);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	read_file(path, buf, sizeof(buf));
	CHECK_EQ(field(buf, "pos:\t"), 0);
	CHECK(strstr(buf, "flags:\t0100002\n") || strstr(buf, "flags:\t0100102\n") ||
	      strstr(buf, "flags:\t02\n"));
}

TEST(task_directory_lists_threads)
{
	int n = 0;
	struct dirent *e;
	DIR *d = opendir("/proc/self/task");

	CHECK(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.') {
			CHECK_EQ(atoi(e->d_name), getpid());
			n++;
		}
	CHECK_EQ(n, 1);
}

TEST(meminfo_uptime_loadavg)
{
	struct sysinfo si;
	double up, idle, l[3];
	int running, total, last;

	read_file("/proc/meminfo", buf, sizeof(buf));
	CHECK_OK(sysinfo(&si));
	CHECK_EQ(field(buf, "MemTotal:"), si.totalram * si.mem_unit / 1024);
	CHECK(field(buf, "\nMemFree:") > 0);
	CHECK(field(buf, "\nMemAvailable:") > 0);
	CHECK(field(buf, "\nCached:") >= 0);
	CHECK(field(buf, "\nSwapTotal:") >= 0);
	read_file("/proc/uptime", buf, sizeof(buf));
	CHECK_EQ(sscanf(buf, "%lf %lf\n", &up, &idle), 2);
	CHECK(up - (double)now_ns(CLOCK_BOOTTIME) / 1e9 < 1);
	read_file("/proc/loadavg", buf, sizeof(buf));
	CHECK_EQ(sscanf(buf, "%lf %lf %lf %d/%d %d\n", &l[0], &l[1], &l[2], &running, &total, &last),
		 6);
	CHECK(running >= 1 && total >= running);
}

TEST(meminfo_counts_names_as_reclaimable)
{
	enum { FILES = 3000 };
	char path[64];
	double before;

	CHECK_OK(mkdir("/tmp/names", 0700));
	read_file("/proc/meminfo", buf, sizeof(buf));
	CHECK(field(buf, "\nSReclaimable:") > 0);
	CHECK_EQ(field(buf, "\nSReclaimable:") + field(buf, "\nSUnreclaim:"), field(buf, "\nSlab:"));
	before = field(buf, "\nSReclaimable:");
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "/tmp/names/%d", i);
		CHECK_OK(mknod(path, S_IFREG | 0600, 0));
	}
	read_file("/proc/meminfo", buf, sizeof(buf));
	CHECK(field(buf, "\nSReclaimable:") - before > FILES * 128 / 1024);
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "/tmp/names/%d", i);
		CHECK_OK(unlink(path));
	}
	CHECK_OK(rmdir("/tmp/names"));
}

TEST(stat_and_cpuinfo_list_cpus)
{
	long cpus = 0, v[7];

	read_file("/proc/stat", buf, sizeof(buf));
	CHECK_EQ(sscanf(buf, "cpu  %ld %ld %ld %ld %ld %ld %ld", &v[0], &v[1], &v[2], &v[3], &v[4],
			&v[5], &v[6]), 7);
	CHECK(strstr(buf, "\ncpu0 ") && strstr(buf, "\nctxt ") && strstr(buf, "\nintr "));
	CHECK(field(buf, "\nprocesses ") > 0);
	CHECK(field(buf, "\nbtime ") > 1600000000);
	for (char *p = buf; (p = strstr(p, "\ncpu")); p++)
		cpus++;
	read_file("/proc/cpuinfo", buf, sizeof(buf));
	for (char *p = buf; (p = strstr(p, "processor\t: ")); p++)
		cpus--;
	CHECK_EQ(cpus, 0);
	CHECK(strstr(buf, "vendor_id\t: ") && strstr(buf, "model name\t: "));
	CHECK(strstr(buf, "flags\t\t: fpu "));
}

TEST(filesystems_version_and_cmdline)
{
	read_file("/proc/filesystems", buf, sizeof(buf));
	CHECK(strstr(buf, "nodev\tproc\n") && strstr(buf, "nodev\ttmpfs\n"));
	read_file("/proc/version", buf, sizeof(buf));
	CHECK(!strncmp(buf, "Linux version ", 14));
	read_file("/proc/cmdline", buf, sizeof(buf));
	CHECK(strchr(buf, '\n'));
}

TEST(sysctl_basics)
{
	static const char *const numbers[] = { "kernel/pid_max", "kernel/threads-max", "fs/file-max",
					       "kernel/randomize_va_space", "vm/overcommit_memory",
					       "fs/pipe-max-size", "kernel/ngroups_max",
					       "kernel/cap_last_cap" };

	read_file("/proc/sys/kernel/ostype", buf, sizeof(buf));
	CHECK_STR(buf, "Linux\n");
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		snprintf(path, sizeof(path), "/proc/sys/%s", numbers[i]);
		read_file(path, buf, sizeof(buf));
		CHECK(buf[0] >= '0' && buf[0] <= '9' && strchr(buf, '\n'));
	}
	read_file("/proc/sys/kernel/random/boot_id", buf, sizeof(buf));
	CHECK_EQ(strlen(buf), 37);
}

TEST(procfs_refuses_changes)
{
	CHECK_ERR(mkdir("/proc/new", 0755), ENOENT);
	CHECK_ERR(open("/proc/new", O_CREAT | O_WRONLY, 0600), ENOENT);
	CHECK_ERR(unlink("/proc/self/stat"), EPERM);
	CHECK_ERR(rmdir("/proc/self/fd"), EPERM);
}

TEST(others_secrets_are_closed)
{
	pid_t pid;
	char link[64];

	if (geteuid())
		SKIP("needs root");
	pid = sleeper();
	IN_CHILD {
		become(7, 7);
		snprintf(path, sizeof(path), "/proc/%d/environ", pid);
		CHECK_ERR(open(path, O_RDONLY), EACCES);
		snprintf(path, sizeof(path), "/proc/%d/maps", pid);
		CHECK_ERR(open(path, O_RDONLY), EACCES);
		snprintf(path, sizeof(path), "/proc/%d/fd", pid);
		CHECK_ERR(open(path, O_RDONLY), EACCES);
		snprintf(path, sizeof(path), "/proc/%d/exe", pid);
		CHECK_ERR(readlink(path, link, sizeof(link)), EACCES);
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		read_file(path, buf, sizeof(buf));
		snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
		read_file(path, buf, sizeof(buf));
	}
	end(pid);
}

TEST(reads_at_odd_offsets_agree)
{
	char whole[4096], parts[4096];
	size_t n = 0, got = 0;
	int fd = CHECK_OK(open("/proc/self/limits", O_RDONLY));
	ssize_t r;

	n = read_file("/proc/self/limits", whole, sizeof(whole));
	while ((r = CHECK_OK(pread(fd, parts + got, 7, got))) > 0)
		got += r;
	CHECK_EQ(got, n);
	CHECK(!memcmp(whole, parts, n));
}
