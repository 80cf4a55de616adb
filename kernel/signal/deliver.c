/*
 * Delivery: what a thread does on its way back to user mode. Runs in the thread itself, in process
 * context. Takes signals off the queues, carries out default actions, builds handler frames, and
 * decides whether an interrupted system call is issued again.
 */
#include <arch/entry.h>
#include <arch/signal_frame.h>
#include <arch/ptrace.h>
#include <mm/mm.h>
#include <ptrace/ptrace.h>
#include "internal.h"
#include <sync/rcu.h>
#include <task/coredump.h>
#include <task/pid.h>
#include <task/rseq.h>

/* What may still be pending when user mode is entered: bits that only the gate's assembly reads. */
#define WORK_LOOP_MASK (WORK_SIGNAL | WORK_RESCHED | WORK_NOTIFY | WORK_RESTORE_MASK | WORK_RSEQ)

/* The terminal's stop signals do nothing in a group that no shell could continue. */
static bool stop_is_pointless(struct process *p, int sig)
{
	bool orphaned;

	if (sig == SIGSTOP)
		return false;
	spin_lock_irq(&tasklist_lock);
	orphaned = pgrp_is_orphaned(p->pgrp, NULL);
	spin_unlock_irq(&tasklist_lock);
	return orphaned;
}

/* Ends the process as the default action of the signal. */
static __noreturn void signal_die(const struct signal_delivery *d)
{
	current->flags |= TASK_F_SIGNALED;
	if (sig_in(d->sig, SIG_CORE_MASK))
		coredump(d->sig, &d->info);
	process_exit(d->sig);
}

/* Fetches the action; a one-shot handler is used up. siglock held. */
static struct sigaction_abi action_take_locked(struct process *p, int sig)
{
	struct sighand *s = p->sighand;
	struct sigaction_abi a;

	spin_lock(&s->lock);
	a = s->action[sig - 1];
	if ((a.flags & SA_RESETHAND) && a.handler > HANDLER_IGN)
		s->action[sig - 1].handler = HANDLER_DFL;
	spin_unlock(&s->lock);
	return a;
}

/* The process is dying, or execve in another thread asks this one to go. siglock held. */
static bool dying_locked(const struct process *p)
{
	return (p->signal_flags & SIGNAL_GROUP_EXIT) || (p->exec_task && p->exec_task != current);
}

/* SIG_NEXT: look again; SIG_AGAIN: the same, and the lock was dropped. */
/* seccomp has condemned the thread: its tracer is not asked. */
static bool is_immutable(const struct process *p, int sig)
{
	return READ_ONCE(p->sighand->action[sig - 1].flags) & SA_IMMUTABLE;
}

enum verdict { SIG_NONE, SIG_NEXT, SIG_AGAIN, SIG_HANDLE, SIG_DIE };

/* A stop signal at its default action. */
static NO_THREAD_SAFETY enum verdict signal_stop_default(struct process *p, int sig)
{
	if (sig != SIGSTOP) {
		spin_unlock_irq(&p->siglock);
		if (stop_is_pointless(p, sig))
			return SIG_AGAIN;
		spin_lock_irq(&p->siglock);
	}
	/* A SIGCONT that came meanwhile has revoked the mark without which this does nothing. */
	return signal_stop_locked(sig) ? SIG_AGAIN : SIG_NEXT;
}

/* Stops that are due before any signal. */
static NO_THREAD_SAFETY enum verdict take_stops_locked(void)
{
	if ((current->jobctl & JOBCTL_STOP_PENDING) && signal_stop_locked(0))
		return SIG_AGAIN;
	if (unlikely(current->jobctl & JOBCTL_TRAP_MASK)) {
		ptrace_trap_locked();
		return SIG_NEXT;
	}
	return SIG_NONE;
}

/* What becomes of the signal that has been taken. */
static NO_THREAD_SAFETY enum verdict signal_judge_locked(struct process *p,
							 struct signal_delivery *d)
{
	d->action = action_take_locked(p, d->sig);
	if (d->action.handler == HANDLER_IGN && !sig_in(d->sig, SIG_KERNEL_ONLY))
		return SIG_NEXT;
	if (d->action.handler != HANDLER_DFL)
		return SIG_HANDLE;
	if (sig_in(d->sig, SIG_IGNORE_MASK))
		return SIG_NEXT;
	/* Linux lets SIGKILL and SIGSTOP through here that got past the sending side. */
	if ((p->signal_flags & SIGNAL_UNKILLABLE) && !sig_in(d->sig, SIG_KERNEL_ONLY))
		return SIG_NEXT;
	return sig_in(d->sig, SIG_STOP_MASK) ? signal_stop_default(p, d->sig) : SIG_DIE;
}

/* One round with siglock held. */
static NO_THREAD_SAFETY enum verdict signal_next_locked(struct process *p,
							struct signal_delivery *d)
{
	enum verdict v;

	if (signal_tell_parent_locked())
		return SIG_AGAIN;
	if (dying_locked(p)) {
		d->sig = SIGKILL;
		return SIG_DIE;
	}
	v = take_stops_locked();
	if (v != SIG_NONE)
		return v;
	d->sig = sigqueue_take(current->blocked.bits, &d->info);
	if (!d->sig)
		return SIG_NONE;
	if (sig_in(d->sig, SIG_STOP_MASK))
		current->jobctl |= JOBCTL_STOP_DEQUEUED;
	if (unlikely(current->ptrace.flags) && d->sig != SIGKILL && !is_immutable(p, d->sig)) {
		d->sig = ptrace_signal_locked(d->sig, &d->info);
		if (!d->sig)
			return SIG_NEXT;
	}
	return signal_judge_locked(p, d);
}

/* True: d describes a handler to run. Does not return when the default action ends the process. */
static NO_THREAD_SAFETY bool signal_take(struct signal_delivery *d)
{
	struct process *p = current->process;
	enum verdict v;

	do {
		spin_lock_irq(&p->siglock);
		do
			v = signal_next_locked(p, d);
		while (v == SIG_NEXT);
	} while (v == SIG_AGAIN);
	if (v == SIG_NONE)
		signal_recalc_locked();
	spin_unlock_irq(&p->siglock);
	if (v == SIG_DIE)
		signal_die(d);
	return v == SIG_HANDLE;
}

/* An interrupted call in front of a handler: issued again after it, or ended with EINTR. */
static void restart_before_handler(struct regs *regs, const struct sigaction_abi *a)
{
	if (regs_syscall_nr(regs) < 0)
		return;
	switch (-regs_result(regs)) {
	case ERESTART_RESTARTBLOCK:
	case ERESTARTNOHAND:
		regs_set_result(regs, -EINTR);
		break;
	case ERESTARTSYS:
		if (!(a->flags & SA_RESTART)) {
			regs_set_result(regs, -EINTR);
			break;
		}
		arch_syscall_restart(regs, false);
		break;
	case ERESTARTNOINTR:
		arch_syscall_restart(regs, false);
		break;
	default:
		return;
	}
	regs_set_syscall_nr(regs, -1);
}

/* The same when no handler runs: the program never notices. */
static void restart_without_handler(struct regs *regs)
{
	if (regs_syscall_nr(regs) < 0)
		return;
	switch (-regs_result(regs)) {
	case ERESTARTSYS:
	case ERESTARTNOINTR:
	case ERESTARTNOHAND:
		arch_syscall_restart(regs, false);
		break;
	case ERESTART_RESTARTBLOCK:
		arch_syscall_restart(regs, true);
		break;
	default:
		return;
	}
	regs_set_syscall_nr(regs, -1);
}

/* Puts the mask of sigsuspend, ppoll … back. */
static void restore_saved_mask(void)
{
	if (!(READ_ONCE(current->work) & WORK_RESTORE_MASK))
		return;
	task_clear_work(current, WORK_RESTORE_MASK);
	signal_set_blocked(current->saved_blocked);
}

static void signal_handle(struct regs *regs, struct signal_delivery *d)
{
	struct task *me = current;
	struct sigset blocked = me->blocked;
	bool stepping;

	stepping = unlikely(READ_ONCE(me->work) & WORK_EXIT_STEP) && arch_step_end(me);
	restart_before_handler(regs, &d->action);
	if (unlikely(me->rseq_addr))
		rseq_signal(regs, d->sig);
	d->oldmask = READ_ONCE(me->work) & WORK_RESTORE_MASK ? me->saved_blocked : me->blocked;
	if (arch_signal_push(regs, d)) {
		siginfo_t info;

		siginfo_kernel(&info, SIGSEGV);
		/* No stack for the handler of SIGSEGV itself: it cannot be caught then. */
		if (d->sig == SIGSEGV)
			signal_force_default(SIGSEGV, &info);
		else
			signal_force(SIGSEGV, &info);
		return;
	}
	/* The frame holds the saved mask now; sigreturn restores it. */
	task_clear_work(me, WORK_RESTORE_MASK);
	if (me->altstack.flags & SS_AUTODISARM)
		me->altstack = (struct sigaltstack_state){.flags = SS_DISABLE};
	blocked.bits |= d->action.mask.bits;
	if (!(d->action.flags & SA_NODEFER))
		blocked.bits |= sigmask(d->sig);
	signal_set_blocked(blocked);
	if (stepping) /* the tracer's step ends at the first instruction of the handler */
		ptrace_notify(SIGTRAP, 0);
}

static void signal_deliver(struct regs *regs)
{
	struct signal_delivery d;

	if (signal_take(&d)) {
		signal_handle(regs, &d);
		return; /* the loop comes back for more */
	}
	restart_without_handler(regs);
}

void gate_exit_work(struct regs *regs)
{
	u32 work;

	while ((work = READ_ONCE(current->work)) & WORK_LOOP_MASK || need_resched()) {
		arch_irq_enable();
		if (need_resched() || (work & WORK_RESCHED)) {
			task_clear_work(current, WORK_RESCHED);
			schedule();
		}
		if (work & WORK_NOTIFY)
			task_work_run();
		if (work & WORK_RSEQ)
			rseq_resume(regs);
		if (work & WORK_SIGNAL)
			signal_deliver(regs);
		else if (work & WORK_RESTORE_MASK)
			restore_saved_mask();
		arch_irq_disable();
	}
	rcu_quiescent();
}
