/*
 * Changing the flags of all areas in a range: the common part of mprotect, mlock and madvise.
 * Borders are split where needed, and equal neighbours joined afterwards.
 */
#include <lib/errno.h>
#include "vma.h"


int vma_change(struct mm *mm, struct vma **pv, u64 start, u64 end, u32 flags)
{
	struct vma *v = *pv;
	int err = 0;

	if (v->flags == flags)
		return 0;
	if (v->flags & VMA_SPECIAL && (v->start < start || v->end > end))
		return -EINVAL;
	if (v->start < start) {
		err = vma_split_at(mm, start);
		v = vma_find(mm, start);
	}
	if (!err && v->end > end)
		err = vma_split_at(mm, end);
	if (err)
		return err;
	mm_count_vma(mm, v->flags, -(s64)vma_pages(v));
	v->flags = flags;
	mm_count_vma(mm, flags, (s64)vma_pages(v));
	*pv = vma_coalesce(mm, v);
	return 0;
}
