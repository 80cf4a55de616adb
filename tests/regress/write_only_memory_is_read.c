/*
 * A page that may be written but not read (PROT_WRITE alone) and must not be written yet, because it is the
 * zero page, shared after a fork, or clean in a file, lost its last permission with the write's: its entry was
 * not present, and a read of it faulted without end. On x86 it can be read.
 */
#include "test.h"

#include <sys/mman.h>

enum { SIZE = 4 * 4096 };

static volatile char *map(int flags, int fd)
{
	volatile char *m = mmap(NULL, SIZE, PROT_WRITE, flags, fd, 0);

	CHECK(m != MAP_FAILED);
	return m;
}

static void read_and_write(volatile char *m, char first)
{
	CHECK_EQ(m[0], first);
	CHECK_EQ(m[4096], 0);
	m[4096] = 2;
	m[2 * 4096] = 3;
	CHECK_EQ(m[4096], 2);
	CHECK_EQ(m[2 * 4096], 3);
}

TEST(untouched)
{
	read_and_write(map(MAP_PRIVATE | MAP_ANONYMOUS, -1), 0);
	read_and_write(map(MAP_SHARED | MAP_ANONYMOUS, -1), 0);
}

TEST(protected_later)
{
	volatile char *m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(m != MAP_FAILED);
	m[0] = 1;
	CHECK_EQ(m[4096], 0);
	CHECK_OK(mprotect((void *)m, SIZE, PROT_NONE));
	CHECK_OK(mprotect((void *)m, SIZE, PROT_WRITE));
	read_and_write(m, 1);
}

TEST(shared_after_a_fork)
{
	volatile char *m = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);

	m[0] = 1;
	IN_CHILD {
		read_and_write(m, 1);
	}
	read_and_write(m, 1);
}

TEST(pages_of_a_file)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(ftruncate(fd, SIZE));
	read_and_write(map(MAP_PRIVATE, fd), 'x');
	read_and_write(map(MAP_SHARED, fd), 'x');
}
