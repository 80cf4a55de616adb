/*
 * The copy of an address space for fork. Private pages are shared copy-on-write: both sides lose
 * write permission, and the first to write copies. Only what a fault could not bring back is
 * copied at all: areas without anonymous pages (file mappings never written to, shared memory)
 * start empty in the child.
 *
 * The parent's mmap_lock is held for writing, so its threads cannot fault meanwhile; the child is
 * known to nobody but truncation.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/string.h>
#include <vfs/file.h>
#include "vma.h"

struct copy {
	struct mm *from, *to;
	bool flush; /* some entry of the parent lost write permission */
};

/* One entry. Both page-table locks held. */
static void copy_entry(struct copy *c, const struct vma *v, struct pte *src, struct pte *dst)
{
	struct pte e = pte_get(src);
	struct page *p;

	if (pte_none(e))
		return;
	p = pte_page(e);
	if (pte_writable(e)) {
		e = pte_wrprotect(e);
		pte_set(src, e);
		c->flush = true;
	}
	if (p != zero_page) {
		page_get(p);
		if (vma_counts_page(v, p))
			rss_add(c->to, p, 1);
	}
	pte_set(dst, e);
}

/* The part of one leaf table. */
static int copy_leaf(struct copy *c, const struct vma *v, struct pte *src, u64 addr, u64 end)
{
	struct pte *dst = pt_make(c->to, addr);

	if (!dst)
		return -ENOMEM;
	spin_lock(&c->from->page_table_lock);
	spin_lock_nested(&c->to->page_table_lock); /* parent before child */
	for (; addr < end; addr += PAGE_SIZE)
		copy_entry(c, v, src++, dst++);
	spin_unlock(&c->to->page_table_lock);
	spin_unlock(&c->from->page_table_lock);
	return 0;
}

static int copy_pages(struct copy *c, const struct vma *v)
{
	u64 table = pt_level_size(1);

	for (u64 addr = v->start; addr < v->end;) {
		u64 end = MIN(ALIGN_DOWN(addr, table) + table, v->end);
		struct pte *src = pt_lookup(c->from, addr);

		if (src) {
			int err = copy_leaf(c, v, src, addr, end);

			if (err)
				return err;
		}
		addr = end;
	}
	return 0;
}

static int copy_area(struct copy *c, struct vma *v)
{
	struct vma *copy;
	int err;

	if (v->flags & VMA_DONTFORK) {
		mm_count_vma(c->to, v->flags, -(s64)vma_pages(v));
		return 0;
	}
	if (v->flags & VMA_ACCOUNT) {
		err = commit_charge(c->to, vma_pages(v));
		if (err)
			return err;
	}
	copy = vma_copy(v, c->to);
	if (!copy)
		return -ENOMEM;
	copy->flags &= ~(VMA_LOCKED | VMA_LOCKONFAULT);
	vma_link_copy(c->to, copy, v);
	if (v->flags & VMA_WIPEONFORK)
		copy->has_anon = false;
	else if (v->has_anon && !(v->flags & VMA_SHARED))
		return copy_pages(c, v);
	return 0;
}

/* Everything but the areas. */
static void copy_layout(struct mm *to, const struct mm *from)
{
	to->start_code = from->start_code;
	to->end_code = from->end_code;
	to->start_data = from->start_data;
	to->end_data = from->end_data;
	to->start_brk = from->start_brk;
	to->brk = from->brk;
	to->start_stack = from->start_stack;
	to->arg_start = from->arg_start;
	to->arg_end = from->arg_end;
	to->env_start = from->env_start;
	to->env_end = from->env_end;
	to->mmap_base = from->mmap_base;
	to->bottom_up = from->bottom_up;
	to->total_pages = from->total_pages;
	to->data_pages = from->data_pages;
	to->stack_pages = from->stack_pages;
	to->exec_pages = from->exec_pages;
	to->exe_file = from->exe_file;
	if (to->exe_file)
		file_get_exec(to->exe_file);
	to->vdso_base = from->vdso_base;
	memcpy(to->auxv, from->auxv, sizeof(to->auxv));
	to->membarrier = READ_ONCE(from->membarrier);
	to->dumpable = from->dumpable;
	to->dump_filter = from->dump_filter;
	to->no_huge = from->no_huge;
}

static int copy_locked(struct copy *c)
{
	struct vma *v;

	copy_layout(c->to, c->from);
	for (v = vma_first(c->from); v; v = vma_next(v)) {
		int err = copy_area(c, v);

		if (err)
			return err;
	}
	return 0;
}

int mm_fork(struct mm *from, struct mm **out)
{
	struct copy c = {.from = from, .to = mm_create()};
	int err;

	if (!c.to)
		return -ENOMEM;
	rwsem_write_lock(&from->mmap_lock);
	arch_mm_fork(c.to, from);
	err = copy_locked(&c);
	if (c.flush)
		arch_tlb_flush_range(from, 0, USER_TOP);
	rwsem_write_unlock(&from->mmap_lock);
	if (err) {
		mm_put(c.to);
		return err;
	}
	*out = c.to;
	return 0;
}
