/* mprotect: other permissions for areas and for the entries that exist already. */
#include <lib/errno.h>
#include <linux/mman.h>
#include <asm/mman.h>
#include <linux/personality.h>
#include <syscall/table.h>
#include <task/task.h>
#include "vma.h"

#ifndef PROT_SEM
#define PROT_SEM 0x8
#endif
#define PROT_RWX   (PROT_READ | PROT_WRITE | PROT_EXEC)
#define MAY_SHIFT  4 /* VMA_MAYREAD is VMA_READ << 4, and so on */

/* The entry for the same page under v's new protection. */
static struct pte new_entry(const struct vma *v, struct pte e)
{
	unsigned int prot = vma_prot(v);
	const struct page *p = pte_page(e);
	bool exclusive = p != zero_page && page_test(p, PG_ANON) && ref_read(&p->ref) == 1;

	/* Private pages become writable only if they are ours alone; else the write faults. */
	if (v->flags & VMA_SHARED ? !page_test(p, PG_SHMEM) && !pte_writable(e) : !exclusive)
		prot &= ~PTE_WRITE;
	return pte_with_prot(e, prot);
}

static void protect_leaf(struct mm *mm, const struct vma *v, struct pte *ptep, u64 addr, u64 end)
{
	spin_lock(&mm->page_table_lock);
	for (; addr < end; addr += PAGE_SIZE, ptep++) {
		struct pte e = pte_get(ptep);

		/* The CPU may set the dirty bit at any moment: take the entry out first. */
		if (!pte_none(e)) {
			e = pte_xchg(ptep, (struct pte){0});
			pte_set(ptep, new_entry(v, e));
		}
	}
	spin_unlock(&mm->page_table_lock);
}

/* Gives the entries of [start, end) in v the area's protection. */
static void protect_entries(struct mm *mm, const struct vma *v, u64 start, u64 end)
{
	u64 table = pt_level_size(1);

	for (u64 addr = start; addr < end;) {
		u64 stop = MIN(ALIGN_DOWN(addr, table) + table, end);
		struct pte *slot = pt_slot(mm, addr), *ptep = NULL;

		if (slot && !(pte_huge(pte_get(slot)) && stop - addr == table && huge_protect(mm, v, slot)))
			ptep = pt_leaf(mm, slot, addr);
		if (ptep)
			protect_leaf(mm, v, ptep, addr, stop);
		addr = stop;
	}
	arch_tlb_flush_range(mm, start, end);
}

static int protect_area(struct mm *mm, struct vma **pv, u64 start, u64 end, u64 prot)
{
	struct vma *v = *pv;
	u32 flags = (v->flags & ~(VMA_READ | VMA_WRITE | VMA_EXEC)) | (u32)(prot & PROT_RWX);
	u64 pages = (end - start) >> PAGE_SHIFT;
	bool charge;
	int err;

	if (prot & PROT_READ && current->personality & READ_IMPLIES_EXEC &&
	    v->flags & VMA_MAYEXEC)
		flags |= VMA_EXEC;
	if (flags & ~(flags >> MAY_SHIFT) & (VMA_READ | VMA_WRITE | VMA_EXEC))
		return -EACCES;
	if (flags == v->flags)
		return 0;
	if (vma_is_private_writable(flags) && !vma_is_private_writable(v->flags) &&
	    !(v->flags & VMA_GROWSDOWN) && !mm_may_expand_data(mm, pages))
		return -ENOMEM;
	charge = vma_is_accountable(flags) && !(v->flags & VMA_ACCOUNT);
	if (charge) {
		err = commit_charge(mm, pages);
		if (err)
			return err;
		flags |= VMA_ACCOUNT;
	}
	err = vma_change(mm, pv, start, end, flags);
	if (err && charge)
		commit_uncharge(mm, pages);
	if (!err)
		protect_entries(mm, *pv, start, end);
	return err;
}

static int protect_locked(struct mm *mm, u64 start, u64 end, u64 prot)
{
	struct vma *v = vma_find(mm, start);

	if (!v)
		return -ENOMEM;
	if (prot & PROT_GROWSDOWN) {
		if (v->start >= end)
			return -ENOMEM;
		if (!(v->flags & VMA_GROWSDOWN))
			return -EINVAL;
		start = v->start;
	} else if (v->start > start) {
		return -ENOMEM;
	}
	while (start < end) {
		u64 stop;
		int err;

		if (!v || v->start > start)
			return -ENOMEM;
		stop = MIN(v->end, end);
		err = protect_area(mm, &v, start, stop, prot);
		if (err)
			return err;
		start = stop;
		v = vma_find(mm, start);
	}
	return 0;
}

long sys_mprotect(u64 start, u64 len, u64 prot)
{
	struct mm *mm = current->mm;
	u64 grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
	u64 end;
	int err;

	prot &= ~(u64)PROT_GROWSUP;
	if (grows == (PROT_GROWSDOWN | PROT_GROWSUP) || !IS_ALIGNED(start, PAGE_SIZE))
		return -EINVAL;
	if (!len)
		return 0;
	end = start + ALIGN_UP(len, PAGE_SIZE);
	if (end <= start)
		return -ENOMEM;
	if (prot & ~(u64)(PROT_RWX | PROT_SEM | PROT_GROWSDOWN) || grows & PROT_GROWSUP)
		return -EINVAL;
	rwsem_write_lock(&mm->mmap_lock);
	err = protect_locked(mm, start, end, prot);
	rwsem_write_unlock(&mm->mmap_lock);
	return err;
}

/* Protection keys need PKU, which we do not switch on: what Linux says on a CPU without it. */
long sys_pkey_mprotect(u64 start, u64 len, u64 prot, int pkey)
{
	return pkey == -1 ? sys_mprotect(start, len, prot) : -EINVAL;
}

long sys_pkey_alloc(u64 flags, u64 rights)
{
	return flags || rights & ~3ULL ? -EINVAL : -ENOSPC;
}

long sys_pkey_free(int pkey)
{
	return -EINVAL;
}
