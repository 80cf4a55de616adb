/*
 * FS_IOC_FIEMAP: which runs of blocks a file has, or where its attributes lie. Data in the cache that has no blocks yet is told as
 * such. Runs are as they are in the file's map, from the first block asked for to the last. The inode
 * lock is held shared, so blocks stay while they are told.
 */
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <mm/user.h>
#include <task/task.h>
#include "internal.h"

#define MAX_EXTENTS ((U32_MAX - sizeof(struct fiemap)) / sizeof(struct fiemap_extent))

DEFINE_USER_PTR(fiemap, struct fiemap);
DEFINE_USER_PTR(fiemap_extent, struct fiemap_extent);

struct report {
	u64 to;                     /* user address of the next */
	u32 nr, max;                /* max 0: they are only counted */
	struct fiemap_extent last;  /* not told yet: it may be the last one */
	bool has_last;
};

static int report_last(struct report *r, u32 flags)
{
	int err;

	if (!r->has_last)
		return 0;
	r->has_last = false;
	r->last.fe_flags |= flags;
	if (r->max) {
		err = user_write((struct user_fiemap_extent){.uaddr = r->to}, &r->last);
		if (err)
			return err;
		r->to += sizeof(r->last);
	}
	r->nr++;
	return 0;
}

static bool full(const struct report *r)
{
	return r->max && r->nr == r->max;
}

static int report_run(struct inode *i, struct report *r, const struct ext4_map *m, bool cached)
{
	u32 bits = ext4_fs(i->sb)->g.block_bits;
	int err;

	if (!m->pblk && !cached)
		return 0;
	err = report_last(r, 0);
	if (err)
		return err;
	r->has_last = true;
	r->last = (struct fiemap_extent){
		.fe_logical = (u64)m->lblk << bits,
		.fe_physical = m->pblk << bits,
		.fe_length = (u64)m->len << bits,
		.fe_flags = (m->unwritten ? FIEMAP_EXTENT_UNWRITTEN : 0) |
			    (m->pblk ? 0 : FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_UNKNOWN) |
			    (ext4_uses_extents(i) ? 0 : FIEMAP_EXTENT_MERGED),
	};
	return 0;
}

static int report_range(struct inode *i, struct report *r, u64 start, u64 end)
{
	const struct ext4_fs *fs = ext4_fs(i->sb);
	u64 lblk = start >> fs->g.block_bits, stop;
	bool cached;
	int err = 0;

	stop = MIN(DIV_ROUND_UP(end, (u64)fs->g.block_size), (u64)U32_MAX);
	while (lblk < stop && !err && !full(r)) {
		struct ext4_map m = {.lblk = (u32)lblk, .len = (u32)(stop - lblk)};

		err = ext4_map_seen(i, &m, &cached);
		if (!err)
			err = report_run(i, r, &m, cached && !m.pblk);
		lblk += m.len;
		if (fatal_signal_pending(current))
			err = -EINTR;
	}
	return err || full(r) ? err : report_last(r, FIEMAP_EXTENT_LAST);
}

/* One run: the rest of the inode, else the attribute block. As on Linux, the place of the former is that of the
 * inode table's block and not of the inode in it. */
static int report_xattrs(struct inode *i, struct report *r, u64 start)
{
	const struct ext4_geometry *g = &ext4_fs(i->sb)->g;
	const struct ext4_ino *ei = ext4_i(i);
	u32 fixed = EXT4_GOOD_OLD_INODE_SIZE + ei->extra_isize;
	struct fiemap_extent e = {.fe_physical = ei->acl_block << g->block_bits, .fe_length = g->block_size};

	if (ei->has_xattrs) {
		e.fe_physical = (ext4_inode_block(i) << g->block_bits) + fixed;
		e.fe_length = g->inode_size - fixed;
		e.fe_flags = FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_NOT_ALIGNED;
	} else if (!ei->acl_block) {
		return 0;
	}
	if (start >= e.fe_length)
		return 0;
	r->last = e;
	r->has_last = true;
	return report_last(r, FIEMAP_EXTENT_LAST);
}

static int check(const struct inode *i, struct fiemap *f)
{
	u64 max = i->sb->max_bytes;
	u32 unknown = f->fm_flags & ~(u32)(FIEMAP_FLAG_SYNC | FIEMAP_FLAG_XATTR | FIEMAP_FLAG_CACHE);

	if (f->fm_extent_count > MAX_EXTENTS || !f->fm_length)
		return -EINVAL;
	if (f->fm_start >= max)
		return -EFBIG;
	f->fm_length = MIN(f->fm_length, max - f->fm_start);
	if (unknown)
		f->fm_flags = unknown;
	return unknown ? -EBADR : 0;
}

long ext4_fiemap(struct inode *i, u64 arg)
{
	struct user_fiemap user = {.uaddr = arg};
	struct report r = {.to = arg + sizeof(struct fiemap)};
	struct fiemap f;
	int err;

	if (user_read(&f, user))
		return -EFAULT;
	err = check(i, &f);
	if (!err && f.fm_flags & FIEMAP_FLAG_SYNC)
		err = mapping_write(&i->mapping, 0, U64_MAX);
	r.max = f.fm_extent_count;
	if (!err) {
		rwsem_read_lock(&i->lock);
		err = f.fm_flags & FIEMAP_FLAG_XATTR ? report_xattrs(i, &r, f.fm_start)
						     : report_range(i, &r, f.fm_start, f.fm_start + f.fm_length);
		rwsem_read_unlock(&i->lock);
	}
	if (err != -EBADR)
		f.fm_flags &= FIEMAP_FLAG_SYNC;
	f.fm_mapped_extents = r.nr;
	if ((!err || err == -EBADR) && user_write(user, &f))
		return -EFAULT;
	return err;
}
