/*
 * Damages an image, mounts it, uses it, and goes on: whatever an image holds, the kernel stays up.
 *
 *	walk BASE DEVICE FIRST COUNT    seeds FIRST … FIRST + COUNT - 1
 *
 * Each round writes BASE to DEVICE with some bytes changed, half of them in the first blocks, where
 * the metadata lies; then everything in it is read, listed and changed as far as it lets itself.
 */
#include <dirent.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "image.h"

#define PATHS 400

static char *base;
static size_t size;
static char data[1 << 16];
static int paths;

/* Bytes that mean something: a word of zero is left alone, so that the damage is not wasted. */
static size_t place(uint64_t *seed)
{
	size_t at = 0;

	for (int tries = 0; tries < 1000; tries++) {
		size_t bound = random_next(seed) & 1 ? size / 8 : size;

		at = random_next(seed) % (bound - 8) & ~7ULL;
		if (memcmp(base + at, "\0\0\0\0\0\0\0", 8) != 0)
			break;
	}
	return at + random_next(seed) % 8;
}

static void write_damaged(const char *device, uint64_t seed)
{
	uint64_t nr = 1 + random_next(&seed) % 24;
	struct { size_t at; char old; } undo[24];

	for (uint64_t i = 0; i < nr; i++) {
		undo[i].at = place(&seed);
		undo[i].old = base[undo[i].at];
		switch (random_next(&seed) % 4) {
		case 0:
			base[undo[i].at] = (char)random_next(&seed);
			break;
		case 1:
			base[undo[i].at] ^= (char)(1 << random_next(&seed) % 8);
			break;
		case 2:
			base[undo[i].at] = (char)0xff;
			break;
		default:
			base[undo[i].at]++;
		}
	}
	image_store(device, base, size);
	while (nr--)
		base[undo[nr].at] = undo[nr].old;
}

static void use_file(const char *path)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW);
	off_t at = 0;

	if (fd < 0)
		fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0)
		return;
	for (int i = 0; i < 64; i++) {
		ssize_t n = pread(fd, data, sizeof(data), at);

		if (n <= 0)
			break;
		at += n;
	}
	(void)!pwrite(fd, "changed", 7, 5000);
	(void)!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 8192);
	(void)!ftruncate(fd, 3000);
	close(fd);
}

static void walk(const char *dir, int depth)
{
	char path[1024];
	struct dirent *e;
	DIR *d = opendir(dir);

	if (!d)
		return;
	while (paths < PATHS && (e = readdir(d))) {
		struct stat st;

		paths++;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= (int)sizeof(path))
			continue;
		if (lstat(path, &st))
			continue;
		(void)!llistxattr(path, data, sizeof(data));
		(void)!lgetxattr(path, "user.test", data, sizeof(data));
		if (S_ISLNK(st.st_mode))
			(void)!readlink(path, data, sizeof(data));
		else if (S_ISDIR(st.st_mode) && depth < 8)
			walk(path, depth + 1);
		else if (S_ISREG(st.st_mode))
			use_file(path);
	}
	closedir(d);
}

static void change(void)
{
	char path[300], other[300];
	int fd;

	for (int i = 0; i < 30; i++) {
		snprintf(path, sizeof(path), WHERE "/d/another-name-%d", i);
		fd = open(path, O_RDWR | O_CREAT, 0644);
		if (fd < 0)
			continue;
		(void)!write(fd, data, (size_t)i * 700);
		close(fd);
		(void)!setxattr(path, "user.test", data, (size_t)i * 20, 0);
	}
	for (int i = 1; i < 60; i++) {
		snprintf(path, sizeof(path), WHERE "/d/file-with-a-name-%d", i);
		snprintf(other, sizeof(other), WHERE "/d/e/moved-%d", i);
		(void)!(i % 3 ? rename(path, other) : unlink(path));
	}
	(void)!mkdir(WHERE "/d/new", 0755);
	(void)!rename(WHERE "/d/e", WHERE "/d/new/e");
	(void)!rmdir(WHERE "/lost+found");
	(void)!rename(WHERE "/x", WHERE "/d/x");
	sync();
}

int main(int argc, char **argv)
{
	unsigned long first, count, mounted = 0;

	if (argc != 5)
		return 2;
	base = image_load(argv[1], &size);
	first = strtoul(argv[3], NULL, 0);
	count = strtoul(argv[4], NULL, 0);
	mkdir(WHERE, 0755);
	for (unsigned long seed = first; seed < first + count; seed++) {
		if (getenv("VERBOSE"))
			fprintf(stderr, "seed %lu\n", seed);
		write_damaged(argv[2], seed);
		if (mount(argv[2], WHERE, "ext4", seed % 4 ? 0 : MS_RDONLY,
			  seed % 3 ? "" : "errors=remount-ro"))
			continue;
		mounted++;
		paths = 0;
		walk(WHERE, 0);
		change();
		walk(WHERE, 0);
		if (umount(WHERE))
			die("umount");
	}
	printf("%lu of %lu could be mounted\n", mounted, count);
	return 0;
}
