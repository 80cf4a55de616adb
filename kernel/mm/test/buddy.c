/* In-kernel tests of pages: the buddy lists, contents, references. */
#include <lib/ktest.h>
#include <mm/page.h>
#include "../internal.h"

#define N 64

static struct page *pages[N];

KTEST(page_alloc_gives_distinct_zeroed_pages)
{
	for (int i = 0; i < N; i++) {
		pages[i] = page_alloc(0, GFP_ZERO);
		EXPECT(pages[i]);
		EXPECT(*(u64 *)page_address(pages[i]) == 0);
		*(u64 *)page_address(pages[i]) = i + 1;
	}
	for (int i = 0; i < N; i++)
		EXPECT(*(u64 *)page_address(pages[i]) == (u64)i + 1);
	for (int i = 0; i < N; i++)
		page_put(pages[i]);
}

KTEST(page_alloc_aligns_blocks_to_their_size)
{
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		struct page *p = page_alloc(order, GFP_KERNEL);

		EXPECT(p && IS_ALIGNED(page_paddr(p).v, PAGE_SIZE << order));
		EXPECT(page_from_paddr(page_paddr(p)) == p);
		page_put(p);
	}
}

KTEST(buddy_merges_neighbours_again)
{
	u64 before, after;

	page_cpu_drain();
	before = buddy_free_pages();
	for (int i = 0; i < N; i++)
		pages[i] = buddy_take(0, false);
	EXPECT(buddy_free_pages() + N <= before);
	/* Odd ones first: the even ones then merge with both sides. */
	for (int i = 1; i < N; i += 2)
		buddy_give(pages[i], 0);
	for (int i = 0; i < N; i += 2)
		buddy_give(pages[i], 0);
	after = buddy_free_pages();
	EXPECT(after + 4096 > before);
	pages[0] = page_alloc(MAX_ORDER, GFP_KERNEL);
	EXPECT(pages[0]);
	page_put(pages[0]);
}

KTEST(page_put_frees_with_the_last_reference_only)
{
	struct page *p = page_alloc(0, GFP_ZERO);

	page_get(p);
	page_put(p);
	EXPECT(ref_read(&p->ref) == 1);
	page_put(p);
	EXPECT(ref_read(&p->ref) == 0);
}

KTEST(page_alloc_refuses_absurd_orders)
{
	EXPECT(!page_alloc(MAX_ORDER + 1, GFP_ATOMIC));
	EXPECT(!pages_alloc_virt(40, GFP_ATOMIC));
}
