/*
 * What happens when free memory runs out: caches shrink first (clean pages of files, shrinkers, empty
 * slabs, this CPU's pages); then the OOM killer (oom.c) ends a process. There is no swap, and
 * tmpfs data cannot be dropped; dirty pages of files are the background writer's, who is told.
 *
 * Shrinkers register during boot and stay. Process context, with any sleeping lock of the callers
 * held: a shrinker only try-locks what an allocation may be nested in.
 */
#include <mm/mm.h>
#include <mm/page_cache.h>
#include <signal/signal.h>
#include <sync/spinlock.h>
#include <task/task.h>
#include "internal.h"

static struct list_head shrinkers = LIST_INIT(shrinkers); /* grows only; shrinkers_lock to add */
static DEFINE_SPINLOCK(shrinkers_lock, LOCK_RANK_NONE);

#define SHRINK_BATCH 128 /* objects, of mm_drop_caches */

void shrinker_register(struct shrinker *s)
{
	spin_lock(&shrinkers_lock);
	list_add_tail(&s->node, &shrinkers);
	spin_unlock(&shrinkers_lock);
}

u64 mm_reclaim(u64 nr_pages)
{
	struct shrinker *s;
	u64 freed = page_cache_shrink(nr_pages);

	if (freed >= nr_pages)
		return freed + page_cpu_drain(); /* what was freed lies in this CPU's cache */
	writeback_hurry();
	list_for_each(s, &shrinkers, node)
		freed += s->shrink(nr_pages);
	freed += slab_reclaim();
	freed += page_cpu_drain();
	return freed;
}

void mm_drop_caches(bool pages, bool objects)
{
	struct shrinker *s;

	if (pages)
		(void)page_cache_shrink(U64_MAX);
	if (!objects)
		return;
	list_for_each(s, &shrinkers, node) {
		while (s->shrink(SHRINK_BATCH) >= SHRINK_BATCH && !fatal_signal_pending(current))
			;
	}
	(void)slab_reclaim();
}
