/* In-kernel tests of the heap, virtually contiguous memory and kernel stacks. */
#include <arch/context.h>
#include <lib/ktest.h>
#include <lib/string.h>
#include "../slab.h"
#include "../internal.h"

#define N 300

static void *objects[N];

KTEST(kmalloc_objects_do_not_overlap)
{
	for (int i = 0; i < N; i++) {
		objects[i] = kmalloc(i + 1, GFP_KERNEL);
		EXPECT(objects[i]);
		memset(objects[i], i, i + 1);
	}
	for (int i = 0; i < N; i++) {
		const u8 *p = objects[i];

		EXPECT(p[0] == (u8)i && p[i] == (u8)i);
		EXPECT(ksize(p) >= (size_t)i + 1);
		kfree(p);
	}
}

KTEST(kmalloc_aligns_powers_of_two)
{
	for (size_t size = 16; size <= 65536; size *= 2) {
		void *p = kmalloc(size, GFP_KERNEL);

		EXPECT(p && IS_ALIGNED((uptr)p, MIN(size, (size_t)PAGE_SIZE)));
		kfree(p);
	}
}

KTEST(kzalloc_returns_zeroes_after_reuse)
{
	for (int round = 0; round < 20; round++) {
		u8 *p = kzalloc(200, GFP_KERNEL);

		for (int i = 0; i < 200; i++)
			EXPECT(!p[i]);
		memset(p, 0xff, 200);
		kfree(p);
	}
}

KTEST(kmalloc_array_rejects_overflow)
{
	EXPECT(!kmalloc_array(1ULL << 33, 1ULL << 33, GFP_ATOMIC));
	EXPECT(!kmalloc((size_t)-1, GFP_ATOMIC));
}

KTEST(cache_returns_its_memory)
{
	static struct kmem_cache *c;
	u64 before;

	if (!c)
		c = kmem_cache_create("ktest", 120, 8);
	slab_reclaim();
	before = mem_stat_read(STAT_SLAB);
	for (int i = 0; i < N; i++)
		objects[i] = kmem_cache_alloc(c, GFP_KERNEL | GFP_ZERO);
	EXPECT(mem_stat_read(STAT_SLAB) > before);
	for (int i = 0; i < N; i++)
		kmem_cache_free(c, objects[i]);
	slab_reclaim();
#ifndef CONFIG_KASAN /* there the quarantine keeps them */
	EXPECT(mem_stat_read(STAT_SLAB) <= before + 2);
#endif
}

KTEST(vmalloc_is_contiguous_and_reused)
{
	u64 size = 300 * 1024, before = mem_stat_read(STAT_VMALLOC);
	u8 *p = vmalloc(size, GFP_KERNEL | GFP_ZERO), *q;

	EXPECT(p);
	for (u64 i = 0; i < size; i += PAGE_SIZE)
		EXPECT(!p[i]);
	memset(p, 0x5a, size);
	EXPECT(p[size - 1] == 0x5a);
	q = vmalloc(size, GFP_KERNEL);
	EXPECT(q && (q >= p + size + PAGE_SIZE || q + size + PAGE_SIZE <= p));
	vfree(p);
	p = vmalloc(PAGE_SIZE, GFP_KERNEL);
	EXPECT(p);
	vfree(p);
	vfree(q);
	EXPECT(mem_stat_read(STAT_VMALLOC) == before);
}

KTEST(kernel_stacks_have_guards)
{
	u8 *s = kernel_stack_alloc();

	EXPECT(s && IS_ALIGNED((uptr)s, KERNEL_STACK_SIZE));
	s[0] = s[KERNEL_STACK_SIZE - 1] = 1;
	EXPECT(kernel_stack_guard_hit((uptr)s - 1));
	EXPECT(!kernel_stack_guard_hit((uptr)s));
	kernel_stack_free(s);
}

#ifdef CONFIG_KASAN
static u8 lonely[13], other[8];

static __noinline bool poisoned_behind(size_t i)
{
	volatile u8 local[21];

	local[0] = 0;
	return kasan_is_poisoned((u8 *)local + i);
}

KTEST(kasan_sees_the_end_of_variables)
{
	EXPECT(!kasan_is_poisoned(lonely + 12) && kasan_is_poisoned(lonely + 13));
	EXPECT(!kasan_is_poisoned(other + 7) && kasan_is_poisoned(other + 8));
	EXPECT(!poisoned_behind(20) && poisoned_behind(21) && poisoned_behind(-1UL));
}

KTEST(kasan_stacks_begin_clean)
{
	u8 *s = kernel_stack_alloc();

	EXPECT(s);
	kasan_poison(s + 64, 64, KASAN_STACK_MID);
	EXPECT(kasan_is_poisoned(s + 64));
	kernel_stack_free(s);
	EXPECT(kernel_stack_alloc() == s && !kasan_is_poisoned(s + 64));
	kernel_stack_free(s);
}

KTEST(kasan_poisons_what_is_not_ours)
{
	u8 *p = kmalloc(37, GFP_KERNEL);
	struct page *page = page_alloc(0, GFP_KERNEL);
	u8 *va = page_address(page);

	EXPECT(!kasan_is_poisoned(p) && !kasan_is_poisoned(p + 36));
	EXPECT(kasan_is_poisoned(p + 37) && kasan_is_poisoned(p + 63));
	kfree(p);
	EXPECT(kasan_is_poisoned(p) && kasan_is_poisoned(p + 36));
	EXPECT(!kasan_is_poisoned(va));
	page_put(page);
	EXPECT(kasan_is_poisoned(va));
}
#endif

#ifndef CONFIG_KASAN /* there, freed objects wait elsewhere and may not be read */
KTEST(slab_free_lists_show_no_addresses)
{
	struct kmem_cache *c = kmem_cache_create("test-secret", 64, 8);
	void *a = kmem_cache_alloc(c, GFP_KERNEL), *b = kmem_cache_alloc(c, GFP_KERNEL);
	u64 stored;

	EXPECT(a && b);
	kmem_cache_free(c, a);
	kmem_cache_free(c, b);
	stored = *(volatile u64 *)((char *)b + c->link); /* b is linked to a */
	EXPECT(stored != (uptr)a && stored >> 47 != (uptr)a >> 47);
	EXPECT(slab_next(c, b) == a);
}
#endif

KTEST(slab_span_stays_in_its_object)
{
	char *p = kmalloc(96, GFP_KERNEL);
	const struct page *page = page_of(p);

	EXPECT(slab_span_ok(page, p, 96));
	EXPECT(slab_span_ok(page, p + 40, 56));
	EXPECT(slab_span_ok(page, p + 96, 0));
	EXPECT(!slab_span_ok(page, p, 97));
	EXPECT(!slab_span_ok(page, p + 90, 7));
	kfree(p);
}
