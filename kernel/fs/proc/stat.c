/* /proc/PID/stat, status and statm: proc(5) describes the fields. */
#include <arch/cpu.h>
#include <arch/cpu_info.h>
#include <dev/tty.h>
#include <lib/bits.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <mm/mm.h>
#include <ptrace/ptrace.h>
#include <seccomp/seccomp.h>
#include <signal/signal.h>
#include <time/clock.h>
#include "internal.h"

#define TICK_NS (NSEC_PER_SEC / 100)

static char state_letter(const struct task *t)
{
	u32 s = READ_ONCE(t->state);

	if (READ_ONCE(t->flags) & TASK_F_EXITED)
		return 'Z';
	if (s == TASK_RUNNING)
		return 'R';
	if (s & TASK_DEAD)
		return 'Z';
	if (s & TASK_STOPPED)
		return 'T';
	if (s & TASK_TRACED)
		return 't';
	if (s & TASK_INTERRUPTIBLE)
		return 'S';
	return t->mm ? 'D' : 'I';
}

static const char *state_name(char letter)
{
	switch (letter) {
	case 'R': return "R (running)";
	case 'S': return "S (sleeping)";
	case 'D': return "D (disk sleep)";
	case 'T': return "T (stopped)";
	case 't': return "t (tracing stop)";
	case 'Z': return "Z (zombie)";
	default: return "I (idle)";
	}
}

/* What is guarded by tasklist_lock and siglock, read in one go. */
struct snapshot {
	s32 ppid, pgrp, session;
	u32 threads;
	struct sigset pending, shared, blocked, ignored, caught;
	u64 utime, stime, cutime, cstime, minflt, majflt, cminflt, cmajflt, vol, invol;
};

static void snapshot_signals(struct process *p, struct task *t, struct snapshot *s)
{
	s->pending = t->pending.set;
	s->shared = p->shared_pending.set;
	s->blocked = t->blocked;
	for (int sig = 1; p->sighand && sig <= SIGNAL_MAX; sig++) {
		u64 handler = p->sighand->action[sig - 1].handler;

		if (handler == (u64)SIG_IGN)
			s->ignored.bits |= sigmask(sig);
		else if (handler != (u64)SIG_DFL)
			s->caught.bits |= sigmask(sig);
	}
}

static void snapshot_add_task(const struct task *t, struct snapshot *s)
{
	u64 user, system;

	if (t->flags & TASK_F_COUNTED)
		return;
	sched_task_times(t, &user, &system);
	s->utime += user;
	s->stime += system;
	s->minflt += t->minor_faults;
	s->majflt += t->major_faults;
}

static void snapshot_take(const struct proc_target *target, struct snapshot *s)
{
	struct process *p = target->task->process;
	struct task *t = target->task;
	u64 flags = spin_lock_irqsave(&tasklist_lock);

	*s = (struct snapshot){0};
	s->ppid = p->parent ? p->parent->pid : 0;
	s->pgrp = p->pgrp ? p->pgrp->nr : 0;
	s->session = p->session ? p->session->nr : 0;
	s->threads = p->nr_threads;
	spin_lock(&p->siglock);
	snapshot_signals(p, t, s);
	if (target->group) {
		s->utime = p->utime_ns;
		s->stime = p->stime_ns;
		s->minflt = p->min_faults;
		s->majflt = p->maj_faults;
		list_for_each(t, &p->threads, thread_node)
			snapshot_add_task(t, s);
	} else {
		snapshot_add_task(t, s);
	}
	s->cutime = p->child_utime_ns;
	s->cstime = p->child_stime_ns;
	s->cminflt = p->child_min_faults;
	s->cmajflt = p->child_maj_faults;
	spin_unlock(&p->siglock);
	spin_unlock_irqrestore(&tasklist_lock, flags);
}

static u64 encode_dev(u64 rdev)
{
	u64 major = rdev >> 20, minor = rdev & 0xfffff;

	return (minor & 0xff) | major << 8 | (minor & ~0xffULL) << 12;
}

/* As Linux scales it: 20 + nice for the fair class, -1 - priority for real time. */
static int priority_of(const struct sched_params *p)
{
	return p->rt_priority ? -1 - p->rt_priority : 20 + p->nice;
}

/* The bits of Linux's PF_ word that mean something here. */
static u32 process_flags(const struct task *t)
{
	static const struct {
		u32 ours, theirs;
	} map[] = {
		{TASK_F_KTHREAD, 0x00200000}, {TASK_F_EXITING, 0x00000004},
		{TASK_F_FORKNOEXEC, 0x00000040}, {TASK_F_DUMPCORE, 0x00000200},
		{TASK_F_SIGNALED, 0x00000400},
	};
	u32 flags = t->flags & TASK_F_KTHREAD ? 0 : 0x00400000; /* PF_RANDOMIZE */

	for (unsigned int i = 0; i < ARRAY_SIZE(map); i++)
		if (READ_ONCE(t->flags) & map[i].ours)
			flags |= map[i].theirs;
	return flags;
}

/* Layout of the address space: only for those who may look into the task. */
static void stat_addresses(struct text *t, struct mm *mm, bool visible)
{
	if (mm && visible)
		text_printf(t, "%llu %llu %llu 0 0 ", mm->start_code, mm->end_code, mm->start_stack);
	else
		text_printf(t, "%u %u 0 0 0 ", mm != NULL, mm != NULL);
}

static void stat_data_addresses(struct text *t, struct mm *mm, bool visible)
{
	if (mm && visible)
		text_printf(t, "%llu %llu %llu %llu %llu %llu %llu ", mm->start_data, mm->end_data,
			    mm->start_brk, mm->arg_start, mm->arg_end, mm->env_start, mm->env_end);
	else
		text_printf(t, "0 0 0 0 0 0 0 ");
}

int proc_show_stat(struct text *t, const struct proc_target *target)
{
	struct task *task = target->task;
	struct process *p = task->process;
	struct mm *mm = task_get_mm(task);
	bool visible = proc_may_access(task);
	struct sched_params sp, in_force = task->sched;
	struct snapshot s;
	u64 tty;
	char comm[TASK_COMM_LEN];
	s32 tpgid;

	snapshot_take(target, &s);
	sched_get_params(task, &sp);
	tty_describe(p, &tty, &tpgid);
	task_comm_get(task, comm);
	text_printf(t, "%d (%s) %c %d %d %d %llu %d %u ", target->group ? p->pid : task->tid,
		    comm, state_letter(task), s.ppid, s.pgrp, s.session, encode_dev(tty), tpgid, process_flags(task));
	text_printf(t, "%llu %llu %llu %llu ", s.minflt, s.cminflt, s.majflt, s.cmajflt);
	text_printf(t, "%llu %llu %llu %llu ", s.utime / TICK_NS, s.stime / TICK_NS,
		    s.cutime / TICK_NS, s.cstime / TICK_NS);
	text_printf(t, "%d %d %u 0 %llu ", priority_of(&in_force), sp.nice, s.threads,
		    task->start_time_ns / TICK_NS);
	text_printf(t, "%llu %llu %llu ", mm ? READ_ONCE(mm->total_pages) * PAGE_SIZE : 0,
		    mm ? mm_rss_pages(mm) : 0, READ_ONCE(p->rlimits[RLIMIT_RSS].rlim_cur));
	stat_addresses(t, mm, visible);
	text_printf(t, "%llu %llu %llu %llu 0 0 0 ", s.pending.bits & 0x7fffffff,
		    s.blocked.bits & 0x7fffffff, s.ignored.bits & 0x7fffffff,
		    s.caught.bits & 0x7fffffff);
	text_printf(t, "%d %u %u %u 0 0 0 ", task->exit_signal, task->cpu, sp.rt_priority, sp.policy);
	stat_data_addresses(t, mm, visible);
	text_printf(t, "%d\n", visible ? READ_ONCE(task->exit_code) : 0);
	if (mm)
		mm_put(mm);
	return 0;
}

int proc_show_statm(struct text *t, const struct proc_target *target)
{
	struct mm *mm = task_get_mm(target->task);

	if (!mm) {
		text_printf(t, "0 0 0 0 0 0 0\n");
		return 0;
	}
	text_printf(t, "%llu %llu %lld %llu 0 %llu 0\n", READ_ONCE(mm->total_pages), mm_rss_pages(mm),
		    atomic64_read(&mm->file_pages) + atomic64_read(&mm->shmem_pages),
		    DIV_ROUND_UP(mm->end_code - mm->start_code, PAGE_SIZE),
		    READ_ONCE(mm->data_pages) + READ_ONCE(mm->stack_pages));
	mm_put(mm);
	return 0;
}

static void status_ids(struct text *t, struct task *task)
{
	const struct cred *c = task_cred_get(task);

	text_printf(t, "Uid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid, c->fsuid);
	text_printf(t, "Gid:\t%u\t%u\t%u\t%u\n", c->gid, c->egid, c->sgid, c->fsgid);
	cred_put(c);
}

static void status_groups(struct text *t, struct task *task)
{
	const struct cred *c = task_cred_get(task);

	text_printf(t, "Groups:\t");
	for (u32 i = 0; c->groups && i < c->groups->nr; i++)
		text_printf(t, "%u ", c->groups->gid[i]);
	text_printf(t, "%s\n", c->groups && c->groups->nr ? "" : " ");
	cred_put(c);
}

/* The counts change meanwhile: what is computed with twice is read once. */
static void status_memory(struct text *t, struct mm *mm)
{
	u64 total = READ_ONCE(mm->total_pages), exec = READ_ONCE(mm->exec_pages);
	u64 text = DIV_ROUND_UP(READ_ONCE(mm->end_code) - READ_ONCE(mm->start_code), PAGE_SIZE);
	s64 anon = atomic64_read(&mm->anon_pages), file = atomic64_read(&mm->file_pages);
	s64 shmem = atomic64_read(&mm->shmem_pages);
	u64 rss = mm_rss_pages(mm);
	const struct {
		const char *name;
		u64 pages;
	} lines[] = {
		{"VmPeak:", MAX(READ_ONCE(mm->peak_total_pages), total)},
		{"VmSize:", total},
		{"VmLck:", READ_ONCE(mm->locked_pages)},
		{"VmPin:", 0},
		{"VmHWM:", MAX(READ_ONCE(mm->peak_rss_pages), rss)},
		{"VmRSS:", rss},
		{"RssAnon:", (u64)anon},
		{"RssFile:", (u64)file},
		{"RssShmem:", (u64)shmem},
		{"VmData:", READ_ONCE(mm->data_pages)},
		{"VmStk:", READ_ONCE(mm->stack_pages)},
		{"VmExe:", text},
		{"VmLib:", exec - MIN(exec, text)},
		{"VmPTE:", (u64)atomic64_read(&mm->pt_pages)},
		{"VmSwap:", 0},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++)
		text_printf(t, "%s\t%8llu kB\n", lines[i].name, lines[i].pages * 4);
}

static void status_signals(struct text *t, const struct snapshot *s, struct process *p)
{
	u64 queued = bit_count(s->pending.bits) +
		     bit_count(s->shared.bits);

	text_printf(t, "SigQ:\t%llu/%llu\n", queued,
		    READ_ONCE(p->rlimits[RLIMIT_SIGPENDING].rlim_cur));
	text_printf(t, "SigPnd:\t%016llx\nShdPnd:\t%016llx\n", s->pending.bits, s->shared.bits);
	text_printf(t, "SigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n", s->blocked.bits,
		    s->ignored.bits, s->caught.bits);
}

static const char *store_bypass_text(const struct task *task)
{
	switch (arch_speculation_get(task, PR_SPEC_STORE_BYPASS)) {
	case PR_SPEC_NOT_AFFECTED: return "not vulnerable";
	case PR_SPEC_PRCTL | PR_SPEC_FORCE_DISABLE: return "thread force mitigated";
	case PR_SPEC_PRCTL | PR_SPEC_DISABLE: return "thread mitigated";
	case PR_SPEC_PRCTL | PR_SPEC_ENABLE: return "thread vulnerable";
	case PR_SPEC_DISABLE: return "globally mitigated";
	default: return "vulnerable";
	}
}

static const char *indirect_branch_text(const struct task *task)
{
	switch (arch_speculation_get(task, PR_SPEC_INDIRECT_BRANCH)) {
	case PR_SPEC_NOT_AFFECTED: return "not affected";
	case PR_SPEC_PRCTL | PR_SPEC_FORCE_DISABLE: return "conditional force disabled";
	case PR_SPEC_PRCTL | PR_SPEC_DISABLE: return "conditional disabled";
	case PR_SPEC_PRCTL | PR_SPEC_ENABLE: return "conditional enabled";
	case PR_SPEC_ENABLE: return "always enabled";
	case PR_SPEC_DISABLE: return "always disabled";
	default: return "unknown";
	}
}

static void status_caps(struct text *t, struct task *task)
{
	const struct cred *c = task_cred_get(task);

	text_printf(t, "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\n", c->cap_inheritable,
		    c->cap_permitted, c->cap_effective);
	text_printf(t, "CapBnd:\t%016llx\nCapAmb:\t%016llx\n", c->cap_bounding, c->cap_ambient);
	text_printf(t, "NoNewPrivs:\t%u\nSeccomp:\t%u\nSeccomp_filters:\t%u\n",
		    task->no_new_privs, task->seccomp_mode, seccomp_count(task));
	text_printf(t, "Speculation_Store_Bypass:\t%s\nSpeculationIndirectBranch:\t%s\n",
		    store_bypass_text(task), indirect_branch_text(task));
	cred_put(c);
}

/* "0-3,5": ranges of set bits. */
static void cpu_list(struct text *t, u64 bits)
{
	const char *separator = "";

	for (unsigned int i = 0; i < 64; i++) {
		unsigned int first = i;

		if (!(bits & BIT(i)))
			continue;
		while (i + 1 < 64 && (bits & BIT(i + 1)))
			i++;
		text_printf(t, first == i ? "%s%u" : "%s%u-%u", separator, first, i);
		separator = ",";
	}
}

static void status_cpus(struct text *t, struct task *task)
{
	u64 bits = task->cpus_allowed.bits & cpus_online.bits;

	text_printf(t, "Cpus_allowed:\t%llx\nCpus_allowed_list:\t", bits);
	cpu_list(t, bits);
	text_printf(t, "\nMems_allowed:\t1\nMems_allowed_list:\t0\n");
	text_printf(t, "voluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t%llu\n",
		    task->se.nr_switches_voluntary, task->se.nr_switches_involuntary);
}

int proc_show_status(struct text *t, const struct proc_target *target)
{
	struct task *task = target->task;
	struct process *p = task->process;
	struct fs_context *fs = task_get_fs(task);
	struct fd_table *files = task_get_files(task);
	struct mm *mm = task_get_mm(task);
	char comm[TASK_COMM_LEN];
	struct snapshot s;

	snapshot_take(target, &s);
	text_printf(t, "Name:\t");
	task_comm_get(task, comm);
	text_escaped(t, comm, "\n\\");
	text_append(t, "\n", 1);
	if (fs)
		text_printf(t, "Umask:\t%04o\n", fs->umask);
	text_printf(t, "State:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n",
		    state_name(state_letter(task)), p->pid, task->tid, s.ppid,
		    ptrace_tracer_pid(task));
	status_ids(t, task);
	text_printf(t, "FDSize:\t%u\n", files ? fd_table_capacity(files) : 0);
	status_groups(t, task);
	text_printf(t, "NStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", p->pid, task->tid,
		    s.pgrp, s.session);
	if (mm) {
		status_memory(t, mm);
		text_printf(t, "THP_enabled:\t%d\n", !READ_ONCE(mm->no_huge));
	}
	text_printf(t, "Threads:\t%u\n", s.threads);
	status_signals(t, &s, p);
	status_caps(t, task);
	status_cpus(t, task);
	if (fs)
		fs_context_put(fs);
	if (files)
		fd_table_put(files);
	if (mm)
		mm_put(mm);
	return 0;
}
