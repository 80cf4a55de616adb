/* What the VFS knows of block devices; the rest is kernel/block. */
#pragma once

#include <vfs/file.h>

/* Operations of block device nodes. The open makes file->inode the device's own inode. */
extern const struct file_ops blkdev_fops;
/* For sync(2): writes the cached pages of all block devices back and flushes the disks. May sleep. */
void block_sync_all(void);
/* How O_DIRECT on the device must be aligned, if there is that device. May sleep. */
void blkdev_dio_align(u64 rdev, u32 *mem, u32 *offset);
/* /proc/partitions, /proc/diskstats, and the block part of /proc/devices. May sleep. */
void block_partitions_show(void (*emit)(void *ctx, const char *text), void *ctx);
void block_diskstats_show(void (*emit)(void *ctx, const char *text), void *ctx);
void blkdev_show(void (*emit)(void *ctx, const char *text), void *ctx);
