/*
 * The calls that send signals: kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo. Permission
 * and the rules for forged siginfo are Linux's.
 */
#include "internal.h"
#include <syscall/table.h>
#include <task/pid.h>

/* The sender is a user who may signal t; SIGCONT reaches the whole session. RCU. */
static int kill_permission(struct task *t, int sig)
{
	const struct cred *mine = current->cred, *theirs = rcu_dereference(t->cred);

	if (t->process == current->process)
		return 0;
	if (mine->euid == theirs->suid || mine->euid == theirs->uid || mine->uid == theirs->suid ||
	    mine->uid == theirs->uid || capable(CAP_KILL))
		return 0;
	if (sig == SIGCONT && READ_ONCE(t->process->session) == current->process->session)
		return 0;
	return -EPERM;
}

/* Checks and sends, to the thread alone or to its process. sig 0 only checks. */
static int kill_task(struct task *t, int sig, const siginfo_t *info, bool to_thread)
{
	struct process *p = t->process;
	int err;

	if (sig < 0 || sig > SIGNAL_MAX)
		return -EINVAL;
	rcu_read_lock();
	err = kill_permission(t, sig);
	rcu_read_unlock();
	if (err || !sig)
		return err;
	spin_lock_irq(&p->siglock);
	err = signal_send_locked(p, to_thread ? t : NULL, sig, info);
	spin_unlock_irq(&p->siglock);
	return err;
}

int signal_kill(struct task *t, int sig, const siginfo_t *info)
{
	return kill_task(t, sig, info, false);
}

static int kill_number(s32 pid, int sig, const siginfo_t *info)
{
	struct task *t = task_find_get(pid);
	int err;

	if (!t)
		return -ESRCH;
	err = kill_task(t, sig, info, false);
	task_put(t);
	return err;
}

/* The same under tasklist_lock, where interrupts are disabled already. */
static int kill_member_locked(struct process *p, int sig, const siginfo_t *info)
{
	int err = kill_permission(p->leader, sig);

	ASSERT_HELD(&tasklist_lock);
	if (err || !sig)
		return err;
	spin_lock(&p->siglock);
	err = signal_send_locked(p, NULL, sig, info);
	spin_unlock(&p->siglock);
	return err;
}

/* Success when one member could be signalled. */
static int kill_pgrp_locked(struct pid_entry *pgrp, int sig, const siginfo_t *info)
{
	bool success = false;
	int err = -ESRCH;
	struct process *p;

	hlist_for_each(p, &pgrp->pgrp_members, pgrp_node) {
		err = kill_member_locked(p, sig, info);
		success |= !err;
	}
	return success ? 0 : err;
}

static int kill_everybody_locked(int sig, const siginfo_t *info)
{
	int result = -ESRCH, err;
	struct process *p;

	list_for_each(p, &all_processes, all_node) {
		if (p->pid <= 1 || p == current->process || (p->leader->flags & TASK_F_KTHREAD))
			continue;
		err = kill_member_locked(p, sig, info);
		if (err != -EPERM)
			result = err;
		else if (result == -ESRCH)
			result = 0; /* somebody was there: kill(-1) does not report EPERM */
	}
	return result;
}

static int kill_several(s32 pid, int sig, const siginfo_t *info)
{
	struct pid_entry *pgrp;
	int err;

	if (pid == INT_MIN)
		return -ESRCH;
	if (sig < 0 || sig > SIGNAL_MAX)
		return -EINVAL;
	spin_lock_irq(&tasklist_lock);
	if (pid == -1) {
		err = kill_everybody_locked(sig, info);
	} else {
		pgrp = pid ? pid_find(-pid) : current->process->pgrp;
		err = pgrp ? kill_pgrp_locked(pgrp, sig, info) : -ESRCH;
	}
	spin_unlock_irq(&tasklist_lock);
	return err;
}

long sys_kill(int pid, int sig)
{
	siginfo_t info;

	siginfo_user(&info, sig);
	return pid > 0 ? kill_number(pid, sig, &info) : kill_several(pid, sig, &info);
}

/* tgid <= 0: any process. */
static int kill_thread(s32 tgid, s32 tid, int sig, const siginfo_t *info)
{
	struct task *t = task_find_get(tid);
	int err = -ESRCH;

	if (!t)
		return -ESRCH;
	if (tgid <= 0 || t->process->pid == tgid)
		err = kill_task(t, sig, info, true);
	task_put(t);
	return err;
}

long sys_tgkill(int tgid, int tid, int sig)
{
	siginfo_t info;

	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	siginfo_user(&info, sig);
	info.si_code = SI_TKILL;
	return kill_thread(tgid, tid, sig, &info);
}

long sys_tkill(int tid, int sig)
{
	siginfo_t info;

	if (tid <= 0)
		return -EINVAL;
	siginfo_user(&info, sig);
	info.si_code = SI_TKILL;
	return kill_thread(0, tid, sig, &info);
}

/* Only to itself may a process pretend that the kernel, or kill(2), sent the signal. */
static bool siginfo_forged(const siginfo_t *info, s32 pid)
{
	return (info->si_code >= 0 || info->si_code == SI_TKILL) && pid != current->process->pid;
}

long sys_rt_sigqueueinfo(int pid, int sig, struct user_siginfo uinfo)
{
	siginfo_t info;
	int err = user_read(&info, uinfo);

	if (err)
		return err;
	info.si_signo = sig;
	if (siginfo_forged(&info, pid))
		return -EPERM;
	return kill_number(pid, sig, &info);
}

long sys_rt_tgsigqueueinfo(int tgid, int tid, int sig, struct user_siginfo uinfo)
{
	siginfo_t info;
	int err = user_read(&info, uinfo);

	if (err)
		return err;
	info.si_signo = sig;
	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	if (siginfo_forged(&info, tid))
		return -EPERM;
	return kill_thread(tgid, tid, sig, &info);
}
