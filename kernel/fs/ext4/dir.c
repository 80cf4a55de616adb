/*
 * Directories: blocks of entries, in the order of the file. Looking up, adding, removing; the index
 * that makes large ones fast is htree.c, reading is readdir.c.
 *
 * All of it runs under the directory's inode lock. Blocks were checked as a whole when they came from
 * the disk, and every change here keeps them well-formed; an entry that walks out of its block all
 * the same ends the walk.
 */
#include <lib/string.h>
#include <task/task.h>
#include "internal.h"

/*
 * In an indexed directory: a block of the index. Those have checksums of their own and are looked at
 * by htree.c; to everybody else they are blocks without entries (but for "." and "..").
 */
static bool is_index_block(const struct inode *dir, const void *block)
{
	const struct ext4_geometry *g = &ext4_fs(dir->sb)->g;
	const struct ext4_dirent *e = block, *second = (const void *)((const u8 *)block + 12);

	if (!ext4_dir_indexed(dir))
		return false;
	if (!e->inode && e->rec_len == g->block_size)
		return true;
	return e->rec_len == 12 && e->name_len == 1 && e->name[0] == '.' &&
	       second->rec_len == g->block_size - 12;
}

static const char *check_leaf(struct ext4_fs *fs, struct ext4_buf *b, const void *ctx)
{
	const struct inode *dir = ctx;
	const char *why;

	if (is_index_block(dir, b->data))
		return NULL;
	why = ext4_check_dir_block(&fs->g, b->data);
	if (!why && !ext4_dir_csum_ok(&fs->g, ext4_i(dir)->seed, b->data))
		why = "wrong checksum of a directory block";
	return why;
}

int ext4_dir_read(struct inode *dir, u32 lblk, ext4_check_fn check, struct ext4_buf **b)
{
	struct ext4_map m = {.lblk = lblk, .len = 1};
	int err = ext4_map_block(dir, &m);

	if (err)
		return err;
	if (!m.pblk || m.unwritten)
		return ext4_corrupt(ext4_fs(dir->sb), dir->ino, "hole in a directory");
	return ext4_buf_read(ext4_fs(dir->sb), m.pblk, ext4_owner(PART_CONTENTS, dir->ino), check, dir, b);
}

int ext4_dir_block(struct inode *dir, u32 lblk, struct ext4_buf **b)
{
	return ext4_dir_read(dir, lblk, check_leaf, b);
}

static u32 nr_blocks(const struct inode *dir)
{
	return (u32)(dir->size >> ext4_fs(dir->sb)->g.block_bits);
}

/* ---- One block ---- */

static bool entry_is(const struct ext4_dirent *e, const struct ext4_name *name)
{
	return e->inode && e->name_len == name->len && memcmp(e->name, name->name, name->len) == 0;
}

int ext4_leaf_find(struct inode *dir, struct ext4_buf *b, const struct ext4_name *name,
		   struct ext4_place *at)
{
	const struct ext4_geometry *g = &ext4_fs(dir->sb)->g;
	u32 space = ext4_dir_space(g), offset = 0;

	while (offset < space) {
		const struct ext4_dirent *e = ext4_dirent_at(g, b->data, space, offset);

		if (!e && is_index_block(dir, b->data))
			return -ENOENT;
		if (!e)
			return ext4_corrupt(b->fs, dir->ino, "bad directory entry");
		if (entry_is(e, name)) {
			ext4_buf_get(b);
			*at = (struct ext4_place){b, offset};
			return 0;
		}
		offset += e->rec_len;
	}
	return -ENOENT;
}

u32 ext4_file_type(const struct ext4_geometry *g, u32 mode)
{
	static const u8 types[16] = {[S_IFREG >> 12] = 1, [S_IFDIR >> 12] = 2, [S_IFCHR >> 12] = 3,
				     [S_IFBLK >> 12] = 4, [S_IFIFO >> 12] = 5,
				     [S_IFSOCK >> 12] = 6, [S_IFLNK >> 12] = 7};

	return g->filetype ? types[mode >> 12 & 15] : 0;
}

void ext4_dir_put(void *block, u32 offset, u32 rec_len, const struct ext4_name *name, u32 ino,
		  u32 file_type)
{
	struct ext4_dirent *e = (void *)((u8 *)block + offset);

	e->inode = ino;
	e->rec_len = (u16)rec_len;
	e->name_len = (u8)name->len;
	e->file_type = (u8)file_type;
	memcpy(e->name, name->name, name->len);
}

/* Where an entry of `need` bytes fits: behind the name of the entry at *offset, or in its place. */
static bool room_find(const struct ext4_geometry *g, const void *block, u32 need, u32 *offset)
{
	u32 space = ext4_dir_space(g);

	for (*offset = 0; *offset < space;) {
		const struct ext4_dirent *e = ext4_dirent_at(g, block, space, *offset);
		u32 used;

		if (!e)
			return false;
		used = e->inode ? ext4_dirent_size(e->name_len) : 0;
		if (e->rec_len - used >= need)
			return true;
		*offset += e->rec_len;
	}
	return false;
}

int ext4_leaf_add(struct ext4_handle *h, struct inode *dir, struct ext4_buf *b,
		  const struct ext4_name *name, u32 ino, u32 mode)
{
	const struct ext4_geometry *g = &h->fs->g;
	struct ext4_dirent *e;
	u32 offset, used, rest;
	int err;

	if (!room_find(g, b->data, ext4_dirent_size(name->len), &offset))
		return -ENOSPC;
	err = ext4_write_access(h, b);
	if (err)
		return err;
	e = (void *)(b->data + offset);
	used = e->inode ? ext4_dirent_size(e->name_len) : 0;
	rest = e->rec_len - used;
	if (used)
		e->rec_len = (u16)used;
	ext4_dir_put(b->data, offset + used, rest, name, ino, ext4_file_type(g, mode));
	ext4_dir_changed(dir, b->data);
	return 0;
}

/* ---- The directory ---- */

/* An image can name one block four billion times. What has begun to change something goes on. */
static bool stopped(void)
{
	return !(current->flags & TASK_F_IN_JOURNAL) && fatal_signal_pending(current);
}

static int linear_find(struct inode *dir, const struct ext4_name *name, struct ext4_place *at)
{
	u32 nr = nr_blocks(dir);
	struct ext4_buf *b;
	int err = -ENOENT;

	for (u32 lblk = 0; lblk < nr && err == -ENOENT; lblk++) {
		err = stopped() ? -EINTR : ext4_dir_block(dir, lblk, &b);
		if (err)
			break;
		err = ext4_leaf_find(dir, b, name, at);
		ext4_buf_put(b);
	}
	return err;
}

int ext4_dir_find(struct inode *dir, const struct ext4_name *name, struct ext4_place *at)
{
	int err = -EUCLEAN;

	if (ext4_dir_indexed(dir) && !READ_ONCE(ext4_i(dir)->bad_index)) {
		err = ext4_htree_find(dir, name, at);
		if (err == -EUCLEAN) /* every name is in the leaves still */
			WRITE_ONCE(ext4_i(dir)->bad_index, true);
	}
	return err == -EUCLEAN ? linear_find(dir, name, at) : err;
}

/* A new block at the end with nothing but this entry. */
static int append(struct ext4_handle *h, struct inode *dir, const struct ext4_name *name, u32 ino,
		  u32 mode)
{
	const struct ext4_geometry *g = &h->fs->g;
	struct ext4_buf *b;
	int err = ext4_map_new_block(h, dir, nr_blocks(dir), check_leaf, &b);

	if (err)
		return err;
	ext4_dir_put(b->data, 0, ext4_dir_space(g), name, ino, ext4_file_type(g, mode));
	ext4_dir_changed(dir, b->data);
	ext4_buf_put(b);
	WRITE_ONCE(dir->size, dir->size + g->block_size);
	return 0;
}

static int linear_add(struct ext4_handle *h, struct inode *dir, const struct ext4_name *name, u32 ino,
		      u32 mode)
{
	u32 nr = nr_blocks(dir);
	struct ext4_buf *b;
	int err = -ENOSPC;

	for (u32 lblk = 0; lblk < nr && err == -ENOSPC; lblk++) {
		err = ext4_dir_block(dir, lblk, &b);
		if (err)
			return err;
		err = ext4_leaf_add(h, dir, b, name, ino, mode);
		ext4_buf_put(b);
	}
	if (err != -ENOSPC)
		return err;
	if (nr == 1 && h->fs->g.dir_index && !ext4_dir_indexed(dir))
		return ext4_htree_make(h, dir, name, ino, mode);
	return append(h, dir, name, ino, mode);
}

int ext4_dir_add(struct ext4_handle *h, struct inode *dir, const struct ext4_name *name, u32 ino,
		 u32 mode)
{
	int err;

	if (ext4_dir_indexed(dir) && !ext4_i(dir)->bad_index) {
		err = ext4_htree_add(h, dir, name, ino, mode);
	} else {
		/* Entries that the index does not know of: it must go. e2fsck makes a new one. */
		ext4_i(dir)->flags &= ~EXT4_INDEX_FL;
		err = linear_add(h, dir, name, ino, mode);
	}
	if (err)
		return err;
	inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
	return ext4_inode_store(h, dir);
}

/* The entry before the one at `offset`; NULL: it is the first. */
static struct ext4_dirent *entry_before(const struct ext4_geometry *g, void *block, u32 offset)
{
	u32 space = ext4_dir_space(g), at = 0;
	const struct ext4_dirent *e, *before = NULL;

	while (at < offset) {
		e = ext4_dirent_at(g, block, space, at);
		if (!e)
			return NULL;
		before = e;
		at += e->rec_len;
	}
	return (void *)before;
}

int ext4_dir_remove(struct ext4_handle *h, struct inode *dir, struct ext4_place *at)
{
	const struct ext4_geometry *g = &h->fs->g;
	struct ext4_dirent *e = ext4_place_entry(at), *before;
	int err = ext4_write_access(h, at->buf);

	if (err)
		return err;
	before = entry_before(g, at->buf->data, at->offset);
	if (before)
		before->rec_len = (u16)(before->rec_len + e->rec_len);
	e->inode = 0;
	ext4_dir_changed(dir, at->buf->data);
	inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
	return ext4_inode_store(h, dir);
}

/* Is the block the root of the directory's index? Then its checksum is the index's. */
static bool is_index_root(const struct inode *dir, const struct ext4_buf *b)
{
	struct ext4_map m = {.lblk = 0, .len = 1};

	return ext4_dir_indexed(dir) && !ext4_map_block((struct inode *)dir, &m) &&
	       m.pblk == b->block;
}

int ext4_dir_set(struct ext4_handle *h, struct inode *dir, struct ext4_place *at, u32 ino, u32 mode)
{
	const struct ext4_geometry *g = &h->fs->g;
	struct ext4_dirent *e = ext4_place_entry(at);
	int err = ext4_write_access(h, at->buf);

	if (err)
		return err;
	e->inode = ino;
	if (g->filetype)
		e->file_type = (u8)ext4_file_type(g, mode);
	if (is_index_root(dir, at->buf))
		ext4_dx_seal(g, ext4_i(dir)->seed, at->buf->data, true);
	else
		ext4_dir_changed(dir, at->buf->data);
	inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
	return ext4_inode_store(h, dir);
}

int ext4_dir_init(struct ext4_handle *h, struct inode *dir, u32 parent)
{
	static const struct ext4_name dot = {".", 1}, dotdot = {"..", 2};
	const struct ext4_geometry *g = &h->fs->g;
	u32 type = ext4_file_type(g, S_IFDIR);
	struct ext4_buf *b;
	int err = ext4_map_new_block(h, dir, 0, check_leaf, &b);

	if (err)
		return err;
	ext4_dir_put(b->data, 0, 12, &dot, (u32)dir->ino, type);
	ext4_dir_put(b->data, 12, ext4_dir_space(g) - 12, &dotdot, parent, type);
	ext4_dir_changed(dir, b->data);
	ext4_buf_put(b);
	WRITE_ONCE(dir->size, g->block_size);
	return 0;
}

int ext4_dir_parent(struct inode *dir, struct ext4_place *at)
{
	const struct ext4_geometry *g = &ext4_fs(dir->sb)->g;
	const struct ext4_dirent *e;
	struct ext4_buf *b;
	int err = ext4_dir_block(dir, 0, &b);

	if (err)
		return err;
	e = ext4_dirent_at(g, b->data, g->block_size, 12);
	if (((struct ext4_dirent *)b->data)->rec_len != 12 || !e || e->name_len != 2 ||
	    memcmp(e->name, "..", 2) != 0) {
		ext4_buf_put(b);
		return ext4_corrupt(b->fs, dir->ino, "directory without \"..\"");
	}
	*at = (struct ext4_place){b, 12};
	return 0;
}

static bool is_dots(const struct ext4_dirent *e)
{
	return e->name[0] == '.' && (e->name_len == 1 || (e->name_len == 2 && e->name[1] == '.'));
}

static int block_empty(struct inode *dir, struct ext4_buf *b, bool *empty)
{
	const struct ext4_geometry *g = &ext4_fs(dir->sb)->g;
	u32 space = ext4_dir_space(g);

	for (u32 at = 0; at < space && *empty;) {
		const struct ext4_dirent *e = ext4_dirent_at(g, b->data, space, at);

		if (!e)
			return 0; /* a block of the index */
		*empty = !e->inode || is_dots(e);
		at += e->rec_len;
	}
	return 0;
}

int ext4_dir_empty(struct inode *dir, bool *empty)
{
	u32 nr = nr_blocks(dir);
	struct ext4_buf *b;
	int err = 0;

	*empty = true;
	for (u32 lblk = 0; lblk < nr && *empty && !err; lblk++) {
		err = stopped() ? -EINTR : ext4_dir_block(dir, lblk, &b);
		if (err)
			break;
		err = block_empty(dir, b, empty);
		ext4_buf_put(b);
	}
	return err;
}
