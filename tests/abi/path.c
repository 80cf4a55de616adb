/* Names: lookup, links, directories, rename, stat, and the limits of each. */
#include "test.h"

#include <dirent.h>
#include <limits.h>
#include <linux/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/vfs.h>

#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#define RENAME_WHITEOUT 4

static struct stat st;

static ino_t inode(const char *path)
{
	CHECK_OK(lstat(path, &st));
	return st.st_ino;
}

static long k_statx(int dir, const char *path, int flags, unsigned mask, void *buf)
{
	return syscall(SYS_statx, dir, path, flags, mask, buf);
}

TEST(lookup_errors)
{
	char longname[NAME_MAX + 2], longpath[PATH_MAX + 10];

	write_file("f", "");
	memset(longname, 'n', sizeof(longname));
	longname[NAME_MAX + 1] = 0;
	CHECK_ERR(stat(longname, &st), ENAMETOOLONG);
	CHECK_ERR(open(longname, O_CREAT, 0600), ENAMETOOLONG);
	longname[NAME_MAX] = 0;
	CHECK_ERR(stat(longname, &st), ENOENT);
	close(CHECK_OK(open(longname, O_CREAT | O_WRONLY, 0600)));
	CHECK_OK(unlink(longname));
	for (int i = 0; i < PATH_MAX; i += 2)
		memcpy(longpath + i, "./", 2);
	longpath[PATH_MAX] = 0;
	CHECK_ERR(stat(longpath, &st), ENAMETOOLONG);
	longpath[PATH_MAX - 1] = 0;
	CHECK_OK(stat(longpath, &st));
	CHECK_ERR(stat("", &st), ENOENT);
	CHECK_ERR(stat("f/", &st), ENOTDIR);
	CHECK_ERR(stat("f/.", &st), ENOTDIR);
	CHECK_ERR(stat("no/x", &st), ENOENT);
	CHECK_OK(stat("/..", &st));
	CHECK_OK(stat("//././/", &st));
	CHECK_EQ(st.st_ino, inode("/"));
}

TEST(at_calls_use_their_directory)
{
	int dir, file;

	CHECK_OK(mkdir("d", 0755));
	dir = CHECK_OK(open("d", O_RDONLY));
	file = CHECK_OK(openat(dir, "f", O_CREAT | O_WRONLY, 0600));
	CHECK_OK(stat("d/f", &st));
	CHECK_ERR(openat(file, "x", O_RDONLY), ENOTDIR);
	CHECK_ERR(openat(-1, "x", O_RDONLY), EBADF);
	CHECK_OK(openat(-1, "/", O_RDONLY));
	CHECK_OK(mkdirat(dir, "e", 0700));
	CHECK_OK(symlinkat("f", dir, "l"));
	CHECK_OK(linkat(dir, "f", dir, "g", 0));
	CHECK_OK(renameat(dir, "g", AT_FDCWD, "h"));
	CHECK_OK(fstatat(dir, "l", &st, AT_SYMLINK_NOFOLLOW));
	CHECK(S_ISLNK(st.st_mode));
	CHECK_OK(faccessat(dir, "f", R_OK, 0));
	CHECK_OK(fchmodat(dir, "f", 0640, 0));
	CHECK_OK(utimensat(dir, "f", NULL, 0));
	CHECK_OK(unlinkat(dir, "f", 0));
	CHECK_ERR(unlinkat(dir, "e", 0), EISDIR);
	CHECK_OK(unlinkat(dir, "e", AT_REMOVEDIR));
	CHECK_ERR(unlinkat(dir, "l", AT_REMOVEDIR), ENOTDIR);
	CHECK_ERR(unlinkat(dir, "l", 0x1000), EINVAL);
}

TEST(removed_directory_stays_usable_but_empty)
{
	int dir;
	char cwd[10];

	CHECK_OK(mkdir("d", 0755));
	dir = CHECK_OK(open("d", O_RDONLY));
	CHECK_OK(chdir("d"));
	CHECK_OK(rmdir("../d"));
	CHECK_ERR(openat(dir, "f", O_CREAT, 0600), ENOENT);
	CHECK_ERR(mkdirat(dir, "e", 0700), ENOENT);
	CHECK_OK(fstatat(dir, ".", &st, 0));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_ERR(syscall(SYS_getcwd, cwd, sizeof(cwd)), ENOENT);
	CHECK_OK(chdir(".."));
}

TEST(getcwd_and_chdir)
{
	char cwd[PATH_MAX];
	int here = CHECK_OK(open(".", O_RDONLY));

	CHECK_ERR(chdir("no"), ENOENT);
	write_file("f", "");
	CHECK_ERR(chdir("f"), ENOTDIR);
	CHECK_ERR(chdir((char *)8), EFAULT);
	CHECK_OK(chdir("/"));
	CHECK_EQ(syscall(SYS_getcwd, cwd, sizeof(cwd)), 2);
	CHECK_STR(cwd, "/");
	CHECK_ERR(syscall(SYS_getcwd, cwd, 1), ERANGE);
	CHECK_ERR(syscall(SYS_getcwd, 8, 100), EFAULT);
	CHECK_OK(fchdir(here));
	CHECK_OK(stat("f", &st));
	CHECK_ERR(fchdir(CHECK_OK(open("f", O_RDONLY))), ENOTDIR);
}

TEST(symlinks)
{
	char buf[100] = "", target[PATH_MAX + 1];

	CHECK_OK(symlink("target", "l"));
	CHECK_ERR(symlink("other", "l"), EEXIST);
	CHECK_ERR(symlink("", "m"), ENOENT);
	CHECK_EQ(readlink("l", buf, sizeof(buf)), 6);
	CHECK_STR(buf, "target");
	memset(buf, 0, sizeof(buf));
	CHECK_EQ(readlink("l", buf, 3), 3);
	CHECK_STR(buf, "tar");
	CHECK_ERR(syscall(SYS_readlink, "l", buf, 0), EINVAL);
	CHECK_ERR(stat("l", &st), ENOENT);
	CHECK_OK(lstat("l", &st));
	CHECK_EQ(st.st_size, 6);
	CHECK_EQ(st.st_mode, S_IFLNK | 0777);
	close(CHECK_OK(open("l", O_CREAT | O_WRONLY, 0600))); /* creates the target */
	CHECK_OK(stat("target", &st));
	CHECK_ERR(open("l", O_CREAT | O_EXCL, 0600), EEXIST);
	CHECK_ERR(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_ERR(readlink("target", buf, 10), EINVAL);
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(symlink("../target", "d/up"));
	CHECK_OK(stat("d/up", &st));
	memset(target, 't', sizeof(target));
	target[PATH_MAX] = 0;
	CHECK_ERR(symlink(target, "long"), ENAMETOOLONG);
	target[PATH_MAX - 1] = 0;
	CHECK_OK(symlink(target, "long"));
	CHECK_ERR(stat("long", &st), ENAMETOOLONG);
}

TEST(symlink_chains_end_in_eloop)
{
	char a[16], b[16];

	CHECK_OK(symlink("self", "self"));
	CHECK_ERR(open("self", O_RDONLY), ELOOP);
	CHECK_ERR(stat("self/x", &st), ELOOP);
	write_file("c0", "");
	for (int i = 1; i <= 41; i++) {
		snprintf(a, sizeof(a), "c%d", i - 1);
		snprintf(b, sizeof(b), "c%d", i);
		CHECK_OK(symlink(a, b));
	}
	CHECK_OK(stat("c40", &st));
	CHECK_ERR(stat("c41", &st), ELOOP);
	CHECK_OK(lstat("c41", &st));
}

TEST(hard_links)
{
	write_file("a", "x");
	CHECK_OK(link("a", "b"));
	CHECK_EQ(inode("a"), inode("b"));
	CHECK_EQ(st.st_nlink, 2);
	CHECK_ERR(link("a", "b"), EEXIST);
	CHECK_ERR(link("no", "c"), ENOENT);
	CHECK_OK(mkdir("d", 0755));
	CHECK_ERR(link("d", "e"), EPERM);
	CHECK_OK(symlink("a", "l"));
	CHECK_OK(link("l", "m"));
	CHECK_OK(lstat("m", &st));
	CHECK(S_ISLNK(st.st_mode));
	CHECK_OK(linkat(AT_FDCWD, "l", AT_FDCWD, "n", AT_SYMLINK_FOLLOW));
	CHECK_EQ(inode("n"), inode("a"));
	CHECK_EQ(st.st_nlink, 3);
	CHECK_OK(unlink("a"));
	CHECK_OK(stat("b", &st));
	CHECK_EQ(st.st_nlink, 2);
	CHECK_ERR(linkat(AT_FDCWD, "b", AT_FDCWD, "z", 0x8000), EINVAL);
	CHECK_ERR(link("b", "/dev/z"), EXDEV);
}

TEST(directory_link_counts)
{
	CHECK_OK(mkdir("d", 0755));
	inode("d");
	CHECK_EQ(st.st_nlink, 2);
	CHECK_OK(mkdir("d/a", 0755));
	CHECK_OK(mkdir("d/b", 0755));
	write_file("d/f", "");
	inode("d");
	CHECK_EQ(st.st_nlink, 4);
	CHECK_OK(rmdir("d/a"));
	CHECK_OK(rename("d/b", "b"));
	inode("d");
	CHECK_EQ(st.st_nlink, 2);
}

TEST(mkdir_rmdir_unlink_refusals)
{
	CHECK_OK(mkdir("d", 0755));
	CHECK_ERR(mkdir("d", 0755), EEXIST);
	CHECK_ERR(mkdir(".", 0755), EEXIST);
	CHECK_ERR(mkdir("/", 0755), EEXIST);
	CHECK_ERR(mkdir("no/d", 0755), ENOENT);
	CHECK_OK(mkdir("slash/", 0755));
	write_file("d/f", "");
	CHECK_ERR(rmdir("d"), ENOTEMPTY);
	CHECK_ERR(rmdir("d/f"), ENOTDIR);
	CHECK_ERR(rmdir("."), EINVAL);
	CHECK_ERR(rmdir("d/.."), ENOTEMPTY);
	CHECK_ERR(rmdir("no"), ENOENT);
	CHECK_ERR(unlink("d"), EISDIR);
	CHECK_ERR(unlink("no"), ENOENT);
	CHECK_ERR(unlink("d/f/"), ENOTDIR);
	CHECK_OK(unlink("d/f"));
	CHECK_OK(rmdir("d"));
}

TEST(rename_replaces_atomically)
{
	ino_t a;

	write_file("a", "A");
	write_file("b", "B");
	a = inode("a");
	CHECK_OK(rename("a", "b"));
	CHECK_EQ(inode("b"), a);
	CHECK_ERR(lstat("a", &st), ENOENT);
	CHECK_OK(link("b", "c"));
	CHECK_OK(rename("b", "c")); /* two names of one file: nothing happens */
	CHECK_OK(lstat("b", &st));
}

TEST(rename_directories_and_refusals)
{
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(mkdir("d/sub", 0755));
	CHECK_OK(mkdir("e", 0755));
	write_file("f", "");
	CHECK_ERR(rename("d", "d/sub/x"), EINVAL);
	CHECK_ERR(rename("e", "d"), ENOTEMPTY);
	CHECK_ERR(rename("f", "d"), EISDIR);
	CHECK_ERR(rename("d", "f"), ENOTDIR);
	CHECK_ERR(rename("no", "x"), ENOENT);
	CHECK_ERR(rename("f", "no/x"), ENOENT);
	CHECK_ERR(rename("f", "x/"), ENOTDIR);
	CHECK_ERR(rename(".", "x"), EBUSY);
	CHECK_ERR(rename("d", "/proc/x"), EXDEV);
	CHECK_OK(rename("d", "e"));
	CHECK_OK(stat("e/sub", &st));
	CHECK_OK(rename("e/sub", "e/sub"));
}

TEST(renameat2_flags)
{
	ino_t a, b;

	SKIP_ON_SHARE("RENAME_EXCHANGE");
	write_file("a", "");
	CHECK_OK(mkdir("b", 0755));
	a = inode("a");
	b = inode("b");
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE), EEXIST);
	CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
	CHECK_EQ(inode("a"), b);
	CHECK_EQ(inode("b"), a);
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "no", RENAME_EXCHANGE), ENOENT);
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 3), EINVAL);
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 0x10), EINVAL);
	CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE));
}

static bool is_whiteout(const char *name)
{
	CHECK_OK(lstat(name, &st));
	return S_ISCHR(st.st_mode) && !(st.st_mode & 07777) && st.st_rdev == 0 && st.st_nlink == 1 && st.st_size == 0;
}

/* A union file system's rename: what it hides below must stay hidden. Needs no privilege. */
TEST(rename_leaves_a_whiteout)
{
	char name[200] = "";
	nlink_t links;
	ino_t i;

	SKIP_ON_SHARE("RENAME_WHITEOUT");
	CHECK_OK(mkdir("d", 0777));
	CHECK_OK(mkdir("d/sub", 0777));
	CHECK_OK(stat("d", &st));
	links = st.st_nlink;
	write_file("d/a", "content");
	i = inode("d/a");
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "d/a", AT_FDCWD, "b", RENAME_WHITEOUT | RENAME_EXCHANGE), EINVAL);
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "d/no", AT_FDCWD, "b", RENAME_WHITEOUT), ENOENT);
	CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, "d/a", AT_FDCWD, "b", RENAME_WHITEOUT));
	CHECK(is_whiteout("d/a"));
	CHECK_EQ(inode("b"), i);
	/* In one directory, over a file, and a white-out itself. */
	write_file("c", "victim");
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "c", RENAME_WHITEOUT | RENAME_NOREPLACE), EEXIST);
	CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "c", RENAME_WHITEOUT));
	CHECK(is_whiteout("b"));
	CHECK_EQ(inode("c"), i);
	CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "e", RENAME_WHITEOUT));
	CHECK(is_whiteout("b") && is_whiteout("e"));
	/* A directory, with a name that is too long to be kept in the entry. */
	memset(name, 'n', 150);
	CHECK_OK(rename("d/sub", name));
	CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, name, AT_FDCWD, "d/sub", RENAME_WHITEOUT));
	CHECK(is_whiteout(name));
	CHECK_OK(stat("d", &st));
	CHECK_EQ(st.st_nlink, links);
	CHECK_OK(unlink(name));
	CHECK_ERR(stat(name, &st), ENOENT);
	CHECK_ERR(rmdir("d/a"), ENOTDIR);
	CHECK_OK(unlink("d/a"));
	CHECK_OK(rmdir("d/sub"));
	CHECK_OK(rmdir("d"));
	IN_CHILD {
		CHECK_OK(chmod(".", 0777));
		become(1000, 1000);
		write_file("mine", "");
		CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, "mine", AT_FDCWD, "gone", RENAME_WHITEOUT));
		CHECK(is_whiteout("mine"));
	}
}

TEST(stat_fields)
{
	struct stat dir;
	int fd;

	write_file("f", "12345");
	CHECK_OK(chmod("f", 04751));
	CHECK_OK(stat("f", &st));
	CHECK_OK(stat(".", &dir));
	CHECK_EQ(st.st_mode, S_IFREG | 04751);
	CHECK_EQ(st.st_size, 5);
	CHECK_EQ(st.st_nlink, 1);
	CHECK_EQ(st.st_uid, geteuid());
	CHECK_EQ(st.st_dev, dir.st_dev);
	CHECK(st.st_blksize >= 512 && st.st_ino);
	CHECK_OK(stat("/dev/null", &st));
	CHECK(S_ISCHR(st.st_mode) && major(st.st_rdev) == 1 && minor(st.st_rdev) == 3);
	fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_OK(fstat(fd, &dir));
	CHECK_EQ(dir.st_ino, inode("f"));
	CHECK_OK(syscall(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH));
	CHECK_EQ(st.st_ino, dir.st_ino);
	CHECK_ERR(syscall(SYS_newfstatat, fd, "", &st, 0), ENOENT);
	CHECK_ERR(syscall(SYS_newfstatat, AT_FDCWD, "f", &st, 0x10), EINVAL);
	CHECK_ERR(syscall(SYS_stat, "f", 8), EFAULT);
}

TEST(statx_masks_and_refusals)
{
	struct statx x;

	write_file("f", "123");
	memset(&x, 0xaa, sizeof(x));
	CHECK_OK(k_statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x));
	CHECK_EQ(x.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	CHECK_EQ(x.stx_size, 3);
	CHECK_EQ(x.stx_mode, S_IFREG | 0644);
	CHECK_EQ(x.stx_ino, inode("f"));
	CHECK_EQ(makedev(x.stx_dev_major, x.stx_dev_minor), st.st_dev);
	CHECK_EQ(x.stx_mtime.tv_sec, st.st_mtim.tv_sec);
	CHECK_EQ(x.stx_mtime.tv_nsec, st.st_mtim.tv_nsec);
	CHECK_ERR(k_statx(AT_FDCWD, "f", 0x8000000, 0, &x), EINVAL);
	CHECK_ERR(k_statx(AT_FDCWD, "f", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, 0, &x), EINVAL);
	CHECK_ERR(k_statx(AT_FDCWD, "f", 0, 0x80000000, &x), EINVAL);
	CHECK_ERR(k_statx(AT_FDCWD, "f", 0, 0, (void *)8), EFAULT);
	CHECK_OK(k_statx(CHECK_OK(open("f", O_RDONLY)), "", AT_EMPTY_PATH, STATX_SIZE, &x));
}

TEST(times_follow_use)
{
	struct stat a, b;
	int fd;

	write_file("f", "x");
	CHECK_OK(stat("f", &a));
	sleep_ms(15);
	fd = CHECK_OK(open("f", O_WRONLY));
	CHECK_EQ(write(fd, "y", 1), 1);
	CHECK_OK(stat("f", &b));
	CHECK(b.st_mtim.tv_sec * 1000000000l + b.st_mtim.tv_nsec >
	      a.st_mtim.tv_sec * 1000000000l + a.st_mtim.tv_nsec);
	CHECK_EQ(b.st_mtim.tv_nsec, b.st_ctim.tv_nsec);
	CHECK_OK(stat(".", &a));
	sleep_ms(15);
	CHECK_OK(unlink("f"));
	CHECK_OK(stat(".", &b));
	CHECK(b.st_mtim.tv_nsec != a.st_mtim.tv_nsec || b.st_mtim.tv_sec != a.st_mtim.tv_sec);
}

TEST(utimensat_sets_omits_and_refuses)
{
	struct timespec ts[2] = { { 1000, 5 }, { 2000, 6 } };

	write_file("f", "x");
	CHECK_OK(utimensat(AT_FDCWD, "f", ts, 0));
	CHECK_OK(stat("f", &st));
	CHECK(st.st_atim.tv_sec == 1000 && st.st_atim.tv_nsec == 5 && st.st_mtim.tv_sec == 2000);
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1].tv_nsec = UTIME_NOW;
	CHECK_OK(utimensat(AT_FDCWD, "f", ts, 0));
	CHECK_OK(stat("f", &st));
	CHECK(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec > 1000000);
	ts[0].tv_nsec = 1000000000;
	CHECK_ERR(utimensat(AT_FDCWD, "f", ts, 0), EINVAL);
	CHECK_ERR(utimensat(AT_FDCWD, "no", NULL, 0), ENOENT);
	CHECK_OK(symlink("f", "l"));
	ts[0] = ts[1] = (struct timespec){ 77, 0 };
	CHECK_OK(utimensat(AT_FDCWD, "l", ts, AT_SYMLINK_NOFOLLOW));
	CHECK_OK(lstat("l", &st));
	CHECK_EQ(st.st_mtim.tv_sec, 77);
	CHECK_OK(futimens(CHECK_OK(open("f", O_RDONLY)), ts));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_mtim.tv_sec, 77);
}

TEST(mknod_kinds)
{
	SKIP_ON_SHARE("mknod with this QEMU");
	CHECK_OK(mknod("fifo", S_IFIFO | 0600, 0));
	CHECK_OK(mknod("reg", S_IFREG | 0600, 0));
	CHECK_OK(mknod("plain", 0600, 0));
	CHECK_ERR(mknod("reg", S_IFREG | 0600, 0), EEXIST);
	CHECK_ERR(mknod("dir", S_IFDIR | 0700, 0), EPERM);
	CHECK_ERR(mknod("lnk", S_IFLNK | 0700, 0), EINVAL);
	CHECK_OK(stat("fifo", &st));
	CHECK(S_ISFIFO(st.st_mode));
	CHECK_OK(stat("plain", &st));
	CHECK(S_ISREG(st.st_mode));
	if (geteuid())
		return;
	CHECK_OK(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
	CHECK_OK(stat("null", &st));
	CHECK_EQ(st.st_rdev, makedev(1, 3));
	CHECK_OK(chmod(".", 0777));
	IN_CHILD {
		become(1000, 1000);
		CHECK_ERR(mknod("dev", S_IFCHR | 0666, makedev(1, 3)), EPERM);
		CHECK_OK(mknod("pipe", S_IFIFO | 0600, 0));
	}
}

/* Names seen by getdents64, each with its type checked against lstat. */
static int list(const char *path, bool *seen, int max)
{
	char buf[1024] __attribute__((aligned(8)));
	int fd = CHECK_OK(open(path, O_RDONLY | O_DIRECTORY)), n = 0;
	long len;

	while ((len = CHECK_OK(syscall(SYS_getdents64, fd, buf, sizeof(buf)))) > 0) {
		for (long off = 0; off < len;) {
			struct dirent *d = (void *)(buf + off);
			int i = -1;

			CHECK(d->d_reclen % 8 == 0 && d->d_reclen && off + d->d_reclen <= len);
			if (sscanf(d->d_name, "f%d", &i) == 1 && i >= 0 && i < max) {
				CHECK(!seen[i]);
				seen[i] = true;
				CHECK_EQ(d->d_type, DT_REG);
			} else {
				CHECK(!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."));
				CHECK_EQ(d->d_type, DT_DIR);
			}
			CHECK(d->d_ino);
			n++;
			off += d->d_reclen;
		}
	}
	close(fd);
	return n;
}

TEST(getdents_lists_each_name_once)
{
	enum { N = 300 };
	bool seen[N] = { false };
	char name[16];

	CHECK_OK(mkdir("d", 0755));
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "d/f%d", i);
		write_file(name, "");
	}
	CHECK_EQ(list("d", seen, N), N + 2);
	for (int i = 0; i < N; i++)
		CHECK(seen[i]);
}

TEST(getdents_refusals_and_rewind)
{
	char buf[256];
	int fd = CHECK_OK(open(".", O_RDONLY)), file;
	long first;

	write_file("f", "");
	file = CHECK_OK(open("f", O_RDONLY));
	CHECK_ERR(syscall(SYS_getdents64, file, buf, sizeof(buf)), ENOTDIR);
	CHECK_ERR(syscall(SYS_getdents64, fd, buf, 1), EINVAL);
	CHECK_ERR(syscall(SYS_getdents64, fd, 8, sizeof(buf)), EFAULT);
	first = CHECK_OK(syscall(SYS_getdents64, fd, buf, sizeof(buf)));
	CHECK(first > 0);
	CHECK_EQ(syscall(SYS_getdents64, fd, buf, sizeof(buf)), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(syscall(SYS_getdents64, fd, buf, sizeof(buf)), first);
}

TEST(removal_while_listing_skips_nothing)
{
	DIR *d;
	struct dirent *e;
	char name[16];
	int n = 0, left = 0;

	CHECK_OK(mkdir("d", 0755));
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "d/f%d", i);
		write_file(name, "");
	}
	d = opendir("d");
	while ((e = readdir(d)))
		if (e->d_name[0] == 'f') {
			CHECK_OK(unlinkat(dirfd(d), e->d_name, 0));
			n++;
		}
	closedir(d);
	d = opendir("d");
	while ((e = readdir(d)))
		left += e->d_name[0] == 'f';
	CHECK_EQ(n, 200);
	CHECK_EQ(left, 0);
}

TEST(statfs_of_known_file_systems)
{
	struct statfs s;

	CHECK_OK(statfs("/proc", &s));
	CHECK_EQ(s.f_type, 0x9fa0);
	CHECK_OK(fstatfs(CHECK_OK(open(".", O_RDONLY)), &s));
	CHECK(s.f_bsize > 0 && s.f_namelen >= 255 && s.f_bfree <= s.f_blocks);
	CHECK_ERR(statfs("no", &s), ENOENT);
	CHECK_ERR(syscall(SYS_statfs, "/", 8), EFAULT);
}

TEST(tmpfile_has_no_name_until_linked)
{
	char proc[40];
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	if (fd < 0 && errno == EOPNOTSUPP)
		SKIP("file system lacks O_TMPFILE");
	CHECK_OK(fd);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(write(fd, "t", 1), 1);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	CHECK_OK(linkat(AT_FDCWD, proc, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	CHECK_OK(stat("named", &st));
	CHECK_EQ(st.st_size, 1);
}

TEST(deep_directories)
{
	enum { DEPTH = 300 };

	for (int i = 0; i < DEPTH; i++) {
		CHECK_OK(mkdir("some-directory-name", 0755));
		CHECK_OK(chdir("some-directory-name"));
	}
	write_file("bottom", "");
	for (int i = 0; i < DEPTH; i++)
		CHECK_OK(chdir(".."));
	CHECK_OK(stat("some-directory-name", &st));
}

/* A name may end where its page and all memory behind it do. */
TEST(names_at_the_end_of_memory)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct stat st;

	CHECK(page != MAP_FAILED);
	CHECK_OK(mprotect(page + 4096, 4096, PROT_NONE));
	for (size_t len = 1; len < 300; len++) {
		char *name = page + 4096 - len - 1;

		/* "./././…" or ".//./…": the current directory. */
		for (size_t i = 0; i < len; i++)
			name[i] = i & 1 ? '/' : '.';
		name[len] = '\0';
		CHECK_OK(syscall(SYS_newfstatat, AT_FDCWD, name, &st, 0));
		name[len] = '/';
		CHECK_ERR(syscall(SYS_newfstatat, AT_FDCWD, name, &st, 0), EFAULT);
	}
	CHECK_OK(munmap(page, 8192));
}

/* Names of every length are told apart, also where they differ in the last byte alone. */
TEST(names_of_every_length)
{
	char name[256], other[256];
	struct stat st, st2;

	for (size_t len = 1; len <= 255; len++) {
		memset(name, 'n', len);
		name[len] = '\0';
		CHECK_OK(mkdir(name, 0700));
		memcpy(other, name, len + 1);
		other[len - 1] = 'm';
		CHECK_ERR(stat(other, &st), ENOENT);
		CHECK_OK(mkdir(other, 0700));
		CHECK_OK(stat(name, &st));
		CHECK_OK(stat(other, &st2));
		CHECK(st.st_ino != st2.st_ino);
	}
	for (size_t len = 1; len <= 255; len++) {
		memset(name, 'n', len);
		name[len] = '\0';
		CHECK_OK(rmdir(name));
		name[len - 1] = 'm';
		CHECK_OK(rmdir(name));
	}
}
