/* Private to slab.c, slab_debug.c and kmalloc.c: the layout of a cache and its checks. */
#pragma once

#include <mm/slab.h>
#include <sync/spinlock.h>
#include "internal.h"

#define MAX_CACHES 96

struct kmem_cache {
	const char *name;
	u32 id;             /* index into the per-CPU lists */
	u32 size;           /* what the caller asked for */
	u32 stride;         /* distance of objects in a slab */
	u32 link;           /* offset of the free-list pointer in a free object */
	u32 order;          /* pages per slab: 2^order */
	u32 per_slab;       /* objects per slab */
	u32 cpu_limit;      /* objects a CPU may hoard */
	bool reclaimable;   /* what a shrinker can free; for the statistics */
	u64 secret;         /* for free-list pointers */
	struct spinlock lock;     /* LOCK_RANK_SLAB; interrupts disabled */
	struct list_head partial; /* lock: slabs with free objects and some in use */
	struct list_head empty;   /* lock: slabs with no object in use */
	u32 nr_empty;             /* lock */
	u64 nr_slabs;             /* lock */
};

/*
 * The pointer in a free object is mixed with a secret of the cache and with its own address: who
 * overwrites it through a stray write cannot choose what is allocated next, and who reads it learns
 * nothing.
 */
static inline u64 *slab_link(const struct kmem_cache *c, void *obj)
{
	return (u64 *)((char *)obj + c->link);
}
static inline void *slab_next(const struct kmem_cache *c, void *obj)
{
	u64 *link = slab_link(c, obj);

	return (void *)(*link ^ c->secret ^ __builtin_bswap64((uptr)link));
}
static inline void slab_set_next(const struct kmem_cache *c, void *obj, const void *next)
{
	u64 *link = slab_link(c, obj);

	*link = (uptr)next ^ c->secret ^ __builtin_bswap64((uptr)link);
}

/* Debug flavours: poison, red zones, double frees. Reports end in panic. */
#ifdef CONFIG_DEBUG
/* Room behind each object for the red zone and the free-list pointer. */
void slab_debug_layout(struct kmem_cache *c, size_t align);
void slab_debug_new(const struct kmem_cache *c, void *obj);   /* object of a fresh slab */
void slab_debug_alloc(const struct kmem_cache *c, void *obj);
void slab_debug_free(const struct kmem_cache *c, void *obj);
#else
static inline void slab_debug_new(const struct kmem_cache *c, void *obj)
{
}
static inline void slab_debug_alloc(const struct kmem_cache *c, void *obj)
{
}
static inline void slab_debug_free(const struct kmem_cache *c, void *obj)
{
}
#endif

/* kmem_cache_alloc for an object of which only the first size bytes are the caller's. */
void *slab_alloc_sized(struct kmem_cache *c, size_t size, unsigned int gfp);
void kmalloc_init(void);
