/*
 * Resource usage: threads add their figures to the process when they end, a reaped child's go to
 * its parent. The siglock of the process guards the sums; a thread that still runs is read where it
 * is, so the sum never goes back.
 */
#include <lib/string.h>
#include <mm/mm.h>
#include <syscall/table.h>
#include <task/rusage.h>
#include <time/clock.h>
#include <time/cpu_timer.h>
#include "internal.h"

struct usage {
	u64 user_ns, system_ns, min_faults, maj_faults, vol_switches, invol_switches;
	u64 max_rss_pages;
};

static void usage_add_task(struct usage *u, const struct task *t)
{
	u64 user_ns, system_ns;

	sched_task_times(t, &user_ns, &system_ns);
	u->user_ns += user_ns;
	u->system_ns += system_ns;
	u->min_faults += t->minor_faults;
	u->maj_faults += t->major_faults;
	u->vol_switches += t->se.nr_switches_voluntary;
	u->invol_switches += t->se.nr_switches_involuntary;
}

static void usage_add_own(struct usage *u, const struct process *p)
{
	u->user_ns += p->utime_ns;
	u->system_ns += p->stime_ns;
	u->min_faults += p->min_faults;
	u->maj_faults += p->maj_faults;
	u->vol_switches += p->vol_switches;
	u->invol_switches += p->invol_switches;
	u->max_rss_pages = MAX(u->max_rss_pages, p->max_rss_pages);
}

static void usage_add_children(struct usage *u, const struct process *p)
{
	u->user_ns += p->child_utime_ns;
	u->system_ns += p->child_stime_ns;
	u->min_faults += p->child_min_faults;
	u->maj_faults += p->child_maj_faults;
	u->vol_switches += p->child_vol_switches;
	u->invol_switches += p->child_invol_switches;
	u->max_rss_pages = MAX(u->max_rss_pages, p->child_max_rss_pages);
}

static void usage_add_mm(struct usage *u, const struct mm *mm)
{
	u64 now = mm_rss_pages(mm);

	u->max_rss_pages = MAX(u->max_rss_pages, READ_ONCE(mm->peak_rss_pages));
	u->max_rss_pages = MAX(u->max_rss_pages, now);
}

static void usage_add_running(struct usage *u, const struct process *p)
{
	const struct task *t;

	list_for_each(t, &p->threads, thread_node)
		if (!(t->flags & TASK_F_COUNTED))
			usage_add_task(u, t);
}

void rusage_thread_exit(struct task *t)
{
	struct process *p = t->process;
	struct usage u = {0};

	spin_lock_irq(&p->siglock);
	usage_add_task(&u, t);
	p->utime_ns += u.user_ns;
	p->stime_ns += u.system_ns;
	p->min_faults += u.min_faults;
	p->maj_faults += u.maj_faults;
	p->vol_switches += u.vol_switches;
	p->invol_switches += u.invol_switches;
	t->flags |= TASK_F_COUNTED;
	spin_unlock_irq(&p->siglock);
}

void rusage_note_rss(struct process *p, const struct mm *mm)
{
	u64 peak = MAX(READ_ONCE(mm->peak_rss_pages), mm_rss_pages(mm));

	spin_lock_irq(&p->siglock);
	p->max_rss_pages = MAX(p->max_rss_pages, peak);
	spin_unlock_irq(&p->siglock);
}

void rusage_child_reaped(struct process *parent, struct process *child)
{
	struct usage u = {0};
	u64 flags;

	/* The child is dead: its figures do not change any more. */
	usage_add_own(&u, child);
	usage_add_children(&u, child);
	flags = spin_lock_irqsave(&parent->siglock);
	parent->child_utime_ns += u.user_ns;
	parent->child_stime_ns += u.system_ns;
	parent->child_min_faults += u.min_faults;
	parent->child_maj_faults += u.maj_faults;
	parent->child_vol_switches += u.vol_switches;
	parent->child_invol_switches += u.invol_switches;
	parent->child_max_rss_pages = MAX(parent->child_max_rss_pages, u.max_rss_pages);
	spin_unlock_irqrestore(&parent->siglock, flags);
}

static void usage_export(const struct usage *u, struct rusage *ru)
{
	memset(ru, 0, sizeof(*ru));
	ru->ru_utime.tv_sec = (long)(u->user_ns / NSEC_PER_SEC);
	ru->ru_utime.tv_usec = (long)(u->user_ns % NSEC_PER_SEC / NSEC_PER_USEC);
	ru->ru_stime.tv_sec = (long)(u->system_ns / NSEC_PER_SEC);
	ru->ru_stime.tv_usec = (long)(u->system_ns % NSEC_PER_SEC / NSEC_PER_USEC);
	ru->ru_maxrss = (long)(u->max_rss_pages * (PAGE_SIZE / 1024));
	ru->ru_minflt = (long)u->min_faults;
	ru->ru_majflt = (long)u->maj_faults;
	ru->ru_nvcsw = (long)u->vol_switches;
	ru->ru_nivcsw = (long)u->invol_switches;
}

void process_rusage(struct process *p, int who, struct rusage *ru)
{
	struct usage u = {0};
	u64 flags;
	struct mm *mm = p == current->process ? current->mm : NULL;

	flags = spin_lock_irqsave(&p->siglock);
	if (who != RUSAGE_CHILDREN) {
		usage_add_own(&u, p);
		usage_add_running(&u, p);
	}
	if (who != RUSAGE_SELF)
		usage_add_children(&u, p);
	spin_unlock_irqrestore(&p->siglock, flags);
	if (mm && who != RUSAGE_CHILDREN)
		usage_add_mm(&u, mm);
	usage_export(&u, ru);
}

long sys_getrusage(u32 who, struct user_rusage uru)
{
	struct usage u = {0};
	struct rusage ru;

	switch ((int)who) {
	case RUSAGE_SELF:
	case RUSAGE_CHILDREN:
		process_rusage(current->process, (int)who, &ru);
		break;
	case RUSAGE_THREAD:
		usage_add_task(&u, current);
		if (current->mm)
			usage_add_mm(&u, current->mm);
		usage_export(&u, &ru);
		break;
	default:
		return -EINVAL;
	}
	return user_write(uru, &ru);
}

long sys_times(struct user_tms utms)
{
	struct process *p = current->process;
	struct tms out = {0};
	u64 user_ns, system_ns;

	if (!user_is_null(utms)) {
		process_cpu_times(p, &user_ns, &system_ns);
		out.tms_utime = (long)(user_ns / TICK_NSEC);
		out.tms_stime = (long)(system_ns / TICK_NSEC);
		out.tms_cutime = (long)(READ_ONCE(p->child_utime_ns) / TICK_NSEC);
		out.tms_cstime = (long)(READ_ONCE(p->child_stime_ns) / TICK_NSEC);
		if (user_write(utms, &out))
			return -EFAULT;
	}
	return (long)(clock_monotonic() / TICK_NSEC);
}
