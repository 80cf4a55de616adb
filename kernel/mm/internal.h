/* What the files of kernel/mm share among themselves. */
#pragma once

#include <mm/page.h>
#include "kasan.h"

struct mapping;

/* boot.c: frames of the direct map, from 0 to the end of memory. */
extern u64 nr_frames;

/*
 * Debug flavours: what freed memory is filled with, and therefore what allocated memory holds that
 * nobody has written. The other one is the compiler's, for automatic variables.
 */
#define POISON_BYTE      0xf6
#define POISON_WORD      0xf6f6f6f6f6f6f6f6ULL
#define UNWRITTEN_STACK  0xfefefefefefefefeULL

/* ---- buddy.c: blocks of pages; callers are page.c and boot.c ---- */

/*
 * Takes a block of 2^order pages off the free lists; NULL when none is left above the reserve.
 * use_reserve: may take the last pages. Any context.
 */
struct page *buddy_take(unsigned int order, bool use_reserve);
/* Single pages into list, up to want; the number taken. Any context. */
unsigned int buddy_take_batch(struct page **list, unsigned int want, bool use_reserve);
/* Gives a block back. Its reference count is 0. Any context. */
void buddy_give(struct page *p, unsigned int order);
void buddy_give_batch(struct page **list, unsigned int nr);
/* Boot and late boot: adds [first, end) frames to the pool. */
void buddy_add_range(u64 first, u64 end);
u64 buddy_free_pages(void);
u64 buddy_total_pages(void);

/* ---- page.c ---- */

/* Returns the current CPU's cached pages to the buddy lists; the number. */
u64 page_cpu_drain(void);
/* Pages in the caches of all CPUs. */
u64 page_cpu_cached(void);

/* 2^order aligned single pages without references go back as one block. Order 4 at most. Any context. */
void page_free_run(struct page *p, unsigned int order);
/* One reference less for each of them; those that have none left are freed, together if all of them. */
void page_put_run(struct page *p, unsigned int order);

/* ---- slab.c ---- */

void slab_init(void);
/* GFP flags that every allocation has: GFP_ZERO with init_on_alloc=1 on the command line. */
extern unsigned int gfp_always;
/* [start, start + n), which begins in slab page p, lies in one object. */
bool slab_span_ok(const struct page *p, const void *start, size_t n);
/* Gives empty slabs back; the number of pages. */
u64 slab_reclaim(void);

/* ---- page_cache.c, mm.c: boot ---- */

void page_cache_init(void);
/* Makes the page at index, with the caller's reference: locked, unless the mapping is memory.
 * -EEXIST: it is there already. */
int page_insert(struct mapping *m, u64 index, struct page **out) __must_check;
/* The same for a whole folio, always locked, the mapping's a store; without references for the caller: the
 * locks keep the pages. index: a multiple of 2^order. -EEXIST: some are there; -ENOMEM: try with less. */
int folio_insert(struct mapping *m, u64 index, unsigned int order, struct page **list) __must_check;
/* n pages more, or less, are in the cache; p is one of them. */
void page_cache_count(const struct page *p, s64 n);
/* folio.c: pages of a store and folios, in order of use. A page inside a folio has no place of its own. */
void page_lru_add(struct page *p);
void page_lru_remove(struct page *p);
/* The pages of a folio become single ones. pages_lock held. */
void folio_split(struct mapping *m, struct page *head);
/* readahead.c: reads the missing page at index, and others with it. 0, -EEXIST, or -errno. */
extern bool folios_on; /* reading ahead makes folios: not with folios=off at boot */
int page_cache_read_ahead(struct mapping *m, u64 index) __must_check;
/* writeback.c: a dirty page is dirty no more. pages_lock held. */
void page_count_clean(struct mapping *m, struct page *p);
/* rmap.c: shared areas may no longer write to pages [first, last] without a fault; what they have
 * written until now counts as written. */
void mapping_protect_range(struct mapping *m, u64 first, u64 last);
u64 writeback_dirty_pages(void);
void mm_init(void);

/* ---- reclaim.c ---- */

/* Frees what can be freed without losing data. Process context. Pages freed (an estimate). */
u64 mm_reclaim(u64 nr_pages);

/* ---- oom.c ---- */

/*
 * Out of memory in a sleeping allocation: picks a victim or waits for one to go. gone: what
 * oom_victims_gone said before the allocation failed. True: try again; false: give up with NULL.
 */
bool oom_wait(unsigned int *tries, u32 gone);
u32 oom_victims_gone(void);

/* ---- stats.c: per-CPU counters of pages ---- */

enum mem_stat {
	STAT_SLAB,
	STAT_SLAB_RECLAIMABLE, /* of those: in caches that a shrinker empties */
	STAT_STACK,
	STAT_PAGE_TABLE,
	STAT_VMALLOC,
	STAT_ANON,
	STAT_ANON_HUGE, /* of these, in huge pages */
	STAT_CACHED,  /* page cache, tmpfs included */
	STAT_SHMEM,   /* memory-backed page cache */
	STAT_MAPPED,  /* page-cache pages with at least one mapping */
	STAT_COMMITTED,
	STAT_FOLIO,   /* page-cache pages that are part of a folio */
	STAT_BUFFER_BYTES, /* mem_count_buffers */
	NR_MEM_STATS,
};

struct mem_cpu_stats {
	s64 v[NR_MEM_STATS];
};
DECLARE_PER_CPU(struct mem_cpu_stats, mem_cpu_stats);

static inline void mem_stat_add(enum mem_stat s, s64 n)
{
	this_cpu_add(mem_cpu_stats.v[s], n);
}
/* The sum over all CPUs; never negative. */
u64 mem_stat_read(enum mem_stat s);
