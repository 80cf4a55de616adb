/*
 * O_DIRECT on regular files: block/direct.h does the transfers and keeps them coherent with the cache;
 * here is where the blocks are.
 *
 * Readers hold the inode lock shared, so no block is freed under a transfer. So do writes that change
 * nothing but data: to written blocks within the file; they run side by side. Any other write of whole
 * blocks holds it exclusively and goes in three steps: unwritten blocks for what has none, the transfer, and a
 * transaction that makes the blocks written ones and lets the size grow. Whatever the machine's end
 * leaves of that shows zeroes or the data. Parts of blocks, and holes of files without extents, go
 * through the cache and from there to the device at once.
 */
#include <block/direct.h>
#include "internal.h"

static int map_direct(struct inode *i, u64 pos, u64 len, bool write, struct direct_extent *out)
{
	const struct ext4_fs *fs = ext4_fs(i->sb);
	u32 in = (u32)pos & (fs->g.block_size - 1);
	struct ext4_map m = {
		.lblk = (u32)(pos >> fs->g.block_bits),
		.len = (u32)((in + len + fs->g.block_size - 1) >> fs->g.block_bits),
	};
	int err = ext4_map_block(i, &m);

	*out = (struct direct_extent){
		.bdev = fs->bdev,
		.sector = ((m.pblk << fs->g.block_bits) + in) >> SECTOR_SHIFT,
		.len = ((u64)m.len << fs->g.block_bits) - in,
		.hole = !m.pblk || (m.unwritten && !write),
	};
	return err || !write || m.pblk ? err : -EIO;
}

static u32 unit(const struct inode *i)
{
	return block_device_block_size(ext4_fs(i->sb)->bdev);
}

static ssize_t read_locked(struct inode *i, struct io_iter *to, u64 pos)
{
	u64 size = READ_ONCE(i->size), left;
	ssize_t n;

	if (pos >= size)
		return 0;
	if ((pos | io_count(to)) & (unit(i) - 1))
		return -EINVAL;
	left = size - pos;
	n = direct_read(i, to, pos, MIN(io_count(to), ALIGN_UP(left, (u64)unit(i))), unit(i), map_direct);
	return n > 0 ? (ssize_t)MIN((u64)n, left) : n;
}

ssize_t ext4_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	struct inode *i = f->inode;
	ssize_t n;

	if (likely(!(f->flags & O_DIRECT)))
		return file_read_cached(f, to, pos);
	rwsem_read_lock(&i->lock);
	n = read_locked(i, to, (u64)*pos);
	rwsem_read_unlock(&i->lock);
	if (n == -EBUSY)
		return file_read_cached(f, to, pos);
	if (!(f->flags & O_NOATIME))
		path_accessed(&f->path);
	if (n > 0)
		*pos += n;
	return n;
}

/* ---- Writing ---- */

/* [first, end) has its data, which reaches up to `size`. */
static int blocks_written(struct inode *i, u32 first, u32 end, u64 size)
{
	struct ext4_ino *ei = ext4_i(i);
	struct ext4_handle h;
	u32 lblk = first;
	int err = 0;

	while (lblk < end && !err) {
		struct ext4_map m = {.lblk = lblk, .len = end - lblk};

		err = ext4_map_block(i, &m);
		lblk += m.len;
		if (err || (!m.unwritten && (lblk < end || size <= ei->disk_size)))
			continue;
		err = ext4_start(ext4_fs(i->sb), &h, 2 * CREDITS_MAP + CREDITS_INODE);
		if (err)
			break;
		rwsem_write_lock(&ei->map_lock);
		if (m.unwritten)
			err = ext4_map_written(&h, i, m.lblk, m.len);
		if (!err && lblk >= end && size > ei->disk_size)
			ei->disk_size = size;
		rwsem_write_unlock(&ei->map_lock);
		if (!err && size > i->size)
			smp_store_release(&i->size, size);
		if (!err)
			err = ext4_inode_store(&h, i);
		ext4_note_tid(&h, i, true);
		ext4_stop(&h);
	}
	return err;
}

/* Whole blocks [pos, pos + n). -EBUSY: nothing is done yet, the cache must do it. */
static ssize_t write_blocks(struct inode *i, struct io_iter *from, u64 pos, u64 n)
{
	u32 bits = ext4_fs(i->sb)->g.block_bits;
	u32 first = (u32)(pos >> bits), end = (u32)((pos + n) >> bits), behind;
	ssize_t done;
	int err;

	if (pos > i->size)
		inode_zero_tail(i);
	mutex_lock(&i->mapping.write_lock);
	err = ext4_fill_holes(i, pos, pos + n);
	mutex_unlock(&i->mapping.write_lock);
	if (err)
		return err == -EINTR ? err : -EBUSY;
	done = direct_write(i, from, pos, n, unit(i), map_direct);
	err = done > 0 ? blocks_written(i, first, (u32)((pos + (u64)done) >> bits), pos + (u64)done) : 0;
	/* Who has read until now found unwritten blocks, that is zeroes. */
	(void)!page_cache_invalidate(&i->mapping, pos >> PAGE_SHIFT, (pos + n - 1) >> PAGE_SHIFT);
	behind = (u32)DIV_ROUND_UP(i->size, 1u << bits);
	if (behind < end && done != -EBUSY)
		err = err ? err : ext4_unmap_all(i, MAX(behind, first), end - 1);
	return err ? err : done;
}

static ssize_t write_through(struct inode *i, struct io_iter *from, loff_t *pos, u64 n)
{
	u64 first = (u64)*pos >> PAGE_SHIFT;
	ssize_t done = file_write_pages(i, from, pos, n);
	int err;

	if (done <= 0)
		return done;
	err = mapping_write(&i->mapping, first, (u64)(*pos - 1) >> PAGE_SHIFT);
	(void)!page_cache_invalidate(&i->mapping, first, (u64)(*pos - 1) >> PAGE_SHIFT);
	return err ? err : done;
}

/* The file has written blocks for all of [pos, pos + n), on the disk as well. Inode lock. */
static bool overwrites(struct inode *i, u64 pos, u64 n)
{
	const struct ext4_geometry *g = &ext4_fs(i->sb)->g;
	struct ext4_map m = {.lblk = (u32)(pos >> g->block_bits)};
	u32 end = (u32)((pos + n) >> g->block_bits);

	if ((pos | n) & (g->block_size - 1) || pos + n > READ_ONCE(ext4_i(i)->disk_size))
		return false;
	for (; m.lblk < end; m.lblk += m.len) {
		m.len = end - m.lblk;
		if (ext4_map_block(i, &m) || !m.pblk || m.unwritten)
			return false;
	}
	return true;
}

/* With the inode lock shared: -EBUSY when that is not enough; nothing is done then. */
static ssize_t write_at(struct file *f, struct io_iter *from, loff_t *pos, bool shared)
{
	struct inode *i = f->inode;
	u64 block = ext4_fs(i->sb)->g.block_size;
	ssize_t n = file_write_begin(f, from, pos), done = -EBUSY;
	int err = 0;

	if (n <= 0)
		return n;
	if (READ_ONCE(i->sb->flags) & MS_RDONLY)
		return -EROFS;
	if (((u64)*pos | (u64)n) & (unit(i) - 1) || !io_aligned(from, (u64)n, SECTOR_SIZE - 1, unit(i) - 1))
		return -EINVAL;
	if (overwrites(i, (u64)*pos, (u64)n)) {
		done = direct_write(i, from, (u64)*pos, (u64)n, unit(i), map_direct);
	} else if (!shared) {
		err = mapping_write(&i->mapping, (u64)*pos >> PAGE_SHIFT, (u64)(*pos + n - 1) >> PAGE_SHIFT);
		if (!err && !(((u64)*pos | (u64)n) & (block - 1)) && ext4_uses_extents(i))
			done = write_blocks(i, from, (u64)*pos, (u64)n);
	}
	if (err || done == -EBUSY)
		return err ? err : shared ? done : write_through(i, from, pos, (u64)n);
	if (done > 0) {
		inode_touch(i, ATTR_MTIME | ATTR_CTIME);
		mapping_mark_unclean(&i->mapping);
		*pos += done;
	}
	return done;
}

static ssize_t write_locked(struct file *f, struct io_iter *from, loff_t *ppos, bool shared)
{
	loff_t pos = *ppos;
	ssize_t n = write_at(f, from, &pos, shared);

	if (n > 0)
		*ppos = pos;
	return n;
}

ssize_t ext4_write(struct file *f, struct io_iter *from, loff_t *pos)
{
	struct inode *i = f->inode;
	ssize_t n = -EBUSY;
	int err;

	if (likely(!(f->flags & O_DIRECT)))
		return file_write_cached(f, from, pos);
	if (!io_count(from))
		return 0;
	rwsem_read_lock(&i->lock);
	if (likely(!inode_has_privileges(i)))
		n = write_locked(f, from, pos, true);
	rwsem_read_unlock(&i->lock);
	if (n == -EBUSY) {
		rwsem_write_lock(&i->lock);
		n = write_locked(f, from, pos, false);
		rwsem_write_unlock(&i->lock);
	}
	err = n > 0 ? file_write_sync(f) : 0;
	return err ? err : n;
}
