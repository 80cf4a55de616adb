/*
 * Reading directories.
 *
 * With the dir_index feature, names are read in the order of their hashes, whether the directory has
 * an index already or only one block. A position is a hash, so it stays good when blocks are split,
 * names come and go, or the directory gets its index. Larger directories without an index are read in
 * the order of the file; a position is an offset, and the walk to it starts at its block's beginning.
 *
 * Runs with the directory's inode lock held shared, so what lies in cached blocks stays.
 */
#include <lib/string.h>
#include <linux/fs.h>
#include "internal.h"

#define END_OF_DIR 0x7fffffffffffffffLL
#define LEAVES_MAX 16u /* that names with one hash may be spread over */

static u32 type_of(const struct ext4_dirent *e)
{
	static const u8 types[8] = {DT_UNKNOWN, DT_REG, DT_DIR, DT_CHR, DT_BLK, DT_FIFO, DT_SOCK, DT_LNK};

	return types[e->file_type & 7];
}

static bool emit(struct inode *dir, struct dir_context *ctx, const struct ext4_dirent *e)
{
	u32 type = ext4_fs(dir->sb)->g.filetype ? type_of(e) : DT_UNKNOWN;

	return dir_emit(ctx, e->name, e->name_len, e->inode, type);
}

/* ---- By hash ---- */

struct found {
	struct ext4_hash h;
	const struct ext4_dirent *e;
};

struct batch {
	struct ext4_buf *leaves[LEAVES_MAX];
	u32 nr_leaves, nr, max;
	struct found *list;
};

static loff_t position(const struct ext4_hash *h)
{
	return (loff_t)((u64)(h->major >> 1) << 32 | h->minor);
}

static struct ext4_hash hash_at(loff_t pos)
{
	return (struct ext4_hash){(u32)((u64)pos >> 32) << 1, (u32)pos};
}

static bool not_before(const struct ext4_hash *h, const struct ext4_hash *from)
{
	return h->major > from->major || (h->major == from->major && h->minor >= from->minor);
}

static int collect_one(struct inode *dir, struct batch *b, const struct ext4_dirent *e,
		       const struct ext4_hash *from)
{
	struct found f = {.e = e};
	int err = ext4_dir_hash(dir, e->name, e->name_len, &f.h);

	if (!err && not_before(&f.h, from) && b->nr < b->max)
		b->list[b->nr++] = f;
	return err;
}

static bool is_dots(const struct ext4_dirent *e)
{
	return e->name[0] == '.' && (e->name_len == 1 || (e->name_len == 2 && e->name[1] == '.'));
}

static int collect(struct inode *dir, struct batch *b, struct ext4_buf *leaf,
		   const struct ext4_hash *from)
{
	const struct ext4_geometry *g = &ext4_fs(dir->sb)->g;
	u32 space = ext4_dir_space(g);
	int err = 0;

	for (u32 at = 0; at < space && !err;) {
		const struct ext4_dirent *e = ext4_dirent_at(g, leaf->data, space, at);

		if (!e)
			return ext4_corrupt(ext4_fs(dir->sb), dir->ino, "bad directory entry");
		if (e->inode && !is_dots(e))
			err = collect_one(dir, b, e, from);
		at += e->rec_len;
	}
	return err;
}

static void sort(struct found *list, u32 nr)
{
	for (u32 gap = nr / 2; gap; gap /= 2)
		for (u32 i = gap; i < nr; i++) {
			struct found f = list[i];
			u32 j = i;

			for (; j >= gap && !not_before(&f.h, &list[j - gap].h); j -= gap)
				list[j] = list[j - gap];
			list[j] = f;
		}
}

/* The leaf for `from` and those that share its last hash. *next: where to go on; 0: the end. */
static int batch_fill(struct inode *dir, struct batch *b, const struct ext4_hash *from, u32 *next)
{
	u32 hash = from->major;
	int err;

	*next = 0;
	do {
		struct ext4_buf **leaf = &b->leaves[b->nr_leaves];

		if (ext4_dir_indexed(dir))
			err = ext4_htree_leaf(dir, hash, leaf, next);
		else
			err = ext4_dir_block(dir, 0, leaf);
		if (err)
			return err;
		b->nr_leaves++;
		err = collect(dir, b, *leaf, from);
		hash = *next;
	} while (!err && *next & 1 && b->nr_leaves < LEAVES_MAX);
	if (!err)
		sort(b->list, b->nr);
	return err;
}

static void batch_drop(struct batch *b)
{
	while (b->nr_leaves)
		ext4_buf_put(b->leaves[--b->nr_leaves]);
	b->nr = 0;
}

/* True: the caller's buffer is full. */
static bool batch_emit(struct inode *dir, struct batch *b, struct dir_context *ctx)
{
	for (u32 i = 0; i < b->nr; i++) {
		ctx->pos = position(&b->list[i].h);
		if (!emit(dir, ctx, b->list[i].e))
			return true;
	}
	return false;
}

static int read_leaves(struct inode *dir, struct batch *b, struct dir_context *ctx)
{
	struct ext4_hash from = hash_at(ctx->pos);
	bool full;
	u32 next;
	int err;

	for (;;) {
		err = batch_fill(dir, b, &from, &next);
		full = err || batch_emit(dir, b, ctx);
		batch_drop(b);
		if (err || full)
			return err;
		if (!next)
			break;
		if ((next & ~1u) <= from.major)
			return ext4_corrupt(ext4_fs(dir->sb), dir->ino, "directory index out of order");
		from = (struct ext4_hash){next & ~1u, 0};
		ctx->pos = position(&from);
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	ctx->pos = END_OF_DIR;
	return 0;
}

/* They take positions 0 and 1, which no name's hash has but by a chance of one in 2^61. */
static int emit_dots(struct file *f, struct dir_context *ctx, bool *go_on)
{
	struct inode *dir = f->inode;
	struct ext4_place at;
	int err;

	*go_on = true;
	if (ctx->pos == 0) {
		*go_on = dir_emit(ctx, ".", 1, dir->ino, DT_DIR);
		ctx->pos += *go_on;
	}
	if (!*go_on || ctx->pos > 1)
		return 0;
	err = ext4_dir_parent(dir, &at);
	if (err)
		return err;
	*go_on = dir_emit(ctx, "..", 2, ext4_place_entry(&at)->inode, DT_DIR);
	ext4_buf_put(at.buf);
	ctx->pos += *go_on;
	return 0;
}

static int read_hashed(struct file *f, struct dir_context *ctx)
{
	u32 max = LEAVES_MAX * (ext4_fs(f->inode->sb)->g.block_size / 12);
	struct batch *b;
	bool go_on;
	int err = emit_dots(f, ctx, &go_on);

	if (err || !go_on || ctx->pos == END_OF_DIR)
		return err;
	b = kzalloc(sizeof(*b), GFP_KERNEL);
	if (!b)
		return -ENOMEM;
	b->max = max;
	b->list = kvmalloc(max * sizeof(*b->list), GFP_KERNEL);
	err = b->list ? read_leaves(f->inode, b, ctx) : -ENOMEM;
	kvfree(b->list);
	kfree(b);
	return err;
}

/* ---- By offset ---- */

/* Entries of one block from ctx->pos on. 1: the caller's buffer is full. */
static int read_block(struct inode *dir, struct ext4_buf *b, struct dir_context *ctx)
{
	const struct ext4_geometry *g = &ext4_fs(dir->sb)->g;
	u32 space = ext4_dir_space(g), from = (u32)ctx->pos & (g->block_size - 1);
	loff_t start = ctx->pos - from;

	for (u32 at = 0; at < space;) {
		const struct ext4_dirent *e = ext4_dirent_at(g, b->data, space, at);

		if (!e)
			return ext4_corrupt(ext4_fs(dir->sb), dir->ino, "bad directory entry");
		if (e->inode && at >= from) {
			ctx->pos = start + at;
			if (!emit(dir, ctx, e))
				return 1;
		}
		at += e->rec_len;
	}
	ctx->pos = start + g->block_size;
	return 0;
}

static int read_linear(struct file *f, struct dir_context *ctx)
{
	struct inode *dir = f->inode;
	u32 bits = ext4_fs(dir->sb)->g.block_bits;
	struct ext4_buf *b;
	int err = 0;

	while (!err && (u64)ctx->pos < dir->size) {
		err = ext4_dir_block(dir, (u32)((u64)ctx->pos >> bits), &b);
		if (err)
			break;
		err = read_block(dir, b, ctx);
		ext4_buf_put(b);
	}
	return err == 1 ? 0 : err;
}

static bool by_hash(const struct inode *dir)
{
	const struct ext4_fs *fs = ext4_fs(dir->sb);

	return fs->g.dir_index && !ext4_i(dir)->bad_index &&
	       (ext4_dir_indexed(dir) || dir->size == fs->g.block_size);
}

int ext4_readdir(struct file *f, struct dir_context *ctx)
{
	if (!f->inode->size || ctx->pos < 0)
		return 0;
	return by_hash(f->inode) ? read_hashed(f, ctx) : read_linear(f, ctx);
}

loff_t ext4_dir_llseek(struct file *f, loff_t off, int whence)
{
	struct inode *dir = f->inode;
	bool hashed = by_hash(dir);

	if (whence > SEEK_END)
		return -EINVAL;
	return file_llseek_size(f, off, whence, hashed ? END_OF_DIR : (loff_t)dir->sb->max_bytes,
				hashed ? END_OF_DIR : (loff_t)dir->size);
}
