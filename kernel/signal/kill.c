/*
 * The calls that send signals: kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo. Permission
 * and the rules for forged siginfo are Linux's.
 */
#include "internal.h"
#include <sync/mutex.h>
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

/*
 * Many receivers. tasklist_lock, under which nothing else runs, is given up after every KILL_BATCH
 * signals. So that nobody is missed or gets two, whatever forks, exits or changes its group meanwhile:
 *
 *   1. Each receiver is marked with the number of the call, under the lock. kill_many_mutex lets one
 *      call at a time do that.
 *   2. A child starts with its parent's mark (clone_link_process): forked after the signal, it is
 *      none of our business; forked before, it is unmarked.
 *   3. A pass goes on where the last batch ended, or from the start if that process has left the list.
 *      The call ends with a pass that finds nobody unmarked.
 */
#define KILL_BATCH 16

struct kill_many {
	struct pid_entry *pgrp; /* reference; NULL: everybody but the caller and pid 1 */
	int sig;
	const siginfo_t *info;
	u64 mark;
	struct process *at;     /* reference: the last one of the batch; NULL: at the start */
	int result;
};

static DEFINE_MUTEX(kill_many_mutex, LOCK_RANK_SLEEP_INNER);
static u64 last_kill_mark; /* kill_many_mutex */

static struct process *first_process(const struct kill_many *k)
{
	if (k->pgrp)
		return k->pgrp->pgrp_members.first
			       ? container_of(k->pgrp->pgrp_members.first, struct process, pgrp_node)
			       : NULL;
	return list_empty(&all_processes)
		       ? NULL
		       : container_of(all_processes.next, struct process, all_node);
}

static struct process *next_process(const struct kill_many *k, struct process *p)
{
	if (k->pgrp)
		return p->pgrp_node.next ? container_of(p->pgrp_node.next, struct process, pgrp_node)
					 : NULL;
	return p->all_node.next == &all_processes
		       ? NULL
		       : container_of(p->all_node.next, struct process, all_node);
}

/* Where the pass goes on. tasklist_lock held. */
static struct process *resume_pass(struct kill_many *k, struct process **drop)
{
	struct process *at = k->at;
	bool listed = at && at->exit_state != PROCESS_REAPED && (!k->pgrp || at->pgrp == k->pgrp);

	*drop = at;
	k->at = NULL;
	return listed ? next_process(k, at) : first_process(k);
}

static bool receives(const struct kill_many *k, const struct process *p)
{
	if (k->pgrp)
		return true;
	return p->pid > 1 && p != current->process && !(p->leader->flags & TASK_F_KTHREAD);
}

static void note_result(struct kill_many *k, int err)
{
	if (k->pgrp)
		k->result = k->result ? err : 0; /* one success counts */
	else if (err != -EPERM)
		k->result = err;
	else if (k->result == -ESRCH)
		k->result = 0; /* somebody was there: kill(-1) does not report EPERM */
}

/* Up to KILL_BATCH signals; false: the pass has reached the end. tasklist_lock held. */
static bool kill_batch_locked(struct kill_many *k, struct process *p, bool *any)
{
	u32 sent = 0;

	for (; p; p = next_process(k, p)) {
		if (p->kill_mark == k->mark || !receives(k, p))
			continue;
		p->kill_mark = k->mark;
		note_result(k, kill_member_locked(p, k->sig, k->info));
		*any = true;
		if (++sent == KILL_BATCH) {
			process_get(p);
			k->at = p;
			return true;
		}
	}
	return false;
}

static void kill_pass(struct kill_many *k, bool *any)
{
	struct process *drop;
	bool more;

	*any = false;
	do {
		spin_lock_irq(&tasklist_lock);
		more = kill_batch_locked(k, resume_pass(k, &drop), any);
		spin_unlock_irq(&tasklist_lock);
		if (drop)
			process_put(drop);
	} while (more);
}

static int kill_several(s32 pid, int sig, const siginfo_t *info)
{
	struct kill_many k = {.sig = sig, .info = info, .result = -ESRCH};
	bool any;

	if (pid == INT_MIN)
		return -ESRCH;
	if (sig < 0 || sig > SIGNAL_MAX)
		return -EINVAL;
	if (pid != -1) {
		spin_lock_irq(&tasklist_lock);
		k.pgrp = pid ? pid_find(-pid) : current->process->pgrp;
		if (k.pgrp)
			pid_get(k.pgrp);
		spin_unlock_irq(&tasklist_lock);
		if (!k.pgrp)
			return -ESRCH;
	}
	mutex_lock(&kill_many_mutex);
	k.mark = ++last_kill_mark;
	do
		kill_pass(&k, &any);
	while (any);
	mutex_unlock(&kill_many_mutex);
	if (k.pgrp)
		pid_put(k.pgrp);
	return k.result;
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
