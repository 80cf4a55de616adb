/*
 * The end of a process for its memory: the OOM killer, which ends the one that uses most when nothing else is
 * left, the reaper, which takes a victim's private memory while it is still on its way out (it may be
 * waiting for a lock, for a device, or just for a CPU), and process_mrelease(2), which asks for the same.
 *
 * Private memory goes under mmap_lock held for writing, and the address space is marked first: a
 * thread that is still in a system call shall not find zeroes where its data was, and write them to a file. It
 * gets an error, and whoever holds the lock for long is tried again.
 *
 * One victim at a time: a second one is not chosen before the memory of the first is there, however it
 * came, or its time is up; nor by somebody whose allocation failed before that.
 */
#include <boot/init.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <mm/mm.h>
#include <sched/sched.h>
#include <signal/signal.h>
#include <sync/spinlock.h>
#include <syscall/table.h>
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
	WRITE_ONCE(mm->reaped, true);
	for (struct vma *v = vma_first(mm); v; v = vma_next(v)) {
		struct zap z;

		if (v->flags & (VMA_SHARED | VMA_SPECIAL))
			continue;
		zap_begin(&z, mm);
		zap_range(&z, v, v->start, v->end, true);
		zap_end(&z);
	}
	WRITE_ONCE(mm->gone, true);
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

/*
 * The victim whose memory is awaited: until it is there, nobody else is chosen, but after OOM_VICTIM_TIME.
 * tasklist_lock; references to the process and to the structure of its address space.
 */
static struct process *victim;
static struct mm *victim_mm;
static u32 victims_gone; /* tasklist_lock to change, torn-free: who failed before the last one went tries again */
static DEFINE_WAIT_QUEUE(reap_wait);

u32 oom_victims_gone(void)
{
	return READ_ONCE(victims_gone);
}

/* Nobody is awaited any more; *p and *mm: references for the caller to drop. tasklist_lock held. */
static void forget_victim_locked(struct process **p, struct mm **mm)
{
	*p = victim;
	*mm = victim_mm;
	victim = NULL;
	WRITE_ONCE(victim_mm, NULL);
	WRITE_ONCE(victims_gone, victims_gone + 1);
}

static void drop_victim(struct process *p, struct mm *mm)
{
	if (p)
		process_put(p);
	if (mm)
		mm_unref(mm);
}

static void try_to_reap(const struct process *p, struct mm *mm)
{
	if (!mm_get_unless_dead(mm))
		return; /* it is being emptied */
	if (is_dying(p, mm) && rwsem_write_trylock(&mm->mmap_lock)) {
		reap_private_pages(mm);
		rwsem_write_unlock(&mm->mmap_lock);
	}
	mm_put(mm);
}

static void nap(void)
{
	sched_set_state(TASK_UNINTERRUPTIBLE);
	schedule_until(clock_monotonic() + OOM_NAP_NS);
}

/* The victim with references of our own, or NULL. */
static struct process *victim_get(struct mm **mm)
{
	struct process *p;

	spin_lock(&tasklist_lock);
	p = victim;
	*mm = victim_mm;
	if (p) {
		process_get(p);
		mm_ref(*mm);
	}
	spin_unlock(&tasklist_lock);
	return p;
}

/* Or for the end of its time: somebody else may share the address space, and live. */
static void await_memory_of(const struct process *p, struct mm *mm)
{
	u64 end = clock_monotonic() + OOM_VICTIM_TIME;
	struct process *old_p = NULL;
	struct mm *old_mm = NULL;

	while (!READ_ONCE(mm->gone) && READ_ONCE(victim_mm) == mm && clock_monotonic() < end) {
		try_to_reap(p, mm);
		if (!READ_ONCE(mm->gone))
			nap();
	}
	spin_lock(&tasklist_lock);
	if (victim_mm == mm)
		forget_victim_locked(&old_p, &old_mm);
	spin_unlock(&tasklist_lock);
	drop_victim(old_p, old_mm);
}

static __noreturn void reaper(void *unused)
{
	struct process *p;
	struct mm *mm;

	for (;;) {
		wait_event(&reap_wait, READ_ONCE(victim_mm));
		p = victim_get(&mm);
		if (p)
			await_memory_of(p, mm);
		drop_victim(p, p ? mm : NULL);
	}
}

static int oom_init(void)
{
	return kthread_create(reaper, NULL, "oom_reaper") ? 0 : -ENOMEM;
}
INIT_CALL(INIT_CORE, oom_init);

/* ---- Choosing a victim ---- */

/* Pages that killing p would free; 0: no address space (any more), or it was killed for them already. tasklist_lock
 * held. *mm: with a reference to the structure. */
static u64 process_pages(struct process *p, struct mm **mm)
{
	struct task *t;
	u64 pages = 0;

	list_for_each(t, &p->threads, thread_node) {
		if (READ_ONCE(t->flags) & TASK_F_OOM_VICTIM)
			return 0;
		spin_lock(&t->alloc_lock);
		if (t->mm && !(t->flags & TASK_F_KTHREAD) && !READ_ONCE(t->mm->reaped)) {
			pages = mm_rss_pages(t->mm) + (u64)atomic64_read(&t->mm->pt_pages) + 1;
			*mm = t->mm;
			mm_ref(*mm);
		}
		spin_unlock(&t->alloc_lock);
		if (pages)
			break;
	}
	return pages;
}

/* The badness of Linux: resident pages, shifted by oom_score_adj thousandths of all memory. */
static s64 badness(const struct process *p, u64 pages)
{
	return (s64)pages + (s64)p->oom_score_adj * (s64)(buddy_total_pages() / 1000);
}

enum oom_choice { OOM_NOBODY, OOM_WAIT, OOM_KILL };

/* The worst process and its address space become the victim. False: there is none. tasklist_lock held. */
static bool choose_locked(void)
{
	struct process *p;
	s64 worst_points = 0;

	list_for_each(p, &all_processes, all_node) {
		struct mm *mm;
		u64 pages;
		s64 points;

		if (p->pid == 1 || p->oom_score_adj == -1000)
			continue;
		pages = process_pages(p, &mm);
		if (!pages)
			continue;
		points = badness(p, pages);
		if (!victim || points > worst_points) {
			if (victim_mm)
				mm_unref(victim_mm);
			victim = p;
			WRITE_ONCE(victim_mm, mm);
			worst_points = points;
		} else {
			mm_unref(mm);
		}
	}
	if (victim)
		process_get(victim);
	return victim;
}

static void mark_victim_locked(void)
{
	struct task *t;

	list_for_each(t, &victim->threads, thread_node)
		__atomic_fetch_or(&t->flags, TASK_F_OOM_VICTIM, __ATOMIC_RELAXED);
	last_kill_ns = clock_monotonic();
}

/* gone: what oom_victims_gone said before the allocation failed. *p: the new victim with a reference. */
static enum oom_choice choose(u32 gone, struct process **p)
{
	struct process *old_p = NULL;
	struct mm *old_mm = NULL;
	enum oom_choice what = OOM_WAIT;

	spin_lock(&tasklist_lock);
	if (victim && clock_monotonic() - last_kill_ns > OOM_VICTIM_TIME)
		forget_victim_locked(&old_p, &old_mm);
	if (!victim && (old_p || gone == victims_gone)) {
		what = choose_locked() ? OOM_KILL : OOM_NOBODY;
		*p = victim;
		if (victim) {
			mark_victim_locked();
			process_get(victim);
		}
	}
	spin_unlock(&tasklist_lock);
	drop_victim(old_p, old_mm);
	return what;
}

bool oom_wait(unsigned int *tries, u32 gone)
{
	char comm[TASK_COMM_LEN];
	struct process *p;
	enum oom_choice what;

	if (++*tries > OOM_MAX_TRIES || fatal_signal_pending(current))
		return false;
	what = choose(gone, &p);
	if (what == OOM_NOBODY)
		return false;
	if (what == OOM_KILL) {
		task_comm_get(p->leader, comm);
		pr_err("out of memory: killing process %d (%s)\n", p->pid, comm);
		process_kill(p);
		process_put(p);
		wake_up_all(&reap_wait);
		if (fatal_signal_pending(current))
			return true; /* it is us: the reserve is open now */
	}
	nap();
	return true;
}
