/*
 * cpio "newc" writer: a stream of entries, nothing kept in memory.
 *
 * Write errors are left to the stream's error flag and reported once, by cpio_finish. Of several
 * hard links the first carries the content and the later ones have none, so a reader needs no
 * second look at an earlier entry.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/sysmacros.h>

#include "cpio.h"

static const char zeros[4];

static void put(struct cpio_writer *writer, const void *data, size_t len)
{
	fwrite(data, 1, len, writer->out);
	writer->written += len;
}

static void pad(struct cpio_writer *writer)
{
	put(writer, zeros, (size_t)(-writer->written & 3));
}

void cpio_start(struct cpio_writer *writer, FILE *out)
{
	*writer = (struct cpio_writer){.out = out, .next_ino = 1};
}

uint32_t cpio_new_ino(struct cpio_writer *writer)
{
	return writer->next_ino++;
}

void cpio_begin_entry(struct cpio_writer *writer, const struct cpio_entry *entry)
{
	char header[6 + 13 * 8 + 1];
	size_t name_len = strlen(entry->name) + 1;
	uint32_t ino = entry->ino ? entry->ino : cpio_new_ino(writer);
	int len = snprintf(header, sizeof(header),
			   "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", ino,
			   entry->mode, entry->uid, entry->gid, entry->nr_links,
			   (unsigned int)entry->mtime, entry->size, 0u, 0u, major(entry->rdev),
			   minor(entry->rdev), (unsigned int)name_len, 0u);

	put(writer, header, (size_t)len);
	put(writer, entry->name, name_len);
	pad(writer);
}

void cpio_data(struct cpio_writer *writer, const void *data, size_t len)
{
	put(writer, data, len);
}

void cpio_end_entry(struct cpio_writer *writer)
{
	pad(writer);
}

void cpio_add(struct cpio_writer *writer, const struct cpio_entry *entry, const void *data)
{
	cpio_begin_entry(writer, entry);
	if (entry->size)
		cpio_data(writer, data, entry->size);
	cpio_end_entry(writer);
}

bool cpio_finish(struct cpio_writer *writer)
{
	struct cpio_entry trailer = {.name = "TRAILER!!!", .nr_links = 1};

	cpio_add(writer, &trailer, NULL);
	return fflush(writer->out) == 0 && !ferror(writer->out);
}
