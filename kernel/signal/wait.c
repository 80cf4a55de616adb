/* The calls that wait for signals: pause, rt_sigsuspend, rt_sigtimedwait. */
#include "internal.h"
#include <sync/wait.h>
#include <syscall/table.h>
#include <time/clock.h>

static void wait_for_signal(void)
{
	while (!signal_pending(current)) {
		sched_set_state(TASK_INTERRUPTIBLE);
		if (signal_pending(current))
			break;
		schedule();
	}
	sched_set_state(TASK_RUNNING);
}

long sys_pause(void)
{
	wait_for_signal();
	return -ERESTARTNOHAND;
}

long sys_rt_sigsuspend(struct user_sigset umask, u64 size)
{
	struct sigset set;

	if (size != sizeof(set))
		return -EINVAL;
	if (user_read(&set, umask))
		return -EFAULT;
	current->saved_blocked = current->blocked;
	task_set_work(current, WORK_RESTORE_MASK);
	signal_set_blocked(set);
	wait_for_signal();
	return -ERESTARTNOHAND;
}

/* Lets the awaited signals in for the sleep, so that they wake; real_blocked keeps senders from
 * treating them as unblocked. siglock held. */
static void timedwait_lift_locked(struct task *me, u64 awaited)
{
	me->real_blocked = me->blocked;
	me->blocked.bits &= ~awaited;
	signal_recalc_locked();
}

static void timedwait_restore_locked(struct task *me)
{
	me->blocked = me->real_blocked;
	me->real_blocked.bits = 0;
}

static int timedwait(u64 awaited, u64 deadline_ns, siginfo_t *info)
{
	struct task *me = current;
	struct process *p = me->process;
	int sig, slept;

	spin_lock_irq(&p->siglock);
	sig = sigqueue_take(~awaited, info);
	if (sig || deadline_ns == 0) {
		spin_unlock_irq(&p->siglock);
		return sig ? sig : -EAGAIN;
	}
	timedwait_lift_locked(me, awaited);
	spin_unlock_irq(&p->siglock);

	sched_set_state(TASK_INTERRUPTIBLE);
	slept = wait_sleep(TASK_INTERRUPTIBLE, deadline_ns);
	sched_set_state(TASK_RUNNING);

	spin_lock_irq(&p->siglock);
	timedwait_restore_locked(me);
	sig = sigqueue_take(~awaited, info);
	spin_unlock_irq(&p->siglock);
	if (sig)
		return sig;
	return slept == -ETIME ? -EAGAIN : -EINTR;
}

long sys_rt_sigtimedwait(struct user_sigset uset, struct user_siginfo uinfo,
			 struct user_timespec utimeout, u64 size)
{
	u64 deadline_ns = U64_MAX, span;
	struct timespec64 timeout;
	struct sigset set;
	siginfo_t info;
	int sig;

	if (size != sizeof(set))
		return -EINVAL;
	if (user_read(&set, uset))
		return -EFAULT;
	if (!user_is_null(utimeout)) {
		if (user_read(&timeout, utimeout))
			return -EFAULT;
		if (!timespec_valid(&timeout))
			return -EINVAL;
		span = timespec_to_ns(&timeout);
		deadline_ns = span ? clock_monotonic() + span : 0;
	}
	sig = timedwait(set.bits & ~SIG_KERNEL_ONLY, deadline_ns, &info);
	if (sig > 0 && !user_is_null(uinfo) && user_write(uinfo, &info))
		return -EFAULT;
	return sig;
}
