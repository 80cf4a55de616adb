/*
 * Queues of pending signals: a bit per signal, and entries with the details. Signals below
 * SIGRTMIN are pending once; real-time signals queue in order. Entries count against the
 * receiver's RLIMIT_SIGPENDING. The siglock of the process guards its queues and its threads'.
 */
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <time/posix_timer.h>
#include "internal.h"

struct sigqueue {
	struct list_head node;
	siginfo_t info;
	struct user_account *user; /* reference: charged for it */
	struct posix_timer *timer; /* set aside for that timer; NULL: freed once it is taken */
};

static struct kmem_cache *sigqueue_cache;

void signal_init(void)
{
	sigqueue_cache = kmem_cache_create("sigqueue", sizeof(struct sigqueue), 8);
}

void signal_queue_init(struct signal_queue *q)
{
	list_init(&q->entries);
	q->set.bits = 0;
}

/* It is on no queue any more. What a timer has set aside stays with the timer. */
static void sigqueue_free(struct sigqueue *e)
{
	if (e->timer)
		return;
	atomic_dec(&e->user->nr_sigpending);
	user_account_put(e->user);
	kmem_cache_free(sigqueue_cache, e);
}

/* An entry charged to the target's user, or NULL: over the limit or out of memory. */
static struct sigqueue *sigqueue_alloc(struct task *target, bool unlimited)
{
	u64 limit = READ_ONCE(target->process->rlimits[RLIMIT_SIGPENDING].rlim_cur);
	struct sigqueue *e = NULL;
	struct user_account *user;

	rcu_read_lock();
	user = rcu_dereference(target->cred)->user;
	user_account_ref(user);
	rcu_read_unlock();
	if ((u64)atomic_add_return(&user->nr_sigpending, 1) <= limit || unlimited)
		e = kmem_cache_alloc(sigqueue_cache, GFP_ATOMIC);
	if (!e) {
		atomic_dec(&user->nr_sigpending);
		user_account_put(user);
		return NULL;
	}
	e->user = user;
	e->timer = NULL;
	return e;
}

struct sigqueue *signal_reserve(struct posix_timer *timer)
{
	struct sigqueue *e = sigqueue_alloc(current, false);

	if (e) {
		list_init(&e->node);
		e->timer = timer;
		memset(&e->info, 0, sizeof(e->info));
	}
	return e;
}

siginfo_t *signal_reserved_info(struct sigqueue *e)
{
	return &e->info;
}

void signal_unreserve_locked(struct sigqueue *e)
{
	e->timer = NULL;
	if (list_empty(&e->node))
		sigqueue_free(e);
}

bool sigqueue_add_reserved(struct signal_queue *q, struct sigqueue *e)
{
	if (!list_empty(&e->node)) {
		e->info.si_overrun++;
		return false;
	}
	e->info.si_overrun = 0;
	list_add_tail(&e->node, &q->entries);
	q->set.bits |= sigmask(e->info.si_signo);
	return true;
}

/* Timers do not outlive execve, nor do their signals. siglock held. */
void sigqueue_drop_timers(struct signal_queue *q)
{
	struct sigqueue *e, *tmp;
	u64 dropped = 0, kept = 0;

	list_for_each_safe(e, tmp, &q->entries, node) {
		if (e->info.si_code != SI_TIMER) {
			kept |= sigmask(e->info.si_signo);
			continue;
		}
		dropped |= sigmask(e->info.si_signo);
		list_del(&e->node);
		sigqueue_free(e);
	}
	q->set.bits &= ~dropped | kept;
}

int sigqueue_add(struct task *target, struct signal_queue *q, int sig, const siginfo_t *info)
{
	/* What the kernel or kill(2) says about a classic signal must not get lost to a limit. */
	bool unlimited = sig < SIGRTMIN && info->si_code >= 0;
	struct sigqueue *e;

	if (sig < SIGRTMIN && (q->set.bits & sigmask(sig)))
		return 0;
	/* SIGKILL is never delivered with details, so it needs no memory. */
	if (sig != SIGKILL) {
		e = sigqueue_alloc(target, unlimited);
		if (e) {
			e->info = *info;
			list_add_tail(&e->node, &q->entries);
		} else if (sig >= SIGRTMIN && info->si_code != SI_USER) {
			return -EAGAIN;
		}
	}
	q->set.bits |= sigmask(sig);
	return 0;
}

void sigqueue_drop(struct signal_queue *q, u64 mask)
{
	struct sigqueue *e, *tmp;

	if (!(q->set.bits & mask))
		return;
	q->set.bits &= ~mask;
	list_for_each_safe(e, tmp, &q->entries, node) {
		if (!sig_in(e->info.si_signo, mask))
			continue;
		list_del(&e->node);
		sigqueue_free(e);
	}
}

void signal_queue_flush(struct signal_queue *q)
{
	sigqueue_drop(q, ~0ULL);
}

/* Takes the oldest entry for sig; the bit stays while there are more. */
static void sigqueue_collect(struct signal_queue *q, int sig, siginfo_t *info)
{
	struct sigqueue *e, *found = NULL;
	bool more = false;

	list_for_each(e, &q->entries, node) {
		if (e->info.si_signo != sig)
			continue;
		if (found) {
			more = true;
			break;
		}
		found = e;
	}
	if (!more)
		q->set.bits &= ~sigmask(sig);
	if (found) {
		list_del(&found->node);
		*info = found->info;
		if (found->timer)
			posix_timer_signal_taken(found->timer, info);
		if (info->si_code == SI_TIMER)
			info->si_sys_private = 0;
		sigqueue_free(found);
		return;
	}
	/* No entry could be made: all that is known is the number. */
	memset(info, 0, sizeof(*info));
	info->si_signo = sig;
	info->si_code = SI_USER;
}

static int sigqueue_take_from(struct signal_queue *q, u64 blocked, siginfo_t *info)
{
	u64 ready = q->set.bits & ~blocked;
	int sig;

	if (!ready)
		return 0;
	if (ready & SIG_SYNC_MASK)
		ready &= SIG_SYNC_MASK;
	sig = (int)bit_lowest(ready) + 1;
	sigqueue_collect(q, sig, info);
	return sig;
}

bool signal_peek_locked(struct task *t, bool shared, u64 off, siginfo_t *info)
{
	struct signal_queue *q = shared ? &t->process->shared_pending : &t->pending;
	struct sigqueue *e;

	ASSERT_HELD(&t->process->siglock);
	list_for_each(e, &q->entries, node) {
		if (off--)
			continue;
		*info = e->info;
		return true;
	}
	return false;
}

int sigqueue_take(u64 blocked, siginfo_t *info)
{
	struct task *me = current;
	int sig = sigqueue_take_from(&me->pending, blocked, info);

	ASSERT_HELD(&me->process->siglock);
	if (!sig)
		sig = sigqueue_take_from(&me->process->shared_pending, blocked, info);
	signal_recalc_locked();
	return sig;
}
