/*
 * Wall time of reading and writing a disk: disk DEVICE. The device has 64 MiB or more, which are
 * overwritten. Prints "NAME NANOSECONDS" for each operation, per 4 KiB or, with "-64k" in the name, 64.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include "measure.h"

#define AREA (64u << 20)

static char *buffer;
static int cached, direct;

static void forget_cache(void)
{
	must(ioctl(cached, BLKFLSBUF, 0) == 0, "BLKFLSBUF");
}

static void measure(const char *name, int write_it, int random, uint32_t size, uint32_t n, int sync)
{
	const struct transfer t = {name, cached, AREA, size, n, write_it, random, sync};

	tell(name, transfer_time(&t, buffer));
}

static void fsync_rate(unsigned int n)
{
	const struct transfer t = {.area = AREA, .size = 4096, .random = 1};
	uint64_t start = now_ns();

	for (unsigned int i = 0; i < n; i++) {
		must(pwrite(cached, buffer, 4096, place(&t, i)) == 4096, "write");
		must(fsync(cached) == 0, "fsync");
	}
	tell("write-fsync", (now_ns() - start) / n);
}

int main(int argc, char **argv)
{
	must(argc == 2, "usage: disk DEVICE");
	must(posix_memalign((void **)&buffer, 4096, 65536) == 0, "memory");
	memset(buffer, 0x5a, 65536);
	cached = open(argv[1], O_RDWR);
	direct = open(argv[1], O_RDWR | O_DIRECT);
	must(cached >= 0 && direct >= 0, argv[1]);
	measure("write-64k", 1, 0, 65536, AREA / 65536, 1);
	forget_cache();
	measure("read-64k", 0, 0, 65536, AREA / 65536, 0);
	measure("reread-4k", 0, 0, 4096, AREA / 4096, 0);
	forget_cache();
	measure("read-random", 0, 1, 4096, 2000, 0);
	measure("write-random", 1, 1, 4096, 4000, 1);
	direct_transfers(direct, AREA, buffer);
	fsync_rate(200);
	return 0;
}
