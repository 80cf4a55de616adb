/*
 * /proc/sys: permissions, number grammar, bounds, positions, and that the settings take effect.
 * Everything that changes a setting runs in a virtual machine only and puts it back.
 */
#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "test.h"

#ifndef F_SETPIPE_SZ
#define F_SETPIPE_SZ 1031
#endif

static char buf[4096];

static void need_vm(void)
{
	if (geteuid() != 0 || !getenv("TEST_VM"))
		SKIP("changes settings of the whole system: only in a virtual machine");
}

static const char *get(const char *name)
{
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	fd = (int)CHECK_OK(open(path, O_RDONLY));
	n = CHECK_OK(read(fd, buf, sizeof(buf) - 1));
	close(fd);
	buf[n] = 0;
	if (n && buf[n - 1] == '\n')
		buf[n - 1] = 0;
	return buf;
}

/* One write; its value, or -errno. */
static long set_len(const char *name, const char *value, size_t len)
{
	char path[128];
	int fd;
	long n;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	fd = (int)CHECK_OK(open(path, O_WRONLY));
	n = write(fd, value, len);
	n = n < 0 ? -errno : n;
	close(fd);
	return n;
}

static long set(const char *name, const char *value)
{
	return set_len(name, value, strlen(value));
}

static void as_user(void)
{
	CHECK_OK(setgid(1000));
	CHECK_OK(setuid(1000));
}

TEST(sysctl_modes_are_linuxs)
{
	static const struct {
		const char *name;
		mode_t mode;
	} want[] = {
		{"fs/protected_symlinks", 0644},    {"fs/protected_hardlinks", 0644},
		{"fs/protected_fifos", 0644},	    {"fs/protected_regular", 0644},
		{"fs/file-max", 0644},		    {"fs/nr_open", 0644},
		{"fs/pipe-max-size", 0644},	    {"fs/file-nr", 0444},
		{"vm/overcommit_memory", 0644},	    {"vm/max_map_count", 0644},
		{"kernel/pid_max", 0644},	    {"kernel/threads-max", 0644},
		{"kernel/core_pattern", 0644},	    {"kernel/randomize_va_space", 0644},
		{"kernel/hostname", 0644},	    {"kernel/ostype", 0444},
	};
	struct stat st;
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		snprintf(path, sizeof(path), "/proc/sys/%s", want[i].name);
		CHECK_OK(stat(path, &st));
		CHECK_EQ(st.st_mode, S_IFREG | want[i].mode);
		CHECK_EQ(st.st_uid, 0);
	}
}

TEST(sysctl_permission_ignores_capabilities)
{
	need_vm();
	/* Root with all capabilities cannot open what has no bit for it. */
	CHECK_ERR(open("/proc/sys/kernel/ostype", O_WRONLY), EACCES);
	CHECK_ERR(access("/proc/sys/kernel/ostype", W_OK), EACCES);
	CHECK_ERR(chmod("/proc/sys/kernel/hostname", 0666), EPERM);
	CHECK_ERR(chown("/proc/sys/kernel/hostname", 1, 1), EPERM);
	IN_CHILD {
		int fd = (int)CHECK_OK(open("/proc/sys/fs/pipe-max-size", O_WRONLY));

		as_user();
		CHECK_ERR(open("/proc/sys/fs/pipe-max-size", O_WRONLY), EACCES);
		CHECK_OK(open("/proc/sys/fs/pipe-max-size", O_RDONLY));
		/* The writer is judged, not who opened it. */
		CHECK_ERR(write(fd, "1048576", 7), EPERM);
		_exit(0);
	}
}

TEST(sysctl_number_grammar)
{
	need_vm();
	CHECK_EQ(set("kernel/randomize_va_space", "1"), 1);
	CHECK_STR(get("kernel/randomize_va_space"), "1");
	CHECK_EQ(set("kernel/randomize_va_space", "  0x2\n"), 6);
	CHECK_STR(get("kernel/randomize_va_space"), "2");
	CHECK_EQ(set("kernel/randomize_va_space", "01\n"), 3);
	CHECK_STR(get("kernel/randomize_va_space"), "1");
	CHECK_EQ(set("kernel/randomize_va_space", "2x"), -EINVAL);
	CHECK_EQ(set("kernel/randomize_va_space", "x"), -EINVAL);
	CHECK_EQ(set("kernel/randomize_va_space", "\n"), -EINVAL);
	CHECK_EQ(set("kernel/randomize_va_space", "-"), -EINVAL);
	CHECK_EQ(set("kernel/randomize_va_space", "4294967296"), -EINVAL);
	CHECK_EQ(set("kernel/randomize_va_space", ""), 0);
	CHECK_STR(get("kernel/randomize_va_space"), "1");
	/* What follows the number is left for the next write, which is ignored. */
	CHECK_EQ(set("kernel/randomize_va_space", "2 17"), 2);
	CHECK_STR(get("kernel/randomize_va_space"), "2");
}

TEST(sysctl_later_positions_are_ignored)
{
	int fd;

	need_vm();
	fd = (int)CHECK_OK(open("/proc/sys/kernel/randomize_va_space", O_RDWR));
	CHECK_EQ(CHECK_OK(pwrite(fd, "1", 1, 1)), 1);
	CHECK_STR(get("kernel/randomize_va_space"), "2");
	CHECK_EQ(CHECK_OK(write(fd, "2\n", 2)), 2);
	CHECK_EQ(CHECK_OK(write(fd, "1\n", 2)), 2);
	CHECK_STR(get("kernel/randomize_va_space"), "2");
	close(fd);
}

TEST(sysctl_bounds)
{
	static const struct {
		const char *name, *low, *high;
	} bad[] = {
		{"fs/protected_symlinks", "-1", "2"}, {"fs/protected_regular", "-1", "3"},
		{"vm/overcommit_memory", "-1", "3"},  {"kernel/pid_max", "300", "4194305"},
		{"kernel/threads-max", "0", "4294967295"}, {"vm/max_map_count", "-1", "2147483648"},
		{"fs/nr_open", "63", "2147483647"},   {"fs/pipe-max-size", "-1", "4294967295"},
	};
	char old[64];

	need_vm();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		strcpy(old, get(bad[i].name));
		CHECK_EQ(set(bad[i].name, bad[i].low), -EINVAL);
		CHECK_EQ(set(bad[i].name, bad[i].high), -EINVAL);
		CHECK_STR(get(bad[i].name), old);
		CHECK_EQ(set(bad[i].name, old), (long)strlen(old));
		CHECK_STR(get(bad[i].name), old);
	}
}

TEST(sysctl_texts)
{
	char old[128], name[100];
	struct utsname u;
	int fd;

	need_vm();
	strcpy(old, get("kernel/hostname"));
	CHECK_EQ(set("kernel/hostname", "first\nsecond"), 12);
	CHECK_STR(get("kernel/hostname"), "first");
	CHECK_OK(uname(&u));
	CHECK_STR(u.nodename, "first");
	fd = (int)CHECK_OK(open("/proc/sys/kernel/hostname", O_WRONLY));
	CHECK_EQ(CHECK_OK(write(fd, "ab", 2)), 2);
	CHECK_EQ(CHECK_OK(write(fd, "cd", 2)), 2);
	CHECK_STR(get("kernel/hostname"), "abcd");
	CHECK_EQ(CHECK_OK(pwrite(fd, "zz", 2, 40)), 2);
	CHECK_STR(get("kernel/hostname"), "abcd");
	close(fd);
	memset(name, 'n', sizeof(name));
	CHECK_EQ(set_len("kernel/hostname", name, sizeof(name)), (long)sizeof(name));
	CHECK_EQ(strlen(get("kernel/hostname")), 64);
	set("kernel/hostname", old);
	strcpy(old, get("kernel/core_pattern"));
	CHECK_EQ(set("kernel/core_pattern", "/tmp/core.%p\n"), 13);
	CHECK_STR(get("kernel/core_pattern"), "/tmp/core.%p");
	set("kernel/core_pattern", old);
}

TEST(sysctl_protected_symlinks_obeyed)
{
	need_vm();
	CHECK_OK(mkdir("sticky", 0));
	CHECK_OK(chmod("sticky", 01777));
	CHECK_OK(chmod(".", 0755));
	CHECK_OK(close(open("file", O_CREAT | O_WRONLY, 0644)));
	CHECK_OK(symlink("../file", "sticky/link"));
	CHECK_OK(lchown("sticky/link", 1001, 1001));
	CHECK_EQ(set("fs/protected_symlinks", "1"), 1);
	CHECK_ERR(open("sticky/link", O_RDONLY), EACCES);
	CHECK_EQ(set("fs/protected_symlinks", "0"), 1);
	CHECK_OK(open("sticky/link", O_RDONLY));
	CHECK_EQ(set("fs/protected_symlinks", "1"), 1);
}

TEST(sysctl_pipe_max_size_obeyed)
{
	char old[32];
	int p[2];

	need_vm();
	strcpy(old, get("fs/pipe-max-size"));
	CHECK_EQ(set("fs/pipe-max-size", "100000"), 6);
	CHECK_STR(get("fs/pipe-max-size"), "131072");
	CHECK_EQ(set("fs/pipe-max-size", "1"), 1);
	CHECK_STR(get("fs/pipe-max-size"), "4096");
	IN_CHILD {
		as_user();
		CHECK_OK(pipe(p));
		CHECK_EQ(CHECK_OK(fcntl(p[0], 1032)), 4096);
		CHECK_ERR(fcntl(p[0], F_SETPIPE_SZ, 8192), EPERM);
		_exit(0);
	}
	CHECK_EQ(set("fs/pipe-max-size", "0"), 1);
	CHECK_STR(get("fs/pipe-max-size"), "4096");
	set("fs/pipe-max-size", old);
}

TEST(sysctl_file_max_obeyed)
{
	char old[32];
	int p[2];

	need_vm();
	strcpy(old, get("fs/file-max"));
	IN_CHILD {
		int back = (int)CHECK_OK(open("/proc/sys/fs/file-max", O_WRONLY));

		CHECK_EQ(set("fs/file-max", "1"), 1);
		CHECK_OK(setresuid(1000, 1000, 0));
		for (int i = 0; i < 500; i++) /* Linux counts in batches */
			if (open("/", O_RDONLY) < 0)
				break;
		CHECK_ERR(open("/", O_RDONLY), ENFILE);
		CHECK_ERR(pipe(p), ENFILE);
		CHECK_OK(seteuid(0));
		CHECK_OK(close(open("/", O_RDONLY)));
		CHECK_EQ(CHECK_OK(write(back, old, strlen(old))), (long)strlen(old));
		_exit(0);
	}
	CHECK_STR(get("fs/file-max"), old);
}

TEST(sysctl_nr_open_obeyed)
{
	struct rlimit r = {1025, 1025};
	char old[32];

	need_vm();
	strcpy(old, get("fs/nr_open"));
	IN_CHILD {
		CHECK_EQ(set("fs/nr_open", "1024"), 4);
		CHECK_ERR(setrlimit(RLIMIT_NOFILE, &r), EPERM);
		r.rlim_max = r.rlim_cur = 1024;
		CHECK_OK(setrlimit(RLIMIT_NOFILE, &r));
		_exit(0);
	}
	CHECK_EQ(set("fs/nr_open", old), (long)strlen(old));
}

TEST(sysctl_max_map_count_obeyed)
{
	char old[32];

	need_vm();
	strcpy(old, get("vm/max_map_count"));
	IN_CHILD {
		int i;

		CHECK_EQ(set("vm/max_map_count", "50"), 2);
		for (i = 0; i < 60; i++)
			if (mmap(NULL, 4096, i & 1 ? PROT_READ : PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
				break;
		CHECK(i < 60 && errno == ENOMEM);
		_exit(0);
	}
	CHECK_EQ(set("vm/max_map_count", old), (long)strlen(old));
}

TEST(sysctl_overcommit_obeyed)
{
	const size_t huge = 1UL << 40;
	char old[32];
	void *p;

	need_vm();
	strcpy(old, get("vm/overcommit_memory"));
	CHECK_EQ(set("vm/overcommit_memory", "0"), 1);
	CHECK(mmap(NULL, huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	      MAP_FAILED);
	CHECK_EQ(set("vm/overcommit_memory", "1"), 1);
	p = mmap(NULL, huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK_OK(munmap(p, huge));
	CHECK_EQ(set("vm/overcommit_memory", "2"), 1);
	/* Three quarters of the memory at once: more than half of it cannot be promised. */
	p = mmap(NULL, (size_t)sysconf(_SC_PHYS_PAGES) * 4096 / 4 * 3, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK_EQ(set("vm/overcommit_memory", old), (long)strlen(old));
	CHECK(p == MAP_FAILED);
}

TEST(sysctl_pid_max_obeyed)
{
	char old[32];

	need_vm();
	strcpy(old, get("kernel/pid_max"));
	CHECK_EQ(set("kernel/pid_max", "400"), 3);
	for (int i = 0; i < 150; i++) {
		pid_t pid = (pid_t)CHECK_OK(vfork());

		if (pid == 0)
			_exit(0);
		CHECK(pid < 400);
		CHECK_EXITS(pid, 0);
	}
	CHECK_EQ(set("kernel/pid_max", old), (long)strlen(old));
}

TEST(sched_rt_runtime_us)
{
	char before[32];

	need_vm();
	snprintf(before, sizeof(before), "%s", get("kernel/sched_rt_runtime_us"));
	CHECK_EQ(set("kernel/sched_rt_runtime_us", "-2"), -EINVAL);
	CHECK_EQ(set("kernel/sched_rt_runtime_us", "1000001"), -EINVAL); /* above sched_rt_period_us */
	CHECK_EQ(set("kernel/sched_rt_runtime_us", "-1"), 2);
	CHECK_STR(get("kernel/sched_rt_runtime_us"), "-1");
	CHECK_EQ(set("kernel/sched_rt_runtime_us", before), (long)strlen(before));
}
