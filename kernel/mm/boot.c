/*
 * From boot_info to a working allocator. The page array (and the sanitizer's shadow) are carved
 * out of the first usable range that has room; everything else that is usable and not occupied by
 * the kernel or the initrd goes to the buddy lists. The first MiB stays out until all CPUs run:
 * firmware tables and their start-up code live there; its first 64 KiB are never used.
 *
 * Runs once on CPU 0 with interrupts disabled; needs the direct map of all usable memory.
 */
#include <boot/boot_info.h>
#include <boot/init.h>
#include <lib/log.h>
#include <lib/string.h>
#include "internal.h"

unsigned int gfp_always __ro_after_init;

#define LOW_MEMORY_START 0x10000ULL
#define LOW_MEMORY_END   0x100000ULL

struct span {
	u64 start, end;
};

#define MAX_TAKEN 5
static struct span taken[MAX_TAKEN];
static unsigned int nr_taken;

static void take_span(u64 start, u64 size)
{
	BUG_ON(nr_taken == MAX_TAKEN);
	taken[nr_taken++] = (struct span){ALIGN_DOWN(start, PAGE_SIZE),
					  ALIGN_UP(start + size, PAGE_SIZE)};
}

/*
 * The first stretch of free memory at or after *pos inside the usable range r; false at its end.
 * *pos moves behind it.
 */
static bool next_free(const struct mem_range *r, u64 *pos, struct span *out)
{
	u64 end = ALIGN_DOWN(r->start.v + r->size, PAGE_SIZE);
	u64 start = MAX(ALIGN_UP(MAX(r->start.v, *pos), PAGE_SIZE), LOW_MEMORY_END);
	bool moved;

	do {
		moved = false;
		for (unsigned int i = 0; i < nr_taken; i++) {
			if (start >= taken[i].start && start < taken[i].end) {
				start = taken[i].end;
				moved = true;
			}
		}
	} while (moved);
	if (start >= end)
		return false;
	for (unsigned int i = 0; i < nr_taken; i++)
		if (taken[i].start > start && taken[i].start < end)
			end = taken[i].start;
	*out = (struct span){start, end};
	*pos = end;
	return true;
}

/* Zeroed, page-aligned memory that is never given back. */
static void *carve(u64 size)
{
	struct span s;

	for (u32 i = 0; i < boot_info.nr_mem; i++) {
		u64 pos = 0;

		if (boot_info.mem[i].kind != MEM_USABLE)
			continue;
		while (next_free(&boot_info.mem[i], &pos, &s)) {
			if (s.end - s.start < ALIGN_UP(size, PAGE_SIZE))
				continue;
			take_span(s.start, size);
			for (u64 off = 0; off < size; off += PAGE_SIZE)
				arch_clear_page(phys_to_virt(PADDR(s.start + off)));
			return phys_to_virt(PADDR(s.start));
		}
	}
	panic("no room for %llu bytes of page structures", size);
}

static u64 highest_frame(void)
{
	u64 top = 0;

	for (u32 i = 0; i < boot_info.nr_mem; i++) {
		const struct mem_range *r = &boot_info.mem[i];

		if (r->kind == MEM_USABLE)
			top = MAX(top, (r->start.v + r->size) >> PAGE_SHIFT);
	}
	return top;
}

static void add_free_memory(void)
{
	struct span s;

	for (u32 i = 0; i < boot_info.nr_mem; i++) {
		u64 pos = 0;

		if (boot_info.mem[i].kind != MEM_USABLE)
			continue;
		while (next_free(&boot_info.mem[i], &pos, &s))
			buddy_add_range(s.start >> PAGE_SHIFT, s.end >> PAGE_SHIFT);
	}
}

/* Pages of the image may be mapped into processes (vDSO): their counts never reach 0. */
static void reserve_image(void)
{
	for (u64 pa = boot_info.kernel_start.v; pa < boot_info.kernel_end.v; pa += PAGE_SIZE) {
		struct page *p = page_from_paddr(PADDR(pa));

		p->flags = BIT(PG_RESERVED);
		ref_init(&p->ref);
	}
}

u64 nr_frames __ro_after_init;

void mm_boot_init(void)
{
	u64 frames = highest_frame(), zero = 0;

	frames = nr_frames = MAX(frames, boot_info.kernel_end.v >> PAGE_SHIFT);
	take_span(boot_info.kernel_start.v, boot_info.kernel_end.v - boot_info.kernel_start.v);
	if (boot_info.initrd_size)
		take_span(boot_info.initrd.v, boot_info.initrd_size);
	page_array = carve(frames * sizeof(struct page));
#ifdef CONFIG_KASAN
	kasan_init(carve(kasan_shadow_size(frames)), carve(kasan_shadow_tables(frames) * PAGE_SIZE), frames);
#endif
	reserve_image();
	add_free_memory();
	if (boot_option_u64("init_on_alloc", &zero) && zero)
		gfp_always = GFP_ZERO;
	slab_init();
	page_cache_init();
	mm_init();
	zero_page = page_alloc(0, GFP_ZERO);
	BUG_ON(!zero_page);
	page_set(zero_page, PG_RESERVED);
}

void mm_free_boot_memory(struct paddr start, struct paddr end)
{
	u64 first = ALIGN_UP(start.v, PAGE_SIZE) >> PAGE_SHIFT;
	u64 last = ALIGN_DOWN(end.v, PAGE_SIZE) >> PAGE_SHIFT;

	if (first >= last)
		return;
	memset(page_array + first, 0, (last - first) * sizeof(struct page));
	buddy_add_range(first, last);
}

static int free_low_memory(void)
{
	for (u32 i = 0; i < boot_info.nr_mem; i++) {
		const struct mem_range *r = &boot_info.mem[i];
		u64 start = MAX(r->start.v, LOW_MEMORY_START);
		u64 end = MIN(r->start.v + r->size, LOW_MEMORY_END);

		if (r->kind == MEM_USABLE && start < end)
			mm_free_boot_memory(PADDR(start), PADDR(end));
	}
	return 0;
}
INIT_CALL(INIT_LATE, free_low_memory);
