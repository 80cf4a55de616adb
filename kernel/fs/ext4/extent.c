/*
 * Extent trees: looking up, entering runs, marking them written, removing ranges.
 *
 * The root lies in the inode (ext4_ino.root), nodes in blocks. A path goes from the root to a leaf;
 * every change starts with one and ends with it, because splitting moves things: a change that finds
 * its leaf full makes room for one step (splits one node, or gives the tree one more level) and looks
 * the path up again. Keys in the levels above are always those of the first entry below.
 *
 * map_lock guards the tree. Nodes were checked when they came from the disk (check.c); what a path
 * relies on beyond that (depth, room) is looked at here.
 */
#include <lib/string.h>
#include "csum.h"
#include "internal.h"

struct level {
	struct ext4_buf *b; /* NULL: the root */
	struct ext4_extent_header *h;
	s32 at;             /* the entry that the path takes; -1: all are behind it (leaf only) */
};

struct path_to {
	struct inode *i;
	u32 depth;          /* of the tree: level[depth] is the leaf */
	struct level level[EXT_DEPTH_MAX + 1];
};

static struct ext4_extent *extents(const struct level *l)
{
	return (struct ext4_extent *)(l->h + 1);
}

static struct ext4_extent_idx *indexes(const struct level *l)
{
	return (struct ext4_extent_idx *)(l->h + 1);
}

static struct level *leaf_of(struct path_to *p)
{
	return &p->level[p->depth];
}

struct check_ctx {
	const struct inode *i;
	u32 depth;
};

static const char *check_node(struct ext4_fs *fs, struct ext4_buf *b, const void *ctx)
{
	const struct check_ctx *c = ctx;
	const char *why = ext4_check_extents(&fs->g, b->data, fs->g.block_size, (s32)c->depth);
	const u32 *tail = ext4_extent_tail(b->data);

	if (why || !fs->g.metadata_csum)
		return why;
	if (*tail != ext4_crc32c(ext4_i(c->i)->seed, b->data, (size_t)((u8 *)tail - b->data)))
		return "wrong checksum of an extent block";
	return NULL;
}

static void node_seal(struct path_to *p, struct level *l)
{
	u32 *tail;

	if (!l->b || !l->b->fs->g.metadata_csum)
		return;
	tail = ext4_extent_tail(l->b->data);
	*tail = ext4_crc32c(ext4_i(p->i)->seed, l->b->data, (size_t)((u8 *)tail - l->b->data));
}

static int node_access(struct ext4_handle *h, struct level *l)
{
	return l->b ? ext4_write_access(h, l->b) : 0;
}

static int path_access(struct ext4_handle *h, struct path_to *p)
{
	int err = 0;

	for (u32 n = 0; n <= p->depth && !err; n++)
		err = node_access(h, &p->level[n]);
	return err;
}

/* The last entry whose key is not above lblk; -1: none. Both kinds begin with their key. */
static s32 search(const struct ext4_extent_header *h, u32 lblk)
{
	const struct ext4_extent *e = (const void *)(h + 1);
	s32 low = 0, high = h->entries;

	while (low < high) {
		s32 mid = (low + high) / 2;

		if (e[mid].block <= lblk)
			low = mid + 1;
		else
			high = mid;
	}
	return low - 1;
}

static void path_put_bufs(struct path_to *p)
{
	for (u32 n = 1; n <= p->depth; n++)
		ext4_buf_put(p->level[n].b);
}

static int child_read(struct path_to *p, u32 n, struct level *child)
{
	struct level *l = &p->level[n];
	struct check_ctx ctx = {p->i, p->depth - n - 1};
	int err;

	err = ext4_buf_read(ext4_fs(p->i->sb), ext4_idx_leaf(&indexes(l)[l->at]),
			    ext4_owner(PART_EXTENTS, p->i->ino), check_node, &ctx, &child->b);
	if (err)
		return err;
	child->h = (void *)child->b->data;
	if (child->h->depth == ctx.depth)
		return 0;
	ext4_buf_put(child->b);
	return ext4_corrupt(ext4_fs(p->i->sb), p->i->ino, "extent block of another depth");
}

static int path_find(struct path_to *p, struct inode *i, u32 lblk)
{
	struct level *l = &p->level[0];
	u32 depth, n;
	int err = 0;

	*p = (struct path_to){.i = i};
	l->h = (void *)ext4_i(i)->root;
	depth = p->depth = l->h->depth;
	for (n = 0; n < depth && !err; n++, l++) {
		l->at = MAX(search(l->h, lblk), 0);
		err = child_read(p, n, l + 1);
	}
	if (err) {
		p->depth = n - 1;
		path_put_bufs(p);
		return err;
	}
	l->at = search(l->h, lblk);
	return 0;
}

/* The key of the leaf that follows the path's; U32_MAX: there is none. */
static u32 next_leaf_key(const struct path_to *p)
{
	for (u32 n = p->depth; n--;)
		if (p->level[n].at + 1 < p->level[n].h->entries)
			return indexes(&p->level[n])[p->level[n].at + 1].block;
	return U32_MAX;
}

int ext4_extent_find(struct inode *i, struct ext4_map *m)
{
	const struct ext4_extent *e;
	struct level *l;
	struct path_to p;
	u32 next;
	int err = path_find(&p, i, m->lblk);

	if (err)
		return err;
	l = leaf_of(&p);
	e = l->at >= 0 ? &extents(l)[l->at] : NULL;
	next = l->at + 1 < l->h->entries ? extents(l)[l->at + 1].block : next_leaf_key(&p);
	m->pblk = 0;
	m->unwritten = false;
	if (e && m->lblk - e->block < ext4_extent_len(e)) {
		m->pblk = ext4_extent_start(e) + (m->lblk - e->block);
		m->len = MIN(m->len, ext4_extent_len(e) - (m->lblk - e->block));
		m->unwritten = ext4_extent_unwritten(e);
	} else {
		m->len = next > m->lblk ? MIN(m->len, next - m->lblk) : 1;
	}
	path_put_bufs(&p);
	return 0;
}

void ext4_extent_init(struct ext4_ino *ei)
{
	struct ext4_extent_header *h = (void *)ei->root;

	memset(ei->root, 0, sizeof(ei->root));
	h->magic = EXT_MAGIC;
	h->max = (sizeof(ei->root) - sizeof(*h)) / sizeof(struct ext4_extent);
}

/* ---- Keys, splitting ---- */

/* The first key of level n has changed: so do those above that are its copies. All accessible. */
static void keys_correct(struct path_to *p, u32 n)
{
	while (n) {
		u32 key = extents(&p->level[n])[0].block;
		struct level *up = &p->level[--n];

		if (indexes(up)[up->at].block == key)
			return;
		indexes(up)[up->at].block = key;
		node_seal(p, up);
		if (up->at)
			return;
	}
}

static void extent_set(struct ext4_extent *e, u32 block, u64 start, u32 len, bool unwritten)
{
	e->block = block;
	e->start_lo = (u32)start;
	e->start_hi = (u16)(start >> 32);
	e->len = (u16)(unwritten ? len + EXT_INIT_MAX : len);
}

static void index_set(struct ext4_extent_idx *e, u32 block, u64 leaf)
{
	*e = (struct ext4_extent_idx){.block = block, .leaf_lo = (u32)leaf,
				      .leaf_hi = (u16)(leaf >> 32)};
}

/* Opens a gap of one entry at `at`; there is room. */
static void entry_open(struct level *l, u32 at)
{
	struct ext4_extent *e = extents(l);

	memmove(&e[at + 1], &e[at], (l->h->entries - at) * sizeof(*e));
	l->h->entries++;
}

static void entry_close(struct level *l, u32 at)
{
	struct ext4_extent *e = extents(l);

	l->h->entries--;
	memmove(&e[at], &e[at + 1], (l->h->entries - at) * sizeof(*e));
}

static int node_make(struct ext4_handle *h, struct path_to *p, u64 goal, struct ext4_buf **b)
{
	struct ext4_extent_header *hd;
	u64 block;
	int err = ext4_block_meta(h, goal, &block);

	if (err)
		return err;
	err = ext4_buf_new(h, block, ext4_owner(PART_EXTENTS, p->i->ino), check_node, b);
	if (err)
		return err;
	hd = (void *)(*b)->data;
	hd->magic = EXT_MAGIC;
	hd->max = (u16)((h->fs->g.block_size - sizeof(*hd)) / sizeof(struct ext4_extent));
	ext4_count_blocks(p->i, 1);
	return 0;
}

/* One more level: what the root holds moves into a block. */
static int tree_grow(struct ext4_handle *h, struct path_to *p)
{
	struct level *root = &p->level[0], new = {0};
	u32 key = extents(root)[0].block;
	int err;

	if (root->h->depth == EXT_DEPTH_MAX)
		return -ENOSPC;
	err = node_make(h, p, ext4_goal(p->i, 0), &new.b);
	if (err)
		return err;
	new.h = (void *)new.b->data;
	memcpy(new.h + 1, root->h + 1, root->h->entries * sizeof(struct ext4_extent));
	new.h->entries = root->h->entries;
	new.h->depth = root->h->depth;
	node_seal(p, &new);
	root->h->depth++;
	root->h->entries = 1;
	index_set(&indexes(root)[0], key, new.b->block);
	ext4_buf_put(new.b);
	return 0;
}

/* The node at level n gives its upper half away; the level above has room. */
static int node_split(struct ext4_handle *h, struct path_to *p, u32 n)
{
	struct level *l = &p->level[n], *up = &p->level[n - 1], new = {0};
	u32 nr = l->h->entries, keep = nr / 2;
	int err = node_make(h, p, l->b->block, &new.b);

	if (err)
		return err;
	if (l->at + 1 >= (s32)nr)
		keep = nr - 1; /* a file that grows at its end leaves full nodes behind */
	new.h = (void *)new.b->data;
	new.h->depth = l->h->depth;
	new.h->entries = (u16)(nr - keep);
	memcpy(new.h + 1, &extents(l)[keep], (nr - keep) * sizeof(struct ext4_extent));
	l->h->entries = (u16)keep;
	entry_open(up, (u32)up->at + 1);
	index_set(&indexes(up)[up->at + 1], extents(&new)[0].block, new.b->block);
	node_seal(p, &new);
	node_seal(p, l);
	node_seal(p, up);
	ext4_buf_put(new.b);
	return 0;
}

/* One step towards room in the leaf. The path is stale afterwards. */
static int room_step(struct ext4_handle *h, struct path_to *p)
{
	u32 n = p->depth;

	while (n && p->level[n - 1].h->entries == p->level[n - 1].h->max)
		n--;
	return n ? node_split(h, p, n) : tree_grow(h, p);
}

/* A path to lblk whose leaf has room for `need` more, all of it with write access. */
static int path_for_change(struct ext4_handle *h, struct path_to *p, struct inode *i, u32 lblk, u32 need)
{
	int err;

	for (;;) {
		err = path_find(p, i, lblk);
		if (err)
			return err;
		err = path_access(h, p);
		if (!err && leaf_of(p)->h->entries + need <= leaf_of(p)->h->max)
			return 0;
		if (!err)
			err = room_step(h, p);
		path_put_bufs(p);
		if (err)
			return err;
	}
}

/* ---- Entering ---- */

static u32 len_max(bool unwritten)
{
	return unwritten ? EXT_LEN_MAX_UNWRITTEN : EXT_INIT_MAX;
}

/* Joins the entries at and at + 1 of a leaf if they are one run. */
static void join(struct level *l, s32 at)
{
	struct ext4_extent *e = extents(l);
	u32 len;
	bool unwritten;

	if (at < 0 || at + 1 >= l->h->entries)
		return;
	e += at;
	len = ext4_extent_len(e);
	unwritten = ext4_extent_unwritten(e);
	if (unwritten != ext4_extent_unwritten(e + 1) || e->block + len != e[1].block ||
	    ext4_extent_start(e) + len != ext4_extent_start(e + 1) ||
	    len + ext4_extent_len(e + 1) > len_max(unwritten))
		return;
	e->len = (u16)(e->len + ext4_extent_len(e + 1));
	entry_close(l, (u32)at + 1);
}

static int enter_piece(struct ext4_handle *h, struct inode *i, const struct ext4_map *m)
{
	struct path_to p;
	struct level *l;
	u32 at;
	int err = path_for_change(h, &p, i, m->lblk, 1);

	if (err)
		return err;
	l = leaf_of(&p);
	at = (u32)(l->at + 1);
	if (l->at >= 0 && m->lblk - extents(l)[l->at].block < ext4_extent_len(&extents(l)[l->at])) {
		err = ext4_corrupt(h->fs, i->ino, "mapping a block twice");
	} else {
		entry_open(l, at);
		extent_set(&extents(l)[at], m->lblk, m->pblk, m->len, m->unwritten);
		join(l, (s32)at);
		join(l, (s32)at - 1);
		node_seal(&p, l);
		if (!at)
			keys_correct(&p, p.depth);
	}
	path_put_bufs(&p);
	return err;
}

int ext4_extent_enter(struct ext4_handle *h, struct inode *i, const struct ext4_map *m)
{
	struct ext4_map piece = *m;
	u32 left = m->len;
	int err = 0;

	while (left && !err) {
		piece.len = MIN(left, len_max(m->unwritten));
		err = enter_piece(h, i, &piece);
		left -= piece.len;
		piece.lblk += piece.len;
		piece.pblk += piece.len;
	}
	return err;
}

/* ---- Unwritten runs that get their data ---- */

/* The entry at `at` becomes up to three: unwritten, written, unwritten. Two entries of room. */
static void carve(struct level *l, u32 at, u32 first, u32 nr)
{
	struct ext4_extent *e = &extents(l)[at], whole = *e;
	u32 len = ext4_extent_len(&whole), before = first - whole.block, after = len - before - nr;
	u64 start = ext4_extent_start(&whole);

	if (after) {
		entry_open(l, at + 1);
		extent_set(e + 1, first + nr, start + before + nr, after, true);
	}
	if (before) {
		entry_open(l, at + 1);
		extent_set(e, whole.block, start, before, true);
		at++;
		e++;
	}
	extent_set(e, first, start + before, nr, false);
	join(l, (s32)at);
	join(l, (s32)at - 1);
}

/* Converts what lies at *lblk; moves it and *len on. */
static int written_piece(struct ext4_handle *h, struct inode *i, u32 *lblk, u32 *len)
{
	struct ext4_extent *e;
	struct path_to p;
	struct level *l;
	u32 nr = *len;
	int err = path_for_change(h, &p, i, *lblk, 2);

	if (err)
		return err;
	l = leaf_of(&p);
	e = l->at >= 0 ? &extents(l)[l->at] : NULL;
	if (!e || *lblk - e->block >= ext4_extent_len(e)) {
		err = ext4_corrupt(h->fs, i->ino, "written data without a block");
	} else {
		nr = MIN(nr, ext4_extent_len(e) - (*lblk - e->block));
		if (ext4_extent_unwritten(e)) {
			carve(l, (u32)l->at, *lblk, nr);
			node_seal(&p, l);
		}
	}
	path_put_bufs(&p);
	*lblk += nr;
	*len -= nr;
	return err;
}

int ext4_extent_written(struct ext4_handle *h, struct inode *i, u32 lblk, u32 len)
{
	int err = 0;

	while (len && !err)
		err = written_piece(h, i, &lblk, &len);
	return err;
}

/* ---- Removing ---- */

/* Takes the entry out of level n; nodes that become empty go, too. */
static int entry_remove(struct ext4_handle *h, struct path_to *p, u32 n)
{
	struct level *l = &p->level[n];
	int err;

	entry_close(l, (u32)l->at);
	if (l->h->entries) {
		node_seal(p, l);
		if (!l->at)
			keys_correct(p, n);
		return 0;
	}
	if (!n) { /* the tree is empty */
		l->h->depth = 0;
		return 0;
	}
	err = ext4_blocks_free(h, l->b->block, 1, true);
	if (err)
		return err;
	ext4_count_blocks(p->i, -1);
	return entry_remove(h, p, n - 1);
}

/* Takes [first, last] out of the path's extent, which has it. One entry of room. */
static int cut(struct ext4_handle *h, struct path_to *p, u32 first, u32 last)
{
	struct level *l = leaf_of(p);
	struct ext4_extent *e = &extents(l)[l->at], whole = *e;
	u32 len = ext4_extent_len(&whole), before = first - whole.block;
	u32 after = whole.block + len - 1 - last;
	u64 start = ext4_extent_start(&whole);
	bool unwritten = ext4_extent_unwritten(&whole);
	int err = ext4_blocks_free(h, start + before, last - first + 1, !inode_is_reg(p->i));

	if (err)
		return err;
	ext4_count_blocks(p->i, -(s64)(last - first + 1));
	if (!before && !after)
		return entry_remove(h, p, p->depth);
	if (before && after)
		entry_open(l, (u32)l->at + 1);
	if (after)
		extent_set(before ? e + 1 : e, last + 1, start + len - after, after, unwritten);
	if (before)
		extent_set(e, whole.block, start, before, unwritten);
	node_seal(p, l);
	if (!before && !l->at)
		keys_correct(p, p->depth);
	return 0;
}

/* The part of a run that lies in its last block's group: what one step frees. */
static u32 last_group_part(const struct ext4_fs *fs, u64 start, u32 len)
{
	u32 in = (u32)((start + len - 1 - fs->g.first_data_block) % fs->g.blocks_per_group) + 1;

	return MIN(len, in);
}

/* Removes the last piece of [first, *last]; *last moves before it. *done: nothing was there. */
static int unmap_step(struct ext4_handle *h, struct inode *i, u32 first, u32 *last, bool *done)
{
	const struct ext4_extent *e;
	struct path_to p;
	struct level *l;
	u32 from, to;
	int err = path_for_change(h, &p, i, *last, 1);

	if (err)
		return err;
	l = leaf_of(&p);
	e = l->at >= 0 ? &extents(l)[l->at] : NULL;
	if (!e || e->block + ext4_extent_len(e) <= first) {
		*done = true;
	} else {
		from = MAX(first, e->block);
		to = MIN(*last, e->block + ext4_extent_len(e) - 1);
		from = to + 1 - last_group_part(h->fs, ext4_extent_start(e) + (from - e->block),
						to - from + 1);
		err = cut(h, &p, from, to);
		*done = from == first;
		*last = from - 1;
	}
	path_put_bufs(&p);
	return err;
}

int ext4_extent_unmap(struct ext4_handle *h, struct inode *i, u32 first, u32 last, bool *done)
{
	int err = 0;

	while (!err && !*done && h->credits >= CREDITS_UNMAP)
		err = unmap_step(h, i, first, &last, done);
	return err;
}

/* ---- Moving ---- */

int ext4_extent_split(struct ext4_handle *h, struct inode *i, u32 lblk)
{
	struct ext4_extent *e;
	struct path_to p;
	struct level *l;
	u32 before, after;
	int err = path_for_change(h, &p, i, lblk, 1);

	if (err)
		return err;
	l = leaf_of(&p);
	e = l->at >= 0 ? &extents(l)[l->at] : NULL;
	if (e && e->block < lblk && lblk - e->block < ext4_extent_len(e)) {
		bool unwritten = ext4_extent_unwritten(e);
		u64 start = ext4_extent_start(e);

		before = lblk - e->block;
		after = ext4_extent_len(e) - before;
		entry_open(l, (u32)l->at + 1);
		extent_set(e + 1, lblk, start + before, after, unwritten);
		extent_set(e, e->block, start, before, unwritten);
		node_seal(&p, l);
	}
	path_put_bufs(&p);
	return 0;
}

/* Entries [from, to] of the path's leaf get keys that are `by` larger. All accessible. */
static void entries_move(struct path_to *p, s32 from, s32 to, s64 by)
{
	struct level *l = leaf_of(p);

	for (s32 n = from; n <= to; n++)
		extents(l)[n].block = (u32)(extents(l)[n].block + by);
	node_seal(p, l);
	if (!from)
		keys_correct(p, p->depth);
}

/* The leaf with the first entry at or behind *at; where the next one begins. U32_MAX: the last. */
static u32 move_down(struct path_to *p, u32 at, s64 by)
{
	struct level *l = leaf_of(p);
	s32 from = l->at;

	if (from < 0 || extents(l)[from].block < at)
		from++;
	if (from < l->h->entries)
		entries_move(p, from, l->h->entries - 1, by);
	return next_leaf_key(p);
}

/* The leaf with the last entry at or before `at`; what lies before the first moved. U32_MAX: nothing. */
static u32 move_up(struct path_to *p, u32 first, s64 by)
{
	struct level *l = leaf_of(p);
	s32 to = l->at, from = to + 1;
	u32 key = first;

	while (from > 0 && extents(l)[from - 1].block >= first)
		key = extents(l)[--from].block;
	if (from <= to)
		entries_move(p, from, to, by);
	return from || key <= first ? U32_MAX : key - 1;
}

int ext4_extent_move(struct ext4_handle *h, struct inode *i, u32 first, s64 by, u32 *at)
{
	struct path_to p;
	int err = path_for_change(h, &p, i, *at, 0);

	if (err)
		return err;
	*at = by < 0 ? move_down(&p, *at, by) : move_up(&p, first, by);
	path_put_bufs(&p);
	return 0;
}
