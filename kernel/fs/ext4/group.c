/*
 * The two bitmaps of a group on the disk, of blocks and of inodes: read and checked, changed together with
 * the group's descriptor, made where mke2fs has left them for later. The caller holds the group's lock.
 */
#include <lib/bits.h>
#include <lib/string.h>
#include "internal.h"

/* Sets the bits of [block, block + nr) that lie in the group. */
static void set_blocks(const struct ext4_fs *fs, u32 group, void *map, u64 block, u32 nr)
{
	u64 first = ext4_group_first_block(&fs->g, group), end = first + fs->g.blocks_per_group;
	u64 from = MAX(block, first), to = MIN(block + nr, end);

	if (from < to)
		bitmap_set_range(map, (u32)(from - first), (u32)(to - from));
}

/* The bitmap of a group that mke2fs has left for later. */
void ext4_block_bitmap_initial(const struct ext4_fs *fs, u32 group, void *map)
{
	const struct ext4_group_info *gi = &fs->groups[group].info;
	u32 blocks = ext4_group_blocks(&fs->g, group);

	memset(map, 0, fs->g.block_size);
	bitmap_set_range(map, 0, MIN(ext4_group_overhead(&fs->g, group), blocks));
	set_blocks(fs, group, map, gi->block_bitmap, 1);
	set_blocks(fs, group, map, gi->inode_bitmap, 1);
	set_blocks(fs, group, map, gi->inode_table, fs->g.itable_blocks);
	bitmap_set_range(map, blocks, 8 * fs->g.block_size - blocks);
}

static const char *check_blocks(struct ext4_fs *fs, struct ext4_buf *b, const void *ctx)
{
	u32 group = *(const u32 *)ctx, blocks = ext4_group_blocks(&fs->g, group);

	if (!ext4_bitmap_csum_ok(&fs->g, ext4_desc_raw(fs, group), false, b->data))
		return "wrong checksum of a block bitmap";
	if (!bitmap_all_set((u64 *)b->data, blocks, fs->g.blocks_per_group - blocks))
		return "block bitmap without padding";
	return NULL;
}

static const char *check_inodes(struct ext4_fs *fs, struct ext4_buf *b, const void *ctx)
{
	u32 group = *(const u32 *)ctx;

	return ext4_bitmap_csum_ok(&fs->g, ext4_desc_raw(fs, group), true, b->data)
		       ? NULL
		       : "wrong checksum of an inode bitmap";
}

static void inode_bitmap_initial(const struct ext4_fs *fs, void *map)
{
	u32 bytes = fs->g.inodes_per_group / 8;

	memset(map, 0, bytes);
	memset((u8 *)map + bytes, 0xff, fs->g.block_size - bytes);
}

static u64 place_of(const struct ext4_fs *fs, u32 group, enum ext4_bitmap kind)
{
	const struct ext4_group_info *gi = &fs->groups[group].info;

	return kind == BITMAP_INODES ? gi->inode_bitmap : gi->block_bitmap;
}

static ext4_check_fn check_of(enum ext4_bitmap kind)
{
	return kind == BITMAP_INODES ? check_inodes : check_blocks;
}

static u64 owner_of(u32 group, enum ext4_bitmap kind)
{
	return ext4_owner(kind == BITMAP_INODES ? PART_INODE_BITMAP : PART_BLOCK_BITMAP, group);
}

static u16 fresh_flag(enum ext4_bitmap kind)
{
	return kind == BITMAP_INODES ? BG_INODE_UNINIT : BG_BLOCK_UNINIT;
}

bool ext4_bitmap_fresh(const struct ext4_fs *fs, u32 group, enum ext4_bitmap kind)
{
	return fs->groups[group].info.flags & fresh_flag(kind);
}

int ext4_bitmap_read(struct ext4_fs *fs, u32 group, enum ext4_bitmap kind, struct ext4_buf **b)
{
	return ext4_buf_read(fs, place_of(fs, group, kind), owner_of(group, kind), check_of(kind), &group,
			     b);
}

static int make(struct ext4_handle *h, u32 group, enum ext4_bitmap kind, struct ext4_buf **b)
{
	struct ext4_fs *fs = h->fs;
	int err = ext4_buf_new(h, place_of(fs, group, kind), owner_of(group, kind), check_of(kind), b);

	if (err)
		return err;
	if (kind == BITMAP_INODES)
		inode_bitmap_initial(fs, (*b)->data);
	else
		ext4_block_bitmap_initial(fs, group, (*b)->data);
	fs->groups[group].info.flags &= (u16)~fresh_flag(kind);
	return 0;
}

int ext4_bitmap_change(struct ext4_handle *h, u32 group, enum ext4_bitmap kind, struct ext4_buf **b)
{
	struct ext4_fs *fs = h->fs;
	int err = ext4_write_access(h, ext4_desc_buf(fs, group));

	if (err)
		return err;
	if (ext4_bitmap_fresh(fs, group, kind))
		return make(h, group, kind, b);
	err = ext4_bitmap_read(fs, group, kind, b);
	if (err)
		return err;
	err = ext4_write_access(h, *b);
	if (err)
		ext4_buf_put(*b);
	return err;
}

void ext4_bitmap_changed(struct ext4_fs *fs, u32 group, enum ext4_bitmap kind, struct ext4_buf *b)
{
	ext4_bitmap_csum_set(&fs->g, ext4_desc_raw(fs, group), kind == BITMAP_INODES, b->data);
	ext4_desc_store(&fs->g, group, ext4_desc_raw(fs, group), &fs->groups[group].info);
	ext4_buf_put(b);
}
