/*
 * What happens when free memory runs out: caches shrink first (clean pages of files, shrinkers, empty
 * slabs, this CPU's pages); then the OOM killer ends the process that uses most. There is no swap, and
 * tmpfs data cannot be dropped; dirty pages of files are the background writer's, who is told.
 *
 * Shrinkers register during boot and stay. Process context, with any sleeping lock of the callers
 * held: a shrinker only try-locks what an allocation may be nested in.
 */
#include <lib/log.h>
#include <mm/mm.h>
#include <mm/page_cache.h>
#include <sched/sched.h>
#include <signal/signal.h>
#include <sync/spinlock.h>
#include <task/task.h>
#include <time/clock.h>
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

/* Rounds of OOM_NAP_NS that one allocation waits before it fails, and that a victim may take. */
#define OOM_NAP_NS      (10 * NSEC_PER_MSEC)
#define OOM_MAX_TRIES   500
#define OOM_VICTIM_TIME (4 * NSEC_PER_SEC)

static u64 last_kill_ns; /* tasklist_lock */

/* Pages that killing p would free, or 0 if it has no address space (any more). */
static u64 process_pages(struct process *p, bool *victim)
{
	struct task *t;
	u64 pages = 0;

	list_for_each(t, &p->threads, thread_node) {
		spin_lock(&t->alloc_lock);
		if (t->mm && !(t->flags & TASK_F_KTHREAD))
			pages = mm_rss_pages(t->mm) + (u64)atomic64_read(&t->mm->pt_pages) + 1;
		spin_unlock(&t->alloc_lock);
		if (pages) {
			*victim |= READ_ONCE(t->flags) & TASK_F_OOM_VICTIM;
			break;
		}
	}
	return pages;
}

/* The badness of Linux: resident pages, shifted by oom_score_adj thousandths of all memory. */
static s64 badness(const struct process *p, u64 pages)
{
	return (s64)pages + (s64)p->oom_score_adj * (s64)(buddy_total_pages() / 1000);
}

enum oom_choice { OOM_NOBODY, OOM_WAIT, OOM_KILL };

/* tasklist_lock held. *out: a reference. */
static enum oom_choice choose(struct process **out)
{
	bool old_victims_time_is_up = clock_monotonic() - last_kill_ns > OOM_VICTIM_TIME;
	struct process *p, *worst = NULL;
	s64 worst_points = 0;

	list_for_each(p, &all_processes, all_node) {
		bool victim = false;
		u64 pages;
		s64 points;

		if (p->pid == 1 || p->oom_score_adj == -1000)
			continue;
		pages = process_pages(p, &victim);
		if (!pages)
			continue;
		if (victim && !old_victims_time_is_up)
			return OOM_WAIT;
		points = badness(p, pages);
		if (!victim && (!worst || points > worst_points)) {
			worst = p;
			worst_points = points;
		}
	}
	if (!worst)
		return OOM_NOBODY;
	process_get(worst);
	*out = worst;
	return OOM_KILL;
}

static void mark_victim(struct process *p)
{
	struct task *t;

	list_for_each(t, &p->threads, thread_node)
		__atomic_fetch_or(&t->flags, TASK_F_OOM_VICTIM, __ATOMIC_RELAXED);
}

static enum oom_choice choose_and_mark(struct process **victim)
{
	enum oom_choice what;

	spin_lock(&tasklist_lock);
	what = choose(victim);
	if (what == OOM_KILL) {
		mark_victim(*victim);
		last_kill_ns = clock_monotonic();
	}
	spin_unlock(&tasklist_lock);
	return what;
}

bool oom_wait(unsigned int *tries)
{
	struct process *victim;
	enum oom_choice what;

	if (++*tries > OOM_MAX_TRIES || fatal_signal_pending(current))
		return false;
	what = choose_and_mark(&victim);
	if (what == OOM_NOBODY)
		return false;
	if (what == OOM_KILL) {
		pr_err("out of memory: killing process %d (%s)\n", victim->pid,
		       victim->leader->comm);
		process_kill(victim);
		process_put(victim);
		if (fatal_signal_pending(current))
			return true; /* it is us: the reserve is open now */
	}
	sched_set_state(TASK_UNINTERRUPTIBLE);
	schedule_until(clock_monotonic() + OOM_NAP_NS);
	return true;
}
