/*
 * getpriority and setpriority: nice values of one thread, of a process group, or of all of a user's
 * processes. Groups are walked under tasklist_lock (as process lists demand), users' processes one by
 * one with references. As in Linux, each thread of a group is treated by itself; the error of the
 * last refused one is reported.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <syscall/table.h>
#include <task/pid.h>
#include "calls.h"
#include "run_queue.h"

/* What is done to each thread, and what came of it. */
struct visit {
	bool set;
	int nice;    /* set: the value to give */
	long result; /* -ESRCH until a thread was found */
};

static int nice_check(struct task *t, int now, int nice)
{
	u32 euid = current->cred->euid;
	const struct cred *c;
	bool own;

	rcu_read_lock();
	c = rcu_dereference(t->cred);
	own = c->uid == euid || c->euid == euid;
	rcu_read_unlock();
	if (!own && !capable(CAP_SYS_NICE))
		return -EPERM;
	return nice < now && !sched_can_nice(t, nice) ? -EACCES : 0;
}

static void visit_task(struct visit *v, struct task *t)
{
	struct sched_params p;
	int err;

	sched_get_params(t, &p);
	if (!v->set) {
		v->result = MAX(v->result, 20L - p.nice);
		return;
	}
	err = nice_check(t, p.nice, v->nice);
	if (!err) {
		p.nice = (s8)v->nice;
		err = sched_set_params(t, &p);
	}
	if (err)
		v->result = err;
	else if (v->result == -ESRCH)
		v->result = 0;
}

/* tasklist_lock held, or RCU. */
static void visit_threads(struct visit *v, struct process *p)
{
	struct task *t;

	list_for_each(t, &p->threads, thread_node)
		visit_task(v, t);
}

static void visit_one(struct visit *v, s32 who)
{
	struct task *t = sched_call_target(who);

	if (!t)
		return;
	visit_task(v, t);
	task_put(t);
}

static void visit_pgrp(struct visit *v, s32 who)
{
	struct pid_entry *pgrp;
	struct process *p;

	spin_lock_irq(&tasklist_lock);
	pgrp = who ? pid_find(who) : current->process->pgrp;
	if (pgrp)
		hlist_for_each(p, &pgrp->pgrp_members, pgrp_node)
			visit_threads(v, p);
	spin_unlock_irq(&tasklist_lock);
}

static void visit_user(struct visit *v, s32 who)
{
	u32 uid = who ? (u32)who : current->cred->uid;
	struct process *p;

	for (s32 pid = 1; (p = process_next_get(&pid)); pid++) {
		struct task *t;

		rcu_read_lock();
		list_for_each(t, &p->threads, thread_node)
			if (rcu_dereference(t->cred)->uid == uid)
				visit_task(v, t);
		rcu_read_unlock();
		process_put(p);
	}
}

static long visit(struct visit *v, u32 which, s32 who)
{
	v->result = -ESRCH;
	switch (which) {
	case PRIO_PROCESS:
		visit_one(v, who);
		break;
	case PRIO_PGRP:
		visit_pgrp(v, who);
		break;
	case PRIO_USER:
		visit_user(v, who);
		break;
	default:
		return -EINVAL;
	}
	return v->result;
}

long sys_getpriority(u32 which, int who)
{
	return visit(&(struct visit){.set = false}, which, who);
}

long sys_setpriority(u32 which, int who, int nice)
{
	return visit(&(struct visit){.set = true, .nice = MIN(MAX(nice, -20), 19)}, which, who);
}
