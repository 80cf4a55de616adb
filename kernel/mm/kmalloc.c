/*
 * The general-purpose heap: kmalloc on slab caches of fixed sizes, and whole pages above them.
 * Also what lib/ needs from its surroundings. Any context with GFP_ATOMIC.
 */
#include <lib/bits.h>
#include <lib/env.h>
#include <lib/log.h>
#include <lib/string.h>
#include <sync/rcu.h>
#include "slab.h"

#define KMALLOC_MAX_CACHE 8192

static const struct {
	const char *name;
	u32 size;
} sizes[] = {
	{"kmalloc-16", 16},     {"kmalloc-32", 32},     {"kmalloc-64", 64},
	{"kmalloc-96", 96},     {"kmalloc-128", 128},   {"kmalloc-192", 192},
	{"kmalloc-256", 256},   {"kmalloc-512", 512},   {"kmalloc-1k", 1024},
	{"kmalloc-2k", 2048},   {"kmalloc-4k", 4096},   {"kmalloc-8k", 8192},
};

static struct kmem_cache *caches[ARRAY_SIZE(sizes)] __ro_after_init;
/* Index into caches for (size + 15) / 16 up to 192 bytes, and for log2 above. */
static u8 small_index[192 / 16 + 1] __ro_after_init;

void kmalloc_init(void)
{
	unsigned int c = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		u32 size = sizes[i].size;
		bool power = !(size & (size - 1));

		caches[i] = kmem_cache_create(sizes[i].name, size, power ? size > PAGE_SIZE ?
					      PAGE_SIZE : size : 16);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(small_index); i++) {
		while (i * 16 > sizes[c].size)
			c++;
		small_index[i] = c;
	}
}

static struct kmem_cache *cache_for(size_t size)
{
	if (size <= 192)
		return caches[small_index[(size + 15) / 16]];
	return caches[log2_ceil(size) - 8 + 6]; /* 256 is caches[6] */
}

static unsigned int order_for(size_t size)
{
	return log2_ceil((size + PAGE_SIZE - 1) >> PAGE_SHIFT);
}

void *kmalloc(size_t size, unsigned int gfp)
{
	if (likely(size <= KMALLOC_MAX_CACHE))
		return slab_alloc_sized(cache_for(size), size, gfp);
	if (size > PAGE_SIZE << MAX_ORDER)
		return NULL;
	return pages_alloc_virt(order_for(size), gfp);
}

void *kmalloc_array(size_t n, size_t size, unsigned int gfp)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return kmalloc(bytes, gfp);
}

void kfree(const void *p)
{
	struct page *pg;

	if (!p)
		return;
	pg = page_of(p);
	if (likely(page_test(pg, PG_SLAB))) {
		kmem_cache_free(pg->private, (void *)p);
		return;
	}
	BUG_ON(!page_test(pg, PG_COMPOUND) || !IS_ALIGNED((uptr)p, PAGE_SIZE));
	page_put(pg);
}

char *kstrdup(const char *s, unsigned int gfp)
{
	size_t n = strlen(s) + 1;
	char *copy = kmalloc(n, gfp);

	return copy ? memcpy(copy, s, n) : NULL;
}

size_t ksize(const void *p)
{
	const struct page *pg;

	if (!p)
		return 0;
	pg = page_of(p);
	if (page_test(pg, PG_SLAB)) {
		const struct kmem_cache *c = pg->private;

		kasan_unpoison(p, c->size);
		return c->size;
	}
	return PAGE_SIZE << pg->order;
}

void *lib_alloc(size_t size)
{
	return kzalloc(size, GFP_ATOMIC);
}

void lib_free(void *p)
{
	kfree(p);
}

/* The queue's link lies in the object's first bytes (see lib/env.h). */
static void lib_free_now(struct rcu_head *head)
{
	kfree(head);
}

void lib_free_rcu(void *p)
{
	if (p)
		rcu_call(p, lib_free_now);
}
