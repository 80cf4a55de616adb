/*
 * Wall time of reading and writing a disk: disk DEVICE. The device has 64 MiB or more, which are
 * overwritten. Prints "NAME NANOSECONDS" for each operation, per 4 KiB or, with "-64k" in the name, 64.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define AREA (64u << 20)

static char *buffer;
static int cached, direct;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static void forget_cache(void)
{
	must(ioctl(cached, BLKFLSBUF, 0) == 0, "BLKFLSBUF");
}

/* The i-th of n places for pieces of `size`: in order, or strewn by a step that visits each once. */
static off_t place(unsigned int i, unsigned int size, int random)
{
	unsigned int n = AREA / size;

	return (off_t)(random ? i * 7919u % n : i % n) * size;
}

/* n pieces of `size`; the time of one. sync: with the flush at the end. */
static void measure(const char *name, int fd, int write_it, int random, unsigned int size, unsigned int n,
		    int sync)
{
	uint64_t start = now_ns();

	for (unsigned int i = 0; i < n; i++) {
		off_t at = place(i, size, random);
		ssize_t got = write_it ? pwrite(fd, buffer, size, at) : pread(fd, buffer, size, at);

		must(got == (ssize_t)size, name);
	}
	if (sync)
		must(fsync(fd) == 0, "fsync");
	printf("%s %llu\n", name, (unsigned long long)((now_ns() - start) / n));
}

static void fsync_rate(unsigned int n)
{
	uint64_t start = now_ns();

	for (unsigned int i = 0; i < n; i++) {
		must(pwrite(cached, buffer, 4096, place(i, 4096, 1)) == 4096, "write");
		must(fsync(cached) == 0, "fsync");
	}
	printf("write-fsync %llu\n", (unsigned long long)((now_ns() - start) / n));
}

int main(int argc, char **argv)
{
	must(argc == 2, "usage: disk DEVICE");
	must(posix_memalign((void **)&buffer, 4096, 65536) == 0, "memory");
	memset(buffer, 0x5a, 65536);
	cached = open(argv[1], O_RDWR);
	direct = open(argv[1], O_RDWR | O_DIRECT);
	must(cached >= 0 && direct >= 0, argv[1]);
	measure("write-64k", cached, 1, 0, 65536, AREA / 65536, 1);
	forget_cache();
	measure("read-64k", cached, 0, 0, 65536, AREA / 65536, 0);
	measure("reread-4k", cached, 0, 0, 4096, AREA / 4096, 0);
	forget_cache();
	measure("read-random", cached, 0, 1, 4096, 2000, 0);
	measure("write-random", cached, 1, 1, 4096, 4000, 1);
	measure("direct-read-64k", direct, 0, 0, 65536, 500, 0);
	measure("direct-read", direct, 0, 1, 4096, 2000, 0);
	measure("direct-write-64k", direct, 1, 0, 65536, 500, 0);
	measure("direct-write", direct, 1, 1, 4096, 2000, 0);
	fsync_rate(200);
	return 0;
}
