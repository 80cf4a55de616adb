/*
 * Writing of cpio archives in the "newc" form, as the kernel unpacks them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* One archive being written. The stream belongs to the caller, who closes it after cpio_finish. */
struct cpio_writer {
	FILE *out;
	uint64_t written;  /* bytes so far */
	uint32_t next_ino; /* archive's own inode numbers: the host's do not fit into 32 bits */
};

/* What an entry is. rdev counts for device nodes only. */
struct cpio_entry {
	const char *name; /* without leading slash */
	mode_t mode;
	uid_t uid;
	gid_t gid;
	unsigned int nr_links;
	uint32_t ino; /* 0: a fresh one */
	uint64_t mtime;
	dev_t rdev;
	uint32_t size; /* bytes of content that follow */
};

void cpio_start(struct cpio_writer *writer, FILE *out);
/* A number that no other entry has, for entries that are hard links of each other. */
uint32_t cpio_new_ino(struct cpio_writer *writer);
/* Writes a header; exactly entry->size bytes of cpio_data must follow, then cpio_end_entry. */
void cpio_begin_entry(struct cpio_writer *writer, const struct cpio_entry *entry);
void cpio_data(struct cpio_writer *writer, const void *data, size_t len);
void cpio_end_entry(struct cpio_writer *writer);
/* A whole entry at once; data may be NULL when entry->size is 0. */
void cpio_add(struct cpio_writer *writer, const struct cpio_entry *entry, const void *data);
/* Writes the trailer and flushes. False: some write failed (errno). */
bool cpio_finish(struct cpio_writer *writer);
