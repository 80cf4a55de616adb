/* Signals of a tracee in its tracer's hands: the one it has stopped for, those that wait, its mask. */
#include <linux/ptrace.h>
#include <mm/user.h>
#include "internal.h"

DEFINE_USER_PTR(peeksiginfo, struct ptrace_peeksiginfo_args);

#define SIG_UNBLOCKABLE (sigmask(SIGKILL) | sigmask(SIGSTOP))

long ptrace_getsiginfo(struct task *t, u64 data)
{
	struct process *p = t->process;
	siginfo_t info;
	bool present;

	spin_lock_irq(&p->siglock);
	present = t->ptrace.info;
	if (present)
		info = *t->ptrace.info;
	spin_unlock_irq(&p->siglock);
	return present ? user_write(user_handle(siginfo, data), &info) : -EINVAL;
}

long ptrace_setsiginfo(struct task *t, u64 data)
{
	struct process *p = t->process;
	siginfo_t info;
	bool present;

	if (user_read(&info, user_handle(siginfo, data)))
		return -EFAULT;
	spin_lock_irq(&p->siglock);
	present = t->ptrace.info;
	if (present)
		*t->ptrace.info = info;
	spin_unlock_irq(&p->siglock);
	return present ? 0 : -EINVAL;
}

long ptrace_peeksiginfo(struct task *t, u64 addr, u64 data)
{
	struct ptrace_peeksiginfo_args args;
	struct process *p = t->process;
	struct user_siginfo out = user_handle(siginfo, data);
	long done;

	if (user_read(&args, user_handle(peeksiginfo, addr)))
		return -EFAULT;
	if ((args.flags & ~(u32)PTRACE_PEEKSIGINFO_SHARED) || args.nr < 0)
		return -EINVAL;
	for (done = 0; done < args.nr; done++) {
		siginfo_t info;
		bool found;

		spin_lock_irq(&p->siglock);
		found = signal_peek_locked(t, args.flags & PTRACE_PEEKSIGINFO_SHARED,
					   args.off + (u64)done, &info);
		spin_unlock_irq(&p->siglock);
		if (!found)
			break;
		if (user_write(user_at(out, done), &info))
			return done ? done : -EFAULT;
		if (signal_pending(current)) {
			done++;
			break;
		}
	}
	return done;
}

long ptrace_getsigmask(struct task *t, u64 size, u64 data)
{
	struct sigset set;

	if (size != sizeof(set))
		return -EINVAL;
	/* A call with a mask of its own shows the one that comes back. */
	set = READ_ONCE(t->work) & WORK_RESTORE_MASK ? t->saved_blocked : t->blocked;
	return user_write(user_handle(sigset, data), &set);
}

long ptrace_setsigmask(struct task *t, u64 size, u64 data)
{
	struct process *p = t->process;
	struct sigset set;

	if (size != sizeof(set))
		return -EINVAL;
	if (user_read(&set, user_handle(sigset, data)))
		return -EFAULT;
	set.bits &= ~SIG_UNBLOCKABLE;
	/* It looks at what is pending when its trap ends. */
	spin_lock_irq(&p->siglock);
	t->blocked = set;
	task_clear_work(t, WORK_RESTORE_MASK);
	spin_unlock_irq(&p->siglock);
	return 0;
}
