/*
 * Page tables of user space: walking, growing, and taking translations away. An entry of level 1 may be
 * a huge page (huge.c).
 *
 * Entries change under page_table_lock. A table is linked in under that lock while mmap_lock is
 * held in any way, and goes away only when mmap_lock is held for writing and no area is left that
 * needs it, after the areas have left their mappings' lists: so whoever holds mmap_lock, or holds a
 * mapping's mmap_lock and reaches the entry through that list, may walk without the spinlock.
 */
#include <lib/log.h>
#include <sched/sched.h>
#include "vma.h"

static struct pte *table_at(struct pte e)
{
	return phys_to_virt(pte_table_paddr(e));
}

struct pte *pt_slot(struct mm *mm, u64 addr)
{
	struct pte *table = arch_mm_root(&mm->arch);

	for (unsigned int level = PT_LEVELS - 1; level > 1; level--) {
		struct pte e = pte_get(&table[pt_index(addr, level)]);

		if (pte_none(e))
			return NULL;
		table = table_at(e);
	}
	return &table[pt_index(addr, 1)];
}

struct pte *pt_lookup(struct mm *mm, u64 addr)
{
	struct pte *slot = pt_slot(mm, addr);

	return slot ? pt_leaf(mm, slot, addr) : NULL;
}

/* Links a new table at slot unless another thread was faster. False: no memory. */
static __noinline bool table_link(struct mm *mm, struct pte *slot)
{
	struct page *p = page_alloc(0, GFP_KERNEL | GFP_ZERO);

	if (!p)
		return false;
	spin_lock(&mm->page_table_lock);
	if (pte_none(pte_get(slot))) {
		pte_set(slot, pte_make_table(page_paddr(p)));
		arch_table_changed(&mm->arch, slot);
		p = NULL;
	}
	spin_unlock(&mm->page_table_lock);
	if (p) {
		page_put(p);
		return true;
	}
	atomic64_add(&mm->pt_pages, 1);
	mem_stat_add(STAT_PAGE_TABLE, 1);
	return true;
}

static __always_inline struct pte *make_slot(struct mm *mm, u64 addr)
{
	struct pte *table = arch_mm_root(&mm->arch);

	for (unsigned int level = PT_LEVELS - 1; level > 1; level--) {
		struct pte *slot = &table[pt_index(addr, level)];

		if (unlikely(pte_none(pte_get(slot))) && !table_link(mm, slot))
			return NULL;
		table = table_at(pte_get(slot));
	}
	return &table[pt_index(addr, 1)];
}

struct pte *pt_make_slot(struct mm *mm, u64 addr)
{
	return make_slot(mm, addr);
}

struct pte *pt_make(struct mm *mm, u64 addr)
{
	struct pte *slot = make_slot(mm, addr);
	struct pte e;

	if (unlikely(!slot))
		return NULL;
	/* A huge page may come and go while nobody holds the lock. */
	for (e = pte_get(slot); unlikely(!pte_is_table(e)); e = pte_get(slot)) {
		if (pte_huge(e))
			(void)huge_split(mm, slot, addr);
		else if (!table_link(mm, slot))
			return NULL;
	}
	return pt_entry(e, addr);
}

void zap_begin(struct zap *z, struct mm *mm)
{
	z->mm = mm;
	z->start = U64_MAX;
	z->end = 0;
	z->nr = 0;
	z->tables = false;
	z->max = ZAP_INLINE_PAGES;
	z->pages = z->inline_pages;
}

static void zap_flush(struct zap *z)
{
	if (z->start < z->end && z->tables)
		arch_tlb_flush_tables(z->mm, z->start, z->end);
	else if (z->start < z->end)
		arch_tlb_flush_range(z->mm, z->start, z->end);
	z->tables = false;
	z->start = U64_MAX;
	z->end = 0;
	for (u32 i = 0; i < z->nr; i++)
		page_put(z->pages[i]);
	z->nr = 0;
}

void zap_end(struct zap *z)
{
	zap_flush(z);
	if (z->pages != z->inline_pages)
		pages_free_virt(z->pages, 0);
}

/* Room for more pages before the next flush: a whole page of pointers once it gets big. */
static bool zap_has_room(struct zap *z, u32 want)
{
	if (z->max - z->nr >= want)
		return true;
	if (z->pages == z->inline_pages) {
		struct page **big = pages_alloc_virt(0, GFP_ATOMIC);

		if (big) {
			for (u32 i = 0; i < z->nr; i++)
				big[i] = z->pages[i];
			z->pages = big;
			z->max = PAGE_SIZE / sizeof(*big);
			return true;
		}
	}
	return false;
}

static void zap_note(struct zap *z, u64 start, u64 end)
{
	z->start = MIN(z->start, start);
	z->end = MAX(z->end, end);
}

/* Takes one present entry away; its page joins the batch. page_table_lock held. */
static void zap_entry(struct zap *z, struct vma *v, struct pte *ptep, struct pte e)
{
	struct page *p = pte_page(e);

	e = pte_xchg(ptep, (struct pte){0});
	if (p == zero_page)
		return;
	if (vma_counts_page(v, p)) {
		rss_add(z->mm, p, -1);
		if (pte_dirty(e) && !page_test(p, PG_ANON))
			page_mark_dirty(p);
	}
	z->pages[z->nr++] = p;
}

/* Part of one leaf table. The address it got to: short of end when the batch is full. */
static u64 zap_leaf(struct zap *z, struct vma *v, struct pte *ptep, u64 addr, u64 end,
		    bool even_private)
{
	u64 first = addr;

	spin_lock(&z->mm->page_table_lock);
	for (; addr < end; addr += PAGE_SIZE, ptep++) {
		struct pte e = pte_get(ptep);

		if (pte_none(e))
			continue;
		if (!even_private && page_test(pte_page(e), PG_ANON))
			continue;
		if (unlikely(z->nr == z->max) && !zap_has_room(z, 1))
			break;
		zap_entry(z, v, ptep, e);
	}
	spin_unlock(&z->mm->page_table_lock);
	zap_note(z, first, addr);
	return addr;
}

/* The entry of level 1 that covers addr, or NULL and *skip: the first address behind the hole. */
static struct pte *next_slot(struct mm *mm, u64 addr, u64 *skip)
{
	struct pte *table = arch_mm_root(&mm->arch);

	for (unsigned int level = PT_LEVELS - 1;; level--) {
		struct pte *slot = &table[pt_index(addr, level)];

		if (pte_none(pte_get(slot))) {
			*skip = ALIGN_DOWN(addr, pt_level_size(level)) + pt_level_size(level);
			return NULL;
		}
		if (level == 1)
			return slot;
		table = table_at(pte_get(slot));
	}
}

/* A huge page, whole. False: it is to be done page by page, or has changed. */
static bool zap_whole(struct zap *z, struct pte *slot, u64 addr, u64 stop)
{
	if (stop - addr != HUGE_PAGE_SIZE)
		return false;
	if (!zap_has_room(z, 2))
		zap_flush(z);
	if (!huge_zap(z, slot))
		return false;
	zap_note(z, addr, stop);
	return true;
}

void zap_range(struct zap *z, struct vma *v, u64 start, u64 end, bool even_private)
{
	u64 addr = start;

	while (addr < end) {
		u64 stop = MIN(ALIGN_DOWN(addr, pt_level_size(1)) + pt_level_size(1), end);
		u64 done;
		struct pte *slot = next_slot(z->mm, addr, &stop), *ptep;

		if (slot && unlikely(pte_huge(pte_get(slot))) && zap_whole(z, slot, addr, stop))
			slot = NULL;
		ptep = slot ? pt_leaf(z->mm, slot, addr) : NULL;
		if (!ptep) {
			addr = stop;
			continue;
		}
		done = zap_leaf(z, v, ptep, addr, stop, even_private);
		if (done < stop)
			zap_flush(z);
		addr = done;
	}
}

static void free_table(struct zap *z, struct pte *slot)
{
	struct page *p = pte_page(pte_get(slot));

	if (!zap_has_room(z, 1))
		zap_flush(z);
	pte_set(slot, (struct pte){0});
	arch_table_changed(&z->mm->arch, slot);
	atomic64_add(&z->mm->pt_pages, -1);
	mem_stat_add(STAT_PAGE_TABLE, -1);
	z->pages[z->nr++] = p;
}

/*
 * Frees the tables below `table` (of the given level, covering from base) that lie in [start, end)
 * and whose whole range lies in [floor, ceiling].
 */
static void free_tables(struct zap *z, struct pte *table, unsigned int level, u64 start, u64 end,
			u64 floor, u64 ceiling)
{
	u64 size = pt_level_size(level);

	for (u64 a = ALIGN_DOWN(start, size); a < end; a += size) {
		struct pte *slot = &table[pt_index(a, level)];

		if (pte_none(pte_get(slot)))
			continue;
		if (level > 1)
			free_tables(z, table_at(pte_get(slot)), level - 1, MAX(a, start),
				    MIN(a + size, end), floor, ceiling);
		if (a >= floor && a + size <= ceiling) {
			free_table(z, slot);
			zap_note(z, MAX(a, start), MIN(a + size, end));
			z->tables = true;
		}
	}
}

void zap_tables(struct zap *z, u64 start, u64 end, u64 floor, u64 ceiling)
{
	/* Beyond the last area, user space may end in the middle of what a table covers. */
	if (ceiling == USER_TOP)
		ceiling = U64_MAX & ~(pt_level_size(PT_LEVELS - 1) - 1);
	free_tables(z, arch_mm_root(&z->mm->arch), PT_LEVELS - 1, start, end, floor, ceiling);
}
