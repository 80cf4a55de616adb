/*
 * Which block holds which part of a file: the front of extent.c and indirect.c. The last run that
 * was looked up is remembered in the inode, which answers nearly all questions of sequential readers.
 *
 * The mapping is read with map_lock shared and changed with it exclusively, inside a handle; whoever
 * changes it stores the inode (ext4_inode_store) in the same handle.
 */
#include "internal.h"

void ext4_memo_drop(struct ext4_ino *ei)
{
	spin_lock(&ei->memo_lock);
	ei->memo.len = 0;
	spin_unlock(&ei->memo_lock);
}

static bool memo_find(struct ext4_ino *ei, struct ext4_map *m)
{
	bool found;
	u32 skip;

	spin_lock(&ei->memo_lock);
	skip = m->lblk - ei->memo.lblk;
	found = m->lblk >= ei->memo.lblk && skip < ei->memo.len;
	if (found) {
		m->len = MIN(m->len, ei->memo.len - skip);
		m->pblk = ei->memo.pblk ? ei->memo.pblk + skip : 0;
		m->unwritten = ei->memo.unwritten;
	}
	spin_unlock(&ei->memo_lock);
	return found;
}

static void memo_set(struct ext4_ino *ei, const struct ext4_map *m)
{
	spin_lock(&ei->memo_lock);
	ei->memo = (struct ext4_extent_memo){m->lblk, m->len, m->pblk, m->unwritten};
	spin_unlock(&ei->memo_lock);
}

int ext4_map_find(struct inode *i, struct ext4_map *m)
{
	struct ext4_ino *ei = ext4_i(i);
	u32 want = m->len;
	int err;

	if (memo_find(ei, m))
		return 0;
	m->len = U32_MAX - m->lblk; /* all that is known, for the memo */
	err = ext4_uses_extents(i) ? ext4_extent_find(i, m) : ext4_indirect_find(i, m);
	if (err)
		return err;
	memo_set(ei, m);
	m->len = MIN(m->len, want);
	return 0;
}

int ext4_map_block(struct inode *i, struct ext4_map *m)
{
	int err;

	rwsem_read_lock(&ext4_i(i)->map_lock);
	err = ext4_map_find(i, m);
	rwsem_read_unlock(&ext4_i(i)->map_lock);
	return err;
}

void ext4_count_blocks(struct inode *i, s64 by)
{
	struct ext4_ino *ei = ext4_i(i);

	ei->disk_blocks += (u64)(by << (ext4_fs(i->sb)->g.block_bits - SECTOR_SHIFT));
	WRITE_ONCE(i->blocks, ei->disk_blocks);
}

int ext4_map_enter(struct ext4_handle *h, struct inode *i, const struct ext4_map *m)
{
	struct ext4_ino *ei = ext4_i(i);
	int err;

	ext4_memo_drop(ei);
	err = ext4_uses_extents(i) ? ext4_extent_enter(h, i, m) : ext4_indirect_enter(h, i, m);
	if (err)
		return err;
	ext4_count_blocks(i, m->len);
	ei->goal_lblk = m->lblk + m->len;
	ei->goal_pblk = m->pblk + m->len;
	return 0;
}

int ext4_map_taken(struct ext4_handle *h, struct inode *i, const struct ext4_map *m)
{
	int err = ext4_blocks_use(h, m->pblk, m->len);

	if (err) {
		ext4_blocks_release(h->fs, m->pblk, m->len);
		return err;
	}
	err = ext4_map_enter(h, i, m);
	if (err) /* a block of the map cannot be read */
		(void)!ext4_blocks_free(h, m->pblk, m->len, false);
	return err;
}

int ext4_map_written(struct ext4_handle *h, struct inode *i, u32 lblk, u32 len)
{
	ext4_memo_drop(ext4_i(i));
	return ext4_uses_extents(i) ? ext4_extent_written(h, i, lblk, len) : 0;
}

int ext4_unmap(struct ext4_handle *h, struct inode *i, u32 first, u32 last, bool *done)
{
	*done = false;
	ext4_memo_drop(ext4_i(i));
	return ext4_uses_extents(i) ? ext4_extent_unmap(h, i, first, last, done)
				    : ext4_indirect_unmap(h, i, first, last, done);
}

u64 ext4_goal(const struct inode *i, u32 lblk)
{
	const struct ext4_ino *ei = ext4_i(i);
	const struct ext4_fs *fs = ext4_fs(i->sb);
	u32 group = ((u32)i->ino - 1) / fs->g.inodes_per_group;
	u64 last = READ_ONCE(ei->goal_pblk);

	if (last && lblk >= ei->goal_lblk)
		return last + MIN(lblk - ei->goal_lblk, 1024u);
	if (last)
		return last;
	return ext4_group_first_block(&fs->g, group) + READ_ONCE(fs->groups[group].goal);
}

int ext4_map_new_block(struct ext4_handle *h, struct inode *i, u32 lblk, ext4_check_fn check,
		       struct ext4_buf **b)
{
	struct ext4_map m = {.lblk = lblk, .len = 1};
	int err;

	rwsem_write_lock(&ext4_i(i)->map_lock);
	err = ext4_block_meta(h, ext4_goal(i, lblk), &m.pblk);
	if (!err)
		err = ext4_map_enter(h, i, &m);
	rwsem_write_unlock(&ext4_i(i)->map_lock);
	return err ? err : ext4_buf_new(h, m.pblk, ext4_owner(PART_CONTENTS, i->ino), check, b);
}
