/*
 * Reading directories.
 *
 * With the dir_index feature, names are read in the order of their hashes, whether the directory has
 * an index already or only one block. A position is a hash, so it stays good when blocks are split,
 * names come and go, or the directory gets its index. The names of a leaf stay sorted with the open file until
 * they have been told or the directory changes. Names with the same hash come in their own order; a
 * reader who stops between them has the last one remembered with his open file. Larger directories without an index are read in
 * the order of the file; a position is an offset, and the walk to it starts at its block's beginning.
 *
 * Runs with the directory's inode lock held shared, so what lies in cached blocks stays, and with the lock of
 * the file's position, which guards file->private.
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
	loff_t pos; /* the hash */
	const struct ext4_dirent *e;
};

/* An open directory's file->private. The batch holds good while it stands at `pos` and nothing changes. */
struct reader {
	struct ext4_buf *leaves[LEAVES_MAX]; /* of the batch */
	u32 nr_leaves, nr, max;
	struct found *list;
	u32 at;                     /* the next one to tell */
	u32 next;                   /* the hash behind the batch; 0: the end */
	u32 version, changes;
	loff_t pos, told_pos;
	u32 told_len;               /* > 0: at told_pos, names up to this one have been told */
	char told[EXT4_NAME_LEN];
};

static loff_t position(const struct ext4_hash *h)
{
	return (loff_t)((u64)(h->major >> 1) << 32 | h->minor);
}

static struct ext4_hash hash_at(loff_t pos)
{
	return (struct ext4_hash){(u32)((u64)pos >> 32) << 1, (u32)pos};
}

static int compare(const char *a, u32 a_len, const char *b, u32 b_len)
{
	int c = memcmp(a, b, MIN(a_len, b_len));

	return c ? c : (int)a_len - (int)b_len;
}

static bool was_told(const struct reader *r, const struct found *f)
{
	return r->told_len && f->pos == r->told_pos &&
	       compare(f->e->name, f->e->name_len, r->told, r->told_len) <= 0;
}

/* In the order of hashes, then of names. */
static bool comes_before(const struct found *a, const struct found *b)
{
	if (likely(a->pos != b->pos))
		return a->pos < b->pos;
	return compare(a->e->name, a->e->name_len, b->e->name, b->e->name_len) < 0;
}

static int list_grow(struct reader *r)
{
	u32 max = 2 * r->max;
	struct found *list = kvmalloc(max * sizeof(*list), GFP_KERNEL);

	if (!list)
		return -ENOMEM;
	memcpy(list, r->list, r->nr * sizeof(*list));
	kvfree(r->list);
	r->list = list;
	r->max = max;
	return 0;
}

static int collect_one(struct inode *dir, struct reader *r, const struct ext4_dirent *e, loff_t from)
{
	struct found f = {.e = e};
	struct ext4_hash h;
	int err = ext4_name_hash(dir, r->version, e->name, e->name_len, &h);

	f.pos = position(&h);
	if (err || f.pos < from || was_told(r, &f))
		return err;
	if (unlikely(r->nr == r->max))
		err = list_grow(r);
	if (!err)
		r->list[r->nr++] = f;
	return err;
}

static bool is_dots(const struct ext4_dirent *e)
{
	return e->name[0] == '.' && (e->name_len == 1 || (e->name_len == 2 && e->name[1] == '.'));
}

static int collect(struct inode *dir, struct reader *r, struct ext4_buf *leaf, loff_t from)
{
	const struct ext4_geometry *g = &ext4_fs(dir->sb)->g;
	u32 space = ext4_dir_space(g);
	int err = 0;

	for (u32 at = 0; at < space && !err;) {
		const struct ext4_dirent *e = ext4_dirent_at(g, leaf->data, space, at);

		if (!e)
			return ext4_corrupt(ext4_fs(dir->sb), dir->ino, "bad directory entry");
		if (e->inode && !is_dots(e))
			err = collect_one(dir, r, e, from);
		at += e->rec_len;
	}
	return err;
}

static void sort(struct found *list, u32 nr)
{
	static const u16 gaps[] = {301, 132, 57, 23, 10, 4, 1};

	for (u32 g = 0; g < ARRAY_SIZE(gaps); g++)
		for (u32 gap = gaps[g], i = gap; i < nr; i++) {
			struct found f = list[i];
			u32 j = i;

			for (; j >= gap && comes_before(&f, &list[j - gap]); j -= gap)
				list[j] = list[j - gap];
			list[j] = f;
		}
}

static void batch_drop(struct reader *r)
{
	while (r->nr_leaves)
		ext4_buf_put(r->leaves[--r->nr_leaves]);
	r->nr = r->at = 0;
}

/* The leaf for `from` and those that share its last hash. */
static int batch_fill(struct inode *dir, struct reader *r, const struct ext4_hash *from)
{
	u32 hash = from->major;
	int err = ext4_dir_hash_version(dir, &r->version);

	r->next = 0;
	r->changes = ext4_i(dir)->changes;
	while (!err) {
		struct ext4_buf **leaf = &r->leaves[r->nr_leaves];

		if (ext4_dir_indexed(dir))
			err = ext4_htree_leaf(dir, hash, leaf, &r->next);
		else
			err = ext4_dir_block(dir, 0, leaf);
		if (err)
			break;
		r->nr_leaves++;
		err = collect(dir, r, *leaf, position(from));
		hash = r->next;
		if (!(hash & 1) || r->nr_leaves == LEAVES_MAX)
			break;
	}
	if (err)
		batch_drop(r);
	else
		sort(r->list, r->nr);
	return err;
}

/* The batch for where the reader stands; usually there is one. */
static int batch_get(struct inode *dir, struct reader *r, loff_t pos)
{
	struct ext4_hash from = hash_at(pos);

	if (r->nr_leaves && r->pos == pos && r->changes == ext4_i(dir)->changes)
		return 0;
	batch_drop(r);
	if (r->told_pos != pos)
		r->told_len = 0;
	return batch_fill(dir, r, &from);
}

/* The reader stops before the next name, at ctx->pos; he began at `began`. */
static void remember(struct reader *r, const struct dir_context *ctx, loff_t began)
{
	const struct found *last = r->at ? &r->list[r->at - 1] : NULL;

	r->pos = ctx->pos;
	if (last && last->pos == ctx->pos) {
		r->told_pos = ctx->pos;
		r->told_len = last->e->name_len;
		memcpy(r->told, last->e->name, r->told_len);
	} else if (began != ctx->pos) {
		r->told_len = 0;
	}
}

/* True: the caller's buffer is full. */
static bool batch_emit(struct inode *dir, struct reader *r, struct dir_context *ctx)
{
	loff_t began = ctx->pos;

	for (; r->at < r->nr; r->at++) {
		ctx->pos = r->list[r->at].pos;
		if (!emit(dir, ctx, r->list[r->at].e)) {
			remember(r, ctx, began);
			return true;
		}
	}
	return false;
}

static int read_leaves(struct inode *dir, struct reader *r, struct dir_context *ctx)
{
	for (;;) {
		u32 begin = hash_at(ctx->pos).major, next;
		int err = batch_get(dir, r, ctx->pos);

		if (err || batch_emit(dir, r, ctx))
			return err;
		next = r->next & ~1u;
		batch_drop(r);
		if (!next)
			break;
		if (next <= begin)
			return ext4_corrupt(ext4_fs(dir->sb), dir->ino, "directory index out of order");
		ctx->pos = position(&(struct ext4_hash){next, 0});
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

static struct reader *reader_create(const struct inode *dir)
{
	struct reader *r = kzalloc(sizeof(*r), GFP_KERNEL);

	if (!r)
		return NULL;
	r->max = ext4_fs(dir->sb)->g.block_size / 16; /* a leaf of short names */
	r->list = kvmalloc(r->max * sizeof(*r->list), GFP_KERNEL);
	if (!r->list) {
		kfree(r);
		return NULL;
	}
	return r;
}

static int read_hashed(struct file *f, struct dir_context *ctx)
{
	bool go_on;
	int err = emit_dots(f, ctx, &go_on);

	if (err || !go_on || ctx->pos == END_OF_DIR)
		return err;
	if (!f->private)
		f->private = reader_create(f->inode);
	return f->private ? read_leaves(f->inode, f->private, ctx) : -ENOMEM;
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

void ext4_dir_release(struct file *f)
{
	struct reader *r = f->private;

	if (!r)
		return;
	batch_drop(r);
	kvfree(r->list);
	kfree(r);
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
