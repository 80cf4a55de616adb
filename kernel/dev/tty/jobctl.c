/*
 * Job control: controlling terminals, foreground groups, and the signals that keep background
 * programs away. tty->session, tty->pgrp and process->tty change under tasklist_lock; signals are
 * sent after it has been released, with a reference on the group.
 */
#include <lib/errno.h>
#include <signal/signal.h>
#include <task/pid.h>
#include <task/task.h>
#include "internal.h"

static struct pid_entry *foreground_get(struct tty *t)
{
	struct pid_entry *p;
	u64 flags = spin_lock_irqsave(&tasklist_lock);

	p = t->pgrp;
	if (p)
		pid_get(p);
	spin_unlock_irqrestore(&tasklist_lock, flags);
	return p;
}

void jobctl_signal_foreground(struct tty *t, int sig)
{
	struct pid_entry *pgrp = foreground_get(t);
	siginfo_t info;

	if (!pgrp)
		return;
	siginfo_kernel(&info, sig);
	signal_send_pgrp(pgrp, sig, &info);
	pid_put(pgrp);
}

int jobctl_async(struct tty *t, struct async_list *l, struct file *f, int fd, bool on)
{
	struct pid_entry *pgrp;
	int err = async_list_set(l, f, fd, on);

	if (err || !on)
		return err;
	pgrp = foreground_get(t);
	if (pgrp) {
		err = file_owner_set(f, pgrp, F_OWNER_PGRP, false);
		pid_put(pgrp);
	} else {
		err = file_owner_set(f, current->process->leader->pid, F_OWNER_PID, false);
	}
	return err;
}

/*
 * A process that is not in the foreground group of its controlling terminal gets sig, unless it
 * ignores or blocks it; an orphaned group cannot be stopped and gets EIO.
 */
static int check_background(struct tty *t, int sig)
{
	struct pid_entry *pgrp = NULL;
	bool orphaned = false;
	siginfo_t info;
	u64 flags = spin_lock_irqsave(&tasklist_lock);
	struct process *p = current->process;

	if (p->tty == t && t->pgrp && p->pgrp != t->pgrp) {
		pgrp = p->pgrp;
		pid_get(pgrp);
		orphaned = pgrp_is_orphaned(pgrp, NULL);
	}
	spin_unlock_irqrestore(&tasklist_lock, flags);
	if (!pgrp)
		return 0;
	if (signal_ignored_or_blocked(sig)) {
		pid_put(pgrp);
		return sig == SIGTTIN ? -EIO : 0;
	}
	if (!orphaned) {
		siginfo_kernel(&info, sig);
		signal_send_pgrp(pgrp, sig, &info);
	}
	pid_put(pgrp);
	return orphaned ? -EIO : -ERESTARTSYS;
}

int jobctl_check_change(struct tty *t)
{
	return check_background(t, SIGTTOU);
}

int jobctl_check_read(struct tty *t)
{
	return check_background(t, SIGTTIN);
}

/* tasklist_lock held. t takes over the caller's session; its reference moves to process->tty. */
static void acquire_locked(struct tty *t)
{
	struct process *p = current->process;

	if (t->session)
		pid_put(t->session);
	if (t->pgrp)
		pid_put(t->pgrp);
	pid_get(p->session);
	pid_get(p->pgrp);
	t->session = p->session;
	t->pgrp = p->pgrp;
	tty_get(t);
	p->tty = t;
}

/* A session leader without a terminal gets the one it opens. */
void jobctl_open(struct tty *t, struct file *f)
{
	struct process *p = current->process;
	u64 flags;

	if (f->flags & O_NOCTTY)
		return;
	flags = spin_lock_irqsave(&tasklist_lock);
	if (p->session_leader && !p->tty && !t->session)
		acquire_locked(t);
	spin_unlock_irqrestore(&tasklist_lock, flags);
}

/* Every process of the session loses the terminal; the number of references that were dropped. */
static u32 session_detach_locked(struct tty *t, struct pid_entry *session)
{
	struct process *p;
	u32 n = 0;

	hlist_for_each(p, &session->session_members, session_node) {
		if (p->tty == t) {
			p->tty = NULL;
			n++;
		}
	}
	return n;
}

static void signal_group_put(struct pid_entry *pgrp, bool hup_first)
{
	siginfo_t info;

	if (!pgrp)
		return;
	if (hup_first) {
		siginfo_kernel(&info, SIGHUP);
		signal_send_pgrp(pgrp, SIGHUP, &info);
		siginfo_kernel(&info, SIGCONT);
		signal_send_pgrp(pgrp, SIGCONT, &info);
	}
	pid_put(pgrp);
}

void jobctl_release_all(struct tty *t, bool signal)
{
	struct pid_entry *session, *pgrp;
	struct process *leader = NULL;
	siginfo_t info;
	u32 refs = 0;
	u64 flags = spin_lock_irqsave(&tasklist_lock);

	session = t->session;
	pgrp = t->pgrp;
	t->session = t->pgrp = NULL;
	if (session) {
		if (session->task)
			leader = session->task->process;
		if (leader)
			process_get(leader);
		refs = session_detach_locked(t, session);
	}
	spin_unlock_irqrestore(&tasklist_lock, flags);
	if (leader && signal) {
		siginfo_kernel(&info, SIGHUP);
		signal_send_process(leader, SIGHUP, &info);
		siginfo_kernel(&info, SIGCONT);
		signal_send_process(leader, SIGCONT, &info);
	}
	if (leader)
		process_put(leader);
	signal_group_put(pgrp, signal);
	if (session)
		pid_put(session);
	while (refs--)
		tty_put(t);
}

void tty_disassociate(struct process *p)
{
	struct tty *t;
	bool leader;
	u64 flags = spin_lock_irqsave(&tasklist_lock);

	t = p->tty;
	leader = p->session_leader;
	if (t && leader)
		tty_get(t);
	else
		p->tty = NULL;
	spin_unlock_irqrestore(&tasklist_lock, flags);
	if (!t)
		return;
	if (leader) {
		struct pid_entry *pgrp = foreground_get(t);

		jobctl_release_all(t, false);
		signal_group_put(pgrp, true);
	}
	tty_put(t);
}

void tty_describe(struct process *p, u64 *rdev, s32 *pgrp)
{
	u64 flags = spin_lock_irqsave(&tasklist_lock);

	*rdev = p->tty ? p->tty->rdev : 0;
	*pgrp = p->tty && p->tty->pgrp ? p->tty->pgrp->nr : -1;
	spin_unlock_irqrestore(&tasklist_lock, flags);
}

static long set_controlling(struct tty *t, struct file *f, u64 steal)
{
	struct process *p = current->process;
	long err = 0;
	u64 flags;

	if (t->session && steal == 1 && capable(CAP_SYS_ADMIN) && p->session_leader && !p->tty &&
	    t->session != p->session)
		jobctl_release_all(t, false);
	flags = spin_lock_irqsave(&tasklist_lock);
	if (p->session_leader && p->session == t->session)
		err = 0;
	else if (!p->session_leader || p->tty || t->session)
		err = -EPERM;
	else if (!(f->mode & FMODE_READ) && !cred_capable(current->cred, CAP_SYS_ADMIN))
		err = -EPERM;
	else
		acquire_locked(t);
	spin_unlock_irqrestore(&tasklist_lock, flags);
	return err;
}

static s32 number_of(struct tty *t, bool session, bool *mine)
{
	u64 flags = spin_lock_irqsave(&tasklist_lock);
	struct pid_entry *e = session ? t->session : t->pgrp;
	s32 nr = e ? e->nr : 0;

	*mine = current->process->tty == t;
	spin_unlock_irqrestore(&tasklist_lock, flags);
	return nr;
}

static long get_number(struct tty *t, bool session, u64 arg)
{
	bool mine;
	s32 nr = number_of(t, session, &mine);

	if (!mine || (session && !nr))
		return -ENOTTY;
	return user_write(((struct user_pid){.uaddr = arg}), &nr);
}

long jobctl_peer_number(struct tty *t, bool session, u64 arg)
{
	bool mine;
	s32 nr = number_of(t, session, &mine);

	if (session && !nr)
		return -ENOTTY;
	return user_write(((struct user_pid){.uaddr = arg}), &nr);
}

/* A process of the group; of a number that is no group, the process itself. tasklist_lock held. */
static struct process *group_member(struct pid_entry *pgrp)
{
	if (pgrp->pgrp_members.first)
		return hlist_entry_or_null(pgrp->pgrp_members.first, struct process, pgrp_node);
	return pgrp->task ? pgrp->task->process : NULL;
}

static long set_foreground(struct tty *t, struct user_pid from)
{
	struct pid_entry *new, *old = NULL;
	struct process *member;
	s32 nr;
	long err = jobctl_check_change(t);
	u64 flags;

	if (err)
		return err == -EIO ? -ENOTTY : err;
	err = user_read(&nr, from);
	if (err)
		return err;
	if (nr < 0)
		return -EINVAL;
	flags = spin_lock_irqsave(&tasklist_lock);
	new = pid_find(nr);
	member = new ? group_member(new) : NULL;
	if (current->process->tty != t || current->process->session != t->session) {
		err = -ENOTTY;
	} else if (!new || !member) {
		err = -ESRCH;
	} else if (member->session != t->session) {
		err = -EPERM;
	} else {
		old = t->pgrp;
		pid_get(new);
		t->pgrp = new;
	}
	spin_unlock_irqrestore(&tasklist_lock, flags);
	if (old)
		pid_put(old);
	return err;
}

long jobctl_ioctl(struct tty *t, struct file *f, unsigned int cmd, u64 arg)
{
	switch (cmd) {
	case TIOCSCTTY:
		return set_controlling(t, f, arg);
	case TIOCNOTTY:
		if (current->process->tty != t)
			return -ENOTTY;
		tty_disassociate(current->process);
		return 0;
	case TIOCGPGRP:
	case TIOCGSID:
		return get_number(t, cmd == TIOCGSID, arg);
	case TIOCSPGRP:
		return set_foreground(t, (struct user_pid){.uaddr = arg});
	case TIOCVHANGUP:
		if (!capable(CAP_SYS_ADMIN))
			return -EPERM;
		tty_hangup(t);
		return 0;
	default:
		return -ENOIOCTLCMD;
	}
}
