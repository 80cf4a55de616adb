/* Masks: rt_sigprocmask, rt_sigpending, and the temporary masks of ppoll and its relatives. */
#include "internal.h"
#include <syscall/table.h>

bool signal_note_locked(void)
{
	struct task *me = current;
	u64 pending = me->pending.set.bits | me->process->shared_pending.set.bits;

	ASSERT_HELD(&me->process->siglock);
	if (!(pending & ~me->blocked.bits) && !(me->jobctl & JOBCTL_PENDING_MASK))
		return false;
	task_set_work(me, WORK_SIGNAL);
	return true;
}

void signal_recalc_locked(void)
{
	if (!signal_note_locked() && signal_pending(current))
		task_clear_work(current, WORK_SIGNAL);
}

void signal_recalc(void)
{
	struct process *p = current->process;

	spin_lock_irq(&p->siglock);
	signal_recalc_locked();
	spin_unlock_irq(&p->siglock);
}

void signal_set_blocked(struct sigset set)
{
	struct task *me = current;
	struct process *p = me->process;

	set.bits &= ~SIG_KERNEL_ONLY;
	if (me->blocked.bits == set.bits)
		return;
	spin_lock_irq(&p->siglock);
	if (signal_pending(me))
		signal_retarget(set.bits & ~me->blocked.bits);
	me->blocked = set;
	signal_recalc_locked();
	spin_unlock_irq(&p->siglock);
}

long sys_rt_sigprocmask(u32 how, struct user_sigset uset, struct user_sigset uold, u64 size)
{
	struct sigset old = current->blocked, set;

	if (size != sizeof(set))
		return -EINVAL;
	if (!user_is_null(uset)) {
		if (user_read(&set, uset))
			return -EFAULT;
		switch (how) {
		case SIG_BLOCK:
			set.bits |= old.bits;
			break;
		case SIG_UNBLOCK:
			set.bits = old.bits & ~set.bits;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		signal_set_blocked(set);
	}
	return user_is_null(uold) ? 0 : user_write(uold, &old);
}

long sys_rt_sigpending(struct user_sigset uset, u64 size)
{
	struct process *p = current->process;
	struct sigset set;

	if (size > sizeof(set))
		return -EINVAL;
	spin_lock_irq(&p->siglock);
	set.bits = (current->pending.set.bits | p->shared_pending.set.bits) & current->blocked.bits;
	spin_unlock_irq(&p->siglock);
	return user_write_bytes(user_cast(bytes, uset), &set, size);
}

int signal_set_temporary_mask(struct user_sigset mask, u64 sigsetsize)
{
	struct sigset set;

	if (user_is_null(mask))
		return 0;
	if (sigsetsize != sizeof(set))
		return -EINVAL;
	if (user_read(&set, mask))
		return -EFAULT;
	current->saved_blocked = current->blocked;
	task_set_work(current, WORK_RESTORE_MASK);
	signal_set_blocked(set);
	return 0;
}

void signal_restore_mask(bool interrupted)
{
	if (interrupted || !(READ_ONCE(current->work) & WORK_RESTORE_MASK))
		return;
	task_clear_work(current, WORK_RESTORE_MASK);
	signal_set_blocked(current->saved_blocked);
}

bool signal_ignored_or_blocked(int sig)
{
	return sig_in(sig, current->blocked.bits) ||
	       sig_handler(current->process, sig) == HANDLER_IGN;
}
