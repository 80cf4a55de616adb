/*
 * Condition variables with PI mutexes: FUTEX_WAIT_REQUEUE_PI waits on a plain word to be moved to a
 * PI futex by FUTEX_CMP_REQUEUE_PI, and comes back as its owner. The waiter is never run in
 * between. Both buckets are locked while it moves.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <linux/futex.h>
#include <mm/slab.h>
#include <sync/wait.h>
#include <task/task.h>
#include "futex_internal.h"

/* The wait is over: owner, or neither queued nor moved (which only the waiter itself does). */
static bool wait_over(const struct futex_waiter *w, const struct pi_wait *p)
{
	return smp_load_acquire(&p->granted) || (!smp_load_acquire(&w->bucket) && !p->futex);
}

static int requeue_sleep(struct futex_waiter *w, struct pi_wait *p, u64 deadline_ns)
{
	int err = 0;

	while (!wait_over(w, p) && !err) {
		sched_set_state(TASK_INTERRUPTIBLE);
		if (!wait_over(w, p))
			err = wait_sleep(TASK_INTERRUPTIBLE, deadline_ns);
	}
	sched_set_state(TASK_RUNNING);
	return err;
}

static int wait_with_keys(struct futex_waiter *w, struct pi_wait *p, u64 addr, u32 expected,
			  u64 deadline_ns, u64 addr2)
{
	int err = futex_waiter_queue(w, addr, expected);

	if (err)
		return err;
	err = requeue_sleep(w, p, deadline_ns);
	if (futex_waiter_unqueue(w))
		return err == -ETIME ? -ETIMEDOUT : -ERESTARTNOINTR;
	if (!p->futex)
		return smp_load_acquire(&p->granted) ? 0 : -EWOULDBLOCK;
	/* The first word has changed by now: starting over would not wait again. */
	return pi_wait_end(p, addr2, err == -ETIME ? -ETIMEDOUT : -EWOULDBLOCK);
}

long futex_wait_requeue_pi(u64 addr, bool shared, u32 expected, u64 deadline_ns, u32 bitset,
			   u64 addr2)
{
	struct pi_wait p = {0};
	struct futex_waiter w = {
		.task = current, .bitset = bitset, .requeue_pi = &p,
		.priority = current->sched.rt_priority,
	};
	struct futex_key key;
	int err;

	if (addr == addr2)
		return -EINVAL;
	err = futex_key_get(addr, shared, &key);
	if (err)
		return err;
	w.key = key;
	err = futex_key_get(addr2, shared, &p.key);
	if (!err) {
		err = futex_key_equal(&key, &p.key) ?
			      -EINVAL :
			      wait_with_keys(&w, &p, addr, expected, deadline_ns, addr2);
		futex_key_put(&p.key);
	}
	futex_key_put(&key);
	return err;
}

/* Off the first bucket; w stays valid until granted is set or its task is let go. */
static void waiter_leave(struct futex_waiter *w)
{
	list_del(&w->node);
	smp_store_release(&w->bucket, NULL);
}

/* Moves one waiter, or makes it the owner. 0 or an error. Both buckets locked. */
static int requeue_one(struct futex_bucket *to, struct futex_waiter *w, u64 addr2, bool set_waiters,
		       struct pi_futex **fresh)
{
	struct pi_wait *p = w->requeue_pi;
	struct task *t = w->task;
	struct pi_futex *f;
	int res = pi_futex_take(to, &p->key, addr2, t, set_waiters, fresh, &f);

	if (res < 0)
		return res;
	if (!res) {
		res = pi_futex_wait(f, p, t);
		if (!res)
			waiter_leave(w);
		return res;
	}
	task_get(t);
	/* granted before bucket: whoever finds himself unqueued finds himself the owner. */
	smp_store_release(&p->granted, true);
	waiter_leave(w);
	sched_wake(t, TASK_NORMAL);
	task_put(t);
	return 0;
}

static int requeue_all(struct futex_bucket *from, struct futex_bucket *to,
		       const struct futex_key *key1, const struct futex_key *key2, u64 addr2,
		       int most, struct pi_futex **fresh, int *done)
{
	struct futex_waiter *w, *tmp;
	int err;

	list_for_each_safe(w, tmp, &from->waiters, node) {
		if (*done >= most)
			break;
		if (!futex_key_equal(&w->key, key1))
			continue;
		if (!w->requeue_pi || !futex_key_equal(&w->requeue_pi->key, key2))
			return -EINVAL;
		if (!*fresh && !futex_pi_waited_for(to, key2))
			return -EAGAIN; /* used up: comes back with a new one */
		err = requeue_one(to, w, addr2, most > 1, fresh);
		if (err)
			return err;
		(*done)++;
	}
	return 0;
}

static int requeue_with_keys(u64 addr1, const struct futex_key *key1, u64 addr2,
			     const struct futex_key *key2, int most, u32 expected)
{
	struct futex_bucket *from = futex_bucket_of(key1), *to = futex_bucket_of(key2);
	struct pi_futex *fresh = NULL;
	int err, done = 0;
	u32 value;

	do {
		bool first_word = true;

		if (!fresh)
			fresh = pi_futex_alloc();
		if (!fresh)
			return done ? done : -ENOMEM;
		futex_buckets_lock(from, to);
		err = futex_word_read_atomic(addr1, &value);
		if (!err && !done && value != expected) {
			futex_buckets_unlock(from, to);
			kfree(fresh);
			return -EAGAIN;
		}
		if (!err) {
			first_word = false;
			err = requeue_all(from, to, key1, key2, addr2, most, &fresh, &done);
		}
		futex_buckets_unlock(from, to);
		if (err == -EFAULT &&
		    !(first_word ? futex_word_fault_in(addr1) : pi_word_fault_in(addr2)))
			err = -EAGAIN;
	} while (err == -EAGAIN && !fatal_signal_pending(current));
	kfree(fresh);
	return err ? err : done;
}

long futex_cmp_requeue_pi(u64 addr1, u64 addr2, bool shared, int nr_wake, int nr_requeue,
			  u32 expected)
{
	struct futex_key key1, key2;
	int res;

	if (addr1 == addr2 || nr_wake < 0 || nr_requeue < 0 || nr_wake != 1)
		return -EINVAL;
	res = futex_key_get(addr1, shared, &key1);
	if (res)
		return res;
	res = futex_key_get(addr2, shared, &key2);
	if (!res) {
		res = futex_key_equal(&key1, &key2) ?
			      -EINVAL :
			      requeue_with_keys(addr1, &key1, addr2, &key2,
						MIN(nr_requeue, INT_MAX - 1) + nr_wake, expected);
		futex_key_put(&key2);
	}
	futex_key_put(&key1);
	return res;
}
