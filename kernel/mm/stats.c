/*
 * Counters of what memory is used for. Each CPU adds to its own copy without a lock; a reader sums
 * the copies, so a sum taken while others count may be off by what is in flight.
 */
#include <mm/page.h>
#include <arch/cpu.h>
#include <lib/string.h>
#include "internal.h"

DEFINE_PER_CPU(struct mem_cpu_stats, mem_cpu_stats);

u64 mem_stat_read(enum mem_stat s)
{
	s64 sum = 0;

	for_each_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(mem_cpu_stats, cpu)->v[s]);
	return sum > 0 ? (u64)sum : 0;
}

void mem_count_buffers(s64 bytes)
{
	mem_stat_add(STAT_BUFFER_BYTES, bytes);
}

void mem_stats(struct mem_stats *st)
{
	memset(st, 0, sizeof(*st));
	st->total_pages = buddy_total_pages();
	st->free_pages = buddy_free_pages() + page_cpu_cached();
	st->cached_pages = mem_stat_read(STAT_CACHED);
	st->anon_pages = mem_stat_read(STAT_ANON);
	st->anon_huge_pages = mem_stat_read(STAT_ANON_HUGE);
	st->buffer_pages = mem_stat_read(STAT_BUFFER_BYTES) / PAGE_SIZE;
	st->slab_pages = mem_stat_read(STAT_SLAB);
	st->slab_pages -= MIN(st->slab_pages, st->buffer_pages);
	st->slab_reclaimable_pages = mem_stat_read(STAT_SLAB_RECLAIMABLE);
	st->kernel_stack_pages = mem_stat_read(STAT_STACK);
	st->page_table_pages = mem_stat_read(STAT_PAGE_TABLE);
	st->shmem_pages = mem_stat_read(STAT_SHMEM);
	st->mapped_pages = mem_stat_read(STAT_MAPPED);
	st->committed_pages = mem_stat_read(STAT_COMMITTED);
	st->dirty_pages = writeback_dirty_pages();
	st->vmalloc_pages = mem_stat_read(STAT_VMALLOC);
}
