/*
 * Generating signals: whether one counts at all, where it is queued, whom it wakes. Works in every
 * context under the receiver's siglock (interrupts disabled). A signal that will end the process
 * ends all its threads at once here, so that none of them runs on until the first has noticed.
 */
#include "internal.h"
#include <task/coredump.h>
#include <task/pid.h>
#include <vfs/poll.h>

static void signal_wake_states(struct task *t, u32 states)
{
	states |= TASK_INTERRUPTIBLE;
	task_set_work(t, WORK_SIGNAL);
	/* One that runs in user mode on another CPU has to come in to notice. */
	if (!sched_wake(t, states) && t != current && READ_ONCE(t->on_cpu))
		arch_send_reschedule(READ_ONCE(t->cpu));
}

void signal_wake(struct task *t, bool fatal)
{
	u32 states = 0;

	ASSERT_HELD(&t->process->siglock);
	if (fatal) {
		states = TASK_WAKEKILL | TASK_STOPPED;
		if (!(t->jobctl & JOBCTL_FROZEN)) {
			t->jobctl &= ~(u32)JOBCTL_TRACED;
			states |= TASK_TRACED;
		}
	}
	signal_wake_states(t, states);
}

void signal_wake_traced(struct task *t, bool resume)
{
	u32 states = 0;

	ASSERT_HELD(&t->process->siglock);
	if (resume && !(t->jobctl & JOBCTL_FROZEN)) {
		t->jobctl &= ~(u32)JOBCTL_TRACED;
		states = TASK_TRACED;
	}
	signal_wake_states(t, states);
}

/* The action is to do nothing. Pid 1 and kernel threads only get what they handle. */
static bool signal_is_ignored(struct process *p, int sig)
{
	u64 handler = sig_handler(p, sig);

	if (handler == HANDLER_IGN)
		return !sig_in(sig, SIG_KERNEL_ONLY);
	if (handler != HANDLER_DFL)
		return false;
	return sig_in(sig, SIG_IGNORE_MASK) || (p->signal_flags & SIGNAL_UNKILLABLE);
}

/* Ends the process through its default action, without a core dump. */
static bool signal_is_fatal(struct process *p, int sig)
{
	if (p->signal_flags & SIGNAL_UNKILLABLE)
		return false;
	if (sig_handler(p, sig) != HANDLER_DFL && sig != SIGKILL)
		return false;
	return !sig_in(sig, SIG_IGNORE_MASK | SIG_STOP_MASK | SIG_CORE_MASK);
}

/* Stop and continue signals cancel each other, whether or not they are ignored or blocked. */
static void signal_cancel_opposites(struct process *p, int sig)
{
	u64 opposite = 0;
	struct task *t;

	if (sig_in(sig, SIG_STOP_MASK))
		opposite = sigmask(SIGCONT);
	else if (sig == SIGCONT)
		opposite = SIG_STOP_MASK;
	else
		return;
	sigqueue_drop(&p->shared_pending, opposite);
	list_for_each(t, &p->threads, thread_node)
		sigqueue_drop(&t->pending, opposite);
	if (sig == SIGCONT)
		signal_continue_locked(p);
}

static bool signal_wanted_by(struct task *t, int sig)
{
	if (sig_in(sig, t->blocked.bits) || (READ_ONCE(t->flags) & TASK_F_EXITING))
		return false;
	if (sig == SIGKILL)
		return true;
	if (READ_ONCE(t->state) & (TASK_STOPPED | TASK_TRACED))
		return false;
	return READ_ONCE(t->on_cpu) || !signal_pending(t);
}

/* The thread to wake for a signal to any thread: the leader if it can, else the first that can. */
static struct task *signal_pick_thread(struct process *p, int sig)
{
	struct task *t;

	if (signal_wanted_by(p->leader, sig))
		return p->leader;
	list_for_each(t, &p->threads, thread_node)
		if (signal_wanted_by(t, sig))
			return t;
	return NULL; /* whoever unblocks it finds it */
}

static void signal_start_group_exit(struct process *p, int code)
{
	struct task *t;

	p->signal_flags |= SIGNAL_GROUP_EXIT;
	p->group_exit_code = code;
	p->nr_to_stop = 0;
	list_for_each(t, &p->threads, thread_node) {
		jobctl_clear_pending(t, JOBCTL_PENDING_MASK);
		t->pending.set.bits |= sigmask(SIGKILL);
		signal_wake(t, true);
	}
}

static void signal_complete(struct process *p, struct task *t, int sig)
{
	if (!t)
		t = signal_pick_thread(p, sig);
	else if (!signal_wanted_by(t, sig))
		t = NULL;
	if (!t)
		return;
	/* A tracer gets to see what would end a program before it does. */
	if (signal_is_fatal(p, sig) && !sig_in(sig, t->real_blocked.bits) &&
	    (sig == SIGKILL || likely(!t->ptrace.flags))) {
		signal_start_group_exit(p, sig);
		return;
	}
	signal_wake(t, sig == SIGKILL);
}

/* SIGKILL ends a process that only lives on to write its core. siglock held. */
static void stop_core_dump(struct process *p)
{
	if (!p->core)
		return;
	p->group_exit_code = SIGKILL;
	p->core->dumper->pending.set.bits |= sigmask(SIGKILL);
	signal_wake(p->core->dumper, true);
}

/* What sending sig does in any case; true when it has to be queued. */
static bool signal_prepare(struct process *p, const struct task *target, int sig)
{
	ASSERT_HELD(&p->siglock);
	if (p->signal_flags & SIGNAL_GROUP_EXIT) {
		if (sig == SIGKILL)
			stop_core_dump(p);
		return false; /* dying: nothing more is delivered */
	}
	signal_cancel_opposites(p, sig);
	/* A blocked signal is kept even when ignored: the action may change until it is let in. */
	return sig_in(sig, target->blocked.bits | target->real_blocked.bits) ||
	       (unlikely(target->ptrace.flags) && sig != SIGKILL) || !signal_is_ignored(p, sig);
}

/* It has been queued: who is to know? */
static void signal_announce(struct process *p, struct task *t, int sig)
{
	if (unlikely(p->signal_wait) && wait_queue_active(&p->signal_wait->queue))
		wake_up_events(&p->signal_wait->queue, ~0U, EPOLLIN);
	signal_complete(p, t, sig);
}

bool signal_send_reserved_locked(struct process *p, struct task *t, struct sigqueue *e)
{
	int sig = signal_reserved_info(e)->si_signo;

	if (t && t->flags & TASK_F_EXITED)
		return true; /* nobody is left to tell; the timer stops */
	if (!signal_prepare(p, t ? t : p->leader, sig))
		return false;
	if (sigqueue_add_reserved(t ? &t->pending : &p->shared_pending, e))
		signal_announce(p, t, sig);
	return true;
}

int signal_send_locked(struct process *p, struct task *t, int sig, const siginfo_t *info)
{
	struct task *target = t ? t : p->leader;
	int err;

	if (!signal_prepare(p, target, sig))
		return 0;
	err = sigqueue_add(target, t ? &t->pending : &p->shared_pending, sig, info);
	if (!err)
		signal_announce(p, t, sig);
	return err;
}

int signal_send_process(struct process *p, int sig, const siginfo_t *info)
{
	u64 flags = spin_lock_irqsave(&p->siglock);
	int err = signal_send_locked(p, NULL, sig, info);

	spin_unlock_irqrestore(&p->siglock, flags);
	return err;
}

int signal_send_task(struct task *t, int sig, const siginfo_t *info)
{
	struct process *p = t->process;
	u64 flags = spin_lock_irqsave(&p->siglock);
	int err = signal_send_locked(p, t, sig, info);

	spin_unlock_irqrestore(&p->siglock, flags);
	return err;
}

unsigned int signal_send_pgrp_locked(struct pid_entry *pgrp, int sig, const siginfo_t *info)
{
	unsigned int reached = 0;
	struct process *p;

	ASSERT_HELD(&tasklist_lock);
	hlist_for_each(p, &pgrp->pgrp_members, pgrp_node) {
		signal_send_process(p, sig, info);
		reached++;
	}
	return reached;
}

unsigned int signal_send_pgrp(struct pid_entry *pgrp, int sig, const siginfo_t *info)
{
	u64 flags = spin_lock_irqsave(&tasklist_lock);
	unsigned int reached = signal_send_pgrp_locked(pgrp, sig, info);

	spin_unlock_irqrestore(&tasklist_lock, flags);
	return reached;
}

void process_kill(struct process *p)
{
	u64 flags = spin_lock_irqsave(&p->siglock);

	if (!(p->signal_flags & SIGNAL_GROUP_EXIT))
		signal_start_group_exit(p, SIGKILL);
	else
		stop_core_dump(p);
	spin_unlock_irqrestore(&p->siglock, flags);
}

unsigned int signal_kill_others_locked(void)
{
	struct task *me = current, *t;
	unsigned int others = 0;

	ASSERT_HELD(&me->process->siglock);
	me->process->nr_to_stop = 0;
	list_for_each(t, &me->process->threads, thread_node) {
		if (t == me)
			continue;
		others++;
		jobctl_clear_pending(t, JOBCTL_PENDING_MASK);
		if (t->flags & TASK_F_EXITING)
			continue;
		t->pending.set.bits |= sigmask(SIGKILL);
		signal_wake(t, true);
	}
	return others;
}

void signal_retarget(u64 which)
{
	struct task *me = current, *t;
	struct process *p = me->process;

	ASSERT_HELD(&p->siglock);
	which &= p->shared_pending.set.bits;
	if (!which || p->nr_threads == 1)
		return;
	list_for_each(t, &p->threads, thread_node) {
		if (t == me || (t->flags & TASK_F_EXITING) || !(which & ~t->blocked.bits))
			continue;
		which &= t->blocked.bits;
		if (!signal_pending(t))
			signal_wake(t, false);
		if (!which)
			return;
	}
}

bool fatal_signal_pending(const struct task *t)
{
	return signal_pending(t) && (READ_ONCE(t->pending.set.bits) & sigmask(SIGKILL));
}
