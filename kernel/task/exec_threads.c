/*
 * execve leaves one thread. The others are killed and waited for; a thread that is not the leader
 * takes over the leader's number, which is the process's, once the leader is through its exit.
 */
#include "exec.h"

static bool others_gone(struct process *p)
{
	if (current == p->leader)
		return READ_ONCE(p->nr_threads) == 1;
	return READ_ONCE(p->nr_threads) == 2 && (READ_ONCE(p->leader->flags) & TASK_F_EXITED);
}

static int kill_others(struct process *p)
{
	int err = 0;

	spin_lock_irq(&p->siglock);
	if ((p->signal_flags & SIGNAL_GROUP_EXIT) || p->exec_task) {
		err = -EAGAIN; /* somebody else is ending this process or taking it over */
	} else {
		p->exec_task = current;
		signal_kill_others_locked();
	}
	spin_unlock_irq(&p->siglock);
	return err;
}

static int wait_for_others(struct process *p)
{
	int err = 0;

	for (;;) {
		sched_set_state(TASK_KILLABLE);
		if (others_gone(p))
			break;
		if (fatal_signal_pending(current)) {
			err = -EAGAIN;
			break;
		}
		schedule();
	}
	sched_set_state(TASK_RUNNING);
	return err;
}

/* Swaps numbers with the dead leader, which is reaped under the old one of mine. */
static void take_over_leader(struct process *p, struct task **dead)
{
	struct task *me = current, *leader = p->leader;
	struct pid_entry *mine = me->pid;
	struct process *child;

	ASSERT_HELD(&tasklist_lock);
	me->pid = leader->pid;
	leader->pid = mine;
	me->tid = me->pid->nr;
	leader->tid = mine->nr;
	rcu_assign(me->pid->task, me);
	rcu_assign(leader->pid->task, leader);
	me->start_time_ns = leader->start_time_ns;
	p->leader = me;
	leader->exit_signal = -1;
	if (leader->ptrace.flags) /* its tracer may wait for the dead leader, which vanishes */
		wake_up_all(&leader->ptrace.tracer->process->child_wait);
	list_for_each(child, &p->children, sibling)
		child->parent_tid = me->tid;
	task_reap_locked(leader, dead);
}

int exec_become_single(void)
{
	struct process *p = current->process;
	struct task *dead = NULL;
	int err;

	if (p->nr_threads == 1)
		return 0;
	err = kill_others(p);
	if (err)
		return err;
	err = wait_for_others(p);
	spin_lock_irq(&tasklist_lock);
	if (!err && current != p->leader)
		take_over_leader(p, &dead);
	spin_lock(&p->siglock);
	p->exec_task = NULL;
	spin_unlock(&p->siglock);
	spin_unlock_irq(&tasklist_lock);
	tasks_release(dead);
	return err;
}
