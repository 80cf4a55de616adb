/* In-kernel tests of the page cache, on a memory-backed mapping without an inode. */
#include <lib/ktest.h>
#include <mm/page_cache.h>
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
