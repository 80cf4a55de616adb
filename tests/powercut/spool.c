/*
 * A workload that promises things, and the check that they were kept after a power cut.
 *
 *	spool write DIR DEVICE OFFSET FIRST LAST   runs operations; after each that is on stable
 *	                                           storage, its number goes to DEVICE at OFFSET
 *	spool verify DIR ACKED                     checks that operations up to ACKED are there
 *	spool mark DEVICE OFFSET NUMBER            puts the number there, for a workload of its own
 *
 * The number on the device (beyond the file system's end) is how the recorder's log tells what had
 * been promised at each point. The disk is full of 'Z' before the file system is made on it, and
 * nobody writes one: a 'Z' in a file is the former content of a block.
 *
 * Operations by number: mail (write, fsync, rename, fsync of the directory), a record appended to a
 * log (fdatasync), a file replaced by a rename (and one without fsync), a block of a large file overwritten in place, and
 * noise without any promise: files made, grown, cut, holes punched, directories made and removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS  64
#define RECORD 64
#define BLOCK  4096
#define LIMIT  65536

static char buf[LIMIT];

static void die(const char *what, ...)
{
	va_list ap;

	va_start(ap, what);
	vfprintf(stderr, what, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(errno));
	exit(1);
}

static unsigned int mix(unsigned int v)
{
	v = (v ^ v >> 16) * 0x45d9f3bu;
	v = (v ^ v >> 16) * 0x45d9f3bu;
	return v ^ v >> 16;
}

/* Lower-case letters only. */
static void fill(unsigned int n, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (char)('a' + (n * 7 + i * (1 + n % 5)) % 26);
}

static size_t body_size(unsigned int n)
{
	return 1 + mix(n) % 20000;
}

static const char *name(const char *kind, unsigned int n)
{
	static char text[2][64];
	static int which;

	which = !which;
	snprintf(text[which], sizeof(text[which]), "%s/%u", kind, n);
	return text[which];
}

static void write_all(int fd, size_t len, off_t at)
{
	if (pwrite(fd, buf, len, at) != (ssize_t)len)
		die("write");
}

static int make(const char *path, int flags)
{
	int fd = open(path, O_RDWR | O_CREAT | flags, 0644);

	if (fd < 0)
		die("%s", path);
	return fd;
}

static void sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);

	if (fd < 0 || fsync(fd))
		die("%s", path);
	close(fd);
}

/* ---- Operations ---- */

static void mail(unsigned int n)
{
	int fd = make(name("tmp", n), O_EXCL);

	fill(n, body_size(n));
	write_all(fd, body_size(n), 0);
	if (fsync(fd) || close(fd) || rename(name("tmp", n), name("new", n)))
		die("mail %u", n);
	sync_dir("new");
}

static void record(unsigned int n, unsigned int count)
{
	int fd = make("log", 0);

	memset(buf, '.', RECORD);
	buf[snprintf(buf, RECORD, "record %u", n)] = ' ';
	buf[RECORD - 1] = '\n';
	write_all(fd, RECORD, (off_t)count * RECORD);
	if (fdatasync(fd) || close(fd))
		die("log");
}

static void write_new(unsigned int n, const char *path, int sync)
{
	int fd = make(path, O_TRUNC), len;

	fill(n, 3000);
	len = snprintf(buf, 32, "%u ", n);
	buf[len] = 'x';
	write_all(fd, 3000, 0);
	if ((sync && fsync(fd)) || close(fd))
		die("%s", path);
}

static void replace(unsigned int n)
{
	write_new(n, "state.new", 1);
	if (rename("state.new", "state"))
		die("state");
	sync_dir(".");
}

/* Without any fsync: no promise that it is the new one, but it is one of them (auto_da_alloc). */
static void swap(unsigned int n)
{
	write_new(n, "swap.new", 0);
	if (rename("swap.new", "swap"))
		die("swap");
}

static void slot(unsigned int n)
{
	int fd = make("slots", 0);

	fill(n, BLOCK);
	buf[snprintf(buf, 32, "%u ", n)] = 'x';
	write_all(fd, BLOCK, (off_t)(n / 4 % SLOTS) * BLOCK);
	if (fdatasync(fd) || close(fd))
		die("slots");
}

static void noise(unsigned int n)
{
	unsigned int r = mix(n * 31);
	const char *file = name("noise", r % 40);
	int fd = make(file, 0);

	fill(n, LIMIT);
	write_all(fd, 1 + r % LIMIT, (off_t)(r >> 8 & 0x3ffff));
	if (r & 1 << 20 && ftruncate(fd, (off_t)(r >> 10 & 0x1ffff)))
		die("truncate");
	if (r & 1 << 21)
		(void)!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, r & 0xffff, 30000);
	if (r & 1 << 22)
		(void)!fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 200000);
	close(fd);
	if (r & 1 << 23)
		unlink(file);
	if (mkdir(name("noise", 1000 + r % 7), 0755) && errno == EEXIST)
		rmdir(name("noise", 1000 + r % 7));
}

static void promise(const char *device, off_t at, unsigned int n)
{
	static int fd = -1;
	static char *page;

	if (fd < 0) {
		fd = open(device, O_WRONLY | O_DIRECT);
		if (fd < 0)
			fd = open(device, O_WRONLY);
		if (fd < 0 || posix_memalign((void **)&page, 4096, 4096))
			die("%s", device);
	}
	memset(page, 0, 4096);
	memcpy(page, "acked", 6);
	memcpy(page + 8, &n, sizeof(n));
	if (pwrite(fd, page, 4096, at) != 4096 || fdatasync(fd))
		die("%s", device);
}

static void run(const char *device, off_t at, unsigned int first, unsigned int last)
{
	for (unsigned int n = first; n <= last; n++) {
		noise(2 * n);
		switch (n % 4) {
		case 0:
			mail(n);
			break;
		case 1:
			record(n, n / 4);
			break;
		case 2:
			replace(n);
			break;
		default:
			slot(n);
		}
		noise(2 * n + 1);
		swap(n);
		promise(device, at, n);
	}
}

/* ---- Checks ---- */

static int bad;

static void complain(const char *what, unsigned int n)
{
	printf("%s (%u)\n", what, n);
	bad = 1;
}

/* Up to LIMIT bytes; -1: there is no such file. */
static ssize_t load(const char *path, off_t at, size_t len, char *to)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = pread(fd, to, len, at);
	close(fd);
	return n;
}

static char have[LIMIT];

static void check_mail(unsigned int n, unsigned int acked)
{
	ssize_t len = load(name("new", n), 0, LIMIT, have);

	if (len < 0) {
		if (n <= acked)
			complain("mail lost", n);
		return;
	}
	fill(n, body_size(n));
	if ((size_t)len != body_size(n) || memcmp(buf, have, (size_t)len) != 0)
		complain("mail torn", n);
}

static void check_record(unsigned int n)
{
	char want[32];
	ssize_t len = load("log", (off_t)(n / 4) * RECORD, RECORD, have);

	snprintf(want, sizeof(want), "record %u ", n);
	if (len != RECORD || memcmp(have, want, strlen(want)) != 0 || have[RECORD - 1] != '\n')
		complain("record lost", n);
}

/* The number that the piece begins with must be one whose content this is, not below `least`. */
static void check_numbered(const char *what, ssize_t len, size_t size, unsigned int least)
{
	unsigned int n;

	if (len != (ssize_t)size || sscanf(have, "%u x", &n) != 1 || n < least) {
		complain(what, least);
		return;
	}
	fill(n, size);
	buf[snprintf(buf, 32, "%u ", n)] = 'x';
	if (memcmp(buf, have, size) != 0)
		complain(what, n);
}

static void check_no_stale(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[300];

	if (!d)
		return;
	while ((e = readdir(d))) {
		struct stat st;
		ssize_t len;

		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (lstat(path, &st) || !S_ISREG(st.st_mode))
			continue;
		for (off_t at = 0; (len = load(path, at, LIMIT, have)) > 0; at += len)
			if (memchr(have, 'Z', (size_t)len)) {
				printf("%s: ", path);
				complain("stale block", (unsigned int)(at >> 12));
			}
		if (len < 0)
			complain("unreadable", 0);
	}
	closedir(d);
}

/* The last number up to acked that is `kind` modulo 4 (and, for slots, that slot's). */
static void check(unsigned int acked)
{
	unsigned int state = 0, slots[SLOTS] = {0};

	for (unsigned int n = 1; n <= acked + 8; n++) {
		if (n % 4 == 0)
			check_mail(n, acked);
		else if (n % 4 == 1 && n <= acked)
			check_record(n);
		else if (n % 4 == 2 && n <= acked)
			state = n;
		else if (n % 4 == 3 && n <= acked)
			slots[n / 4 % SLOTS] = n;
	}
	if (acked)
		check_numbered("swap torn", load("swap", 0, LIMIT, have), 3000, 0);
	if (state)
		check_numbered("state lost", load("state", 0, LIMIT, have), 3000, state);
	for (unsigned int i = 0; i < SLOTS; i++)
		if (slots[i])
			check_numbered("slot lost", load("slots", i * BLOCK, BLOCK, have), BLOCK, slots[i]);
	check_no_stale(".");
	check_no_stale("tmp");
	check_no_stale("new");
	check_no_stale("noise");
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "mark") == 0) {
		promise(argv[2], atoll(argv[3]), (unsigned int)atoi(argv[4]));
		return 0;
	}
	if (argc < 4 || chdir(argv[2]))
		die("usage: spool write DIR DEVICE OFFSET FIRST LAST | verify DIR ACKED");
	if (strcmp(argv[1], "verify") == 0) {
		check((unsigned int)atoi(argv[3]));
		return bad;
	}
	if (argc != 7)
		die("arguments");
	mkdir("tmp", 0755);
	mkdir("new", 0755);
	mkdir("noise", 0755);
	swap(0);
	sync();
	run(argv[3], atoll(argv[4]), (unsigned int)atoi(argv[5]), (unsigned int)atoi(argv[6]));
	return 0;
}
