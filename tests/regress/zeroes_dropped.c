/*
 * A part of a page that is punched out or cut off is zeroed in the cache. On ext4 the page could leave the cache
 * before that (POSIX_FADV_DONTNEED by another process), and be dropped again before it was marked as changed:
 * the old data came back from the disk.
 */
#include <linux/falloc.h>
#include "test.h"

#define PAGES 8

static void dropper(const char *name, pid_t parent)
{
	int fd = open(name, O_RDONLY);
	char byte;

	while (getppid() == parent) {
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		if (pread(fd, &byte, 1, 0) < 0)
			break;
	}
	_exit(0);
}

static void fill(int fd)
{
	char page[4096];

	memset(page, 'x', sizeof(page));
	for (int i = 0; i < PAGES; i++)
		CHECK_EQ(pwrite(fd, page, sizeof(page), i * 4096), sizeof(page));
	CHECK_OK(fsync(fd));
}

static void check(int fd, off_t at, char want)
{
	char got;

	CHECK_EQ(pread(fd, &got, 1, at), 1);
	CHECK_EQ(got, want);
}

TEST_LIMIT(zeroed_parts_of_pages_stay_zero, 60)
{
	int fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0644);
	pid_t parent = getpid(), pid;

	CHECK(fd >= 0);
	fill(fd);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid)
		dropper("f", parent);
	for (int round = 0; round < SCALE(40, 1000); round++) {
		fill(fd);
		for (int i = 0; i < PAGES; i++)
			CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, i * 4096 + 512, 1024));
		for (int i = 0; i < PAGES; i++) {
			check(fd, i * 4096 + 512, 0);
			check(fd, i * 4096 + 511, 'x');
			check(fd, i * 4096 + 1536, 'x');
		}
		for (int i = PAGES - 1; i >= 0; i--) {
			CHECK_OK(ftruncate(fd, i * 4096 + 100));
			CHECK_OK(ftruncate(fd, PAGES * 4096));
			check(fd, i * 4096 + 99, 'x');
			check(fd, i * 4096 + 100, 0);
			check(fd, i * 4096 + 3000, 0);
		}
	}
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}
