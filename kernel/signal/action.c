/* rt_sigaction and sigaltstack: what happens with a signal, and on which stack. */
#include <arch/entry.h>
#include <arch/signal_frame.h>
#include "internal.h"
#include <arch/speculation.h>
#include <lib/bits.h>
#include <syscall/table.h>

/* The flags that Linux 6.1 keeps; others are dropped, so that programs can probe for support. */
#define SA_KNOWN                                                                                   \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER |         \
	 SA_RESETHAND | SA_RESTORER)

/* An ignored signal that is pending is dropped, blocked or not (POSIX 3.3.1.3). siglock held. */
static void drop_pending_locked(struct process *p, int sig)
{
	struct task *t;

	sigqueue_drop(&p->shared_pending, sigmask(sig));
	list_for_each(t, &p->threads, thread_node)
		sigqueue_drop(&t->pending, sigmask(sig));
}

/* 0, or -EINVAL: the action is not to be changed. */
static int action_set(int sig, const struct sigaction_abi *new, struct sigaction_abi *old)
{
	struct process *p = current->process;
	struct sighand *s = p->sighand;
	struct sigaction_abi *a = &s->action[index_clamp((u64)sig - 1, SIGNAL_MAX)];
	int err = 0;

	spin_lock_irq(&p->siglock);
	spin_lock(&s->lock);
	*old = *a;
	if (new && (old->flags & SA_IMMUTABLE))
		err = -EINVAL;
	else if (new)
		*a = *new;
	spin_unlock(&s->lock);
	if (!err && new &&
	    (new->handler == HANDLER_IGN ||
	     (new->handler == HANDLER_DFL && sig_in(sig, SIG_IGNORE_MASK))))
		drop_pending_locked(p, sig);
	spin_unlock_irq(&p->siglock);
	return err;
}

long sys_rt_sigaction(int sig, struct user_sigaction act, struct user_sigaction uold, u64 size)
{
	struct sigaction_abi new, old;
	bool set = !user_is_null(act);
	int err;

	if (size != sizeof(struct sigset))
		return -EINVAL;
	if (set) {
		err = user_read(&new, act);
		if (err)
			return err;
		new.flags &= SA_KNOWN;
		new.mask.bits &= ~SIG_KERNEL_ONLY;
	}
	if (!sig_valid(sig) || (set && sig_in(sig, SIG_KERNEL_ONLY)))
		return -EINVAL;
	err = action_set(sig, set ? &new : NULL, &old);
	if (err)
		return err;
	return user_is_null(uold) ? 0 : user_write(uold, &old);
}

/* The stack pointer lies on the alternate stack (which grows down from its end). */
static bool on_altstack(const struct sigaltstack_state *a, u64 sp)
{
	if (a->flags & SS_AUTODISARM)
		return false;
	return sp > a->sp && sp - a->sp <= a->size;
}

static int altstack_set(const struct stack_abi *ss)
{
	struct sigaltstack_state *a = &current->altstack;
	u32 mode = (u32)ss->ss_flags & ~SS_AUTODISARM;

	if (on_altstack(a, regs_sp(task_regs(current))))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		*a = (struct sigaltstack_state){.flags = (u32)ss->ss_flags};
		return 0;
	}
	if (ss->ss_size < MINSIGSTKSZ)
		return -ENOMEM;
	*a = (struct sigaltstack_state){ss->ss_sp, ss->ss_size, (u32)ss->ss_flags};
	return 0;
}

static void altstack_show(struct stack_abi *out)
{
	const struct sigaltstack_state *a = &current->altstack;
	u32 flags = a->flags & SS_AUTODISARM;

	if (!a->size)
		flags |= SS_DISABLE;
	else if (on_altstack(a, regs_sp(task_regs(current))))
		flags |= SS_ONSTACK;
	*out = (struct stack_abi){.ss_sp = a->sp, .ss_flags = (s32)flags, .ss_size = a->size};
}

long sys_sigaltstack(struct user_stack uss, struct user_stack uold)
{
	struct stack_abi ss, old;
	int err;

	if (!user_is_null(uss) && user_read(&ss, uss))
		return -EFAULT;
	altstack_show(&old);
	if (!user_is_null(uss)) {
		err = altstack_set(&ss);
		if (err)
			return err;
	}
	return user_is_null(uold) ? 0 : user_write(uold, &old);
}

long sys_rt_sigreturn(void)
{
	return arch_sigreturn(task_regs(current));
}

long sys_restart_syscall(void)
{
	struct restart_block *r = &current->restart;

	return r->fn ? r->fn(r) : -EINTR;
}
