/* What the files of the path cache share with each other and with the path walk. */
#pragma once

#include <vfs/path.h>

#define DENTRY_DEAD (-(1 << 30)) /* count of a dentry that nobody can revive */

/*
 * rename_seq guards the tree's shape: even when stable. A reader that saw the same even value
 * before and after saw no rename. Writers hold rename_spin.
 */
extern struct spinlock rename_spin; /* LOCK_RANK_RENAME */
extern u32 rename_seq;

/* Of name_hash; set once at boot. */
extern u64 name_key[2];

static inline u32 seq_begin(const u32 *seq)
{
	return __atomic_load_n(seq, __ATOMIC_ACQUIRE) & ~1U; /* odd: the check will fail */
}

static inline bool seq_changed(const u32 *seq, u32 old)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return unlikely(READ_ONCE(*seq) != old);
}

/* Writers are serialised by the lock that guards the data. */
static inline void seq_write_begin(u32 *seq)
{
	WRITE_ONCE(*seq, *seq + 1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void seq_write_end(u32 *seq)
{
	__atomic_store_n(seq, *seq + 1, __ATOMIC_RELEASE);
}

/*
 * The child under RCU, without a reference; *seq is a sample of its sequence count from before
 * the name was compared. NULL: not cached (or moving).
 */
struct dentry *dentry_find_rcu(const struct dentry *parent, const struct qstr *name, u32 *seq);
/* A reference, unless it is being destroyed. RCU. */
bool dentry_tryget(struct dentry *d) __must_check;

/* Hash membership; d->lock held. */
void dentry_hash_locked(struct dentry *d);
void dentry_unhash_locked(struct dentry *d);
/*
 * Destroys a dentry whose count the caller turned to DENTRY_DEAD. Returns the parent, whose
 * reference passes to the caller (NULL for a root). May sleep.
 */
struct dentry *dentry_kill(struct dentry *d);

/* The list of unused dentries (dcache_lru.c). */
void dentry_lru_add_locked(struct dentry *d);    /* d->lock held */
void dentry_lru_remove(struct dentry *d);        /* d is dead or d->lock held */
void dentry_lru_trim(void);                      /* keeps the list bounded; may sleep */
void dentry_lru_init(u64 limit);
/* Destroys cached children of d that nobody uses (they would keep a removed directory alive). */
void dentry_prune_children(struct dentry *d);
/*
 * Destroys a super block's tree, which nobody uses any more; consumes the reference on root.
 * Positive entries may hold one reference for being there at all (tmpfs).
 */
void dentry_tree_destroy(struct dentry *root);

/*
 * Renames in two steps. Prepare takes the memory: 0 or -ENOMEM. Commit cannot fail: d takes
 * target's parent and name and target is unhashed (exchange: they swap). Both parents' inode locks
 * and, across directories, the rename lock are held. Abort instead of commit gives back the memory.
 */
struct dentry_move {
	struct dentry *d, *target;
	bool exchange;
	char *text;                   /* d's new name, if it does not fit inline */
	struct name_garbage *garbage; /* for d's old name, if it was not inline */
};
int dentry_move_prepare(struct dentry_move *m, struct dentry *d, struct dentry *target,
			bool exchange) __must_check;
void dentry_move_commit(struct dentry_move *m);
void dentry_move_abort(struct dentry_move *m);

void dcache_init(void);
