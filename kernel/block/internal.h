/* Shared by the files of kernel/block. */
#pragma once

#include <block/disk.h>
#include <sync/mutex.h>
#include <vfs/inode.h>

/* bio->steps, in the order in which they are taken. */
#define STEP_PREFLUSH  BIT(0)
#define STEP_DATA      BIT(1)
#define STEP_POSTFLUSH BIT(2)

/* queue.c: takes a bio whose cursor and steps are set; or one that failed. */
void block_queue_bio(struct block_queue *q, struct bio *bio);
void block_queue_bios(struct block_queue *q, struct list_head *bios);
void block_queue_fail(struct block_queue *q, struct bio *bio, int error);
struct block_queue *block_queue_here(struct disk *d);
/* bio.c: checks and fills in what the queue needs. 0 or what the bio fails with. */
int bio_prepare(struct bio *bio) __must_check;

/* device.c: what is registered; LOCK_RANK_BLOCK. */
extern struct mutex block_lock;
extern struct list_head all_disks; /* block_lock; disks stay */
/* Makes a device known by its number and in /dev; its first reference stays with the registry. */
int block_device_register(struct block_device *b) __must_check;
void block_device_unregister(struct block_device *b);

/* bdev.c: a device with one reference, which its inode carries. NULL: no memory. */
struct block_device *bdev_create(struct disk *d, u32 partno, u64 start, u64 nr_sectors);
/* Before its cached pages can be changed. 0 or -ENOMEM. May sleep. */
int block_writer_start(struct block_device *b) __must_check;
static inline struct block_device *bdev_of(const struct inode *i)
{
	return i->private;
}

/* scan.c: reads the partition table anew. -EBUSY: a partition is in use. open_lock held. */
int disk_scan_locked(struct disk *d) __must_check;

/* ioctl.c */
struct file;
long block_ioctl(struct file *f, unsigned int cmd, u64 arg);
/* sysfs.c: process context. */
void block_sysfs_add_disk(struct disk *d);
void block_sysfs_add_partition(struct block_device *b);
void block_sysfs_remove_partition(struct block_device *b);
/* queue.c: the sum over the disk's queues. */
struct disk_stats {
	struct block_op_stats op[NR_BLOCK_STATS];
	u64 in_flight, busy_ns;
};
void disk_stats(struct disk *d, struct disk_stats *s);
/* show.c: the figures of /sys/block/X/stat. The length. */
int block_stat_text(struct disk *d, char *buf, size_t size);
