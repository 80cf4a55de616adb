/* Private to kernel/mm: areas, their tree, page tables and the batch of a removal. */
#pragma once

#include <mm/mm.h>
#include <mm/page_cache.h>
#include "internal.h"

struct inode;

/* ---- vma.c: the tree of areas. mmap_lock held for writing unless said otherwise ---- */

void vma_cache_init(void);
struct vma *vma_alloc(struct mm *mm);
/* Drops what the area holds (file, private) and frees it. It is in no tree. */
void vma_free(struct vma *v);
/* A copy of v with its own references; in no tree. NULL: no memory. */
struct vma *vma_copy(const struct vma *v, struct mm *mm);
void vma_link(struct mm *mm, struct vma *v);
/*
 * For fork: the child's copy stands behind the parent's area in the mapping's list. A truncation
 * visits the parent first, so what fork copied before that visit is found in the child after it.
 */
void vma_link_copy(struct mm *mm, struct vma *copy, struct vma *of);
/* Into the tree, or a neighbour takes its place and v is freed. */
void vma_insert(struct mm *mm, struct vma *v);
/* v's neighbours are prev and next, or NULL. */
void vma_unlink(struct mm *mm, struct vma *v, struct vma *prev, struct vma *next);
/* Only off the mapping's list: the last step before its tables may go. */
void vma_unlist(struct vma *v);
/* Moves the borders; the neighbours leave room. pgoff follows start. */
void vma_set_bounds(struct vma *v, u64 start, u64 end);
/* Cuts v at addr: v keeps the lower part, the upper one is new and returned. NULL: no memory. */
struct vma *vma_split(struct vma *v, u64 addr);
/* vma_split, if the area and the limit on areas allow it. 0, -EINVAL or -ENOMEM. */
int vma_cut(struct mm *mm, struct vma *v, u64 addr) __must_check;
/* Makes sure that an area border lies at addr, if an area contains it. Errors as above. */
int vma_split_at(struct mm *mm, u64 addr) __must_check;
/* Joins v with equal neighbours; the area that holds v's addresses now. */
struct vma *vma_coalesce(struct mm *mm, struct vma *v);
/* True when an area like `like` that follows directly behind v could be part of v. */
bool vma_can_append(const struct vma *v, const struct vma *like);
struct vma *vma_prev(const struct vma *v);
/* The first area that overlaps [start, end), or NULL. mmap_lock held in any way. */
struct vma *vma_find_overlap(struct mm *mm, u64 start, u64 end);
/* Room for len bytes below `high` (above `low`): the highest. Or the lowest at or above low. */
bool vma_gap_highest(const struct mm *mm, u64 low, u64 high, u64 len, u64 *addr);
bool vma_gap_lowest(const struct mm *mm, u64 low, u64 high, u64 len, u64 *addr);
/* Where the pages of a file or shared area live; NULL for private anonymous memory. */
struct mapping *vma_mapping(const struct vma *v);

static inline u64 vma_pages(const struct vma *v)
{
	return (v->end - v->start) >> PAGE_SHIFT;
}

static inline u64 vma_pgoff_of(const struct vma *v, u64 addr)
{
	return v->pgoff + ((addr - v->start) >> PAGE_SHIFT);
}

/*
 * VMA_READ, WRITE and EXEC are the PTE_ bits of the same names. What can be written can be read: without that,
 * a page that must not be written yet would not be present at all.
 */
static inline unsigned int vma_prot(const struct vma *v)
{
	static_assert(VMA_READ == PTE_READ && VMA_WRITE == PTE_WRITE && VMA_EXEC == PTE_EXEC,
		      "protection bits");
	return (v->flags & (VMA_READ | VMA_WRITE | VMA_EXEC)) | (v->flags & VMA_WRITE ? PTE_READ : 0) | PTE_USER;
}

/* Is p part of the resident set? The kernel's own pages are not; a private copy of one is. */
static inline bool vma_counts_page(const struct vma *v, const struct page *p)
{
	return !(v->flags & VMA_SPECIAL) || page_test(p, PG_ANON);
}

static inline bool vma_is_private_writable(u32 flags)
{
	return (flags & (VMA_WRITE | VMA_SHARED)) == VMA_WRITE;
}

/* ---- tables.c: page tables. mmap_lock held ---- */

/* The leaf entry for addr; NULL when the table does not exist. A huge page is split. No page_table_lock. */
struct pte *pt_lookup(struct mm *mm, u64 addr);
/* The same, with tables made as needed. NULL: no memory. May sleep. */
struct pte *pt_make(struct mm *mm, u64 addr);
/* The entry of level 1 that covers addr: none, a table, or a huge page; NULL as above. */
struct pte *pt_slot(struct mm *mm, u64 addr);
struct pte *pt_make_slot(struct mm *mm, u64 addr);
/* The leaf entry for addr in the table of e. */
static inline struct pte *pt_entry(struct pte e, u64 addr)
{
	return (struct pte *)phys_to_virt(pte_table_paddr(e)) + pt_index(addr, 0);
}
static inline struct page *pte_page(struct pte e)
{
	return page_from_paddr(pte_paddr(e));
}

/*
 * A removal of translations: pages are collected and given back only after the TLBs are flushed,
 * so that nobody can reach a page that has a new owner.
 */
#define ZAP_INLINE_PAGES 24
struct zap {
	struct mm *mm;
	u64 start, end;     /* what has to be flushed; empty: start >= end */
	bool tables;        /* page tables are among the pages */
	u32 nr, max;
	struct page **pages;
	struct page *inline_pages[ZAP_INLINE_PAGES];
};
void zap_begin(struct zap *z, struct mm *mm);
/* Removes the pages in [start, end) of area v. even_private: anonymous copies too. */
void zap_range(struct zap *z, struct vma *v, u64 start, u64 end, bool even_private);
/* Frees the tables for [start, end) that serve nothing outside (floor, ceiling). */
void zap_tables(struct zap *z, u64 start, u64 end, u64 floor, u64 ceiling);
/* Flushes and gives the pages back. */
void zap_end(struct zap *z);

/* ---- huge.c: 2 MiB pages. mmap_lock held, page_table_lock not; slot: an entry of level 1 ---- */

bool huge_fits(const struct vma *v, u64 addr);
/* Into small pages. What slot holds now: a table or nothing. */
struct pte huge_split(struct mm *mm, struct pte *slot, u64 addr);
/* The leaf entry for addr below slot; NULL: there is none. Splits a huge page. */
static inline struct pte *pt_leaf(struct mm *mm, struct pte *slot, u64 addr)
{
	struct pte e = pte_get(slot);

	if (unlikely(!pte_is_table(e))) {
		if (pte_huge(e))
			e = huge_split(mm, slot, addr);
		if (pte_none(e))
			return NULL;
	}
	return pt_entry(e, addr);
}
/* May addr be part of a huge page? */
static inline bool huge_wanted(const struct vma *v, u64 addr)
{
	return unlikely(READ_ONCE(huge_mode) != HUGE_NEVER) && huge_fits(v, addr);
}
/* True: the page is there. False: the fault is one for a small page. */
bool huge_fault(struct mm *mm, struct vma *v, u64 addr, bool write);
/* False, and nothing done: it is no huge page any more. */
bool huge_zap(struct zap *z, struct pte *slot); /* z has room for two pages */
bool huge_protect(struct mm *mm, const struct vma *v, struct pte *slot);
/* Carries the page at `from` over, if both are aligned, it is a huge one, and there is no table. */
bool huge_move(struct mm *mm, u64 from, u64 to);

/* ---- fault.c ---- */

/*
 * Makes the page at addr of area v accessible (FAULT_WRITE: writable). mmap_lock held, the access
 * is allowed by v's flags or by force. 0, -ENOMEM, -EFAULT (beyond the file), -EIO.
 */
int fault_page(struct mm *mm, struct vma *v, u64 addr, unsigned int access) __must_check;
/* Counts n small pages, all like p, that were mapped into (n > 0) or removed from an address space. */
void rss_add(struct mm *mm, const struct page *p, s64 n);
/* Faults in all of [start, end), as far as it is mapped. Takes mmap_lock. 0 or the first error. */
int mm_populate(struct mm *mm, u64 start, u64 end) __must_check;

/* ---- mm.c ---- */

void mm_note_peak(struct mm *mm);

/* ---- mmap.c, account.c, unmapped.c ---- */

/*
 * Removes [start, end): areas, pages, tables. mmap_lock held for writing. 0, -ENOMEM, or -EINVAL
 * when the range is empty or leaves user space.
 */
int unmap_locked(struct mm *mm, u64 start, u64 end) __must_check;
void mm_count_vma(struct mm *mm, u32 flags, s64 pages);
/* RLIMIT_AS and RLIMIT_DATA. */
bool mm_may_expand(const struct mm *mm, u32 flags, u64 pages);
/* 0 or -EAGAIN: RLIMIT_MEMLOCK. */
int mm_may_lock(const struct mm *mm, u32 flags, u64 pages) __must_check;
/* False: RLIMIT_MEMLOCK forbids all locking. */
bool mm_can_lock(void);
/* Counts pages against the commit limit. 0 or -ENOMEM. */
int commit_charge(struct mm *mm, u64 pages) __must_check;
void commit_uncharge(struct mm *mm, u64 pages);
/* True when private writable pages of such an area are charged. */
bool vma_is_accountable(u32 flags);
/* Finds an address for len bytes. flags MAP_*. 0, -ENOMEM, -EINVAL, -EPERM. */
int mm_unmapped_area(struct mm *mm, u64 addr, u64 len, u64 flags, u64 *out) __must_check;

/* ---- range.c ---- */

/*
 * Gives the part of area *v inside [start, end) new flags; it gets an area of its own if needed,
 * and joins equal neighbours. *v: the area that holds it afterwards. mmap_lock held for writing.
 */
int vma_change(struct mm *mm, struct vma **v, u64 start, u64 end, u32 flags) __must_check;
/* RLIMIT_DATA alone. */
bool mm_may_expand_data(const struct mm *mm, u64 pages);

/* ---- anon_shared.c ---- */

/* The mapping of such an area, or NULL when v is none. */
struct mapping *anon_shared_mapping(const struct vma *v);
