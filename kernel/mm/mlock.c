/*
 * mlock and its family. Nothing here is ever paged out, so a lock means: the pages are faulted in
 * now, and counted against RLIMIT_MEMLOCK.
 */
#include <lib/errno.h>
#include <linux/mman.h>
#include <asm/mman.h>
#include <linux/resource.h>
#include <syscall/table.h>
#include <task/cred.h>
#include <task/task.h>
#include "vma.h"

#define LOCK_FLAGS (VMA_LOCKED | VMA_LOCKONFAULT)

/* Sets the lock flags of all areas in [start, end); -ENOMEM at the first hole. */
static int set_flags(struct mm *mm, u64 start, u64 end, u32 lock_flags)
{
	while (start < end) {
		struct vma *v = vma_find(mm, start);
		u64 stop;
		int err;

		if (!v || v->start > start)
			return -ENOMEM;
		stop = MIN(v->end, end);
		if (!(v->flags & VMA_SPECIAL)) {
			err = vma_change(mm, &v, start, stop, (v->flags & ~LOCK_FLAGS) | lock_flags);
			if (err)
				return err;
		}
		start = stop;
	}
	return 0;
}

static u64 locked_in_range(struct mm *mm, u64 start, u64 end)
{
	u64 pages = 0;

	for (struct vma *v = vma_find(mm, start); v && v->start < end; v = vma_next(v))
		if (v->flags & VMA_LOCKED)
			pages += (MIN(v->end, end) - MAX(v->start, start)) >> PAGE_SHIFT;
	return pages;
}

static int lock_locked(struct mm *mm, u64 start, u64 end, u32 lock_flags)
{
	u64 limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	u64 want = mm->locked_pages + ((end - start) >> PAGE_SHIFT);

	if (want > limit && !capable(CAP_IPC_LOCK) &&
	    want - locked_in_range(mm, start, end) > limit)
		return -ENOMEM;
	return set_flags(mm, start, end, lock_flags);
}

/* -EFAULT beyond a file is ENOMEM for mlock; want of memory is EAGAIN. */
static int populate_error(int err)
{
	return err == -EFAULT ? -ENOMEM : err == -ENOMEM ? -EAGAIN : err;
}

/* The pages that [start, start + len) touches. False: the range wraps. */
static bool page_range(u64 *start, u64 len, u64 *end)
{
	u64 bytes = ALIGN_UP(len + (*start & ~PAGE_MASK), PAGE_SIZE);

	*start &= PAGE_MASK;
	*end = *start + bytes;
	return *end >= *start && bytes >= len;
}

static int lock_range(u64 start, u64 len, u32 lock_flags)
{
	struct mm *mm = current->mm;
	u64 end;
	int err;

	if (!mm_can_lock())
		return -EPERM;
	if (!page_range(&start, len, &end))
		return -EINVAL;
	rwsem_write_lock(&mm->mmap_lock);
	err = lock_locked(mm, start, end, lock_flags);
	rwsem_write_unlock(&mm->mmap_lock);
	if (err || lock_flags & VMA_LOCKONFAULT || start == end)
		return err;
	/* Linux answers ENOMEM for areas without access, EAGAIN when memory runs out. */
	return populate_error(mm_populate(mm, start, end));
}

long sys_mlock(u64 addr, u64 len)
{
	return lock_range(addr, len, VMA_LOCKED);
}

long sys_mlock2(u64 addr, u64 len, u32 flags)
{
	if (flags & ~(u32)MLOCK_ONFAULT)
		return -EINVAL;
	return lock_range(addr, len, VMA_LOCKED | (flags & MLOCK_ONFAULT ? VMA_LOCKONFAULT : 0));
}

long sys_munlock(u64 addr, u64 len)
{
	struct mm *mm = current->mm;
	u64 end;
	int err;

	if (!page_range(&addr, len, &end))
		return -EINVAL;
	rwsem_write_lock(&mm->mmap_lock);
	err = set_flags(mm, addr, end, 0);
	rwsem_write_unlock(&mm->mmap_lock);
	return err;
}

/* All present areas. */
static int set_all(struct mm *mm, u32 lock_flags)
{
	u64 at = 0;
	struct vma *v;

	while ((v = vma_find(mm, at))) {
		int err;

		at = v->end; /* v may become part of a neighbour */
		err = set_flags(mm, v->start, at, lock_flags);
		if (err)
			return err;
	}
	return 0;
}

static void populate_all(struct mm *mm)
{
	u64 at = 0;

	for (;;) {
		struct vma *v;
		u64 start = 0, end = 0;

		rwsem_read_lock(&mm->mmap_lock);
		v = vma_find(mm, at);
		if (v) {
			start = v->start;
			end = v->end;
		}
		rwsem_read_unlock(&mm->mmap_lock);
		if (!end)
			return;
		(void)!mm_populate(mm, start, end);
		at = end;
	}
}

static int lock_all_locked(struct mm *mm, u32 flags, u32 lock_flags)
{
	if (flags & MCL_CURRENT && !capable(CAP_IPC_LOCK) &&
	    mm->total_pages > rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT)
		return -ENOMEM;
	mm->def_flags = flags & MCL_FUTURE ? lock_flags : 0;
	mm->lock_on_fault = flags & MCL_ONFAULT;
	return flags & MCL_CURRENT ? set_all(mm, lock_flags) : 0;
}

long sys_mlockall(u32 flags)
{
	struct mm *mm = current->mm;
	u32 lock_flags = VMA_LOCKED | (flags & MCL_ONFAULT ? VMA_LOCKONFAULT : 0);
	int err;

	if (!flags || flags & ~(u32)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) ||
	    flags == MCL_ONFAULT)
		return -EINVAL;
	if (!mm_can_lock())
		return -EPERM;
	rwsem_write_lock(&mm->mmap_lock);
	err = lock_all_locked(mm, flags, lock_flags);
	rwsem_write_unlock(&mm->mmap_lock);
	if (!err && (flags & (MCL_CURRENT | MCL_ONFAULT)) == MCL_CURRENT)
		populate_all(mm);
	return err;
}

long sys_munlockall(void)
{
	struct mm *mm = current->mm;
	int err;

	rwsem_write_lock(&mm->mmap_lock);
	mm->def_flags = 0;
	mm->lock_on_fault = false;
	err = set_all(mm, 0);
	rwsem_write_unlock(&mm->mmap_lock);
	return err;
}
