/*
 * fallocate(2): unwritten runs for holes, holes (or zeroes) for data, ranges that are taken out or put in.
 *
 * A hole is punched under mapping.write_lock: the parts of pages at its edges are zeroed in the
 * cache, the pages between leave it, their promises and blocks are freed, and pages that a fault
 * has read meanwhile leave it again. Reads of pages begin under map_lock and are waited for
 * (ext4_reads_wait), so none is under way when a block is freed.
 *
 * When the rest of a file moves, it is written first and leaves the cache; then the keys of its runs
 * change, a leaf of the tree per handle. If the machine stops in between, a gap is left in the file, as
 * on Linux. An inserted range makes the file longer before anything moves, a collapsed one shorter after.
 */
#include <lib/string.h>
#include <linux/falloc.h>
#include <mm/mm.h>
#include "internal.h"

#define MOVING (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)

/* ---- Holes ---- */

/* Zeroes bytes [from, to) of one page, if the file has anything there. */
static int zero_part(struct inode *i, u64 from, u64 to)
{
	int err;

	if (from >= to || from >= i->size)
		return 0;
	err = i->mapping.ops->before_change(&i->mapping, from >> PAGE_SHIFT);
	return err ? err : ext4_zero_cached(i, from, to);
}

static void drop_pages(struct inode *i, u64 first, u64 last)
{
	mapping_unmap_range(&i->mapping, first, last, false);
	page_cache_truncate(&i->mapping, first, last);
	mapping_unmap_range(&i->mapping, first, last, false);
}

/* Whole pages [first, last]. */
static int free_pages_of(struct inode *i, u64 first, u64 last)
{
	u32 bits = PAGE_SHIFT - ext4_fs(i->sb)->g.block_bits;
	int err;

	drop_pages(i, first, last);
	ext4_promises_drop(i, first, last);
	err = ext4_unmap_all(i, (u32)(first << bits),
			     (u32)MIN(((last + 1) << bits) - 1, (u64)U32_MAX - 1));
	drop_pages(i, first, last);
	return err;
}

/* write_lock held. */
static int punch(struct inode *i, u64 start, u64 end)
{
	u64 first = ALIGN_UP(start, PAGE_SIZE), last = ALIGN_DOWN(end, PAGE_SIZE);
	int err;

	if (first > last)
		return zero_part(i, start, end);
	err = zero_part(i, start, first);
	if (!err)
		err = zero_part(i, last, end);
	return err || first == last ? err
				    : free_pages_of(i, first >> PAGE_SHIFT, (last >> PAGE_SHIFT) - 1);
}

/* ---- Allocation ---- */

/* Unwritten blocks for (a part of) the hole m. */
static int fill_hole(struct inode *i, struct ext4_map *m)
{
	struct ext4_fs *fs = ext4_fs(i->sb);
	u32 nr = MIN(m->len, EXT_LEN_MAX_UNWRITTEN);
	struct ext4_handle h;
	int err = ext4_promise(fs, nr);

	while (err == -ENOSPC && nr > 1) {
		nr /= 2;
		err = ext4_promise(fs, nr);
	}
	if (err)
		return err;
	m->len = nr;
	err = ext4_blocks_take(fs, ext4_goal(i, m->lblk), &m->len, &m->pblk);
	ext4_promise_end(fs, nr);
	if (err)
		return err;
	m->unwritten = true;
	err = ext4_start(fs, &h, CREDITS_BLOCKS + CREDITS_MAP + CREDITS_INODE);
	if (err) {
		ext4_blocks_release(fs, m->pblk, m->len);
		return err;
	}
	rwsem_write_lock(&ext4_i(i)->map_lock);
	err = ext4_map_taken(&h, i, m);
	rwsem_write_unlock(&ext4_i(i)->map_lock);
	if (!err)
		err = ext4_inode_store(&h, i);
	ext4_note_tid(&h, i, true);
	ext4_stop(&h);
	return err;
}

int ext4_fill_holes(struct inode *i, u64 start, u64 end)
{
	struct ext4_fs *fs = ext4_fs(i->sb);
	u64 lblk = start >> fs->g.block_bits, stop = (end + fs->g.block_size - 1) >> fs->g.block_bits;
	int err = 0;

	while (lblk < stop && !err) {
		struct ext4_map m = {.lblk = (u32)lblk, .len = (u32)(stop - lblk)};

		if (fatal_signal_pending(current))
			return -EINTR;
		err = ext4_map_block(i, &m);
		if (!err && !m.pblk)
			err = fill_hole(i, &m);
		lblk += m.len;
	}
	return err;
}

/* ---- The call ---- */

static int finish(struct inode *i, u64 size, bool data_changed)
{
	struct ext4_handle h;
	int err;

	if (size > i->size)
		inode_zero_tail(i);
	err = ext4_start(ext4_fs(i->sb), &h, CREDITS_INODE);
	if (err)
		return err;
	rwsem_write_lock(&ext4_i(i)->map_lock);
	if (size > i->size) {
		ext4_i(i)->disk_size = size;
		smp_store_release(&i->size, size);
		data_changed = true;
	}
	rwsem_write_unlock(&ext4_i(i)->map_lock);
	inode_touch(i, ATTR_CTIME | (data_changed ? ATTR_MTIME : 0));
	err = ext4_inode_store(&h, i);
	ext4_note_tid(&h, i, true);
	ext4_stop(&h);
	return err;
}

/* ---- Moving the rest of the file ---- */

static int move_step(struct inode *i, u32 first, s64 by, u32 *at)
{
	struct ext4_handle h;
	int err = ext4_start(ext4_fs(i->sb), &h, 2 * CREDITS_MAP + CREDITS_INODE);

	if (err)
		return err;
	rwsem_write_lock(&ext4_i(i)->map_lock);
	ext4_memo_drop(ext4_i(i));
	if (by > 0 && *at == U32_MAX - 1)
		err = ext4_extent_split(&h, i, first);
	if (!err)
		err = ext4_extent_move(&h, i, first, by, at);
	rwsem_write_unlock(&ext4_i(i)->map_lock);
	if (!err)
		err = ext4_inode_store(&h, i); /* the root of the tree lies in it */
	ext4_note_tid(&h, i, true);
	ext4_stop(&h);
	return err;
}

static int move_rest(struct inode *i, u32 first, s64 by)
{
	u32 at = by < 0 ? first : U32_MAX - 1;
	int err = 0;

	while (!err && at != U32_MAX)
		err = move_step(i, first, by, &at);
	return err;
}

static int resize(struct inode *i, u64 size)
{
	struct ext4_handle h;
	int err = ext4_start(ext4_fs(i->sb), &h, CREDITS_INODE);

	if (err)
		return err;
	rwsem_write_lock(&ext4_i(i)->map_lock);
	ext4_i(i)->disk_size = size;
	smp_store_release(&i->size, size);
	rwsem_write_unlock(&ext4_i(i)->map_lock);
	inode_touch(i, ATTR_CTIME | ATTR_MTIME);
	err = ext4_inode_store(&h, i);
	ext4_note_tid(&h, i, true);
	ext4_stop(&h);
	return err;
}

static int collapse(struct inode *i, u64 start, u64 end)
{
	u32 bits = ext4_fs(i->sb)->g.block_bits;
	int err = ext4_unmap_all(i, (u32)(start >> bits), (u32)(end >> bits) - 1);

	if (!err)
		err = move_rest(i, (u32)(end >> bits), -(s64)((end - start) >> bits));
	return err ? err : resize(i, i->size - (end - start));
}

static int insert(struct inode *i, u64 start, u64 end)
{
	u32 bits = ext4_fs(i->sb)->g.block_bits;
	u32 by = (u32)((end - start) >> bits);
	struct ext4_map m = {.lblk = U32_MAX - 1 - by, .len = by};
	int err = ext4_map_block(i, &m); /* blocks far behind the end would leave the last number behind */

	if (!err && (m.pblk || m.len < by))
		err = -EINVAL;
	if (!err)
		err = resize(i, i->size + (end - start));
	return err ? err : move_rest(i, (u32)(start >> bits), (s64)((end - start) >> bits));
}

static int shift_check(const struct inode *i, u32 mode, u64 start, u64 end)
{
	if ((start | end) & (ext4_fs(i->sb)->g.block_size - 1))
		return -EINVAL;
	if (mode & FALLOC_FL_COLLAPSE_RANGE)
		return end >= i->size ? -EINVAL : 0;
	if (end - start > i->sb->max_bytes - i->size)
		return -EFBIG;
	return start >= i->size ? -EINVAL : 0;
}

/* write_lock held; what was dirty is written. */
static int shift(struct inode *i, u32 mode, u64 start, u64 end)
{
	u64 first = start >> PAGE_SHIFT;
	int err;

	drop_pages(i, first, U64_MAX);
	ext4_promises_drop(i, first, U64_MAX);
	err = mode & FALLOC_FL_COLLAPSE_RANGE ? collapse(i, start, end) : insert(i, start, end);
	ext4_i(i)->goal_pblk = 0;
	drop_pages(i, first, U64_MAX);
	ext4_promises_drop(i, first, U64_MAX);
	return err;
}

static int run(struct inode *i, u32 mode, u64 start, u64 end)
{
	bool hole = mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE);
	u64 size = mode & FALLOC_FL_KEEP_SIZE ? 0 : end;
	int err = 0;

	if (!(mode & FALLOC_FL_KEEP_SIZE))
		err = inode_size_check(i, end);
	if (!err && hole)
		err = punch(i, start, end);
	if (!err && !(mode & FALLOC_FL_PUNCH_HOLE))
		err = ext4_fill_holes(i, start, end);
	return err ? err : finish(i, size, hole);
}

long ext4_fallocate(struct file *f, int mode, loff_t off, loff_t len)
{
	struct inode *i = f->inode;
	bool moves = mode & MOVING;
	u64 start = (u64)off, end = start + (u64)len;
	int err;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | MOVING))
		return -EOPNOTSUPP;
	if (!ext4_uses_extents(i) && !(mode & FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	rwsem_write_lock(&i->lock);
	err = moves ? shift_check(i, (u32)mode, start, end) : 0;
	if (!err)
		err = inode_strip_privileges(f->path.dentry);
	if (!err && moves)
		err = mapping_write(&i->mapping, start >> PAGE_SHIFT, U64_MAX);
	mutex_lock(&i->mapping.write_lock);
	if (!err)
		err = moves ? shift(i, (u32)mode, start, end) : run(i, (u32)mode, start, end);
	mutex_unlock(&i->mapping.write_lock);
	rwsem_write_unlock(&i->lock);
	return err;
}
