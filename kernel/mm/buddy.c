/*
 * The buddy allocator: free memory as blocks of 2^order pages, aligned to their size. A block's
 * buddy is the neighbour with which it forms the next larger block: its frame number differs in
 * bit `order` alone. Freeing merges as long as the buddy is a free block of the same order.
 *
 * One spinlock guards all lists; page.c keeps it off the hot paths with per-CPU caches. A few
 * pages are a reserve: only atomic allocations and dying tasks may take them. Works in any context.
 * Left out on purpose: zones (every device we drive can address all memory) and NUMA.
 */
#include <lib/bits.h>
#include <lib/log.h>
#include <sync/spinlock.h>
#include "internal.h"

static struct {
	struct spinlock lock;
	u32 orders;                        /* lock: bit n is set when free[n] is not empty */
	u64 nr_free;                       /* lock to change */
	u64 nr_total;                      /* lock to change: pages ever given to the pool */
	u64 reserve;                       /* pages that ordinary allocations leave alone */
	u64 end_frame;                     /* no entry of page_array at or above */
	struct list_head free[MAX_ORDER + 1]; /* lock */
} buddy = {.lock = SPINLOCK_INIT(LOCK_RANK_BUDDY)};

static void list_block(struct page *p, unsigned int order)
{
	p->order = (u8)order;
	p->flags = BIT(PG_BUDDY);
	list_add(&p->lru, &buddy.free[order]);
	buddy.orders |= 1U << order;
}

static void unlist_block(struct page *p, unsigned int order)
{
	list_del(&p->lru);
	p->flags = 0;
	if (list_empty(&buddy.free[order]))
		buddy.orders &= ~(1U << order);
}

/* The page's buddy if it is a free block of that very order, else NULL. */
static struct page *free_buddy(const struct page *p, unsigned int order)
{
	u64 frame = (u64)(p - page_array) ^ (1ULL << order);
	struct page *b = page_array + frame;

	if (frame >= buddy.end_frame || !(b->flags & BIT(PG_BUDDY)) || b->order != order)
		return NULL;
	return b;
}

static void give_locked(struct page *p, unsigned int order)
{
	struct page *b;

	buddy.nr_free += 1ULL << order;
	while (order < MAX_ORDER && (b = free_buddy(p, order))) {
		unlist_block(b, order);
		p = MIN(p, b);
		order++;
	}
	list_block(p, order);
}

static struct page *take_locked(unsigned int order, bool use_reserve)
{
	u32 fitting = buddy.orders & ~((1U << order) - 1);
	unsigned int found;
	struct page *p;

	if (!fitting || (!use_reserve && buddy.nr_free < buddy.reserve + (1ULL << order)))
		return NULL;
	found = bit_lowest(fitting);
	p = list_first(&buddy.free[found], struct page, lru);
	unlist_block(p, found);
	while (found > order) {
		found--;
		list_block(p + (1ULL << found), found);
	}
	buddy.nr_free -= 1ULL << order;
	return p;
}

struct page *buddy_take(unsigned int order, bool use_reserve)
{
	struct page *p;
	u64 flags;

	if (order > MAX_ORDER)
		return NULL;
	flags = spin_lock_irqsave(&buddy.lock);
	p = take_locked(order, use_reserve);
	spin_unlock_irqrestore(&buddy.lock, flags);
	return p;
}

unsigned int buddy_take_batch(struct page **list, unsigned int want, bool use_reserve)
{
	u64 flags = spin_lock_irqsave(&buddy.lock);
	unsigned int n = 0;

	while (n < want && (list[n] = take_locked(0, use_reserve)))
		n++;
	spin_unlock_irqrestore(&buddy.lock, flags);
	return n;
}

void buddy_give(struct page *p, unsigned int order)
{
	u64 flags = spin_lock_irqsave(&buddy.lock);

	ASSERT(!(p->flags & BIT(PG_BUDDY)));
	give_locked(p, order);
	spin_unlock_irqrestore(&buddy.lock, flags);
}

void buddy_give_batch(struct page **list, unsigned int nr)
{
	u64 flags = spin_lock_irqsave(&buddy.lock);

	for (unsigned int i = 0; i < nr; i++)
		give_locked(list[i], 0);
	spin_unlock_irqrestore(&buddy.lock, flags);
}

static void init_lists(void)
{
	for (unsigned int i = 0; i <= MAX_ORDER; i++)
		list_init(&buddy.free[i]);
}

/* 1/256 of memory, at least 256 KiB and at most 4 MiB. */
static u64 reserve_for(u64 total)
{
	return MIN(MAX(total / 256, 64ULL), 1024ULL);
}

void buddy_add_range(u64 first, u64 end)
{
	u64 flags = spin_lock_irqsave(&buddy.lock);

	if (!buddy.nr_total)
		init_lists();
	buddy.end_frame = MAX(buddy.end_frame, end);
	buddy.nr_total += end - first;
	while (first < end) {
		unsigned int order = first ? bit_lowest(first) : MAX_ORDER;

		order = MIN(order, (unsigned int)MAX_ORDER);
		order = MIN(order, log2_floor(end - first));
		give_locked(page_array + first, order);
		first += 1ULL << order;
	}
	buddy.reserve = reserve_for(buddy.nr_total);
	spin_unlock_irqrestore(&buddy.lock, flags);
}

u64 buddy_free_pages(void)
{
	return READ_ONCE(buddy.nr_free);
}

u64 buddy_total_pages(void)
{
	return READ_ONCE(buddy.nr_total);
}

void mem_free_blocks(u64 counts[MAX_ORDER + 1], u64 *reserve)
{
	u64 flags = spin_lock_irqsave(&buddy.lock);
	const struct page *p;

	for (u32 order = 0; order <= MAX_ORDER; order++) {
		counts[order] = 0;
		list_for_each(p, &buddy.free[order], lru)
			counts[order]++;
	}
	*reserve = buddy.reserve;
	spin_unlock_irqrestore(&buddy.lock, flags);
}
