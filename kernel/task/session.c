/* Process groups and sessions. tasklist_lock guards membership. */
#include <syscall/table.h>
#include <task/tty_hooks.h>
#include "internal.h"

/* The process of the leader with this number; a mere thread's names none. 0, -ESRCH, -EINVAL. */
static int setpgid_target(s32 pid, struct process **out)
{
	struct pid_entry *e = pid_find(pid);
	struct task *t = e ? e->task : NULL;

	ASSERT_HELD(&tasklist_lock);
	if (!t)
		return -ESRCH;
	*out = t->process;
	return t->process->pid == pid ? 0 : -EINVAL;
}

/* Oneself, or a child in the same session that has not called execve. */
static int setpgid_check_target(const struct process *me, const struct process *p)
{
	if (p->parent == me) {
		if (p->session != me->session)
			return -EPERM;
		if (p->did_exec)
			return -EACCES;
	} else if (p != me) {
		return -ESRCH;
	}
	return p->session_leader ? -EPERM : 0;
}

/* Its own number, or a group that exists in the session. */
static int setpgid_check_group(const struct process *me, struct process *p, s32 pgid,
			       struct pid_entry **out)
{
	struct process *member;
	struct pid_entry *e = pid_find(pgid);

	*out = e;
	if (pgid == p->pid)
		return 0;
	if (!e)
		return -EPERM;
	hlist_for_each(member, &e->pgrp_members, pgrp_node)
		return member->session == me->session ? 0 : -EPERM;
	return -EPERM;
}

static int setpgid_locked(s32 pid, s32 pgid)
{
	struct process *me = current->process, *p;
	struct pid_entry *group;
	int err = setpgid_target(pid, &p);

	if (!err)
		err = setpgid_check_target(me, p);
	if (!err)
		err = setpgid_check_group(me, p, pgid, &group);
	if (!err && p->pgrp != group)
		process_set_pgrp(p, group);
	return err;
}

long sys_setpgid(int pid, int pgid)
{
	int err;

	if (!pid)
		pid = current->process->pid;
	if (!pgid)
		pgid = pid;
	if (pgid < 0)
		return -EINVAL;
	spin_lock_irq(&tasklist_lock);
	err = setpgid_locked(pid, pgid);
	spin_unlock_irq(&tasklist_lock);
	return err;
}

/* The number of the group or session of the thread `pid` (0: own). */
static long job_number(s32 pid, bool session)
{
	struct process *p = current->process;
	struct task *t = NULL;
	struct pid_entry *e;
	long nr = -ESRCH;

	spin_lock_irq(&tasklist_lock);
	if (pid) {
		e = pid_find(pid);
		t = e ? e->task : NULL;
		p = t ? t->process : NULL;
	}
	if (p)
		nr = session ? p->session->nr : p->pgrp->nr;
	spin_unlock_irq(&tasklist_lock);
	return nr;
}

long sys_getpgid(int pid)
{
	return job_number(pid, false);
}

long sys_getpgrp(void)
{
	return job_number(0, false);
}

long sys_getsid(int pid)
{
	return job_number(pid, true);
}

long sys_setsid(void)
{
	struct process *me = current->process;
	struct pid_entry *own;
	long result = -EPERM;

	spin_lock_irq(&tasklist_lock);
	own = me->leader->pid;
	if (!me->session_leader && !own->pgrp_members.first) {
		me->session_leader = true;
		process_set_session(me, own);
		process_set_pgrp(me, own);
		result = me->pid;
	}
	spin_unlock_irq(&tasklist_lock);
	if (result > 0 && tty_process_ops)
		tty_process_ops->leave(me);
	return result;
}
