/*
 * Kernel heap. kmalloc serves any size (slab caches up to 8 KiB, whole pages above); typed caches
 * serve hot objects. Freed memory may be reused at once; rcu-delayed freeing is the caller's.
 */
#pragma once

#include <mm/page.h>

struct kmem_cache;

/* NULL when out of memory. Sleeps unless GFP_ATOMIC. Aligned to 16, or to the size if it is a power of 2. */
void *kmalloc(size_t size, unsigned int gfp);
static inline void *kzalloc(size_t size, unsigned int gfp)
{
	return kmalloc(size, gfp | GFP_ZERO);
}
/* n * size with overflow check. */
void *kmalloc_array(size_t n, size_t size, unsigned int gfp);
void kfree(const void *p); /* NULL is allowed */
char *kstrdup(const char *s, unsigned int gfp);
/* The usable size of an allocation. */
size_t ksize(const void *p);

/* name is for /proc/slabinfo and must stay. Boot or process context; panics only during boot. */
struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align);
/* A shrinker frees this cache's objects under pressure: they count as SReclaimable. Before the first object. */
void kmem_cache_set_reclaimable(struct kmem_cache *c);
void *kmem_cache_alloc(struct kmem_cache *c, unsigned int gfp);
void kmem_cache_free(struct kmem_cache *c, void *p);

/* One cache's figures, for /proc/slabinfo. Objects that a CPU hoards count as active. */
struct slab_info {
	const char *name;
	u64 active, objects, slabs;
	u32 size, per_slab, order;
};
/* The cache with that number, counted from 0; false: there are no more. Any context. */
bool slab_info(u32 index, struct slab_info *info) __must_check;

/* Virtually contiguous memory of any size (whole pages, unmapped guard page behind). May sleep. */
void *vmalloc(size_t size, unsigned int gfp);
void vfree(const void *p);
/* kmalloc when small, vmalloc otherwise. */
void *kvmalloc(size_t size, unsigned int gfp);
void kvfree(const void *p);

/* Kernel stacks with guard pages, from a small per-CPU cache. The lowest address, or NULL. */
void *kernel_stack_alloc(void);
void kernel_stack_free(void *stack);
/* True when addr lies in the guard page of some kernel stack (for the double-fault report). */
bool kernel_stack_guard_hit(uptr addr);

/* Maps device registers uncached. The address or NULL. */
void *ioremap(struct paddr pa, size_t size);
