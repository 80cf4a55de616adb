/*
 * The end of threads and processes. A thread gives up what it holds, hands its process's children
 * over if it was the last, and stays as a zombie until it is reaped: by its parent's wait(2) for
 * the last of a process, by itself for any other thread and where the parent does not want to
 * know.
 *
 * The order of events under tasklist_lock: every thread passes exit_notify once. Others than the
 * leader unlink themselves there; the process is a zombie when the leader has passed and nobody
 * else is left.
 */
#include <ipc/ipc.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <ptrace/ptrace.h>
#include <seccomp/seccomp.h>
#include <sync/wait.h>
#include <syscall/table.h>
#include <task/rusage.h>
#include <task/tty_hooks.h>
#include <time/cpu_timer.h>
#include <trace/trace.h>
#include <linux/eventpoll.h>
#include <vfs/file.h>
#include <vfs/inode.h>
#include "internal.h"

static void exit_drop_mm(struct task *me)
{
	struct mm *mm = me->mm;

	if (!mm)
		return;
	task_mm_release(me);
	rusage_note_rss(me->process, mm);
	/* Loaded until the next switch: the scheduler drops this reference then. */
	mm_ref(mm);
	spin_lock(&me->alloc_lock);
	me->mm = NULL;
	spin_unlock(&me->alloc_lock);
	mm_put(mm);
}

static void exit_drop_files(struct task *me)
{
	struct fd_table *files = me->files;
	struct fs_context *fs = me->fs;
	struct mount_ns *ns = me->mount_ns;

	spin_lock(&me->alloc_lock);
	me->files = NULL;
	me->fs = NULL;
	me->mount_ns = NULL;
	spin_unlock(&me->alloc_lock);
	if (files)
		fd_table_put(files);
	if (fs)
		fs_context_put(fs);
	if (ns)
		mount_ns_put(ns);
}

/* The machine lives as long as its first process. */
static void exit_check_init(const struct process *p, s32 code)
{
	if (p->pid != 1)
		return;
	pr_err("init has ended (status 0x%x): powering off", (u32)code);
	arch_power_off();
}

/* What belongs to the process as a whole goes with its last thread. */
static void exit_last_thread(struct process *p, s32 code)
{
	exit_check_init(p, p->signal_flags & SIGNAL_GROUP_EXIT ? p->group_exit_code : code);
	process_timers_exit(p);
	if (p->yama_tracer || p->yama_any)
		yama_exit(p);
	if (tty_process_ops)
		tty_process_ops->leave(p);
}

/* Takes a dead thread out of all tables; with the last one goes the process. */
static void task_unlink(struct task *t)
{
	struct process *p = t->process;

	ASSERT_HELD(&tasklist_lock);
	if (unlikely(t->ptrace.flags))
		ptrace_unlink_locked(t);
	spin_lock(&p->siglock);
	list_del_rcu(&t->thread_node);
	p->nr_threads--;
	signal_queue_flush(&t->pending);
	if (!p->nr_threads)
		signal_queue_flush(&p->shared_pending);
	spin_unlock(&p->siglock);
	rcu_assign(t->pid->task, NULL);
	atomic_dec(&nr_tasks);
	if (p->nr_threads)
		return;
	p->exit_state = PROCESS_REAPED;
	process_set_pgrp(p, NULL);
	process_set_session(p, NULL);
	list_del(&p->sibling);
	list_del_rcu(&p->all_node);
}

void task_reap_locked(struct task *t, struct task **dead)
{
	task_unlink(t);
	t->next_dead = *dead;
	*dead = t;
}

void tasks_release(struct task *dead)
{
	struct task *t;

	while ((t = dead)) {
		dead = t->next_dead;
		atomic_dec(&t->cred->user->nr_tasks);
		pid_put(t->pid);
		seccomp_release(t);
		task_release_stack(t);
		task_put(t);
	}
}

static void siginfo_child(siginfo_t *info, struct task *t, s32 code, s32 sig)
{
	u64 user_ns, system_ns;

	process_cpu_times(t->process, &user_ns, &system_ns);
	siginfo_kernel(info, sig);
	info->si_pid = t->tid;
	info->si_uid = t->cred->uid;
	info->si_utime = (s64)(user_ns / TICK_NSEC);
	info->si_stime = (s64)(system_ns / TICK_NSEC);
	info->si_code = exit_code_cause(code);
	info->si_status = exit_code_status(code);
}

bool exit_tell_parent(struct process *p, s32 sig)
{
	struct process *parent = p->parent;
	bool unwanted = false, ignored = false;
	siginfo_t info;

	ASSERT_HELD(&tasklist_lock);
	siginfo_child(&info, p->leader, process_exit_code(p), sig);
	if (sig == SIGCHLD)
		unwanted = signal_children_unwanted(parent, &ignored);
	if (sig > 0 && sig <= SIGNAL_MAX && !ignored)
		signal_send_process(parent, sig, &info);
	wake_up_all(&parent->child_wait);
	return unwanted;
}

/* A traced thread's death is its tracer's to know of, who never ignores it. */
static void exit_tell_tracer(struct task *t, s32 sig)
{
	struct process *to = t->ptrace.tracer->process;
	siginfo_t info;

	siginfo_child(&info, t, t->exit_code, sig);
	if (sig > 0 && sig <= SIGNAL_MAX)
		signal_send_process(to, sig, &info);
	wake_up_all(&to->child_wait);
}

/* The nearest living ancestor that asked for orphans, else init. */
static struct process *find_reaper(const struct process *p)
{
	struct process *r = p->parent;

	if (p->has_subreaper)
		for (; r->pid > 1; r = r->parent)
			if (r->is_subreaper && atomic_read(&r->nr_live))
				return r;
	return init_user_process;
}

/* A group that has lost its last link to the session, with stopped members: they get a chance. */
static void orphaned_pgrp_release(struct process *p, const struct process *parent)
{
	const struct process *ignored = parent ? NULL : p;
	struct pid_entry *pgrp = p->pgrp;
	siginfo_t info;

	if (!parent)
		parent = p->parent;
	if (parent->pgrp == pgrp || parent->session != p->session)
		return;
	if (!pgrp_is_orphaned(pgrp, ignored) || !pgrp_has_stopped(pgrp))
		return;
	siginfo_kernel(&info, SIGHUP);
	signal_send_pgrp_locked(pgrp, SIGHUP, &info);
	siginfo_kernel(&info, SIGCONT);
	signal_send_pgrp_locked(pgrp, SIGCONT, &info);
}

/* prctl(PR_SET_PDEATHSIG): the thread that made the child is gone. */
static void send_pdeath_signals(struct process *child)
{
	struct task *t;
	siginfo_t info;

	list_for_each(t, &child->threads, thread_node) {
		if (!t->pdeath_signal)
			continue;
		siginfo_kernel(&info, t->pdeath_signal);
		info.si_code = SI_USER;
		signal_send_process(child, t->pdeath_signal, &info);
	}
}

/* Gives one child to its new parent; collects it in `dead` when nobody will wait for it. */
static void reparent_child(struct process *child, struct process *reaper, struct process *old,
			   struct task **dead)
{
	send_pdeath_signals(child);
	child->parent = reaper;
	child->parent_tid = reaper->leader->tid;
	list_move_tail(&child->sibling, &reaper->children);
	child->leader->exit_signal = SIGCHLD;
	if (child->exit_state == PROCESS_ZOMBIE && !child->leader->ptrace.flags &&
	    exit_tell_parent(child, SIGCHLD)) {
		task_reap_locked(child->leader, dead);
		return;
	}
	orphaned_pgrp_release(child, old);
}

#define REPARENT_BATCH 16

/* True: there are more. */
static bool reparent_some(struct process *p, struct task **dead)
{
	struct process *reaper, *child, *tmp;
	u32 done = 0;

	if (list_empty(&p->children))
		return false;
	reaper = find_reaper(p);
	list_for_each_safe(child, tmp, &p->children, sibling) {
		reparent_child(child, reaper, p, dead);
		if (++done == REPARENT_BATCH)
			return true;
	}
	return false;
}

/* The maker of children is gone, its process is not: another thread counts as their parent. */
static void reparent_to_sibling(struct task *me)
{
	struct process *p = me->process, *child;
	struct task *heir, *found = NULL;

	list_for_each(heir, &p->threads, thread_node)
		if (!(heir->flags & TASK_F_EXITING))
			found = heir;
	list_for_each(child, &p->children, sibling) {
		if (child->parent_tid != me->tid)
			continue;
		send_pdeath_signals(child);
		if (found)
			child->parent_tid = found->tid;
	}
}

/* The whole process has ended. True: nobody waits, the leader reaps itself or is reaped by me. */
static bool process_becomes_zombie(struct process *p, struct task **dead)
{
	while (reparent_some(p, dead)) /* only what CLONE_PARENT has added since */
		;
	orphaned_pgrp_release(p, NULL);
	p->exit_state = PROCESS_ZOMBIE;
	if (wait_queue_active(&p->exit_wait))
		wake_up_events(&p->exit_wait, ~0U, EPOLLIN);
	if (unlikely(p->leader->ptrace.flags)) { /* its tracer first; the parent after him */
		exit_tell_tracer(p->leader, ptrace_reparented(p->leader) ? SIGCHLD
									 : p->leader->exit_signal);
		return false;
	}
	if (p->leader->exit_signal < 0)
		return true;
	return exit_tell_parent(p, p->leader->exit_signal);
}

/* execve waits for the other threads to be gone, and for the leader to be through. */
static void wake_exec_task(struct process *p)
{
	if (p->exec_task)
		sched_wake(p->exec_task, TASK_KILLABLE);
}

/* A thread has passed its exit, or has been reaped: was it the last that was waited for? */
static void process_check_end(struct process *p, struct task **dead)
{
	if (p->nr_threads == 1 && (p->leader->flags & TASK_F_EXITED) && !p->exec_task &&
	    p->exit_state == PROCESS_ALIVE && process_becomes_zombie(p, dead))
		task_reap_locked(p->leader, dead);
	wake_exec_task(p);
}

void task_reap_thread_locked(struct task *t, struct task **dead)
{
	struct process *p = t->process;

	task_reap_locked(t, dead);
	process_check_end(p, dead);
}

void task_untraced_locked(struct task *t, bool told, struct task **dead)
{
	struct process *p = t->process;
	bool ignored;

	if (t != p->leader)
		task_reap_thread_locked(t, dead);
	else if (p->exit_state == PROCESS_ZOMBIE &&
		 (told ? signal_children_unwanted(p->parent, &ignored)
		       : exit_tell_parent(p, t->exit_signal)))
		task_reap_locked(t, dead);
}

static void exit_notify_locked(struct task *me, struct task **dead)
{
	struct process *p = me->process;

	me->flags |= TASK_F_EXITED;
	if (me->flags & TASK_F_FORKED)
		reparent_to_sibling(me);
	if (unlikely(me->ptrace.flags)) { /* stays until its tracer has waited for it */
		if (me != p->leader || p->nr_threads > 1)
			exit_tell_tracer(me, SIGCHLD);
	} else if (me != p->leader) {
		task_reap_locked(me, dead);
	}
	process_check_end(p, dead);
}

/* Those whom the thread traces are let go, or killed, before anything else, a few at a time. */
static void exit_let_tracees_go(void)
{
	bool more = true;

	while (more) {
		struct task *dead = NULL;

		spin_lock_irq(&tasklist_lock);
		more = ptrace_let_some_go_locked(&dead);
		spin_unlock_irq(&tasklist_lock);
		tasks_release(dead);
	}
}

/*
 * Many children are handed over a few at a time, before the process counts as dead: nobody else
 * runs under tasklist_lock. No thread of it can make more.
 */
static void exit_hand_over_children(struct process *p)
{
	bool more = true;

	while (more) {
		struct task *dead = NULL;

		spin_lock_irq(&tasklist_lock);
		more = reparent_some(p, &dead);
		spin_unlock_irq(&tasklist_lock);
		tasks_release(dead);
	}
}

static void exit_notify(struct task *me)
{
	struct task *dead = NULL;

	if (unlikely(!list_empty(&me->ptrace.tracees)))
		exit_let_tracees_go();
	if (!atomic_read(&me->process->nr_live))
		exit_hand_over_children(me->process);
	spin_lock_irq(&tasklist_lock);
	while (unlikely(!list_empty(&me->ptrace.tracees))) /* only those born since */
		(void)ptrace_let_some_go_locked(&dead);
	exit_notify_locked(me, &dead);
	spin_unlock_irq(&tasklist_lock);
	tasks_release(dead);
}

__noreturn void task_exit(s32 code)
{
	struct task *me = current;
	struct process *p = me->process;

	trace_task_exit(code);
	ptrace_exit(code);
	signal_thread_exit();
	me->exit_code = code;
	if (atomic_dec_and_test(&p->nr_live))
		exit_last_thread(p, code);
	exit_drop_mm(me);
	sem_undo_exit(me);
	exit_drop_files(me);
	task_work_close();
	rusage_thread_exit(me);
	exit_notify(me);
	sched_exit();
}

__noreturn void process_exit(s32 code)
{
	struct process *p = current->process;

	spin_lock_irq(&p->siglock);
	if (p->signal_flags & SIGNAL_GROUP_EXIT) {
		code = p->group_exit_code;
	} else if (p->exec_task && p->exec_task != current) {
		code = 0; /* only this thread goes; execve carries on */
	} else {
		p->signal_flags |= SIGNAL_GROUP_EXIT;
		p->group_exit_code = code;
		signal_kill_others_locked();
	}
	spin_unlock_irq(&p->siglock);
	task_exit(code);
}

__noreturn void task_exit_kernel(void)
{
	task_exit(0);
}

long sys_exit(int status)
{
	task_exit((status & 0xff) << 8);
}

long sys_exit_group(int status)
{
	process_exit((status & 0xff) << 8);
}
