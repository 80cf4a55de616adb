/* Areas that exec makes: the stack, and pages that the kernel provides (the vDSO). */
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/layout.h>
#include <mm/slab.h>
#include "vma.h"

struct special {
	struct ref ref;
	const char *name;
	u64 nr_pages;
	struct page *page[];
};

static int special_fault(struct vma *v, u64 pgoff, bool write __maybe_unused, struct page **page)
{
	struct special *s = v->private;

	if (pgoff >= s->nr_pages)
		return -EFAULT;
	*page = s->page[pgoff];
	page_get(*page);
	return 0;
}

static void special_open(struct vma *v)
{
	struct special *s = v->private;

	ref_get(&s->ref);
}

static void special_close(struct vma *v)
{
	struct special *s = v->private;

	if (ref_put(&s->ref))
		kfree(s);
}

static const char *special_name(struct vma *v)
{
	return ((struct special *)v->private)->name;
}

static const struct vma_ops special_ops = {
	.fault = special_fault,
	.open = special_open,
	.close = special_close,
	.name = special_name,
};

static struct special *special_create(struct page **pages, u64 nr, const char *name)
{
	struct special *s = kmalloc(sizeof(*s) + nr * sizeof(s->page[0]), GFP_KERNEL);

	if (!s)
		return NULL;
	ref_init(&s->ref);
	s->name = name;
	s->nr_pages = nr;
	memcpy(s->page, pages, nr * sizeof(s->page[0]));
	return s;
}

/* Enters v, complete but for its place in the tree. Consumes it. */
static int enter_area(struct mm *mm, struct vma *v)
{
	int err = 0;

	rwsem_write_lock(&mm->mmap_lock);
	if (v->start < MMAP_MIN_ADDR || v->end > USER_TOP || v->start >= v->end ||
	    vma_find_overlap(mm, v->start, v->end))
		err = -EINVAL;
	else if (!mm_may_expand(mm, v->flags, vma_pages(v)))
		err = -ENOMEM;
	else if (v->flags & VMA_ACCOUNT)
		err = commit_charge(mm, vma_pages(v));
	if (!err) {
		vma_link(mm, v);
		mm_count_vma(mm, v->flags, vma_pages(v));
	}
	rwsem_write_unlock(&mm->mmap_lock);
	if (err)
		vma_free(v);
	return err;
}

int mm_find_room(struct mm *mm, u64 hint, u64 len, u64 *addr)
{
	int err;

	rwsem_read_lock(&mm->mmap_lock);
	err = mm_unmapped_area(mm, hint, len, 0, addr);
	rwsem_read_unlock(&mm->mmap_lock);
	return err;
}

int mm_map_special(struct mm *mm, u64 addr, u64 len, u32 vma_flags, struct page **pages,
		   const char *name)
{
	struct vma *v = vma_alloc(mm);

	if (!v)
		return -ENOMEM;
	v->start = addr;
	v->end = addr + ALIGN_UP(len, PAGE_SIZE);
	v->flags = vma_flags | VMA_SPECIAL;
	v->private = special_create(pages, vma_pages(v), name);
	if (!v->private) {
		vma_free(v);
		return -ENOMEM;
	}
	v->ops = &special_ops;
	return enter_area(mm, v);
}

int mm_map_stack(struct mm *mm, u64 top, u64 size, bool executable)
{
	struct vma *v = vma_alloc(mm);

	if (!v)
		return -ENOMEM;
	v->start = (top - size) & PAGE_MASK;
	v->end = ALIGN_UP(top, PAGE_SIZE);
	v->pgoff = v->start >> PAGE_SHIFT;
	v->flags = VMA_READ | VMA_WRITE | VMA_MAYREAD | VMA_MAYWRITE | VMA_MAYEXEC |
		   VMA_GROWSDOWN | VMA_STACK | VMA_ACCOUNT | (executable ? VMA_EXEC : 0);
	return enter_area(mm, v);
}
