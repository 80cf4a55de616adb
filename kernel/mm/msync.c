/* msync and mincore. */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/mman.h>
#include <asm/mman.h>
#include <mm/slab.h>
#include <syscall/table.h>
#include <task/task.h>
#include <vfs/file.h>
#include "vma.h"

/* The first area at or after *start below end; its file with a reference if it must be written. */
static int sync_step(struct mm *mm, u64 *start, u64 end, u32 flags, bool *hole, struct file **file)
{
	struct vma *v;
	int err = 0;

	*file = NULL;
	rwsem_read_lock(&mm->mmap_lock);
	v = vma_find(mm, *start);
	if (!v || v->start >= end) {
		*hole = true;
		*start = end;
	} else {
		*hole |= v->start > *start;
		if (flags & MS_INVALIDATE && v->flags & VMA_LOCKED)
			err = -EBUSY;
		else if (flags & MS_SYNC && v->file && v->flags & VMA_SHARED)
			*file = v->file;
		if (*file)
			file_get(*file);
		*start = v->end;
	}
	rwsem_read_unlock(&mm->mmap_lock);
	return err;
}

long sys_msync(u64 start, u64 len, u32 flags)
{
	struct mm *mm = current->mm;
	u64 bytes = ALIGN_UP(len, PAGE_SIZE), end = start + bytes;
	bool hole = false;
	int err = 0;

	if (flags & ~(u32)(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || !IS_ALIGNED(start, PAGE_SIZE) ||
	    (flags & MS_ASYNC && flags & MS_SYNC))
		return -EINVAL;
	if (end < start || bytes < len)
		return -ENOMEM;
	while (start < end && !err) {
		struct file *file;

		err = sync_step(mm, &start, end, flags, &hole, &file);
		if (file) {
			if (!err && file->ops->fsync)
				err = file_sync(file, true);
			file_put(file);
		}
	}
	return err ? err : hole ? -ENOMEM : 0;
}

static u8 page_resident(struct mm *mm, struct vma *v, u64 addr)
{
	struct pte *ptep = pt_slot(mm, addr);
	struct mapping *m = vma_mapping(v);
	struct page *p;

	if (ptep && pte_huge(pte_get(ptep)))
		return 1;
	ptep = ptep ? pt_leaf(mm, ptep, addr) : NULL;
	if (ptep && !pte_none(pte_get(ptep)))
		return 1;
	if (!m)
		return 0;
	p = page_cache_find(m, vma_pgoff_of(v, addr));
	if (!p)
		return 0;
	page_put(p);
	return 1;
}

/* Up to one page of answers. The number of pages looked at, or -ENOMEM at a hole. */
static int resident_chunk(struct mm *mm, u64 start, u64 nr, u8 *vec)
{
	int err = 0;

	rwsem_read_lock(&mm->mmap_lock);
	for (u64 i = 0; i < nr && !err; i++) {
		u64 addr = start + i * PAGE_SIZE;
		struct vma *v = vma_find(mm, addr);

		if (!v || v->start > addr)
			err = -ENOMEM;
		else
			vec[i] = page_resident(mm, v, addr);
	}
	rwsem_read_unlock(&mm->mmap_lock);
	return err;
}

long sys_mincore(u64 start, u64 len, struct user_bytes vec)
{
	u64 pages = (len >> PAGE_SHIFT) + ((len & ~PAGE_MASK) != 0), done = 0;
	u8 *answers;
	int err = 0;

	if (!IS_ALIGNED(start, PAGE_SIZE))
		return -EINVAL;
	if (start > USER_TOP || len > USER_TOP - start)
		return -ENOMEM;
	if (vec.uaddr > USER_TOP || pages > USER_TOP - vec.uaddr)
		return -EFAULT;
	answers = pages_alloc_virt(0, GFP_USER);
	if (!answers)
		return -EAGAIN;
	while (done < pages && !err) {
		u64 n = MIN(pages - done, PAGE_SIZE);

		err = resident_chunk(current->mm, start + done * PAGE_SIZE, n, answers);
		if (!err)
			err = user_write_bytes(user_cast(bytes, user_at(vec, done)), answers, n);
		done += n;
	}
	pages_free_virt(answers, 0);
	return err;
}
