/*
 * Who changes a file faster than its disk takes it must wait, through a mapping no less than with write(2):
 * what waits for the disk stays a fraction of memory.
 */
#include "test.h"

#include <sys/mman.h>
#include <sys/sysinfo.h>

TEST_LIMIT(writers_through_mappings_wait_for_the_disk, 120)
{
	long total = proc_number("/proc/meminfo", "MemTotal"), dirty, most = 0;
	size_t size = (size_t)total * 1024 / 10 * 6;
	char *map;
	int fd;

	if (!getenv("TEST_EXT4"))
		SKIP("no disk behind the files");
	fd = CHECK_OK(open("file", O_RDWR | O_CREAT, 0600));
	CHECK_OK(ftruncate(fd, (off_t)size));
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	for (size_t at = 0; at < size; at += 4096) {
		map[at] = 1;
		if (at % (1 << 20))
			continue;
		dirty = proc_number("/proc/meminfo", "Dirty");
		most = dirty > most ? dirty : most;
	}
	CHECK_OK(munmap(map, size));
	close(fd);
	printf("%ld of %ld KiB were dirty at most\n", most, total);
	CHECK(most < total / 10 * 4);
}
