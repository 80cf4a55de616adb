/*
 * A journal's log is nearly full, and most of what fills it belongs to the transaction that is running: whoever wants to
 * start makes room for that one, too. He asked for half of one, found that there was so much, and asked again until the
 * transaction was committed for its age, five seconds later.
 */
#include <sys/mount.h>
#include "test.h"

#define FILES 12000

static double now(void)
{
	struct timespec ts;

	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &ts));
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

TEST_LIMIT(unlinking_does_not_wait_for_the_clock, 120)
{
	const char *disk = getenv("TEST_DISK_EXT4");
	double slowest = 0, start, took;
	char name[32];

	if (!disk)
		SKIP("needs an ext4 file system on a disk");
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount(disk, "m", "ext4", 0, "commit=60"));
	CHECK_OK(chdir("m"));
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < FILES; i++) {
			snprintf(name, sizeof(name), "f%d", i);
			start = now();
			if (round)
				CHECK_OK(unlink(name));
			else
				CHECK_OK(close((int)CHECK_OK(open(name, O_WRONLY | O_CREAT | O_EXCL, 0644))));
			took = now() - start;
			if (took > slowest)
				slowest = took;
		}
	CHECK_OK(chdir(".."));
	CHECK_OK(umount("m"));
	CHECK(slowest < 15);
}
