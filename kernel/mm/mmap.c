/*
 * mmap and munmap: from the arguments to an area in the tree. The order of checks, and so which
 * errno wins, is Linux's. Everything is validated and acquired before the first visible change.
 *
 * mmap_lock is held for writing around each change; populating happens after it is released.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <linux/mman.h>
#include <asm/mman.h>
#include <linux/personality.h>
#include <mm/layout.h>
#include <syscall/table.h>
#include <task/task.h>
#include <vfs/file.h>
#include "vma.h"

#define KNOWN_FLAGS                                                                                \
	(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE |   \
	 MAP_UNINITIALIZED | MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE |           \
	 MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_32BIT | MAP_FIXED_NOREPLACE |                \
	 (63U << MAP_HUGE_SHIFT))

struct request {
	struct mm *mm;
	u64 addr, len, prot, flags;
	struct file *file;
	u64 pgoff;
	u32 vma_flags;
};

static u32 prot_to_vma(u64 prot)
{
	return (prot & PROT_READ ? VMA_READ : 0) | (prot & PROT_WRITE ? VMA_WRITE : 0) |
	       (prot & PROT_EXEC ? VMA_EXEC : 0);
}

static int shared_file_flags(struct request *r)
{
	if (r->flags & MAP_SYNC && (r->flags & MAP_TYPE) == MAP_SHARED_VALIDATE)
		return -EOPNOTSUPP;
	if ((r->flags & MAP_TYPE) == MAP_SHARED_VALIDATE && r->flags & ~(u64)KNOWN_FLAGS)
		return -EOPNOTSUPP;
	if (r->prot & PROT_WRITE && !(r->file->mode & FMODE_WRITE))
		return -EACCES;
	if (r->file->inode->flags & INODE_APPEND && r->file->mode & FMODE_WRITE)
		return -EACCES;
	r->vma_flags |= VMA_SHARED;
	if (!(r->file->mode & FMODE_WRITE))
		r->vma_flags &= ~VMA_MAYWRITE;
	return 0;
}

/* The last byte must lie within what the file system can address. */
static bool offset_possible(const struct request *r)
{
	u64 max = S64_MAX;

	if (!inode_is_reg(r->file->inode))
		return true;
	if (r->file->inode->sb && r->file->inode->sb->max_bytes)
		max = r->file->inode->sb->max_bytes;
	return r->len <= max && r->pgoff <= (max - r->len) >> PAGE_SHIFT;
}

static int file_flags(struct request *r)
{
	int err = 0;

	if (!offset_possible(r))
		return -EOVERFLOW;
	switch (r->flags & MAP_TYPE) {
	case MAP_SHARED:
	case MAP_SHARED_VALIDATE:
		err = shared_file_flags(r);
		break;
	case MAP_PRIVATE:
		break;
	default:
		return -EINVAL;
	}
	if (err)
		return err;
	if (!(r->file->mode & FMODE_READ))
		return -EACCES;
	if (r->file->path.mnt && r->file->path.mnt->flags & MNT_NOEXEC) {
		if (r->vma_flags & VMA_EXEC)
			return -EPERM;
		r->vma_flags &= ~VMA_MAYEXEC;
	}
	if (!r->file->ops->mmap)
		return -ENODEV;
	return r->flags & MAP_GROWSDOWN ? -EINVAL : 0;
}

static int anon_flags(struct request *r)
{
	switch (r->flags & MAP_TYPE) {
	case MAP_SHARED:
		if (r->flags & MAP_GROWSDOWN)
			return -EINVAL;
		r->pgoff = 0;
		r->vma_flags |= VMA_SHARED;
		return 0;
	case MAP_PRIVATE:
		r->pgoff = r->addr >> PAGE_SHIFT;
		return 0;
	default:
		return -EINVAL;
	}
}

/* Translates the flags into the area's. */
static int request_flags(struct request *r)
{
	r->vma_flags = prot_to_vma(r->prot) | VMA_MAYREAD | VMA_MAYWRITE | VMA_MAYEXEC |
		       r->mm->def_flags;
	if (r->flags & MAP_GROWSDOWN)
		r->vma_flags |= VMA_GROWSDOWN;
	if (r->flags & MAP_LOCKED) {
		if (!mm_can_lock())
			return -EPERM;
		r->vma_flags |= VMA_LOCKED;
	}
	if (mm_may_lock(r->mm, r->vma_flags, r->len >> PAGE_SHIFT))
		return -EAGAIN;
	if ((r->flags & MAP_NORESERVE) && READ_ONCE(overcommit_memory) != OVERCOMMIT_NEVER)
		r->vma_flags |= VMA_NORESERVE;
	return r->file ? file_flags(r) : anon_flags(r);
}

/* Pages of [start, end) that are mapped already and will be replaced. */
static u64 pages_in_range(struct mm *mm, u64 start, u64 end)
{
	u64 pages = 0;

	for (struct vma *v = vma_find(mm, start); v && v->start < end; v = vma_next(v))
		pages += (MIN(v->end, end) - MAX(v->start, start)) >> PAGE_SHIFT;
	return pages;
}

/* The new area, complete but in no tree. */
static int build_area(const struct request *r, struct vma **out)
{
	struct vma *v = vma_alloc(r->mm);
	int err = 0;

	if (!v)
		return -ENOMEM;
	v->start = r->addr;
	v->end = r->addr + r->len;
	v->flags = r->vma_flags;
	v->pgoff = r->pgoff;
	if (r->file) {
		file_get(r->file);
		v->file = r->file;
		err = r->file->ops->mmap(r->file, v);
		if (err)
			v->ops = NULL;
	} else if (v->flags & VMA_SHARED) {
		err = anon_shared_attach(v);
	}
	if (err) {
		vma_free(v);
		return err;
	}
	*out = v;
	return 0;
}

static int commit_area_counted(struct request *r)
{
	struct mm *mm = r->mm;
	u64 end = r->addr + r->len, pages = r->len >> PAGE_SHIFT, charge = 0;
	struct vma *v;
	int err;

	if (!mm_may_expand(mm, r->vma_flags, pages)) {
		u64 old = r->flags & MAP_FIXED ? pages_in_range(mm, r->addr, end) : 0;

		if (!mm_may_expand(mm, r->vma_flags, pages - old))
			return -ENOMEM;
	}
	if (vma_is_accountable(r->vma_flags)) {
		charge = pages;
		r->vma_flags |= VMA_ACCOUNT;
	} else if (!r->file && !(r->vma_flags & VMA_NORESERVE) && pages > buddy_total_pages() &&
		   READ_ONCE(overcommit_memory) != OVERCOMMIT_ALWAYS) {
		return -ENOMEM;
	}
	err = charge ? commit_charge(mm, charge) : 0;
	if (err)
		return err;
	err = build_area(r, &v);
	if (!err && r->flags & MAP_FIXED) {
		err = unmap_locked(mm, r->addr, end);
		if (err)
			vma_free(v);
	}
	if (err) {
		commit_uncharge(mm, charge);
		return err;
	}
	vma_insert(mm, v);
	mm_count_vma(mm, r->vma_flags, pages);
	return 0;
}

/*
 * The file's count of areas that may write is held until the new area is in it, against seals. A file
 * that is sealed against writing can still be read through an area that never will write.
 */
static int commit_area(struct request *r)
{
	u32 writes = VMA_SHARED | VMA_MAYWRITE;
	int err;

	if (!r->file || (r->vma_flags & writes) != writes)
		return commit_area_counted(r);
	err = mapping_writable_get(&r->file->inode->mapping);
	if (err && r->vma_flags & VMA_WRITE)
		return err;
	if (err) {
		r->vma_flags &= ~VMA_MAYWRITE;
		return commit_area_counted(r);
	}
	err = commit_area_counted(r);
	mapping_writable_put(&r->file->inode->mapping);
	return err;
}

static int map_locked(struct request *r)
{
	int err;

	if (r->mm->nr_vmas > READ_ONCE(max_map_count))
		return -ENOMEM;
	err = mm_unmapped_area(r->mm, r->addr, r->len, r->flags, &r->addr);
	if (err)
		return err;
	if (r->flags & MAP_FIXED_NOREPLACE &&
	    vma_find_overlap(r->mm, r->addr, r->addr + r->len))
		return -EEXIST;
	err = request_flags(r);
	return err ? err : commit_area(r);
}

static int map_checks(struct request *r)
{
	if (!r->len)
		return -EINVAL;
	if (r->prot & PROT_READ && current->personality & READ_IMPLIES_EXEC &&
	    !(r->file && r->file->path.mnt && r->file->path.mnt->flags & MNT_NOEXEC))
		r->prot |= PROT_EXEC;
	if (r->flags & MAP_FIXED_NOREPLACE)
		r->flags |= MAP_FIXED;
	if (!(r->flags & MAP_FIXED)) {
		r->addr &= PAGE_MASK;
		if (r->addr && r->addr < MMAP_MIN_ADDR)
			r->addr = MMAP_MIN_ADDR;
	}
	r->len = ALIGN_UP(r->len, PAGE_SIZE);
	if (!r->len)
		return -ENOMEM;
	if (r->pgoff + (r->len >> PAGE_SHIFT) < r->pgoff)
		return -EOVERFLOW;
	return 0;
}

static int map(struct request *r) NO_THREAD_SAFETY
{
	int err = map_checks(r);
	bool populate;

	if (err)
		return err;
	if (rwsem_write_lock_killable(&r->mm->mmap_lock))
		return -EINTR;
	err = map_locked(r);
	mm_note_peak(r->mm);
	rwsem_write_unlock(&r->mm->mmap_lock);
	if (err)
		return err;
	populate = r->vma_flags & VMA_LOCKED ? !r->mm->lock_on_fault
		   : (r->flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
	if (populate)
		(void)!mm_populate(r->mm, r->addr, r->addr + r->len);
	return 0;
}

int mm_map(struct mm *mm, u64 addr, u64 len, u32 prot, u32 flags, struct file *file, u64 off,
	   u64 *out)
{
	struct request r = {.mm = mm, .addr = addr, .len = len, .prot = prot, .flags = flags,
			    .file = file, .pgoff = off >> PAGE_SHIFT};
	int err;

	ASSERT(!file == !!(flags & MAP_ANONYMOUS));
	err = map(&r);
	*out = r.addr;
	return err;
}

long sys_mmap(u64 addr, u64 len, u64 prot, u64 flags, int fd, u64 offset)
{
	struct request r = {.mm = current->mm, .addr = addr, .len = len, .prot = prot,
			    .flags = flags, .pgoff = offset >> PAGE_SHIFT};
	struct fd f = {0};
	int err;

	if (offset & ~PAGE_MASK)
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS)) {
		f = fd_get(fd);
		if (!f.file)
			return -EBADF;
		r.file = f.file;
		err = flags & MAP_HUGETLB ? -EINVAL : map(&r);
		fd_put(f);
	} else {
		/* No pool of huge pages is reserved: Linux says ENOMEM then. */
		err = flags & MAP_HUGETLB ? -ENOMEM : map(&r);
	}
	return err ? err : (long)r.addr;
}

/* *first is the first area of [start, end): area borders at both ends. 0 or -errno. */
static int cut_borders(struct mm *mm, struct vma **first, u64 start, u64 end)
{
	int err;

	if ((*first)->start < start) {
		err = vma_cut(mm, *first, start);
		if (err)
			return err;
		*first = vma_next(*first);
	}
	if ((*first)->end > end)
		return vma_cut(mm, *first, end);
	return (*first)->end < end ? vma_split_at(mm, end) : 0;
}

/* The areas from v to `end`, a border, leave the tree; v follows `below`. The one above them. */
static struct vma *remove_areas(struct mm *mm, struct zap *z, struct vma *v, struct vma *below,
				u64 end, struct list_head *dead)
{
	struct vma *next;

	for (; v && v->start < end; v = next) {
		next = vma_next(v);
		zap_range(z, v, v->start, v->end, true);
		vma_unlink(mm, v, below, next);
		mm_count_vma(mm, v->flags, -(s64)vma_pages(v));
		if (v->flags & VMA_ACCOUNT)
			commit_uncharge(mm, vma_pages(v));
		list_add_tail(&v->mapping_node, dead);
	}
	return v;
}

static void free_areas(struct list_head *dead)
{
	struct vma *v, *next;

	list_for_each_safe(v, next, dead, mapping_node) {
		list_init(&v->mapping_node);
		vma_free(v);
	}
}

int unmap_locked(struct mm *mm, u64 start, u64 end)
{
	struct list_head dead = LIST_INIT(dead);
	struct vma *first, *above, *below;
	struct zap z;
	int err;

	/* Beyond user space lie the kernel's tables. */
	if (end > USER_TOP || start >= end)
		return -EINVAL;
	first = vma_find_overlap(mm, start, end);
	if (!first)
		return 0;
	if (first->start < start && first->end > end && mm->nr_vmas >= READ_ONCE(max_map_count))
		return -ENOMEM;
	err = cut_borders(mm, &first, start, end);
	if (err)
		return err;
	mm_note_peak(mm);
	below = vma_prev(first);
	zap_begin(&z, mm);
	above = remove_areas(mm, &z, first, below, end, &dead);
	zap_tables(&z, start, end, below ? below->end : 0, above ? above->start : USER_TOP);
	zap_end(&z);
	free_areas(&dead);
	return 0;
}

int mm_unmap(struct mm *mm, u64 addr, u64 len) NO_THREAD_SAFETY
{
	int err;

	len = ALIGN_UP(len, PAGE_SIZE);
	if (!IS_ALIGNED(addr, PAGE_SIZE) || !len || len > USER_TOP || addr > USER_TOP - len)
		return -EINVAL;
	if (rwsem_write_lock_killable(&mm->mmap_lock))
		return -EINTR;
	err = unmap_locked(mm, addr, addr + len);
	rwsem_write_unlock(&mm->mmap_lock);
	return err;
}

long sys_munmap(u64 addr, u64 len)
{
	return mm_unmap(current->mm, addr, len);
}
