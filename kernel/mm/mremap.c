/*
 * mremap: shrinking, growing in place, and moving. A move links the new area first and carries the
 * page table entries over under the mapping's lock, so that truncation finds each page in one of
 * the two. Checks and their order are Linux's.
 */
#include <lib/errno.h>
#include <linux/mman.h>
#include <asm/mman.h>
#include <mm/layout.h>
#include <syscall/table.h>
#include <task/task.h>
#include <vfs/file.h>
#include "vma.h"

struct remap {
	struct mm *mm;
	u64 addr, old_len, new_len, flags, new_addr;
	bool populate; /* the area is locked: fault in what was added */
};

/* One entry moves. page_table_lock held. */
static void move_entry(struct pte *from, struct pte *to)
{
	struct pte e = pte_get(from);

	if (!pte_none(e))
		pte_set(to, pte_xchg(from, (struct pte){0}));
}

static int move_entries(struct mm *mm, u64 from, u64 to, u64 len)
{
	u64 table = pt_level_size(1);

	for (u64 done = 0; done < len;) {
		u64 n = MIN(table - (from + done) % table, table - (to + done) % table);
		struct pte *src = NULL, *dst;

		n = MIN(n, len - done);
		if (n < table || !huge_move(mm, from + done, to + done))
			src = pt_lookup(mm, from + done);
		if (src) {
			dst = pt_make(mm, to + done);
			if (!dst)
				return -ENOMEM;
			spin_lock(&mm->page_table_lock);
			for (u64 i = 0; i < n >> PAGE_SHIFT; i++)
				move_entry(src + i, dst + i);
			spin_unlock(&mm->page_table_lock);
		}
		done += n;
	}
	return 0;
}

/* Carries the pages over; on failure back again, which needs no new tables. */
static int move_pages(struct mm *mm, struct vma *v, u64 from, u64 to, u64 len) NO_THREAD_SAFETY
{
	struct mapping *m = vma_mapping(v);
	int err;

	if (m)
		rwsem_write_lock(&m->mmap_lock);
	err = move_entries(mm, from, to, len);
	if (err)
		(void)!move_entries(mm, to, from, len);
	if (m)
		rwsem_write_unlock(&m->mmap_lock);
	arch_tlb_flush_range(mm, from, from + len);
	return err;
}

/*
 * The old place after a move: gone, or with DONTUNMAP an area without pages. The area is looked up anew: it
 * may have become one with the copy, if that lies beside it.
 */
static int leave_old_place(struct remap *r)
{
	struct mm *mm = r->mm;
	struct vma *v;

	if (!(r->flags & MREMAP_DONTUNMAP))
		return unmap_locked(mm, r->addr, r->addr + r->old_len);
	v = vma_find_overlap(mm, r->addr, r->addr + 1);
	if (v->flags & VMA_LOCKED)
		return vma_change(mm, &v, r->addr, r->addr + r->old_len,
				  v->flags & ~(VMA_LOCKED | VMA_LOCKONFAULT));
	return 0;
}

static int move_area(struct remap *r, struct vma *v)
{
	struct mm *mm = r->mm;
	u64 old_pages = r->old_len >> PAGE_SHIFT, new_pages = r->new_len >> PAGE_SHIFT;
	struct vma *copy;
	int err;

	if (mm->nr_vmas >= READ_ONCE(max_map_count) - 3)
		return -ENOMEM;
	if (v->flags & VMA_ACCOUNT) {
		err = commit_charge(mm, new_pages);
		if (err)
			return err;
	}
	copy = vma_copy(v, mm);
	if (!copy) {
		commit_uncharge(mm, v->flags & VMA_ACCOUNT ? new_pages : 0);
		return -ENOMEM;
	}
	copy->start = r->new_addr;
	copy->end = r->new_addr + r->new_len;
	copy->pgoff = v->file || v->ops ? vma_pgoff_of(v, r->addr) : copy->start >> PAGE_SHIFT;
	vma_link(mm, copy);
	mm_count_vma(mm, copy->flags, new_pages);
	err = move_pages(mm, copy, r->addr, r->new_addr, MIN(r->old_len, r->new_len));
	if (err) {
		(void)!unmap_locked(mm, copy->start, copy->end);
		return err;
	}
	vma_coalesce(mm, copy);
	return old_pages ? leave_old_place(r) : 0;
}

/* What Linux checks in vma_to_resize. */
static int check_resize(struct remap *r, const struct vma *v)
{
	u64 add;

	if (!r->old_len && !(v->flags & VMA_SHARED))
		return -EINVAL;
	if (r->flags & MREMAP_DONTUNMAP && v->flags & VMA_SPECIAL)
		return -EINVAL;
	if (r->old_len > v->end - r->addr)
		return -EFAULT;
	if (r->new_len == r->old_len)
		return 0;
	if (v->pgoff + ((r->addr - v->start + r->new_len) >> PAGE_SHIFT) < v->pgoff)
		return -EINVAL;
	if (v->flags & VMA_SPECIAL)
		return -EFAULT;
	if (r->new_len < r->old_len)
		return 0;
	add = (r->new_len - r->old_len) >> PAGE_SHIFT;
	if (mm_may_lock(r->mm, v->flags, add))
		return -EAGAIN;
	return mm_may_expand(r->mm, v->flags, add) ? 0 : -ENOMEM;
}

/* To an address of the caller's, or away from the old one with DONTUNMAP. */
static int remap_to(struct remap *r, struct vma *v)
{
	u64 map_flags = r->flags & MREMAP_FIXED ? MAP_FIXED : 0;
	u64 hint = r->new_addr;
	int err;

	if (!IS_ALIGNED(hint, PAGE_SIZE) || r->new_len > USER_TOP ||
	    hint > USER_TOP - r->new_len)
		return -EINVAL;
	if (r->addr + r->old_len > hint && hint + r->new_len > r->addr)
		return -EINVAL;
	if (r->mm->nr_vmas + 2 >= READ_ONCE(max_map_count) - 3)
		return -ENOMEM;
	if (r->flags & MREMAP_FIXED) {
		err = mm_unmapped_area(r->mm, hint, r->new_len, MAP_FIXED, &r->new_addr);
		if (!err)
			err = unmap_locked(r->mm, hint, hint + r->new_len);
		if (err)
			return err;
	}
	if (r->old_len > r->new_len) {
		err = unmap_locked(r->mm, r->addr + r->new_len, r->addr + r->old_len);
		if (err)
			return err;
		r->old_len = r->new_len;
	}
	v = vma_find_overlap(r->mm, r->addr, r->addr + 1);
	if (!v)
		return -EFAULT;
	err = check_resize(r, v);
	if (!err && r->flags & MREMAP_DONTUNMAP &&
	    !mm_may_expand(r->mm, v->flags, r->old_len >> PAGE_SHIFT))
		err = -ENOMEM;
	if (!err)
		err = mm_unmapped_area(r->mm, hint, r->new_len, map_flags, &r->new_addr);
	r->populate = v->flags & VMA_LOCKED;
	return err ? err : move_area(r, v);
}

/* True when v, which ends where the old range ends, has room behind it. */
static bool grow_in_place(struct remap *r, struct vma *v, int *err)
{
	u64 end = r->addr + r->new_len, add = (r->new_len - r->old_len) >> PAGE_SHIFT, place;

	if (r->old_len != v->end - r->addr || end > USER_TOP || end < r->addr ||
	    !vma_gap_lowest(r->mm, v->end, end, end - v->end, &place))
		return false;
	*err = v->flags & VMA_ACCOUNT ? commit_charge(r->mm, add) : 0;
	if (!*err) {
		vma_set_bounds(v, v->start, end);
		mm_count_vma(r->mm, v->flags, add);
		vma_coalesce(r->mm, v);
	}
	return true;
}

static int remap_locked(struct remap *r)
{
	struct vma *v = vma_find_overlap(r->mm, r->addr, r->addr + 1);
	int err;

	if (!v)
		return -EFAULT;
	if (r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		return remap_to(r, v);
	r->new_addr = r->addr;
	if (r->old_len >= r->new_len) {
		if (r->old_len == r->new_len)
			return 0;
		return unmap_locked(r->mm, r->addr + r->new_len, r->addr + r->old_len);
	}
	err = check_resize(r, v);
	if (err)
		return err;
	r->populate = v->flags & VMA_LOCKED;
	if (grow_in_place(r, v, &err))
		return err;
	if (!(r->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	err = mm_unmapped_area(r->mm, 0, r->new_len, 0, &r->new_addr);
	return err ? err : move_area(r, v);
}

long sys_mremap(u64 addr, u64 old_len, u64 new_len, u64 flags, u64 new_addr)
{
	struct remap r = {.mm = current->mm, .addr = addr, .old_len = ALIGN_UP(old_len, PAGE_SIZE),
			  .new_len = ALIGN_UP(new_len, PAGE_SIZE), .flags = flags,
			  .new_addr = flags & MREMAP_FIXED ? new_addr : 0};
	int err;

	if (flags & ~(u64)(MREMAP_FIXED | MREMAP_MAYMOVE | MREMAP_DONTUNMAP))
		return -EINVAL;
	if (flags & MREMAP_FIXED && !(flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if (flags & MREMAP_DONTUNMAP && (!(flags & MREMAP_MAYMOVE) || r.old_len != r.new_len))
		return -EINVAL;
	if (!IS_ALIGNED(addr, PAGE_SIZE) || !r.new_len)
		return -EINVAL;
	/* What a shrink unmaps must lie in user space; growth is bounded by the area itself. */
	if (r.old_len > r.new_len && (r.addr > USER_TOP || r.old_len > USER_TOP - r.addr))
		return -EINVAL;
	rwsem_write_lock(&r.mm->mmap_lock);
	err = remap_locked(&r);
	mm_note_peak(r.mm);
	rwsem_write_unlock(&r.mm->mmap_lock);
	if (err)
		return err;
	if (r.populate && r.new_len > r.old_len)
		(void)!mm_populate(r.mm, r.new_addr + r.old_len, r.new_addr + r.new_len);
	return (long)r.new_addr;
}
