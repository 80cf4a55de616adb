/*
 * Job control: group stops and their end. A stop signal marks every thread (JOBCTL_STOP_PENDING,
 * counted in nr_to_stop); each stops on its way to user mode, the last one completes the stop and
 * tells the parent. SIGCONT lifts the marks and wakes everybody. All state is under siglock; the
 * parent is told under tasklist_lock, which comes before it, so siglock is dropped in between.
 */
#include <lib/string.h>
#include <task/coredump.h>
#include "internal.h"

static s64 ns_to_ticks(u64 ns)
{
	return (s64)(ns / (NSEC_PER_SEC / 100)); /* USER_HZ */
}

/* SIGCHLD for a stop or continuation of the current process; tasklist_lock held. */
static void stop_tell_parent(int code, int status)
{
	struct process *p = current->process, *parent = p->parent;
	struct sigaction_abi action;
	siginfo_t info;
	u64 user_ns, system_ns;

	ASSERT_HELD(&tasklist_lock);
	sched_task_times(current, &user_ns, &system_ns);
	siginfo_kernel(&info, SIGCHLD);
	info.si_code = code;
	info.si_pid = p->pid;
	info.si_uid = current->cred->uid;
	info.si_status = status;
	info.si_utime = ns_to_ticks(user_ns);
	info.si_stime = ns_to_ticks(system_ns);
	spin_lock(&parent->siglock);
	action = parent->sighand->action[SIGCHLD - 1];
	if (action.handler != HANDLER_IGN && !(action.flags & SA_NOCLDSTOP))
		(void)signal_send_locked(parent, NULL, SIGCHLD, &info);
	spin_unlock(&parent->siglock);
	wake_up_all(&parent->child_wait);
}

NO_THREAD_SAFETY bool signal_tell_parent_locked(void)
{
	struct process *p = current->process;
	int code, status;

	if (!(p->signal_flags & (SIGNAL_TELL_STOPPED | SIGNAL_TELL_CONTINUED)))
		return false;
	code = p->signal_flags & SIGNAL_TELL_CONTINUED ? CLD_CONTINUED : CLD_STOPPED;
	status = code == CLD_CONTINUED ? SIGCONT : SIGSTOP;
	p->signal_flags &= ~(u32)(SIGNAL_TELL_STOPPED | SIGNAL_TELL_CONTINUED);
	spin_unlock_irq(&p->siglock);
	spin_lock_irq(&tasklist_lock);
	stop_tell_parent(code, status);
	spin_unlock_irq(&tasklist_lock);
	return true;
}

void signal_continue_locked(struct process *p)
{
	struct task *t;

	if (p->signal_flags & SIGNAL_STOPPED) {
		p->signal_flags |= SIGNAL_TELL_CONTINUED | SIGNAL_CONTINUED;
	} else if (p->nr_to_stop) {
		/* Cut short: to the parent it looks as if the stop had been complete. */
		p->signal_flags |= SIGNAL_TELL_STOPPED;
	}
	p->signal_flags &= ~(u32)(SIGNAL_STOPPED | SIGNAL_STOP_WAITABLE);
	p->nr_to_stop = 0;
	p->stop_signal = 0;
	list_for_each(t, &p->threads, thread_node) {
		t->jobctl &= ~(u32)(JOBCTL_STOP_PENDING | JOBCTL_STOP_DEQUEUED);
		sched_wake(t, TASK_STOPPED);
	}
}

/* Marks all threads; the first stop signal wins. */
static void stop_begin_locked(struct process *p, int sig)
{
	struct task *t;

	p->stop_signal = sig;
	p->nr_to_stop = 0;
	p->signal_flags &= ~(u32)SIGNAL_CONTINUED;
	list_for_each(t, &p->threads, thread_node) {
		if ((t->flags & TASK_F_EXITING) || READ_ONCE(t->state) == TASK_STOPPED)
			continue;
		t->jobctl |= JOBCTL_STOP_PENDING;
		p->nr_to_stop++;
		if (t != current)
			signal_wake(t, false);
	}
}

/* The current thread's part of the stop is done: true when it was the last one. */
static bool stop_consume_locked(struct process *p)
{
	current->jobctl &= ~(u32)JOBCTL_STOP_PENDING;
	if (!p->nr_to_stop || --p->nr_to_stop)
		return false;
	if (p->signal_flags & SIGNAL_STOPPED)
		return false;
	p->signal_flags |= SIGNAL_STOPPED | SIGNAL_STOP_WAITABLE;
	return true;
}

NO_THREAD_SAFETY bool signal_stop_locked(int sig)
{
	struct process *p = current->process;
	int why;
	bool last;

	ASSERT_HELD(&p->siglock);
	if (!(current->jobctl & JOBCTL_STOP_PENDING)) {
		if (!sig || (p->signal_flags & SIGNAL_GROUP_EXIT) || p->exec_task)
			return false;
		stop_begin_locked(p, sig);
	}
	last = stop_consume_locked(p);
	why = p->stop_signal;
	WRITE_ONCE(current->state, TASK_STOPPED); /* SIGCONT and SIGKILL wake under siglock */
	spin_unlock_irq(&p->siglock);
	if (last) {
		spin_lock_irq(&tasklist_lock);
		stop_tell_parent(CLD_STOPPED, why);
		spin_unlock_irq(&tasklist_lock);
	}
	schedule();
	return true;
}

void signal_thread_exit(void)
{
	struct task *me = current;
	struct process *p = me->process;
	bool last = false;
	int why;

	spin_lock_irq(&p->siglock);
	if (unlikely(p->core))
		coredump_hold_locked(p);
	me->flags |= TASK_F_EXITING;
	if (!(p->signal_flags & SIGNAL_GROUP_EXIT)) {
		signal_retarget(~me->blocked.bits);
		if (me->jobctl & JOBCTL_STOP_PENDING)
			last = stop_consume_locked(p);
	}
	why = p->stop_signal;
	me->jobctl = 0;
	spin_unlock_irq(&p->siglock);
	if (last) {
		spin_lock_irq(&tasklist_lock);
		stop_tell_parent(CLD_STOPPED, why);
		spin_unlock_irq(&tasklist_lock);
	}
}
