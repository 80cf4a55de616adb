/*
 * The index of large directories: a tree of one or two levels whose leaves are ordinary directory
 * blocks. The root lies behind "." and ".." in the first block, inner nodes in blocks that look
 * empty. An entry of the index is the lowest hash of a leaf and its block; bit 0 of the hash says
 * that names with the same hash lie in the leaf before, too.
 *
 * A full leaf is split in two halves by hash; a full index node likewise; a full root gets a second
 * level. Under the directory's inode lock.
 */
#include <lib/string.h>
#include "internal.h"

#define BLOCK_MASK 0x0fffffffu

struct frame {
	struct ext4_buf *b;
	struct ext4_dx_entry *e; /* e[0]'s hash is limit and count */
	u32 at;
	bool root;
};

struct walk {
	struct frame f[2];
	u32 nr;          /* frames in use */
};

static struct ext4_dx_countlimit *counts(const struct frame *f)
{
	return (struct ext4_dx_countlimit *)f->e;
}

static const char *check_index(struct ext4_fs *fs, struct ext4_buf *b, const struct inode *dir, bool root)
{
	const char *why = ext4_check_dx(&fs->g, b->data, root);

	if (!why && !ext4_dx_csum_ok(&fs->g, ext4_i(dir)->seed, b->data, root))
		why = "wrong checksum of a directory index";
	return why;
}

static const char *check_root(struct ext4_fs *fs, struct ext4_buf *b, const void *ctx)
{
	return check_index(fs, b, ctx, true);
}

static const char *check_node(struct ext4_fs *fs, struct ext4_buf *b, const void *ctx)
{
	return check_index(fs, b, ctx, false);
}

static int frame_read(struct inode *dir, u32 lblk, bool root, struct frame *f)
{
	int err = ext4_dir_read(dir, lblk, root ? check_root : check_node, &f->b);

	if (err)
		return err;
	f->root = root;
	f->e = (void *)(f->b->data + ext4_dx_offset(root));
	return 0;
}

static void walk_end(struct walk *w)
{
	while (w->nr)
		ext4_buf_put(w->f[--w->nr].b);
}

/* The last entry whose hash is not above; the first has none. */
static u32 frame_search(const struct frame *f, u32 hash)
{
	u32 low = 1, high = counts(f)->count;

	while (low < high) {
		u32 mid = (low + high) / 2;

		if (f->e[mid].hash > hash)
			high = mid;
		else
			low = mid + 1;
	}
	return low - 1;
}

static const struct ext4_dx_info *root_info(const struct frame *root)
{
	return (const void *)(root->b->data + DX_ROOT_INFO);
}

static int walk_to(struct inode *dir, u32 hash, struct walk *w)
{
	struct frame *f = &w->f[0];
	int err;

	w->nr = 0;
	err = frame_read(dir, 0, true, f);
	if (err)
		return err;
	w->nr = 1;
	f->at = frame_search(f, hash);
	if (!root_info(f)->indirect_levels)
		return 0;
	err = frame_read(dir, f->e[f->at].block & BLOCK_MASK, false, f + 1);
	if (err) {
		walk_end(w);
		return err;
	}
	w->nr = 2;
	f[1].at = frame_search(&f[1], hash);
	return 0;
}

static u32 hash_version(const struct inode *dir, const struct ext4_dx_info *info)
{
	const struct ext4_geometry *g = &ext4_fs(dir->sb)->g;
	u32 v = info ? info->hash_version : g->hash_version % DX_HASH_UNSIGNED;

	return v + (g->hash_version >= DX_HASH_UNSIGNED ? DX_HASH_UNSIGNED : 0);
}

int ext4_dir_hash_version(struct inode *dir, u32 *version)
{
	struct frame root;
	int err = 0;

	if (!ext4_dir_indexed(dir)) {
		*version = hash_version(dir, NULL);
		return 0;
	}
	err = frame_read(dir, 0, true, &root);
	if (err)
		return err;
	*version = hash_version(dir, root_info(&root));
	ext4_buf_put(root.b);
	return 0;
}

int ext4_name_hash(struct inode *dir, u32 version, const char *name, u32 len, struct ext4_hash *out)
{
	struct ext4_fs *fs = ext4_fs(dir->sb);

	if (ext4_dirhash(name, len, version, fs->g.hash_seed, out))
		return 0;
	return ext4_corrupt(fs, dir->ino, "unknown hash of a directory index");
}

/* ---- Looking up ---- */

static int leaf_read(struct inode *dir, struct walk *w, struct ext4_buf **b)
{
	const struct frame *f = &w->f[w->nr - 1];
	int err = ext4_dir_block(dir, f->e[f->at].block & BLOCK_MASK, b);

	for (u32 n = 0; n < w->nr && !err; n++)
		if (w->f[n].b == *b) {
			ext4_buf_put(*b);
			err = ext4_corrupt(ext4_fs(dir->sb), dir->ino, "directory index without an end");
		}
	return err;
}

/* Moves to the next leaf; 0: there is none, else the hash at which it begins. */
static int walk_next(struct inode *dir, struct walk *w, u32 *hash)
{
	struct frame *f = &w->f[w->nr - 1];
	int err;

	*hash = 0;
	if (f->at + 1 < counts(f)->count) {
		*hash = f->e[++f->at].hash;
		return 0;
	}
	if (w->nr == 1 || w->f[0].at + 1 >= counts(&w->f[0])->count)
		return 0;
	*hash = w->f[0].e[++w->f[0].at].hash;
	ext4_buf_put(f->b);
	w->nr = 1;
	err = frame_read(dir, w->f[0].e[w->f[0].at].block & BLOCK_MASK, false, f);
	if (!err) {
		f->at = 0;
		w->nr = 2;
	}
	return err;
}

static int find_in(struct inode *dir, struct walk *w, u32 hash, const struct ext4_name *name,
		   struct ext4_place *at)
{
	struct ext4_buf *b;
	u32 next;
	int err;

	for (;;) {
		err = leaf_read(dir, w, &b);
		if (err)
			return err;
		err = ext4_leaf_find(dir, b, name, at);
		ext4_buf_put(b);
		if (err != -ENOENT)
			return err;
		err = walk_next(dir, w, &next);
		if (err)
			return err;
		if (!(next & 1) || (next & ~1u) != hash)
			return -ENOENT;
	}
}

/* "." and ".." are in no leaf. */
static int find_dots(struct inode *dir, const struct ext4_name *name, struct ext4_place *at)
{
	int err = ext4_dir_parent(dir, at);

	if (!err && name->len == 1)
		at->offset = 0;
	return err;
}

static int walk_name(struct inode *dir, const struct ext4_name *name, struct walk *w, struct ext4_hash *h)
{
	struct frame root;
	int err = frame_read(dir, 0, true, &root);

	if (err)
		return err;
	err = ext4_name_hash(dir, hash_version(dir, root_info(&root)), name->name, name->len, h);
	ext4_buf_put(root.b);
	return err ? err : walk_to(dir, h->major, w);
}

int ext4_htree_find(struct inode *dir, const struct ext4_name *name, struct ext4_place *at)
{
	struct ext4_hash h;
	struct walk w;
	int err;

	if (name->name[0] == '.' && (name->len == 1 || (name->len == 2 && name->name[1] == '.')))
		return find_dots(dir, name, at);
	err = walk_name(dir, name, &w, &h);
	if (err)
		return err;
	err = find_in(dir, &w, h.major, name, at);
	walk_end(&w);
	return err;
}

static int leaf_and_next(struct inode *dir, struct walk *w, struct ext4_buf **leaf, u32 *next)
{
	int err = leaf_read(dir, w, leaf);

	if (err)
		return err;
	err = walk_next(dir, w, next);
	if (err)
		ext4_buf_put(*leaf);
	return err;
}

int ext4_htree_leaf(struct inode *dir, u32 hash, struct ext4_buf **leaf, u32 *next)
{
	struct walk w;
	int err = walk_to(dir, hash, &w);

	if (err)
		return err;
	err = leaf_and_next(dir, &w, leaf, next);
	walk_end(&w);
	return err;
}

/* ---- Splitting ---- */

struct item { /* an entry of a leaf */
	u32 hash;
	u16 offset, size;
};

/* The entries of a block with their hashes, in the block's order. */
static int items_collect(struct inode *dir, const struct ext4_dx_info *info, const void *block,
			 u32 from, struct item *items, u32 *nr)
{
	const struct ext4_geometry *g = &ext4_fs(dir->sb)->g;
	u32 space = ext4_dir_space(g), version = hash_version(dir, info);
	struct ext4_hash h;
	int err = 0;

	*nr = 0;
	for (u32 at = from; at < space && !err;) {
		const struct ext4_dirent *e = ext4_dirent_at(g, block, space, at);

		if (!e)
			return ext4_corrupt(ext4_fs(dir->sb), dir->ino, "bad directory entry");
		if (e->inode) {
			err = ext4_name_hash(dir, version, e->name, e->name_len, &h);
			items[(*nr)++] = (struct item){h.major, (u16)at,
						       (u16)ext4_dirent_size(e->name_len)};
		}
		at += e->rec_len;
	}
	return err;
}

/* A few hundred at most, and mostly a heap's job: Shell's gaps do. */
static void items_sort(struct item *items, u32 nr)
{
	static const u16 gaps[] = {301, 132, 57, 23, 10, 4, 1};

	for (u32 g = 0; g < ARRAY_SIZE(gaps); g++)
		for (u32 i = gaps[g]; i < nr; i++) {
			struct item it = items[i];
			u32 j = i;

			for (; j >= gaps[g] && items[j - gaps[g]].hash > it.hash; j -= gaps[g])
				items[j] = items[j - gaps[g]];
			items[j] = it;
		}
}

/* Fills a leaf with those entries of `from`; the last one reaches to the end. */
static void items_pack(struct inode *dir, const void *from, const struct item *items, u32 nr, void *to)
{
	const struct ext4_geometry *g = &ext4_fs(dir->sb)->g;
	u32 space = ext4_dir_space(g), at = 0;
	struct ext4_dirent *e = to;

	memset(to, 0, g->block_size);
	for (u32 i = 0; i < nr; i++) {
		e = (void *)((u8 *)to + at);
		memcpy(e, (const u8 *)from + items[i].offset, items[i].size);
		e->rec_len = items[i].size;
		at += items[i].size;
	}
	e->rec_len = (u16)(space - (u32)((u8 *)e - (u8 *)to));
	ext4_dir_changed(dir, to);
}

static void frame_insert(struct inode *dir, struct frame *f, u32 at, u32 hash, u32 block)
{
	memmove(&f->e[at + 1], &f->e[at], (counts(f)->count - at) * sizeof(*f->e));
	f->e[at] = (struct ext4_dx_entry){hash, block};
	counts(f)->count++;
	ext4_dx_seal(&ext4_fs(dir->sb)->g, ext4_i(dir)->seed, f->b->data, f->root);
}

static const char *leaf_unchecked(struct ext4_fs *fs, struct ext4_buf *b, const void *ctx)
{
	return NULL; /* the next reader looks at it with the check of leaves */
}

static int new_block(struct ext4_handle *h, struct inode *dir, struct ext4_buf **b, u32 *lblk)
{
	u32 nr = (u32)(dir->size >> h->fs->g.block_bits);
	int err = nr >= BLOCK_MASK ? -ENOSPC : ext4_map_new_block(h, dir, nr, leaf_unchecked, b);

	if (err)
		return err;
	*lblk = nr;
	WRITE_ONCE(dir->size, dir->size + h->fs->g.block_size);
	return 0;
}

struct split {
	struct item items[512];
	u32 nr, keep;
	u8 copy[4096];
};

/* Where the upper half begins, by size; both halves get at least one. */
static u32 split_point(const struct split *s)
{
	u32 total = 0, half = 0, i;

	for (i = 0; i < s->nr; i++)
		total += s->items[i].size;
	for (i = 0; i + 1 < s->nr && half + s->items[i].size <= total / 2; i++)
		half += s->items[i].size;
	return MAX(i, 1u);
}

/* The walk's leaf b gives its upper half to a new block; the last frame has room. */
static int leaf_split_into(struct ext4_handle *h, struct inode *dir, struct walk *w, struct ext4_buf *b,
			   struct split *s)
{
	struct frame *f = &w->f[w->nr - 1];
	struct ext4_buf *new;
	u32 lblk, hash;
	int err = items_collect(dir, root_info(&w->f[0]), b->data, 0, s->items, &s->nr);

	if (!err && s->nr < 2)
		err = ext4_corrupt(h->fs, dir->ino, "full directory block without entries");
	if (err)
		return err;
	err = ext4_write_access(h, b);
	if (!err)
		err = ext4_write_access(h, f->b);
	if (!err)
		err = new_block(h, dir, &new, &lblk);
	if (err)
		return err;
	items_sort(s->items, s->nr);
	s->keep = split_point(s);
	hash = s->items[s->keep].hash;
	memcpy(s->copy, b->data, h->fs->g.block_size);
	items_pack(dir, s->copy, s->items + s->keep, s->nr - s->keep, new->data);
	items_pack(dir, s->copy, s->items, s->keep, b->data);
	frame_insert(dir, f, f->at + 1, hash | (hash == s->items[s->keep - 1].hash), lblk);
	ext4_buf_put(new);
	return 0;
}

static int leaf_split(struct ext4_handle *h, struct inode *dir, struct walk *w, struct ext4_buf *b)
{
	struct split *s = ext4_alloc(sizeof(*s), GFP_KERNEL);
	int err = s ? leaf_split_into(h, dir, w, b, s) : -ENOMEM;

	kfree(s);
	return err;
}

/* A new node that takes over nr entries. */
static void node_fill(struct ext4_handle *h, struct inode *dir, struct ext4_buf *b,
		      const struct ext4_dx_entry *e, u32 nr)
{
	struct frame node = {.b = b, .e = (void *)(b->data + DX_NODE_ENTRIES)};
	struct ext4_dirent *fake = (void *)b->data;

	fake->rec_len = (u16)h->fs->g.block_size;
	memcpy(node.e, e, nr * sizeof(*e));
	counts(&node)->limit = (u16)ext4_dx_limit(&h->fs->g, false);
	counts(&node)->count = (u16)nr;
	ext4_dx_seal(&h->fs->g, ext4_i(dir)->seed, b->data, false);
}

/* The root is full and the only level: what it has moves into a node. */
static int root_deepen(struct ext4_handle *h, struct inode *dir, struct frame *root)
{
	struct ext4_buf *node;
	u32 lblk;
	int err = ext4_write_access(h, root->b);

	if (!err)
		err = new_block(h, dir, &node, &lblk);
	if (err)
		return err;
	node_fill(h, dir, node, root->e, counts(root)->count);
	counts(root)->count = 1;
	root->e[0].block = lblk;
	((struct ext4_dx_info *)(root->b->data + DX_ROOT_INFO))->indirect_levels = 1;
	ext4_dx_seal(&h->fs->g, ext4_i(dir)->seed, root->b->data, true);
	ext4_buf_put(node);
	return 0;
}

/* The node is full, the root is not. */
static int node_split(struct ext4_handle *h, struct inode *dir, struct frame *root, struct frame *f)
{
	struct ext4_buf *node;
	u32 lblk, nr = counts(f)->count, keep = nr / 2, hash = f->e[keep].hash;
	int err = ext4_write_access(h, root->b);

	if (!err)
		err = ext4_write_access(h, f->b);
	if (!err)
		err = new_block(h, dir, &node, &lblk);
	if (err)
		return err;
	node_fill(h, dir, node, f->e + keep, nr - keep);
	counts(f)->count = (u16)keep;
	ext4_dx_seal(&h->fs->g, ext4_i(dir)->seed, f->b->data, false);
	frame_insert(dir, root, root->at + 1, hash, lblk);
	ext4_buf_put(node);
	return 0;
}

/* Makes room: one step; the walk is stale afterwards. b: the full leaf. */
static int split_step(struct ext4_handle *h, struct inode *dir, struct walk *w, struct ext4_buf *b)
{
	struct frame *last = &w->f[w->nr - 1];

	if (counts(last)->count < counts(last)->limit)
		return leaf_split(h, dir, w, b);
	if (w->nr == 1)
		return root_deepen(h, dir, last);
	if (counts(&w->f[0])->count < counts(&w->f[0])->limit)
		return node_split(h, dir, &w->f[0], last);
	return -ENOSPC;
}

static int add_once(struct ext4_handle *h, struct inode *dir, const struct ext4_name *name, u32 ino,
		    u32 mode)
{
	struct ext4_hash hash;
	struct ext4_buf *b;
	struct walk w;
	int err = walk_name(dir, name, &w, &hash);

	if (err)
		return err;
	err = leaf_read(dir, &w, &b);
	if (!err) {
		err = ext4_leaf_add(h, dir, b, name, ino, mode);
		if (err == -ENOSPC) {
			err = split_step(h, dir, &w, b);
			err = err ? err : -EAGAIN;
		}
		ext4_buf_put(b);
	}
	walk_end(&w);
	return err;
}

int ext4_htree_add(struct ext4_handle *h, struct inode *dir, const struct ext4_name *name, u32 ino,
		   u32 mode)
{
	int err;

	do
		err = add_once(h, dir, name, ino, mode);
	while (err == -EAGAIN);
	return err;
}

/* ---- The first index ---- */

static void root_init(struct ext4_handle *h, struct inode *dir, struct ext4_buf *b)
{
	const struct ext4_geometry *g = &h->fs->g;
	struct ext4_dirent *dotdot = (void *)(b->data + 12);
	struct ext4_dx_info *info = (void *)(b->data + DX_ROOT_INFO);
	struct frame root = {b, (void *)(b->data + DX_ROOT_ENTRIES), 0, true};

	memset(b->data + DX_ROOT_INFO, 0, g->block_size - DX_ROOT_INFO);
	dotdot->rec_len = (u16)(g->block_size - 12);
	info->hash_version = g->hash_version % DX_HASH_UNSIGNED;
	info->info_length = sizeof(*info);
	counts(&root)->limit = (u16)ext4_dx_limit(g, true);
	counts(&root)->count = 1;
	root.e[0].block = 1;
	ext4_dx_seal(g, ext4_i(dir)->seed, b->data, true);
}

static int make_index(struct ext4_handle *h, struct inode *dir, struct ext4_buf *b, struct split *s)
{
	struct ext4_buf *leaf;
	u32 lblk;
	int err = items_collect(dir, NULL, b->data, DX_ROOT_INFO, s->items, &s->nr);

	if (err)
		return err;
	err = ext4_write_access(h, b);
	if (!err)
		err = new_block(h, dir, &leaf, &lblk);
	if (err)
		return err;
	items_pack(dir, b->data, s->items, s->nr, leaf->data);
	ext4_buf_put(leaf);
	root_init(h, dir, b);
	ext4_i(dir)->flags |= EXT4_INDEX_FL;
	ext4_i(dir)->bad_index = false;
	return 0;
}

int ext4_htree_make(struct ext4_handle *h, struct inode *dir, const struct ext4_name *name, u32 ino,
		    u32 mode)
{
	struct ext4_place dots;
	struct split *s;
	int err = ext4_dir_parent(dir, &dots);

	if (err)
		return err;
	s = ext4_alloc(sizeof(*s), GFP_KERNEL);
	/* ".." ends where the index's description will begin. */
	if (s && ext4_place_entry(&dots)->rec_len == 12)
		err = make_index(h, dir, dots.buf, s);
	else
		err = s ? -EUCLEAN : -ENOMEM;
	ext4_buf_put(dots.buf);
	kfree(s);
	return err ? err : ext4_htree_add(h, dir, name, ino, mode);
}
