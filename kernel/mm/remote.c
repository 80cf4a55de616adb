/*
 * Access to address spaces through the direct map: exec's stack, /proc/pid/mem, ptrace,
 * process_vm_*, and pinned pages. Takes mmap_lock shared; never touches user addresses, so it
 * works on address spaces that are not loaded.
 */
#include <arch/entry.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <sched/sched.h>
#include <task/task.h>
#include "vma.h"

static bool may_access(const struct vma *v, bool write, bool force)
{
	if (write)
		return v->flags & VMA_WRITE ||
		       (force && v->flags & VMA_MAYWRITE && !(v->flags & VMA_SHARED));
	return v->flags & VMA_READ || (force && v->flags & VMA_MAYREAD);
}

/* The page at addr if its entry serves the access now, with a reference. */
static struct page *mapped_page(struct mm *mm, u64 addr, bool write)
{
	struct pte *ptep = pt_lookup(mm, addr);
	struct page *p = NULL;
	struct pte e;

	if (!ptep)
		return NULL;
	spin_lock(&mm->page_table_lock);
	e = pte_get(ptep);
	if (pte_present(e)) {
		p = pte_page(e);
		/* A forced write made the page ours without making the entry writable. */
		if (write && !pte_writable(e) &&
		    (!page_test(p, PG_ANON) || ref_read(&p->ref) != 1))
			p = NULL;
		if (p)
			page_get(p);
	}
	spin_unlock(&mm->page_table_lock);
	return p;
}

/* mmap_lock held shared. The page with a reference, or NULL. */
static struct page *get_page(struct mm *mm, u64 addr, bool write, bool force)
{
	unsigned int access = write ? FAULT_WRITE : FAULT_READ;
	struct vma *v = vma_find(mm, addr);

	if (!v || v->start > addr || !may_access(v, write, force))
		return NULL;
	for (unsigned int tries = 0; tries < 100; tries++) {
		struct page *p = mapped_page(mm, addr, write);

		if (p)
			return p;
		if (fault_page(mm, v, addr, access))
			return NULL;
	}
	return NULL;
}

size_t mm_access_remote(struct mm *mm, u64 addr, void *buf, size_t len, bool write, bool force)
{
	size_t done = 0;

	rwsem_read_lock(&mm->mmap_lock);
	while (done < len && addr < USER_TOP) {
		size_t n = MIN(len - done, PAGE_SIZE - (addr & ~PAGE_MASK));
		struct page *p = get_page(mm, addr & PAGE_MASK, write, force);
		char *at;

		if (!p)
			break;
		at = (char *)page_address(p) + (addr & ~PAGE_MASK);
		if (write)
			memcpy(at, (char *)buf + done, n);
		else
			memcpy((char *)buf + done, at, n);
		/* It may have been written out between the fault and the copy. */
		if (write && !page_test(p, PG_ANON))
			page_mark_dirty(p);
		page_put(p);
		done += n;
		addr += n;
	}
	rwsem_read_unlock(&mm->mmap_lock);
	return done;
}

bool mm_core_page(struct mm *mm, u64 addr, void *buf)
{
	struct page *p = NULL;
	struct vma *v;

	rwsem_read_lock(&mm->mmap_lock);
	v = vma_find(mm, addr);
	if (v && v->start <= addr)
		p = v->file || v->ops ? get_page(mm, addr, false, true) :
					mapped_page(mm, addr, false);
	if (p && p != zero_page)
		memcpy(buf, page_address(p), PAGE_SIZE);
	rwsem_read_unlock(&mm->mmap_lock);
	if (p)
		page_put(p);
	return p && p != zero_page;
}

long mm_pin_pages(struct mm *mm, u64 addr, size_t nr, bool write, struct page **pages)
{
	size_t n;

	addr &= PAGE_MASK;
	rwsem_read_lock(&mm->mmap_lock);
	for (n = 0; n < nr && addr < USER_TOP; n++, addr += PAGE_SIZE) {
		pages[n] = get_page(mm, addr, write, false);
		if (!pages[n])
			break;
	}
	rwsem_read_unlock(&mm->mmap_lock);
	return n || !nr ? (long)n : -EFAULT;
}

/* One area's part of a range to populate. mmap_lock held shared. */
static int populate_area(struct mm *mm, struct vma *v, u64 start, u64 end)
{
	/* Private memory is made writable at once: it will be written to. */
	unsigned int access = vma_is_private_writable(v->flags) ? FAULT_WRITE : FAULT_READ;

	if (!(v->flags & (VMA_READ | VMA_WRITE | VMA_EXEC)))
		return -ENOMEM;
	for (u64 addr = start; addr < end; addr += PAGE_SIZE) {
		int err = fault_page(mm, v, addr, access);

		if (err)
			return err;
		if (signal_pending(current) && fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

int mm_populate(struct mm *mm, u64 start, u64 end)
{
	int err = 0;

	rwsem_read_lock(&mm->mmap_lock);
	while (start < end && !err) {
		struct vma *v = vma_find_overlap(mm, start, end);

		if (!v || v->start > start) {
			err = -ENOMEM;
			break;
		}
		err = populate_area(mm, v, start, MIN(v->end, end));
		start = v->end;
	}
	rwsem_read_unlock(&mm->mmap_lock);
	return err;
}
