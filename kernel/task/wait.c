/*
 * wait4(2) and waitid(2). A waiter looks through its children under tasklist_lock, and sleeps on
 * its process's queue, which is woken whenever a child changes state. What it finds is consumed under
 * the same lock, so two waiters never get the same event.
 */
#include <lib/string.h>
#include <linux/wait.h>
#include <ptrace/ptrace.h>
#include <signal/jobctl.h>
#include <sync/wait.h>
#include <syscall/table.h>
#include <task/pidfd.h>
#include <task/rusage.h>
#include "internal.h"

#define WAIT_EVENTS (WEXITED | WSTOPPED | WCONTINUED)
#define WAIT_KINDS  (__WNOTHREAD | __WCLONE | __WALL)

struct wait_request {
	int type;      /* P_ALL, P_PID, P_PGID, P_PIDFD */
	s32 nr;
	struct process *process; /* P_PIDFD: reference */
	bool nonblock; /* P_PIDFD: the descriptor is */
	u32 options;
	bool want_usage;
	/* Result. */
	s32 pid;       /* 0: nothing yet */
	u32 uid;
	s32 status;    /* wait4's word */
	int cause;     /* CLD_* */
	struct rusage usage;
	struct task *dead; /* reaped: to be released */
};

static bool wait_selects(const struct wait_request *w, const struct process *child)
{
	bool clone_child = child->leader->exit_signal != SIGCHLD;

	if (w->type == P_PID && child->pid != w->nr)
		return false;
	if (w->type == P_PIDFD && child != w->process)
		return false;
	if (w->type == P_PGID && child->pgrp->nr != w->nr)
		return false;
	if ((w->options & __WNOTHREAD) && child->parent_tid != current->tid)
		return false;
	return (w->options & __WALL) || clone_child == !!(w->options & __WCLONE);
}

static void wait_report_task(struct wait_request *w, struct task *t, int cause, s32 status)
{
	w->pid = t->tid;
	w->uid = t->cred->uid;
	w->cause = cause;
	w->status = status;
	if (w->want_usage)
		process_rusage(t->process, RUSAGE_BOTH, &w->usage);
}

static void wait_report(struct wait_request *w, struct process *child, int cause, s32 status)
{
	wait_report_task(w, child->leader, cause, status);
}

static void wait_take_zombie(struct wait_request *w, struct process *child)
{
	s32 code = process_exit_code(child);

	wait_report(w, child, exit_code_cause(code), code);
	if (w->options & WNOWAIT)
		return;
	rusage_child_reaped(current->process, child);
	task_reap_locked(child->leader, &w->dead);
}

/* Stops (those of the process, unless it is seen as its tracer) and continuations are reported once
 * each. True: reported. */
static bool wait_take_jobctl(struct wait_request *w, struct process *child, bool tracer)
{
	bool keep = w->options & WNOWAIT;
	u32 event = 0;
	s32 signal;

	spin_lock(&child->siglock);
	if ((w->options & WSTOPPED) && !tracer && (child->signal_flags & SIGNAL_STOP_WAITABLE))
		event = SIGNAL_STOP_WAITABLE;
	else if ((w->options & WCONTINUED) && (child->signal_flags & SIGNAL_CONTINUED))
		event = SIGNAL_CONTINUED;
	if (!keep)
		child->signal_flags &= ~event;
	signal = child->stop_signal;
	spin_unlock(&child->siglock);
	if (event == SIGNAL_STOP_WAITABLE)
		wait_report(w, child, CLD_STOPPED, signal << 8 | 0x7f);
	else if (event)
		wait_report(w, child, CLD_CONTINUED, 0xffff);
	return event;
}

/* --- what a tracer sees of a thread --- */

static bool wait_selects_tracee(const struct wait_request *w, const struct task *t)
{
	if (w->type == P_PID)
		return t->tid == w->nr;
	if (w->type == P_PIDFD)
		return t == w->process->leader;
	return w->type != P_PGID || t->process->pgrp->nr == w->nr;
}

/* The traced thread has ended. The leader of a foreign child is then its parent's to wait for. */
static void wait_take_dead_tracee(struct wait_request *w, struct task *t)
{
	struct process *p = t->process;
	bool group = p->signal_flags & SIGNAL_GROUP_EXIT;
	s32 code = group ? p->group_exit_code : t->exit_code;

	if (t == p->leader && !ptrace_reparented(t)) {
		wait_take_zombie(w, p);
		return;
	}
	wait_report_task(w, t, exit_code_cause(code), code);
	if (w->options & WNOWAIT)
		return;
	if (t != p->leader) {
		task_reap_thread_locked(t, &w->dead);
		return;
	}
	ptrace_unlink_locked(t);
	task_untraced_locked(t, false, &w->dead);
}

/* It is in a trap that has not been reported. */
static bool wait_take_trap(struct wait_request *w, struct task *t)
{
	struct process *p = t->process;
	s32 code = 0;

	spin_lock(&p->siglock);
	if ((t->jobctl & JOBCTL_TRACED) && !(t->jobctl & JOBCTL_LISTENING)) {
		code = t->ptrace.code;
		if (!(w->options & WNOWAIT))
			t->ptrace.code = 0;
	}
	spin_unlock(&p->siglock);
	if (code)
		wait_report_task(w, t, CLD_TRAPPED, code << 8 | 0x7f);
	return code;
}

/* As wait_consider, for a thread that the current process traces. */
static bool wait_consider_tracee(struct wait_request *w, struct task *t, bool *may_come)
{
	if (!(t->flags & TASK_F_EXITED)) {
		*may_come = true;
		return wait_take_trap(w, t) || wait_take_jobctl(w, t->process, true);
	}
	if (w->options & (WCONTINUED | WEXITED))
		*may_come = true;
	/* A leader waits for its threads. */
	if (t == t->process->leader && t->process->exit_state != PROCESS_ZOMBIE)
		return false;
	if (!(w->options & WEXITED))
		return false;
	wait_take_dead_tracee(w, t);
	return true;
}

static bool wait_scan_tracees(struct wait_request *w, bool *may_come)
{
	struct task *me = current, *tracer, *t;

	list_for_each(tracer, &me->process->threads, thread_node) {
		if ((w->options & __WNOTHREAD) && tracer != me)
			continue;
		list_for_each(t, &tracer->ptrace.tracees, ptrace.node)
			if (wait_selects_tracee(w, t) && wait_consider_tracee(w, t, may_come))
				return true;
	}
	return false;
}

/* True: an event was reported. *may_come: the child may yet produce one. */
static bool wait_consider(struct wait_request *w, struct process *child, bool *may_come)
{
	if (!wait_selects(w, child))
		return false;
	*may_come = true;
	if (unlikely(child->leader->ptrace.flags)) {
		/* Traced by us: one stop is not told twice. By another: its end is his first. */
		if (!ptrace_reparented(child->leader))
			return wait_consider_tracee(w, child->leader, may_come);
		return wait_take_jobctl(w, child, false);
	}
	if (child->exit_state == PROCESS_ZOMBIE) {
		if (!(w->options & WEXITED))
			return false;
		wait_take_zombie(w, child);
		return true;
	}
	return wait_take_jobctl(w, child, false);
}

/* The one child that P_PID can mean, without a walk. */
static struct process *wait_child_by_pid(s32 pid)
{
	struct pid_entry *e = pid_find(pid);
	struct task *t = e ? e->task : NULL;
	struct process *p = t ? t->process : NULL;

	return p && p->pid == pid && p->parent == current->process ? p : NULL;
}

/* 0: see w->pid; -ECHILD: there is nothing to wait for. */
static int wait_scan_locked(struct wait_request *w)
{
	struct process *child;
	bool may_come = false;

	ASSERT_HELD(&tasklist_lock);
	if (w->type == P_PID) {
		child = wait_child_by_pid(w->nr);
		if (child && wait_consider(w, child, &may_come))
			return 0;
	} else {
		list_for_each(child, &current->process->children, sibling)
			if (wait_consider(w, child, &may_come))
				return 0;
	}
	if (unlikely(current->process->nr_tracees) && wait_scan_tracees(w, &may_come))
		return 0;
	return may_come ? 0 : -ECHILD;
}

static int wait_scan(struct wait_request *w)
{
	int err;

	spin_lock_irq(&tasklist_lock);
	err = wait_scan_locked(w);
	spin_unlock_irq(&tasklist_lock);
	tasks_release(w->dead);
	w->dead = NULL;
	return err;
}

/* One look, or the end of waiting. */
static bool wait_done(struct wait_request *w, int *err)
{
	*err = wait_scan(w);
	return *err || w->pid;
}

static int do_wait(struct wait_request *w)
{
	int err, interrupted;

	if (wait_done(w, &err) || (w->options & WNOHANG))
		return err;
	interrupted = wait_event_interruptible(&current->process->child_wait, wait_done(w, &err));
	return interrupted ? interrupted : err;
}

/* wait4's pid in waitid's terms. */
static void wait4_select(struct wait_request *w, s32 pid)
{
	if (pid == -1) {
		w->type = P_ALL;
	} else if (pid > 0) {
		w->type = P_PID;
		w->nr = pid;
	} else {
		w->type = P_PGID;
		w->nr = pid ? -pid : READ_ONCE(current->process->pgrp)->nr;
	}
}

long sys_wait4(int pid, struct user_int ustatus, u32 options, struct user_rusage uru)
{
	struct wait_request w = {
		.options = options | WEXITED,
		.want_usage = !user_is_null(uru),
	};
	int err;

	if (options & ~(u32)(WNOHANG | WUNTRACED | WCONTINUED | WAIT_KINDS))
		return -EINVAL;
	if (pid == INT_MIN)
		return -ESRCH;
	wait4_select(&w, pid);
	err = do_wait(&w);
	if (err || !w.pid)
		return err;
	if (!user_is_null(ustatus) && user_write(ustatus, &w.status))
		return -EFAULT;
	if (w.want_usage && user_write(uru, &w.usage))
		return -EFAULT;
	return w.pid;
}

static int waitid_select(struct wait_request *w, u32 which, s32 id)
{
	w->type = (int)which;
	w->nr = id;
	switch (which) {
	case P_ALL:
		return 0;
	case P_PID:
		return id > 0 ? 0 : -EINVAL;
	case P_PGID:
		if (id < 0)
			return -EINVAL;
		if (!id)
			w->nr = READ_ONCE(current->process->pgrp)->nr;
		return 0;
	case P_PIDFD:
		if (id < 0)
			return -EINVAL;
		w->process = pidfd_process_get(id, &w->nonblock);
		return w->process ? 0 : -EBADF;
	default:
		return -EINVAL;
	}
}

/* A non-blocking pidfd acts like WNOHANG, but tells the difference. */
static int waitid_wait(struct wait_request *w)
{
	bool hang = !(w->options & WNOHANG);
	int err;

	if (w->nonblock)
		w->options |= WNOHANG;
	err = do_wait(w);
	if (w->process)
		process_put(w->process);
	if (!err && !w->pid && hang && w->nonblock)
		return -EAGAIN;
	return err;
}

/* Only the fields that waitid defines are written, as Linux does. */
static int waitid_write(struct user_siginfo uinfo, const struct wait_request *w)
{
	struct user_bytes out = user_cast(bytes, uinfo);
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	if (w->pid) {
		info.si_signo = SIGCHLD;
		info.si_code = w->cause;
		info.si_pid = w->pid;
		info.si_uid = w->uid;
		info.si_status = w->status;
	}
	if (user_write_bytes(out, &info, offsetof(siginfo_t, si_code) + sizeof(int)) ||
	    user_write_bytes(user_at(out, offsetof(siginfo_t, si_pid)), &info.si_pid,
			     offsetof(siginfo_t, si_status) + sizeof(int) -
				     offsetof(siginfo_t, si_pid)))
		return -EFAULT;
	return 0;
}

/* siginfo has the bare number where wait4 has the composed word. */
static s32 waitid_status(const struct wait_request *w)
{
	switch (w->cause) {
	case CLD_STOPPED:
	case CLD_TRAPPED:
		return w->status >> 8;
	case CLD_CONTINUED:
		return SIGCONT;
	default:
		return exit_code_status(w->status);
	}
}

static int waitid(u32 which, int id, u32 options, struct user_rusage uru, struct wait_request *w)
{
	int err;

	if (options & ~(u32)(WNOHANG | WNOWAIT | WAIT_EVENTS | WAIT_KINDS) ||
	    !(options & WAIT_EVENTS))
		return -EINVAL;
	err = waitid_select(w, which, id);
	if (!err)
		err = waitid_wait(w);
	if (err || !w->pid)
		return err;
	w->status = waitid_status(w);
	return w->want_usage ? user_write(uru, &w->usage) : 0;
}

/* The result is stored, empty, even when there is nothing to tell: as on Linux. */
long sys_waitid(u32 which, int id, struct user_siginfo uinfo, u32 options, struct user_rusage uru)
{
	struct wait_request w = {.options = options, .want_usage = !user_is_null(uru)};
	int err = waitid(which, id, options, uru, &w);

	if (err == -EFAULT || user_is_null(uinfo))
		return err;
	if (waitid_write(uinfo, &w))
		return -EFAULT;
	return err;
}
