/*
 * The page cache: the index of a file's pages and their lock bits.
 *
 * Look-ups take no lock: under RCU they load the entry, take a reference unless the count is 0,
 * and load again. struct page is never freed, so the attempt is harmless on a page that was reused
 * meanwhile: the second load differs, and the reference is dropped. Insertion and removal hold
 * pages_lock; removal holds the page lock too, so a locked page stays in its mapping.
 *
 * Dirty pages of a store (not memory-backed) carry a mark in the index. Folios and the order of use, in which
 * the page allocator drops pages, are folio.c's; reading ahead is readahead.c, writing writeback.c.
 *
 * A page in the cache owns one reference. Process context, except page_cache_find and page_unlock.
 */
#include <lib/errno.h>
#include <lib/hash.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/page_cache.h>
#include <sched/sched.h>
#include <signal/signal.h>
#include <sync/rcu.h>
#include <task/task.h>
#include "internal.h"

#define WAIT_TABLE 64
static struct wait_queue page_waits[WAIT_TABLE];

void page_cache_init(void)
{
	for (unsigned int i = 0; i < WAIT_TABLE; i++)
		wait_queue_init(&page_waits[i]);
}

void mapping_init(struct mapping *m, struct inode *host, const struct mapping_ops *ops)
{
	m->host = host;
	m->ops = ops;
	xa_init(&m->pages);
	spin_init(&m->pages_lock, LOCK_RANK_MAPPING_PAGES);
	m->nr_pages = 0;
	rwsem_init(&m->mmap_lock, LOCK_RANK_MAPPING_MMAP);
	list_init(&m->mmap_list);
	atomic_set(&m->writable_maps, 0);
	mutex_init(&m->write_lock, LOCK_RANK_MAPPING_WRITE);
	m->nr_dirty = 0;
	list_init(&m->dirty_node);
	m->unclean = false;
	m->write_error = 0;
	m->write_next = m->ahead_next = m->ahead_size = 0;
}

void page_cache_count(const struct page *p, s64 n)
{
	mem_stat_add(STAT_CACHED, n);
	if (page_test(p, PG_SHMEM))
		mem_stat_add(STAT_SHMEM, n);
}

static int mapping_charge(struct mapping *m)
{
	return m->ops->charge ? m->ops->charge(m) : 0;
}

static void mapping_uncharge(struct mapping *m, u64 nr)
{
	if (nr && m->ops && m->ops->uncharge)
		m->ops->uncharge(m, nr);
}

struct page *page_cache_find(struct mapping *m, u64 index)
{
	struct page *p;

	rcu_read_lock();
	while ((p = xa_load(&m->pages, index))) {
		if (unlikely(!ref_get_unless_zero(&p->ref)))
			continue; /* being removed: the entry goes away */
		if (likely(xa_load(&m->pages, index) == p))
			break;
		page_put(p);
	}
	rcu_read_unlock();
	return p;
}

bool page_trylock(struct page *p)
{
	return !(__atomic_fetch_or(&p->flags, BIT(PG_LOCKED), __ATOMIC_ACQUIRE) & BIT(PG_LOCKED));
}

/* Neighbours share one: a read that is over wakes once for all of them. */
static struct wait_queue *page_wait_queue(const struct page *p)
{
	return &page_waits[(u64)(p - page_array) / 16 % WAIT_TABLE];
}

void page_lock(struct page *p)
{
	might_sleep();
	if (likely(page_trylock(p)))
		return;
	wait_event(page_wait_queue(p), page_trylock(p));
}

void page_unlock(struct page *p)
{
	ASSERT(page_test(p, PG_LOCKED));
	__atomic_fetch_and(&p->flags, ~BIT(PG_LOCKED), __ATOMIC_RELEASE);
	wake_up_all(page_wait_queue(p));
}

void pages_end_read(struct page *first, u32 nr, bool good)
{
	u64 flip = BIT(PG_LOCKED) | (good ? BIT(PG_UPTODATE) : 0);
	struct wait_queue *q = page_wait_queue(first);

	for (struct page *p = first; p < first + nr; p++) {
		struct wait_queue *next = page_wait_queue(p);

		ASSERT(page_test(p, PG_LOCKED) && !page_test(p, PG_UPTODATE));
		if (next != q)
			wake_up_all(q);
		q = next;
		__atomic_fetch_xor(&p->flags, flip, __ATOMIC_RELEASE);
	}
	wake_up_all(q);
}

int page_insert(struct mapping *m, u64 index, struct page **out)
{
	bool memory = m->ops->memory_backed;
	struct page *p;
	int err = mapping_charge(m);

	if (err)
		return err;
	p = page_alloc(0, GFP_USER | (memory ? GFP_ZERO : 0));
	if (!p) {
		mapping_uncharge(m, 1);
		return -ENOMEM;
	}
	p->mapping = m;
	p->index = index;
	p->folio = NULL;
	p->flags |= memory ? BIT(PG_UPTODATE) | BIT(PG_SHMEM) : BIT(PG_LOCKED);
	page_get(p);
	spin_lock(&m->pages_lock);
	err = xa_load(&m->pages, index) ? -EEXIST : xa_store(&m->pages, index, p, NULL);
	m->nr_pages += !err;
	spin_unlock(&m->pages_lock);
	if (err) {
		p->mapping = NULL;
		p->flags = 0;
		page_put(p);
		page_put(p);
		mapping_uncharge(m, 1);
		return err;
	}
	page_cache_count(p, 1);
	if (!memory)
		page_lru_add(p);
	*out = p;
	return 0;
}

static bool range_empty(const struct mapping *m, u64 first, u64 last)
{
	bool empty;

	rcu_read_lock();
	empty = !xa_find(&m->pages, &first, last);
	rcu_read_unlock();
	return empty;
}

/*
 * A block of single pages that have each other for a folio. A look-up that is late may still hold a reference
 * to the first, so its count is not set but taken as it is.
 */
static struct page *folio_alloc(struct mapping *m, u64 index, unsigned int order)
{
	struct page *head = page_alloc(order, GFP_USER | GFP_TRY);

	if (!head && order == FOLIO_MAX_ORDER && page_cache_shrink(1u << order))
		head = page_alloc(order, GFP_USER | GFP_TRY);
	if (!head)
		return NULL;
	for (u32 i = 0; i < 1u << order; i++) {
		struct page *p = head + i;

		p->order = 0;
		p->mapping = m;
		p->index = index + i;
		p->folio = head;
		p->flags = BIT(PG_LOCKED);
		if (i)
			__atomic_store_n(&p->ref.count, 1, __ATOMIC_RELEASE);
	}
	head->folio_order = (u8)order;
	__atomic_store_n(&head->folio_users, 1, __ATOMIC_RELEASE);
	return head;
}

/* Of one that has not got into the index. */
static void folio_free(struct page *head)
{
	for (u32 i = 0; i < folio_pages(head); i++) {
		head[i].mapping = NULL;
		head[i].flags = 0;
		WRITE_ONCE(head[i].folio, NULL);
	}
	folio_put(head);
}

int folio_insert(struct mapping *m, u64 index, unsigned int order, struct page **list)
{
	u32 nr = 1u << order;
	struct page *head;
	int err;

	if (!range_empty(m, index, index + nr - 1))
		return -EEXIST;
	head = folio_alloc(m, index, order);
	if (!head)
		return -ENOMEM;
	spin_lock(&m->pages_lock);
	err = xa_store_run(&m->pages, index, nr, head, sizeof(*head));
	m->nr_pages += err ? 0 : nr;
	spin_unlock(&m->pages_lock);
	if (err) {
		folio_free(head);
		return err;
	}
	page_cache_count(head, nr);
	page_lru_add(head);
	mem_stat_add(STAT_FOLIO, nr);
	for (u32 i = 0; i < nr; i++)
		list[i] = head + i;
	return 0;
}

/* Waits for, or starts, the reading of a page that is in the cache. Drops it on failure. */
static int page_make_uptodate(struct mapping *m, struct page *p, bool locked)
{
	int err = 0;

	if (!locked)
		page_lock(p);
	if (page_test(p, PG_UPTODATE) || p->mapping != m)
		page_unlock(p);
	else
		err = m->ops->read_page(m, p);
	if (!err && p->mapping != m)
		err = -EAGAIN;
	else if (!err && !page_test(p, PG_UPTODATE))
		err = -EIO;
	if (err)
		page_put(p);
	return err;
}

int page_cache_get(struct mapping *m, u64 index, struct page **page)
{
	for (;;) {
		struct page *p = page_cache_find(m, index);
		bool fresh = false;
		int err;

		if (!p && m->ops->read_pages) {
			err = page_cache_read_ahead(m, index);
			if (err && err != -EEXIST)
				return err;
			continue;
		}
		if (!p) {
			err = page_insert(m, index, &p);
			if (err == -EEXIST)
				continue;
			if (err)
				return err;
			fresh = true;
		}
		err = likely(page_test(p, PG_UPTODATE)) ? 0 : page_make_uptodate(m, p, fresh);
		if (err == -EAGAIN)
			continue;
		*page = p;
		return err;
	}
}

int page_cache_get_write(struct mapping *m, u64 index, bool whole, bool beyond, struct page **page,
			 bool *locked)
{
	struct page *p;
	int err;

	*locked = false;
	if (m->ops->memory_backed || !(whole || beyond))
		return page_cache_get(m, index, page);
	p = page_cache_find(m, index);
	if (!p) {
		err = page_insert(m, index, &p);
		if (err)
			return err == -EEXIST ? page_cache_get(m, index, page) : err;
		if (!whole)
			memset(page_address(p), 0, PAGE_SIZE);
		*locked = true;
	} else if (!page_test(p, PG_UPTODATE)) {
		page_put(p);
		return page_cache_get(m, index, page);
	}
	*page = p;
	return 0;
}

void page_cache_written(struct page *p, bool complete)
{
	if (complete)
		page_set(p, PG_UPTODATE);
	page_unlock(p);
}

/* The first page in [*index, last], with a reference and locked; NULL at the end. */
static struct page *next_locked(struct mapping *m, u64 *index, u64 last)
{
	for (;;) {
		struct page *p;

		spin_lock(&m->pages_lock);
		p = xa_find(&m->pages, index, last);
		if (p)
			page_get(p);
		spin_unlock(&m->pages_lock);
		if (!p)
			return NULL;
		page_lock(p);
		if (p->mapping == m)
			return p;
		page_unlock(p);
		page_put(p);
	}
}

/* Pages of memory: nobody but the owner knows of them any more. */
static void forget_memory(struct mapping *m)
{
	struct page *p;
	u64 index;

	xa_for_each(&m->pages, index, p) {
		page_cache_count(p, -1);
		p->mapping = NULL;
		page_put(p);
	}
}

/* One after the other: the device may still be filling them. */
static void wait_unlocked(struct page *p, u32 nr)
{
	for (; nr; nr--, p++) {
		if (__atomic_load_n(&p->flags, __ATOMIC_ACQUIRE) & BIT(PG_LOCKED)) {
			page_lock(p);
			page_unlock(p);
		}
	}
}

static void forget_pages(struct mapping *m, struct page *p, u32 nr)
{
	spin_lock(&m->pages_lock);
	for (u32 i = 0; i < nr; i++) {
		if (page_test(p + i, PG_DIRTY))
			page_count_clean(m, p + i);
		p[i].mapping = NULL;
		WRITE_ONCE(p[i].folio, NULL);
	}
	spin_unlock(&m->pages_lock);
	page_cache_count(p, -(s64)nr);
	if (nr > 1)
		mem_stat_add(STAT_FOLIO, -(s64)nr);
	page_lru_remove(p);
}

/*
 * Pages of a store. The page allocator may be about to drop or split what p is the first page of, but not while
 * we have its lock.
 */
static void forget_store(struct mapping *m)
{
	struct page *p;
	u32 nr;

	for (u64 index = 0; (p = next_locked(m, &index, U64_MAX)); index += nr) {
		bool folio = p->folio;

		nr = folio ? folio_pages(p) : 1;
		wait_unlocked(p + 1, nr - 1);
		forget_pages(m, p, nr);
		page_unlock(p);
		page_put(p);
		if (folio)
			folio_put(p);
		else
			page_put(p);
	}
}

void mapping_fini(struct mapping *m)
{
	if (m->ops && m->ops->memory_backed)
		forget_memory(m);
	else if (m->ops)
		forget_store(m);
	xa_destroy(&m->pages);
	mapping_uncharge(m, m->nr_pages);
	m->nr_pages = 0;
}

/*
 * A fault may have looked the page up before and map it only now. It raises mapcount first and
 * tests page->mapping then; we clear mapping first and test mapcount then (both fully ordered), so
 * at least one side sees the other: either the fault gives up or we unmap again. Releases the page
 * lock, whose rank is higher than that of the list of areas, before it unmaps.
 *
 * clean_only: a page that is dirty stays (false). A page that is not cannot become so without pages_lock, and
 * nobody has the right to write to it: with page_mark_dirty's answer a fault sees that it is too late.
 */
static bool page_remove(struct mapping *m, struct page *p, bool clean_only)
{
	u64 index = p->index;

	spin_lock(&m->pages_lock);
	if (clean_only && page_test(p, PG_DIRTY)) {
		spin_unlock(&m->pages_lock);
		page_unlock(p);
		return false;
	}
	if (p->folio)
		folio_split(m, p->folio);
	xa_erase(&m->pages, p->index);
	m->nr_pages--;
	if (page_test(p, PG_DIRTY) && !page_test(p, PG_SHMEM))
		page_count_clean(m, p);
	/* Before the lock is released: page_mark_dirty must not take it for a page of the file. */
	__atomic_store_n(&p->mapping, NULL, __ATOMIC_SEQ_CST);
	spin_unlock(&m->pages_lock);
	mapping_uncharge(m, 1);
	page_cache_count(p, -1);
	if (!page_test(p, PG_SHMEM))
		page_lru_remove(p);
	smp_mb();
	page_unlock(p);
	if (atomic_read(&p->mapcount) > 0)
		mapping_unmap_range(m, index, index, false);
	page_put(p);
	return true;
}

/* False: some stay, dirty. */
static bool remove_range(struct mapping *m, u64 first, u64 last, bool clean_only)
{
	u64 index = first;
	bool all = true;
	struct page *p;

	while (first <= last && (p = next_locked(m, &index, last))) {
		u64 removed = p->index;

		all &= page_remove(m, p, clean_only);
		page_put(p);
		if (removed >= last)
			break;
		index = removed + 1;
	}
	return all;
}

void page_cache_truncate(struct mapping *m, u64 first, u64 last)
{
	(void)!remove_range(m, first, last, false);
}

int page_cache_invalidate(struct mapping *m, u64 first, u64 last)
{
	return !READ_ONCE(m->nr_pages) || remove_range(m, first, last, true) ? 0 : -EBUSY;
}

void page_cache_drop_clean(struct mapping *m, u64 first, u64 last)
{
	u64 index = first;
	struct page *p;

	while (first <= last && (p = next_locked(m, &index, last))) {
		u64 at = p->index;

		if (atomic_read(&p->mapcount) > 0)
			page_unlock(p);
		else
			(void)page_remove(m, p, true);
		page_put(p);
		if (at >= last || fatal_signal_pending(current))
			break;
		index = at + 1;
	}
}

u64 page_cache_next_present(struct mapping *m, u64 from)
{
	u64 index = from;
	bool found;

	rcu_read_lock();
	found = xa_find(&m->pages, &index, U64_MAX);
	rcu_read_unlock();
	return found ? index : U64_MAX;
}

u64 page_cache_next_dirty(struct mapping *m, u64 from)
{
	u64 index = from;
	bool found;

	spin_lock(&m->pages_lock);
	found = xa_find_marked(&m->pages, &index, U64_MAX, PAGE_MARK_DIRTY);
	spin_unlock(&m->pages_lock);
	return found ? index : U64_MAX;
}

u64 page_cache_next_hole(struct mapping *m, u64 from)
{
	u64 index;
	int err;

	rcu_read_lock();
	err = xa_find_free(&m->pages, from, U64_MAX, &index);
	rcu_read_unlock();
	return err ? U64_MAX : index;
}
