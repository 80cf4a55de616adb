/*
 * Who waits for signals through a file (signalfd): a wait queue per process, made when it is first
 * asked for. The process holds it, and so does each file whose poll has handed it out, because the
 * entries of an epoll outlive the process. Only sending wakes it; the death of a process does not.
 */
#include <mm/slab.h>
#include "internal.h"

struct signal_wait *signal_wait_get(void)
{
	struct process *p = current->process;
	struct signal_wait *w = READ_ONCE(p->signal_wait), *fresh = NULL;

	if (!w) {
		fresh = kmalloc(sizeof(*fresh), GFP_KERNEL);
		if (!fresh)
			return NULL;
		ref_init(&fresh->ref);
		wait_queue_init(&fresh->queue);
		spin_lock_irq(&p->siglock);
		w = p->signal_wait;
		if (!w) {
			w = fresh;
			WRITE_ONCE(p->signal_wait, w);
			fresh = NULL;
		}
		spin_unlock_irq(&p->siglock);
		kfree(fresh);
	}
	ref_get(&w->ref); /* the process, ours, keeps its own */
	return w;
}

void signal_wait_put(struct signal_wait *w)
{
	if (w && ref_put(&w->ref))
		kfree(w);
}

void signal_wait_wake(void)
{
	struct signal_wait *w = READ_ONCE(current->process->signal_wait);

	if (w)
		wake_up_all(&w->queue);
}

u64 signal_pending_bits(void)
{
	return READ_ONCE(current->pending.set.bits) |
	       READ_ONCE(current->process->shared_pending.set.bits);
}

int signal_take_pending(u64 wanted, siginfo_t *info)
{
	struct process *p = current->process;
	int sig;

	spin_lock_irq(&p->siglock);
	sig = sigqueue_take(~wanted, info);
	spin_unlock_irq(&p->siglock);
	return sig;
}
