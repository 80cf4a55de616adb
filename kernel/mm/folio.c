/*
 * Folios, and the order of use in which the page allocator drops pages of a store.
 *
 * A folio is what reading ahead has made in one piece: 2^order pages, adjacent in the file and in memory. Its
 * pages stay what single pages are: each has its reference count, its lock, its state and dirty mark, its
 * place in the index and in page tables. So whoever takes a page from the cache, maps, pins, writes or
 * changes it need not know of folios, and a page that is changed makes no others dirty. What they share:
 *
 *  - one place in the order of use, that of the first page (head); a mark of use at any page counts for all;
 *  - one reference of the cache, as a user of the folio (head->folio_users): while a folio has users,
 *    each of its pages has one reference on their behalf. A reader becomes a user with one operation and
 *    may then copy from all of them;
 *  - p->folio, the head, in all of them. While it is set, all pages are in the index of their file.
 *
 * Splitting is therefore possible at any moment and never fails, whoever has references, locks or
 * translations (folio_split): the cache takes a reference to each page, p->folio is cleared, the pages get places of
 * their own, and the cache is a user no more. Readers who are users go on undisturbed; their pages are freed when
 * they leave. A page is split off so before it leaves the cache alone (truncation, invalidation).
 *
 * Who becomes a user (folio_get) raises the count first, unless it is 0, and looks at p->folio again then; who
 * splits clears p->folio first and lowers the count then. So either the one sees that the folio is no more, or the
 * other finds him among the users, and the folio was whole when he came. folio_users is touched by
 * nobody but folios: a late attempt on a page that is something else meanwhile finds 0.
 *
 * Reclaim drops a folio as a whole if nobody uses any of it, and gives its block back in one piece. If only
 * some pages are in use, it is split, so that one mapped page does not keep the others.
 *
 * p->folio changes under pages_lock; lru_lock is taken inside it.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <mm/page_cache.h>
#include <sync/spinlock.h>
#include "internal.h"

#define MAX_USERS 0xff00u /* more readers at once take single pages */

static struct list_head lru = LIST_INIT(lru); /* lru_lock; oldest first */
static u64 nr_lru;                           /* lru_lock; torn-free */
static DEFINE_SPINLOCK(lru_lock, LOCK_RANK_PAGE_LRU);

/* ---- Users ---- */

struct page *folio_get(struct page *p)
{
	struct page *head = READ_ONCE(p->folio);
	u16 users;

	if (!head)
		return NULL;
	users = READ_ONCE(head->folio_users);
	do {
		if (!users || users >= MAX_USERS)
			return NULL;
	} while (!__atomic_compare_exchange_n(&head->folio_users, &users, (u16)(users + 1), true,
					      __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	if (likely(READ_ONCE(p->folio) == head))
		return head;
	folio_put(head);
	return NULL;
}

void folio_put(struct page *head)
{
	unsigned int order = head->folio_order;

	ASSERT(READ_ONCE(head->folio_users));
	if (!__atomic_sub_fetch(&head->folio_users, 1, __ATOMIC_SEQ_CST))
		page_put_run(head, order);
}

/* ---- The order of use ---- */

void page_lru_add(struct page *p)
{
	spin_lock(&lru_lock);
	list_add_tail(&p->lru, &lru);
	nr_lru++;
	spin_unlock(&lru_lock);
}

void page_lru_remove(struct page *p)
{
	spin_lock(&lru_lock);
	list_del(&p->lru);
	nr_lru--;
	spin_unlock(&lru_lock);
}

/* Each gets a place behind the one before it. */
static void lru_spread(struct page *head, u32 nr)
{
	bool used = page_test(head, PG_REFERENCED);

	spin_lock(&lru_lock);
	for (u32 i = 0; i < nr; i++) {
		WRITE_ONCE(head[i].folio, NULL);
		if (i)
			list_add(&head[i].lru, &head[i - 1].lru);
		if (i && used)
			page_set(head + i, PG_REFERENCED);
	}
	nr_lru += nr - 1;
	spin_unlock(&lru_lock);
}

void folio_split(struct mapping *m, struct page *head)
{
	u32 nr = folio_pages(head);

	ASSERT_HELD(&m->pages_lock);
	for (u32 i = 0; i < nr; i++)
		page_get(head + i);
	lru_spread(head, nr);
	folio_put(head);
	mem_stat_add(STAT_FOLIO, -(s64)nr);
}

/* ---- Reclaim ---- */

static bool droppable(const struct page *p)
{
	return !page_test(p, PG_DIRTY) && atomic_read(&p->mapcount) == 0;
}

/* What has a place on the list: a folio, of which this is the first page, or a page. lru_lock. */
static u32 unit_pages(const struct page *p)
{
	return READ_ONCE(p->folio) ? folio_pages(p) : 1;
}

/* Has it been used since the last time? lru_lock. */
static bool unit_used(struct page *p)
{
	bool used = false;

	for (const struct page *end = p + unit_pages(p); p < end; p++) {
		if (page_test(p, PG_REFERENCED)) {
			page_clear(p, PG_REFERENCED);
			used = true;
		}
	}
	return used;
}

/* Is there something to be got? lru_lock. */
static bool unit_droppable(const struct page *p)
{
	for (u32 i = 0, nr = unit_pages(p); i < nr; i++)
		if (droppable(p + i))
			return true;
	return false;
}

#define SCAN_BATCH 64u /* places that are looked at under the lock at a time */

/* The oldest page or folio of which something may go, locked (its first page) and with a reference to that; or
 * NULL: none among those looked at. */
static struct page *lru_victim(u64 *scan)
{
	struct page *p, *victim = NULL;

	spin_lock(&lru_lock);
	for (u32 i = 0; !victim && i < SCAN_BATCH && *scan; i++) {
		if (list_empty(&lru)) {
			*scan = 0;
			break;
		}
		--*scan;
		p = list_first(&lru, struct page, lru);
		list_move_tail(&p->lru, &lru);
		if (!unit_used(p) && unit_droppable(p) && page_trylock(p))
			victim = p;
	}
	if (victim)
		page_get(victim);
	spin_unlock(&lru_lock);
	return victim;
}

static void page_thaw(struct page *p, int refs)
{
	__atomic_store_n(&p->ref.count, refs, __ATOMIC_RELEASE);
}

/*
 * If nobody else has the page, its references, `refs` of them (the cache's and ours), become none at once, and
 * a look-up that comes then waits for the entry to go. Under pages_lock, whose holders take references
 * to what they find without a second look. False: somebody has it, or it is dirty.
 */
static bool page_freeze(struct page *p, int refs)
{
	if (!__atomic_compare_exchange_n(&p->ref.count, &refs, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return false;
	/* A write may have marked it before it gave its reference back. */
	if (droppable(p))
		return true;
	page_thaw(p, refs);
	return false;
}

/* A page of a folio whose head is locked. Who has another one locked has a reference, too, but for the device. */
static bool member_freeze(struct page *p, struct page *head)
{
	if (!page_freeze(p, p == head ? 2 : 1))
		return false;
	if (p == head || !page_test(p, PG_LOCKED))
		return true;
	page_thaw(p, 1);
	return false;
}

static bool folio_freeze(struct page *head, u32 nr)
{
	u16 cache_alone = 1;
	u32 i = 0;

	while (i < nr && member_freeze(head + i, head))
		i++;
	if (i == nr && __atomic_compare_exchange_n(&head->folio_users, &cache_alone, 0, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return true;
	while (i--)
		page_thaw(head + i, i ? 1 : 2);
	return false;
}

/* Out of the index with all that nobody uses: the page, the folio, or nothing of it. pages_lock, p locked. */
static bool unit_take_out(struct mapping *m, struct page *p, u32 nr)
{
	if (!(p->folio ? folio_freeze(p, nr) : page_freeze(p, 2)))
		return false;
	xa_erase_run(&m->pages, p->index, nr);
	m->nr_pages -= nr;
	return true;
}

static void unit_free(struct page *p, u32 nr)
{
	unsigned int order = p->folio ? p->folio_order : 0;

	for (u32 i = 0; i < nr; i++) {
		p[i].mapping = NULL;
		WRITE_ONCE(p[i].folio, NULL);
	}
	page_lru_remove(p);
	page_cache_count(p, -(s64)nr);
	if (order)
		mem_stat_add(STAT_FOLIO, -(s64)nr);
	page_free_run(p, order);
}

/* Some pages of the folio are in use: the others have the next turns. pages_lock, head locked. */
static void split_for_reclaim(struct mapping *m, struct page *head)
{
	spin_lock(&lru_lock);
	list_del(&head->lru);
	list_add(&head->lru, &lru);
	spin_unlock(&lru_lock);
	folio_split(m, head);
}

/* Drops what lru_victim has found. Pages; *scan: how many more places there are to look at. */
static u32 victim_drop(struct page *p, u64 *scan)
{
	struct mapping *m = p->mapping; /* stays: p is locked */
	bool gone = false;
	u32 nr;

	spin_lock(&m->pages_lock);
	nr = p->folio ? folio_pages(p) : 1;
	gone = unit_take_out(m, p, nr);
	if (!gone && nr > 1) {
		split_for_reclaim(m, p);
		*scan += nr;
	}
	spin_unlock(&m->pages_lock);
	if (gone) {
		unit_free(p, nr);
		return nr;
	}
	page_unlock(p);
	page_put(p);
	return 0;
}

/*
 * Goes round at most twice: whoever reads a file from end to end has marked all of it as used, and one
 * round takes those marks away. Each page that is passed over costs its mark, so rounds are rare.
 */
u64 page_cache_shrink(u64 nr)
{
	u64 scan = 2 * READ_ONCE(nr_lru), dropped = 0;

	while (dropped < nr && scan) {
		struct page *p = lru_victim(&scan);

		if (p)
			dropped += victim_drop(p, &scan);
	}
	return dropped;
}
