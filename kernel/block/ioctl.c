/*
 * ioctl(2) on block devices. Who may do what, and the order of checks, are Linux's: 6.1 asks for
 * CAP_SYS_ADMIN to flush, to re-read the table and to change read-only, and for a descriptor that is open
 * for writing to discard or zero.
 */
#include <lib/errno.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <linux/hdreg.h>
#include <mm/user.h>
#include <task/cred.h>
#include <task/task.h>
#include <vfs/file.h>
#include "internal.h"

static long put_int(u64 arg, int v)
{
	return user_write(user_handle(int, arg), &v);
}

static long put_uint(u64 arg, u32 v)
{
	return user_write(user_handle(uint, arg), &v);
}

static long put_u16(u64 arg, u16 v)
{
	return user_write(user_handle(u16, arg), &v);
}

static long put_long(u64 arg, long v)
{
	return user_write(user_handle(long, arg), &v);
}

static long put_u64(u64 arg, u64 v)
{
	return user_write(user_handle(u64, arg), &v);
}

/* Cached pages of a range go: what they hold is about to be void. */
static int drop_cached(struct block_device *b, u64 start, u64 len)
{
	struct mapping *m = &b->inode->mapping;
	u64 first = start >> PAGE_SHIFT, last = (start + len - 1) >> PAGE_SHIFT;
	int err = mapping_write(m, first, last);

	return err ? err : page_cache_invalidate(m, first, last);
}

static int read_range(u64 arg, u64 *start, u64 *len)
{
	u64 range[2];

	if (user_read_bytes(range, user_handle(bytes, arg), sizeof(range)))
		return -EFAULT;
	*start = range[0];
	*len = range[1];
	return 0;
}

/* discard: BLKDISCARD, else BLKZEROOUT. */
static long range_ioctl(struct file *f, u64 arg, bool discard)
{
	struct block_device *b = bdev_of(f->inode);
	u64 start, len;
	int err;

	if (!(f->mode & FMODE_WRITE))
		return -EBADF;
	if (discard && !block_device_can_discard(b))
		return -EOPNOTSUPP;
	err = read_range(arg, &start, &len);
	if (err)
		return err;
	if ((start | len) & (SECTOR_SIZE - 1) || !len)
		return -EINVAL;
	if (start + len < start || start + len > block_device_size(b))
		return -EINVAL;
	rwsem_write_lock(&f->inode->lock);
	err = drop_cached(b, start, len);
	if (!err)
		err = discard ? block_discard(b, start, len) :
				block_zero(b, start, len, false, false);
	rwsem_write_unlock(&f->inode->lock);
	return err;
}

static long set_read_only(struct block_device *b, u64 arg)
{
	int on;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	if (user_read(&on, user_handle(int, arg)))
		return -EFAULT;
	WRITE_ONCE(b->read_only, on != 0);
	return 0;
}

static long flush_buffers(struct block_device *b)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	/* As on Linux, errors are fsync's to tell. */
	(void)!mapping_write(&b->inode->mapping, 0, U64_MAX);
	(void)!page_cache_invalidate(&b->inode->mapping, 0, U64_MAX);
	return 0;
}

static long reread_partitions(struct file *f, struct block_device *b)
{
	int err = 0;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	if (b->partno)
		return -EINVAL;
	mutex_lock(&b->disk->open_lock);
	if (b->holder && b->holder != f->private)
		err = -EBUSY;
	/* The table is read from the disk: what is cached of it goes there first. */
	if (!err)
		err = mapping_write(&b->inode->mapping, 0, U64_MAX);
	if (!err)
		err = disk_scan_locked(b->disk);
	mutex_unlock(&b->disk->open_lock);
	return err;
}

static long set_block_size(struct file *f, u64 arg)
{
	struct block_device *b = bdev_of(f->inode);
	int size;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	if (!arg)
		return -EINVAL;
	if (user_read(&size, user_handle(int, arg)))
		return -EFAULT;
	if (size < (int)SECTOR_SIZE || size > (int)PAGE_SIZE || size & (size - 1) ||
	    (u32)size < block_device_block_size(b))
		return -EINVAL;
	WRITE_ONCE(b->block_size, (u32)size);
	return 0;
}

/* A shape that old programs ask for; it means nothing. */
static long get_geometry(struct block_device *b, u64 arg)
{
	struct hd_geometry g = {.heads = 1 << 6, .sectors = 1 << 5, .start = b->start};

	if (!arg)
		return -EINVAL;
	g.cylinders = (unsigned short)(READ_ONCE(b->disk->nr_sectors) >> 11);
	return user_write_bytes(user_handle(bytes, arg), &g, sizeof(g)) ? -EFAULT : 0;
}

long block_ioctl(struct file *f, unsigned int cmd, u64 arg)
{
	struct block_device *b = bdev_of(f->inode);
	const struct block_limits *l = &b->disk->limits;
	u64 size = block_device_size(b);

	switch (cmd) {
	case BLKGETSIZE64:
		return put_u64(arg, size);
	case BLKGETSIZE:
		return put_long(arg, (long)(size >> SECTOR_SHIFT));
	case BLKSSZGET:
		return put_int(arg, (int)l->logical_size);
	case BLKPBSZGET:
		return put_uint(arg, l->physical_size);
	case BLKIOMIN:
		return put_uint(arg, l->io_min);
	case BLKIOOPT:
		return put_uint(arg, l->io_opt);
	case BLKALIGNOFF:
		return put_int(arg, 0);
	case BLKBSZGET:
		return put_int(arg, (int)READ_ONCE(b->block_size));
	case BLKBSZSET:
		return set_block_size(f, arg);
	case BLKSECTGET:
		return put_u16(arg, (u16)MIN(l->max_sectors, U16_MAX));
	case BLKROTATIONAL:
		return put_u16(arg, 0);
	case BLKDISCARDZEROES:
		return put_uint(arg, 0);
	case BLKRAGET:
	case BLKFRAGET:
		return arg ? put_long(arg, 256) : -EINVAL;
	case BLKROGET:
		return put_int(arg, block_device_read_only(b));
	case BLKROSET:
		return set_read_only(b, arg);
	case BLKFLSBUF:
		return flush_buffers(b);
	case BLKRRPART:
		return reread_partitions(f, b);
	case BLKDISCARD:
		return range_ioctl(f, arg, true);
	case BLKZEROOUT:
		return range_ioctl(f, arg, false);
	case HDIO_GETGEO:
		return get_geometry(b, arg);
	default:
		return -ENOTTY;
	}
}
