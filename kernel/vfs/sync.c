/*
 * fsync and its relatives, fallocate, fadvise64, readahead. A file system whose data is memory has
 * nothing to write back; one that has brings fsync and sync operations.
 */
#include <lib/errno.h>
#include <linux/falloc.h>
#include <linux/fadvise.h>
#include <linux/fs.h>
#include <mm/slab.h>
#include <signal/signal.h>
#include <syscall/table.h>
#include <vfs/blkdev.h>
#include <vfs/file.h>
#include <vfs/notify.h>

static long sync_fd(int fd, bool data_only)
{
	struct fd f = fd_get(fd);
	long ret;

	if (!f.file)
		return -EBADF;
	ret = file_sync(f.file, data_only);
	fd_put(f);
	return ret;
}

long sys_fsync(int fd)
{
	return sync_fd(fd, false);
}

long sys_fdatasync(int fd)
{
	return sync_fd(fd, true);
}

/* The super blocks of the namespace's mounts, with references; their number. *all: the array held them all. */
static u32 supers_get(struct mount_ns *ns, struct super_block **list, u32 max, bool *all)
{
	struct mount *m;
	u32 nr = 0;

	*all = true;
	mutex_lock(&ns->lock);
	list_for_each(m, &ns->mounts, ns_node) {
		if (!m->sb->ops || !m->sb->ops->sync)
			continue;
		*all = nr < max;
		if (!*all)
			break;
		super_get(m->sb);
		list[nr++] = m->sb;
	}
	mutex_unlock(&ns->lock);
	return nr;
}

/* Without the namespace's lock: writing takes its time, and mounts go on. -ENOMEM: not done. */
static int sync_mounts(struct mount_ns *ns)
{
	struct super_block **list;
	bool all = false;
	u32 nr;

	for (u32 max = 16; !all; max *= 2) {
		list = kvmalloc(max * sizeof(struct super_block *), GFP_KERNEL);
		if (!list)
			return -ENOMEM;
		nr = supers_get(ns, list, max, &all);
		for (u32 i = 0; i < nr; i++) {
			if (all) /* one that is mounted twice is clean the second time */
				list[i]->ops->sync(list[i]);
			super_put(list[i]);
		}
		kvfree(list);
	}
	return 0;
}

/* Cannot fail; without memory for the list, writing has begun all the same. Stores work side by side. */
long sys_sync(void)
{
	writeback_hurry();
	(void)!sync_mounts(current->mount_ns);
	block_sync_all();
	return 0;
}

long sys_syncfs(int fd)
{
	struct fd f = fd_get(fd);
	const struct super_block *sb;
	long ret = 0;

	if (!f.file)
		return -EBADF;
	sb = f.file->inode->sb;
	if (sb->ops && sb->ops->sync)
		ret = sb->ops->sync(f.file->inode->sb);
	fd_put(f);
	return ret;
}

static long sync_range(struct file *f, loff_t offset, loff_t nbytes, u32 flags)
{
	u32 kind = f->inode->mode & S_IFMT;

	if (flags & ~(u32)(SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
			   SYNC_FILE_RANGE_WAIT_AFTER))
		return -EINVAL;
	if (offset < 0 || offset + nbytes < 0 || offset + nbytes < offset)
		return -EINVAL;
	if (kind != S_IFREG && kind != S_IFBLK && kind != S_IFDIR && kind != S_IFLNK)
		return -ESPIPE;
	/* Writing waits for writing: WAIT_BEFORE alone has nothing more to wait for than errors. */
	if (flags & SYNC_FILE_RANGE_WRITE)
		(void)!mapping_write(&f->inode->mapping, (u64)offset >> PAGE_SHIFT,
				     nbytes ? (u64)(offset + nbytes - 1) >> PAGE_SHIFT : U64_MAX);
	return flags & (SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER) ?
		       file_write_error(f) : 0;
}

long sys_sync_file_range(int fd, loff_t offset, loff_t nbytes, u32 flags)
{
	struct fd f = fd_get(fd);
	long ret;

	if (!f.file)
		return -EBADF;
	ret = sync_range(f.file, offset, nbytes, flags);
	fd_put(f);
	return ret;
}

#define FALLOCATE_MODES                                                                            \
	(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE |                   \
	 FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE)

/* Which flags go together. */
static int check_fallocate_mode(u32 mode)
{
	if (mode & ~(u32)FALLOCATE_MODES)
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_PUNCH_HOLE) && (mode & FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_PUNCH_HOLE) && !(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_COLLAPSE_RANGE) && (mode & ~(u32)FALLOC_FL_COLLAPSE_RANGE))
		return -EINVAL;
	if ((mode & FALLOC_FL_INSERT_RANGE) && (mode & ~(u32)FALLOC_FL_INSERT_RANGE))
		return -EINVAL;
	if ((mode & FALLOC_FL_UNSHARE_RANGE) &&
	    (mode & ~(u32)(FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE)))
		return -EINVAL;
	return 0;
}

static long do_fallocate(struct file *f, u32 mode, loff_t offset, loff_t len)
{
	struct inode *inode = f->inode;
	long ret;
	int err;

	if (offset < 0 || len <= 0)
		return -EINVAL;
	err = check_fallocate_mode(mode);
	if (err)
		return err;
	if (!(f->mode & FMODE_WRITE))
		return -EBADF;
	if ((mode & ~(u32)FALLOC_FL_KEEP_SIZE) && inode->flags & INODE_APPEND)
		return -EPERM;
	if (inode->flags & INODE_IMMUTABLE)
		return -EPERM;
	if (inode_is_fifo(inode))
		return -ESPIPE;
	if (inode_is_dir(inode))
		return -EISDIR;
	if (!inode_is_reg(inode) && !inode_is_blk(inode))
		return -ENODEV;
	if (offset > (loff_t)inode->sb->max_bytes - len)
		return -EFBIG;
	if (!f->ops->fallocate)
		return -EOPNOTSUPP;
	ret = f->ops->fallocate(f, (int)mode, offset, len);
	if (!ret)
		notify_file(f, IN_MODIFY);
	return ret;
}

long sys_fallocate(int fd, u32 mode, loff_t offset, loff_t len)
{
	struct fd f = fd_get(fd);
	long ret;

	if (!f.file)
		return -EBADF;
	ret = do_fallocate(f.file, mode, offset, len);
	fd_put(f);
	return ret;
}

/* What lies in the cache of whole pages of [start, start + len) (0: to the end) goes, once it is written. */
static void dont_need(struct inode *i, u64 start, u64 len)
{
	u64 first = DIV_ROUND_UP(start, PAGE_SIZE), end = start + len, last = end >> PAGE_SHIFT;

	if (!i->mapping.ops || i->mapping.ops->memory_backed)
		return;
	if (!len || end < start || end >= i->size)
		last = U64_MAX;
	if (first >= last)
		return;
	(void)!mapping_write(&i->mapping, first, last - 1); /* who wrote is told of errors */
	page_cache_drop_clean(&i->mapping, first, last - 1);
}

/* The range (len 0: to the end) is read, as far as it is not in the cache. */
static void will_need(struct inode *i, u64 start, u64 len)
{
	u64 end = MIN(len && start + len > start ? start + len : U64_MAX, READ_ONCE(i->size));

	if (i->mapping.ops && start < end)
		page_cache_will_need(&i->mapping, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT);
}

/* Advice changes no result, and memory-backed files have nothing to read ahead. */
static long take_advice(struct file *f, u64 start, u64 len, u32 advice)
{
	if (inode_is_fifo(f->inode))
		return -ESPIPE;
	if ((s64)len < 0)
		return -EINVAL;
	if (advice == POSIX_FADV_DONTNEED)
		dont_need(f->inode, start, len);
	if (advice == POSIX_FADV_WILLNEED)
		will_need(f->inode, start, len);
	return advice <= POSIX_FADV_NOREUSE ? 0 : -EINVAL;
}

long sys_fadvise64(int fd, loff_t offset, u64 len, u32 advice)
{
	struct fd f = fd_get(fd);
	long ret;

	if (!f.file)
		return -EBADF;
	ret = take_advice(f.file, (u64)offset, len, advice);
	fd_put(f);
	return ret;
}

long sys_readahead(int fd, loff_t offset, u64 count)
{
	struct fd f = fd_get(fd);
	long ret = -EINVAL;

	if (!f.file)
		return -EBADF;
	if (!(f.file->mode & FMODE_READ))
		ret = -EBADF;
	else if (inode_is_reg(f.file->inode))
		ret = take_advice(f.file, (u64)offset, count, POSIX_FADV_WILLNEED);
	fd_put(f);
	return ret;
}
