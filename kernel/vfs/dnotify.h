/* Private to kernel/vfs: directory notification. */
#pragma once

#include <vfs/notify.h>

/*
 * fcntl's F_NOTIFY with its argument, for a directory that the caller has open as fd: 0, -EINVAL (switched
 * off), -ENOTDIR, -ENOMEM. May sleep.
 */
long dnotify_set(struct file *f, int fd, u64 arg);

void dnotify_close_slow(struct file *f, const void *table);

/* A descriptor of f was closed in that table. */
static inline void dnotify_close(struct file *f, const void *table)
{
	if (notify_anybody() && READ_ONCE(f->inode->watches.first))
		dnotify_close_slow(f, table);
}
