/*
 * Block devices as files. An open file of a device node works on the device's own inode (file->inode),
 * so all nodes of a device share its pages, and the node's inode keeps only name and permissions.
 *
 * Locks: the device inode's lock orders writers through the cache, as for regular files; those with
 * O_DIRECT share it.
 */
#include <block/direct.h>
#include <lib/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <task/task.h>
#include <vfs/blkdev.h>
#include "internal.h"

static const void *holder_of(const struct file *f)
{
	return f->private;
}

static int blkdev_open(struct inode *inode, struct file *f)
{
	struct block_device *b = block_device_by_dev(inode->rdev);
	const void *holder = f->flags & O_EXCL ? f : NULL;
	int err;

	if (!b)
		return -ENXIO;
	/* Linux 6.1 refuses writes to a read-only device, not opens for writing. */
	err = block_device_open(b, false, holder);
	if (!err && f->mode & FMODE_WRITE) {
		err = block_writer_start(b);
		if (err)
			block_device_close(b, holder);
	}
	if (err) {
		block_device_put(b);
		return err;
	}
	f->inode = b->inode;
	f->mode |= FMODE_CAN_DIRECT;
	f->private = (void *)holder;
	return 0;
}

static void blkdev_release(struct file *f)
{
	struct block_device *b = bdev_of(f->inode);

	block_device_close(b, holder_of(f));
	f->inode = f->path.dentry->inode;
	block_device_put(b);
}

static int map_direct(struct inode *i, u64 pos, u64 len, bool write, struct direct_extent *out)
{
	*out = (struct direct_extent){.bdev = bdev_of(i), .sector = pos >> SECTOR_SHIFT, .len = len};
	return 0;
}

static ssize_t blkdev_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	u64 size = READ_ONCE(f->inode->size);
	ssize_t n;

	if (!(f->flags & O_DIRECT))
		return file_read_cached(f, to, pos);
	if ((u64)*pos >= size)
		return 0;
	n = direct_read(f->inode, to, (u64)*pos, MIN(io_count(to), size - (u64)*pos),
			block_device_block_size(bdev_of(f->inode)), map_direct);
	if (n == -EBUSY)
		return file_read_cached(f, to, pos);
	if (n > 0)
		*pos += n;
	return n;
}

/* Through the cache after all, with the same result. */
static ssize_t write_behind(struct file *f, struct io_iter *from, loff_t *pos, u64 n)
{
	u64 first = (u64)*pos >> PAGE_SHIFT;
	ssize_t done = file_write_pages(f->inode, from, pos, n);
	int err;

	if (done <= 0)
		return done;
	err = mapping_write(&f->inode->mapping, first, (u64)(*pos - 1) >> PAGE_SHIFT);
	return err ? err : done;
}

static ssize_t write_direct(struct file *f, struct io_iter *from, u64 pos, u64 n)
{
	ssize_t done;

	rwsem_read_lock(&f->inode->lock);
	done = direct_write(f->inode, from, pos, n, block_device_block_size(bdev_of(f->inode)), map_direct);
	rwsem_read_unlock(&f->inode->lock);
	return done;
}

static int blkdev_fsync(struct file *f, bool data_only)
{
	int err = mapping_sync(&f->inode->mapping);
	int flushed = block_flush(bdev_of(f->inode));

	return err ? err : flushed;
}

static ssize_t write_cached(struct file *f, struct io_iter *from, loff_t *pos, u64 n)
{
	ssize_t done;

	rwsem_write_lock(&f->inode->lock);
	done = f->flags & O_DIRECT ? write_behind(f, from, pos, n) : file_write_pages(f->inode, from, pos, n);
	rwsem_write_unlock(&f->inode->lock);
	return done;
}

static ssize_t blkdev_write(struct file *f, struct io_iter *from, loff_t *pos)
{
	u64 size = READ_ONCE(f->inode->size), n;
	ssize_t done = -EBUSY;
	int err;

	if (!io_count(from))
		return 0;
	if (block_device_read_only(bdev_of(f->inode)))
		return -EPERM;
	if ((u64)*pos >= size)
		return -ENOSPC;
	n = MIN(io_count(from), size - (u64)*pos);
	if (f->flags & O_DIRECT)
		done = write_direct(f, from, (u64)*pos, n);
	if (done == -EBUSY)
		done = write_cached(f, from, pos, n);
	else if (done > 0)
		*pos += done;
	err = done > 0 ? file_write_sync(f) : 0;
	return err ? err : done;
}

static loff_t blkdev_llseek(struct file *f, loff_t off, int whence)
{
	loff_t size = (loff_t)READ_ONCE(f->inode->size);

	if (whence == SEEK_DATA || whence == SEEK_HOLE)
		return -EINVAL;
	return file_llseek_size(f, off, whence, size, size);
}

const struct file_ops blkdev_fops = {
	.name = "blkdev",
	.open = blkdev_open,
	.read = blkdev_read,
	.write = blkdev_write,
	.llseek = blkdev_llseek,
	.ioctl = block_ioctl,
	.mmap = file_mmap_cached,
	.release = blkdev_release,
	.fsync = blkdev_fsync,
};

/* Disks stay once they are on the list. */
void block_sync_all(void)
{
	struct disk *d;

	list_for_each(d, &all_disks, node) {
		(void)!writeback_super(d->whole->inode->sb);
		(void)!block_flush(d->whole);
	}
}
