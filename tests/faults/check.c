/*
 * Errors of the medium, as a file system's user meets them: check DIRECTORY. "bad-write" is a file one of whose
 * blocks cannot be written, "bad-read" one with a block (the third) that cannot be read, both of 16 blocks.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK  4096
#define BLOCKS 16

static int failed;
static char data[BLOCK * BLOCKS];

static void claim(int ok, const char *what)
{
	printf("%s %s\n", ok ? "ok" : "not ok", what);
	failed += !ok;
}

static int fails(int result, int error)
{
	return result < 0 && errno == error;
}

static int open_it(const char *name, int flags)
{
	int fd = open(name, flags);

	if (fd < 0) {
		perror(name);
		exit(1);
	}
	return fd;
}

static void writing(void)
{
	int a = open_it("bad-write", O_RDWR), b = open_it("bad-write", O_RDWR), c;
	char *map = mmap(NULL, sizeof(data), PROT_READ | PROT_WRITE, MAP_SHARED, a, 0);

	memset(data, 'n', sizeof(data));
	claim(pwrite(a, data, sizeof(data), 0) == (ssize_t)sizeof(data), "a write into the cache succeeds");
	claim(fails(fsync(a), EIO), "the first fsync tells the error");
	claim(fsync(a) == 0, "the second does not");
	claim(fails(fdatasync(b), EIO), "another open file hears of it, too");
	claim(fsync(b) == 0, "once");
	c = open_it("bad-write", O_RDWR);
	claim(fsync(c) == 0, "who opens afterwards does not");
	map[0] = 'm';
	claim(msync(map, sizeof(data), MS_SYNC) == 0, "other pages of the file are written");
	memset(map, 'o', sizeof(data));
	claim(fails(msync(map, sizeof(data), MS_SYNC), EIO), "msync tells an error");
	claim(fails(fsync(b), EIO), "which the others hear of at fsync");
	close(c);
	c = open_it("bad-write", O_RDWR | O_SYNC);
	claim(fails((int)pwrite(c, data, sizeof(data), 0), EIO), "a write with O_SYNC fails");
	claim(pwrite(c, data, 1, 0) == 1, "and one beside it does not");
}

static void reading(void)
{
	int fd = open_it("bad-read", O_RDONLY);
	void *buffer;
	int direct = open_it("bad-read", O_RDONLY | O_DIRECT);

	claim(fails((int)pread(fd, data, BLOCK, 2 * BLOCK), EIO), "a block that cannot be read is an error");
	claim(fails((int)pread(fd, data, BLOCK, 2 * BLOCK), EIO), "again");
	claim(pread(fd, data, 2 * BLOCK, 0) == 2 * BLOCK && data[BLOCK] == 'r', "those before it are there");
	claim(pread(fd, data, 4 * BLOCK, BLOCK) == BLOCK, "a read stops before it");
	claim(pread(fd, data, 4 * BLOCK, 8 * BLOCK) == 4 * BLOCK, "those behind it are there");
	if (posix_memalign(&buffer, BLOCK, BLOCK))
		exit(1);
	claim(fails((int)pread(direct, buffer, BLOCK, 2 * BLOCK), EIO), "O_DIRECT: an error");
	claim(pread(direct, buffer, BLOCK, 0) == BLOCK, "O_DIRECT: none elsewhere");
}

static void life_goes_on(void)
{
	int fd = open("new", O_RDWR | O_CREAT | O_EXCL, 0644);

	claim(fd >= 0 && write(fd, data, BLOCK) == BLOCK && fsync(fd) == 0, "the file system is as writable as before");
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]))
		return 2;
	writing();
	reading();
	life_goes_on();
	return failed != 0;
}
