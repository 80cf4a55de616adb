/*
 * Physical memory: one struct page per 4 KiB frame, a buddy allocator in orders 0..MAX_ORDER with
 * per-CPU caches of single pages in front.
 */
#pragma once

#include <arch/mmu.h>
#include <lib/atomic.h>
#include <lib/list.h>

#define MAX_ORDER 10

struct mapping;

enum page_flag {
	PG_BUDDY,     /* free, head of a buddy block */
	PG_SLAB,      /* owned by a slab cache */
	PG_LOCKED,    /* page-cache lock bit */
	PG_UPTODATE,
	PG_DIRTY,
	PG_AHEAD,     /* whoever reads it first starts the next read (mm/page_cache.h) */
	PG_ERROR,
	PG_REFERENCED,
	PG_ANON,      /* anonymous user memory */
	PG_RESERVED,  /* never freed: kernel image, firmware, zero page */
	PG_COMPOUND,  /* head of an allocation of order > 0 */
	PG_SHMEM,     /* page cache of a memory-backed mapping */
};

struct page {
	u64 flags;                 /* PG_* bits, atomic */
	struct ref ref;            /* 0: free */
	u8 order;                  /* of the block whose head this is */
	u8 folio_order;            /* first page of a folio: of the folio (mm/page_cache.h) */
	u16 folio_users;           /* first page of a folio: the cache, and who reads all of it; atomic */
	struct list_head lru;      /* free lists, LRU, or the owner's list */
	union {
		struct mapping *mapping; /* page cache: owner; changes under the page lock */
		void *private;           /* slab: the cache; huge.c: the table for a split */
	};
	u64 index;                 /* page cache: offset in pages; slab: private */
	struct atomic mapcount;    /* page cache: page table entries that map it */
	u32 slab_inuse;            /* slab private */
	union {
		void *slab_free;     /* slab private */
		struct page *folio;  /* page cache: first page of the folio it is part of, or NULL; pages_lock */
	};
};

#define GFP_KERNEL 0u          /* may sleep and reclaim */
#define GFP_ATOMIC BIT(0)      /* may not sleep; uses the reserve */
#define GFP_ZERO   BIT(1)      /* zeroed */
#define GFP_TRY    BIT(3)      /* gives up instead of reclaiming: the caller has another way */
#define GFP_USER   BIT(2)      /* memory of a user process: subject to the OOM killer */

/* One entry per frame from physical address 0; entries of holes and devices stay zero. */
extern struct page *page_array;

/* pa: RAM that boot_info listed. */
static inline struct page *page_from_paddr(struct paddr pa)
{
	return page_array + (pa.v >> PAGE_SHIFT);
}
static inline struct paddr page_paddr(const struct page *p)
{
	return PADDR((u64)(p - page_array) << PAGE_SHIFT);
}
/* In the direct map. */
static inline void *page_address(const struct page *p)
{
	return phys_to_virt(page_paddr(p));
}
static inline struct page *page_of(const void *direct_map_ptr)
{
	return page_from_paddr(virt_to_phys(direct_map_ptr));
}

/* 2^order pages, one reference; NULL when out of memory. Sleeps unless GFP_ATOMIC. */
struct page *page_alloc(unsigned int order, unsigned int gfp);
/* Shorthand for kernel buffers: the address of the block, or NULL. */
void *pages_alloc_virt(unsigned int order, unsigned int gfp);
void pages_free_virt(void *p, unsigned int order);
static inline void page_get(struct page *p)
{
	ref_get(&p->ref);
}
/* Drops a reference and frees the block with the last one. Any context. */
void page_put(struct page *p);

static inline bool page_test(const struct page *p, enum page_flag f)
{
	return READ_ONCE(p->flags) & BIT(f);
}
static inline void page_set(struct page *p, enum page_flag f)
{
	__atomic_fetch_or(&p->flags, BIT(f), __ATOMIC_RELAXED);
}
static inline void page_clear(struct page *p, enum page_flag f)
{
	__atomic_fetch_and(&p->flags, ~BIT(f), __ATOMIC_RELAXED);
}

/* The page of zeroes that read faults on anonymous memory map. Never freed. */
extern struct page *zero_page;

struct mem_stats {
	u64 total_pages, free_pages, cached_pages, anon_pages, slab_pages, kernel_stack_pages,
		page_table_pages, shmem_pages, slab_reclaimable_pages, mapped_pages, committed_pages,
		dirty_pages, vmalloc_pages, anon_huge_pages, buffer_pages;
};
void mem_stats(struct mem_stats *st);
/* Heap memory (of kmalloc) that caches blocks of a device, and that a shrinker gives back. Any context. */
void mem_count_buffers(s64 bytes);
/* Free blocks by order, and the pages that ordinary allocations leave alone. Any context. */
void mem_free_blocks(u64 counts[MAX_ORDER + 1], u64 *reserve);

/* Builds page array and free lists from boot_info. Once. Afterwards page_alloc works. */
void mm_boot_init(void);
/* Frees the initrd and .init sections: whole pages inside [start, end). Late. */
void mm_free_boot_memory(struct paddr start, struct paddr end);

/* A shrinker frees cached objects under memory pressure: returns pages or objects freed. */
struct shrinker {
	struct list_head node;
	u64 (*shrink)(u64 nr_pages);
};
void shrinker_register(struct shrinker *s);
