/*
 * From file pages to the address spaces that map them: truncation and hole punching take the
 * translations away everywhere, writing to the store makes them read-only. Process context.
 */
#include <lib/log.h>
#include "vma.h"

/* The part of v that shows pages [first, last] of the file; false when there is none. */
static bool overlap(const struct vma *v, u64 first, u64 last, u64 *start, u64 *end)
{
	u64 v_last = v->pgoff + vma_pages(v) - 1;
	u64 lo = MAX(first, v->pgoff), hi = MIN(last, v_last);

	if (lo > hi)
		return false;
	*start = v->start + ((lo - v->pgoff) << PAGE_SHIFT);
	*end = v->start + ((hi - v->pgoff + 1) << PAGE_SHIFT);
	return true;
}

void mapping_unmap_range(struct mapping *m, u64 first, u64 last, bool even_private)
{
	struct vma *v;
	u64 start, end;

	rwsem_read_lock(&m->mmap_lock);
	list_for_each(v, &m->mmap_list, mapping_node) {
		struct zap z;

		if (!overlap(v, first, last, &start, &end))
			continue;
		zap_begin(&z, v->mm);
		zap_range(&z, v, start, end, even_private);
		zap_end(&z);
	}
	rwsem_read_unlock(&m->mmap_lock);
}

/* The translations of v for [start, end) lose the right to write. */
static void protect(struct vma *v, u64 start, u64 end)
{
	bool changed = false;

	spin_lock(&v->mm->page_table_lock);
	for (u64 addr = start; addr < end; addr += PAGE_SIZE) {
		struct pte *ptep = pt_lookup(v->mm, addr);
		struct pte e;

		if (!ptep)
			continue;
		e = pte_get(ptep);
		if (!pte_present(e) || !pte_writable(e) || page_test(pte_page(e), PG_ANON))
			continue;
		pte_set(ptep, pte_make(pte_paddr(e), (vma_prot(v) & ~PTE_WRITE) | PTE_YOUNG));
		changed = true;
	}
	spin_unlock(&v->mm->page_table_lock);
	if (changed)
		arch_tlb_flush_range(v->mm, start, end);
}

void mapping_protect_range(struct mapping *m, u64 first, u64 last)
{
	struct vma *v;
	u64 start, end;

	rwsem_read_lock(&m->mmap_lock);
	list_for_each(v, &m->mmap_list, mapping_node)
		if (v->flags & VMA_SHARED && overlap(v, first, last, &start, &end))
			protect(v, start, end);
	rwsem_read_unlock(&m->mmap_lock);
}
