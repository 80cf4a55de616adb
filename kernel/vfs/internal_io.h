/* Private to kernel/vfs: what the calls on descriptors share. */
#pragma once

#include <vfs/file.h>

/* Ends a read or write call: keeps the byte counts of /proc/self/io. */
static inline void account_read(ssize_t n)
{
	struct task *t = current;

	t->io_read_calls++;
	if (n > 0)
		t->io_read_bytes += (u64)n;
}

static inline void account_write(ssize_t n)
{
	struct task *t = current;

	t->io_write_calls++;
	if (n > 0)
		t->io_write_bytes += (u64)n;
}

/* One read or write of an iterator with Linux's checks; pos is advanced on success. */
ssize_t file_read_iter(struct file *f, struct io_iter *it, loff_t *pos);
ssize_t file_write_iter(struct file *f, struct io_iter *it, loff_t *pos);

long pipe_set_size(struct file *f, u64 size);
long pipe_get_size(struct file *f);
