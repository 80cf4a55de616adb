/*
 * Errors of the medium, as a file system's user meets them: check DIRECTORY. "bad-write" is a file one of whose
 * blocks cannot be written, "bad-read" one with a block (the third) that cannot be read, both of 16 blocks.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
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

/* ---- Names with the same hash ---- */

struct candidate {
	uint32_t hash, number;
};

/* The file system's hash "legacy": 31 bits, and nothing besides. */
static uint32_t legacy_hash(const char *name)
{
	uint32_t h, h0 = 0x12a3fe2d, h1 = 0x37abe8f9;

	for (; *name; name++) {
		h = h1 + (h0 ^ (uint32_t)*name * 7152373u);
		if (h & 0x80000000u)
			h -= 0x7fffffff;
		h1 = h0;
		h0 = h;
	}
	return h0 << 1;
}

static const char *name_of(uint32_t number)
{
	static char name[16];

	snprintf(name, sizeof(name), "%08x", number * 2654435761u);
	return name;
}

static int by_hash(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return (x->hash > y->hash) - (x->hash < y->hash);
}

/* Makes the names that collide, and some more. How many collide. */
static uint32_t make_names(void)
{
	enum { N = 300000 };
	struct candidate *c = malloc(N * sizeof(*c));
	uint32_t twins = 0;

	for (uint32_t i = 0; c && i < N; i++)
		c[i] = (struct candidate){legacy_hash(name_of(i)), i};
	qsort(c, N, sizeof(*c), by_hash);
	for (uint32_t i = 0; i < N; i++) {
		int twin = (i && c[i - 1].hash == c[i].hash) || (i + 1 < N && c[i + 1].hash == c[i].hash);

		if (twin || i % 1000 == 0)
			close(open(name_of(c[i].number), O_CREAT | O_WRONLY, 0644));
		twins += (uint32_t)twin;
	}
	free(c);
	return twins;
}

/*
 * Up to `most` names, `size` bytes of them at a time, from the beginning. remove_it: each is unlinked when it was
 * told. The number; -1: one came twice or is unknown.
 */
static int names_told(int dir, size_t size, int most, int remove_it)
{
	static char seen[2000][9], buf[4096];
	long got;
	int n = 0;

	lseek(dir, 0, SEEK_SET);
	while (n < most && (got = syscall(SYS_getdents64, dir, buf, size)) > 0)
		for (long at = 0; at < got; at += *(uint16_t *)(buf + at + 16)) {
			const char *name = buf + at + 19;

			if (name[0] == '.')
				continue;
			for (int i = 0; i < n; i++)
				if (strcmp(seen[i], name) == 0)
					return -1;
			if (n == 2000 || strlen(name) != 8)
				return -1;
			strcpy(seen[n++], name);
			if (remove_it && unlink(name))
				return -1;
		}
	return n;
}

#define ONE 32 /* bytes: one entry */

static void same_hash(void)
{
	uint32_t twins;
	int dir, n, all = 1;

	if (mkdir("names", 0755) || chdir("names"))
		exit(1);
	twins = make_names();
	dir = open_it(".", O_RDONLY);
	n = names_told(dir, ONE, 2000, 0);
	claim(twins > 10, "there are names with the same hash");
	claim(n >= 300 && n >= (int)twins, "each is told once");
	claim(names_told(dir, 4096, 2000, 0) == n, "and many at a time");
	for (int stop = 1; stop < 100 && all; stop++)
		all = names_told(dir, ONE, stop, 0) == stop && names_told(dir, 4096, 2000, 0) == n;
	claim(all, "who stopped somewhere and begins again is told all");
	claim(names_told(dir, ONE, 2000, 1) == n && names_told(dir, ONE, 2000, 0) == 0,
	      "also when those that were told go");
	if (chdir("..") || rmdir("names"))
		exit(1);
}

/* ---- Allocations that fail (debug flavours) ---- */

static void op_mkdir(int n)
{
	mkdir(name_of((uint32_t)n), 0755);
}

static void op_xattr(int n)
{
	int fd = open(name_of(1000 + (uint32_t)n), O_CREAT | O_RDWR, 0644);

	fsetxattr(fd, "user.large", data, 3000, 0);
}

static void op_sparse(int n)
{
	int fd = open("sparse", O_CREAT | O_RDWR, 0644);

	for (int i = 0; i < 12; i++)
		(void)!pwrite(fd, data, BLOCK, (off_t)(n * 12 + i) * 2 * BLOCK);
	fsync(fd);
}

static void op_allocate(int n)
{
	(void)!fallocate(open("allocated", O_CREAT | O_RDWR, 0644), 0, (off_t)n * 4 * BLOCK, BLOCK);
}

static void op_names(int n)
{
	char path[256];

	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "many/%d-%0150d", n, i);
		close(open(path, O_CREAT | O_WRONLY, 0644));
	}
}

static void op_rename(int n)
{
	char from[256], to[256];

	snprintf(from, sizeof(from), "many/%d-%0150d", n, 1);
	snprintf(to, sizeof(to), "many/renamed-%d-%0150d", n, 1);
	rename(from, to);
}

static void op_unlink(int n)
{
	char path[256];

	snprintf(path, sizeof(path), "many/%d-%0150d", n, 2);
	unlink(path);
}

static void op_truncate(int n)
{
	(void)!ftruncate(open("sparse", O_RDWR), (off_t)(500 - n) * 2 * BLOCK);
}

/* op with its nth allocation or user copy failing. Did that happen? */
static int op_failing(void (*op)(int), int nth)
{
	char left[16] = "";
	pid_t child = fork();
	int status;

	if (!child) {
		int fd = open("/proc/self/fail-nth", O_RDWR);

		dprintf(fd, "%d", nth);
		op(nth);
		_exit(pread(fd, left, sizeof(left) - 1, 0) > 0 && atoi(left) == 0);
	}
	return waitpid(child, &status, 0) == child && status == 1 << 8;
}

/* That nothing is left half done, e2fsck tells. */
static void short_of_memory(void)
{
	static void (*const ops[])(int) = {op_mkdir, op_xattr, op_sparse, op_allocate, op_names,
					   op_rename, op_unlink, op_truncate};
	int failures = 0;

	if (access("/proc/self/fail-nth", F_OK) || mkdir("short", 0755) || chdir("short") || mkdir("many", 0755))
		return;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		for (int nth = 2; nth < 40; nth++)
			failures += op_failing(ops[i], nth);
	claim(failures > 80, "allocations fail in all kinds of operations");
	if (chdir(".."))
		exit(1);
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]))
		return 2;
	writing();
	reading();
	short_of_memory();
	life_goes_on();
	same_hash();
	return failed != 0;
}
