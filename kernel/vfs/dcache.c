/*
 * The path cache: dentries, found by (parent, name) in one hash table.
 *
 * Locks: d->lock guards parent, name, inode, flags and the list of children; a parent's lock comes
 * before its child's. A striped bucket lock guards each hash chain. Look-ups take none of them:
 * they walk a chain under RCU and judge what they saw by d->seq, which is odd while identity (name,
 * parent) or inode change.
 *
 * Life: count is the number of references. 0 means cached only (on the LRU list, or about to be
 * destroyed by whoever took it there). To destroy, somebody moves the count from 0 to DENTRY_DEAD;
 * from then on tryget fails and the dentry is his alone. A child holds a reference on its parent.
 *
 * Going to 0 takes no lock when the dentry is hashed and on the LRU list, because nothing is left
 * to do. That is right because whoever unhashes a dentry holds a reference himself: his unhashing
 * happens before his own put, so the one who takes the count to 0 sees it in the flags that he
 * re-reads after his decrement (RCU keeps the memory), and then destroys the dentry.
 *
 * Left out: aliases of an inode (no file system here needs to find names from inodes).
 */
#include <arch/cpu.h>
#include <lib/bits.h>
#include <lib/errno.h>
#include <lib/hash.h>
#include <lib/name_hash.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <sync/wait.h>
#include <vfs/inode.h>
#include <vfs/notify.h>

#include "dcache_internal.h"

#define BUCKET_LOCKS 64

static struct hlist_head *buckets __ro_after_init;
static u32 bucket_bits __ro_after_init;
static struct spinlock bucket_locks[BUCKET_LOCKS];
u64 name_key[2] __ro_after_init;
static struct kmem_cache *dentry_cache __ro_after_init;

struct spinlock rename_spin = SPINLOCK_INIT(LOCK_RANK_RENAME);
u32 rename_seq;

struct qstr qstr_make(const char *name, u32 len)
{
	return (struct qstr){.name = name, .len = len, .hash = name_hash(name, len, name_key)};
}

static u32 bucket_of(const struct dentry *parent, u32 hash)
{
	return hash_u64(hash ^ ((uptr)parent >> 5), bucket_bits);
}

struct dentry *dentry_find_rcu(const struct dentry *parent, const struct qstr *name, u32 *seq)
{
	struct hlist_head *head = &buckets[bucket_of(parent, name->hash)];
	const char *text;
	struct dentry *d;

	hlist_for_each(d, head, hash_node) {
		*seq = seq_begin(&d->seq);
		if (READ_ONCE(d->parent) != parent || READ_ONCE(d->name.hash) != name->hash ||
		    READ_ONCE(d->name.len) != name->len)
			continue;
		text = READ_ONCE(d->name.name);
		/* Before the text is read: it is as long as d->name.len says only if both are of one
		 * name. Meanwhile it may change, but not go away. */
		if (!seq_changed(&d->seq, *seq) && name_equal(text, name->name, name->len) &&
		    !seq_changed(&d->seq, *seq))
			return d;
	}
	return NULL;
}

bool dentry_tryget(struct dentry *d)
{
	int c = atomic_read(&d->count);

	do {
		if (c < 0)
			return false;
	} while (!atomic_cmpxchg(&d->count, &c, c + 1));
	return true;
}

/* One try. False: something moved meanwhile. */
static bool dentry_lookup_once(struct dentry *parent, const struct qstr *name, struct dentry **out)
{
	/* A dentry that moves to another chain takes a reader with it: then a miss means nothing. */
	u32 shape = seq_begin(&rename_seq), seq;
	struct dentry *d;

	rcu_read_lock();
	d = dentry_find_rcu(parent, name, &seq);
	if (d && !dentry_tryget(d))
		d = NULL;
	rcu_read_unlock();
	*out = d;
	if (!d)
		return !seq_changed(&rename_seq, shape);
	if (likely(!seq_changed(&d->seq, seq)))
		return true;
	dentry_put(d);
	return false;
}

struct dentry *dentry_lookup(struct dentry *parent, const struct qstr *name)
{
	struct dentry *d;

	while (!dentry_lookup_once(parent, name, &d))
		cpu_relax();
	return d;
}

void dentry_get(struct dentry *d)
{
	atomic_inc(&d->count);
}

static void dentry_free_rcu(struct rcu_head *head)
{
	struct dentry *d = container_of(head, struct dentry, rcu);

	if (d->name.name != d->name_inline)
		kfree(d->name.name);
	kmem_cache_free(dentry_cache, d);
}

static struct spinlock *bucket_lock_of(u32 bucket)
{
	return &bucket_locks[bucket % BUCKET_LOCKS];
}

void dentry_hash_locked(struct dentry *d)
{
	u32 b = bucket_of(d->parent, d->name.hash);

	ASSERT_HELD(&d->lock);
	spin_lock(bucket_lock_of(b));
	hlist_add_head(&d->hash_node, &buckets[b]);
	spin_unlock(bucket_lock_of(b));
	WRITE_ONCE(d->flags, d->flags | DENTRY_HASHED);
}

void dentry_unhash_locked(struct dentry *d)
{
	u32 b = bucket_of(d->parent, d->name.hash);

	ASSERT_HELD(&d->lock);
	if (!(d->flags & DENTRY_HASHED))
		return;
	spin_lock(bucket_lock_of(b));
	hlist_del(&d->hash_node);
	spin_unlock(bucket_lock_of(b));
	WRITE_ONCE(d->flags, d->flags & ~DENTRY_HASHED);
}

/* A name lets go of its inode, if it had one. */
static void inode_release(struct inode *i)
{
	if (!i)
		return;
	if (!READ_ONCE(i->nlink))
		notify_gone(i);
	inode_put(i);
}

struct dentry *dentry_kill(struct dentry *d)
{
	struct dentry *parent;
	struct inode *inode;

	ASSERT(atomic_read(&d->count) == DENTRY_DEAD);
	spin_lock(&d->lock);
	seq_write_begin(&d->seq);
	dentry_unhash_locked(d);
	dentry_lru_remove(d);
	inode = d->inode;
	WRITE_ONCE(d->inode, NULL);
	parent = d->parent;
	seq_write_end(&d->seq);
	spin_unlock(&d->lock);
	/* Nobody can rename a dead dentry: d->parent is stable. */
	if (parent != d) {
		spin_lock(&parent->lock);
		list_del(&d->child_node);
		spin_unlock(&parent->lock);
	}
	inode_release(inode);
	rcu_call(&d->rcu, dentry_free_rcu);
	return parent != d ? parent : NULL;
}

static bool dentry_unwanted(const struct dentry *d)
{
	return !dentry_hashed(d) || (d->ops && d->ops->no_cache);
}

/* Nothing to do for a dentry that was just left unused: hashed, and the shrinker knows it. */
static bool dentry_stays_cached(struct dentry *d)
{
	if (READ_ONCE(d->flags) != (DENTRY_HASHED | DENTRY_ONLRU) || (d->ops && d->ops->no_cache))
		return false;
	if (!d->referenced)
		WRITE_ONCE(d->referenced, true);
	return true;
}

/* The last reference went: true when the caller must destroy d. d->lock held. */
static bool dentry_retire_locked(struct dentry *d)
{
	int zero = 0;

	if (!dentry_unwanted(d)) {
		dentry_lru_add_locked(d);
		return false;
	}
	return atomic_cmpxchg(&d->count, &zero, DENTRY_DEAD);
}

/* Drops one reference. True: d is dead and the caller destroys it. */
static bool dentry_put_one(struct dentry *d, bool *trim)
{
	bool dead;
	int c = atomic_read(&d->count);

	while (c > 1)
		if (atomic_cmpxchg(&d->count, &c, c - 1))
			return false;
	rcu_read_lock();
	dead = false;
	if (atomic_add_return(&d->count, -1) == 0 && !dentry_stays_cached(d)) {
		spin_lock(&d->lock);
		dead = atomic_read(&d->count) == 0 && dentry_retire_locked(d);
		spin_unlock(&d->lock);
		*trim = true;
	}
	rcu_read_unlock();
	return dead;
}

void dentry_put(struct dentry *d)
{
	bool trim = false;

	/* A loop, because destroying a child drops its parent: trees can be very deep. */
	while (d && dentry_put_one(d, &trim))
		d = dentry_kill(d);
	if (unlikely(trim))
		dentry_lru_trim();
}

static bool dentry_name_set(struct dentry *d, const struct qstr *name)
{
	char *text = d->name_inline;

	if (name->len >= DNAME_INLINE) {
		text = kmalloc(name->len + 1, GFP_KERNEL);
		if (!text)
			return false;
	}
	memcpy(text, name->name, name->len);
	text[name->len] = '\0';
	d->name = (struct qstr){.name = text, .len = name->len, .hash = name->hash};
	return true;
}

static struct dentry *dentry_new(struct super_block *sb, const struct qstr *name)
{
	struct dentry *d = kmem_cache_alloc(dentry_cache, GFP_KERNEL | GFP_ZERO);

	if (!d)
		return NULL;
	if (!dentry_name_set(d, name)) {
		kmem_cache_free(dentry_cache, d);
		return NULL;
	}
	atomic_set(&d->count, 1);
	d->parent = d;
	d->sb = sb;
	spin_init(&d->lock, LOCK_RANK_DENTRY);
	list_init(&d->children);
	list_init(&d->child_node);
	list_init(&d->lru);
	return d;
}

struct dentry *dentry_alloc(struct dentry *parent, const struct qstr *name)
{
	struct dentry *d = dentry_new(parent->sb, name);

	if (!d)
		return NULL;
	dentry_get(parent);
	d->parent = parent;
	spin_lock(&parent->lock);
	list_add(&d->child_node, &parent->children);
	spin_unlock(&parent->lock);
	return d;
}

struct dentry *dentry_alloc_root(struct super_block *sb, struct inode *inode)
{
	struct qstr name = {.name = "/", .len = 1};
	struct dentry *d = dentry_new(sb, &name);

	if (d)
		d->inode = inode;
	else
		inode_put(inode);
	return d;
}

void dentry_add(struct dentry *d, struct inode *inode)
{
	spin_lock(&d->lock);
	seq_write_begin(&d->seq);
	WRITE_ONCE(d->inode, inode);
	seq_write_end(&d->seq);
	if (!(d->flags & DENTRY_HASHED))
		dentry_hash_locked(d);
	spin_unlock(&d->lock);
}

void dentry_instantiate(struct dentry *d, struct inode *inode)
{
	ASSERT(!d->inode);
	spin_lock(&d->lock);
	seq_write_begin(&d->seq);
	WRITE_ONCE(d->inode, inode);
	seq_write_end(&d->seq);
	spin_unlock(&d->lock);
}

void dentry_drop(struct dentry *d)
{
	spin_lock(&d->lock);
	seq_write_begin(&d->seq);
	dentry_unhash_locked(d);
	seq_write_end(&d->seq);
	spin_unlock(&d->lock);
}

void dentry_delete(struct dentry *d)
{
	struct inode *inode = NULL;

	spin_lock(&d->lock);
	seq_write_begin(&d->seq);
	/*
	 * Only the caller's reference: others can still come, through the hash. They find the old
	 * inode and then a changed sequence count, or the negative dentry.
	 */
	if (atomic_read(&d->count) == 1 && list_empty(&d->children)) {
		inode = d->inode;
		WRITE_ONCE(d->inode, NULL);
	} else {
		dentry_unhash_locked(d);
	}
	seq_write_end(&d->seq);
	spin_unlock(&d->lock);
	inode_release(inode);
}

struct dentry *dentry_parent_get(struct dentry *d)
{
	struct dentry *parent;

	spin_lock(&d->lock);
	parent = d->parent;
	dentry_get(parent);
	spin_unlock(&d->lock);
	return parent;
}

bool dentry_is_below(const struct dentry *d, const struct dentry *top)
{
	const struct dentry *p;
	u32 shape;

	do {
		shape = seq_begin(&rename_seq);
		rcu_read_lock();
		for (p = d; p != top && READ_ONCE(p->parent) != p; p = READ_ONCE(p->parent))
			;
		rcu_read_unlock();
	} while (seq_changed(&rename_seq, shape));
	return p == top;
}

static void name_key_init(void)
{
	/* Where the CPU has no generator the key is a guess from the cycle counter. */
	if (arch_random(name_key, sizeof(name_key)) == sizeof(name_key))
		return;
	name_key[0] ^= arch_cycles() * 0x9e3779b97f4a7c15ULL;
	name_key[1] ^= arch_cycles() * 0xc2b2ae3d27d4eb4fULL + name_key[0];
}

void dcache_init(void)
{
	struct mem_stats mem;
	unsigned int order;

	mem_stats(&mem);
	/* One bucket for every second page of memory: bounded chains, 1/1024 of the memory. */
	bucket_bits = log2_ceil(mem.total_pages / 2);
	bucket_bits = MIN(MAX(bucket_bits, 10U), 19U);
	order = bucket_bits + 3 > 12 ? bucket_bits + 3 - 12 : 0;
	buckets = pages_alloc_virt(order, GFP_KERNEL | GFP_ZERO);
	dentry_cache = kmem_cache_create("dentry", sizeof(struct dentry), 8);
	kmem_cache_set_reclaimable(dentry_cache);
	if (!buckets)
		panic("no memory for the path cache");
	for (u32 i = 0; i < BUCKET_LOCKS; i++)
		spin_init(&bucket_locks[i], LOCK_RANK_DENTRY_HASH);
	name_key_init();
	/* With their inodes, an eighth of memory; reclaim takes them sooner. */
	dentry_lru_init(mem.total_pages / 2);
}
