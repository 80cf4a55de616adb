/*
 * Unused dentries: the LRU list, its shrinker, and the destruction of whole subtrees.
 *
 * lru_lock comes after every d->lock; taking a victim needs them the other way round and therefore
 * tries. A dentry stays on the list while it is used again and is taken off lazily. Taking it off
 * clears DENTRY_ONLRU first and reads the count afterwards, while a last put decrements first and
 * reads the flag afterwards: one of the two sees the other, so no unused dentry gets lost.
 *
 * The shrinker has no reference on a super block, and what it destroys takes a reference on the
 * parent and perhaps an inode along: it counts its victims in sb->nr_reaped, and the end of a super
 * block waits for them.
 *
 * The list is bounded by a share of memory, so that a program that asks for names that do not
 * exist cannot fill memory with their negative entries.
 */
#include <lib/log.h>
#include <lib/string.h>
#include <mm/page.h>
#include <sync/wait.h>
#include <vfs/inode.h>

#include "dcache_internal.h"

#define TRIM_BATCH 64

static DEFINE_SPINLOCK(lru_lock, LOCK_RANK_DENTRY_LRU);
static struct list_head lru = LIST_INIT(lru); /* lru_lock; oldest first */
static u64 lru_nr;                            /* lru_lock; torn-free reads */
static u64 lru_limit __ro_after_init;
static DEFINE_WAIT_QUEUE(reaped);             /* some nr_reaped went to 0 */

void dentry_lru_add_locked(struct dentry *d)
{
	ASSERT_HELD(&d->lock);
	if (d->flags & DENTRY_ONLRU)
		return;
	WRITE_ONCE(d->flags, d->flags | DENTRY_ONLRU);
	spin_lock(&lru_lock);
	list_add_tail(&d->lru, &lru);
	lru_nr++;
	spin_unlock(&lru_lock);
}

static void lru_unlink(struct dentry *d)
{
	ASSERT_HELD(&lru_lock);
	list_del(&d->lru);
	lru_nr--;
	WRITE_ONCE(d->flags, d->flags & ~DENTRY_ONLRU);
}

void dentry_lru_remove(struct dentry *d)
{
	if (!(d->flags & DENTRY_ONLRU))
		return;
	spin_lock(&lru_lock);
	lru_unlink(d);
	spin_unlock(&lru_lock);
}

static bool claim(struct dentry *d)
{
	int zero = 0;

	return atomic_cmpxchg(&d->count, &zero, DENTRY_DEAD);
}

/* Judges the oldest entry. True: it is dead now and the caller's. lru_lock and d->lock held. */
static bool lru_judge(struct dentry *d)
{
	if (atomic_read(&d->count) != 0) {
		lru_unlink(d);
		smp_mb();
		if (atomic_read(&d->count) != 0)
			return false;
		WRITE_ONCE(d->flags, d->flags | DENTRY_ONLRU);
		list_add_tail(&d->lru, &lru);
		lru_nr++;
		return false;
	}
	if (d->referenced) {
		WRITE_ONCE(d->referenced, false);
		list_move_tail(&d->lru, &lru);
		return false;
	}
	if (!claim(d))
		return false;
	/* Before d can leave its parent, where the end of the super block would find it. */
	atomic_inc(&d->sb->nr_reaped);
	lru_unlink(d);
	return true;
}

/* A dead dentry for the caller to destroy, or NULL. Looks at no more than *scan entries. */
static struct dentry *lru_take_victim(u64 *scan)
{
	struct dentry *victim = NULL;

	spin_lock(&lru_lock);
	while (!victim && *scan && !list_empty(&lru)) {
		struct dentry *d = list_first(&lru, struct dentry, lru);

		--*scan;
		if (!spin_trylock(&d->lock)) {
			list_move_tail(&d->lru, &lru);
			continue;
		}
		if (lru_judge(d))
			victim = d;
		spin_unlock(&d->lock);
	}
	spin_unlock(&lru_lock);
	return victim;
}

static void reap(struct dentry *d)
{
	struct super_block *sb = d->sb;

	dentry_put(dentry_kill(d));
	if (atomic_dec_and_test(&sb->nr_reaped))
		wake_up_all(&reaped);
}

/* Until the shrinker has nothing of sb in hands that had left its parent before. */
static void wait_for_reaper(struct super_block *sb)
{
	wait_event(&reaped, !atomic_read(&sb->nr_reaped));
}

static u64 lru_shrink(u64 nr)
{
	u64 scan = 2 * nr, freed = 0;
	struct dentry *d;

	while (freed < nr && (d = lru_take_victim(&scan))) {
		reap(d);
		freed++;
	}
	return freed;
}

void dentry_lru_trim(void)
{
	/* dentry_put comes back here; one level is enough. */
	if (READ_ONCE(lru_nr) > lru_limit + TRIM_BATCH)
		lru_shrink(TRIM_BATCH);
}

/* The page allocator asks for pages; a dentry with its inode is about a quarter of one. */
static u64 dentry_shrink_pages(u64 nr_pages)
{
	return lru_shrink(nr_pages * 4) / 4;
}

void dentry_lru_init(u64 limit)
{
	static struct shrinker shrinker = {.shrink = dentry_shrink_pages};

	lru_limit = limit;
	shrinker_register(&shrinker);
}

void dentry_prune_children(struct dentry *d)
{
	struct list_head dead = LIST_INIT(dead);
	struct dentry *child, *tmp;

	spin_lock(&d->lock);
	list_for_each_safe(child, tmp, &d->children, child_node)
		if (claim(child))
			list_move_tail(&child->child_node, &dead);
	spin_unlock(&d->lock);
	/* Each of them still owns its reference on d: d cannot go away before the last. */
	while (!list_empty(&dead))
		dentry_put(dentry_kill(list_first(&dead, struct dentry, child_node)));
}

#define PRUNE_FANOUT 16
#define PRUNE_DEPTH  3

/* Children of d that have children: up to PRUNE_FANOUT of them, with references. */
static u32 inner_children(struct dentry *d, struct dentry **out)
{
	struct dentry *child;
	u32 nr = 0;

	spin_lock(&d->lock);
	list_for_each(child, &d->children, child_node)
		if (!list_empty(&child->children) && nr < PRUNE_FANOUT && dentry_tryget(child))
			out[nr++] = child;
	spin_unlock(&d->lock);
	return nr;
}

/* What lies deeper or wider than the bounds is unreachable and leaves through the LRU list. */
static void dentry_prune_below(struct dentry *d, u32 depth)
{
	struct dentry *inner[PRUNE_FANOUT];
	u32 nr = depth ? inner_children(d, inner) : 0;

	for (u32 i = 0; i < nr; i++) {
		dentry_prune_below(inner[i], depth - 1);
		dentry_put(inner[i]);
	}
	dentry_prune_children(d);
}

void dentry_invalidate(struct dentry *d)
{
	dentry_drop(d);
	dentry_prune_below(d, PRUNE_DEPTH);
}

/* The first child with a reference; NULL: there is none, or (*busy) the shrinker is at it. */
static struct dentry *tree_child_get(struct dentry *d, bool *busy)
{
	struct dentry *child = NULL;

	*busy = false;
	spin_lock(&d->lock);
	if (!list_empty(&d->children)) {
		child = list_first(&d->children, struct dentry, child_node);
		*busy = !dentry_tryget(child);
	}
	spin_unlock(&d->lock);
	return *busy ? NULL : child;
}

/* Turns a leaf with the caller's (and perhaps the file system's) reference into its parent. */
static struct dentry *tree_kill_leaf(struct dentry *d)
{
	int c = atomic_read(&d->count);

	while (!atomic_cmpxchg(&d->count, &c, DENTRY_DEAD))
		;
	d = dentry_kill(d);
	atomic_dec(&d->count);
	return d;
}

void dentry_tree_destroy(struct dentry *root)
{
	struct dentry *d = root, *child;
	bool busy;

	for (;;) {
		child = tree_child_get(d, &busy);
		if (child) {
			d = child;
			continue;
		}
		/* Also without a child: the last one's end may still have its reference on d. */
		wait_for_reaper(root->sb);
		if (busy)
			continue;
		if (d == root)
			break;
		d = tree_kill_leaf(d);
	}
	atomic_set(&root->count, DENTRY_DEAD);
	dentry_kill(root);
}
