/*
 * Areas and their tree: a red-black tree in address order in which each node knows the free space
 * below itself and the largest such gap of its subtree, so a place for a new area is found in
 * O(log n). An area that maps a file also stands in the list of the file's mapping.
 *
 * The tree changes under mmap_lock held for writing. An area's borders and offset are also read by
 * truncation, through the mapping's list: they change under the mapping's mmap_lock.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/layout.h>
#include <mm/slab.h>
#include <vfs/file.h>
#include "vma.h"

static struct kmem_cache *vma_cache;

void vma_cache_init(void)
{
	vma_cache = kmem_cache_create("vma", sizeof(struct vma), 8);
}

static struct vma *vma_of(struct rb_node *n)
{
	return rb_entry_or_null(n, struct vma, node);
}

static u64 subtree_gap(const struct rb_node *n)
{
	return n ? container_of(n, struct vma, node)->max_gap : 0;
}

static bool vma_update(struct rb_node *n)
{
	struct vma *v = vma_of(n);
	u64 gap = MAX(v->gap, subtree_gap(n->left)), before = v->max_gap;

	v->max_gap = MAX(gap, subtree_gap(n->right));
	return v->max_gap != before;
}

struct vma *vma_next(const struct vma *v)
{
	return vma_of(rb_next(&v->node));
}

struct vma *vma_prev(const struct vma *v)
{
	return vma_of(rb_prev(&v->node));
}

struct vma *vma_first(const struct mm *mm)
{
	return vma_of(rb_first(&mm->vmas));
}

struct vma *vma_find(struct mm *mm, u64 addr)
{
	struct rb_node *n = mm->vmas.node;
	struct vma *best = NULL;

	while (n) {
		struct vma *v = rb_entry(n, struct vma, node);

		if (addr < v->end) {
			best = v;
			if (addr >= v->start)
				break;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

struct vma *vma_find_overlap(struct mm *mm, u64 start, u64 end)
{
	struct vma *v = vma_find(mm, start);

	return v && v->start < end ? v : NULL;
}

/* A stack keeps its distance from what lies below. */
static u64 start_with_guard(const struct vma *v)
{
	if (!(v->flags & VMA_GROWSDOWN))
		return v->start;
	return v->start > STACK_GUARD_GAP ? v->start - STACK_GUARD_GAP : 0;
}

static u64 gap_above(const struct vma *prev, const struct vma *v)
{
	u64 below = prev ? prev->end : 0;
	u64 top = start_with_guard(v);

	return top > below ? top - below : 0;
}

static void refresh_gap_above(const struct vma *prev, struct vma *v)
{
	u64 gap = gap_above(prev, v);

	if (gap == v->gap)
		return;
	v->gap = gap;
	rb_propagate(&v->node, vma_update);
}

static void refresh_gap(struct vma *v)
{
	refresh_gap_above(vma_prev(v), v);
}

struct mapping *vma_mapping(const struct vma *v)
{
	return v->file ? &v->file->inode->mapping : anon_shared_mapping(v);
}

/* Into the list of the mapping's areas: behind `after`, or in front when that is NULL. */
static void mapping_add(struct vma *v, struct vma *after)
{
	struct mapping *m = vma_mapping(v);

	if (!m)
		return;
	rwsem_write_lock(&m->mmap_lock);
	list_add(&v->mapping_node, after ? &after->mapping_node : &m->mmap_list);
	if ((v->flags & (VMA_SHARED | VMA_MAYWRITE)) == (VMA_SHARED | VMA_MAYWRITE))
		atomic_inc(&m->writable_maps);
	rwsem_write_unlock(&m->mmap_lock);
}

void vma_unlist(struct vma *v)
{
	struct mapping *m = vma_mapping(v);

	if (!m)
		return;
	rwsem_write_lock(&m->mmap_lock);
	list_del(&v->mapping_node);
	if ((v->flags & (VMA_SHARED | VMA_MAYWRITE)) == (VMA_SHARED | VMA_MAYWRITE))
		atomic_dec(&m->writable_maps);
	rwsem_write_unlock(&m->mmap_lock);
}

struct vma *vma_alloc(struct mm *mm)
{
	struct vma *v = kmem_cache_alloc(vma_cache, GFP_KERNEL | GFP_ZERO);

	if (v) {
		v->mm = mm;
		list_init(&v->mapping_node);
	}
	return v;
}

struct vma *vma_copy(const struct vma *v, struct mm *mm)
{
	struct vma *copy = kmem_cache_alloc(vma_cache, GFP_KERNEL);

	if (!copy)
		return NULL;
	*copy = *v;
	copy->mm = mm;
	list_init(&copy->mapping_node);
	if (copy->file)
		file_get(copy->file);
	if (copy->ops && copy->ops->open)
		copy->ops->open(copy);
	return copy;
}

void vma_free(struct vma *v)
{
	if (v->ops && v->ops->close)
		v->ops->close(v);
	if (v->file)
		file_put(v->file);
	kmem_cache_free(vma_cache, v);
}

/* Where an area goes into the tree: the link, and its neighbours. */
struct tree_place {
	struct rb_node *parent, **link;
	struct vma *prev, *next;
};

static struct tree_place place_of(struct mm *mm, u64 start)
{
	struct tree_place p = {.link = &mm->vmas.node};

	while (*p.link) {
		p.parent = *p.link;
		if (start < vma_of(p.parent)->start) {
			p.next = vma_of(p.parent);
			p.link = &p.parent->left;
		} else {
			p.prev = vma_of(p.parent);
			p.link = &p.parent->right;
		}
	}
	return p;
}

static void link_at(struct mm *mm, struct vma *v, const struct tree_place *p)
{
	v->gap = gap_above(p->prev, v);
	rb_insert(&mm->vmas, &v->node, p->parent, p->link, vma_update);
	mm->nr_vmas++;
	if (p->next)
		refresh_gap_above(v, p->next);
}

static void tree_link(struct mm *mm, struct vma *v)
{
	struct tree_place p = place_of(mm, v->start);

	link_at(mm, v, &p);
}

void vma_link(struct mm *mm, struct vma *v)
{
	tree_link(mm, v);
	mapping_add(v, NULL);
}

void vma_link_copy(struct mm *mm, struct vma *copy, struct vma *of)
{
	tree_link(mm, copy);
	mapping_add(copy, of);
}

void vma_unlink(struct mm *mm, struct vma *v, struct vma *prev, struct vma *next)
{
	vma_unlist(v);
	rb_erase(&mm->vmas, &v->node, vma_update);
	mm->nr_vmas--;
	if (next)
		refresh_gap_above(prev, next);
}

static void set_bounds(struct vma *v, u64 start, u64 end)
{
	v->pgoff += (s64)(start - v->start) >> PAGE_SHIFT;
	v->start = start;
	v->end = end;
}

void vma_set_bounds(struct vma *v, u64 start, u64 end)
{
	struct mapping *m = vma_mapping(v);
	struct vma *next;

	if (m) {
		rwsem_write_lock(&m->mmap_lock);
		set_bounds(v, start, end);
		rwsem_write_unlock(&m->mmap_lock);
	} else {
		set_bounds(v, start, end);
	}
	refresh_gap(v);
	next = vma_next(v);
	if (next)
		refresh_gap_above(v, next);
}

struct vma *vma_split(struct vma *v, u64 addr)
{
	struct vma *upper = vma_copy(v, v->mm);

	if (!upper)
		return NULL;
	upper->start = addr;
	upper->pgoff += (addr - v->start) >> PAGE_SHIFT;
	/* A truncation must find every page at any moment: first overlap, then shrink. */
	mapping_add(upper, NULL);
	vma_set_bounds(v, v->start, addr);
	tree_link(v->mm, upper);
	return upper;
}

int vma_cut(struct mm *mm, struct vma *v, u64 addr)
{
	if (v->flags & VMA_SPECIAL)
		return -EINVAL;
	if (mm->nr_vmas >= READ_ONCE(max_map_count))
		return -ENOMEM;
	return vma_split(v, addr) ? 0 : -ENOMEM;
}

int vma_split_at(struct mm *mm, u64 addr)
{
	struct vma *v = vma_find(mm, addr);

	return v && v->start < addr ? vma_cut(mm, v, addr) : 0;
}

bool vma_can_append(const struct vma *v, const struct vma *like)
{
	if (v->end != like->start || v->flags != like->flags ||
	    v->flags & VMA_SPECIAL || v->file != like->file || v->ops != like->ops ||
	    v->private != like->private || (v->ops && v->ops->no_merge))
		return false;
	return v->pgoff + vma_pages(v) == like->pgoff;
}

/* Makes the pair one area: `upper` disappears. */
static void absorb(struct mm *mm, struct vma *lower, struct vma *upper)
{
	lower->has_anon |= upper->has_anon;
	vma_set_bounds(lower, lower->start, upper->end);
	vma_unlink(mm, upper, lower, vma_next(upper));
	vma_free(upper);
}

struct vma *vma_coalesce(struct mm *mm, struct vma *v)
{
	struct vma *prev = vma_prev(v), *next = vma_next(v);

	if (next && vma_can_append(v, next))
		absorb(mm, v, next);
	if (prev && vma_can_append(prev, v)) {
		absorb(mm, prev, v);
		return prev;
	}
	return v;
}

void vma_insert(struct mm *mm, struct vma *v)
{
	struct tree_place p = place_of(mm, v->start);

	if (p.prev && vma_can_append(p.prev, v)) {
		vma_set_bounds(p.prev, p.prev->start, v->end);
		vma_free(v);
		vma_coalesce(mm, p.prev);
	} else if (p.next && vma_can_append(v, p.next)) {
		vma_set_bounds(p.next, v->start, p.next->end);
		vma_free(v);
	} else {
		link_at(mm, v, &p);
		mapping_add(v, NULL);
	}
}

/* The part of the free space below v that lies in [low, high). False: too small. */
static bool gap_within(const struct vma *v, u64 low, u64 high, u64 len, u64 *bottom, u64 *top)
{
	if (v->gap < len)
		return false;
	*top = MIN(start_with_guard(v), high);
	*bottom = MAX(start_with_guard(v) - v->gap, low);
	return *top >= *bottom && *top - *bottom >= len;
}

/* The nearest ancestor of n whose right (left) subtree n is in. */
static const struct rb_node *climb(const struct rb_node *n, bool from_right)
{
	const struct rb_node *p = rb_parent(n);

	while (p && (from_right ? p->right : p->left) != n) {
		n = p;
		p = rb_parent(n);
	}
	return p;
}

/*
 * The highest place: right subtree, the node's own gap, left subtree; a subtree without a large
 * enough gap is skipped. Only gaps cut by `high` or `low` can disappoint, so the search stays
 * O(log n).
 */
static bool highest_in(const struct rb_node *n, u64 low, u64 high, u64 len, u64 *addr)
{
	bool down = subtree_gap(n) >= len; /* into n's subtree; else its right part is done */
	u64 bottom, top;

	while (n) {
		const struct vma *v = rb_entry(n, const struct vma, node);

		if (down && v->end + len <= high && subtree_gap(n->right) >= len) {
			n = n->right;
			continue;
		}
		if (gap_within(v, low, high, len, &bottom, &top)) {
			*addr = top - len;
			return true;
		}
		down = v->start > low && subtree_gap(n->left) >= len;
		n = down ? n->left : climb(n, true);
	}
	return false;
}

/* End of the last area. */
static u64 last_end(const struct mm *mm)
{
	const struct vma *last = vma_of(rb_last(&mm->vmas));

	return last ? last->end : 0;
}

bool vma_gap_highest(const struct mm *mm, u64 low, u64 high, u64 len, u64 *addr)
{
	u64 bottom = MAX(last_end(mm), low);

	if (high < low || high - low < len)
		return false;
	if (high >= bottom && high - bottom >= len) {
		*addr = high - len;
		return true;
	}
	return highest_in(mm->vmas.node, low, high, len, addr);
}

static bool lowest_in(const struct rb_node *n, u64 low, u64 high, u64 len, u64 *addr)
{
	bool down = subtree_gap(n) >= len; /* into n's subtree; else its left part is done */
	u64 bottom, top;

	while (n) {
		const struct vma *v = rb_entry(n, const struct vma, node);

		if (down && v->start > low && subtree_gap(n->left) >= len) {
			n = n->left;
			continue;
		}
		if (gap_within(v, low, high, len, &bottom, &top)) {
			*addr = bottom;
			return true;
		}
		down = v->end + len <= high && subtree_gap(n->right) >= len;
		n = down ? n->right : climb(n, false);
	}
	return false;
}

bool vma_gap_lowest(const struct mm *mm, u64 low, u64 high, u64 len, u64 *addr)
{
	u64 bottom = MAX(last_end(mm), low);

	if (high < low || high - low < len)
		return false;
	if (lowest_in(mm->vmas.node, low, high, len, addr))
		return true;
	if (high >= bottom && high - bottom >= len) {
		*addr = bottom;
		return true;
	}
	return false;
}
