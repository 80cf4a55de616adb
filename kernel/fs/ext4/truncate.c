/*
 * Files that get shorter or go: orphans, truncation, deletion.
 *
 * Freeing a large file takes more than one transaction. Before the first of them the inode enters the
 * orphan list, which begins in the super block and goes on through the inodes' dtime fields; recovery
 * finishes what is on it. A file that has lost its last name while it is open is on it as well.
 *
 * A file's new end: the size on the disk changes first, then pages and promises beyond it go, then
 * blocks. All of it under mapping.write_lock, so no page is written meanwhile; reads of pages
 * begin under map_lock and are waited for, so no block is freed under a read.
 */
#include <lib/string.h>
#include "internal.h"

/* ---- Orphans ---- */

/* The field is the next orphan's number, and when a deleted inode was deleted. */
static int set_dtime(struct ext4_handle *h, struct inode *i, u32 value)
{
	struct ext4_inode *raw;
	struct ext4_buf *b;
	int err = ext4_inode_raw_change(h, i, &b, &raw);

	if (err)
		return err;
	spin_lock(&b->raw_lock);
	raw->dtime = value;
	ext4_inode_seal(&h->fs->g, (u32)i->ino, raw);
	spin_unlock(&b->raw_lock);
	ext4_buf_put(b);
	return 0;
}

static u32 orphan_after(const struct ext4_fs *fs, const struct ext4_ino *ei)
{
	if (ei->orphan_node.next == &fs->orphans)
		return 0;
	return (u32)list_entry(ei->orphan_node.next, struct ext4_ino, orphan_node)->inode->ino;
}

static int orphan_add_locked(struct ext4_handle *h, struct inode *i)
{
	struct ext4_fs *fs = h->fs;
	int err = ext4_write_access(h, fs->super_buf);

	if (!err)
		err = set_dtime(h, i, fs->super->last_orphan);
	if (err)
		return err;
	fs->super->last_orphan = (u32)i->ino;
	list_add(&ext4_i(i)->orphan_node, &fs->orphans);
	ext4_i(i)->orphan = true;
	return 0;
}

int ext4_orphan_add(struct ext4_handle *h, struct inode *i)
{
	int err = 0;

	mutex_lock(&h->fs->orphan_lock);
	if (!ext4_i(i)->orphan)
		err = orphan_add_locked(h, i);
	mutex_unlock(&h->fs->orphan_lock);
	return err;
}

static int orphan_del_locked(struct ext4_handle *h, struct inode *i)
{
	struct ext4_fs *fs = h->fs;
	struct ext4_ino *ei = ext4_i(i);
	u32 next = orphan_after(fs, ei);
	int err;

	if (ei->orphan_node.prev == &fs->orphans) {
		err = ext4_write_access(h, fs->super_buf);
		if (!err)
			fs->super->last_orphan = next;
	} else {
		err = set_dtime(h, list_entry(ei->orphan_node.prev, struct ext4_ino, orphan_node)->inode,
			       next);
	}
	if (!err)
		err = set_dtime(h, i, 0);
	list_del(&ei->orphan_node);
	ei->orphan = false;
	return err;
}

int ext4_orphan_del(struct ext4_handle *h, struct inode *i)
{
	int err = 0;

	mutex_lock(&h->fs->orphan_lock);
	if (ext4_i(i)->orphan)
		err = orphan_del_locked(h, i);
	mutex_unlock(&h->fs->orphan_lock);
	return err;
}

void ext4_orphan_leave(struct inode *i)
{
	struct ext4_fs *fs = ext4_fs(i->sb);

	mutex_lock(&fs->orphan_lock);
	list_del(&ext4_i(i)->orphan_node);
	ext4_i(i)->orphan = false;
	mutex_unlock(&fs->orphan_lock);
}

/* ---- Freeing blocks ---- */

int ext4_unmap_all(struct inode *i, u32 first, u32 last)
{
	struct ext4_handle h;
	bool done = false;
	int err = 0;

	while (!done && !err) {
		err = ext4_start(ext4_fs(i->sb), &h, CREDITS_INODE + 2 * CREDITS_UNMAP);
		if (err)
			break;
		rwsem_write_lock(&ext4_i(i)->map_lock);
		ext4_reads_wait(i);
		err = ext4_unmap(&h, i, first, last, &done);
		rwsem_write_unlock(&ext4_i(i)->map_lock);
		if (!err)
			err = ext4_inode_store(&h, i);
		ext4_note_tid(&h, i, true);
		ext4_stop(&h);
	}
	return err;
}

static u32 first_block_behind(const struct ext4_fs *fs, u64 size)
{
	return (u32)((size + fs->g.block_size - 1) >> fs->g.block_bits);
}

int ext4_truncate(struct inode *i)
{
	struct ext4_fs *fs = ext4_fs(i->sb);
	struct ext4_handle h;
	int err = ext4_unmap_all(i, first_block_behind(fs, i->size), U32_MAX - 1);

	if (err)
		return err;
	ext4_i(i)->goal_pblk = 0;
	err = ext4_start(fs, &h, CREDITS_ORPHAN + CREDITS_INODE);
	if (err)
		return err;
	err = i->nlink ? ext4_orphan_del(&h, i) : 0;
	ext4_stop(&h);
	return err;
}

/* The new size on the disk; a shorter file is an orphan until its blocks are freed. */
static int store_size(struct inode *i, u64 size, bool shrink)
{
	struct ext4_ino *ei = ext4_i(i);
	struct ext4_handle h;
	u64 old;
	int err = ext4_start(ext4_fs(i->sb), &h, CREDITS_INODE + CREDITS_ORPHAN);

	if (err)
		return err;
	if (shrink)
		err = ext4_orphan_add(&h, i);
	if (!err) {
		rwsem_write_lock(&ei->map_lock);
		old = ei->disk_size;
		ei->disk_size = size;
		err = ext4_inode_store(&h, i);
		if (err)
			ei->disk_size = old;
		rwsem_write_unlock(&ei->map_lock);
	}
	ext4_note_tid(&h, i, true);
	ext4_stop(&h);
	return err;
}

/* The page with the new end, if its tail must be zeroed on the disk, too. NULL: there is none. */
static int tail_page(struct inode *i, u64 size, struct page **p)
{
	struct ext4_fs *fs = ext4_fs(i->sb);
	u64 index = size >> PAGE_SHIFT;
	struct ext4_map m = {.lblk = (u32)(size >> fs->g.block_bits), .len = 1};
	int err;

	*p = NULL;
	if (!(size & ~PAGE_MASK))
		return 0;
	err = size & (fs->g.block_size - 1) ? ext4_map_block(i, &m) : 0;
	if (err || !m.pblk || m.unwritten)
		return err;
	return page_cache_get(&i->mapping, index, p);
}

int ext4_zero_cached(struct inode *i, u64 from, u64 to)
{
	struct mapping *m = &i->mapping;
	bool there = false;
	struct page *p;
	int err;

	while (!there) {
		err = page_cache_get(m, from >> PAGE_SHIFT, &p);
		if (err)
			return err;
		page_lock(p); /* while it is locked it stays in the cache, if it is there still */
		there = p->mapping == m;
		if (there) {
			memset((char *)page_address(p) + (from & ~PAGE_MASK), 0, to - from);
			page_mark_dirty(p);
		}
		page_unlock(p);
		page_put(p);
	}
	return 0;
}

static int shrink_locked(struct inode *i, u64 size)
{
	struct page *tail;
	int err = tail_page(i, size, &tail);

	if (err)
		return err;
	err = store_size(i, size, true);
	if (!err) {
		inode_truncate(i, size);
		ext4_promises_drop(i, DIV_ROUND_UP(size, PAGE_SIZE), U64_MAX);
		if (tail)
			err = ext4_zero_cached(i, size, ALIGN_UP(size, PAGE_SIZE));
		if (!err)
			err = ext4_truncate(i);
		/* Who looked at the old size may have read blocks behind the new end until they were freed. */
		page_cache_truncate(&i->mapping, DIV_ROUND_UP(size, PAGE_SIZE), U64_MAX);
	}
	if (tail)
		page_put(tail);
	return err;
}

int ext4_set_size(struct inode *i, u64 size)
{
	int err;

	mutex_lock(&i->mapping.write_lock);
	if (size < i->size) {
		err = shrink_locked(i, size);
	} else {
		err = store_size(i, size, false);
		if (!err)
			inode_truncate(i, size);
	}
	mutex_unlock(&i->mapping.write_lock);
	return err;
}

/* ---- Deletion ---- */

static int delete_inode(struct inode *i)
{
	struct ext4_fs *fs = ext4_fs(i->sb);
	struct ext4_handle h;
	int err = ext4_start(fs, &h, CREDITS_INODE + CREDITS_ORPHAN + CREDITS_INODE_NEW +
					     CREDITS_XATTR);

	if (err)
		return err;
	err = ext4_xattrs_free(&h, i);
	if (!err)
		err = ext4_orphan_del(&h, i);
	i->size = ext4_i(i)->disk_size = 0;
	if (!err)
		err = ext4_inode_store(&h, i);
	if (!err)
		err = set_dtime(&h, i, MAX((u32)clock_inode_time().tv_sec, 1u));
	ext4_inode_leave(i); /* the number may be in use again at once */
	if (!err)
		err = ext4_inode_free(&h, (u32)i->ino, inode_is_dir(i));
	ext4_stop(&h);
	return err;
}

static bool has_blocks(const struct inode *i)
{
	return inode_is_reg(i) || inode_is_dir(i) ||
	       (inode_is_lnk(i) && ext4_i(i)->link != (char *)ext4_i(i)->root);
}

void ext4_delete(struct inode *i)
{
	if (READ_ONCE(i->sb->flags) & MS_RDONLY || !ext4_fs(i->sb)->journal)
		return;
	if (!has_blocks(i) || !ext4_unmap_all(i, 0, U32_MAX - 1))
		(void)!delete_inode(i);
}

/* ---- Orphans at mount ---- */

/* The disk's list into memory, with references. */
static void orphans_load(struct ext4_fs *fs)
{
	u32 ino = fs->super->last_orphan;
	struct ext4_inode *raw;
	struct ext4_buf *b;
	struct inode *i;

	while (ino) {
		if (ext4_iget_orphan(fs->sb, ino, &i))
			break;
		if (ext4_i(i)->orphan || ext4_inode_raw(i, &b, &raw)) {
			(void)ext4_corrupt(fs, ino, "the list of orphans is a ring");
			inode_put(i);
			break;
		}
		ino = raw->dtime;
		ext4_buf_put(b);
		list_add_tail(&ext4_i(i)->orphan_node, &fs->orphans);
		ext4_i(i)->orphan = true;
	}
}

void ext4_orphans_recover(struct ext4_fs *fs)
{
	u32 deleted = 0, truncated = 0;

	orphans_load(fs);
	while (!list_empty(&fs->orphans)) {
		struct ext4_ino *ei = list_first(&fs->orphans, struct ext4_ino, orphan_node);
		struct inode *i = ei->inode;

		if (i->nlink && inode_is_reg(i) && !ext4_truncate(i)) {
			truncated++;
		} else if (i->nlink) {
			ext4_orphan_leave(i);
		} else {
			deleted++;
		}
		inode_put(i); /* deletes those without links */
		if (!list_empty(&fs->orphans) && fs->orphans.next == &ei->orphan_node)
			break; /* somebody else has it: nonsense on the disk; the pointer alone is used */
	}
	if (deleted + truncated)
		pr_info("ext4 (%s): %u orphans deleted, %u truncated\n", fs->bdev->name, deleted,
			truncated);
}
