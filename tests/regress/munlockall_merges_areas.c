/*
 * munlockall went on from the end of an area that had just become part of its neighbour, and was freed.
 * Only a sanitizer sees the read; what can be seen here is that every area is unlocked.
 */
#include "test.h"

/* The size in KiB of what is locked. */
static long locked_kib(void)
{
	char line[256];
	long kib = -1;
	FILE *f = fopen("/proc/self/status", "r");

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmLck: %ld", &kib) == 1)
			break;
	fclose(f);
	return kib;
}

TEST(unlocked_areas_join_their_neighbours)
{
	enum { PAGES = 32 };
	char *m = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(m != MAP_FAILED);
	for (int round = 0; round < 20; round++) {
		for (int i = round % 2; i < PAGES; i += 2)
			CHECK_OK(mlock(m + i * 4096, 4096));
		CHECK_EQ(locked_kib(), PAGES / 2 * 4);
		CHECK_OK(munlockall());
		CHECK_EQ(locked_kib(), 0);
	}
}
