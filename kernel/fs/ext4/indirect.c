/*
 * Block maps of ext2 and ext3: twelve direct blocks, then trees of one, two and three levels of
 * blocks full of pointers. Pointers are checked each time they are followed.
 *
 * map_lock guards the map.
 */
#include <lib/bits.h>
#include <lib/string.h>
#include "internal.h"

#define LEVELS 3u

static u32 per_block_bits(const struct ext4_geometry *g)
{
	return g->block_bits - 2;
}

u64 ext4_indirect_max(const struct ext4_geometry *g)
{
	u32 bits = per_block_bits(g);

	return MIN(EXT4_NDIR + (1ULL << bits) + (1ULL << 2 * bits) + (1ULL << 3 * bits),
		   (u64)U32_MAX);
}

/* Where lblk is found: a root pointer and, for each level below it, an index. */
struct spot {
	u32 root;               /* of ext4_ino.block */
	u32 levels;             /* of indirect blocks: 0..3 */
	u32 index[LEVELS];
	u64 span[LEVELS + 1];   /* blocks from lblk to the end of what an entry of each level covers */
};

static int spot_find(const struct ext4_geometry *g, u32 lblk, struct spot *s)
{
	u32 bits = per_block_bits(g), mask = (1u << bits) - 1;
	u64 rest = lblk;

	*s = (struct spot){.root = lblk};
	s->span[0] = 1;
	if (lblk < EXT4_NDIR)
		return 0;
	rest -= EXT4_NDIR;
	for (s->levels = 1; s->levels <= LEVELS; s->levels++) {
		u64 covers = 1ULL << s->levels * bits;

		if (rest < covers)
			break;
		rest -= covers;
	}
	if (s->levels > LEVELS)
		return -EFBIG;
	s->root = EXT4_NDIR + s->levels - 1;
	for (u32 n = 0; n < s->levels; n++)
		s->index[n] = (u32)(rest >> (s->levels - 1 - n) * bits) & mask;
	for (u32 n = 0; n <= s->levels; n++) {
		u64 covers = 1ULL << (s->levels - n) * bits;

		s->span[n] = covers - (rest & (covers - 1));
	}
	return 0;
}

static u32 *pointers(const struct ext4_buf *b)
{
	return (u32 *)b->data;
}

static int pointer_check(struct inode *i, u32 block)
{
	struct ext4_fs *fs = ext4_fs(i->sb);

	return ext4_blocks_valid(&fs->g, block, 1)
		       ? 0
		       : ext4_corrupt(fs, i->ino, "block pointer outside of the file system");
}

static int indirect_read(struct inode *i, u32 block, struct ext4_buf **b)
{
	int err = pointer_check(i, block);

	return err ? err : ext4_buf_read(ext4_fs(i->sb), block, ext4_owner(PART_INDIRECT, i->ino), NULL, NULL,
				   b);
}

/* How many pointers from p on continue the run that p begins, up to max. */
static u32 run_length(const u32 *p, u32 max)
{
	u32 n = 1;

	while (n < max && p[n] == p[0] + n)
		n++;
	return n;
}

int ext4_indirect_find(struct inode *i, struct ext4_map *m)
{
	const struct ext4_geometry *g = &ext4_fs(i->sb)->g;
	u32 *at = ext4_i(i)->block, room = EXT4_NDIR;
	struct ext4_buf *b = NULL, *next;
	struct spot s;
	u32 n;
	int err = spot_find(g, m->lblk, &s);

	m->pblk = 0;
	m->unwritten = false;
	if (err) {
		m->len = 1;
		return err == -EFBIG ? 0 : err;
	}
	at += s.root;
	room = s.levels ? 1 : EXT4_NDIR - s.root;
	for (n = 0; n < s.levels && *at; n++) {
		err = indirect_read(i, *at, &next);
		ext4_buf_put(b);
		if (err)
			return err;
		b = next;
		at = pointers(b) + s.index[n];
		room = (1u << per_block_bits(g)) - s.index[n];
	}
	if (*at) {
		err = pointer_check(i, *at);
		m->pblk = *at;
		m->len = run_length(at, MIN(room, m->len));
		if (!err && m->len > 1)
			err = pointer_check(i, *at + m->len - 1);
	} else {
		m->len = (u32)MIN((u64)m->len, s.span[n]);
	}
	ext4_buf_put(b);
	return err;
}

/* ---- Entering ---- */

/* A new block of pointers. */
static int indirect_make(struct ext4_handle *h, struct inode *i, u64 goal, u32 *slot,
			 struct ext4_buf **b)
{
	u64 block;
	int err = ext4_block_meta(h, goal, &block);

	if (err)
		return err;
	if (block > U32_MAX)
		return -ENOSPC;
	err = ext4_buf_new(h, block, ext4_owner(PART_INDIRECT, i->ino), NULL, b);
	if (err)
		return err;
	*slot = (u32)block;
	ext4_count_blocks(i, 1);
	return 0;
}

/* The slot that points to lblk, with its block in *b (NULL: in the inode). Blocks are made. */
static int slot_for(struct ext4_handle *h, struct inode *i, u32 lblk, u64 goal, u32 **slot,
		    struct ext4_buf **b)
{
	struct ext4_buf *next;
	struct spot s;
	int err = spot_find(&h->fs->g, lblk, &s);

	*b = NULL;
	if (err)
		return err;
	*slot = ext4_i(i)->block + s.root;
	for (u32 n = 0; n < s.levels && !err; n++) {
		if (**slot)
			err = indirect_read(i, **slot, &next);
		else
			err = indirect_make(h, i, goal, *slot, &next);
		if (err)
			break;
		ext4_buf_put(*b);
		*b = next;
		err = ext4_write_access(h, next);
		*slot = pointers(next) + s.index[n];
	}
	if (err)
		ext4_buf_put(*b);
	return err;
}

int ext4_indirect_enter(struct ext4_handle *h, struct inode *i, const struct ext4_map *m)
{
	struct ext4_buf *b;
	u32 *slot;
	int err = m->pblk + m->len > U32_MAX ? -ENOSPC : 0;

	for (u32 n = 0; n < m->len && !err; n++) {
		err = slot_for(h, i, m->lblk + n, m->pblk, &slot, &b);
		if (err)
			break;
		if (*slot)
			err = ext4_corrupt(h->fs, i->ino, "mapping a block twice");
		else
			*slot = (u32)(m->pblk + n);
		ext4_buf_put(b);
	}
	return err;
}

/* ---- Removing ---- */

struct removal {
	struct ext4_handle *h;
	struct inode *i;
	u64 first, last; /* logical blocks */
	bool stopped;    /* credits are used up */
};

static bool may_go_on(struct removal *r)
{
	r->stopped |= r->h->credits < CREDITS_UNMAP;
	return !r->stopped;
}

/* Frees the blocks behind slots [from, to], which are data, in runs; from the end. */
static int free_data(struct removal *r, u32 *slots, u32 from, u32 to)
{
	int err = 0;

	for (u32 n = to + 1; n-- > from && !err;) {
		u32 nr = 1;

		if (!slots[n])
			continue;
		if (!may_go_on(r))
			break;
		while (n > from && slots[n - 1] && slots[n - 1] + 1 == slots[n] && nr < 256) {
			n--;
			nr++;
		}
		err = ext4_blocks_free(r->h, slots[n], nr, !inode_is_reg(r->i));
		if (err)
			break;
		memset(&slots[n], 0, nr * sizeof(*slots));
		ext4_count_blocks(r->i, -(s64)nr);
	}
	return err;
}

static bool all_zero(const u32 *slots, u32 nr)
{
	for (u32 n = 0; n < nr; n++)
		if (slots[n])
			return false;
	return true;
}

static int free_tree(struct removal *r, u32 *slot, u32 levels, u64 base);

/* What lies below the pointers of an indirect block; `levels` counts it. base: its first lblk. */
static int free_children(struct removal *r, struct ext4_buf *b, u32 levels, u64 base)
{
	u32 bits = per_block_bits(&r->h->fs->g), nr = 1u << bits;
	u64 each = 1ULL << (levels - 1) * bits;
	u64 from = r->first > base ? (r->first - base) / each : 0;
	u64 to = MIN((r->last - base) / each, (u64)nr - 1);
	int err = 0;

	if (levels == 1)
		return free_data(r, pointers(b), (u32)from, (u32)to);
	for (u64 n = to + 1; n-- > from && !err && !r->stopped;)
		if (pointers(b)[n])
			err = free_tree(r, &pointers(b)[n], levels - 1, base + n * each);
	return err;
}

/* The tree behind *slot, as far as it lies in the range; the slot becomes 0 when all is gone. */
static int free_tree(struct removal *r, u32 *slot, u32 levels, u64 base)
{
	u32 nr = 1u << per_block_bits(&r->h->fs->g);
	struct ext4_buf *b;
	int err;

	if (!may_go_on(r))
		return 0;
	err = indirect_read(r->i, *slot, &b);
	if (err)
		return err;
	err = ext4_write_access(r->h, b);
	if (!err)
		err = free_children(r, b, levels, base);
	if (!err && all_zero(pointers(b), nr)) {
		err = ext4_blocks_free(r->h, *slot, 1, true);
		if (!err) {
			*slot = 0;
			ext4_count_blocks(r->i, -1);
		}
	}
	ext4_buf_put(b);
	return err;
}

int ext4_indirect_unmap(struct ext4_handle *h, struct inode *i, u32 first, u32 last, bool *done)
{
	struct removal r = {.h = h, .i = i, .first = first, .last = last};
	u32 bits = per_block_bits(&h->fs->g), *root = ext4_i(i)->block;
	u64 base[LEVELS] = {EXT4_NDIR, EXT4_NDIR + (1ULL << bits),
			    EXT4_NDIR + (1ULL << bits) + (1ULL << 2 * bits)};
	int err = 0;

	for (u32 n = LEVELS; n-- && !err && !r.stopped;) {
		u64 end = base[n] + (1ULL << (n + 1) * bits);

		if (root[EXT4_NDIR + n] && r.last >= base[n] && r.first < end)
			err = free_tree(&r, &root[EXT4_NDIR + n], n + 1, base[n]);
	}
	if (!err && !r.stopped && first < EXT4_NDIR)
		err = free_data(&r, root, first, MIN(last, EXT4_NDIR - 1));
	*done = !r.stopped;
	return err;
}
