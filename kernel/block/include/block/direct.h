/*
 * O_DIRECT for files whose data lies on a block device: between user memory and the device, around the
 * page cache, and coherent with it.
 */
#pragma once

#include <block/block.h>
#include <vfs/file.h>

/* Where a piece of a file lies. */
struct direct_extent {
	struct block_device *bdev;
	u64 sector; /* of bdev */
	u64 len;    /* bytes from the position asked for; whole logical blocks */
	bool hole;  /* reads as zeroes; not for writes */
};

/*
 * The first piece of [pos, pos + len) of the file. For a write its space exists afterwards. May sleep.
 * 0 or -errno.
 */
typedef int (*direct_map_fn)(struct inode *i, u64 pos, u64 len, bool write, struct direct_extent *out);

/*
 * Reads or writes up to len bytes at pos, all inside the file, in whole logical blocks of block_size;
 * -EINVAL when position, length or memory are not aligned. The caller holds the inode's lock for a
 * write. Bytes, or -errno; -EBUSY, before anything is done: the cache cannot let go of the range, do
 * it through the cache.
 */
ssize_t direct_read(struct inode *i, struct io_iter *to, u64 pos, u64 len, u32 block_size,
		    direct_map_fn map);
ssize_t direct_write(struct inode *i, struct io_iter *from, u64 pos, u64 len, u32 block_size,
		     direct_map_fn map);
