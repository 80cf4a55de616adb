/* inotify: which events come, in which order, with which names; flags, limits, refusals. */
#include "test.h"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/uio.h>
#include <sys/xattr.h>

static int in;

/* What is queued, as text: "wd:NAMES[:name] …", a cookie as "+" when it equals the one before. */
static const char *seen(void)
{
	static const struct { u32 bit; const char *name; } names[] = {
		{ IN_ACCESS, "ACCESS" }, { IN_MODIFY, "MODIFY" }, { IN_ATTRIB, "ATTRIB" },
		{ IN_CLOSE_WRITE, "CLOSE_WRITE" }, { IN_CLOSE_NOWRITE, "CLOSE_NOWRITE" },
		{ IN_OPEN, "OPEN" }, { IN_MOVED_FROM, "FROM" }, { IN_MOVED_TO, "TO" },
		{ IN_CREATE, "CREATE" }, { IN_DELETE, "DELETE" }, { IN_DELETE_SELF, "DELETE_SELF" },
		{ IN_MOVE_SELF, "MOVE_SELF" }, { IN_UNMOUNT, "UNMOUNT" },
		{ IN_Q_OVERFLOW, "OVERFLOW" }, { IN_IGNORED, "IGNORED" }, { IN_ISDIR, "dir" },
	};
	static char text[8192], buf[8192] __attribute__((aligned(8)));
	ssize_t n = read(in, buf, sizeof(buf));
	char *t = text;
	u32 cookie = 0;

	*t = 0;
	if (n < 0) {
		CHECK_EQ(errno, EAGAIN);
		return text;
	}
	for (ssize_t at = 0; at < n;) {
		struct inotify_event *e = (void *)(buf + at);

		t += sprintf(t, "%s%d:", t == text ? "" : " ", e->wd);
		for (size_t i = 0, first = 1; i < ARRAY_SIZE(names); i++)
			if (e->mask & names[i].bit) {
				t += sprintf(t, "%s%s", first ? "" : "|", names[i].name);
				first = 0;
			}
		if (e->cookie)
			t += sprintf(t, "%s", e->cookie == cookie ? "+" : "*");
		cookie = e->cookie;
		if (e->len)
			t += sprintf(t, ":%s", e->name);
		at += sizeof(*e) + e->len;
	}
	return text;
}

#define SEEN(want) CHECK_STR(seen(), want)

static int watch(const char *path, u32 mask)
{
	return CHECK_OK(inotify_add_watch(in, path, mask));
}

static void setup(void)
{
	in = CHECK_OK(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
}

static void put(const char *name)
{
	close(CHECK_OK(open(name, O_CREAT | O_WRONLY, 0644)));
}

TEST(file_life_seen_by_directory)
{
	char c;
	int fd;

	setup();
	CHECK_EQ(watch(".", IN_ALL_EVENTS), 1);
	fd = CHECK_OK(open("f", O_CREAT | O_RDWR, 0644));
	SEEN("1:CREATE:f 1:OPEN:f");
	CHECK_EQ(write(fd, "abc", 3), 3);
	SEEN("1:MODIFY:f");
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	SEEN("1:ACCESS:f");
	CHECK_EQ(pread(fd, &c, 1, 3), 0);
	SEEN("");
	CHECK_OK(fchmod(fd, 0600));
	SEEN("1:ATTRIB:f");
	CHECK_OK(ftruncate(fd, 1));
	SEEN("1:MODIFY:f");
	CHECK_OK(close(fd));
	SEEN("1:CLOSE_WRITE:f");
	close(CHECK_OK(open("f", O_RDONLY)));
	SEEN("1:OPEN:f 1:CLOSE_NOWRITE:f");
	close(CHECK_OK(open("f", O_WRONLY | O_TRUNC)));
	const char *text = seen(); /* newer kernels tell of the open first */
	CHECK(!strcmp(text, "1:MODIFY:f 1:OPEN:f 1:CLOSE_WRITE:f") ||
	      !strcmp(text, "1:OPEN:f 1:MODIFY:f 1:CLOSE_WRITE:f"));
	CHECK_OK(close(CHECK_OK(open("f", O_PATH))));
	SEEN("");
	CHECK_OK(unlink("f"));
	SEEN("1:DELETE:f");
}

TEST(file_life_seen_by_itself)
{
	int fd;

	setup();
	put("f");
	CHECK_EQ(watch("f", IN_ALL_EVENTS), 1);
	fd = CHECK_OK(open("f", O_RDWR));
	CHECK_EQ(write(fd, "abc", 3), 3);
	SEEN("1:OPEN 1:MODIFY");
	CHECK_OK(link("f", "g"));
	SEEN("1:ATTRIB");
	CHECK_OK(unlink("g"));
	SEEN("1:ATTRIB");
	CHECK_OK(rename("f", "h"));
	SEEN("1:MOVE_SELF");
	CHECK_OK(unlink("h"));
	SEEN("1:ATTRIB");
	CHECK_OK(close(fd));
	SEEN("1:CLOSE_WRITE 1:DELETE_SELF 1:IGNORED");
	CHECK_ERR(inotify_rm_watch(in, 1), EINVAL);
}

TEST(both_watches_and_deletion)
{
	setup();
	put("f");
	CHECK_EQ(watch(".", IN_DELETE | IN_OPEN), 1);
	CHECK_EQ(watch("f", IN_DELETE_SELF | IN_ATTRIB | IN_OPEN), 2);
	close(CHECK_OK(open("f", O_RDONLY)));
	SEEN("1:OPEN:f 2:OPEN");
	CHECK_OK(unlink("f"));
	SEEN("2:ATTRIB 2:DELETE_SELF 2:IGNORED 1:DELETE:f");
}

TEST(names_that_come)
{
	setup();
	put("a");
	watch(".", IN_CREATE);
	CHECK_OK(mkdir("dir", 0700));
	CHECK_OK(symlink("x", "sym"));
	CHECK_OK(mkfifo("fifo", 0600));
	CHECK_OK(link("a", "hard"));
	SEEN("1:CREATE|dir:dir 1:CREATE:sym 1:CREATE:fifo 1:CREATE:hard");
	put("a");
	SEEN("");
}

TEST(directories)
{
	char buf[1000];
	int fd;

	setup();
	CHECK_OK(mkdir("d", 0700));
	CHECK_EQ(watch(".", IN_ALL_EVENTS), 1);
	CHECK_EQ(watch("d", IN_ALL_EVENTS), 2);
	fd = CHECK_OK(open("d", O_RDONLY));
	SEEN("1:OPEN|dir:d 2:OPEN|dir");
	CHECK_OK(syscall(SYS_getdents64, fd, buf, sizeof(buf)));
	SEEN("1:ACCESS|dir:d 2:ACCESS|dir");
	CHECK_OK(close(fd));
	SEEN("1:CLOSE_NOWRITE|dir:d 2:CLOSE_NOWRITE|dir");
	CHECK_OK(chmod("d", 0755));
	SEEN("1:ATTRIB|dir:d 2:ATTRIB|dir");
	CHECK_OK(rename("d", "e"));
	SEEN("1:FROM|dir*:d 1:TO|dir+:e 2:MOVE_SELF");
	CHECK_OK(rmdir("e"));
	SEEN("2:DELETE_SELF 2:IGNORED 1:DELETE|dir:e");
}

TEST(renames)
{
	setup();
	CHECK_OK(mkdir("a", 0700));
	CHECK_OK(mkdir("b", 0700));
	put("a/f");
	put("b/old");
	CHECK_EQ(watch("a", IN_MOVE), 1);
	CHECK_EQ(watch("b", IN_MOVE | IN_DELETE), 2);
	CHECK_EQ(watch("b/old", IN_ALL_EVENTS), 3);
	CHECK_OK(rename("a/f", "b/g"));
	SEEN("1:FROM*:f 2:TO+:g");
	CHECK_OK(rename("b/g", "b/old"));
	SEEN("2:FROM*:g 2:TO+:old 3:ATTRIB 3:DELETE_SELF 3:IGNORED");
	put("a/x");
	CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, "a/x", AT_FDCWD, "b/old", 2)); /* exchange */
	SEEN("1:FROM*:x 2:TO+:old 2:FROM*:old 1:TO+:x");
	CHECK_OK(link("a/x", "a/y"));
	CHECK_OK(rename("a/x", "a/y")); /* one file: nothing happens */
	SEEN("");
}

TEST(attributes)
{
	struct timespec both[2] = { { 1, 0 }, { 1, 0 } }, at[2] = { { 2, 0 }, { 0, UTIME_OMIT } },
			mt[2] = { { 0, UTIME_OMIT }, { 2, 0 } };

	setup();
	put("f");
	watch("f", IN_ALL_EVENTS);
	CHECK_OK(utimensat(AT_FDCWD, "f", both, 0));
	SEEN("1:ATTRIB");
	CHECK_OK(utimensat(AT_FDCWD, "f", at, 0));
	SEEN("1:ACCESS");
	CHECK_OK(utimensat(AT_FDCWD, "f", mt, 0));
	SEEN("1:MODIFY");
	CHECK_OK(chown("f", getuid(), getgid()));
	SEEN("1:ATTRIB");
	if (getuid() == 0) {
		CHECK_OK(setxattr("f", "trusted.x", "1", 1, 0));
		CHECK_OK(removexattr("f", "trusted.x"));
		SEEN("1:ATTRIB"); /* two equal ones are one */
	}
	CHECK_OK(truncate("f", 5));
	SEEN("1:MODIFY");
}

TEST(equal_events_merge)
{
	int fd;

	setup();
	put("f");
	fd = CHECK_OK(open("f", O_RDWR));
	watch(".", IN_MODIFY | IN_ACCESS);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(write(fd, "x", 1), 1);
	SEEN("1:MODIFY:f");
	for (int i = 0; i < 2; i++) {
		char c;

		CHECK_EQ(write(fd, "x", 1), 1);
		CHECK_EQ(pread(fd, &c, 1, 0), 1);
	}
	SEEN("1:MODIFY:f 1:ACCESS:f 1:MODIFY:f 1:ACCESS:f");
}

TEST(vectors_and_sendfile)
{
	struct iovec v = { (char[4]){ "abc" }, 3 };
	int fd, out;

	setup();
	put("f");
	put("g");
	fd = CHECK_OK(open("f", O_RDWR));
	out = CHECK_OK(open("g", O_RDWR));
	watch("f", IN_ACCESS | IN_MODIFY);
	watch("g", IN_ACCESS | IN_MODIFY);
	CHECK_EQ(writev(fd, &v, 1), 3);
	SEEN("1:MODIFY");
	CHECK_EQ(preadv(fd, &v, 1, 0), 3);
	SEEN("1:ACCESS");
	CHECK_OK(fallocate(fd, 0, 0, 100));
	SEEN("1:MODIFY");
	CHECK_EQ(syscall(SYS_copy_file_range, fd, &(loff_t){ 0 }, out, NULL, 3, 0), 3);
	CHECK(strstr(seen(), "2:MODIFY"));
}

TEST(watches_change)
{
	setup();
	put("f");
	CHECK_EQ(watch("f", IN_OPEN), 1);
	CHECK_EQ(watch("f", IN_CLOSE), 1);
	close(CHECK_OK(open("f", O_RDONLY)));
	SEEN("1:CLOSE_NOWRITE");
	CHECK_EQ(watch("f", IN_OPEN | IN_MASK_ADD), 1);
	close(CHECK_OK(open("f", O_RDONLY)));
	SEEN("1:OPEN 1:CLOSE_NOWRITE");
	CHECK_ERR(inotify_add_watch(in, "f", IN_OPEN | IN_MASK_CREATE), EEXIST);
	CHECK_OK(link("f", "g"));
	CHECK_EQ(watch("g", IN_OPEN), 1); /* the inode counts */
	CHECK_OK(inotify_rm_watch(in, 1));
	SEEN("1:IGNORED");
	CHECK_ERR(inotify_rm_watch(in, 1), EINVAL);
	CHECK_EQ(watch("g", IN_OPEN), 2);
}

TEST(oneshot)
{
	setup();
	put("f");
	watch("f", IN_OPEN | IN_ONESHOT);
	close(CHECK_OK(open("f", O_RDONLY)));
	close(CHECK_OK(open("f", O_RDONLY)));
	SEEN("1:OPEN 1:IGNORED");
	CHECK_ERR(inotify_rm_watch(in, 1), EINVAL);
}

TEST(unlinked_children)
{
	int fd;

	setup();
	put("f");
	CHECK_EQ(watch(".", IN_MODIFY), 1);
	fd = CHECK_OK(open("f", O_RDWR));
	CHECK_OK(unlink("f"));
	CHECK_EQ(write(fd, "x", 1), 1);
	SEEN("1:MODIFY:f");
	CHECK_EQ(watch(".", IN_MODIFY | IN_EXCL_UNLINK), 1);
	CHECK_EQ(write(fd, "x", 1), 1);
	SEEN("");
}

TEST(links_and_kinds)
{
	setup();
	put("f");
	CHECK_OK(symlink("f", "s"));
	CHECK_EQ(watch("s", IN_OPEN | IN_DONT_FOLLOW), 1);
	CHECK_EQ(watch("s", IN_OPEN), 2);
	CHECK_ERR(inotify_add_watch(in, "f", IN_OPEN | IN_ONLYDIR), ENOTDIR);
	CHECK_EQ(watch(".", IN_OPEN | IN_ONLYDIR), 3);
	CHECK_ERR(inotify_add_watch(in, "none", IN_OPEN), ENOENT);
}

TEST(refusals)
{
	char buf[64];
	int fd = CHECK_OK(open(".", O_RDONLY));

	setup();
	CHECK_ERR(inotify_init1(1), EINVAL);
	CHECK_ERR(inotify_add_watch(in, ".", 0), EINVAL);
	CHECK_ERR(inotify_add_watch(in, ".", 0x00100000), EINVAL);
	CHECK_ERR(inotify_add_watch(in, ".", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE), EINVAL);
	CHECK_ERR(inotify_add_watch(-1, ".", IN_OPEN), EBADF);
	CHECK_ERR(inotify_add_watch(fd, ".", IN_OPEN), EINVAL);
	CHECK_ERR(inotify_add_watch(in, (char *)8, IN_OPEN), EFAULT);
	CHECK_ERR(inotify_rm_watch(fd, 1), EINVAL);
	CHECK_ERR(inotify_rm_watch(-1, 1), EBADF);
	CHECK_ERR(inotify_rm_watch(in, 1), EINVAL);
	CHECK_ERR(write(in, buf, 1), EBADF);
	put("f");
	watch(".", IN_OPEN);
	put("f");
	CHECK_ERR(read(in, buf, 31), EINVAL); /* 16 and a name of 16 */
	CHECK_ERR(syscall(SYS_read, in, 8, 64), EFAULT);
	SEEN(""); /* that event is lost */
	CHECK_OK(chmod(".", 0));
	if (getuid())
		CHECK_ERR(inotify_add_watch(in, ".", IN_OPEN), EACCES);
}

TEST(queue_sizes_and_poll)
{
	struct pollfd p;
	int n;

	setup();
	p = (struct pollfd){ in, POLLIN | POLLOUT, 0 };
	put("f");
	watch(".", IN_OPEN);
	watch("f", IN_OPEN);
	CHECK_EQ(poll(&p, 1, 0), 0);
	close(CHECK_OK(open("f", O_RDONLY)));
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN);
	CHECK_OK(ioctl(in, FIONREAD, &n));
	CHECK_EQ(n, 32 + 16);
	SEEN("1:OPEN:f 2:OPEN");
	CHECK_OK(ioctl(in, FIONREAD, &n));
	CHECK_EQ(n, 0);
}

TEST(read_blocks_until_an_event)
{
	char buf[64];
	pid_t self = getpid(), pid;

	in = CHECK_OK(inotify_init());
	put("f");
	watch("f", IN_OPEN);
	pid = test_fork();
	if (pid == 0) {
		wait_state(self, "S");
		close(CHECK_OK(open("f", O_RDONLY)));
		_exit(0);
	}
	CHECK_EQ(read(in, buf, sizeof(buf)), 16);
	CHECK_EXITS(pid, 0);
}

TEST(long_names)
{
	char name[256], want[300];

	setup();
	watch(".", IN_CREATE);
	memset(name, 'n', 255);
	name[255] = 0;
	put(name);
	snprintf(want, sizeof(want), "1:CREATE:%s", name);
	SEEN(want);
}

TEST(queue_overflows)
{
	char limit[32], buf[65536];
	int n = 0, overflow = 0;
	ssize_t got;
	int fd;

	read_file("/proc/sys/fs/inotify/max_queued_events", limit, sizeof(limit));
	n = atoi(limit);
	CHECK(n >= 100);
	setup();
	put("f");
	put("g");
	watch("f", IN_MODIFY);
	watch("g", IN_MODIFY);
	fd = CHECK_OK(open("f", O_WRONLY));
	int gd = CHECK_OK(open("g", O_WRONLY));
	for (int i = 0; i < n + 10; i++)
		CHECK_EQ(write(i % 2 ? fd : gd, "x", 1), 1);
	for (int i = 0;; i++) {
		got = read(in, buf, sizeof(buf));
		if (got < 0)
			break;
		for (ssize_t at = 0; at < got; at += sizeof(struct inotify_event)) {
			struct inotify_event *e = (void *)(buf + at);

			n--;
			if (e->mask == IN_Q_OVERFLOW) {
				CHECK_EQ(e->wd, -1);
				overflow++;
			}
		}
	}
	CHECK_EQ(overflow, 1);
	CHECK_EQ(n, -1);
	CHECK_EQ(write(fd, "x", 1), 1);
	SEEN("1:MODIFY");
}

TEST(unmount_ends_watches)
{
	setup();
	CHECK_OK(mkdir("m", 0700));
	if (mount("x", "m", "tmpfs", 0, NULL))
		SKIP("no mount");
	put("m/f");
	CHECK_EQ(watch("m/f", IN_OPEN), 1);
	CHECK_OK(umount("m"));
	SEEN("1:UNMOUNT 1:IGNORED");
}

TEST(instances_are_limited)
{
	char limit[32];
	int n = 0;

	read_file("/proc/sys/fs/inotify/max_user_instances", limit, sizeof(limit));
	if (atoi(limit) > 900)
		SKIP("the limit is beyond the number of descriptors");
	while (n <= atoi(limit) && inotify_init() >= 0)
		n++;
	CHECK_EQ(errno, EMFILE);
	CHECK(n > 0 && n <= atoi(limit));
}

TEST(fdinfo_lists_watches)
{
	char path[64], text[1024], want[128];
	struct stat st;

	setup();
	put("f");
	CHECK_OK(stat("f", &st));
	watch("f", IN_OPEN | IN_ACCESS);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", in);
	read_file(path, text, sizeof(text));
	snprintf(want, sizeof(want), "inotify wd:1 ino:%lx sdev:", (long)st.st_ino);
	CHECK(strstr(text, want));
	CHECK(strstr(text, " mask:21 ignored_mask:0 "));
}
