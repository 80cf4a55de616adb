/*
 * shmdt: takes away what is left of a mapping that was made in one piece. Parts may have been
 * unmapped or moved since; those that stand where the mapping put them go.
 */
#include <lib/errno.h>
#include <vfs/file.h>
#include "vma.h"

/* True when v shows its pages where a mapping of the whole file at addr would. */
static bool in_place(const struct vma *v, u64 addr, const struct vma_ops *ops)
{
	return v->ops == ops && v->start >= addr && (v->start - addr) >> PAGE_SHIFT == v->pgoff;
}

static int detach_locked(struct mm *mm, u64 addr, const struct vma_ops *ops)
{
	struct vma *v = vma_find(mm, addr), *next;
	const struct file *file;
	u64 end;
	int err = 0;

	while (v && !in_place(v, addr, ops))
		v = vma_next(v);
	if (!v)
		return -EINVAL;
	file = v->file; /* names the mapping; later areas keep it alive while it is compared */
	end = addr + ALIGN_UP(READ_ONCE(file->inode->size), PAGE_SIZE);
	for (; v && v->end <= end && !err; v = next) {
		next = vma_next(v);
		if (v->file == file && in_place(v, addr, ops))
			err = unmap_locked(mm, v->start, v->end);
	}
	return err;
}

int mm_detach(struct mm *mm, u64 addr, const struct vma_ops *ops) NO_THREAD_SAFETY
{
	int err;

	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (rwsem_write_lock_killable(&mm->mmap_lock))
		return -EINTR;
	err = detach_locked(mm, addr, ops);
	rwsem_write_unlock(&mm->mmap_lock);
	return err;
}
