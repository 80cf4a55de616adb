/* mount and umount of tmpfs; every mount lies in the claim's own directory. */
#include "test.h"

#include <poll.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#define ROOT_ONLY                                                                                  \
	if (geteuid())                                                                             \
	SKIP("needs root")

static struct stat st;

TEST(tmpfs_covers_and_uncovers)
{
	dev_t before;

	ROOT_ONLY;
	CHECK_OK(mkdir("m", 0755));
	write_file("m/under", "");
	CHECK_OK(stat("m", &st));
	before = st.st_dev;
	CHECK_OK(mount("none", "m", "tmpfs", 0, "mode=0711,size=1m"));
	CHECK_OK(stat("m", &st));
	CHECK(st.st_dev != before);
	CHECK_EQ(st.st_mode & 07777, 0711);
	CHECK_ERR(stat("m/under", &st), ENOENT);
	write_file("m/over", "x");
	CHECK_ERR(rmdir("m"), EBUSY);
	CHECK_ERR(rename("m", "n"), EBUSY);
	CHECK_ERR(rename("m/over", "over"), EXDEV);
	CHECK_OK(stat("m/..", &st));
	CHECK_EQ(st.st_dev, before);
	CHECK_OK(umount("m"));
	CHECK_OK(stat("m/under", &st));
	CHECK_ERR(stat("m/over", &st), ENOENT);
}

TEST(busy_mount_needs_detach)
{
	int fd;

	ROOT_ONLY;
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
	write_file("m/f", "kept");
	fd = CHECK_OK(open("m/f", O_RDONLY));
	CHECK_ERR(umount("m"), EBUSY);
	CHECK_OK(umount2("m", MNT_DETACH));
	CHECK_ERR(stat("m/f", &st), ENOENT);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 4);
}

TEST(read_only_mount)
{
	ROOT_ONLY;
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
	write_file("m/f", "x");
	CHECK_OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	CHECK_ERR(open("m/f", O_WRONLY), EROFS);
	CHECK_ERR(open("m/g", O_CREAT | O_WRONLY, 0600), EROFS);
	CHECK_ERR(unlink("m/f"), EROFS);
	CHECK_ERR(mkdir("m/d", 0700), EROFS);
	CHECK_ERR(chmod("m/f", 0600), EROFS);
	CHECK_ERR(access("m/f", W_OK), EROFS);
	CHECK_OK(open("m/f", O_RDONLY));
	CHECK_OK(umount2("m", MNT_DETACH));
}

TEST(noexec_and_nosuid)
{
	ROOT_ONLY;
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", MS_NOEXEC, NULL));
	write_file("m/f", "#!/bin/sh\n");
	CHECK_OK(chmod("m/f", 0755));
	CHECK_ERR(execl("m/f", "m/f", NULL), EACCES);
	CHECK_OK(umount("m"));
}

TEST(size_limit_ends_in_enospc)
{
	static char buf[65536];
	int fd;
	ssize_t n;
	size_t total = 0;

	ROOT_ONLY;
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, "size=256k"));
	fd = CHECK_OK(open("m/f", O_WRONLY | O_CREAT, 0600));
	while ((n = write(fd, buf, sizeof(buf))) > 0)
		total += n;
	CHECK_EQ(errno, ENOSPC);
	CHECK(total <= 256 << 10 && total >= 192 << 10);
	CHECK_OK(ftruncate(fd, 0));
	CHECK_EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
	close(fd);
	CHECK_OK(umount("m"));
}

TEST(bind_mount_shows_the_same_files)
{
	ROOT_ONLY;
	CHECK_OK(mkdir("a", 0755));
	CHECK_OK(mkdir("b", 0755));
	write_file("a/f", "x");
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	CHECK_OK(stat("b/f", &st));
	write_file("b/g", "y");
	CHECK_OK(stat("a/g", &st));
	CHECK_OK(umount("b"));
	CHECK_ERR(stat("b/f", &st), ENOENT);
}

TEST(mounts_are_listed)
{
	static char buf[65536];

	ROOT_ONLY;
	CHECK_OK(mkdir("listed-here", 0755));
	CHECK_OK(mount("some-source", "listed-here", "tmpfs", MS_NODEV, NULL));
	read_file("/proc/self/mounts", buf, sizeof(buf));
	CHECK(strstr(buf, "some-source /") && strstr(buf, "/listed-here tmpfs rw,nodev"));
	CHECK_OK(umount("listed-here"));
	read_file("/proc/self/mounts", buf, sizeof(buf));
	CHECK(!strstr(buf, "listed-here"));
}

TEST(mount_refusals)
{
	ROOT_ONLY;
	CHECK_OK(mkdir("m", 0755));
	write_file("f", "");
	CHECK_ERR(mount("none", "m", "nosuchfs", 0, NULL), ENODEV);
	CHECK_ERR(mount("none", "no", "tmpfs", 0, NULL), ENOENT);
	CHECK_ERR(mount("none", "f", "tmpfs", 0, NULL), ENOTDIR);
	CHECK_ERR(mount("none", "m", NULL, 0, NULL), EINVAL);
	CHECK_ERR(mount("none", "m", (char *)8, 0, NULL), EFAULT);
	CHECK_ERR(mount("none", "m", "tmpfs", 0, "nosuchoption=1"), EINVAL);
	CHECK_ERR(mount("none", "m", "tmpfs", 0, "size=junk"), EINVAL);
	CHECK_ERR(mount("no", "m", NULL, MS_BIND, NULL), ENOENT);
	CHECK_ERR(mount(NULL, "m", NULL, MS_REMOUNT, NULL), EINVAL);
	CHECK_ERR(umount("m"), EINVAL);
	CHECK_ERR(umount("no"), ENOENT);
	CHECK_ERR(umount2("m", 0x100), EINVAL);
	CHECK_OK(chmod("m", 0777));
	IN_CHILD {
		become(5, 5);
		CHECK_ERR(mount("none", "m", "tmpfs", 0, NULL), EPERM);
		CHECK_ERR(umount("m"), EPERM);
	}
}

TEST(poll_tells_of_mounts)
{
	struct pollfd p = {.events = POLLPRI}, other = {.events = POLLIN | POLLPRI};

	ROOT_ONLY;
	CHECK_OK(mkdir("m", 0755));
	p.fd = (int)CHECK_OK(open("/proc/self/mounts", O_RDONLY));
	other.fd = (int)CHECK_OK(open("/proc/self/mountinfo", O_RDONLY));
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_EQ(poll(&other, 1, 0), 1);
	CHECK_EQ(other.revents, POLLIN);
	CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLPRI | POLLERR);
	CHECK_EQ(poll(&p, 1, 0), 0); /* told once */
	CHECK_EQ(poll(&other, 1, 0), 1);
	CHECK_EQ(other.revents, POLLIN | POLLPRI | POLLERR);
	CHECK_OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_NOEXEC, NULL));
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_OK(mount(NULL, "m", NULL, MS_PRIVATE, NULL));
	CHECK_EQ(poll(&p, 1, 0), 0);
	if (test_fork() == 0) {
		usleep(100000);
		_exit(umount("m") != 0);
	}
	CHECK_EQ(poll(&p, 1, 10000), 1);
	CHECK_EQ(p.revents, POLLPRI | POLLERR);
}
