/* In-kernel tests of address spaces: the tree of areas, splitting, joining, placement, paging. */
#include <arch/entry.h>
#include <lib/ktest.h>
#include <linux/mman.h>
#include <asm/mman.h>
#include "../vma.h"

#define BASE 0x10000000ULL
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static u64 map_at(struct mm *mm, u64 addr, u64 pages, u32 prot)
{
	u64 out = 0;
	int err = mm_map(mm, addr, pages * PAGE_SIZE, prot, ANON | MAP_FIXED, NULL, 0, &out);

	EXPECT(!err && out == addr);
	return out;
}

/* Order, gaps and the largest gap of every subtree. */
static u64 check_subtree(const struct rb_node *n)
{
	const struct vma *v;
	u64 left, right;

	if (!n)
		return 0;
	v = rb_entry(n, const struct vma, node);
	left = check_subtree(n->left);
	right = check_subtree(n->right);
	EXPECT(v->max_gap == MAX(MAX(left, right), v->gap));
	return v->max_gap;
}

static void check_tree(struct mm *mm)
{
	u64 end = 0;
	u32 nr = 0;

	for (struct vma *v = vma_first(mm); v; v = vma_next(v), nr++) {
		EXPECT(v->start >= end && v->end > v->start);
		EXPECT(v->gap == v->start - end);
		end = v->end;
	}
	EXPECT(nr == mm->nr_vmas);
	check_subtree(mm->vmas.node);
}

KTEST(vma_neighbours_join_and_split)
{
	struct mm *mm = mm_create();

	map_at(mm, BASE, 4, PROT_READ | PROT_WRITE);
	map_at(mm, BASE + 4 * PAGE_SIZE, 4, PROT_READ | PROT_WRITE);
	EXPECT(mm->nr_vmas == 1);
	map_at(mm, BASE + 8 * PAGE_SIZE, 2, PROT_READ);
	EXPECT(mm->nr_vmas == 2);
	EXPECT(!mm_unmap(mm, BASE + 2 * PAGE_SIZE, PAGE_SIZE));
	EXPECT(mm->nr_vmas == 3);
	EXPECT(mm->total_pages == 9);
	map_at(mm, BASE + 2 * PAGE_SIZE, 1, PROT_READ | PROT_WRITE);
	EXPECT(mm->nr_vmas == 2);
	check_tree(mm);
	mm_put(mm);
}

KTEST(vma_tree_stays_ordered_under_many_changes)
{
	struct mm *mm = mm_create();
	u32 seed = 1;

	for (int i = 0; i < 400; i++) {
		u64 page, len;

		seed = seed * 1664525 + 1013904223;
		page = (seed >> 8) % 512;
		len = 1 + (seed >> 20) % 8;
		if (seed >> 31)
			(void)!mm_unmap(mm, BASE + page * PAGE_SIZE, len * PAGE_SIZE);
		else
			map_at(mm, BASE + page * PAGE_SIZE, len, seed & 64 ? PROT_READ : PROT_NONE);
	}
	check_tree(mm);
	EXPECT(!mm_unmap(mm, BASE, 1024 * PAGE_SIZE));
	EXPECT(!mm->nr_vmas && !mm->total_pages && !mm->commit_pages);
	mm_put(mm);
}

KTEST(placement_is_top_down_and_fills_holes)
{
	struct mm *mm = mm_create();
	u64 a, b, c;

	mm->bottom_up = false;
	mm->mmap_base = BASE + 1024 * PAGE_SIZE;
	EXPECT(!mm_map(mm, 0, 3 * PAGE_SIZE, PROT_READ, ANON, NULL, 0, &a));
	EXPECT(a + 3 * PAGE_SIZE == mm->mmap_base);
	EXPECT(!mm_map(mm, 0, PAGE_SIZE, PROT_WRITE, ANON, NULL, 0, &b));
	EXPECT(b == a - PAGE_SIZE);
	EXPECT(!mm_unmap(mm, a + PAGE_SIZE, PAGE_SIZE));
	EXPECT(!mm_map(mm, 0, PAGE_SIZE, PROT_WRITE, ANON, NULL, 0, &c));
	EXPECT(c == a + PAGE_SIZE);
	check_tree(mm);
	mm_put(mm);
}

KTEST(pages_come_and_go_with_their_area)
{
	struct mm *mm = mm_create(), *child;
	u64 value = 0x1122334455667788ULL, got = 0;

	map_at(mm, BASE, 600, PROT_READ | PROT_WRITE);
	for (u64 i = 0; i < 600; i += 100)
		EXPECT(mm_access_remote(mm, BASE + i * PAGE_SIZE + 8, &value, 8, true, false) == 8);
	EXPECT(mm_rss_pages(mm) == 6);
	EXPECT(mm_access_remote(mm, BASE + 8, &got, 8, false, false) == 8 && got == value);
	EXPECT(mm_access_remote(mm, BASE + 600 * PAGE_SIZE, &got, 8, false, false) == 0);
	EXPECT(!mm_fork(mm, &child));
	EXPECT(mm_rss_pages(child) == 6);
	got = 1;
	EXPECT(mm_access_remote(child, BASE + 8, &got, 8, true, false) == 8);
	EXPECT(mm_access_remote(mm, BASE + 8, &got, 8, false, false) == 8 && got == value);
	mm_put(child);
	EXPECT(!mm_unmap(mm, BASE, 600 * PAGE_SIZE));
	EXPECT(mm_rss_pages(mm) == 0 && atomic64_read(&mm->pt_pages) == 0);
	mm_put(mm);
}

KTEST(shared_anonymous_memory_is_shared_by_fork)
{
	struct mm *mm = mm_create(), *child;
	u64 value = 42, got = 0, a;

	EXPECT(!mm_map(mm, 0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       NULL, 0, &a));
	EXPECT(!mm_fork(mm, &child));
	EXPECT(mm_access_remote(child, a + PAGE_SIZE, &value, 8, true, false) == 8);
	EXPECT(mm_access_remote(mm, a + PAGE_SIZE, &got, 8, false, false) == 8 && got == 42);
	mm_put(mm);
	mm_put(child);
}
