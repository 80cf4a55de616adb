/*
 * What areas hold, for /proc/PID/smaps, pagemap and clear_refs: read from the page tables, a leaf
 * table at a time. The entries may change meanwhile, so sums are as good as their moment.
 */
#include <lib/string.h>
#include "vma.h"

/* Address spaces that map the page: anonymous pages count them by references. */
static u32 mappers(const struct page *p)
{
	int n = page_test(p, PG_ANON) ? ref_read(&p->ref) : atomic_read(&p->mapcount);

	return n > 1 ? (u32)n : 1;
}

static void count_page(struct vma_usage *u, struct pte e, u64 size)
{
	const struct page *p = pte_page(e);
	bool dirty = pte_dirty(e) || page_test(p, PG_DIRTY);
	u32 n;
	u64 share;

	if (p == zero_page)
		return;
	n = mappers(p);
	share = (size << VMA_USAGE_SHIFT) / n;
	u->rss += size;
	u->pss += share;
	if (dirty)
		u->pss_dirty += share;
	if (pte_huge(e))
		u->anon_huge += size;
	if (page_test(p, PG_ANON)) {
		u->anonymous += size;
		u->pss_anon += share;
	} else if (page_test(p, PG_SHMEM)) {
		u->pss_shmem += share;
	} else {
		u->pss_file += share;
	}
	if (pte_young(e))
		u->referenced += size;
	if (n > 1)
		*(dirty ? &u->shared_dirty : &u->shared_clean) += size;
	else
		*(dirty ? &u->private_dirty : &u->private_clean) += size;
}

typedef void (*entry_fn)(struct pte *at, u64 addr, u64 size, void *ctx);

/* Calls fn for each entry of [start, end) that is there, once for all of a huge page, with the page tables locked. */
static void walk(struct mm *mm, u64 start, u64 end, entry_fn fn, void *ctx)
{
	u64 table = pt_level_size(1);

	for (u64 addr = start; addr < end;) {
		u64 stop = MIN(ALIGN_DOWN(addr, table) + table, end);
		struct pte *slot = pt_slot(mm, addr), *at;
		struct pte e;

		if (!slot || pte_none(pte_get(slot))) {
			addr = stop;
			continue;
		}
		spin_lock(&mm->page_table_lock);
		e = pte_get(slot);
		if (pte_huge(e))
			fn(slot, addr, stop - addr, ctx);
		if (!pte_is_table(e))
			addr = stop;
		for (at = pt_entry(e, addr); addr < stop; addr += PAGE_SIZE, at++)
			if (pte_present(pte_get(at)))
				fn(at, addr, PAGE_SIZE, ctx);
		spin_unlock(&mm->page_table_lock);
	}
}

static void usage_entry(struct pte *at, u64 addr, u64 size, void *ctx)
{
	count_page(ctx, pte_get(at), size);
}

void vma_usage(struct vma *v, struct vma_usage *u)
{
	if (v->flags & VMA_SPECIAL)
		return; /* the kernel's own pages */
	walk(v->mm, v->start, v->end, usage_entry, u);
}

struct pagemap {
	u64 start;
	u64 *out;
	bool frames;
};

static void pagemap_entry(struct pte *at, u64 addr, u64 size, void *ctx)
{
	struct pagemap *m = ctx;
	struct pte e = pte_get(at);
	const struct page *p = pte_page(e);
	u64 word = PAGEMAP_PRESENT, frame = pte_paddr(e).v >> PAGE_SHIFT;

	if (pte_huge(e))
		frame += (addr % HUGE_PAGE_SIZE) >> PAGE_SHIFT;
	if (!page_test(p, PG_ANON) && p != zero_page)
		word |= PAGEMAP_FILE;
	if (mappers(p) == 1 && p != zero_page)
		word |= PAGEMAP_EXCLUSIVE;
	for (u64 i = 0; i < size >> PAGE_SHIFT; i++)
		m->out[((addr - m->start) >> PAGE_SHIFT) + i] = word | (m->frames ? frame + i : 0);
}

void mm_pagemap(struct mm *mm, u64 addr, u32 nr, bool frames, u64 *out)
{
	struct pagemap m = {.start = addr, .out = out, .frames = frames};

	memset(out, 0, nr * sizeof(*out));
	rwsem_read_lock(&mm->mmap_lock);
	for (struct vma *v = vma_find(mm, addr); v && v->start < addr + nr * PAGE_SIZE;
	     v = vma_next(v))
		walk(mm, MAX(v->start, addr), MIN(v->end, addr + nr * PAGE_SIZE), pagemap_entry, &m);
	rwsem_read_unlock(&mm->mmap_lock);
}

/* The processor sets the bits of an entry meanwhile. */
static void age_entry(struct pte *at, u64 addr, u64 size, void *ctx)
{
	struct pte e = pte_get(at);

	while (pte_young(e) && !pte_cmpxchg(at, &e, pte_mkold(e)))
		;
}

void mm_clear_young(struct mm *mm, bool anonymous, bool files)
{
	rwsem_read_lock(&mm->mmap_lock);
	for (struct vma *v = vma_first(mm); v; v = vma_next(v))
		if (v->file ? files : anonymous)
			walk(mm, v->start, v->end, age_entry, NULL);
	arch_tlb_flush_range(mm, 0, USER_TOP);
	rwsem_read_unlock(&mm->mmap_lock);
}

void mm_reset_peak_rss(struct mm *mm)
{
	WRITE_ONCE(mm->peak_rss_pages, mm_rss_pages(mm));
}
