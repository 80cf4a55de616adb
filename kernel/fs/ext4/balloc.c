/*
 * Free blocks.
 *
 * Each group that has been touched keeps a bitmap in memory of blocks that must not be handed out. It
 * differs from the one on the disk in two ways, and both are what makes the file system safe:
 *
 *  - Blocks taken for data that is being written are set here first and on the disk only together
 *    with the extent that points to them (ext4_blocks_use). After a crash in between they are free.
 *  - Blocks freed by a transaction stay set here until it is committed: their old owner may come
 *    back by recovery and must find its own data in them.
 *
 * Searching: at the goal, then in the goal's group, then in groups that are listed as having a free
 * run of the wanted order, from the goal's on. The order of a group is an upper bound that is
 * corrected when a search there finds less, so no search visits all groups; within a group, whole
 * words of the bitmap are skipped.
 *
 * Locks: a group's mutex for its bitmap, counters and descriptor; orders_lock for the lists.
 */
#include <lib/bits.h>
#include <lib/string.h>
#include <task/task.h>
#include "internal.h"

#define FULL_TRIES 200u /* of some milliseconds each */

static u32 group_of(const struct ext4_fs *fs, u64 block)
{
	return (u32)((block - fs->g.first_data_block) / fs->g.blocks_per_group);
}

static u32 offset_of(const struct ext4_fs *fs, u64 block)
{
	return (u32)((block - fs->g.first_data_block) % fs->g.blocks_per_group);
}

/* ---- Groups by order ---- */

static void order_set(struct ext4_fs *fs, u32 group, u32 longest)
{
	struct ext4_group *gr = &fs->groups[group];
	u8 order = longest ? (u8)MIN(log2_floor(longest) + 1, EXT4_ORDERS - 1) : 0;

	if (gr->order == order)
		return;
	spin_lock(&fs->orders_lock);
	bitmap_clear_plain(fs->orders[gr->order], group);
	bitmap_set_plain(fs->orders[order], group);
	gr->order = order;
	spin_unlock(&fs->orders_lock);
}

/* The first group from `from` on (around the end) with at least that order; groups: none. */
static u32 order_find(struct ext4_fs *fs, u32 order, u32 from)
{
	u32 best = fs->g.groups;
	u64 distance = U64_MAX;

	spin_lock(&fs->orders_lock);
	for (u32 o = order; o < EXT4_ORDERS; o++) {
		u64 n = bitmap_next_set(fs->orders[o], fs->g.groups, from);

		if (n == fs->g.groups)
			n = bitmap_next_set(fs->orders[o], fs->g.groups, 0);
		if (n == fs->g.groups)
			continue;
		if ((n - from + fs->g.groups) % fs->g.groups < distance) {
			distance = (n - from + fs->g.groups) % fs->g.groups;
			best = (u32)n;
		}
	}
	spin_unlock(&fs->orders_lock);
	return best;
}

/* ---- Bitmaps ---- */

static u32 count_clear(const u64 *map, u32 bits)
{
	u32 set = 0;

	for (u32 i = 0; i < bits / 64; i++)
		set += bit_count(map[i]);
	return bits - set; /* bits is a multiple of 64: padding is set */
}

static int map_fill(struct ext4_fs *fs, u32 group, u64 *map)
{
	struct ext4_buf *b;
	int err;

	if (ext4_bitmap_fresh(fs, group, BITMAP_BLOCKS)) {
		ext4_block_bitmap_initial(fs, group, map);
		return 0;
	}
	err = ext4_bitmap_read(fs, group, BITMAP_BLOCKS, &b);
	if (err)
		return err;
	memcpy(map, b->data, fs->g.block_size);
	ext4_buf_put(b);
	if (fs->g.blocks_per_group < 8 * fs->g.block_size)
		bitmap_set_range(map, fs->g.blocks_per_group,
			  8 * fs->g.block_size - fs->g.blocks_per_group);
	return 0;
}

/* Group lock. -EUCLEAN: the group is not to be used. */
static int group_load(struct ext4_fs *fs, u32 group)
{
	struct ext4_group *gr = &fs->groups[group];
	u64 *map;
	int err;

	if (likely(gr->map))
		return 0;
	if (gr->bad)
		return -EUCLEAN;
	map = ext4_alloc(fs->g.block_size, GFP_KERNEL);
	if (!map)
		return -ENOMEM;
	err = map_fill(fs, group, map);
	if (!err && count_clear(map, 8 * fs->g.block_size) != gr->info.free_blocks)
		err = ext4_corrupt(fs, 0, "a block bitmap and its count differ");
	if (err) {
		kfree(map);
		gr->bad = err == -EUCLEAN;
		if (gr->bad) {
			order_set(fs, group, 0);
			atomic64_add(&fs->free_blocks, -(s64)gr->free);
			WRITE_ONCE(gr->free, 0);
		}
		return err;
	}
	gr->map = map;
	return 0;
}

/* ---- Taking ---- */

struct run {
	u32 at, len;
};

/* The first free run of `want` in [from, end), or the longest there is; best is kept if longer. */
static bool find_run(const u64 *map, u32 from, u32 end, u32 want, struct run *best)
{
	while (from < end) {
		u32 at = (u32)bitmap_next_clear(map, end, from), stop;

		if (at >= end)
			break;
		stop = (u32)bitmap_next_set(map, MIN(end, at + want), at);
		if (stop - at > best->len)
			*best = (struct run){at, stop - at};
		if (best->len >= want)
			return true;
		from = stop + 1;
	}
	return false;
}

/* Group lock. */
static void run_taken(struct ext4_fs *fs, u32 group, u32 at, u32 nr)
{
	struct ext4_group *gr = &fs->groups[group];

	bitmap_set_range(gr->map, at, nr);
	WRITE_ONCE(gr->free, gr->free - nr);
	atomic64_add(&fs->free_blocks, -(s64)nr);
}

/* Group lock. Takes up to want blocks if there are at least `least` in a row. */
static bool take_in_group(struct ext4_fs *fs, u32 group, u32 goal, u32 want, u32 least, struct run *r)
{
	struct ext4_group *gr = &fs->groups[group];
	u32 end = ext4_group_blocks(&fs->g, group);

	*r = (struct run){0};
	if (!gr->free)
		return false;
	if (!find_run(gr->map, goal, end, want, r) && goal)
		find_run(gr->map, 0, end, want, r);
	if (r->len < want)
		order_set(fs, group, r->len);
	if (!r->len || r->len < least)
		return false;
	run_taken(fs, group, r->at, r->len);
	WRITE_ONCE(gr->goal, r->at + r->len);
	return true;
}

static int try_group(struct ext4_fs *fs, u32 group, u32 goal, u32 want, u32 least, struct run *r)
{
	struct ext4_group *gr = &fs->groups[group];
	int err;

	if (!READ_ONCE(gr->free))
		return -ENOSPC;
	mutex_lock(&gr->lock);
	err = group_load(fs, group);
	if (!err && !take_in_group(fs, group, goal, want, least, r))
		err = -ENOSPC;
	mutex_unlock(&gr->lock);
	return err;
}

static bool finished(int err)
{
	return err != -ENOSPC && err != -EUCLEAN && err != -EIO;
}

int ext4_blocks_take(struct ext4_fs *fs, u64 goal, u32 *nr, u64 *out)
{
	u32 want = MIN(*nr, fs->g.blocks_per_group), group, at, order;
	struct run r;
	int err, failed = -ENOSPC;

	if (goal <= fs->g.first_data_block || goal >= fs->g.blocks)
		goal = fs->g.first_data_block + 1;
	group = group_of(fs, goal);
	at = offset_of(fs, goal);
	err = try_group(fs, group, at, want, MIN(want, 8u), &r);
	for (order = log2_floor(want) + 1; !finished(err) && order; order--) {
		u32 tries = 0, next;

		/* Each failure takes the group off this order's lists, or out of the game. */
		while (!finished(err) && tries++ < 64 + fs->g.groups / 8 &&
		       (next = order_find(fs, MIN(order, EXT4_ORDERS - 1), group)) < fs->g.groups) {
			err = try_group(fs, next, READ_ONCE(fs->groups[next].goal), want,
					1u << (order - 1), &r);
			failed = err && err != -ENOSPC ? err : failed;
			if (!err)
				group = next;
			else if (err != -ENOMEM)
				order_set(fs, next, READ_ONCE(fs->groups[next].free) ? 1u << (order - 1) >> 1 : 0);
		}
	}
	if (err)
		return finished(err) ? err : failed;
	*nr = r.len;
	*out = ext4_group_first_block(&fs->g, group) + r.at;
	return 0;
}

/* Back to the free ones in memory. */
static void release_in_group(struct ext4_fs *fs, u32 group, u32 at, u32 nr)
{
	struct ext4_group *gr = &fs->groups[group];
	u32 end = ext4_group_blocks(&fs->g, group);

	mutex_lock(&gr->lock);
	if (gr->map) {
		bitmap_clear_range(gr->map, at, nr);
		WRITE_ONCE(gr->free, gr->free + nr);
		atomic64_add(&fs->free_blocks, nr);
		nr = (u32)bitmap_next_set(gr->map, end, at) - at;
		if (log2_floor(nr) + 1 > gr->order)
			order_set(fs, group, nr);
	}
	mutex_unlock(&gr->lock);
}

/* Calls for each group's part of a run. */
#define for_each_part(fs, start, nr, group, at, n)                                                 \
	for (u32 group, at, n;                                                                     \
	     (nr) && (group = group_of(fs, start), at = offset_of(fs, start),                      \
		      n = MIN(nr, (fs)->g.blocks_per_group - at), true);                           \
	     (start) += n, (nr) -= n)

void ext4_blocks_release(struct ext4_fs *fs, u64 start, u32 nr)
{
	for_each_part(fs, start, nr, group, at, n) {
		WRITE_ONCE(fs->groups[group].trimmed, 0);
		release_in_group(fs, group, at, n);
	}
}

void ext4_run_release(struct ext4_fs *fs, u32 group, u32 at, u32 nr)
{
	release_in_group(fs, group, at, nr);
}

/* The first free run of [*at, end) that is long enough. */
static bool run_find(const u64 *map, u32 least, u32 end, u32 *at, u32 *nr)
{
	for (u32 from = *at; from < end; from = *at + *nr) {
		*at = (u32)bitmap_next_clear(map, end, from);
		*nr = (u32)bitmap_next_set(map, end, *at) - *at;
		if (*nr >= least)
			return true;
	}
	return false;
}

int ext4_run_take(struct ext4_fs *fs, u32 group, u32 least, u32 end, u32 *at, u32 *nr)
{
	struct ext4_group *gr = &fs->groups[group];
	int err;

	mutex_lock(&gr->lock);
	err = group_load(fs, group);
	if (!err && !run_find(gr->map, least, end, at, nr))
		err = -ENOSPC;
	if (!err)
		run_taken(fs, group, *at, *nr);
	mutex_unlock(&gr->lock);
	return err;
}

bool ext4_trim_wanted(struct ext4_fs *fs, u32 group, u32 least, bool whole)
{
	struct ext4_group *gr = &fs->groups[group];
	u32 trimmed = READ_ONCE(gr->trimmed);

	if (trimmed && least >= trimmed)
		return false;
	if (whole) /* before it is done: what is freed meanwhile takes the mark away */
		WRITE_ONCE(gr->trimmed, least);
	return READ_ONCE(gr->free) >= least;
}

/* ---- On the disk ---- */

static int use_part(struct ext4_handle *h, u32 group, u32 at, u32 nr)
{
	struct ext4_group *gr = &h->fs->groups[group];
	struct ext4_buf *b;
	int err = ext4_bitmap_change(h, group, BITMAP_BLOCKS, &b);

	if (err)
		return err;
	if (!bitmap_all_clear((u64 *)b->data, at, nr) || gr->info.free_blocks < nr) {
		err = ext4_corrupt(h->fs, 0, "allocating blocks that are in use");
	} else {
		bitmap_set_range((u64 *)b->data, at, nr);
		gr->info.free_blocks -= nr;
	}
	ext4_bitmap_changed(h->fs, group, BITMAP_BLOCKS, b);
	return err;
}

int ext4_blocks_use(struct ext4_handle *h, u64 start, u32 nr)
{
	int err = 0;

	for_each_part(h->fs, start, nr, group, at, n) {
		mutex_lock(&h->fs->groups[group].lock);
		err = use_part(h, group, at, n);
		mutex_unlock(&h->fs->groups[group].lock);
		if (err)
			break;
	}
	return err;
}

static int free_part(struct ext4_handle *h, u32 group, u32 at, u32 nr)
{
	struct ext4_fs *fs = h->fs;
	struct ext4_group *gr = &fs->groups[group];
	struct ext4_buf *b;
	int err = group_load(fs, group); /* so that the blocks count as in use until the commit */

	if (!err)
		err = ext4_bitmap_change(h, group, BITMAP_BLOCKS, &b);
	if (err)
		return err;
	if (!bitmap_all_set((u64 *)b->data, at, nr)) {
		err = ext4_corrupt(fs, 0, "freeing blocks that are free");
	} else {
		err = ext4_free_later(h, ext4_group_first_block(&fs->g, group) + at, nr);
		if (!err) {
			bitmap_clear_range((u64 *)b->data, at, nr);
			gr->info.free_blocks += nr;
			atomic64_add(&fs->freed, nr);
		}
	}
	ext4_bitmap_changed(fs, group, BITMAP_BLOCKS, b);
	return err;
}

/* Do the blocks belong to the group's own metadata? */
static bool is_group_metadata(const struct ext4_fs *fs, u32 group, u64 start, u32 nr)
{
	const struct ext4_group_info *gi = &fs->groups[group].info;
	u64 end = start + nr, first = ext4_group_first_block(&fs->g, group);
	u32 overhead = ext4_group_overhead(&fs->g, group);

	return (start < first + overhead && end > first) ||
	       (gi->block_bitmap >= start && gi->block_bitmap < end) ||
	       (gi->inode_bitmap >= start && gi->inode_bitmap < end) ||
	       (start < gi->inode_table + fs->g.itable_blocks && end > gi->inode_table);
}

int ext4_blocks_free(struct ext4_handle *h, u64 start, u32 nr, bool metadata)
{
	struct ext4_fs *fs = h->fs;
	int err = 0;

	if (!nr || !ext4_blocks_valid(&fs->g, start, nr))
		return ext4_corrupt(fs, 0, "freeing blocks outside of the file system");
	for (u32 i = 0; metadata && i < nr && !err; i++)
		err = ext4_forget(h, start + i);
	if (err)
		return err;
	for_each_part(fs, start, nr, group, at, n) {
		if (is_group_metadata(fs, group, start, n))
			return ext4_corrupt(fs, 0, "freeing blocks of the file system itself");
		mutex_lock(&fs->groups[group].lock);
		err = free_part(h, group, at, n);
		mutex_unlock(&fs->groups[group].lock);
		if (err)
			break;
	}
	return err;
}

int ext4_block_meta(struct ext4_handle *h, u64 goal, u64 *out)
{
	u32 nr = 1;
	int err = ext4_blocks_take(h->fs, goal, &nr, out);

	if (err)
		return err;
	err = ext4_blocks_use(h, *out, 1);
	if (err)
		ext4_blocks_release(h->fs, *out, 1);
	return err;
}

/* ---- Promises ---- */

u64 ext4_available(const struct ext4_fs *fs)
{
	s64 n = atomic64_read(&fs->free_blocks) + atomic64_read(&fs->freed) -
		atomic64_read(&fs->delayed);

	return n > 0 ? (u64)n : 0;
}

static bool may_use_reserved(const struct ext4_fs *fs)
{
	const struct ext4_super *s = fs->super;

	return current->cred->fsuid == s->def_resuid || capable(CAP_SYS_RESOURCE) ||
	       (s->def_resgid && cred_in_group(current->cred, s->def_resgid));
}

static bool try_promise(struct ext4_fs *fs, u32 nr)
{
	s64 keep = (s64)fs->meta_reserve + (may_use_reserved(fs) ? 0 : (s64)fs->g.r_blocks);

	atomic64_add(&fs->delayed, nr);
	if (atomic64_read(&fs->free_blocks) - atomic64_read(&fs->delayed) >= keep)
		return true;
	atomic64_add(&fs->delayed, -(s64)nr);
	return false;
}

/*
 * The disk looks full. Some of that may be promises to pages of files that are gone, which end when
 * the writer comes to them, and blocks that are free with the next commit.
 */
int ext4_promise(struct ext4_fs *fs, u32 nr)
{
	for (u32 tries = 0; !likely(try_promise(fs, nr)); tries++) {
		if (tries == FULL_TRIES || fatal_signal_pending(current))
			return -ENOSPC;
		if (atomic64_read(&fs->freed)) {
			if (ext4_sync_all(fs))
				return -ENOSPC;
		} else if (!atomic64_read(&fs->delayed) || !writeback_wait()) {
			return -ENOSPC;
		}
	}
	return 0;
}

void ext4_promise_end(struct ext4_fs *fs, u32 nr)
{
	atomic64_add(&fs->delayed, -(s64)nr);
}

/* ---- Beginning and end ---- */

int ext4_balloc_init(struct ext4_fs *fs)
{
	size_t bytes = BITS_TO_WORDS(fs->g.groups) * sizeof(u64);
	u64 free = 0;

	spin_init(&fs->orders_lock, LOCK_RANK_FS_CACHE);
	for (u32 o = 0; o < EXT4_ORDERS; o++) {
		fs->orders[o] = kvmalloc(bytes, GFP_KERNEL | GFP_ZERO);
		if (!fs->orders[o])
			return -ENOMEM;
	}
	for (u32 i = 0; i < fs->g.groups; i++) {
		struct ext4_group *gr = &fs->groups[i];

		gr->free = gr->info.free_blocks;
		bitmap_set_plain(fs->orders[0], i);
		order_set(fs, i, gr->free);
		free += gr->free;
	}
	atomic64_add(&fs->free_blocks, (s64)free);
	fs->meta_reserve = MIN(fs->g.blocks / 50, 4096ULL);
	return 0;
}

void ext4_balloc_destroy(struct ext4_fs *fs)
{
	for (u32 i = 0; fs->groups && i < fs->g.groups; i++)
		kfree(fs->groups[i].map);
	for (u32 o = 0; o < EXT4_ORDERS; o++)
		kvfree(fs->orders[o]);
}
