/*
 * ioprio_set and ioprio_get: the priority of a thread's disk accesses. It is kept, inherited and
 * reported; the disks of a virtual machine have a queue of their own, which orders nothing by it.
 */
#include <lib/errno.h>
#include <linux/ioprio.h>
#include <syscall/table.h>
#include "internal.h"

/* The class and its data, as Linux 6.1 accepts them. */
static int check(u32 prio)
{
	u32 data = prio & (BIT(IOPRIO_CLASS_SHIFT) - 1);

	if (prio >> 16)
		return -EINVAL;
	switch (prio >> IOPRIO_CLASS_SHIFT) {
	case IOPRIO_CLASS_RT:
		if (!capable(CAP_SYS_ADMIN) && !capable(CAP_SYS_NICE))
			return -EPERM;
		return data < IOPRIO_NR_LEVELS ? 0 : -EINVAL;
	case IOPRIO_CLASS_BE:
		return data < IOPRIO_NR_LEVELS ? 0 : -EINVAL;
	case IOPRIO_CLASS_IDLE:
		return 0;
	case IOPRIO_CLASS_NONE:
		return data ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

static int set_one(struct task *t, u32 prio)
{
	const struct cred *its = task_cred_get(t);
	u32 uid = current->cred->uid;
	bool allowed = its->uid == current->cred->euid || its->uid == uid || capable(CAP_SYS_NICE);

	cred_put(its);
	if (!allowed)
		return -EPERM;
	WRITE_ONCE(t->ioprio, (u16)prio);
	return 0;
}

/* What the search over many threads is for. */
struct ioprio_request {
	bool set;
	u32 prio;
	long result; /* -ESRCH: nobody yet; set: the last error; get: the highest priority */
};

static void visit(struct ioprio_request *r, struct task *t)
{
	long mine;

	if (r->set) {
		r->result = set_one(t, r->prio);
		return;
	}
	mine = READ_ONCE(t->ioprio);
	if (r->result < 0 || mine < r->result)
		r->result = mine;
}

static bool process_matches(const struct process *p, int which, int who)
{
	const struct pid_entry *group = p->pgrp;
	s32 wanted = who ? who : current->process->pgrp->nr;

	if (which == IOPRIO_WHO_PGRP)
		return group && group->nr == wanted;
	return p->leader->cred->uid == (who ? (u32)who : current->cred->uid);
}

static void visit_many(struct ioprio_request *r, int which, int who)
{
	struct process *p;
	struct task *t;
	u64 flags = spin_lock_irqsave(&tasklist_lock);

	list_for_each(p, &all_processes, all_node) {
		if (!process_matches(p, which, who))
			continue;
		list_for_each(t, &p->threads, thread_node)
			visit(r, t);
	}
	spin_unlock_irqrestore(&tasklist_lock, flags);
}

static long visit_one(struct ioprio_request *r, int who)
{
	struct task *t = who ? task_find_get(who) : current;

	if (!t)
		return -ESRCH;
	visit(r, t);
	if (who)
		task_put(t);
	return r->result;
}

static long visit_all(struct ioprio_request *r, int which, int who)
{
	switch (which) {
	case IOPRIO_WHO_PROCESS:
		return visit_one(r, who);
	case IOPRIO_WHO_PGRP:
	case IOPRIO_WHO_USER:
		visit_many(r, which, who);
		return r->result;
	default:
		return -EINVAL;
	}
}

long sys_ioprio_set(int which, int who, int prio)
{
	struct ioprio_request r = {.set = true, .prio = (u32)prio, .result = -ESRCH};
	int err = check((u32)prio);

	return err ? err : visit_all(&r, which, who);
}

long sys_ioprio_get(int which, int who)
{
	struct ioprio_request r = {.result = -ESRCH};

	return visit_all(&r, which, who);
}
