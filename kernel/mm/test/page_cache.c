/* In-kernel tests of the page cache, on a memory-backed mapping without an inode and on one with a store. */
#include <lib/ktest.h>
#include <lib/string.h>
#include <mm/page_cache.h>
#include <vfs/inode.h>
#include "../internal.h"

static const struct mapping_ops memory_ops = {.memory_backed = true};
static struct mapping m;

KTEST(page_cache_makes_finds_and_truncates)
{
	struct page *p, *q;

	mapping_init(&m, NULL, &memory_ops);
	EXPECT(!page_cache_find(&m, 7));
	EXPECT(!page_cache_get(&m, 7, &p));
	EXPECT(page_test(p, PG_UPTODATE) && p->mapping == &m && p->index == 7);
	q = page_cache_find(&m, 7);
	EXPECT(q == p);
	page_put(q);
	EXPECT(page_cache_next_present(&m, 0) == 7);
	EXPECT(page_cache_next_present(&m, 8) == U64_MAX);
	EXPECT(page_cache_next_hole(&m, 7) == 8);
	page_cache_truncate(&m, 3, 9);
	EXPECT(!page_cache_find(&m, 7) && !p->mapping && !m.nr_pages);
	page_put(p);
	mapping_fini(&m);
}

KTEST(page_cache_holds_sparse_files)
{
	struct page *p;

	mapping_init(&m, NULL, &memory_ops);
	for (u64 i = 1; i < 1ULL << 50; i *= 16) {
		EXPECT(!page_cache_get(&m, i, &p));
		page_put(p);
	}
	EXPECT(m.nr_pages == 13);
	page_cache_truncate(&m, 16, U64_MAX);
	EXPECT(m.nr_pages == 1);
	mapping_fini(&m);
}

KTEST(page_lock_excludes)
{
	struct page *p = page_alloc(0, GFP_ZERO);

	page_lock(p);
	EXPECT(!page_trylock(p));
	page_unlock(p);
	EXPECT(page_trylock(p));
	page_unlock(p);
	page_put(p);
}

/* ---- Folios ---- */

static u32 pages_read; /* by the store, since file_init */

static int store_read_pages(struct mapping *m, struct page **pages, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		memset(page_address(pages[i]), (int)pages[i]->index, PAGE_SIZE);
		pages_end_read(pages[i], 1, true);
	}
	pages_read += nr;
	return 0;
}

static int store_read_page(struct mapping *m, struct page *page)
{
	return store_read_pages(m, &page, 1);
}

static const struct mapping_ops store_ops = {
	.read_page = store_read_page, .read_pages = store_read_pages, .max_io = 256,
};
static struct inode file;

static void file_init(u64 nr_pages)
{
	file.size = nr_pages << PAGE_SHIFT;
	pages_read = 0;
	folios_on = true;
	mapping_init(&m, &file, &store_ops);
}

static bool holds(const struct page *p, u64 index)
{
	const u8 *data = page_address(p);

	return data[0] == (u8)index && data[PAGE_SIZE - 1] == (u8)index;
}

/* 0..23 as two folios, then single pages to 26. */
KTEST(folio_is_made_by_reading_ahead)
{
	u64 before = mem_stat_read(STAT_FOLIO);
	struct page *p, *head;

	file_init(27);
	EXPECT(!page_cache_get(&m, 5, &p));
	EXPECT(pages_read == 27 && m.nr_pages == 27 && mem_stat_read(STAT_FOLIO) == before + 24);
	head = folio_get(p);
	EXPECT(head && head->index == 0 && folio_pages(head) == 16 && p == head + 5);
	page_put(p);
	for (u64 i = 0; i < 27; i++) {
		p = page_cache_find(&m, i);
		EXPECT(p && p->index == i && holds(p, i) && (i >= 16 || p == head + i));
		EXPECT((i < 24) == (p->folio != NULL));
		page_put(p);
	}
	folio_put(head);
	mapping_fini(&m);
	EXPECT(mem_stat_read(STAT_FOLIO) == before);
}

KTEST(folio_goes_round_what_is_there)
{
	struct page *p;

	file_init(32);
	EXPECT(!page_insert(&m, 7, &p));
	pages_end_read(p, 1, true);
	page_put(p);
	EXPECT(folio_insert(&m, 0, 4, &p) == -EEXIST && folio_insert(&m, 4, 2, &p) == -EEXIST);
	EXPECT(!page_cache_get(&m, 9, &p));
	EXPECT(folio_pages(p->folio) == 8 && p->folio->index == 8 && m.nr_pages == 25);
	page_put(p);
	EXPECT(!page_cache_find(&m, 6)); /* behind what was there: not part of one read */
	mapping_fini(&m);
}

/* One page leaves while a reader is a user of all. */
KTEST(folio_splits_under_a_user)
{
	u64 before = mem_stat_read(STAT_FOLIO);
	struct page *p, *q, *head;

	file_init(16);
	EXPECT(!page_cache_get(&m, 0, &p));
	head = folio_get(p);
	EXPECT(head == p);
	page_put(p);
	page_cache_truncate(&m, 6, 6);
	EXPECT(m.nr_pages == 15 && !page_cache_find(&m, 6) && mem_stat_read(STAT_FOLIO) == before);
	EXPECT(!head[6].mapping && ref_read(&head[6].ref) == 1 && holds(head + 6, 6));
	for (u64 i = 0; i < 16; i++) {
		EXPECT(!head[i].folio && !folio_get(head + i));
		q = page_cache_find(&m, i);
		EXPECT(i == 6 ? !q : q == head + i && ref_read(&q->ref) == 3);
		if (q)
			page_put(q);
	}
	folio_put(head);
	EXPECT(ref_read(&head[5].ref) == 1 && ref_read(&head[6].ref) == 0);
	mapping_fini(&m);
}

/* All of it is freed with the file, but what somebody still has. */
KTEST(folio_page_outlives_the_file)
{
	struct page *p;

	file_init(16);
	EXPECT(!page_cache_get(&m, 3, &p));
	EXPECT(p->folio && ref_read(&p->ref) == 2);
	mapping_fini(&m);
	EXPECT(!p->mapping && !p->folio && ref_read(&p->ref) == 1 && holds(p, 3));
	EXPECT(!ref_read(&p[1].ref));
	page_put(p);
}

/* Reclaim: as a whole, or all but what is in use. */
KTEST(folio_is_dropped_or_split)
{
	struct page *p, *q;

	file_init(32);
	EXPECT(!page_cache_get(&m, 20, &p));
	EXPECT(m.nr_pages == 32);
	page_cache_shrink(1 << 20);
	EXPECT(m.nr_pages == 1 && p->mapping == &m && !p->folio && holds(p, 20));
	EXPECT(!page_cache_get(&m, 19, &q) && folio_pages(q->folio) == 4 && holds(q, 19));
	page_put(q);
	page_put(p);
	mapping_fini(&m);
}

/* While a reader is a user, nothing is dropped that he reads. */
KTEST(folio_users_keep_it)
{
	struct page *p, *head;

	file_init(16);
	EXPECT(!page_cache_get(&m, 0, &p));
	head = folio_get(p);
	page_put(p);
	page_cache_shrink(1 << 20); /* splits; the reader's references keep the pages */
	EXPECT(m.nr_pages == 16 && holds(head + 15, 15));
	folio_put(head);
	page_cache_shrink(1 << 20);
	EXPECT(!m.nr_pages);
	mapping_fini(&m);
}
