/*
 * The end of a process for its memory: the OOM killer, which ends the one that uses most when nothing else is
 * left, the reaper, which takes a victim's private memory while it is still on its way out (it may be
 * waiting for a lock, for a device, or just for a CPU), and process_mrelease(2), which asks for the same.
 *
 * Private memory goes under mmap_lock held for writing, and the address space is marked first: a
 * thread that is still in a system call shall not find zeroes where its data was, and write them to a file. It
 * gets an error, and whoever holds the lock for long is tried again.
 *
 * The reaper has one place for a victim: a second one is not chosen while the first has its time.
 */
#include <boot/init.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <mm/mm.h>
#include <syscall/table.h>
#include <sched/sched.h>
#include <signal/signal.h>
#include <sync/spinlock.h>
#include <task/pidfd.h>
#include <task/task.h>
#include <time/clock.h>
#include "vma.h"

/* Rounds of OOM_NAP_NS that one allocation waits before it fails, and that a victim may take. */
#define OOM_NAP_NS      (10 * NSEC_PER_MSEC)
#define OOM_MAX_TRIES   500
#define OOM_VICTIM_TIME (4 * NSEC_PER_SEC)

static u64 last_kill_ns; /* tasklist_lock */

/* ---- Taking the memory of the dying ---- */

static void reap_private_pages(struct mm *mm)
{
	ASSERT_HELD(&mm->mmap_lock);
	mm->reaped = true;
	for (struct vma *v = vma_first(mm); v; v = vma_next(v)) {
		struct zap z;

		if (v->flags & (VMA_SHARED | VMA_SPECIAL))
			continue;
		zap_begin(&z, mm);
		zap_range(&z, v, v->start, v->end, true);
		zap_end(&z);
	}
}

/* Nobody will run in the address space again: its whole process is dying, and nobody shares it. The caller's
 * reference is one of the users. */
static bool is_dying(const struct process *p, const struct mm *mm)
{
	return (READ_ONCE(p->signal_flags) & SIGNAL_GROUP_EXIT) && !READ_ONCE(p->core) &&
	       (u64)ref_read(&mm->users) <= (u64)READ_ONCE(p->nr_threads) + 1;
}

long sys_process_mrelease(int pidfd, u32 flags)
{
	struct mm *mm;
	struct task *t;
	int err;

	if (flags)
		return -EINVAL;
	err = pidfd_task_get(pidfd, &t);
	if (err)
		return err;
	mm = task_get_mm(t);
	if (!mm) {
		err = -ESRCH;
	} else if (!is_dying(t->process, mm)) {
		err = -EINVAL;
	} else if (rwsem_write_lock_killable(&mm->mmap_lock)) {
		err = -EINTR;
	} else {
		reap_private_pages(mm);
		rwsem_write_unlock(&mm->mmap_lock);
	}
	if (mm)
		mm_put(mm);
	task_put(t);
	return err;
}

static struct process *to_reap; /* a reference, passed by exchange */
static DEFINE_WAIT_QUEUE(reap_wait);

/* The address space of p with a reference, or NULL. */
static struct mm *process_mm(struct process *p)
{
	struct mm *mm = NULL;
	struct task *t;

	spin_lock(&tasklist_lock);
	list_for_each(t, &p->threads, thread_node)
		if ((mm = task_get_mm(t)))
			break;
	spin_unlock(&tasklist_lock);
	return mm;
}

/* False: not now. */
static bool try_to_reap(struct process *p)
{
	struct mm *mm = process_mm(p);
	bool done = !mm;

	if (mm && is_dying(p, mm) && rwsem_write_trylock(&mm->mmap_lock)) {
		reap_private_pages(mm);
		rwsem_write_unlock(&mm->mmap_lock);
		done = true;
	}
	if (mm)
		mm_put(mm);
	return done;
}

static __noreturn void reaper(void *unused)
{
	struct process *p;

	for (;;) {
		wait_event(&reap_wait, READ_ONCE(to_reap));
		p = __atomic_exchange_n(&to_reap, NULL, __ATOMIC_ACQ_REL);
		while (!try_to_reap(p) && !READ_ONCE(to_reap)) {
			sched_set_state(TASK_UNINTERRUPTIBLE);
			schedule_until(clock_monotonic() + OOM_NAP_NS);
		}
		process_put(p);
	}
}

/* Passes a reference. */
static void reap(struct process *p)
{
	struct process *older = __atomic_exchange_n(&to_reap, p, __ATOMIC_ACQ_REL);

	if (older)
		process_put(older);
	wake_up_all(&reap_wait);
}

static int oom_init(void)
{
	return kthread_create(reaper, NULL, "oom_reaper") ? 0 : -ENOMEM;
}
INIT_CALL(INIT_CORE, oom_init);

/* ---- Choosing a victim ---- */

/* Pages that killing p would free, or 0 if it has no address space (any more) or its memory has been taken. */
static u64 process_pages(struct process *p, bool *victim)
{
	struct task *t;
	u64 pages = 0;

	list_for_each(t, &p->threads, thread_node) {
		spin_lock(&t->alloc_lock);
		if (t->mm && !(t->flags & TASK_F_KTHREAD) && !READ_ONCE(t->mm->reaped))
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
		reap(victim);
		if (fatal_signal_pending(current))
			return true; /* it is us: the reserve is open now */
	}
	sched_set_state(TASK_UNINTERRUPTIBLE);
	schedule_until(clock_monotonic() + OOM_NAP_NS);
	return true;
}
