/*
 * Allocation and release of pages: a per-CPU cache of single pages in front of the buddy lists,
 * and what happens when memory runs short.
 *
 * A CPU's cache is touched by that CPU alone with interrupts disabled, so it needs no lock.
 */
#include <arch/irq.h>
#include <arch/percpu.h>
#include <lib/bits.h>
#include <lib/log.h>
#include <lib/string.h>
#include <sync/preempt.h>
#include <task/task.h>
#include <mm/inject.h>
#include <mm/page_cache.h>
#include "internal.h"

#define CPU_CACHE_PAGES 64
#define CPU_CACHE_BATCH 16

struct page_cpu {
	u32 count;
	struct page *page[CPU_CACHE_PAGES];
};
static DEFINE_PER_CPU(struct page_cpu, page_cpu);

struct page *page_array __ro_after_init;
struct page *zero_page __ro_after_init;

static struct page *cpu_cache_pop(void)
{
	u64 flags = arch_irq_save();
	struct page_cpu *c = this_cpu_ptr(page_cpu);
	struct page *p = likely(c->count) ? c->page[--c->count] : NULL;

	arch_irq_restore(flags);
	return p;
}

static struct page *cpu_cache_refill(bool use_reserve)
{
	u64 flags = arch_irq_save();
	struct page_cpu *c = this_cpu_ptr(page_cpu);
	struct page *p = NULL;

	if (!c->count)
		c->count = buddy_take_batch(c->page, CPU_CACHE_BATCH, use_reserve);
	if (c->count)
		p = c->page[--c->count];
	arch_irq_restore(flags);
	return p;
}

static void cpu_cache_push(struct page *p)
{
	u64 flags = arch_irq_save();
	struct page_cpu *c = this_cpu_ptr(page_cpu);

	if (unlikely(c->count == CPU_CACHE_PAGES)) {
		/* The pages freed longest ago go: those on top are warm in the cache. */
		buddy_give_batch(c->page, CPU_CACHE_BATCH * 2);
		c->count -= CPU_CACHE_BATCH * 2;
		memmove(c->page, c->page + CPU_CACHE_BATCH * 2, c->count * sizeof(c->page[0]));
	}
	c->page[c->count++] = p;
	arch_irq_restore(flags);
}

u64 page_cpu_drain(void)
{
	u64 flags = arch_irq_save();
	struct page_cpu *c = this_cpu_ptr(page_cpu);
	u32 n = c->count;

	buddy_give_batch(c->page, n);
	c->count = 0;
	arch_irq_restore(flags);
	return n;
}

u64 page_cpu_cached(void)
{
	u64 n = 0;

	for_each_cpu(cpu)
		n += READ_ONCE(per_cpu_ptr(page_cpu, cpu)->count);
	return n;
}

/* A task that is being killed for memory, or exits, needs some to get out of the way. */
static bool may_use_reserve(unsigned int gfp)
{
	struct task *t = current;

	return (gfp & GFP_ATOMIC) || (t && (READ_ONCE(t->flags) & TASK_F_OOM_VICTIM));
}

static struct page *take(unsigned int order, bool use_reserve)
{
	return order ? buddy_take(order, use_reserve) : cpu_cache_refill(use_reserve);
}

/*
 * Beyond order 3 a failure may only mean fragmentation: killing processes would not reliably help,
 * and such callers have a fallback.
 */
#define COSTLY_ORDER 3
#define MAX_ROUNDS 100 /* of waiting for the writer of dirty pages */

static __noinline struct page *alloc_slow(unsigned int order, unsigned int gfp)
{
	unsigned int tries = 0, rounds = 0;
	struct page *p;

	if (!(gfp & GFP_ATOMIC) && current)
		might_sleep();
	for (;;) {
		u32 gone = oom_victims_gone();

		p = take(order, may_use_reserve(gfp));
		if (p || (gfp & (GFP_ATOMIC | GFP_TRY)) || !current || in_atomic() || arch_irqs_disabled())
			return p;
		if (mm_reclaim(MAX(1ULL << order, 32ULL)) && (p = take(order, false)))
			return p;
		/* Others may have been faster, or pages may become clean soon. */
		if (order <= COSTLY_ORDER && rounds++ < MAX_ROUNDS && writeback_wait())
			continue;
		if (order > COSTLY_ORDER || !oom_wait(&tries, gone))
			return take(order, may_use_reserve(gfp));
	}
}

static void clear_block(struct page *p, unsigned int order)
{
	char *va = page_address(p);

	for (u64 i = 0; i < 1ULL << order; i++)
		arch_clear_page(va + i * PAGE_SIZE);
}

struct page *page_alloc(unsigned int order, unsigned int gfp)
{
	struct page *p;

	if (inject_failure())
		return NULL;
	p = likely(order == 0) ? cpu_cache_pop() : NULL;
	if (unlikely(!p)) {
		p = alloc_slow(order, gfp);
		if (!p)
			return NULL;
	}
	ASSERT(ref_read(&p->ref) == 0);
	p->flags = order ? BIT(PG_COMPOUND) : 0;
	p->order = (u8)order;
	p->mapping = NULL;
	kasan_unpoison(page_address(p), PAGE_SIZE << order);
	if ((gfp | gfp_always) & GFP_ZERO)
		clear_block(p, order);
	/* A stale look-up in the page cache may race for a reference: publish the count last. */
	__atomic_store_n(&p->ref.count, 1, __ATOMIC_RELEASE);
	return p;
}

static void check_free(const struct page *p)
{
	BUG_ON(p->flags & (BIT(PG_BUDDY) | BIT(PG_RESERVED) | BIT(PG_SLAB)));
	ASSERT(atomic_read(&p->mapcount) == 0);
}

static void poison(struct page *p, unsigned int order)
{
	kasan_poison(page_address(p), PAGE_SIZE << order, KASAN_FREE_PAGE);
#ifdef CONFIG_DEBUG
	memset(page_address(p), POISON_BYTE, PAGE_SIZE << order);
#endif
}

static void page_free(struct page *p)
{
	unsigned int order = p->order;

	check_free(p);
	poison(p, order);
	p->flags = 0;
	if (likely(order == 0))
		cpu_cache_push(p);
	else
		buddy_give(p, order);
}

void page_put(struct page *p)
{
	ASSERT(ref_read(&p->ref) > 0);
	if (ref_put(&p->ref))
		page_free(p);
}

void page_free_run(struct page *p, unsigned int order)
{
	if (!order) {
		page_free(p);
		return;
	}
	for (u32 i = 0; i < 1u << order; i++) {
		check_free(p + i);
		ASSERT(!p[i].order && !ref_read(&p[i].ref));
		p[i].flags = 0;
	}
	poison(p, order);
	buddy_give(p, order);
}

void page_put_run(struct page *p, unsigned int order)
{
	u32 all = (1u << (1u << order)) - 1, gone = 0;

	for (u32 i = 0; i < 1u << order; i++)
		if (ref_put(&p[i].ref))
			gone |= 1u << i;
	if (gone == all) {
		page_free_run(p, order);
		return;
	}
	for (; gone; gone &= gone - 1)
		page_free(p + bit_lowest(gone));
}

void *pages_alloc_virt(unsigned int order, unsigned int gfp)
{
	struct page *p = page_alloc(order, gfp);

	return p ? page_address(p) : NULL;
}

void pages_free_virt(void *va, unsigned int order)
{
	struct page *p;

	if (!va)
		return;
	p = page_of(va);
	BUG_ON(p->order != order);
	page_put(p);
}
