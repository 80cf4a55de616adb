/*
 * 2 MiB pages of private anonymous memory, which Linux calls transparent huge pages: the first write to a
 * part of an area that holds all of an aligned 2 MiB gets them at once, if there is such a block.
 *
 * A huge page has one reference, that of its one entry in a table of level 1. Whoever wants a part of it,
 * for fork, to pin it, to unmap or protect it, splits it into 4 KiB pages first: pt_lookup and pt_make
 * do. So no other code meets one, and the rules for sharing are those of small pages. Whole ones are
 * unmapped, protected and moved as they are. The table that a split takes is set aside when the page is
 * mapped, in page->private, so that a split never fails.
 *
 * Entries change under page_table_lock. Context as in tables.c.
 */
#include <boot/boot_info.h>
#include <boot/init.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/string.h>
#include "internal.h"
#include "vma.h"

#define HUGE_ORDER (HUGE_PAGE_SHIFT - PAGE_SHIFT)
#define HUGE_PAGES (1u << HUGE_ORDER)

u32 huge_mode; /* HUGE_NEVER */

bool huge_fits(const struct vma *v, u64 addr)
{
	u64 start = ALIGN_DOWN(addr, HUGE_PAGE_SIZE);

	if (v->flags & (VMA_SHARED | VMA_SPECIAL | VMA_NOHUGEPAGE) || v->file || v->ops || v->mm->no_huge)
		return false;
	if (READ_ONCE(huge_mode) == HUGE_MADVISE && !(v->flags & VMA_HUGEPAGE))
		return false;
	return start >= v->start && start + HUGE_PAGE_SIZE <= v->end;
}

bool vma_takes_huge_pages(const struct vma *v)
{
	u64 first = ALIGN_UP(v->start, HUGE_PAGE_SIZE);

	return READ_ONCE(huge_mode) != HUGE_NEVER && first < v->end && huge_fits(v, first);
}

static void count(struct mm *mm, const struct page *p, s64 sign)
{
	rss_add(mm, p, sign * HUGE_PAGES);
	mem_stat_add(STAT_ANON_HUGE, sign * HUGE_PAGES);
	atomic64_add(&mm->pt_pages, sign);
	mem_stat_add(STAT_PAGE_TABLE, sign);
}

/* A page and the table for its split; NULL: there is no such block, or it would have to be made. */
static struct page *huge_alloc(void)
{
	struct page *p = page_alloc(HUGE_ORDER, GFP_USER | GFP_ZERO | GFP_TRY), *table;

	if (!p)
		return NULL;
	table = page_alloc(0, GFP_KERNEL | GFP_ZERO | GFP_TRY);
	if (!table) {
		page_put(p);
		return NULL;
	}
	p->flags |= BIT(PG_ANON);
	p->private = table;
	return p;
}

static void huge_free(struct page *p)
{
	page_put(p->private);
	page_put(p);
}

/* False: there is none, so that the fault goes on as for small pages. */
static bool map_new(struct mm *mm, struct vma *v, struct pte *slot)
{
	struct page *p = huge_alloc();
	bool mapped = false;

	if (!p)
		return false;
	v->has_anon = true;
	spin_lock(&mm->page_table_lock);
	if (pte_none(pte_get(slot))) {
		pte_set(slot, pte_make_huge(page_paddr(p), vma_prot(v) | PTE_DIRTY | PTE_YOUNG));
		count(mm, p, 1);
		mapped = true;
	}
	spin_unlock(&mm->page_table_lock);
	if (!mapped)
		huge_free(p);
	return mapped;
}

/* It is there: perhaps another thread was faster, or it was protected for a while. */
static bool make_writable(struct mm *mm, const struct vma *v, struct pte *slot)
{
	struct pte e;

	spin_lock(&mm->page_table_lock);
	e = pte_get(slot);
	if (pte_huge(e))
		pte_set(slot, pte_with_prot(e, vma_prot(v) | PTE_DIRTY | PTE_YOUNG));
	spin_unlock(&mm->page_table_lock);
	return pte_huge(e);
}

bool huge_fault(struct mm *mm, struct vma *v, u64 addr, bool write)
{
	struct pte *slot = pt_make_slot(mm, addr);
	struct pte e;

	if (!slot)
		return false;
	e = pte_get(slot);
	if (pte_huge(e))
		return write && !pte_writable(e) ? make_writable(mm, v, slot) : true;
	return pte_none(e) && write && map_new(mm, v, slot);
}

/* The block becomes pages with a reference each. page_table_lock, and no entry but the caller's. */
static void split_block(struct page *p)
{
	ASSERT(ref_read(&p->ref) == 1);
	for (u32 i = 0; i < HUGE_PAGES; i++) {
		p[i].flags = BIT(PG_ANON);
		p[i].order = 0;
		p[i].mapping = NULL;
		__atomic_store_n(&p[i].ref.count, 1, __ATOMIC_RELAXED);
	}
}

static void fill_table(struct pte *table, struct pte e)
{
	struct paddr pa = pte_paddr(e);

	for (u32 i = 0; i < PT_ENTRIES; i++) {
		table[i] = pte_small(e, pa);
		pa.v += PAGE_SIZE;
	}
}

struct pte huge_split(struct mm *mm, struct pte *slot, u64 addr)
{
	struct page *p, *table;
	struct pte e;

	spin_lock(&mm->page_table_lock);
	e = pte_get(slot);
	if (pte_huge(e)) {
		p = pte_page(e);
		table = p->private;
		/* Two sizes of one translation must not be in use at once; the processor may still set the dirty bit. */
		e = pte_xchg(slot, (struct pte){0});
		arch_tlb_flush_range(mm, addr & PAGE_MASK, (addr & PAGE_MASK) + PAGE_SIZE);
		mem_stat_add(STAT_ANON_HUGE, -(s64)HUGE_PAGES);
		fill_table(page_address(table), e);
		split_block(p);
		e = pte_make_table(page_paddr(table));
		pte_set(slot, e);
	}
	spin_unlock(&mm->page_table_lock);
	return e;
}

bool huge_zap(struct zap *z, struct pte *slot)
{
	struct pte e;

	spin_lock(&z->mm->page_table_lock);
	e = pte_get(slot);
	if (pte_huge(e)) {
		struct page *p = pte_page(e);

		pte_set(slot, (struct pte){0});
		count(z->mm, p, -1);
		z->pages[z->nr++] = p->private;
		z->pages[z->nr++] = p;
	}
	spin_unlock(&z->mm->page_table_lock);
	return pte_huge(e);
}

bool huge_protect(struct mm *mm, const struct vma *v, struct pte *slot)
{
	struct pte e;

	spin_lock(&mm->page_table_lock);
	e = pte_get(slot);
	if (pte_huge(e)) {
		e = pte_xchg(slot, (struct pte){0});
		pte_set(slot, pte_with_prot(e, vma_prot(v)));
	}
	spin_unlock(&mm->page_table_lock);
	return pte_huge(e);
}

bool huge_move(struct mm *mm, u64 from, u64 to)
{
	struct pte *src = pt_slot(mm, from), *dst;
	bool moved;

	if ((from | to) % HUGE_PAGE_SIZE || !src || !pte_huge(pte_get(src)))
		return false;
	dst = pt_make_slot(mm, to);
	if (!dst)
		return false;
	spin_lock(&mm->page_table_lock);
	moved = pte_huge(pte_get(src)) && pte_none(pte_get(dst));
	if (moved)
		pte_set(dst, pte_xchg(src, (struct pte){0}));
	spin_unlock(&mm->page_table_lock);
	return moved;
}

static const char *const huge_mode_names[] = {"never", "madvise", "always"};

int huge_mode_set(const char *name)
{
	for (u32 i = 0; i < ARRAY_SIZE(huge_mode_names); i++) {
		if (strcmp(name, huge_mode_names[i]) == 0) {
			WRITE_ONCE(huge_mode, i);
			return 0;
		}
	}
	return -EINVAL;
}

/* As Linux does: on a small machine 2 MiB are too much for what may be one byte, unless told otherwise. */
static int huge_init(void)
{
	char word[16];

	if (buddy_total_pages() >= 512u << (20 - PAGE_SHIFT))
		huge_mode = HUGE_ALWAYS;
	if (boot_option_copy("transparent_hugepage", word, sizeof(word)) > 0 && huge_mode_set(word))
		pr_warn("transparent_hugepage=%s: always, madvise or never\n", word);
	return 0;
}
INIT_CALL(INIT_CORE, huge_init);
