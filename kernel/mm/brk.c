/* brk: the heap's end. The call never fails with an errno; it answers where the end is now. */
#include <linux/resource.h>
#include <mm/layout.h>
#include <syscall/table.h>
#include <task/task.h>
#include "vma.h"

#define HEAP_FLAGS                                                                                 \
	(VMA_READ | VMA_WRITE | VMA_MAYREAD | VMA_MAYWRITE | VMA_MAYEXEC | VMA_ACCOUNT | VMA_HEAP)

/* RLIMIT_DATA counts the program's data segment along with the heap. */
static bool within_data_limit(const struct mm *mm, u64 brk)
{
	u64 limit = rlimit(RLIMIT_DATA);

	return limit == RLIM64_INFINITY ||
	       brk - mm->start_brk + (mm->end_data - mm->start_data) <= limit;
}

/* [start, end) becomes part of the heap. mmap_lock held for writing. */
static bool heap_grow(struct mm *mm, u64 start, u64 end)
{
	u64 pages = (end - start) >> PAGE_SHIFT, place;
	u32 flags = HEAP_FLAGS | mm->def_flags;
	struct vma *next = vma_find(mm, start), *prev, *v;

	/* One page of distance to what follows, and a stack's guard gap. */
	if (end > USER_TOP - PAGE_SIZE ||
	    !vma_gap_lowest(mm, start, end + PAGE_SIZE, end + PAGE_SIZE - start, &place))
		return false;
	if (!mm_may_expand(mm, flags, pages) || mm_may_lock(mm, flags, pages) ||
	    mm->nr_vmas > READ_ONCE(max_map_count) || commit_charge(mm, pages))
		return false;
	prev = next ? vma_prev(next) : rb_entry_or_null(rb_last(&mm->vmas), struct vma, node);
	if (prev && prev->end == start && prev->flags == flags && !prev->file && !prev->ops) {
		vma_set_bounds(prev, prev->start, end);
	} else {
		v = vma_alloc(mm);
		if (!v) {
			commit_uncharge(mm, pages);
			return false;
		}
		v->start = start;
		v->end = end;
		v->flags = flags;
		v->pgoff = start >> PAGE_SHIFT;
		vma_link(mm, v);
	}
	mm_count_vma(mm, flags, pages);
	return true;
}

/* Moves the end if it may. The pages to populate go to *from and *to. */
static void set_brk_locked(struct mm *mm, u64 brk, u64 *from, u64 *to)
{
	u64 old_end = ALIGN_UP(mm->brk, PAGE_SIZE), new_end = ALIGN_UP(brk, PAGE_SIZE);

	if (brk < mm->start_brk || brk > USER_TOP || !within_data_limit(mm, brk))
		return;
	if (new_end < old_end && unmap_locked(mm, new_end, old_end))
		return;
	if (new_end > old_end) {
		if (!heap_grow(mm, old_end, new_end))
			return;
		if (mm->def_flags & VMA_LOCKED && !mm->lock_on_fault) {
			*from = old_end;
			*to = new_end;
		}
	}
	mm->brk = brk;
}

void mm_set_brk(struct mm *mm, u64 addr)
{
	mm->start_brk = mm->brk = addr;
}

long sys_brk(u64 addr)
{
	struct mm *mm = current->mm;
	u64 from = 0, to = 0;
	long brk;

	rwsem_write_lock(&mm->mmap_lock);
	set_brk_locked(mm, addr, &from, &to);
	mm_note_peak(mm);
	brk = (long)mm->brk;
	rwsem_write_unlock(&mm->mmap_lock);
	if (from < to)
		(void)!mm_populate(mm, from, to);
	return brk;
}
