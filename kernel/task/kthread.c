/*
 * Tasks that do not come from fork: kernel threads, idle tasks, and the first process. A kernel
 * thread is a process of its own, child of process 0; it has credentials and the initial
 * file-system context, but no memory, no descriptors, and no signals.
 */
#include <arch/context.h>
#include <lib/format.h>
#include <lib/string.h>
#include <sync/wait.h>
#include <time/clock.h>
#include <time/cpu_timer.h>
#include <vfs/file.h>
#include <vfs/inode.h>
#include "kthread.h"

static struct sighand kernel_sighand = {
	.ref = {2}, /* never freed */
	.lock = SPINLOCK_INIT(LOCK_RANK_SIGACTION),
};

struct pid_entry idle_pid = {.ref = {2}, .nr = 0, .task = &init_idle_task};

struct process init_process = {
	.ref = {2}, /* never freed */
	.leader = &init_idle_task,
	.threads = LIST_INIT(init_process.threads),
	.nr_live = {1},
	.parent = &init_process,
	.children = LIST_INIT(init_process.children),
	.sibling = LIST_INIT(init_process.sibling),
	.all_node = LIST_INIT(init_process.all_node),
	.pgrp = &idle_pid,
	.session = &idle_pid,
	.siglock = SPINLOCK_INIT(LOCK_RANK_SIGHAND),
	.sighand = &kernel_sighand,
	.shared_pending = {.entries = LIST_INIT(init_process.shared_pending.entries)},
	.signal_flags = SIGNAL_UNKILLABLE,
	.child_wait = WAIT_QUEUE_INIT(init_process.child_wait),
	.exit_wait = WAIT_QUEUE_INIT(init_process.exit_wait),
};

DEFINE_PER_CPU(struct task *, current_task) = &init_idle_task;

struct task init_idle_task = {
	.ref = {2}, /* never freed */
	.process = &init_process,
	.flags = TASK_F_KTHREAD,
	.comm = "swapper/0",
	.cred = &init_cred,
	.fs = &init_fs_context,
	.mount_ns = &init_mount_ns,
	.on_cpu = 1,
	.cpus_allowed = {~0ULL},
	.wake_lock = SPINLOCK_INIT(LOCK_RANK_TASK_PI),
	.alloc_lock = SPINLOCK_INIT(LOCK_RANK_FS_CONTEXT),
	.thread_node = LIST_INIT(init_idle_task.thread_node),
	.pending = {.entries = LIST_INIT(init_idle_task.pending.entries)},
	.pid = &idle_pid,
	.timer_slack_ns = TIMER_SLACK_DEFAULT_NS,
	.exit_signal = -1,
};

/* What every task of the kernel's own starts with. */
static void kernel_task_setup(struct task *t, const char *name)
{
	t->flags = TASK_F_KTHREAD;
	task_comm_set(t, name);
	t->cred = &init_cred;
	cred_get(&init_cred);
	atomic_inc(&init_cred.user->nr_tasks);
	t->exit_signal = -1;
	t->timer_slack_ns = TIMER_SLACK_DEFAULT_NS;
	t->altstack.flags = SS_DISABLE;
	t->start_time_ns = clock_monotonic();
	t->mount_ns = &init_mount_ns;
	mount_ns_get(&init_mount_ns);
	t->fs = &init_fs_context;
	ref_get(&init_fs_context.ref);
	sched_task_init(t, NULL);
}

struct task *task_create_idle(u32 cpu)
{
	struct task *t = task_alloc();
	char name[16];

	if (!t)
		return NULL;
	format(name, sizeof(name), "swapper/%u", cpu);
	kernel_task_setup(t, name);
	t->process = &init_process;
	process_get(&init_process);
	t->pid = &idle_pid;
	t->cpu = cpu;
	t->cpus_allowed.bits = BIT(cpu);
	t->on_cpu = 1;
	t->state = TASK_RUNNING;
	return t;
}

static void kernel_task_link(struct task *t)
{
	struct process *p = t->process;

	spin_lock_irq(&tasklist_lock);
	spin_lock(&init_process.siglock);
	p->pid = t->pid->nr;
	p->leader = t;
	process_set_pgrp(p, &idle_pid);
	process_set_session(p, &idle_pid);
	process_link(p, &init_process);
	task_link(t);
	spin_unlock(&init_process.siglock);
	spin_unlock_irq(&tasklist_lock);
}

/* Its process with the shared table of actions; false: no memory. */
static bool kernel_process_create(struct task *t)
{
	struct process *p = process_alloc();

	if (!p)
		return false;
	t->process = p;
	p->sighand = &kernel_sighand;
	ref_get(&kernel_sighand.ref);
	p->signal_flags = SIGNAL_UNKILLABLE;
	memcpy(p->rlimits, init_process.rlimits, sizeof(p->rlimits));
	process_timers_init(p);
	return true;
}

static void kernel_task_abort(struct task *t)
{
	if (t->pid)
		pid_put(t->pid);
	if (t->process)
		process_put(t->process);
	mount_ns_put(t->mount_ns);
	fs_context_put(t->fs);
	atomic_dec(&init_cred.user->nr_tasks);
	cred_put(t->cred);
	task_free_unused(t);
}

/* nr 0: any number. */
static struct task *kthread_create_nr(void (*fn)(void *), void *arg, const char *name, s32 nr)
{
	struct task *t = task_alloc();

	if (!t)
		return NULL;
	kernel_task_setup(t, name);
	if (!kernel_process_create(t) || (nr ? pid_alloc_nr(nr, &t->pid) : pid_alloc(&t->pid)) ||
	    arch_task_kernel(t, fn, arg)) {
		kernel_task_abort(t);
		return NULL;
	}
	kernel_task_link(t);
	return t;
}

struct task *kthread_create(void (*fn)(void *), void *arg, const char *name)
{
	struct task *t = kthread_create_nr(fn, arg, name, 0);

	if (t)
		sched_wake_new(t);
	return t;
}

struct task *kthread_create_init(void (*fn)(void *))
{
	struct task *t = kthread_create_nr(fn, NULL, "init", 1);

	if (!t)
		return NULL;
	init_user_process = t->process;
	sched_wake_new(t);
	return t;
}
