/*
 * wait4(2) and waitid(2). A waiter looks through its children under tasklist_lock, and sleeps on
 * its process's queue, which is woken whenever a child changes state. What it finds is consumed under
 * the same lock, so two waiters never get the same event.
 */
#include <lib/string.h>
#include <linux/wait.h>
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

static void wait_report(struct wait_request *w, struct process *child, int cause, s32 status)
{
	w->pid = child->pid;
	w->uid = child->leader->cred->uid;
	w->cause = cause;
	w->status = status;
	if (w->want_usage)
		process_rusage(child, RUSAGE_BOTH, &w->usage);
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

/* Stops and continuations are reported once each. True: reported. */
static bool wait_take_jobctl(struct wait_request *w, struct process *child)
{
	bool keep = w->options & WNOWAIT;
	u32 event = 0;
	s32 signal;

	spin_lock(&child->siglock);
	if ((w->options & WSTOPPED) && (child->signal_flags & SIGNAL_STOP_WAITABLE))
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

/* True: an event was reported. *may_come: the child may yet produce one. */
static bool wait_consider(struct wait_request *w, struct process *child, bool *may_come)
{
	if (!wait_selects(w, child))
		return false;
	*may_come = true;
	if (child->exit_state == PROCESS_ZOMBIE) {
		if (!(w->options & WEXITED))
			return false;
		wait_take_zombie(w, child);
		return true;
	}
	return wait_take_jobctl(w, child);
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
		if (child)
			(void)wait_consider(w, child, &may_come);
		return may_come ? 0 : -ECHILD;
	}
	list_for_each(child, &current->process->children, sibling)
		if (wait_consider(w, child, &may_come))
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
