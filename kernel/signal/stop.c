/*
 * Job control: group stops and their end. A stop signal marks every thread (JOBCTL_STOP_PENDING,
 * counted in nr_to_stop); each stops on its way to user mode, the last one completes the stop and
 * tells the parent. SIGCONT lifts the marks and wakes everybody. A traced thread stops in a trap
 * instead, counted all the same (ptrace/stop.c). All state is under siglock; the
 * parent is told under tasklist_lock, which comes before it, so siglock is dropped in between.
 */
#include <lib/string.h>
#include <ptrace/ptrace.h>
#include <sync/wait.h>
#include <task/coredump.h>
#include "internal.h"

static s64 ns_to_ticks(u64 ns)
{
	return (s64)(ns / (NSEC_PER_SEC / 100)); /* USER_HZ */
}

bool jobctl_set_pending(struct task *t, u32 mask)
{
	ASSERT_HELD(&t->process->siglock);
	if ((t->flags & TASK_F_EXITING) || (t->pending.set.bits & sigmask(SIGKILL)))
		return false;
	if (mask & JOBCTL_STOP_SIGNAL)
		t->jobctl &= ~JOBCTL_STOP_SIGNAL;
	t->jobctl |= mask;
	return true;
}

void jobctl_clear_trapping(struct task *t)
{
	if (likely(!(t->jobctl & JOBCTL_TRAPPING)))
		return;
	t->jobctl &= ~(u32)JOBCTL_TRAPPING;
	if (t->ptrace.tracer) /* it sleeps in ptrace_attach */
		wake_up_all(&t->ptrace.tracer->process->child_wait);
}

void jobctl_clear_pending(struct task *t, u32 mask)
{
	ASSERT_HELD(&t->process->siglock);
	if (mask & JOBCTL_STOP_PENDING)
		mask |= JOBCTL_STOP_CONSUME | JOBCTL_STOP_DEQUEUED;
	t->jobctl &= ~mask;
	if (!(t->jobctl & JOBCTL_PENDING_MASK))
		jobctl_clear_trapping(t);
}

void signal_tell_stop(struct task *t, struct process *to, int code, int status)
{
	struct sigaction_abi action;
	siginfo_t info;
	u64 user_ns, system_ns;

	ASSERT_HELD(&tasklist_lock);
	sched_task_times(t, &user_ns, &system_ns);
	siginfo_kernel(&info, SIGCHLD);
	info.si_code = code;
	info.si_pid = t->tid;
	info.si_uid = t->cred->uid;
	info.si_status = status;
	info.si_utime = ns_to_ticks(user_ns);
	info.si_stime = ns_to_ticks(system_ns);
	spin_lock(&to->siglock);
	action = to->sighand->action[SIGCHLD - 1];
	if (action.handler != HANDLER_IGN && !(action.flags & SA_NOCLDSTOP))
		(void)signal_send_locked(to, NULL, SIGCHLD, &info);
	spin_unlock(&to->siglock);
	wake_up_all(&to->child_wait);
}

/* The same from the current process to its parent. */
static void stop_tell_parent(int code, int status)
{
	struct process *p = current->process;

	signal_tell_stop(p->leader, p->parent, code, status);
}

/* A stranger who traces the leader learns of continuations too, as on Linux. */
static void stop_tell_leaders_tracer(int code, int status)
{
	struct task *leader = current->process->leader;

	if (ptrace_reparented(leader))
		signal_tell_stop(leader, leader->ptrace.tracer->process, code, status);
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
	stop_tell_leaders_tracer(code, status);
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
		jobctl_clear_pending(t, JOBCTL_STOP_PENDING);
		if (unlikely(t->ptrace.flags & PT_SEIZED))
			ptrace_trap_notify_locked(t);
		else
			sched_wake(t, TASK_STOPPED);
	}
}

/*
 * Marks all threads; the first stop signal wins. A tracer may let a thread of a stopped process go
 * on, which then can begin a second stop: the process stays stopped by the first signal.
 */
static void stop_begin_locked(struct process *p, int sig)
{
	const u32 stop = (u32)sig | JOBCTL_STOP_PENDING | JOBCTL_STOP_CONSUME;
	struct task *t;

	if (!(p->signal_flags & SIGNAL_STOPPED))
		p->stop_signal = sig;
	p->nr_to_stop = 0;
	p->signal_flags &= ~(u32)SIGNAL_CONTINUED;
	list_for_each(t, &p->threads, thread_node) {
		if (READ_ONCE(t->state) == TASK_STOPPED || !jobctl_set_pending(t, stop))
			continue;
		p->nr_to_stop++;
		if (t == current)
			continue;
		if (unlikely(t->ptrace.flags & PT_SEIZED))
			ptrace_trap_notify_locked(t);
		else
			signal_wake(t, false);
	}
}

bool signal_stop_consume_locked(void)
{
	struct process *p = current->process;
	bool counted = current->jobctl & JOBCTL_STOP_CONSUME;

	jobctl_clear_pending(current, JOBCTL_STOP_PENDING);
	if (!counted || !p->nr_to_stop || --p->nr_to_stop)
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
		if (!(current->jobctl & JOBCTL_STOP_DEQUEUED) ||
		    (p->signal_flags & SIGNAL_GROUP_EXIT) || p->exec_task)
			return false;
		stop_begin_locked(p, sig);
	}
	if (unlikely(current->ptrace.flags)) {
		/* Stops in a trap, where its tracer sees it. */
		jobctl_set_pending(current, JOBCTL_TRAP_STOP);
		return false;
	}
	last = signal_stop_consume_locked();
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
			last = signal_stop_consume_locked();
	}
	why = p->stop_signal;
	jobctl_clear_pending(me, JOBCTL_PENDING_MASK);
	spin_unlock_irq(&p->siglock);
	if (last) {
		spin_lock_irq(&tasklist_lock);
		stop_tell_parent(CLD_STOPPED, why);
		spin_unlock_irq(&tasklist_lock);
	}
}
