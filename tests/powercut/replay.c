/*
 * Makes the disk that a power cut leaves behind from the record of its writes (dm-log-writes format).
 *
 *	replay LOG                              prints the number of entries
 *	replay LOG BASE OUT CUT SEED SECTOR     OUT: BASE with what had reached the medium when entry
 *	                                        CUT was to come; prints the last number that was
 *	                                        promised at SECTOR (see spool.c)
 *
 * What was written before the last flush is there. Of what came after it, each write may be there or
 * not: the seed decides. Seed 0: all of it.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC 0x6a736677736872ULL
enum { FLUSH = 1, FUA = 2, DISCARD = 4, MARK = 8 };

struct super {
	uint64_t magic, version, nr_entries;
	uint32_t sector_size;
};
struct entry {
	uint64_t sector, nr_sectors, flags, data_len;
};

static int log_fd;
static uint64_t unit; /* of the log */

static void read_at(void *to, size_t len, uint64_t at)
{
	if (pread(log_fd, to, len, (off_t)at) != (ssize_t)len)
		err(1, "log");
}

/* The next entry at *at, which moves behind it; *data: where its data lies. */
static struct entry next(uint64_t *at, uint64_t *data)
{
	struct entry e;

	read_at(&e, sizeof(e), *at);
	*data = *at + unit;
	*at = *data + ((e.flags & DISCARD) ? 0 : e.nr_sectors * unit);
	return e;
}

static uint64_t random_next(uint64_t *s)
{
	uint64_t x = *s += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static void copy_file(const char *from, const char *to)
{
	char *cmd;

	if (asprintf(&cmd, "cp --sparse=always '%s' '%s'", from, to) < 0 || system(cmd))
		errx(1, "cannot copy %s", from);
	free(cmd);
}

static void apply(int out, const struct entry *e, uint64_t data)
{
	size_t len = e->nr_sectors * unit;
	char *buf;

	if (!len)
		return;
	buf = malloc(len);
	if (!buf)
		err(1, "memory");
	if (e->flags & DISCARD) /* worse than zeroes: a Z must not be seen (spool.c) */
		memset(buf, 'Z', len);
	else
		read_at(buf, len, data);
	if (pwrite(out, buf, len, (off_t)(e->sector * unit)) != (ssize_t)len)
		err(1, "image");
	free(buf);
}

int main(int argc, char **argv)
{
	uint64_t at, data, cut, seed, mark, flushed = 0, acked = 0;
	struct super s;
	int out;

	log_fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
	if (log_fd < 0)
		err(1, "log");
	unit = 512;
	read_at(&s, sizeof(s), 0);
	if (s.magic != MAGIC)
		errx(1, "no log of writes");
	unit = s.sector_size;
	if (argc < 7) {
		printf("%llu\n", (unsigned long long)s.nr_entries);
		return 0;
	}
	cut = strtoull(argv[4], NULL, 0);
	seed = strtoull(argv[5], NULL, 0);
	mark = strtoull(argv[6], NULL, 0) * 512 / unit;
	if (cut > s.nr_entries)
		errx(1, "the log has %llu entries", (unsigned long long)s.nr_entries);
	at = unit;
	for (uint64_t i = 0; i < cut; i++)
		if (next(&at, &data).flags & FLUSH)
			flushed = i;
	copy_file(argv[2], argv[3]);
	out = open(argv[3], O_RDWR);
	if (out < 0)
		err(1, "%s", argv[3]);
	at = unit;
	for (uint64_t i = 0; i < cut; i++) {
		struct entry e = next(&at, &data);
		uint32_t n;

		if (e.sector == mark && e.nr_sectors) {
			read_at(&n, sizeof(n), data + 8);
			acked = n;
		}
		if (i < flushed || e.flags & FUA || !seed || random_next(&seed) & 1)
			apply(out, &e, data);
	}
	printf("%llu\n", (unsigned long long)acked);
	return close(out) != 0;
}
