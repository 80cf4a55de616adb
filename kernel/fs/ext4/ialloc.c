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
	int err = gr->info.free_inodes ? ext4_bitmap_change(h, group, BITMAP_INODES, &b) : -ENOSPC;

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
	ext4_bitmap_changed(fs, group, BITMAP_INODES, b);
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
	err = ext4_bitmap_change(h, group, BITMAP_INODES, &b);
	if (!err) {
		if (bitmap_test((u64 *)b->data, index)) {
			bitmap_clear_plain((u64 *)b->data, index);
			gr->info.free_inodes++;
			gr->info.used_dirs -= dir && gr->info.used_dirs;
			atomic64_add(&fs->free_inodes, 1);
		} else {
			err = ext4_corrupt(fs, ino, "freeing an inode that is free");
		}
		ext4_bitmap_changed(fs, group, BITMAP_INODES, b);
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
	if (!ext4_bitmap_fresh(fs, group, BITMAP_INODES)) {
		err = ext4_bitmap_read(fs, group, BITMAP_INODES, &b);
		if (!err) {
			*used = bitmap_test((u64 *)b->data, index);
			ext4_buf_put(b);
		}
	}
	mutex_unlock(&gr->lock);
	return err;
}
