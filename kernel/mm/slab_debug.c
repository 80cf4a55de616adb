/*
 * Checks on slab objects in the debug flavours. Behind each object lie a red zone and the
 * free-list pointer:
 *
 *     | object: size bytes | red zone: >= 8 bytes | link: 8 bytes | padding to the alignment |
 *
 * The red zone also tells whether the object is free. A free object is filled with poison, and the
 * next allocation checks that nobody wrote to it meanwhile. No locks: the object belongs to the
 * caller. Every finding is a kernel bug and ends in a panic.
 */
#include <lib/log.h>
#include <lib/string.h>
#include "slab.h"

#ifdef CONFIG_DEBUG

#define ZONE_FREE   0xbb
#define ZONE_ACTIVE 0xcc

void slab_debug_layout(struct kmem_cache *c, size_t align)
{
	c->link = ALIGN_UP(c->size, 8) + 8;
	c->stride = ALIGN_UP(c->link + 8, align);
}

static void zone_fill(const struct kmem_cache *c, void *obj, u8 value)
{
	memset((char *)obj + c->size, value, c->link - c->size);
}

static bool all_bytes(const u8 *p, size_t n, u8 value)
{
	while (n && ((uptr)p & 7)) {
		if (*p != value)
			return false;
		p++;
		n--;
	}
	for (; n >= 8; p += 8, n -= 8)
		if (*(const u64 *)p != value * 0x0101010101010101ULL)
			return false;
	for (; n; p++, n--)
		if (*p != value)
			return false;
	return true;
}

static bool zone_is(const struct kmem_cache *c, const void *obj, u8 value)
{
	return all_bytes((const u8 *)obj + c->size, c->link - c->size, value);
}

void slab_debug_new(const struct kmem_cache *c, void *obj)
{
	memset(obj, POISON_BYTE, c->size);
	zone_fill(c, obj, ZONE_FREE);
}

static __noreturn __cold void panic_written(const struct kmem_cache *c, const u8 *obj)
{
	size_t at = 0;

	while (at < c->size - 1 && obj[at] == POISON_BYTE)
		at++;
	panic("slab %s: object %p was written after it was freed, at offset %zu: 0x%02x", c->name, obj, at,
	      obj[at]);
}

void slab_debug_alloc(const struct kmem_cache *c, void *obj)
{
	if (!zone_is(c, obj, ZONE_FREE))
		panic("slab %s: red zone of free object %p damaged", c->name, obj);
	if (!all_bytes(obj, c->size, POISON_BYTE))
		panic_written(c, obj);
	zone_fill(c, obj, ZONE_ACTIVE);
}

void slab_debug_free(const struct kmem_cache *c, void *obj)
{
	const struct page *p = page_of(obj);
	uptr start = (uptr)page_address(p - p->index);

	if (((uptr)obj - start) % c->stride)
		panic("slab %s: free of %p, which is no object", c->name, obj);
	if (zone_is(c, obj, ZONE_FREE))
		panic("slab %s: object %p freed twice", c->name, obj);
	if (!zone_is(c, obj, ZONE_ACTIVE))
		panic("slab %s: write past the end of object %p", c->name, obj);
	memset(obj, POISON_BYTE, c->size);
	zone_fill(c, obj, ZONE_FREE);
}

#endif
