/*
 * Futexes with priority inheritance. The word holds the owner's thread id, FUTEX_WAITERS when the
 * kernel has to be asked, and FUTEX_OWNER_DIED. The kernel's part of a contended one is a struct
 * pi_futex in the bucket; it exists while somebody waits.
 *
 * Handing over: unlocking (or the death of the owner) makes the first waiter the owner at once, under
 * bucket lock and pi_spin, so nobody can come in between. Unlock writes the new owner's id into
 * the word first. A dying owner may not be able to write (it may have unmapped the word): there the
 * new owner repairs the word itself, and until then (nr_repairs) the word's id means nothing.
 *
 * Locks: bucket, then pi_spin. User words are touched under the bucket's lock with page faults
 * disabled; what is not there is brought in without the lock, and all starts over.
 *
 * A word is the program's and may contain anything: an id that names no thread is ESRCH, a kernel
 * thread's EPERM, one that contradicts the kernel's state EINVAL, all as in Linux.
 */
#include <arch/usercopy.h>
#include <ipc/futex.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <linux/futex.h>
#include <mm/slab.h>
#include <sync/rcu.h>
#include <sync/wait.h>
#include <task/pid.h>
#include <task/task.h>
#include "futex_internal.h"

/* Writes the word if it is still `old`. 0, -EAGAIN, or -EFAULT. No sleeping. */
static int word_change(u64 addr, u32 old, u32 new)
{
	u32 seen;
	int err;

	pagefault_disable();
	err = arch_cmpxchg_user_u32(addr, old, new, &seen);
	pagefault_enable();
	if (err)
		return err;
	return seen == old ? 0 : -EAGAIN;
}

int pi_word_fault_in(u64 addr)
{
	u32 old;

	/* A write that changes nothing. */
	return arch_atomic_user_u32(addr, USER_OR, 0, &old);
}

/* --- the kernel's state of a futex --- */

struct pi_futex *pi_futex_alloc(void)
{
	struct pi_futex *f = kzalloc(sizeof(*f), GFP_KERNEL);

	if (f)
		pi_lock_init(&f->lock);
	return f;
}

static struct pi_futex *pi_futex_find(struct futex_bucket *b, const struct futex_key *key)
{
	struct pi_futex *f;

	ASSERT_HELD(&b->lock);
	list_for_each(f, &b->pi, node)
		if (futex_key_equal(&f->key, key))
			return f;
	return NULL;
}

bool futex_pi_waited_for(struct futex_bucket *b, const struct futex_key *key)
{
	return pi_futex_find(b, key) != NULL;
}

void pi_futex_release(struct pi_futex *f)
{
	spin_lock(&pi_spin);
	if (f->nr_repairs || !list_empty(&f->lock.waiters)) {
		spin_unlock(&pi_spin);
		return;
	}
	pi_set_owner(&f->lock, NULL);
	spin_unlock(&pi_spin);
	list_del(&f->node);
	kfree(f);
}

int pi_futex_wait(struct pi_futex *f, struct pi_wait *w, struct task *t)
{
	int err;

	spin_lock(&pi_spin);
	err = pi_wait(&f->lock, &w->waiter, t);
	spin_unlock(&pi_spin);
	if (err)
		pi_futex_release(f);
	else
		w->futex = f;
	return err;
}

/* `to` (NULL: nobody) owns f from here on. Bucket locked; f may be gone afterwards. */
static void pi_futex_grant(struct pi_futex *f, struct pi_waiter *to, bool repair)
{
	struct pi_wait *w;
	struct task *t;

	if (to) {
		w = container_of(to, struct pi_wait, waiter);
		t = to->task;
		task_get(t);
		spin_lock(&pi_spin);
		pi_grant(to);
		spin_unlock(&pi_spin);
		f->nr_repairs += repair;
		w->repair = repair;
		smp_store_release(&w->granted, true); /* w may go now */
		sched_wake(t, TASK_NORMAL);
		task_put(t);
	}
	pi_futex_release(f);
}

/* Who comes first. The order may change behind our back, but the bucket's lock keeps him here. */
static struct pi_waiter *pi_futex_heir(struct pi_futex *f)
{
	struct pi_waiter *w;

	spin_lock(&pi_spin);
	w = pi_first_waiter(&f->lock);
	spin_unlock(&pi_spin);
	return w;
}

/* --- taking a futex --- */

/* The word names `tid`, who is no owner: has it just gone, or was it never there? */
static int no_such_owner(u64 addr, u32 word)
{
	u32 now;
	int err = futex_word_read_atomic(addr, &now);

	if (err)
		return err;
	return now == word ? -ESRCH : -EAGAIN;
}

static int attach_existing(struct pi_futex *f, u32 word, struct pi_futex **out)
{
	u32 tid = word & FUTEX_TID_MASK;
	int err = 0;

	spin_lock(&pi_spin);
	if (!f->nr_repairs && !((word & FUTEX_OWNER_DIED) && !tid) &&
	    (!f->lock.owner || (u32)f->lock.owner->tid != tid))
		err = -EINVAL; /* somebody has written into the word */
	spin_unlock(&pi_spin);
	*out = f;
	return err;
}

/* A new state, owned by the thread that the word names. */
static int attach_to_owner(struct futex_bucket *b, const struct futex_key *key, u64 addr, u32 word,
			   struct pi_futex **fresh, struct pi_futex **out)
{
	struct pi_futex *f = *fresh;
	struct pid_entry *e;
	struct task *t;
	bool dead;

	rcu_read_lock();
	e = pid_find((s32)(word & FUTEX_TID_MASK));
	t = e ? rcu_dereference(e->task) : NULL;
	if (!t || (t->flags & TASK_F_KTHREAD)) {
		rcu_read_unlock();
		return t ? -EPERM : no_such_owner(addr, word);
	}
	spin_lock(&pi_spin);
	pi_set_owner(&f->lock, t);
	smp_mb(); /* against futex_pi_exit: it sees what is owned, or we see that it is through */
	dead = READ_ONCE(t->flags) & TASK_F_FUTEX_DEAD;
	if (dead)
		pi_set_owner(&f->lock, NULL);
	spin_unlock(&pi_spin);
	rcu_read_unlock();
	if (dead)
		return no_such_owner(addr, word);
	f->key = *key;
	list_add_tail(&f->node, &b->pi);
	*fresh = NULL;
	*out = f;
	return 0;
}

static bool has_plain_waiter(struct futex_bucket *b, const struct futex_key *key)
{
	struct futex_waiter *w;

	list_for_each(w, &b->waiters, node)
		if (futex_key_equal(&w->key, key))
			return true;
	return false;
}

int pi_futex_take(struct futex_bucket *b, const struct futex_key *key, u64 addr, struct task *t,
		  bool set_waiters, struct pi_futex **fresh, struct pi_futex **out)
{
	u32 word, tid = (u32)t->tid;
	struct pi_futex *f;
	int err = futex_word_read_atomic(addr, &word);

	if (err)
		return err;
	if ((word & FUTEX_TID_MASK) == tid)
		return -EDEADLK;
	f = pi_futex_find(b, key);
	if (f)
		return attach_existing(f, word, out);
	if (has_plain_waiter(b, key))
		return -EINVAL; /* PI and plain operations on the same word */
	if (!(word & FUTEX_TID_MASK)) {
		err = word_change(addr, word, (word & FUTEX_OWNER_DIED) | tid |
						      (set_waiters ? FUTEX_WAITERS : 0));
		return err ? err : 1;
	}
	/* From here on the owner has to come to the kernel, and then waits for our bucket. */
	err = word_change(addr, word, word | FUTEX_WAITERS);
	return err ? err : attach_to_owner(b, key, addr, word | FUTEX_WAITERS, fresh, out);
}

/* --- waiting and locking --- */

/* The word after its owner died: ours, with the mark for the program. 0 or -EFAULT. */
static int word_repair(u64 addr)
{
	u32 word, seen, want = (u32)current->tid | FUTEX_WAITERS | FUTEX_OWNER_DIED;
	u64 v;
	int err = arch_get_user(addr, sizeof(u32), &v);

	for (word = (u32)v; !err; word = seen) {
		err = arch_cmpxchg_user_u32(addr, word, want, &seen);
		if (!err && seen == word)
			return 0;
	}
	return err;
}

/* A new owner that cannot write the word passes the futex on. */
static int repair_and_release(struct pi_wait *w, u64 addr)
{
	struct futex_bucket *b = futex_bucket_of(&w->key);
	int err = word_repair(addr);

	spin_lock(&b->lock);
	w->futex->nr_repairs--;
	if (err)
		pi_futex_grant(w->futex, pi_futex_heir(w->futex), true);
	else
		pi_futex_release(w->futex);
	spin_unlock(&b->lock);
	return err;
}

int pi_wait_end(struct pi_wait *w, u64 addr, int err)
{
	struct futex_bucket *b = futex_bucket_of(&w->key);

	if (!smp_load_acquire(&w->granted)) {
		spin_lock(&b->lock);
		if (!w->granted) {
			spin_lock(&pi_spin);
			pi_cancel(&w->waiter);
			spin_unlock(&pi_spin);
			pi_futex_release(w->futex);
			spin_unlock(&b->lock);
			return err;
		}
		spin_unlock(&b->lock);
	}
	return w->repair ? repair_and_release(w, addr) : 0;
}

static int pi_sleep(struct pi_wait *w, u64 deadline_ns)
{
	int err = 0;

	while (!smp_load_acquire(&w->granted) && !err) {
		sched_set_state(TASK_INTERRUPTIBLE);
		if (!smp_load_acquire(&w->granted))
			err = wait_sleep(TASK_INTERRUPTIBLE, deadline_ns);
	}
	sched_set_state(TASK_RUNNING);
	if (!err)
		return 0;
	return err == -ETIME ? -ETIMEDOUT : -ERESTARTNOINTR;
}

enum { WAITS, TAKEN, WOULD_BLOCK };

/* One of the above, or an error; -EAGAIN: try again. */
static int lock_or_wait(struct pi_wait *w, u64 addr, struct pi_futex **fresh, bool try)
{
	struct futex_bucket *b = futex_bucket_of(&w->key);
	struct pi_futex *f;
	int res;

	spin_lock(&b->lock);
	res = pi_futex_take(b, &w->key, addr, current, false, fresh, &f);
	if (!res && try) {
		pi_futex_release(f);
		res = WOULD_BLOCK;
	} else if (!res) {
		res = pi_futex_wait(f, w, current);
	}
	spin_unlock(&b->lock);
	return res;
}

static long lock_with_key(struct pi_wait *w, u64 addr, u64 deadline_ns, bool try)
{
	struct pi_futex *fresh = NULL;
	int res;

	do {
		if (!fresh)
			fresh = pi_futex_alloc();
		if (!fresh)
			return -ENOMEM;
		res = lock_or_wait(w, addr, &fresh, try);
		if (res == -EFAULT && !pi_word_fault_in(addr))
			res = -EAGAIN;
		if (res == -EAGAIN && fatal_signal_pending(current))
			res = -ERESTARTNOINTR;
	} while (res == -EAGAIN);
	kfree(fresh);
	if (res == WOULD_BLOCK)
		return -EWOULDBLOCK;
	if (res)
		return res < 0 ? res : 0;
	return pi_wait_end(w, addr, pi_sleep(w, deadline_ns));
}

long futex_lock_pi(u64 addr, bool shared, u64 deadline_ns, bool try)
{
	struct pi_wait w = {0};
	long res = futex_key_get(addr, shared, &w.key);

	if (res)
		return res;
	res = lock_with_key(&w, addr, deadline_ns, try);
	futex_key_put(&w.key);
	return res;
}

/* --- unlocking --- */

/* 0, -EFAULT (bring it in), or the call's result. Bucket locked. */
static int unlock_locked(struct futex_bucket *b, const struct futex_key *key, u64 addr, u32 word)
{
	struct pi_futex *f = pi_futex_find(b, key);
	struct pi_waiter *heir = NULL;
	int err;

	if (f ? f->lock.owner != current : has_plain_waiter(b, key))
		return -EINVAL;
	if (f)
		heir = pi_futex_heir(f);
	err = word_change(addr, word, heir ? FUTEX_WAITERS | (u32)heir->task->tid : 0);
	if (!err && f)
		pi_futex_grant(f, heir, false);
	return err;
}

long futex_unlock_pi(u64 addr, bool shared)
{
	struct futex_bucket *b;
	struct futex_key key;
	u64 v;
	int err = futex_key_get(addr, shared, &key);

	if (err)
		return err;
	b = futex_bucket_of(&key);
	do {
		err = arch_get_user(addr, sizeof(u32), &v);
		if (!err && ((u32)v & FUTEX_TID_MASK) != (u32)current->tid)
			err = -EPERM;
		if (err)
			break;
		spin_lock(&b->lock);
		err = unlock_locked(b, &key, addr, (u32)v);
		spin_unlock(&b->lock);
		if (err == -EFAULT && !pi_word_fault_in(addr))
			err = -EAGAIN;
		/* A waiter has set FUTEX_WAITERS meanwhile, or the word is being played with. */
	} while (err == -EAGAIN && !fatal_signal_pending(current));
	futex_key_put(&key);
	return err;
}

/* --- the end of an owner --- */

/* One futex of the current task's, by address: it may be gone by now. */
static void owner_died(struct pi_futex *wanted, struct futex_bucket *b)
{
	struct pi_waiter *heir;
	struct pi_futex *f;

	spin_lock(&b->lock);
	list_for_each(f, &b->pi, node) {
		if (f != wanted || f->lock.owner != current)
			continue;
		heir = pi_futex_heir(f);
		if (!heir) {
			spin_lock(&pi_spin);
			pi_set_owner(&f->lock, NULL);
			spin_unlock(&pi_spin);
		}
		pi_futex_grant(f, heir, true);
		break;
	}
	spin_unlock(&b->lock);
}

void futex_pi_exit(void)
{
	struct task *me = current;

	smp_mb(); /* TASK_F_FUTEX_DEAD, if the caller has set it, before the look at the list */
	while (!list_empty(&me->pi_owned)) {
		struct pi_futex *f = NULL;
		struct futex_bucket *b = NULL;

		spin_lock(&pi_spin);
		if (!list_empty(&me->pi_owned)) {
			f = container_of(list_first(&me->pi_owned, struct pi_lock, owned_node),
					 struct pi_futex, lock);
			b = futex_bucket_of(&f->key);
		}
		spin_unlock(&pi_spin);
		if (f)
			owner_died(f, b);
	}
}
