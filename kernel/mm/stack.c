/*
 * Kernel stacks. Each has a fixed slot of twice its size whose lower half is never mapped, so an
 * overflow faults at once, whatever lies below. A freed stack stays mapped and goes to a small
 * cache of the CPU; what does not fit there is unmapped by the RCU thread, because stacks are freed
 * by the scheduler, which cannot wait for other CPUs' TLBs. It takes all that have come together: one
 * flush of the TLBs serves for the end of a thousand threads.
 *
 * stack_lock guards the slot bitmap and the table of pages. kernel_stack_alloc sleeps,
 * kernel_stack_free works in any context.
 */
#include <arch/irq.h>
#include <lib/bits.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <mm/slab.h>
#include <sync/rcu.h>
#include <sync/spinlock.h>
#include "vmalloc.h"

#define STACK_PAGES (KERNEL_STACK_SIZE / PAGE_SIZE)
#define ALL_PAGES   (STACK_PAGES + STACK_SHADOW_PAGES)
#define CPU_STACKS  8
#define CHUNK       512UL /* slots per table page */

struct stack_cpu {
	u32 count;
	void *stack[CPU_STACKS];
};
static DEFINE_PER_CPU(struct stack_cpu, stack_cpu);

/* A freed stack that waits to be unmapped; lies in the stack itself. */
struct dead_stack {
	struct dead_stack *next;
};
static struct dead_stack *dead_stacks; /* atomic: pushed by anybody, taken whole by the RCU thread */
static struct rcu_head reap_head;      /* queued by whoever makes the list non-empty */

static DEFINE_SPINLOCK(stack_lock, LOCK_RANK_VMALLOC);
static u64 slots[BITS_TO_WORDS(MAX_STACKS)]; /* stack_lock: taken */
static u64 slot_hint;                        /* stack_lock: none free below */
/* The first page of each slot's stack; the others hang on its lru. Table pages are never freed. */
static struct page **slot_table[MAX_STACKS / CHUNK];

static uptr slot_stack(u64 slot)
{
	return STACK_REGION_START + slot * STACK_SLOT + (STACK_SLOT - KERNEL_STACK_SIZE);
}

static struct page **slot_pages(u64 slot)
{
	return &slot_table[slot / CHUNK][slot % CHUNK];
}

static void *cache_pop(void)
{
	u64 flags = arch_irq_save();
	struct stack_cpu *c = this_cpu_ptr(stack_cpu);
	void *stack = c->count ? c->stack[--c->count] : NULL;

	arch_irq_restore(flags);
	return stack;
}

static bool cache_push(void *stack)
{
	u64 flags = arch_irq_save();
	struct stack_cpu *c = this_cpu_ptr(stack_cpu);
	bool room = c->count < CPU_STACKS;

	if (room)
		c->stack[c->count++] = stack;
	arch_irq_restore(flags);
	return room;
}

/* A free slot whose table page exists. 0 or -ENOMEM. */
static int slot_take(u64 *out)
{
	struct page **table = NULL;
	u64 slot;

	for (;;) {
		u64 flags = spin_lock_irqsave(&stack_lock);

		slot = bitmap_next_clear(slots, MAX_STACKS, slot_hint);
		if (slot < MAX_STACKS && !slot_table[slot / CHUNK] && table) {
			slot_table[slot / CHUNK] = table;
			table = NULL;
		}
		if (slot < MAX_STACKS && slot_table[slot / CHUNK]) {
			bitmap_set_plain(slots, slot);
			slot_hint = slot + 1;
			spin_unlock_irqrestore(&stack_lock, flags);
			break;
		}
		spin_unlock_irqrestore(&stack_lock, flags);
		if (slot >= MAX_STACKS || table)
			break;
		table = pages_alloc_virt(0, GFP_ZERO);
		if (!table)
			return -ENOMEM;
	}
	pages_free_virt(table, 0);
	*out = slot;
	return slot < MAX_STACKS ? 0 : -ENOMEM;
}

static void slot_give(u64 slot)
{
	u64 flags = spin_lock_irqsave(&stack_lock);

	bitmap_clear_plain(slots, slot);
	slot_hint = MIN(slot_hint, slot);
	spin_unlock_irqrestore(&stack_lock, flags);
}

static void free_pages(struct page *first)
{
	struct page *p, *next;

	list_for_each_safe(p, next, &first->lru, lru) {
		list_del(&p->lru);
		page_put(p);
	}
	page_put(first);
}

static struct page *alloc_pages(void)
{
	struct page *first = page_alloc(0, GFP_KERNEL);

	if (!first)
		return NULL;
	list_init(&first->lru);
	for (u64 i = 1; i < ALL_PAGES; i++) {
		struct page *p = page_alloc(0, GFP_KERNEL);

		if (!p) {
			free_pages(first);
			return NULL;
		}
		list_add_tail(&p->lru, &first->lru);
	}
	return first;
}

static u64 stack_slot(uptr stack)
{
	return (stack - STACK_REGION_START) / STACK_SLOT;
}

/* The stack is unmapped and flushed: gives everything back. */
static void stack_give(u64 slot)
{
	free_pages(*slot_pages(slot));
	slot_give(slot);
	mem_stat_add(STAT_STACK, -(s64)ALL_PAGES);
}

/* The shadow's pages come after those of the stack. */
static uptr page_place(uptr stack, u64 i)
{
#ifdef CONFIG_KASAN
	if (i >= STACK_PAGES)
		return kasan_shadow_of(stack) + (i - STACK_PAGES) * PAGE_SIZE;
#endif
	return stack + i * PAGE_SIZE;
}

static int map_pages(uptr stack, struct page *first)
{
	struct page *p = first;

	for (u64 i = 0; i < ALL_PAGES; i++) {
		int err = arch_kernel_map(page_place(stack, i), page_paddr(p), KERNEL_DATA_PROT);

		if (err)
			return err;
		p = list_next(p, lru);
	}
	kasan_unpoison((void *)stack, KERNEL_STACK_SIZE);
	return 0;
}

static void clear_pages(uptr stack)
{
	for (u64 i = 0; i < ALL_PAGES; i++)
		arch_kernel_clear(page_place(stack, i), PAGE_SIZE);
}

/* Stacks and their shadow between start and end. */
static void flush_pages(uptr start, uptr end)
{
	arch_kernel_flush(start, end);
#ifdef CONFIG_KASAN
	arch_kernel_flush(kasan_shadow_of(start), kasan_shadow_of(end));
#endif
}

void *kernel_stack_alloc(void)
{
	void *stack = cache_pop();
	struct page *first;
	u64 slot;

	if (stack)
		return stack;
	if (slot_take(&slot))
		return NULL;
	first = alloc_pages();
	if (!first) {
		slot_give(slot);
		return NULL;
	}
	*slot_pages(slot) = first;
	mem_stat_add(STAT_STACK, ALL_PAGES);
	if (map_pages(slot_stack(slot), first)) {
		clear_pages(slot_stack(slot));
		flush_pages(slot_stack(slot), slot_stack(slot) + KERNEL_STACK_SIZE);
		stack_give(slot);
		return NULL;
	}
	return (void *)slot_stack(slot);
}

/* The links in the stacks go with the mappings: from then on the first pages hang on each other. */
static void reap(struct rcu_head *head)
{
	struct dead_stack *d = __atomic_exchange_n(&dead_stacks, NULL, __ATOMIC_ACQUIRE), *next;
	struct page *cleared = NULL, *p;
	uptr start = ~0UL, end = 0;

	for (; d; d = next) {
		next = d->next;
		start = MIN(start, (uptr)d);
		end = MAX(end, (uptr)d + KERNEL_STACK_SIZE);
		p = *slot_pages(stack_slot((uptr)d));
		p->index = stack_slot((uptr)d);
		p->private = cleared;
		cleared = p;
		clear_pages((uptr)d);
	}
	flush_pages(start, end);
	while ((p = cleared)) {
		cleared = p->private;
		p->private = NULL;
		stack_give(p->index);
	}
}

void kernel_stack_free(void *stack)
{
	struct dead_stack *d = stack, *old;

	if (!stack)
		return;
	kasan_unpoison(stack, KERNEL_STACK_SIZE); /* the dead task's last frames */
	if (cache_push(stack))
		return;
	old = READ_ONCE(dead_stacks);
	do {
		d->next = old;
	} while (!__atomic_compare_exchange_n(&dead_stacks, &old, d, false, __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
	if (!old)
		rcu_call(&reap_head, reap);
}

bool kernel_stack_guard_hit(uptr addr)
{
	if (addr < STACK_REGION_START || addr >= KERNEL_VMALLOC_END)
		return false;
	return (addr - STACK_REGION_START) % STACK_SLOT < STACK_SLOT - KERNEL_STACK_SIZE;
}
