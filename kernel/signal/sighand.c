/*
 * Tables of signal actions. One belongs to each process, or to several that were cloned with
 * CLONE_SIGHAND; its own lock, inside siglock, guards it against the other processes.
 */
#include <lib/string.h>
#include <mm/slab.h>
#include "internal.h"
#include <linux/sched.h>

struct sighand *signal_sighand_create(void)
{
	struct sighand *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	ref_init(&s->ref);
	spin_init(&s->lock, LOCK_RANK_SIGACTION);
	return s;
}

/* Caught signals go back to default, ignored ones stay ignored: what execve promises. */
static void sighand_reset(struct sighand *s)
{
	for (int i = 0; i < SIGNAL_MAX; i++) {
		u64 keep = s->action[i].handler == HANDLER_IGN ? HANDLER_IGN : HANDLER_DFL;

		s->action[i] = (struct sigaction_abi){.handler = keep};
	}
}

struct sighand *signal_sighand_copy(struct sighand *from, u64 clone_flags)
{
	struct sighand *s;

	if (clone_flags & CLONE_SIGHAND) {
		ref_get(&from->ref);
		return from;
	}
	s = kmalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return NULL;
	ref_init(&s->ref);
	spin_init(&s->lock, LOCK_RANK_SIGACTION);
	spin_lock_irq(&from->lock);
	memcpy(s->action, from->action, sizeof(s->action));
	spin_unlock_irq(&from->lock);
	if (clone_flags & CLONE_CLEAR_SIGHAND)
		sighand_reset(s);
	return s;
}

void signal_sighand_put(struct sighand *s)
{
	if (s && ref_put(&s->ref))
		kfree(s);
}

int signal_sighand_unshare(void)
{
	struct process *p = current->process;
	struct sighand *old = p->sighand, *fresh;

	if (ref_read(&old->ref) == 1)
		return 0;
	fresh = signal_sighand_copy(old, 0);
	if (!fresh)
		return -ENOMEM;
	/* Senders look at it under this siglock only. */
	spin_lock_irq(&p->siglock);
	p->sighand = fresh;
	spin_unlock_irq(&p->siglock);
	signal_sighand_put(old);
	return 0;
}

void signal_exec(void)
{
	struct process *p = current->process;

	spin_lock_irq(&p->siglock);
	spin_lock(&p->sighand->lock);
	sighand_reset(p->sighand);
	spin_unlock(&p->sighand->lock);
	sigqueue_drop_timers(&current->pending);
	sigqueue_drop_timers(&p->shared_pending);
	signal_recalc_locked();
	spin_unlock_irq(&p->siglock);
	current->altstack = (struct sigaltstack_state){.flags = SS_DISABLE};
}

bool signal_children_unwanted(struct process *parent, bool *ignored)
{
	struct sighand *s = parent->sighand;
	struct sigaction_abi *a = &s->action[SIGCHLD - 1];
	bool unwanted;
	u64 flags = spin_lock_irqsave(&s->lock);

	*ignored = a->handler == HANDLER_IGN;
	unwanted = *ignored || (a->flags & SA_NOCLDWAIT);
	spin_unlock_irqrestore(&s->lock, flags);
	return unwanted;
}
