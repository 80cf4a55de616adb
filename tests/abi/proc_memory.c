/* /proc about address spaces, tasks and the machine: what tools read and programs rely on. */
#include "test.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/prctl.h>

static char *pages(int n)
{
	char *p = mmap(NULL, n * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	madvise(p, n * 4096, MADV_NOHUGEPAGE);
	return p;
}

/* The value in kB of a line of smaps about the area that begins at p. */
static long smaps_kib(const void *p, const char *key)
{
	static char buf[1 << 18];
	char want[32], *at;

	read_file("/proc/self/smaps", buf, sizeof(buf));
	sprintf(want, "%lx-", (long)p);
	at = strstr(buf, want);
	CHECK(at);
	at = strstr(at, key);
	CHECK(at);
	return atol(at + strlen(key));
}

TEST(smaps_counts_what_is_touched)
{
	char *p = pages(16);

	mprotect(p + 15 * 4096, 4096, PROT_NONE); /* keeps neighbours apart */
	for (int i = 0; i < 5; i++)
		p[i * 4096] = 1;
	CHECK_EQ(smaps_kib(p, "\nSize:"), 60);
	CHECK_EQ(smaps_kib(p, "\nRss:"), 20);
	CHECK_EQ(smaps_kib(p, "\nPss:"), 20);
	CHECK_EQ(smaps_kib(p, "\nPrivate_Dirty:"), 20);
	CHECK_EQ(smaps_kib(p, "\nAnonymous:"), 20);
	CHECK_EQ(smaps_kib(p, "\nSwap:"), 0);
	IN_CHILD {
		CHECK_EQ(smaps_kib(p, "\nPss:"), 10); /* shared with the parent */
		CHECK_EQ(smaps_kib(p, "\nShared_Dirty:"), 20);
		p[0] = 2;
		CHECK_EQ(smaps_kib(p, "\nPrivate_Dirty:"), 4);
	}
}

/* A list longer than any buffer: in one piece, in small ones, by steps back and jumps ahead. */
TEST(maps_reads_the_same_in_pieces)
{
	enum { AREAS = 400, ROOM = 128 * 1024 };
	static char whole[ROOM], pieces[ROOM], piece[5000];
	char *p = mmap(NULL, AREAS * 2 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = CHECK_OK(open("/proc/self/maps", O_RDONLY));
	ssize_t n, len = 0, at = 0;

	CHECK(p != MAP_FAILED);
	for (int i = 0; i < AREAS; i++)
		CHECK_OK(mprotect(p + i * 2 * 4096, 4096, PROT_NONE));
	while ((n = CHECK_OK(read(fd, whole + len, ROOM - len))) > 0)
		len += n;
	CHECK(len > AREAS * 2 * 40 && len < ROOM);
	CHECK_OK(lseek(fd, 0, SEEK_SET));
	while ((n = CHECK_OK(read(fd, pieces + at, 333))) > 0)
		at += n;
	CHECK_EQ(at, len);
	CHECK(!memcmp(whole, pieces, len));
	for (int i = 0; i < 20; i++) {
		at = (len - 1) * ((i * 7) % 20) / 19;
		n = CHECK_OK(pread(fd, piece, sizeof(piece), at));
		CHECK(n > 0);
		CHECK(!memcmp(whole + at, piece, n));
	}
	CHECK_EQ(pread(fd, piece, sizeof(piece), len), 0);
	CHECK_EQ(pread(fd, piece, sizeof(piece), len + 100000), 0);
	CHECK_EQ(pread(fd, piece, 10, 0), 10);
	CHECK(!memcmp(whole, piece, 10));
}

TEST(smaps_rollup_sums_up)
{
	char buf[4096];
	long rss, pss;

	read_file("/proc/self/smaps_rollup", buf, sizeof(buf));
	CHECK_EQ(strstr(buf, "[rollup]\n") - buf, 73); /* the column of names */
	rss = atol(strstr(buf, "Rss:") + 4);
	pss = atol(strstr(buf, "Pss:") + 4);
	CHECK(rss > 0 && pss > 0 && pss <= rss);
	CHECK(strstr(buf, "\nPss_Anon:") && strstr(buf, "\nPss_File:") && strstr(buf, "\nPss_Shmem:"));
}

TEST(pagemap_tells_presence_and_hides_frames)
{
	char *p = pages(4);
	int fd = CHECK_OK(open("/proc/self/pagemap", O_RDONLY));
	off_t at = (unsigned long)p / 4096 * 8;
	u64 w[4];

	p[0] = p[4096 * 2] = 1;
	CHECK_EQ(pread(fd, w, sizeof(w), at), sizeof(w));
	CHECK_EQ(w[0] >> 63, 1);
	CHECK_EQ(w[1] & ~(1ULL << 55), 0); /* but for the soft-dirty bit */
	CHECK_EQ(w[2] >> 63, 1);
	CHECK_EQ(w[0] >> 61 & 1, 0);
	CHECK_ERR(pread(fd, w, 8, at + 1), EINVAL);
	CHECK_ERR(pread(fd, w, 7, at), EINVAL);
	CHECK_EQ(pread(fd, w, 8, 1LL << 50), 0);
	close(fd);
	if (geteuid())
		return;
	IN_CHILD {
		become(1000, 1000);
		CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
		fd = CHECK_OK(open("/proc/self/pagemap", O_RDONLY));
		CHECK_EQ(pread(fd, w, 8, at), 8);
		CHECK_EQ(w[0] & ((1ULL << 55) - 1), 0);
	}
}

TEST(clear_refs_forgets_use)
{
	char *p = pages(3);
	int fd = CHECK_OK(open("/proc/self/clear_refs", O_WRONLY));

	mprotect(p + 2 * 4096, 4096, PROT_NONE);
	p[0] = p[4096] = 1;
	CHECK_EQ(smaps_kib(p, "\nReferenced:"), 8);
	CHECK_EQ(write(fd, "1", 1), 1);
	CHECK_EQ(smaps_kib(p, "\nReferenced:"), 0);
	CHECK_EQ(*(volatile char *)p, 1);
	CHECK_EQ(write(fd, "5\n", 2), 2);
	CHECK_ERR(write(fd, "9", 1), EINVAL);
	CHECK_ERR(write(fd, "x", 1), EINVAL);
}

TEST(children_are_listed_by_the_thread_that_made_them)
{
	char path[64], buf[256], want[16];
	pid_t a = test_fork(), b;

	if (a == 0)
		pause();
	b = test_fork();
	if (b == 0)
		pause();
	sprintf(path, "/proc/self/task/%d/children", getpid());
	read_file(path, buf, sizeof(buf));
	sprintf(want, "%d %d ", a, b);
	CHECK_STR(buf, want);
	kill(a, SIGKILL);
	kill(b, SIGKILL);
}

TEST(oom_score_follows_its_adjustment)
{
	char buf[32];
	long before, after;

	read_file("/proc/self/oom_score", buf, sizeof(buf));
	before = atol(buf);
	CHECK(before >= 0);
	write_file("/proc/self/oom_score_adj", "500");
	read_file("/proc/self/oom_score_adj", buf, sizeof(buf));
	CHECK_STR(buf, "500\n");
	read_file("/proc/self/oom_score", buf, sizeof(buf));
	after = atol(buf);
	CHECK(after > before + 200);
	IN_CHILD {
		read_file("/proc/self/oom_score_adj", buf, sizeof(buf));
		CHECK_STR(buf, "500\n");
	}
}

TEST(syscall_shows_where_a_task_sleeps)
{
	char path[64], buf[256];
	pid_t pid = test_fork();

	if (pid == 0)
		pause();
	wait_state(pid, "S");
	sprintf(path, "/proc/%d/syscall", pid);
	read_file(path, buf, sizeof(buf));
	CHECK_EQ(atoi(buf), SYS_pause);
	read_file("/proc/self/syscall", buf, sizeof(buf));
	CHECK(buf[0] == '0' && atoi(buf) == SYS_read); /* one's own, though it runs */
	kill(pid, SIGKILL);
}

TEST(wchan_and_stack_name_functions_and_no_addresses)
{
	char path[64], buf[4096];
	pid_t pid = test_fork(), parent = getpid();

	if (pid == 0)
		pause();
	wait_state(pid, "S");
	sprintf(path, "/proc/%d/wchan", pid);
	read_file(path, buf, sizeof(buf));
	CHECK(strcmp(buf, "") && !strstr(buf, "ffff"));
	read_file("/proc/self/wchan", buf, sizeof(buf));
	CHECK_STR(buf, "0");
	if (!geteuid() && getenv("TEST_VM")) {
		sprintf(path, "/proc/%d/stack", pid);
		read_file(path, buf, sizeof(buf));
		CHECK(!strncmp(buf, "[<0>] ", 6));
		CHECK(!strstr(buf, "ffffffff"));
		IN_CHILD {
			become(1000, 1000);
			sprintf(path, "/proc/%d/wchan", parent);
			read_file(path, buf, sizeof(buf));
			CHECK_STR(buf, "0");
			CHECK(open("/proc/self/stack", O_RDONLY) < 0 ||
			      read(3, buf, sizeof(buf)) < 0);
		}
	}
	kill(pid, SIGKILL);
}

TEST(files_about_others_are_guarded)
{
	static const char *const secret[] = { "smaps", "smaps_rollup", "pagemap", "syscall", "maps",
					      "environ", "auxv", "mountstats" };
	char path[64], buf[64];
	pid_t parent = getpid();

	if (geteuid())
		SKIP("needs root");
	IN_CHILD {
		become(1000, 1000);
		for (size_t i = 0; i < ARRAY_SIZE(secret); i++) {
			int fd;

			sprintf(path, "/proc/%d/%s", parent, secret[i]);
			fd = open(path, O_RDONLY);
			if (fd >= 0 && read(fd, buf, sizeof(buf)) >= 0)
				FAIL("%s can be read", path);
		}
		sprintf(path, "/proc/%d/oom_score", parent);
		read_file(path, buf, sizeof(buf));
		sprintf(path, "/proc/%d/clear_refs", parent);
		CHECK_ERR(open(path, O_WRONLY), EACCES);
	}
}

TEST(timer_slack_can_be_set)
{
	char buf[32];

	write_file("/proc/self/timerslack_ns", "12345");
	read_file("/proc/self/timerslack_ns", buf, sizeof(buf));
	CHECK_STR(buf, "12345\n");
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 12345);
}

TEST(machine_tables_have_their_form)
{
	char buf[65536];

	read_file("/proc/vmstat", buf, sizeof(buf));
	CHECK(!strncmp(buf, "nr_free_pages ", 14));
	read_file("/proc/devices", buf, sizeof(buf));
	CHECK(strstr(buf, "Character devices:\n"));
	CHECK(strstr(buf, "\n  1 mem\n"));
	CHECK(strstr(buf, "\nBlock devices:\n"));
	read_file("/proc/swaps", buf, sizeof(buf));
	CHECK(!strncmp(buf, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n", 38));
	read_file("/proc/self/mountstats", buf, sizeof(buf));
	CHECK(strstr(buf, " with fstype proc"));
	read_file("/proc/tty/drivers", buf, sizeof(buf));
	CHECK(strstr(buf, "/dev/pts"));
	if (!geteuid()) {
		read_file("/proc/slabinfo", buf, sizeof(buf));
		CHECK(!strncmp(buf, "slabinfo - version: 2.1\n# name ", 31));
	}
}

TEST(every_file_of_self_can_be_read_or_says_why)
{
	static char buf[1 << 20];
	DIR *d = opendir("/proc/self");
	struct dirent *e;

	CHECK(d);
	while ((e = readdir(d))) {
		int fd;

		if (e->d_type != DT_REG || !strcmp(e->d_name, "mem"))
			continue;
		fd = openat(dirfd(d), e->d_name, O_RDONLY | O_NONBLOCK);
		if (fd < 0) {
			CHECK(errno == EACCES || errno == EPERM);
			continue;
		}
		if (read(fd, buf, sizeof(buf)) < 0 && errno != EINVAL && errno != EPERM &&
		    errno != EACCES && errno != EOPNOTSUPP)
			FAIL("%s: errno %d", e->d_name, errno);
		close(fd);
	}
	closedir(d);
}

static bool sees(pid_t pid)
{
	DIR *d = opendir("proc");
	struct dirent *e;
	bool found = false;

	CHECK(d);
	while ((e = readdir(d)))
		found |= atoi(e->d_name) == pid;
	closedir(d);
	return found;
}

static void mount_proc(const char *options)
{
	CHECK_OK(mount("proc", "proc", "proc", MS_REMOUNT, options));
}

TEST(hidepid_hides_other_peoples_processes)
{
	char path[64], buf[4096];
	pid_t parent = getpid();
	struct stat st;

	if (geteuid() || !getenv("TEST_VM"))
		SKIP("mounts");
	CHECK_OK(mkdir("proc", 0755));
	CHECK_OK(mount("proc", "proc", "proc", 0, NULL));
	CHECK_OK(chmod(".", 0755));
	sprintf(path, "proc/%d", parent);
	mount_proc("hidepid=1");
	read_file("/proc/mounts", buf, sizeof(buf));
	CHECK(strstr(buf, ",hidepid=noaccess"));
	IN_CHILD {
		become(1000, 1000);
		CHECK(sees(parent));
		CHECK_OK(stat(path, &st));
		strcat(path, "/stat");
		CHECK_ERR(open(path, O_RDONLY), EPERM);
		CHECK_OK(open("proc/self/stat", O_RDONLY));
	}
	mount_proc("hidepid=invisible");
	IN_CHILD {
		become(1000, 1000);
		CHECK(!sees(parent));
		CHECK(sees(getpid()));
		CHECK_ERR(stat(path, &st), ENOENT);
		strcat(path, "/stat");
		CHECK_ERR(open(path, O_RDONLY), ENOENT);
	}
	mount_proc("hidepid=2,gid=1000");
	IN_CHILD {
		become(1000, 1000);
		CHECK(sees(parent));
		CHECK_OK(stat(path, &st));
	}
	CHECK_ERR(mount("proc", "proc", "proc", MS_REMOUNT, "hidepid=3"), EINVAL);
	CHECK_ERR(mount("proc", "proc", "proc", MS_REMOUNT, "nonsense=1"), EINVAL);
	mount_proc("hidepid=0,gid=0");
	CHECK_OK(umount("proc"));
}
