/*
 * The life of an address space: creation, the copy for fork, the end. `users` counts the tasks
 * (and whoever works on its areas); the last one empties it. `refs` keeps the structure and the
 * root table, which a CPU may still have loaded while it runs kernel threads.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <task/task.h>
#include <vfs/file.h>
#include "vma.h"

#define DEFAULT_STACK_GAP (128ULL << 20)

static struct kmem_cache *mm_cache;

void mm_init(void)
{
	mm_cache = kmem_cache_create("mm", sizeof(struct mm), 64);
	vma_cache_init();
}

static struct mm *mm_alloc(void)
{
	struct mm *mm = kmem_cache_alloc(mm_cache, GFP_KERNEL | GFP_ZERO);

	if (!mm)
		return NULL;
	if (arch_mm_init(&mm->arch)) {
		kmem_cache_free(mm_cache, mm);
		return NULL;
	}
	rwsem_init(&mm->mmap_lock, LOCK_RANK_MMAP);
	spin_init(&mm->page_table_lock, LOCK_RANK_PAGE_TABLE);
	ref_init(&mm->users);
	ref_init(&mm->refs);
	return mm;
}

struct mm *mm_create(void)
{
	struct mm *mm = mm_alloc();

	if (mm) {
		mm->dumpable = SUID_DUMP_USER;
		mm->dump_filter = CORE_FILTER_DEFAULT;
		mm->mmap_base = USER_TOP - DEFAULT_STACK_GAP; /* exec knows better */
	}
	return mm;
}

void mm_get(struct mm *mm)
{
	ref_get(&mm->users);
}

bool mm_get_unless_dead(struct mm *mm)
{
	return ref_get_unless_zero(&mm->users);
}

void mm_ref(struct mm *mm)
{
	ref_get(&mm->refs);
}

void mm_unref(struct mm *mm)
{
	if (!ref_put(&mm->refs))
		return;
	ASSERT(!mm->vmas.node && !atomic64_read(&mm->pt_pages));
	arch_mm_fini(&mm->arch);
	kmem_cache_free(mm_cache, mm);
}

u64 mm_rss_pages(const struct mm *mm)
{
	s64 n = atomic64_read(&mm->anon_pages) + atomic64_read(&mm->file_pages) +
		atomic64_read(&mm->shmem_pages);

	return n > 0 ? (u64)n : 0;
}

void mm_note_peak(struct mm *mm)
{
	mm->peak_rss_pages = MAX(mm->peak_rss_pages, mm_rss_pages(mm));
	mm->peak_total_pages = MAX(mm->peak_total_pages, mm->total_pages);
}

/* No user is left: only truncation may still come, through the mappings' lists. */
static void mm_empty(struct mm *mm)
{
	struct list_head dead = LIST_INIT(dead);
	struct vma *v, *next;
	struct zap z;

	mm_note_peak(mm);
	zap_begin(&z, mm);
	for (v = vma_first(mm); v; v = vma_next(v)) {
		zap_range(&z, v, v->start, v->end, true);
		vma_unlist(v);
		list_add_tail(&v->mapping_node, &dead);
	}
	for (v = vma_first(mm); v; v = next) {
		next = vma_next(v);
		zap_tables(&z, v->start, v->end, 0, next ? next->start : USER_TOP);
	}
	zap_end(&z);
	mm->vmas.node = NULL;
	mm->nr_vmas = 0;
	list_for_each_safe(v, next, &dead, mapping_node) {
		list_init(&v->mapping_node);
		vma_free(v);
	}
	commit_uncharge(mm, mm->commit_pages);
	if (mm->exe_file)
		file_put_exec(mm->exe_file);
	mm->exe_file = NULL;
	WRITE_ONCE(mm->gone, true);
}

void mm_put(struct mm *mm)
{
	if (!ref_put(&mm->users))
		return;
	might_sleep();
	mm_empty(mm);
	mm_unref(mm);
}
