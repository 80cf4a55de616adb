/*
 * Traps: a traced thread stops in TASK_TRACED and waits until its tracer resumes it, lets go of it,
 * or SIGKILL comes. Everything about a trap is under the thread's siglock; the tracer is told under
 * tasklist_lock, which comes first, so siglock is dropped in between.
 *
 * JOBCTL_TRACED is the truth about being in a trap: whoever ends it clears the bit under siglock and
 * then wakes, so a wake-up that comes between leaving siglock and schedule() is not lost, and one that
 * comes for another reason does not end the trap. While the tracer looks at the thread (JOBCTL_FROZEN)
 * not even SIGKILL clears it; ptrace_unfreeze makes up for that.
 */
#include <arch/ptrace.h>
#include <lib/string.h>
#include <mm/mm.h>
#include "internal.h"

static bool killed_locked(const struct task *t)
{
	return t->pending.set.bits & sigmask(SIGKILL);
}

/* The tracer learns of every trap, the parent only of the group's stop, and nobody twice. */
static void trap_tell(int why, s32 code, bool group_stopped)
{
	struct task *me = current;
	struct process *p = me->process;
	int group_signal = p->stop_signal & 0x7f;

	spin_lock_irq(&tasklist_lock);
	if (me->ptrace.flags)
		signal_tell_stop(me, me->ptrace.tracer->process, why,
				 why == CLD_STOPPED ? group_signal : code & 0x7f);
	if (group_stopped && (!me->ptrace.flags || ptrace_reparented(me)))
		signal_tell_stop(p->leader, p->parent, CLD_STOPPED, group_signal);
	spin_unlock_irq(&tasklist_lock);
}

static NO_THREAD_SAFETY void trap_sleep_locked(struct task *me)
{
	struct process *p = me->process;

	while (me->jobctl & JOBCTL_TRACED) {
		WRITE_ONCE(me->state, TASK_TRACED);
		spin_unlock_irq(&p->siglock);
		schedule();
		spin_lock_irq(&p->siglock);
	}
}

/* One trap; the code with which it was ended. siglock held, dropped meanwhile. */
static NO_THREAD_SAFETY s32 trap_locked(s32 code, int why, u64 message, siginfo_t *info)
{
	struct task *me = current;
	struct process *p = me->process;
	bool group_stopped = false;

	ASSERT_HELD(&p->siglock);
	if (!me->ptrace.flags || killed_locked(me))
		return code;
	WRITE_ONCE(me->state, TASK_TRACED);
	me->jobctl |= JOBCTL_TRACED;
	me->ptrace.message = message;
	me->ptrace.info = info;
	me->ptrace.code = code;
	if (why == CLD_STOPPED && (me->jobctl & JOBCTL_STOP_PENDING))
		group_stopped = signal_stop_consume_locked();
	/* Any trap serves for one that was asked for; a stop trap also tells what has changed. */
	jobctl_clear_pending(me, JOBCTL_TRAP_STOP);
	if (info && info->si_code >> 8 == PTRACE_EVENT_STOP)
		jobctl_clear_pending(me, JOBCTL_TRAP_NOTIFY);
	jobctl_clear_trapping(me);
	spin_unlock_irq(&p->siglock);

	trap_tell(why, code, group_stopped);
	schedule();

	spin_lock_irq(&p->siglock);
	trap_sleep_locked(me);
	code = me->ptrace.code;
	me->ptrace.info = NULL;
	me->ptrace.message = 0;
	me->ptrace.code = 0;
	me->jobctl &= ~(u32)(JOBCTL_LISTENING | JOBCTL_FROZEN);
	/*
	 * Signals that came meanwhile have not woken it. WORK_SIGNAL stays even if this trap was all there was: a call
	 * that was interrupted for it is restarted on the way that begins there.
	 */
	(void)signal_note_locked();
	return code;
}

/* A trap with its own siginfo. */
static s32 trap_notify_locked(int sig, s32 code, int why, u64 message)
{
	siginfo_t info;

	siginfo_user(&info, sig);
	info.si_code = code;
	info.si_pid = current->tid;
	return trap_locked(code, why, message, &info);
}

s32 ptrace_notify(s32 code, u64 message)
{
	struct process *p = current->process;
	s32 end;

	task_work_run(); /* what has been closed is closed when the tracer looks */
	spin_lock_irq(&p->siglock);
	end = trap_notify_locked(SIGTRAP, code, CLD_TRAPPED, message);
	spin_unlock_irq(&p->siglock);
	return end;
}

void ptrace_event(unsigned int event, u64 message)
{
	if (ptrace_event_enabled(event))
		(void)ptrace_notify((s32)(event << 8) | SIGTRAP, message);
}

void ptrace_trap_locked(void)
{
	struct task *me = current;
	struct process *p = me->process;
	int sig = (int)(me->jobctl & JOBCTL_STOP_SIGNAL);

	if (!(me->ptrace.flags & PT_SEIZED)) {
		(void)trap_locked(sig, CLD_STOPPED, 0, NULL);
		return;
	}
	if (!p->nr_to_stop && !(p->signal_flags & SIGNAL_STOPPED))
		sig = SIGTRAP;
	(void)trap_notify_locked(sig, sig | (PTRACE_EVENT_STOP << 8), CLD_STOPPED, 0);
}

void ptrace_trap_notify_locked(struct task *t)
{
	ASSERT_HELD(&t->process->siglock);
	(void)jobctl_set_pending(t, JOBCTL_TRAP_NOTIFY);
	signal_wake_traced(t, t->jobctl & JOBCTL_LISTENING);
}

/* Another signal than the one that was reported is as if sent by the tracer. */
static void siginfo_of_tracer(siginfo_t *info, int sig)
{
	const struct task *tracer;

	siginfo_user(info, sig);
	info->si_pid = 0;
	info->si_uid = 0;
	tracer = current->ptrace.tracer; /* siglock is held */
	if (!tracer)
		return;
	info->si_pid = tracer->tid;
	rcu_read_lock();
	info->si_uid = rcu_dereference(tracer->cred)->uid;
	rcu_read_unlock();
}

int ptrace_signal_locked(int sig, siginfo_t *info)
{
	struct task *me = current;

	/* The tracer may make a stop signal of it; SIGCONT revokes that meanwhile. */
	me->jobctl |= JOBCTL_STOP_DEQUEUED;
	sig = trap_locked(sig, CLD_TRAPPED, 0, info);
	if (!sig)
		return 0;
	if (sig != info->si_signo)
		siginfo_of_tracer(info, sig);
	if ((me->blocked.bits & sigmask(sig)) || killed_locked(me)) {
		(void)signal_send_locked(me->process, me, sig, info);
		return 0;
	}
	return sig;
}

/* --- around system calls --- */

/* False: killed meanwhile. */
static bool syscall_trap(u64 message)
{
	u32 sysgood = current->ptrace.options & PTRACE_O_TRACESYSGOOD ? 0x80 : 0;
	siginfo_t info;
	int sig;

	if (!current->ptrace.flags)
		return true;
	sig = ptrace_notify((s32)(SIGTRAP | sysgood), message);
	/* A tracer that has just gone leaves the trap's own code, which is no signal. */
	if (sig > 0 && sig <= SIGNAL_MAX) {
		siginfo_kernel(&info, sig);
		(void)signal_send_task(current, sig, &info);
	}
	return !fatal_signal_pending(current);
}

bool ptrace_syscall_enter(struct regs *regs)
{
	bool emulate = READ_ONCE(current->work) & WORK_ENTER_EMULATE;

	(void)regs;
	return syscall_trap(PTRACE_EVENTMSG_SYSCALL_ENTRY) && !emulate;
}

void ptrace_syscall_exit(struct regs *regs)
{
	u32 work = READ_ONCE(current->work);

	if ((work & WORK_EXIT_STEP) && !(work & WORK_ENTER_EMULATE))
		arch_step_report(regs);
	else if (work & WORK_EXIT_PTRACE)
		(void)syscall_trap(PTRACE_EVENTMSG_SYSCALL_EXIT);
}
