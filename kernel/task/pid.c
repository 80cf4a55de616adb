/*
 * Numbers for threads, processes, groups and sessions. One table from number to pid_entry: loads
 * under RCU, changes under pid_lock. Numbers are handed out cyclically, so that one is not reused
 * soon; an entry lives while a thread, a group or a session goes by its number.
 */
#include <lib/xarray.h>
#include <mm/slab.h>
#include <signal/signal.h>
#include "internal.h"
#include <task/pid.h>

#define PID_RESERVED 300 /* where the search goes on after a wrap, as in Linux */
#define PID_INIT     1

s32 pid_max = 32768;

static DEFINE_SPINLOCK(pid_lock, LOCK_RANK_PID);
static struct xarray pid_table;          /* RCU; pid_lock to change */
static s32 last_pid = PID_INIT;          /* pid_lock; 1 is kept for init */

static struct pid_entry *pid_entry_create(void)
{
	struct pid_entry *p = kzalloc(sizeof(*p), GFP_KERNEL);

	if (p)
		ref_init(&p->ref);
	return p;
}

/* Cyclic search; 0 or -EAGAIN. */
static int pid_pick_locked(u64 *nr)
{
	u64 last = (u64)READ_ONCE(pid_max) - 1;

	ASSERT_HELD(&pid_lock);
	if ((u64)last_pid < last && !xa_find_free(&pid_table, (u64)last_pid + 1, last, nr))
		return 0;
	return xa_find_free(&pid_table, PID_RESERVED, last, nr) ? -EAGAIN : 0;
}

static int pid_insert_locked(u64 nr, struct pid_entry *p)
{
	p->nr = (s32)nr;
	return xa_store(&pid_table, nr, p, NULL);
}

int pid_alloc(struct pid_entry **out)
{
	struct pid_entry *p = pid_entry_create();
	u64 nr = 0, flags;
	int err;

	if (!p)
		return -ENOMEM;
	flags = spin_lock_irqsave(&pid_lock);
	err = pid_pick_locked(&nr);
	if (!err)
		err = pid_insert_locked(nr, p);
	if (!err)
		last_pid = (s32)nr;
	spin_unlock_irqrestore(&pid_lock, flags);
	if (err) {
		kfree(p);
		return err;
	}
	*out = p;
	return 0;
}

int pid_alloc_nr(s32 nr, struct pid_entry **out)
{
	struct pid_entry *p = pid_entry_create();
	u64 flags;
	int err;

	if (!p)
		return -ENOMEM;
	flags = spin_lock_irqsave(&pid_lock);
	err = xa_load(&pid_table, (u64)nr) ? -EEXIST : pid_insert_locked((u64)nr, p);
	spin_unlock_irqrestore(&pid_lock, flags);
	if (err) {
		kfree(p);
		return err;
	}
	*out = p;
	return 0;
}

void pid_get(struct pid_entry *p)
{
	ref_get(&p->ref);
}

void pid_put(struct pid_entry *p)
{
	u64 flags;

	if (!ref_put(&p->ref))
		return;
	flags = spin_lock_irqsave(&pid_lock);
	xa_erase(&pid_table, (u64)p->nr);
	spin_unlock_irqrestore(&pid_lock, flags);
	rcu_kfree(&p->rcu, p);
}

struct pid_entry *pid_find(s32 nr)
{
	return nr > 0 ? xa_load(&pid_table, (u64)nr) : NULL;
}

struct task *pid_next_task(s32 *nr)
{
	u64 index = *nr < 1 ? 1 : (u64)*nr;
	struct pid_entry *p;

	for (; (p = xa_find(&pid_table, &index, PID_LIMIT - 1)); index++) {
		struct task *t = rcu_dereference(p->task);

		if (t) {
			*nr = (s32)index;
			return t;
		}
	}
	return NULL;
}

s32 pid_last(void)
{
	return READ_ONCE(last_pid);
}

void process_set_pgrp(struct process *p, struct pid_entry *pgrp)
{
	struct pid_entry *old = p->pgrp;

	ASSERT_HELD(&tasklist_lock);
	hlist_del(&p->pgrp_node);
	if (pgrp) {
		pid_get(pgrp);
		hlist_add_head(&p->pgrp_node, &pgrp->pgrp_members);
	}
	p->pgrp = pgrp;
	if (old)
		pid_put(old);
}

void process_set_session(struct process *p, struct pid_entry *session)
{
	struct pid_entry *old = p->session;

	ASSERT_HELD(&tasklist_lock);
	hlist_del(&p->session_node);
	if (session) {
		pid_get(session);
		hlist_add_head(&p->session_node, &session->session_members);
	}
	p->session = session;
	if (old)
		pid_put(old);
}

bool pgrp_is_orphaned(struct pid_entry *pgrp, const struct process *ignored)
{
	struct process *p;

	ASSERT_HELD(&tasklist_lock);
	hlist_for_each(p, &pgrp->pgrp_members, pgrp_node) {
		const struct process *parent = p->parent;

		if (p == ignored || p->exit_state != PROCESS_ALIVE || parent->pid <= PID_INIT)
			continue;
		if (parent->pgrp != pgrp && parent->session == p->session)
			return false;
	}
	return true;
}

bool pgrp_has_stopped(struct pid_entry *pgrp)
{
	struct process *p;

	ASSERT_HELD(&tasklist_lock);
	hlist_for_each(p, &pgrp->pgrp_members, pgrp_node)
		if (READ_ONCE(p->signal_flags) & SIGNAL_STOPPED)
			return true;
	return false;
}
