/*
 * mremap with MREMAP_DONTUNMAP to the place right below or above: the copy became one area with the old one,
 * which was freed and then looked at for whether it is locked. Counts as on Linux 6.1.
 */
#include "test.h"

#include <sys/mman.h>

enum { SIZE = 16 * 4096 };

/* Room of three times SIZE, the middle mapped; -1: what is in it goes below, 1: above. */
static void move_beside(int side, bool lock)
{
	char *room = mmap(NULL, 3 * SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *m = room + SIZE, *to = m + side * SIZE;

	CHECK(room != MAP_FAILED);
	CHECK(mmap(m, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == m);
	for (int i = 0; i < SIZE; i += 4096)
		m[i] = 1 + i / 4096;
	if (lock)
		CHECK_OK(mlock(m, SIZE));
	CHECK(mremap(m, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to) == to);
	CHECK_EQ(proc_number("/proc/self/status", "VmLck"), lock ? SIZE / 1024 : 0);
	for (int i = 0; i < SIZE; i += 4096) {
		CHECK_EQ(to[i], 1 + i / 4096);
		CHECK_EQ(m[i], 0);
		m[i] = 7;
	}
	CHECK_OK(munmap(to, SIZE));
	CHECK_EQ(m[4096], 7);
	CHECK_OK(munmap(room, 3 * SIZE));
	CHECK_EQ(proc_number("/proc/self/status", "VmLck"), 0);
}

TEST(below)
{
	move_beside(-1, false);
	move_beside(-1, true);
}

TEST(above)
{
	move_beside(1, false);
	move_beside(1, true);
}
