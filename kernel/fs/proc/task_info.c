/*
 * More files of /proc/PID and /proc/PID/task/TID: scheduling, system call, memory pressure, children.
 */
#include <arch/context.h>
#include <dev/log.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <task/access.h>
#include <vfs/show.h>
#include "internal.h"

#define DEFAULT_SLACK_NS 50000 /* what 0 means when it is written */

#define TRACE_MAX 32

/* The scheduler's own functions do not tell what a task waits for. */
static bool is_waiting_itself(const char *name)
{
	static const char *const prefixes[] = {"sched", "wait_", "preempt_", "arch_switch", "mutex_",
					       "rwsem_"};

	for (unsigned int i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

/* The function that the task sleeps in, by name; 0 when it runs, or to those who may not know. */
static int show_wchan(struct text *t, const struct proc_target *target)
{
	uptr addrs[TRACE_MAX];
	char name[KSYM_NAME_LEN];
	u32 offset, n = 0;

	if (proc_may_access(target->task))
		n = task_kernel_trace(target->task, addrs, TRACE_MAX);
	for (u32 i = 0; i < n; i++) {
		if (!ksyms_lookup(addrs[i] - 1, name, &offset) || is_waiting_itself(name))
			continue;
		text_printf(t, "%s", name);
		return 0;
	}
	text_append(t, "0", 1);
	return 0;
}

/* Names and offsets, no addresses. */
static int show_stack(struct text *t, const struct proc_target *target)
{
	uptr addrs[TRACE_MAX];
	char name[KSYM_NAME_LEN];
	u32 offset, n;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	n = task_kernel_trace(target->task, addrs, TRACE_MAX);
	for (u32 i = 0; i < n; i++)
		if (ksyms_lookup(addrs[i] - 1, name, &offset))
			text_printf(t, "[<0>] %s+0x%x\n", name, offset + 1);
	return 0;
}

/* The call that the task sleeps in: number, arguments, stack and instruction pointer. */
static int show_syscall(struct text *t, const struct proc_target *target)
{
	struct task *task = target->task;
	bool running = task != current && READ_ONCE(task->state) == TASK_RUNNING;
	struct regs r;

	if (task == current)
		r = *task_regs(task);
	if (task->flags & TASK_F_KTHREAD) {
		text_printf(t, "0 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0\n");
	} else if (running || (task != current && !task_copy_regs(task, &r))) {
		text_printf(t, "running\n");
	} else if (regs_syscall_nr(&r) < 0) {
		text_printf(t, "-1 0x%llx 0x%llx\n", regs_sp(&r), regs_ip(&r));
	} else {
		text_printf(t, "%ld", regs_syscall_nr(&r));
		for (unsigned int i = 0; i < 6; i++)
			text_printf(t, " 0x%llx", regs_arg(&r, i));
		text_printf(t, " 0x%llx 0x%llx\n", regs_sp(&r), regs_ip(&r));
	}
	return 0;
}

static void sched_line(struct text *t, const char *name, u64 value)
{
	text_printf(t, "%-45s:%21llu\n", name, value);
}

/* In milliseconds with six digits behind the point. */
static void sched_time(struct text *t, const char *name, u64 ns)
{
	text_printf(t, "%-45s:%14llu.%06llu\n", name, ns / NSEC_PER_MSEC, ns % NSEC_PER_MSEC);
}

static int show_sched(struct text *t, const struct proc_target *target)
{
	struct task *task = target->task;
	const struct sched_entity *se = &task->se;
	char comm[TASK_COMM_LEN];
	struct sched_params p;
	u32 prio;

	sched_get_params(task, &p);
	prio = p.rt_priority ? 99u - p.rt_priority : (u32)(120 + p.nice);
	task_comm_get(task, comm);
	text_printf(t, "%s (%d, #threads: %u)\n", comm, task->tid, task->process->nr_threads);
	text_printf(t, "-------------------------------------------------------------------\n");
	sched_time(t, "se.exec_start", READ_ONCE(se->exec_start_ns));
	sched_time(t, "se.vruntime", READ_ONCE(se->vruntime));
	sched_time(t, "se.sum_exec_runtime", sched_task_runtime(task));
	sched_line(t, "nr_switches", se->nr_switches_voluntary + se->nr_switches_involuntary);
	sched_line(t, "nr_voluntary_switches", se->nr_switches_voluntary);
	sched_line(t, "nr_involuntary_switches", se->nr_switches_involuntary);
	sched_line(t, "se.load.weight", (u64)se->weight << 10);
	sched_line(t, "policy", p.policy);
	sched_line(t, "prio", prio);
	return 0;
}

/* Linux's scale: about 667 for whoever has nothing to fear or hope; twice that at most. */
static int show_oom_score(struct text *t, const struct proc_target *target)
{
	struct mm *mm = task_get_mm(target->task);
	s64 adj = READ_ONCE(target->task->process->oom_score_adj), points = 0;
	struct mem_stats m;

	mem_stats(&m);
	if (mm && adj != -1000) {
		s64 pages = (s64)(mm_rss_pages(mm) + (u64)atomic64_read(&mm->pt_pages));

		pages += adj * (s64)(m.total_pages / 1000);
		points = (1000 + pages * 1000 / (s64)m.total_pages) * 2 / 3;
	}
	if (mm)
		mm_put(mm);
	text_printf(t, "%lld\n", MAX(points, 0));
	return 0;
}

/* No hierarchy of control groups is mounted, nor can be: Linux's file is empty then, too. */
static int show_cgroup(struct text *t, const struct proc_target *target)
{
	return 0;
}

static int show_cpuset(struct text *t, const struct proc_target *target)
{
	text_printf(t, "/\n");
	return 0;
}

/* The processes that this thread has made. A list that is too long for one look is cut there. */
static int show_children(struct text *t, const struct proc_target *target)
{
	const struct process *p = target->task->process, *child;
	s32 pids[256];
	u32 nr = 0;
	u64 flags = spin_lock_irqsave(&tasklist_lock);

	list_for_each(child, &p->children, sibling)
		if (child->parent_tid == target->task->tid && nr < ARRAY_SIZE(pids))
			pids[nr++] = child->pid;
	spin_unlock_irqrestore(&tasklist_lock, flags);
	for (u32 i = 0; i < nr; i++)
		text_printf(t, "%d ", pids[i]);
	return 0;
}

static int may_see_slack(const struct task *t)
{
	return t->process == current->process || capable(CAP_SYS_NICE) ? 0 : -EPERM;
}

static int show_timerslack(struct text *t, const struct proc_target *target)
{
	int err = may_see_slack(target->task);

	if (!err)
		text_printf(t, "%llu\n", READ_ONCE(target->task->timer_slack_ns));
	return err;
}

static int store_timerslack(char *data, const struct proc_target *target)
{
	char *end = strchr(data, '\n');
	int err = may_see_slack(target->task);
	u64 ns;

	if (end)
		*end = '\0';
	if (!err)
		err = parse_u64(data, 0, &ns) ? -EINVAL : 0;
	if (!err)
		WRITE_ONCE(target->task->timer_slack_ns, ns ? ns : DEFAULT_SLACK_NS);
	return err;
}

static int show_mountstats(struct text *t, const struct proc_target *target)
{
	return proc_show_mount_table(t, target, mountstats_show);
}

#define COMMON_MORE                                                                                \
	{.name = "cgroup", .mode = S_IFREG | 0444, .show = show_cgroup},                           \
		{.name = "clear_refs", .mode = S_IFREG | 0200, .store = proc_store_clear_refs,     \
		 .guarded = true},                                                                 \
		{.name = "cpuset", .mode = S_IFREG | 0444, .show = show_cpuset},                   \
		{.name = "oom_score", .mode = S_IFREG | 0444, .show = show_oom_score},             \
		{.name = "pagemap", .mode = S_IFREG | 0400, .fops = &proc_pagemap_fops,            \
		 .guarded = true},                                                                 \
		{.name = "sched", .mode = S_IFREG | 0444, .show = show_sched},                     \
		{.name = "smaps", .mode = S_IFREG | 0444, .show = proc_show_smaps,                 \
		 .guarded = true, .of_mm = true},                                                                 \
		{.name = "smaps_rollup", .mode = S_IFREG | 0444, .show = proc_show_smaps_rollup,   \
		 .guarded = true, .of_mm = true},                                                                 \
		{.name = "stack", .mode = S_IFREG | 0400, .show = show_stack, .guarded = true},    \
		{.name = "syscall", .mode = S_IFREG | 0400, .show = show_syscall,                  \
		 .guarded = true},                                                                 \
		{.name = "wchan", .mode = S_IFREG | 0444, .show = show_wchan}

const struct proc_entry proc_process_more[] = {
	COMMON_MORE,
	{.name = "mountstats", .mode = S_IFREG | 0400, .show = show_mountstats, .guarded = true, .of_mounts = true},
	{.name = "timerslack_ns", .mode = S_IFREG | 0666, .show = show_timerslack,
	 .store = store_timerslack},
	{0},
};

const struct proc_entry proc_thread_more[] = {
	COMMON_MORE,
	{.name = "children", .mode = S_IFREG | 0444, .show = show_children},
	{0},
};
