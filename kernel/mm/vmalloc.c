/*
 * Virtually contiguous kernel memory and device mappings. Areas lie in address order in a tree that
 * keeps the largest gap of each subtree, so that the lowest fitting gap is found in O(log n). Every
 * area is followed by an unmapped page, and the first page of the region stays unmapped.
 *
 * vmalloc_mutex guards the tree and serialises changes of the kernel page tables in this region.
 * Process context only. The last part of the region belongs to stack.c.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/rbtree.h>
#include <mm/slab.h>
#include <sync/mutex.h>
#include "vmalloc.h"

struct area {
	struct rb_node node;
	uptr start, end;         /* without the guard page */
	u64 gap, max_gap;        /* free bytes below start; the largest of the subtree */
	struct list_head pages;  /* through page->lru; empty for device memory */
	u64 nr_pages;
};

static DEFINE_MUTEX(vmalloc_mutex, LOCK_RANK_VMALLOC_MUTEX);
static struct rb_root areas;

#define REGION_START (KERNEL_VMALLOC_START + PAGE_SIZE)
#define REGION_END   STACK_REGION_START
/* Up to this size kvmalloc tries to do without mapping. */
#define CONTIGUOUS_MAX (8 * PAGE_SIZE)

static struct area *area_of(struct rb_node *n)
{
	return rb_entry_or_null(n, struct area, node);
}

static u64 subtree_gap(struct rb_node *n)
{
	return n ? area_of(n)->max_gap : 0;
}

static bool area_update(struct rb_node *n)
{
	struct area *a = area_of(n);
	uptr before = a->max_gap;

	a->max_gap = MAX(a->gap, subtree_gap(n->left));
	a->max_gap = MAX(a->max_gap, subtree_gap(n->right));
	return a->max_gap != before;
}

static uptr end_of_previous(struct area *a)
{
	struct area *prev = area_of(rb_prev(&a->node));

	return prev ? prev->end + PAGE_SIZE : REGION_START;
}

/* The lowest area whose gap holds size bytes, or NULL. */
static struct area *lowest_fitting(u64 size)
{
	struct rb_node *n = areas.node;

	if (subtree_gap(n) < size)
		return NULL;
	for (;;) {
		if (subtree_gap(n->left) >= size)
			n = n->left;
		else if (area_of(n)->gap >= size)
			return area_of(n);
		else
			n = n->right;
	}
}

static void area_link(struct area *a)
{
	struct rb_node **link = &areas.node, *parent = NULL, *next;

	while (*link) {
		parent = *link;
		link = a->start < area_of(parent)->start ? &parent->left : &parent->right;
	}
	a->max_gap = a->gap = 0;
	rb_insert(&areas, &a->node, parent, link, area_update);
	a->gap = a->start - end_of_previous(a);
	rb_propagate(&a->node, area_update);
	next = rb_next(&a->node);
	if (next) {
		area_of(next)->gap = area_of(next)->start - (a->end + PAGE_SIZE);
		rb_propagate(next, area_update);
	}
}

static void area_unlink(struct area *a)
{
	struct rb_node *next = rb_next(&a->node);

	rb_erase(&areas, &a->node, area_update);
	if (next) {
		area_of(next)->gap = area_of(next)->start - end_of_previous(area_of(next));
		rb_propagate(next, area_update);
	}
}

/* Reserves addresses for size bytes (whole pages). NULL: no memory. */
static struct area *area_create(u64 size)
{
	struct area *a = kzalloc(sizeof(*a), GFP_KERNEL);
	struct area *above;
	uptr last_end;

	if (!a)
		return NULL;
	list_init(&a->pages);
	above = lowest_fitting(size + PAGE_SIZE);
	if (above) {
		a->start = above->start - above->gap;
	} else {
		struct area *last = area_of(rb_last(&areas));

		last_end = last ? last->end + PAGE_SIZE : REGION_START;
		if (size + PAGE_SIZE > REGION_END - last_end) {
			kfree(a);
			return NULL;
		}
		a->start = last_end;
	}
	a->end = a->start + size;
	area_link(a);
	return a;
}

static struct area *area_find(uptr start)
{
	struct rb_node *n = areas.node;

	while (n && area_of(n)->start != start)
		n = start < area_of(n)->start ? n->left : n->right;
	return area_of(n);
}

/* Unmaps before the pages are given back: nobody may reach them through a stale translation. */
static void area_destroy(struct area *a)
{
	struct page *p, *next;

	arch_kernel_unmap(a->start, a->end - a->start);
	area_unlink(a);
	mem_stat_add(STAT_VMALLOC, -(s64)a->nr_pages);
	list_for_each_safe(p, next, &a->pages, lru) {
		list_del(&p->lru);
		page_put(p);
	}
	kfree(a);
}

static int area_populate(struct area *a, unsigned int gfp)
{
	for (uptr va = a->start; va < a->end; va += PAGE_SIZE) {
		struct page *p = page_alloc(0, gfp);
		int err;

		if (!p)
			return -ENOMEM;
		list_add_tail(&p->lru, &a->pages);
		a->nr_pages++;
		mem_stat_add(STAT_VMALLOC, 1);
		err = arch_kernel_map(va, page_paddr(p), KERNEL_DATA_PROT);
		if (err)
			return err;
	}
	return 0;
}

void *vmalloc(size_t size, unsigned int gfp)
{
	void *va = NULL;
	struct area *a;

	might_sleep();
	if (!size || size > (buddy_total_pages() << PAGE_SHIFT))
		return NULL;
	mutex_lock(&vmalloc_mutex);
	a = area_create(ALIGN_UP(size, PAGE_SIZE));
	if (a && area_populate(a, gfp))
		area_destroy(a);
	else if (a)
		va = (void *)a->start;
	mutex_unlock(&vmalloc_mutex);
	return va;
}

void vfree(const void *p)
{
	struct area *a;

	if (!p)
		return;
	might_sleep();
	mutex_lock(&vmalloc_mutex);
	a = area_find((uptr)p);
	BUG_ON(!a);
	area_destroy(a);
	mutex_unlock(&vmalloc_mutex);
}

void *ioremap(struct paddr pa, size_t size)
{
	u64 offset = pa.v & (PAGE_SIZE - 1);
	struct area *a;
	void *va = NULL;

	if (!size || pa.v + size < pa.v)
		return NULL;
	mutex_lock(&vmalloc_mutex);
	a = area_create(ALIGN_UP(size + offset, PAGE_SIZE));
	if (a) {
		va = (void *)(a->start + offset);
		for (u64 i = 0; i < a->end - a->start; i += PAGE_SIZE) {
			struct paddr frame = PADDR(pa.v - offset + i);

			if (arch_kernel_map(a->start + i, frame, KERNEL_DEVICE_PROT)) {
				area_destroy(a);
				va = NULL;
				break;
			}
		}
	}
	mutex_unlock(&vmalloc_mutex);
	return va;
}

/*
 * Giving vmalloc memory back interrupts every CPU, which a fork with a large descriptor table would
 * feel: as long as contiguous pages are at hand, they are taken.
 */
void *kvmalloc(size_t size, unsigned int gfp)
{
	void *p;

	if (size <= PAGE_SIZE * 2)
		return kmalloc(size, gfp);
	p = size <= CONTIGUOUS_MAX ? kmalloc(size, gfp | GFP_TRY) : NULL;
	return p ? p : vmalloc(size, gfp);
}

void kvfree(const void *p)
{
	if ((uptr)p >= KERNEL_VMALLOC_START && (uptr)p < KERNEL_VMALLOC_END)
		vfree(p);
	else
		kfree(p);
}
