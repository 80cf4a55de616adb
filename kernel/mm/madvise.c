/*
 * madvise. Advice that only concerns speed and has no mechanism here (page merging) is accepted and without effect, which
 * Linux allows itself too. MADV_FREE frees at once.
 */
#include <lib/errno.h>
#include <linux/falloc.h>
#include <linux/mman.h>
#include <asm/mman.h>
#include <syscall/table.h>
#include <signal/signal.h>
#include <task/access.h>
#include <task/pidfd.h>
#include <task/task.h>
#include <vfs/file.h>
#include "vma.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

static bool is_hint(u32 advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_COLD:
	case MADV_PAGEOUT:
		return true;
	default:
		return false;
	}
}

static bool is_known(u32 advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_REMOVE:
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return true;
	default:
		return is_hint(advice);
	}
}

/* Advice that drops pages: the areas stay, so mmap_lock held shared is enough. */
static int drop_pages(struct mm *mm, struct vma *v, u64 start, u64 end, u32 advice)
{
	struct zap z;

	if (v->flags & VMA_SPECIAL || (v->flags & VMA_LOCKED && advice != MADV_DONTNEED_LOCKED))
		return -EINVAL;
	if (advice == MADV_FREE && (v->file || v->ops))
		return -EINVAL;
	zap_begin(&z, mm);
	zap_range(&z, v, start, end, true);
	zap_end(&z);
	return 0;
}

/* The area's flags after the advice; -EINVAL when it does not apply. */
static int new_flags(const struct vma *v, u32 advice, u32 *flags)
{
	*flags = v->flags;
	switch (advice) {
	case MADV_DONTFORK:
		*flags |= VMA_DONTFORK;
		return 0;
	case MADV_DOFORK:
		*flags &= ~VMA_DONTFORK;
		return 0;
	case MADV_WIPEONFORK:
		*flags |= VMA_WIPEONFORK;
		return v->file || v->flags & VMA_SHARED ? -EINVAL : 0;
	case MADV_KEEPONFORK:
		*flags &= ~VMA_WIPEONFORK;
		return 0;
	case MADV_DONTDUMP:
		*flags |= VMA_DONTDUMP;
		return 0;
	case MADV_HUGEPAGE:
		*flags = (*flags & ~VMA_NOHUGEPAGE) | VMA_HUGEPAGE;
		return v->flags & VMA_SPECIAL ? -EINVAL : 0;
	case MADV_NOHUGEPAGE:
		*flags = (*flags & ~VMA_HUGEPAGE) | VMA_NOHUGEPAGE;
		return v->flags & VMA_SPECIAL ? -EINVAL : 0;
	case MADV_DODUMP:
		*flags &= ~VMA_DONTDUMP;
		return v->flags & VMA_SPECIAL ? -EINVAL : 0;
	default:
		return 0;
	}
}

static int advise_area(struct mm *mm, struct vma *v, u64 start, u64 end, u32 advice)
{
	u32 flags;
	int err;

	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
		return drop_pages(mm, v, start, end, advice);
	case MADV_COLD:
	case MADV_PAGEOUT:
		return v->flags & (VMA_LOCKED | VMA_SPECIAL) ? -EINVAL : 0;
	default:
		err = new_flags(v, advice, &flags);
		return err ? err : vma_change(mm, &v, start, end, flags);
	}
}

/* Holes are skipped and reported at the end, as Linux does. */
static int advise_range(struct mm *mm, u64 start, u64 end, u32 advice)
{
	int result = 0;

	while (start < end) {
		struct vma *v = vma_find(mm, start);
		u64 stop;
		int err;

		if (!v || v->start >= end)
			return -ENOMEM;
		if (v->start > start) {
			result = -ENOMEM;
			start = v->start;
		}
		stop = MIN(v->end, end);
		err = advise_area(mm, v, start, stop, advice);
		if (err)
			return err;
		start = stop;
	}
	return result;
}

/*
 * MADV_REMOVE of one area: a hole in its file. The file's operation takes the inode's lock, which
 * comes before mmap_lock; so look, take a reference, unlock, punch. *end: where to go on.
 */
static int remove_first(struct mm *mm, u64 start, u64 *end) NO_THREAD_SAFETY
{
	struct mapping *m = NULL;
	struct file *file = NULL;
	struct vma *v;
	u64 first = 0;
	int err = 0;

	rwsem_read_lock(&mm->mmap_lock);
	v = vma_find(mm, start);
	if (!v || v->start > start) {
		err = -ENOMEM;
	} else if (v->flags & VMA_LOCKED || !(m = vma_mapping(v))) {
		err = -EINVAL;
	} else if ((v->flags & (VMA_SHARED | VMA_WRITE)) != (VMA_SHARED | VMA_WRITE)) {
		err = -EACCES;
	} else {
		first = vma_pgoff_of(v, start);
		*end = MIN(*end, v->end);
		file = v->file;
		if (file) {
			file_get(file);
		} else {
			/* Shared anonymous memory: the area keeps its mapping alive. */
			u64 last = first + ((*end - start) >> PAGE_SHIFT) - 1;

			mapping_unmap_range(m, first, last, false);
			page_cache_truncate(m, first, last);
		}
	}
	rwsem_read_unlock(&mm->mmap_lock);
	if (!err && file)
		err = file->ops->fallocate
			      ? (int)file->ops->fallocate(file, FALLOC_FL_PUNCH_HOLE |
								FALLOC_FL_KEEP_SIZE,
							  (loff_t)(first << PAGE_SHIFT),
							  (loff_t)(*end - start))
			      : -EOPNOTSUPP;
	if (file)
		file_put(file);
	return err;
}

static int advise_remove(struct mm *mm, u64 start, u64 end)
{
	while (start < end) {
		u64 stop = end;
		int err = remove_first(mm, start, &stop);

		if (err)
			return err;
		start = stop;
	}
	return 0;
}

/* Like touching every page; FAULT_WRITE even where mm_populate would only read. */
static int advise_populate(struct mm *mm, u64 start, u64 end, bool write)
{
	int err = 0;

	rwsem_read_lock(&mm->mmap_lock);
	for (; start < end && !err; start += PAGE_SIZE) {
		struct vma *v = vma_find(mm, start);

		if (!v || v->start > start)
			err = -ENOMEM;
		else if (v->flags & VMA_SPECIAL || !(v->flags & (write ? VMA_WRITE : VMA_READ)))
			err = -EINVAL;
		else
			err = fault_page(mm, v, start, write ? 1 : 0);
	}
	rwsem_read_unlock(&mm->mmap_lock);
	return err;
}

static bool needs_write_lock(u32 advice)
{
	return !is_hint(advice) && advice != MADV_DONTNEED && advice != MADV_DONTNEED_LOCKED &&
	       advice != MADV_FREE;
}

static int advise(struct mm *mm, u64 start, u64 end, u32 advice) NO_THREAD_SAFETY
{
	int err;

	if (advice == MADV_REMOVE)
		return advise_remove(mm, start, end);
	if (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE)
		return advise_populate(mm, start, end, advice == MADV_POPULATE_WRITE);
	if (needs_write_lock(advice)) {
		rwsem_write_lock(&mm->mmap_lock);
		err = advise_range(mm, start, end, advice);
		rwsem_write_unlock(&mm->mmap_lock);
	} else {
		rwsem_read_lock(&mm->mmap_lock);
		err = advise_range(mm, start, end, advice);
		rwsem_read_unlock(&mm->mmap_lock);
	}
	return err;
}

long sys_madvise(u64 start, u64 len, u32 advice)
{
	u64 bytes = ALIGN_UP(len, PAGE_SIZE);

	if (!is_known(advice) || !IS_ALIGNED(start, PAGE_SIZE) || (len && !bytes) ||
	    start + bytes < start)
		return -EINVAL;
	if (!bytes)
		return 0;
	return advise(current->mm, start, start + bytes, advice);
}

static int advise_remote(struct mm *mm, u64 start, u64 len, u32 advice)
{
	u64 bytes = ALIGN_UP(len, PAGE_SIZE);

	if (!IS_ALIGNED(start, PAGE_SIZE) || (len && !bytes) || start + bytes < start)
		return -EINVAL;
	return bytes ? advise(mm, start, start + bytes, advice) : 0;
}

/* The target's address space with a reference, if the caller may advise it. */
static int remote_mm(int pidfd, u32 advice, struct mm **out)
{
	struct task *t;
	int err = pidfd_task_get(pidfd, &t);

	if (err)
		return err;
	*out = NULL;
	if (advice != MADV_COLD && advice != MADV_PAGEOUT && advice != MADV_WILLNEED)
		err = -EINVAL;
	else if (!task_may_access(t, ACCESS_FS))
		err = -EACCES;
	else if (!(*out = task_get_mm(t)))
		err = -ESRCH;
	else if (!capable(CAP_SYS_NICE))
		err = -EPERM;
	task_put(t);
	if (err && *out)
		mm_put(*out);
	return err;
}

long sys_process_madvise(int pidfd, struct user_iovec uvec, u64 nr, u32 advice, u32 flags)
{
	struct iovec_abi v;
	struct mm *mm;
	u64 done = 0;
	int err;

	if (flags || nr > IO_MAX_SEGS)
		return -EINVAL;
	for (u64 i = 0; i < nr; i++) {
		if (user_read(&v, user_at(uvec, i)))
			return -EFAULT;
		if ((s64)v.len < 0)
			return -EINVAL;
	}
	err = remote_mm(pidfd, advice, &mm);
	if (err)
		return err;
	for (u64 i = 0; i < nr && !err; i++) {
		err = user_read(&v, user_at(uvec, i));
		if (!err)
			err = advise_remote(mm, v.base, v.len, advice);
		if (!err)
			done += v.len;
	}
	mm_put(mm);
	return done ? (long)done : err;
}
