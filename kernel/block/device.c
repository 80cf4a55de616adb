/*
 * Which block devices there are, who has them open, who has one to himself.
 *
 * block_lock guards the index by device number and the list of disks; a disk's open_lock, taken before
 * it, guards openers, holders and the set of partitions. The registry owns a reference to each device.
 */
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/xarray.h>
#include <linux/fcntl.h>
#include <vfs/blkdev.h>
#include <vfs/chrdev.h>
#include "internal.h"

struct mutex block_lock = MUTEX_INIT(block_lock, LOCK_RANK_BLOCK);
struct list_head all_disks = LIST_INIT(all_disks);
static struct xarray by_number; /* block_lock */

int block_device_register(struct block_device *b)
{
	int err;

	mutex_lock(&block_lock);
	err = xa_store(&by_number, b->dev, b, NULL);
	if (!err && b->partno)
		b->disk->parts[b->partno - 1] = b;
	mutex_unlock(&block_lock);
	return err ? err : devtmpfs_add(b->name, S_IFBLK | 0600, b->dev);
}

void block_device_unregister(struct block_device *b)
{
	mutex_lock(&block_lock);
	xa_erase(&by_number, b->dev);
	b->disk->parts[b->partno - 1] = NULL;
	mutex_unlock(&block_lock);
	devtmpfs_remove(b->name);
	block_device_put(b);
}

struct block_device *block_device_by_dev(u64 rdev)
{
	struct block_device *b;

	mutex_lock(&block_lock);
	b = xa_load(&by_number, rdev);
	if (b)
		block_device_get(b);
	mutex_unlock(&block_lock);
	return b;
}

int block_device_by_path(const char *path, struct block_device **out)
{
	struct inode *i;
	struct path p;
	int err = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW, &p);

	if (err)
		return err;
	i = p.dentry->inode;
	if (!inode_is_blk(i))
		err = -ENOTBLK;
	else if (READ_ONCE(p.mnt->flags) & MNT_NODEV)
		err = -EACCES;
	else if (!(*out = block_device_by_dev(i->rdev)))
		err = -ENXIO;
	path_put(&p);
	return err;
}

void block_device_get(struct block_device *b)
{
	inode_get(b->inode);
}

void block_device_put(struct block_device *b)
{
	inode_put(b->inode);
}

/* ---- Openers and holders. open_lock. ---- */

static int claim(struct block_device *b, const void *holder)
{
	struct block_device *whole = b->disk->whole;

	if (b->holder && b->holder != holder)
		return -EBUSY;
	if (b == whole ? b->held_parts : whole->holder != NULL)
		return -EBUSY;
	b->holder = holder;
	if (!b->nr_claims++ && b != whole)
		whole->held_parts++;
	return 0;
}

static void unclaim(struct block_device *b)
{
	if (--b->nr_claims)
		return;
	b->holder = NULL;
	if (b != b->disk->whole)
		b->disk->whole->held_parts--;
}

/* An opener of a partition counts as one of the disk: nobody takes the table away under it. */
int block_device_open(struct block_device *b, bool write, const void *holder)
{
	int err = 0;

	if (write && block_device_read_only(b))
		return -EACCES;
	mutex_lock(&b->disk->open_lock);
	if (b->partno && b->disk->parts[b->partno - 1] != b)
		err = -ENXIO; /* the partition went away meanwhile */
	if (!err && holder)
		err = claim(b, holder);
	if (!err)
		b->openers++;
	mutex_unlock(&b->disk->open_lock);
	return err;
}

void block_device_close(struct block_device *b, const void *holder)
{
	mutex_lock(&b->disk->open_lock);
	if (holder)
		unclaim(b);
	if (!--b->openers) {
		/* Nobody is left to be told of an error. */
		(void)!mapping_write(&b->inode->mapping, 0, U64_MAX);
		page_cache_truncate(&b->inode->mapping, 0, U64_MAX);
	}
	mutex_unlock(&b->disk->open_lock);
}

/* ---- Properties ---- */

u64 block_device_size(const struct block_device *b)
{
	return READ_ONCE(b->nr_sectors) << SECTOR_SHIFT;
}

u32 block_device_block_size(const struct block_device *b)
{
	return b->disk->limits.logical_size;
}

u32 block_device_physical_size(const struct block_device *b)
{
	return b->disk->limits.physical_size;
}

bool block_device_read_only(const struct block_device *b)
{
	return b->disk->read_only || READ_ONCE(b->read_only) ||
	       READ_ONCE(b->disk->whole->read_only);
}

void blkdev_dio_align(u64 rdev, u32 *mem, u32 *offset)
{
	struct block_device *b = block_device_by_dev(rdev);

	if (!b)
		return;
	*mem = SECTOR_SIZE;
	*offset = block_device_block_size(b);
	block_device_put(b);
}

u32 block_device_granularity(const struct block_device *b)
{
	return b->disk->limits.discard_granularity;
}

bool block_device_can_discard(const struct block_device *b)
{
	return b->disk->limits.max_discard_sectors != 0;
}

bool block_device_has_cache(const struct block_device *b)
{
	return b->disk->write_cache;
}
