/* tmpfs regular files: the generic page-cache operations, and fallocate. */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <mm/mm.h>
#include <task/task.h>
#include <vfs/file.h>

#include "internal.h"

static int file_fsync(struct file *f, bool data_only)
{
	return 0; /* there is no other store */
}

static void zero_part(struct mapping *m, u64 index, size_t from, size_t to)
{
	struct page *p = page_cache_find(m, index);

	if (!p)
		return;
	page_lock(p);
	if (p->mapping == m)
		memset((char *)page_address(p) + from, 0, to - from);
	page_unlock(p);
	page_put(p);
}

/* Frees the whole pages of [start, end) and zeroes the parts at its edges. */
static void punch_hole(struct mapping *m, u64 start, u64 end)
{
	u64 first = (start + PAGE_SIZE - 1) >> PAGE_SHIFT, last = end >> PAGE_SHIFT;

	if (first > last) { /* within one page */
		zero_part(m, last, start & (PAGE_SIZE - 1), end & (PAGE_SIZE - 1));
		return;
	}
	if (start & (PAGE_SIZE - 1))
		zero_part(m, first - 1, start & (PAGE_SIZE - 1), PAGE_SIZE);
	if (end & (PAGE_SIZE - 1))
		zero_part(m, last, 0, end & (PAGE_SIZE - 1));
	if (first < last) {
		mapping_unmap_range(m, first, last - 1, false);
		page_cache_truncate(m, first, last - 1);
		mapping_unmap_range(m, first, last - 1, false);
	}
}

/*
 * Makes every page of [first, last] exist. On failure those it made may stay: they are zero. As on
 * Linux any signal ends it (fallocate(2)): it may be a long way.
 */
static int populate(struct mapping *m, u64 first, u64 last)
{
	struct page *p;
	int err = 0;

	for (u64 i = first; i <= last && !err; i++) {
		if (signal_pending(current))
			return -EINTR;
		err = page_cache_get(m, i, &p);
		if (!err)
			page_put(p);
	}
	return err;
}

static long allocate(struct inode *i, int mode, u64 start, u64 end)
{
	int err;

	if (mode & FALLOC_FL_PUNCH_HOLE) {
		if (i->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
			return -EPERM;
		punch_hole(&i->mapping, start, end);
		inode_touch(i, ATTR_MTIME | ATTR_CTIME);
		return 0;
	}
	err = inode_size_check(i, end); /* whether or not the size is kept */
	if (err)
		return err;
	if (i->seals & F_SEAL_GROW && end > i->size)
		return -EPERM;
	err = populate(&i->mapping, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT);
	if (err)
		return err;
	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > i->size)
		WRITE_ONCE(i->size, end);
	inode_touch(i, ATTR_CTIME);
	return 0;
}

static long fallocate(struct file *f, int mode, loff_t off, loff_t len)
{
	struct inode *i = f->inode;
	long err;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	rwsem_write_lock(&i->lock);
	err = allocate(i, mode, (u64)off, (u64)off + (u64)len);
	rwsem_write_unlock(&i->lock);
	return err;
}

const struct file_ops tmpfs_file_fops = {
	.name = "tmpfs",
	.read = file_read_cached,
	.write = file_write_cached,
	.llseek = file_llseek_generic,
	.mmap = tmpfs_mmap,
	.fsync = file_fsync,
	.fallocate = fallocate,
};
