/*
 * The cache of metadata blocks: bitmaps, inode tables, directories, extent nodes, attribute blocks.
 *
 * A hash table under one spinlock finds a block; a list in order of use lets the shrinker free those
 * that nobody refers to. An entry of the journal keeps its buffer by a reference, so that what is
 * cached and free to go is always the same as on the disk. Contents change only under a handle with
 * write access (journal.c); readers see changes of others as the locks of what the block holds allow.
 *
 * The device's own page cache (raw device files) is another cache: a raw reader of a mounted device
 * sees the disk, not what waits here.
 */
#include <boot/init.h>
#include <lib/hash.h>
#include <lib/string.h>
#include "internal.h"

#define BUCKET_BITS 13u
#define SHRINK_STEP 32u

static DEFINE_SPINLOCK(all_lock, LOCK_RANK_FS_INODE);
static struct list_head all = LIST_INIT(all); /* all_lock */

int ext4_cache_init(struct ext4_fs *fs)
{
	struct mem_stats mem;
	size_t bytes = sizeof(*fs->buckets) << BUCKET_BITS;

	mem_stats(&mem);
	fs->buckets = kvmalloc(bytes, GFP_KERNEL | GFP_ZERO);
	if (!fs->buckets)
		return -ENOMEM;
	fs->bucket_bits = BUCKET_BITS;
	fs->max_bufs = (u32)MIN((mem.total_pages / 4) << (PAGE_SHIFT - fs->g.block_bits),
				(u64)U32_MAX / 2);
	spin_lock(&all_lock);
	list_add_tail(&fs->node, &all);
	spin_unlock(&all_lock);
	return 0;
}

static struct hlist_head *bucket_of(const struct ext4_fs *fs, u64 block)
{
	return &fs->buckets[hash_u64(block, fs->bucket_bits)];
}

/* cache_lock held; with a reference. */
static struct ext4_buf *find_locked(struct ext4_fs *fs, u64 block)
{
	struct ext4_buf *b;

	hlist_for_each(b, bucket_of(fs, block), hash_node)
		if (b->block == block) {
			atomic_inc(&b->refs);
			return b;
		}
	return NULL;
}

struct ext4_buf *ext4_buf_peek(struct ext4_fs *fs, u64 block)
{
	struct ext4_buf *b;

	spin_lock(&fs->cache_lock);
	b = find_locked(fs, block);
	spin_unlock(&fs->cache_lock);
	if (b && !(READ_ONCE(b->flags) & BUF_USED))
		buf_set(b, BUF_USED);
	return b;
}

static void buf_free(struct ext4_buf *b)
{
	mem_count_buffers(-(s64)b->fs->g.block_size);
	kfree(b->data);
	kfree(b);
}

/* Takes up to nr unused buffers out of the cache, the oldest first. cache_lock. */
static u32 collect_unused(struct ext4_fs *fs, u32 nr, struct list_head *out)
{
	u32 scan = 4 * nr + 16, found = 0;

	while (scan-- && found < nr && !list_empty(&fs->cache_lru)) {
		struct ext4_buf *b = list_first(&fs->cache_lru, struct ext4_buf, lru);

		list_move_tail(&b->lru, &fs->cache_lru);
		if (atomic_read(&b->refs))
			continue;
		if (buf_test(b, BUF_USED)) {
			buf_clear(b, BUF_USED);
			continue;
		}
		hlist_del(&b->hash_node);
		list_move_tail(&b->lru, out);
		fs->nr_bufs--;
		found++;
	}
	return found;
}

static u32 cache_shrink(struct ext4_fs *fs, u32 nr)
{
	struct list_head gone = LIST_INIT(gone);
	u32 found;

	spin_lock(&fs->cache_lock);
	found = collect_unused(fs, nr, &gone);
	spin_unlock(&fs->cache_lock);
	while (!list_empty(&gone)) {
		struct ext4_buf *b = list_first(&gone, struct ext4_buf, lru);

		list_del(&b->lru);
		buf_free(b);
	}
	return found;
}

static struct ext4_buf *buf_make(struct ext4_fs *fs, u64 block)
{
	struct ext4_buf *b = ext4_alloc(sizeof(*b), GFP_KERNEL | GFP_ZERO);

	if (!b)
		return NULL;
	b->data = ext4_alloc(fs->g.block_size, GFP_KERNEL);
	if (!b->data) {
		kfree(b);
		return NULL;
	}
	mem_count_buffers(fs->g.block_size);
	b->block = block;
	b->fs = fs;
	atomic_set(&b->refs, 1);
	mutex_init(&b->lock, LOCK_RANK_FS_BUFFER);
	spin_init(&b->raw_lock, LOCK_RANK_FS_INODE);
	list_init(&b->lru);
	return b;
}

static int buf_find(struct ext4_fs *fs, u64 block, struct ext4_buf **out)
{
	struct ext4_buf *b = ext4_buf_peek(fs, block), *other;

	*out = b;
	if (b)
		return 0;
	if (READ_ONCE(fs->nr_bufs) >= fs->max_bufs)
		cache_shrink(fs, SHRINK_STEP);
	b = buf_make(fs, block);
	if (!b)
		return -ENOMEM;
	spin_lock(&fs->cache_lock);
	other = find_locked(fs, block);
	if (!other) {
		hlist_add_head(&b->hash_node, bucket_of(fs, block));
		list_add_tail(&b->lru, &fs->cache_lru);
		fs->nr_bufs++;
	}
	spin_unlock(&fs->cache_lock);
	if (other)
		buf_free(b);
	*out = other ? other : b;
	return 0;
}

void ext4_buf_get(struct ext4_buf *b)
{
	atomic_inc(&b->refs);
}

void ext4_buf_put(struct ext4_buf *b)
{
	if (b)
		__atomic_fetch_sub(&b->refs.v, 1, __ATOMIC_RELEASE);
}

void ext4_buf_retire(struct ext4_buf *b)
{
	struct ext4_fs *fs = b->fs;
	bool last;

	spin_lock(&fs->cache_lock);
	hlist_del(&b->hash_node);
	last = atomic_dec_and_test(&b->refs);
	list_del(&b->lru);
	if (last) {
		fs->nr_bufs--;
	} else { /* the next one to be looked at when memory is wanted */
		buf_clear(b, BUF_USED);
		list_add(&b->lru, &fs->cache_lru);
	}
	spin_unlock(&fs->cache_lock);
	if (last)
		buf_free(b);
}

/* Buffer's lock. */
static int buf_fill(struct ext4_buf *b, u64 owner, ext4_check_fn check, const void *ctx)
{
	const char *why;
	int err;

	if (!buf_test(b, BUF_UPTODATE)) {
		err = ext4_read_block(b->fs, b->block, b->data);
		if (err)
			return err;
		buf_set(b, BUF_UPTODATE);
	}
	if (b->owner && b->owner != owner)
		return ext4_corrupt(b->fs, 0, "a block belongs to two structures");
	if (check && b->checked != check) {
		why = check(b->fs, b, ctx);
		if (why)
			return ext4_corrupt(b->fs, 0, why);
		smp_store_release(&b->checked, check);
	}
	smp_store_release(&b->owner, owner);
	return 0;
}

int ext4_buf_read(struct ext4_fs *fs, u64 block, u64 owner, ext4_check_fn check, const void *ctx,
		  struct ext4_buf **out)
{
	struct ext4_buf *b;
	int err;

	if (block >= fs->g.blocks)
		return ext4_corrupt(fs, 0, "block number beyond the end");
	err = buf_find(fs, block, &b);
	if (err)
		return err;
	if (unlikely(smp_load_acquire(&b->owner) != owner ||
		     (check && smp_load_acquire(&b->checked) != check))) {
		mutex_lock(&b->lock);
		err = buf_fill(b, owner, check, ctx);
		mutex_unlock(&b->lock);
	}
	if (err)
		ext4_buf_put(b);
	else
		*out = b;
	return err;
}

/* Buffer's lock. */
static int buf_claim(struct ext4_handle *h, struct ext4_buf *b, u64 owner, ext4_check_fn check)
{
	int err = b->owner ? ext4_corrupt(h->fs, 0, "a block that is in use is allocated")
			   : ext4_write_access(h, b);

	if (err)
		return err;
	memset(b->data, 0, h->fs->g.block_size);
	buf_set(b, BUF_UPTODATE);
	smp_store_release(&b->checked, check);
	smp_store_release(&b->owner, owner);
	return 0;
}

int ext4_buf_new(struct ext4_handle *h, u64 block, u64 owner, ext4_check_fn check, struct ext4_buf **out)
{
	struct ext4_buf *b;
	int err = buf_find(h->fs, block, &b);

	if (err)
		return err;
	mutex_lock(&b->lock);
	err = buf_claim(h, b, owner, check);
	mutex_unlock(&b->lock);
	if (err)
		ext4_buf_put(b);
	else
		*out = b;
	return err;
}

/*
 * Those among [block, block + nr) that are not here, read with one wait. Their locks are taken by
 * trying, so no order among them is needed; the build-time analysis cannot follow a list of them.
 */
void ext4_buf_ahead(struct ext4_fs *fs, u64 block, u32 nr) NO_THREAD_SAFETY
{
	struct ext4_buf *list[32];
	struct ext4_io io;
	u32 n = 0;
	int err = 0;

	nr = (u32)MIN((u64)MIN(nr, (u32)ARRAY_SIZE(list)), fs->g.blocks - MIN(block, fs->g.blocks));
	ext4_io_begin(&io, fs);
	for (u32 i = 0; i < nr && !err; i++) {
		struct ext4_buf *b;

		if (buf_find(fs, block + i, &b))
			break;
		if (buf_test(b, BUF_UPTODATE) || !mutex_trylock(&b->lock)) {
			ext4_buf_put(b);
			continue;
		}
		if (buf_test(b, BUF_UPTODATE)) {
			mutex_unlock(&b->lock);
			ext4_buf_put(b);
			continue;
		}
		list[n++] = b;
		err = ext4_io_block(&io, BIO_READ, 0, block + i, b->data);
	}
	err = ext4_io_end(&io, NULL) ? -EIO : err;
	while (n--) {
		if (!err)
			buf_set(list[n], BUF_UPTODATE);
		mutex_unlock(&list[n]->lock);
		ext4_buf_put(list[n]);
	}
}

void ext4_cache_destroy(struct ext4_fs *fs)
{
	struct ext4_buf *b, *next;

	if (!fs->buckets)
		return;
	spin_lock(&all_lock);
	list_del(&fs->node);
	spin_unlock(&all_lock);
	list_for_each_safe(b, next, &fs->cache_lru, lru) {
		ASSERT(!atomic_read(&b->refs));
		buf_free(b);
	}
	kvfree(fs->buckets);
}

/* ---- Memory pressure ---- */

/* Only spinlocks, and kfree outside of them: callers may hold anything that sleeps. */
static u64 shrink_all(u64 nr_pages)
{
	u32 nr = (u32)MIN(nr_pages, (u64)256);
	struct list_head gone = LIST_INIT(gone);
	struct ext4_fs *fs;
	u64 freed = 0;

	spin_lock(&all_lock);
	list_for_each(fs, &all, node) {
		spin_lock(&fs->cache_lock);
		freed += collect_unused(fs, nr, &gone);
		spin_unlock(&fs->cache_lock);
	}
	spin_unlock(&all_lock);
	while (!list_empty(&gone)) {
		struct ext4_buf *b = list_first(&gone, struct ext4_buf, lru);

		list_del(&b->lru);
		buf_free(b);
	}
	return freed;
}

static int shrinker_init(void)
{
	static struct shrinker s = {.shrink = shrink_all};

	shrinker_register(&s);
	return 0;
}
INIT_CALL(INIT_FS, shrinker_init);
