/*
 * Free inodes: bitmaps are read and changed in place, under the group's lock.
 *
 * Where: a file goes into its directory's group. A directory below the root goes to a group that has
 * more than its share of free inodes and blocks, each time further on, so that unrelated trees lie
 * apart; deeper directories stay near their parent while there is room. When the wanted group is
 * full, groups are tried at growing distances, and only then one by one.
 */
#include <lib/bits.h>
#include <lib/string.h>
#include "internal.h"

static const char *check_bitmap(struct ext4_fs *fs, struct ext4_buf *b, const void *ctx)
{
	u32 group = *(const u32 *)ctx;

	return ext4_bitmap_csum_ok(&fs->g, ext4_desc_raw(fs, group), true, b->data)
		       ? NULL
		       : "wrong checksum of an inode bitmap";
}

static void bitmap_initial(const struct ext4_fs *fs, void *map)
{
	u32 bytes = fs->g.inodes_per_group / 8;

	memset(map, 0, bytes);
	memset((u8 *)map + bytes, 0xff, fs->g.block_size - bytes);
}

static int bitmap_read(struct ext4_fs *fs, u32 group, struct ext4_buf **b)
{
	return ext4_buf_read(fs, fs->groups[group].info.inode_bitmap, check_bitmap, &group, b);
}

/* With write access, and the descriptor as well. Group lock. */
static int bitmap_write_access(struct ext4_handle *h, u32 group, struct ext4_buf **b)
{
	struct ext4_fs *fs = h->fs;
	struct ext4_group *gr = &fs->groups[group];
	bool fresh = gr->info.flags & BG_INODE_UNINIT;
	int err = fresh ? ext4_buf_new(fs, gr->info.inode_bitmap, check_bitmap, b) : bitmap_read(fs, group, b);

	if (err)
		return err;
	err = ext4_write_access(h, *b);
	if (!err)
		err = ext4_write_access(h, ext4_desc_buf(fs, group));
	if (err) {
		ext4_buf_put(*b);
		return err;
	}
	if (fresh) {
		bitmap_initial(fs, (*b)->data);
		gr->info.flags &= ~BG_INODE_UNINIT;
	}
	return 0;
}

static void bitmap_changed(struct ext4_fs *fs, u32 group, struct ext4_buf *b)
{
	ext4_bitmap_csum_set(&fs->g, ext4_desc_raw(fs, group), true, b->data);
	ext4_group_store(fs, group);
	ext4_buf_put(b);
}

/* Group lock. The inode with that index in the group is in use now. */
static void count_new(struct ext4_fs *fs, struct ext4_group *gr, u32 index, bool dir)
{
	u32 used = fs->g.inodes_per_group - gr->info.itable_unused;

	gr->info.free_inodes--;
	gr->info.used_dirs += dir;
	if ((fs->g.metadata_csum || fs->g.gdt_csum) && index >= used)
		gr->info.itable_unused = fs->g.inodes_per_group - index - 1;
	atomic64_add(&fs->free_inodes, -1);
}

static int take_in_group(struct ext4_handle *h, u32 group, bool dir, u32 *ino)
{
	struct ext4_fs *fs = h->fs;
	struct ext4_group *gr = &fs->groups[group];
	u32 first = group ? 0 : fs->g.first_ino - 1, index;
	struct ext4_buf *b;
	int err = gr->info.free_inodes ? bitmap_write_access(h, group, &b) : -ENOSPC;

	if (err)
		return err;
	index = (u32)bitmap_next_clear((u64 *)b->data, fs->g.inodes_per_group, first);
	if (index < fs->g.inodes_per_group) {
		bitmap_set_plain((u64 *)b->data, index);
		count_new(fs, gr, index, dir);
		*ino = group * fs->g.inodes_per_group + index + 1;
	} else {
		gr->info.free_inodes = 0;
		err = ext4_corrupt(fs, 0, "an inode bitmap and its count differ");
	}
	bitmap_changed(fs, group, b);
	return err;
}

static int try_group(struct ext4_handle *h, u32 group, bool dir, u32 *ino)
{
	struct ext4_group *gr = &h->fs->groups[group];
	int err;

	if (!READ_ONCE(gr->info.free_inodes))
		return -ENOSPC;
	mutex_lock(&gr->lock);
	err = take_in_group(h, group, dir, ino);
	mutex_unlock(&gr->lock);
	return err;
}

/* A group with no less than its share of both, for a new tree. */
static u32 spread(struct ext4_fs *fs, u32 from)
{
	u64 inodes = (u64)atomic64_read(&fs->free_inodes) / fs->g.groups;
	u64 blocks = (u64)atomic64_read(&fs->free_blocks) / fs->g.groups;

	for (u32 i = 0; i < MIN(fs->g.groups, 64u); i++) {
		const struct ext4_group *gr = &fs->groups[(from + i) % fs->g.groups];

		if (READ_ONCE(gr->info.free_inodes) && READ_ONCE(gr->info.free_inodes) >= inodes &&
		    READ_ONCE(gr->free) >= blocks)
			return (from + i) % fs->g.groups;
	}
	return from % fs->g.groups;
}

static u32 wanted_group(struct ext4_fs *fs, const struct inode *dir, bool is_dir)
{
	u32 parent = ((u32)dir->ino - 1) / fs->g.inodes_per_group, start;

	if (!is_dir)
		return parent;
	if (dir->ino != EXT4_ROOT_INO && !(ext4_i(dir)->flags & EXT4_TOPDIR_FL))
		return READ_ONCE(fs->groups[parent].free) > fs->g.blocks_per_group / 8
			       ? parent
			       : spread(fs, parent + 1);
	start = READ_ONCE(fs->next_dir_group);
	WRITE_ONCE(fs->next_dir_group, (start + 1) % fs->g.groups);
	return spread(fs, start);
}

int ext4_inode_new(struct ext4_handle *h, const struct inode *dir, u32 mode, u32 *ino)
{
	struct ext4_fs *fs = h->fs;
	bool is_dir = S_ISDIR(mode);
	u32 group = wanted_group(fs, dir, is_dir);
	int err = try_group(h, group, is_dir, ino);

	for (u32 step = 1; err == -ENOSPC && step < fs->g.groups; step <<= 1)
		err = try_group(h, (group + step) % fs->g.groups, is_dir, ino);
	for (u32 i = 0; err == -ENOSPC && i < fs->g.groups; i++)
		err = try_group(h, (group + i) % fs->g.groups, is_dir, ino);
	return err;
}

int ext4_inode_free(struct ext4_handle *h, u32 ino, bool dir)
{
	struct ext4_fs *fs = h->fs;
	u32 group = (ino - 1) / fs->g.inodes_per_group, index = (ino - 1) % fs->g.inodes_per_group;
	struct ext4_group *gr = &fs->groups[group];
	struct ext4_buf *b;
	int err;

	mutex_lock(&gr->lock);
	err = bitmap_write_access(h, group, &b);
	if (!err) {
		if (bitmap_test((u64 *)b->data, index)) {
			bitmap_clear_plain((u64 *)b->data, index);
			gr->info.free_inodes++;
			gr->info.used_dirs -= dir && gr->info.used_dirs;
			atomic64_add(&fs->free_inodes, 1);
		} else {
			err = ext4_corrupt(fs, ino, "freeing an inode that is free");
		}
		bitmap_changed(fs, group, b);
	}
	mutex_unlock(&gr->lock);
	return err;
}

int ext4_inode_used(struct ext4_fs *fs, u32 ino, bool *used)
{
	u32 group = (ino - 1) / fs->g.inodes_per_group, index = (ino - 1) % fs->g.inodes_per_group;
	struct ext4_group *gr = &fs->groups[group];
	struct ext4_buf *b;
	int err = 0;

	*used = false;
	mutex_lock(&gr->lock);
	if (!(gr->info.flags & BG_INODE_UNINIT)) {
		err = bitmap_read(fs, group, &b);
		if (!err) {
			*used = bitmap_test((u64 *)b->data, index);
			ext4_buf_put(b);
		}
	}
	mutex_unlock(&gr->lock);
	return err;
}
