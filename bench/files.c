/*
 * Wall time of a file system: files DIRECTORY [FILES]. Prints "NAME NANOSECONDS" for each operation. Reads
 * that are said not to be cached follow POSIX_FADV_DONTNEED. 32 MiB of data, FILES (2000) small files.
 * files -c DIRECTORY: processor time of O_DIRECT alone; files -r DIRECTORY: of reading in order.
 */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "measure.h"

#define AREA (32u << 20)
#define FSYNCS 160u

static char *buffer;
static unsigned int nr_files = 2000;

static void told(const char *name, uint64_t start, uint32_t n)
{
	tell(name, (now_ns() - start) / n);
}

static void transfer(const char *name, int fd, int write_it, int random, uint32_t size, uint32_t n, int sync)
{
	const struct transfer t = {name, fd, AREA, size, n, write_it, random, sync};

	tell(name, transfer_time(&t, buffer));
}

static void forget(int fd)
{
	must(fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise");
}

static void mapped(const char *name, int fd, int write_it, unsigned int n)
{
	const struct transfer t = {.area = AREA, .size = 4096, .random = write_it};
	volatile char *map = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint64_t start = now_ns();

	must(map != MAP_FAILED, "mmap");
	for (unsigned int i = 0; i < n; i++) {
		if (write_it)
			map[place(&t, i)] = (char)i;
		else
			(void)map[place(&t, i)];
	}
	if (write_it)
		must(msync((void *)map, AREA, MS_SYNC) == 0, "msync");
	told(name, start, n);
	munmap((void *)map, AREA);
}

static void data(void)
{
	int fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0644);
	int direct = open("data", O_RDWR | O_DIRECT);

	must(fd >= 0 && direct >= 0, "data");
	transfer("write-64k-new-fsync", fd, 1, 0, 65536, AREA / 65536, 1);
	forget(fd);
	transfer("read-64k", fd, 0, 0, 65536, AREA / 65536, 0);
	transfer("read-4k-cached", fd, 0, 0, 4096, AREA / 4096, 0);
	transfer("write-4k-cached", fd, 1, 0, 4096, AREA / 4096, 0);
	forget(fd);
	transfer("read-4k", fd, 0, 0, 4096, AREA / 4096, 0);
	forget(fd);
	transfer("read-4k-random", fd, 0, 1, 4096, 1024, 0);
	transfer("write-4k-random-fsync", fd, 1, 1, 4096, 2048, 1);
	forget(fd);
	mapped("mmap-read-4k", fd, 0, AREA / 4096);
	mapped("mmap-read-4k-cached", fd, 0, AREA / 4096);
	mapped("mmap-write-4k-msync", fd, 1, 2048);
	forget(fd);
	direct_transfers(direct, AREA, buffer);
	must(ftruncate(fd, 0) == 0, "ftruncate");
	transfer("direct-write-64k-new", direct, 1, 0, 65536, 256, 0);
	close(fd);
	close(direct);
	must(unlink("data") == 0, "unlink");
}

static void direct_alone(void)
{
	const struct transfer fill = {"write", open("data", O_RDWR | O_CREAT | O_TRUNC, 0644), AREA, 65536,
				      AREA / 65536, 1, 0, 0};

	transfer_time(&fill, buffer);
	forget(fill.fd);
	use_cpu_clock = 1;
	direct_transfers(open("data", O_RDWR | O_DIRECT), AREA, buffer);
}

/* Per page of 4 KiB. What belongs to the interrupts that interrupt the reader counts as his. */
static void read_by_page(const char *name, int fd, uint32_t size)
{
	const struct transfer t = {name, fd, AREA, size, AREA / size, 0, 0, 0};

	tell(name, transfer_time(&t, buffer) / (size / 4096));
}

static void in_order_alone(void)
{
	const struct transfer fill = {"write", open("data", O_RDWR | O_CREAT | O_TRUNC, 0644), AREA, 65536,
				      AREA / 65536, 1, 0, 0};
	uint64_t start;

	transfer_time(&fill, buffer);
	forget(fill.fd);
	use_cpu_clock = 1;
	read_by_page("read-64k", fill.fd, 65536);
	read_by_page("read-64k-cached", fill.fd, 65536);
	forget(fill.fd);
	read_by_page("read-4k", fill.fd, 4096);
	read_by_page("read-4k-cached", fill.fd, 4096);
	forget(fill.fd);
	mapped("mmap-read-4k", fill.fd, 0, AREA / 4096);
	mapped("mmap-read-4k-cached", fill.fd, 0, AREA / 4096);
	forget(fill.fd);
	read_by_page("read-64k-again", fill.fd, 65536);
	start = now_ns();
	forget(fill.fd);
	told("forget", start, AREA / 4096);
	read_by_page("read-64k-once-more", fill.fd, 65536);
	start = now_ns();
	must(ftruncate(fill.fd, 0) == 0, "ftruncate");
	told("truncate-cached", start, AREA / 4096);
	unlink("data");
}

static void names(void)
{
	char name[32];
	struct stat st;
	uint64_t start;

	must(mkdir("names", 0755) == 0, "mkdir");
	start = now_ns();
	for (unsigned int i = 0; i < nr_files; i++) {
		int fd;

		snprintf(name, sizeof(name), "names/file%u", i);
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
		must(fd >= 0 && close(fd) == 0, name);
	}
	told("create", start, nr_files);
	start = now_ns();
	for (unsigned int i = 0; i < nr_files; i++) {
		snprintf(name, sizeof(name), "names/file%u", i * 7919u % nr_files);
		must(stat(name, &st) == 0, name);
	}
	told("stat", start, nr_files);
	start = now_ns();
	for (unsigned int i = 0; i < nr_files; i++) {
		snprintf(name, sizeof(name), "names/file%u", i);
		must(unlink(name) == 0, name);
	}
	told("unlink", start, nr_files);
	must(rmdir("names") == 0, "rmdir");
}

static void depth(void)
{
	char path[64] = "", name[32];
	struct stat st;
	uint64_t start;

	for (int d = 1; d <= 10; d++) {
		strcat(path, d > 1 ? "/dir" : "dir");
		must(mkdir(path, 0755) == 0, path);
		if (d != 1 && d != 5 && d != 10)
			continue;
		start = now_ns();
		for (int i = 0; i < 20000; i++)
			must(stat(path, &st) == 0, path);
		snprintf(name, sizeof(name), "stat-depth-%d", d);
		told(name, start, 20000);
	}
	for (int d = 10; d >= 1; d--) {
		must(rmdir(path) == 0, path);
		path[d > 1 ? strlen(path) - 4 : 0] = '\0';
	}
}

static unsigned int threads;

static void *syncer(void *number)
{
	char name[32], block[4096] = "x";
	int fd;

	snprintf(name, sizeof(name), "log%d", (int)(intptr_t)number);
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	must(fd >= 0, name);
	for (unsigned int i = 0; i < FSYNCS / threads; i++)
		must(write(fd, block, sizeof(block)) == sizeof(block) && fsync(fd) == 0, name);
	close(fd);
	unlink(name);
	return NULL;
}

static void syncs(void)
{
	for (threads = 1; threads <= 8; threads *= 2) {
		pthread_t t[8];
		uint64_t start = now_ns();
		char name[32];

		for (intptr_t i = 0; i < threads; i++)
			must(pthread_create(&t[i], NULL, syncer, (void *)i) == 0, "pthread_create");
		for (unsigned int i = 0; i < threads; i++)
			pthread_join(t[i], NULL);
		snprintf(name, sizeof(name), "append-fsync-%u-threads", threads);
		told(name, start, FSYNCS);
	}
}

int main(int argc, char **argv)
{
	int alone = argc == 3 && (strcmp(argv[1], "-c") == 0 || strcmp(argv[1], "-r") == 0);

	if (argc > 2 && !alone)
		nr_files = (unsigned int)atoi(argv[2]);
	must(argc > 1 && chdir(argv[alone ? 2 : 1]) == 0, "files [-c|-r] DIRECTORY [FILES]");
	must(posix_memalign((void **)&buffer, 65536, 65536) == 0, "memory");
	memset(buffer, 'b', 65536);
	if (alone) {
		argv[1][1] == 'c' ? direct_alone() : in_order_alone();
		return 0;
	}
	data();
	names();
	depth();
	syncs();
	return 0;
}
