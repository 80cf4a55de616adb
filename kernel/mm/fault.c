/*
 * Page faults. mmap_lock is held shared: faults of one process run in parallel; two on the same
 * page are settled under page_table_lock, where the loser finds the entry changed and leaves.
 *
 * Anonymous memory: a read maps the common page of zeroes, a write gets a fresh page. A write to
 * a page that may be shared (copy-on-write) copies it, unless the reference count shows that this
 * translation is the only user. File pages come from the area's ops, which return an up-to-date
 * page; around a read, pages that are in the cache already are mapped along with it.
 *
 * Context: process context, interrupts enabled. Nothing here touches user addresses.
 */
#include <arch/entry.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <linux/resource.h>
#include <mm/layout.h>
#include <sched/sched.h>
#include <signal/signal.h>
#include <task/task.h>
#include <time/clock.h>
#include <vfs/file.h>
#include <vfs/inode.h>
#include "vma.h"

#define FAULT_AROUND_PAGES 16

static struct atomic64 *rss_counter(struct mm *mm, const struct page *p)
{
	if (page_test(p, PG_ANON))
		return &mm->anon_pages;
	return page_test(p, PG_SHMEM) ? &mm->shmem_pages : &mm->file_pages;
}

void rss_add(struct mm *mm, const struct page *p, s64 n)
{
	struct page *page = (struct page *)p;

	atomic64_add(rss_counter(mm, p), n);
	if (page_test(p, PG_ANON))
		mem_stat_add(STAT_ANON, n);
	else if (n > 0 ? atomic_add_return(&page->mapcount, 1) == 1
		       : atomic_add_return(&page->mapcount, -1) == 0)
		mem_stat_add(STAT_MAPPED, n);
}

static struct page *anon_page_alloc(bool zero)
{
	struct page *p = page_alloc(0, GFP_USER | (zero ? GFP_ZERO : 0));

	if (p)
		p->flags |= BIT(PG_ANON);
	return p;
}

static struct pte anon_pte(const struct vma *v, struct page *p)
{
	return pte_make(page_paddr(p), vma_prot(v) | PTE_DIRTY | PTE_YOUNG);
}

/* First touch of private anonymous memory. */
static int fault_anon(struct mm *mm, struct vma *v, struct pte *ptep, bool write)
{
	struct page *p = zero_page;
	struct pte e;
	bool raced;

	if (write) {
		p = anon_page_alloc(true);
		if (!p)
			return -ENOMEM;
		v->has_anon = true;
		e = anon_pte(v, p);
	} else {
		e = pte_make(page_paddr(p), (vma_prot(v) & ~PTE_WRITE) | PTE_YOUNG);
	}
	spin_lock(&mm->page_table_lock);
	raced = !pte_none(pte_get(ptep));
	if (!raced) {
		pte_set(ptep, e);
		if (write)
			rss_add(mm, p, 1); /* once unlocked, MADV_DONTNEED may have freed it */
	}
	spin_unlock(&mm->page_table_lock);
	if (write && raced)
		page_put(p);
	return 0;
}

/* Drops the old page of a replaced entry. */
static void release_replaced(struct mm *mm, struct vma *v, struct page *old)
{
	if (old == zero_page)
		return;
	if (vma_counts_page(v, old))
		rss_add(mm, old, -1);
	page_put(old);
}

/*
 * Replaces the page behind ptep by a private copy. Between the removal of the old entry and the
 * new one the other CPUs are flushed, so that no thread reads the old page while another already
 * writes the new one. page_table_lock held by the caller, who still finds `seen` in ptep.
 */
static int cow_copy(struct mm *mm, struct vma *v, u64 addr, struct pte *ptep, struct pte seen)
	RELEASES(mm->page_table_lock)
{
	struct page *old = pte_page(seen);
	struct page *p;

	if (old != zero_page)
		page_get(old);
	spin_unlock(&mm->page_table_lock);
	p = anon_page_alloc(old == zero_page);
	if (p && old != zero_page)
		arch_copy_page(page_address(p), page_address(old));
	v->has_anon = true;
	spin_lock(&mm->page_table_lock);
	if (p && pte_get(ptep).v == seen.v) {
		pte_set(ptep, (struct pte){0});
		arch_tlb_flush_range(mm, addr, addr + PAGE_SIZE);
		pte_set(ptep, anon_pte(v, p));
		rss_add(mm, p, 1);
		spin_unlock(&mm->page_table_lock);
		release_replaced(mm, v, old);
	} else {
		spin_unlock(&mm->page_table_lock);
		if (p)
			page_put(p);
	}
	if (old != zero_page)
		page_put(old);
	return p ? 0 : -ENOMEM;
}

/*
 * The page behind ptep has left its file and is about to be unmapped; what would be written to it now
 * would be lost. The access faults again and finds what the file has.
 */
static int drop_stale(struct mm *mm, struct vma *v, u64 addr, struct pte *ptep, struct page *p)
	RELEASES(mm->page_table_lock)
{
	pte_set(ptep, (struct pte){0});
	arch_tlb_flush_range(mm, addr, addr + PAGE_SIZE);
	spin_unlock(&mm->page_table_lock);
	release_replaced(mm, v, p);
	return 0;
}

/* A write to a present entry that does not allow it. */
static int fault_write_protected(struct mm *mm, struct vma *v, u64 addr, struct pte *ptep)
{
	struct page *p;
	struct pte e;

	spin_lock(&mm->page_table_lock);
	e = pte_get(ptep);
	if (!pte_present(e) || pte_writable(e)) {
		spin_unlock(&mm->page_table_lock);
		return 0; /* somebody else did it */
	}
	p = pte_page(e);
	if (v->flags & VMA_SHARED ||
	    (page_test(p, PG_ANON) && ref_read(&p->ref) == 1)) {
		unsigned int prot = vma_prot(v) | PTE_DIRTY | PTE_YOUNG;

		if (!page_test(p, PG_ANON) && !page_mark_dirty(p))
			return drop_stale(mm, v, addr, ptep, p);
		pte_set(ptep, pte_make(pte_paddr(e), prot));
		spin_unlock(&mm->page_table_lock);
		return 0;
	}
	return cow_copy(mm, v, addr, ptep, e);
}

/* The entry for a file page: writable at once only where nobody wants to hear of the first write. */
static struct pte file_pte(const struct vma *v, struct page *p, bool write)
{
	unsigned int prot = vma_prot(v);

	if (!(v->flags & VMA_SHARED) || (!write && !page_test(p, PG_SHMEM)))
		prot &= ~PTE_WRITE;
	if (write)
		prot |= PTE_DIRTY;
	return pte_make(page_paddr(p), prot | PTE_YOUNG);
}

/*
 * Maps page-cache page p, whose reference passes to the entry. False: it is no longer part of the
 * file (see page_remove). page_table_lock held, the entry is empty.
 */
static bool install_file_page(struct mm *mm, struct vma *v, struct pte *ptep, struct page *p,
			      bool write)
{
	bool cached = page_test(p, PG_UPTODATE); /* not a driver's page */

	rss_add(mm, p, 1); /* raises mapcount, fully ordered before the test */
	if (cached && __atomic_load_n(&p->mapping, __ATOMIC_SEQ_CST) == NULL) {
		rss_add(mm, p, -1);
		return false;
	}
	/* It may have been written out, and so become clean, since the file system marked it. */
	if (cached && write && v->flags & VMA_SHARED && !page_mark_dirty(p)) {
		rss_add(mm, p, -1);
		return false;
	}
	pte_set(ptep, file_pte(v, p, write));
	return true;
}

/* The entries around addr that a single leaf table and the area hold. */
static void around_range(const struct vma *v, u64 addr, u64 *start, u64 *end)
{
	u64 size = FAULT_AROUND_PAGES * PAGE_SIZE;

	*start = MAX(ALIGN_DOWN(addr, size), v->start);
	*end = MIN(ALIGN_DOWN(addr, size) + size, v->end);
}

/*
 * The page at index with a reference, or NULL. *folio: that of the last page, whose user we are, or NULL. A page
 * that has left the file since is found out by install_file_page.
 */
static struct page *around_find(struct mapping *m, u64 index, struct page **folio)
{
	struct page *p, *head = *folio;

	if (head && index - head->index < folio_pages(head)) {
		p = head + (index - head->index);
		page_get(p);
		return p;
	}
	if (head)
		folio_put(head);
	p = page_cache_find(m, index);
	*folio = p ? folio_get(p) : NULL;
	return p;
}

/* Maps the neighbours of a page just mapped that are in the cache; no I/O, no waiting. */
static void fault_around(struct mm *mm, struct vma *v, u64 addr, struct pte *ptep,
			 struct mapping *m)
{
	u64 start, end, index, last, limit;
	struct page *folio = NULL;

	around_range(v, addr, &start, &end);
	index = vma_pgoff_of(v, start);
	last = vma_pgoff_of(v, end - PAGE_SIZE);
	if (m->host) {
		limit = DIV_ROUND_UP(READ_ONCE(m->host->size), PAGE_SIZE);
		if (!limit || index >= limit)
			return;
		last = MIN(last, limit - 1);
	}
	spin_lock(&mm->page_table_lock);
	for (; index <= last; index++) {
		struct pte *at = ptep + (s64)(index - vma_pgoff_of(v, addr));
		struct page *p;

		if (!pte_none(pte_get(at)))
			continue;
		p = around_find(m, index, &folio);
		if (!p)
			continue;
		if (!page_test(p, PG_UPTODATE) || !install_file_page(mm, v, at, p, false))
			page_put(p);
	}
	spin_unlock(&mm->page_table_lock);
	if (folio)
		folio_put(folio);
}

/* Read or shared-write fault on a file page. Consumes the reference on p. */
static int fault_file_map(struct mm *mm, struct vma *v, u64 addr, struct pte *ptep, struct page *p,
			  bool write)
{
	struct mapping *m = p->mapping;
	bool mapped = false, raced;

	spin_lock(&mm->page_table_lock);
	raced = !pte_none(pte_get(ptep));
	if (!raced)
		mapped = install_file_page(mm, v, ptep, p, write);
	spin_unlock(&mm->page_table_lock);
	if (!mapped) {
		page_put(p);
		return raced ? 0 : -EAGAIN;
	}
	if (!write && m)
		fault_around(mm, v, addr, ptep, m);
	return 0;
}

/* First write to a page of a private file mapping: straight to a copy. Consumes `from`. */
static int fault_file_copy(struct mm *mm, struct vma *v, struct pte *ptep, struct page *from)
{
	struct page *p = anon_page_alloc(false);
	bool raced;

	if (p)
		arch_copy_page(page_address(p), page_address(from));
	page_put(from);
	if (!p)
		return -ENOMEM;
	v->has_anon = true;
	spin_lock(&mm->page_table_lock);
	raced = !pte_none(pte_get(ptep));
	if (!raced) {
		pte_set(ptep, anon_pte(v, p));
		rss_add(mm, p, 1);
	}
	spin_unlock(&mm->page_table_lock);
	if (raced)
		page_put(p);
	return 0;
}

static int fault_file(struct mm *mm, struct vma *v, u64 addr, struct pte *ptep, bool write)
{
	struct page *p;
	int err = v->ops->fault(v, vma_pgoff_of(v, addr), write, &p);

	if (err)
		return err;
	if (write && !(v->flags & VMA_SHARED))
		return fault_file_copy(mm, v, ptep, p);
	if (v->flags & VMA_SPECIAL) {
		spin_lock(&mm->page_table_lock);
		if (pte_none(pte_get(ptep)))
			pte_set(ptep, file_pte(v, p, false));
		else
			page_put(p);
		spin_unlock(&mm->page_table_lock);
		return 0;
	}
	return fault_file_map(mm, v, addr, ptep, p, write);
}

/* The file behind a shared mapping may have to prepare for the first write. */
static int fault_first_write(struct mm *mm, struct vma *v, u64 addr, struct pte *ptep)
{
	int err = 0;

	if (v->flags & VMA_SHARED && v->ops && v->ops->first_write)
		err = v->ops->first_write(v, vma_pgoff_of(v, addr));
	return err ? err : fault_write_protected(mm, v, addr, ptep);
}

int fault_page(struct mm *mm, struct vma *v, u64 addr, unsigned int access)
{
	bool write = access & FAULT_WRITE;
	struct pte *ptep;
	struct pte e;
	int err;

	addr &= PAGE_MASK;
	if (unlikely(READ_ONCE(mm->reaped)) && !(v->flags & VMA_SHARED))
		return -EFAULT; /* what was here is gone, and is not to be taken for zeroes */
	if (huge_wanted(v, addr) && huge_fault(mm, v, addr, write))
		return 0;
	ptep = pt_make(mm, addr);
	if (!ptep)
		return -ENOMEM;
	do {
		e = pte_get(ptep);
		if (pte_none(e))
			err = v->ops && v->ops->fault ? fault_file(mm, v, addr, ptep, write)
						      : fault_anon(mm, v, ptep, write);
		else if (write && !pte_writable(e))
			err = fault_first_write(mm, v, addr, ptep);
		else
			err = 0;
	} while (unlikely(err == -EAGAIN));
	return err;
}

/* Lets a stack area grow down to addr. mmap_lock held for writing. */
static bool stack_grow(struct mm *mm, struct vma *v, u64 addr)
{
	const struct vma *prev = vma_prev(v);
	u64 start = addr & PAGE_MASK;
	u64 pages = (v->start - start) >> PAGE_SHIFT;

	if (start < MMAP_MIN_ADDR || v->end - start > rlimit(RLIMIT_STACK))
		return false;
	if (prev && !(prev->flags & VMA_GROWSDOWN) &&
	    prev->flags & (VMA_READ | VMA_WRITE | VMA_EXEC) && start < prev->end + STACK_GUARD_GAP)
		return false;
	if (prev && start < prev->end)
		return false;
	if (!mm_may_expand(mm, v->flags, pages) || mm_may_lock(mm, v->flags, pages))
		return false;
	if (vma_is_accountable(v->flags) && commit_charge(mm, pages))
		return false;
	vma_set_bounds(v, start, v->end);
	mm_count_vma(mm, v->flags, pages);
	return true;
}

/*
 * The area that contains addr, grown if it is a stack. mmap_lock held shared on entry and on
 * return; it may have been dropped between.
 */
static struct vma *area_for_fault(struct mm *mm, u64 addr) NO_THREAD_SAFETY
{
	struct vma *v = vma_find(mm, addr);

	if (!v || likely(v->start <= addr))
		return v;
	if (!(v->flags & VMA_GROWSDOWN))
		return NULL;
	rwsem_read_unlock(&mm->mmap_lock);
	rwsem_write_lock(&mm->mmap_lock);
	v = vma_find(mm, addr);
	if (v && v->start > addr && (!(v->flags & VMA_GROWSDOWN) || !stack_grow(mm, v, addr)))
		v = NULL;
	rwsem_downgrade(&mm->mmap_lock);
	return v;
}

static bool access_allowed(const struct vma *v, unsigned int access)
{
	if (access & FAULT_WRITE)
		return v->flags & VMA_WRITE;
	if (access & FAULT_EXEC)
		return v->flags & VMA_EXEC;
	return v->flags & (VMA_READ | VMA_WRITE | VMA_EXEC);
}

/* True: retry. Out of memory with nobody left to kill: the process dies, as it would on Linux. */
static bool fault_out_of_memory(void)
{
	if (!fatal_signal_pending(current)) {
		if (current->process->pid != 1)
			process_kill(current->process);
		else
			schedule_until(clock_monotonic() + 10 * NSEC_PER_MSEC);
	}
	return true;
}

static bool fault_result(int err, unsigned int access, int *sig, int *code)
{
	if (likely(!err))
		return true;
	/* A user copy reports EFAULT instead of being retried for ever with a signal pending. */
	if (err == -ENOMEM && (access & FAULT_USER))
		return fault_out_of_memory();
	*sig = SIGBUS;
	*code = BUS_ADRERR;
	return false;
}

/*
 * The file that a write to a shared mapping has changed, if its writers are to wait for the disk; with a
 * reference. Only for user code: a user copy may hold locks that writing back takes.
 */
static struct file *file_to_balance(const struct vma *v, unsigned int access)
{
	if (likely(!(v->flags & VMA_SHARED) || ~access & (FAULT_WRITE | FAULT_USER) || !v->file))
		return NULL;
	if (!v->file->inode->mapping.ops || !mapping_wants_balance(&v->file->inode->mapping))
		return NULL;
	file_get(v->file);
	return v->file;
}

bool mm_fault(u64 addr, unsigned int access, int *sig, int *code)
{
	struct mm *mm = current->mm;
	struct file *changed;
	struct vma *v;
	int err;

	*sig = SIGSEGV;
	*code = SEGV_MAPERR;
	if (unlikely(!mm || current->pagefault_disabled || in_atomic() || addr >= USER_TOP))
		return false;
	rwsem_read_lock(&mm->mmap_lock);
	v = area_for_fault(mm, addr);
	if (unlikely(!v)) {
		rwsem_read_unlock(&mm->mmap_lock);
		return false;
	}
	if (unlikely(!access_allowed(v, access))) {
		rwsem_read_unlock(&mm->mmap_lock);
		*code = SEGV_ACCERR;
		return false;
	}
	err = fault_page(mm, v, addr, access);
	changed = file_to_balance(v, access);
	rwsem_read_unlock(&mm->mmap_lock);
	current->minor_faults++;
	if (unlikely(changed)) {
		mapping_balance(&changed->inode->mapping);
		file_put(changed);
	}
	return fault_result(err, access, sig, code);
}
