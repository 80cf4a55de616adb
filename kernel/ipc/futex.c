/*
 * futex(2): wait, wake, requeue, wake-op. A hash table of buckets holds the waiters in order of
 * arrival; the bucket's lock makes "the word still has this value" and "I am queued" one step:
 *
 *   waiter: lock; read the word; queue; unlock; sleep      waker: change the word; lock; take off
 *
 * The word is read under a spinlock with page faults disabled; when it is not there, the lock is
 * dropped, the page is brought in, and all starts over. Priority inheritance is not supported
 * (ENOSYS, like a kernel built without it).
 */
#include <arch/usercopy.h>
#include <ipc/futex.h>
#include <lib/errno.h>
#include <lib/hash.h>
#include <lib/log.h>
#include <linux/futex.h>
#include <mm/mm.h>
#include <signal/signal.h>
#include <sync/wait.h>
#include <syscall/table.h>
#include <task/task.h>
#include <time/clock.h>
#include "futex_key.h"

#define FUTEX_HASH_BITS 8

struct futex_bucket {
	struct spinlock lock;       /* LOCK_RANK_FUTEX */
	struct list_head waiters;   /* lock */
} __cacheline_aligned;

struct futex_waiter {
	struct list_head node;        /* lock of its bucket */
	struct task *task;            /* const */
	struct futex_key key;         /* same lock; changes when it is requeued */
	struct futex_bucket *bucket;  /* written under both locks; NULL: woken (release) */
	u32 bitset;                   /* const */
};

static struct futex_bucket buckets[1 << FUTEX_HASH_BITS];

void futex_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(buckets); i++) {
		spin_init(&buckets[i].lock, LOCK_RANK_FUTEX);
		list_init(&buckets[i].waiters);
	}
}

static struct futex_bucket *bucket_of(const struct futex_key *key)
{
	return &buckets[hash_u64((uptr)key->object ^ (key->offset * 31), FUTEX_HASH_BITS)];
}

/* The word's value without sleeping. 0 or -EFAULT: not there now. */
static int word_read_atomic(u64 addr, u32 *value)
{
	u64 v;
	int err;

	pagefault_disable();
	err = arch_get_user(addr, sizeof(u32), &v);
	pagefault_enable();
	*value = (u32)v;
	return err;
}

/* Brings the word in. 0 or -EFAULT: it cannot be read at all. */
static int word_fault_in(u64 addr)
{
	u64 v;

	return arch_get_user(addr, sizeof(u32), &v);
}

/* Off its bucket and running. The waiter may be gone as soon as bucket is NULL. Bucket locked. */
static void waiter_wake(struct futex_waiter *w)
{
	struct task *t = w->task;

	list_del(&w->node);
	task_get(t);
	smp_store_release(&w->bucket, NULL);
	sched_wake(t, TASK_NORMAL);
	task_put(t);
}

static int wake_matching(struct futex_bucket *b, const struct futex_key *key, int nr, u32 bitset)
{
	struct futex_waiter *w, *tmp;
	int woken = 0;

	ASSERT_HELD(&b->lock);
	list_for_each_safe(w, tmp, &b->waiters, node) {
		if (woken >= nr)
			break;
		if (!futex_key_equal(&w->key, key) || !(w->bitset & bitset))
			continue;
		waiter_wake(w);
		woken++;
	}
	return woken;
}

static long futex_wake(u64 addr, bool shared, int nr, u32 bitset)
{
	struct futex_bucket *b;
	struct futex_key key;
	int err, woken;

	if (!bitset)
		return -EINVAL;
	err = futex_key_get(addr, shared, &key);
	if (err)
		return err;
	b = bucket_of(&key);
	/* No look at the list without the lock: a waiter that has read the word but is not queued yet
	 * would be missed, and sleep for good. */
	spin_lock(&b->lock);
	woken = wake_matching(b, &key, MAX(nr, 1), bitset);
	spin_unlock(&b->lock);
	futex_key_put(&key);
	return woken;
}

void futex_wake_one(struct user_u32 word)
{
	u64 addr = user_address(word);

	(void)futex_wake(addr, true, 1, FUTEX_BITSET_MATCH_ANY);
}

/* Takes the waiter off if it is still queued: true then. */
static bool waiter_unqueue(struct futex_waiter *w)
{
	struct futex_bucket *b;

	while ((b = smp_load_acquire(&w->bucket))) {
		spin_lock(&b->lock);
		if (w->bucket == b) {
			list_del(&w->node);
			spin_unlock(&b->lock);
			return true;
		}
		spin_unlock(&b->lock); /* requeued or woken meanwhile */
	}
	return false;
}

/* Queues w if the word has the expected value. 0, -EAGAIN, -EFAULT. */
static int waiter_queue(struct futex_waiter *w, u64 addr, u32 expected)
{
	struct futex_bucket *b = bucket_of(&w->key);
	u32 value;
	int err;

	for (;;) {
		spin_lock(&b->lock);
		err = word_read_atomic(addr, &value);
		if (!err)
			break;
		spin_unlock(&b->lock);
		err = word_fault_in(addr);
		if (err)
			return err;
	}
	if (value != expected) {
		spin_unlock(&b->lock);
		return -EAGAIN;
	}
	w->bucket = b;
	list_add_tail(&w->node, &b->waiters);
	sched_set_state(TASK_INTERRUPTIBLE);
	spin_unlock(&b->lock);
	return 0;
}

static int waiter_sleep(struct futex_waiter *w, u64 deadline_ns)
{
	int err = 0;

	while (smp_load_acquire(&w->bucket) && !err) {
		err = wait_sleep(TASK_INTERRUPTIBLE, deadline_ns);
		if (!err)
			sched_set_state(TASK_INTERRUPTIBLE);
	}
	sched_set_state(TASK_RUNNING);
	if (!waiter_unqueue(w))
		return 0;
	return err == -ETIME ? -ETIMEDOUT : -ERESTARTSYS;
}

static long futex_wait(u64 addr, bool shared, u32 expected, u64 deadline_ns, u32 bitset)
{
	struct futex_waiter w = {.task = current, .bitset = bitset};
	struct futex_key key;
	int err;

	if (!bitset)
		return -EINVAL;
	err = futex_key_get(addr, shared, &key);
	if (err)
		return err;
	w.key = key;
	err = waiter_queue(&w, addr, expected);
	if (!err)
		err = waiter_sleep(&w, deadline_ns);
	/* A requeued waiter holds another key without a reference. It is only compared: stale, it can
	 * at worst wake once for nothing, which every user of futexes allows for. */
	futex_key_put(&key);
	return err;
}

/* A timed wait goes on with the same deadline after a stop signal. */
static long futex_wait_restart(struct restart_block *r)
{
	bool shared = !(r->nr & FUTEX_PRIVATE_FLAG);

	return futex_wait(r->user_rem, shared, (u32)r->arg[0], r->deadline_ns, (u32)r->arg[1]);
}

static long futex_wait_timed(u64 addr, u32 op, u32 expected, u64 deadline_ns, u32 bitset)
{
	long err = futex_wait(addr, !(op & FUTEX_PRIVATE_FLAG), expected, deadline_ns, bitset);

	if (err != -ERESTARTSYS || deadline_ns == U64_MAX)
		return err;
	current->restart = (struct restart_block){
		.fn = futex_wait_restart,
		.deadline_ns = deadline_ns,
		.user_rem = addr,
		.nr = op,
		.arg = {expected, bitset},
	};
	return -ERESTART_RESTARTBLOCK;
}

/* Two buckets at once, in order of address; b may be a. */
static NO_THREAD_SAFETY void buckets_lock(struct futex_bucket *a, struct futex_bucket *b)
{
	if (a > b) {
		buckets_lock(b, a);
		return;
	}
	spin_lock(&a->lock);
	if (a != b)
		spin_lock_nested(&b->lock);
}

static NO_THREAD_SAFETY void buckets_unlock(struct futex_bucket *a, struct futex_bucket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

static int requeue_locked(struct futex_bucket *from, struct futex_bucket *to,
			  const struct futex_key *key1, const struct futex_key *key2, int nr_wake,
			  int nr_requeue)
{
	struct futex_waiter *w, *tmp;
	int done = 0;

	list_for_each_safe(w, tmp, &from->waiters, node) {
		if (done - nr_wake >= nr_requeue)
			break;
		if (!futex_key_equal(&w->key, key1))
			continue;
		if (done++ < nr_wake) {
			waiter_wake(w);
			continue;
		}
		w->key = *key2;
		if (from != to) {
			list_move_tail(&w->node, &to->waiters);
			smp_store_release(&w->bucket, to);
		}
	}
	return done;
}

static int requeue_with_keys(u64 addr1, const struct futex_key *key1, const struct futex_key *key2,
			     int nr_wake, int nr_requeue, const u32 *expected)
{
	struct futex_bucket *from = bucket_of(key1), *to = bucket_of(key2);
	u32 value = 0;
	int result;

	for (;;) {
		buckets_lock(from, to);
		result = expected ? word_read_atomic(addr1, &value) : 0;
		if (!result)
			break;
		buckets_unlock(from, to);
		result = word_fault_in(addr1);
		if (result)
			return result;
	}
	if (expected && value != *expected)
		result = -EAGAIN;
	else
		result = requeue_locked(from, to, key1, key2, nr_wake, nr_requeue);
	buckets_unlock(from, to);
	return result;
}

static long futex_requeue(u64 addr1, u64 addr2, bool shared, int nr_wake, int nr_requeue,
			  const u32 *expected)
{
	struct futex_key key1, key2;
	int result;

	if (nr_wake < 0 || nr_requeue < 0)
		return -EINVAL;
	result = futex_key_get(addr1, shared, &key1);
	if (result)
		return result;
	result = futex_key_get(addr2, shared, &key2);
	if (!result) {
		result = requeue_with_keys(addr1, &key1, &key2, nr_wake, nr_requeue, expected);
		futex_key_put(&key2);
	}
	futex_key_put(&key1);
	return result;
}

/* FUTEX_WAKE_OP's encoded operation: changes the word, and compares what it was before. */
static int word_change(u64 addr, u32 encoded, u32 *old)
{
	unsigned int op = (encoded >> 28) & 7;
	u32 arg = (u32)((s32)(encoded << 8) >> 20);

	static const enum user_atomic_op ops[] = {
		[FUTEX_OP_SET] = USER_XCHG, [FUTEX_OP_ADD] = USER_ADD, [FUTEX_OP_OR] = USER_OR,
		[FUTEX_OP_ANDN] = USER_ANDN, [FUTEX_OP_XOR] = USER_XOR,
	};

	if (encoded & ((u32)FUTEX_OP_OPARG_SHIFT << 28))
		arg = 1U << (arg & 31);
	if (op >= ARRAY_SIZE(ops))
		return -ENOSYS;
	return arch_atomic_user_u32(addr, ops[op], arg, old);
}

/* 1, 0, or -ENOSYS. */
static int word_compare(u32 encoded, u32 old)
{
	s32 arg = (s32)(encoded << 20) >> 20, value = (s32)old;

	switch ((encoded >> 24) & 15) {
	case FUTEX_OP_CMP_EQ:
		return value == arg;
	case FUTEX_OP_CMP_NE:
		return value != arg;
	case FUTEX_OP_CMP_LT:
		return value < arg;
	case FUTEX_OP_CMP_GE:
		return value >= arg;
	case FUTEX_OP_CMP_LE:
		return value <= arg;
	case FUTEX_OP_CMP_GT:
		return value > arg;
	default:
		return -ENOSYS;
	}
}

static int wake_op_with_keys(const struct futex_key *key1, u64 addr2, const struct futex_key *key2,
			     int nr1, int nr2, u32 encoded)
{
	struct futex_bucket *b1 = bucket_of(key1), *b2 = bucket_of(key2);
	int result, matches;
	u32 old;

	for (;;) {
		buckets_lock(b1, b2);
		pagefault_disable();
		result = word_change(addr2, encoded, &old);
		pagefault_enable();
		if (result != -EFAULT)
			break;
		buckets_unlock(b1, b2);
		/* A write that changes nothing brings the page in for writing. */
		result = arch_atomic_user_u32(addr2, USER_OR, 0, &old);
		if (result)
			return result;
	}
	if (!result) {
		matches = word_compare(encoded, old);
		result = matches < 0 ? matches :
				       wake_matching(b1, key1, nr1, FUTEX_BITSET_MATCH_ANY);
		if (matches > 0)
			result += wake_matching(b2, key2, nr2, FUTEX_BITSET_MATCH_ANY);
	}
	buckets_unlock(b1, b2);
	return result;
}

static long futex_wake_op(u64 addr1, u64 addr2, bool shared, int nr1, int nr2, u32 encoded)
{
	struct futex_key key1, key2;
	int result = futex_key_get(addr1, shared, &key1);

	if (result)
		return result;
	result = futex_key_get(addr2, shared, &key2);
	if (!result) {
		result = wake_op_with_keys(&key1, addr2, &key2, MAX(nr1, 1), MAX(nr2, 1), encoded);
		futex_key_put(&key2);
	}
	futex_key_put(&key1);
	return result;
}

/* The deadline on the monotonic clock; FUTEX_WAIT's timeout is a span, the other's a time. */
static int futex_deadline(u32 op, struct user_timespec utimeout, u64 *deadline_ns)
{
	struct timespec64 ts;
	u64 ns;

	*deadline_ns = U64_MAX;
	if (user_is_null(utimeout))
		return 0;
	if (user_read(&ts, utimeout))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	ns = timespec_to_ns(&ts);
	if ((op & FUTEX_CMD_MASK) == FUTEX_WAIT)
		ns = MIN(ns + clock_monotonic(), (u64)S64_MAX);
	else if (op & FUTEX_CLOCK_REALTIME)
		ns = ns > (u64)clock_realtime_offset() ? ns - (u64)clock_realtime_offset() : 0;
	*deadline_ns = ns;
	return 0;
}

long sys_futex(struct user_u32 uaddr, u32 op, u32 val, struct user_timespec utimeout,
	       struct user_u32 uaddr2, u32 val3)
{
	u64 addr = user_address(uaddr), addr2 = user_address(uaddr2), deadline_ns;
	int val2 = (int)user_address(utimeout); /* the counts of some operations are passed here */
	bool shared = !(op & FUTEX_PRIVATE_FLAG);
	u32 cmd = op & FUTEX_CMD_MASK;
	int err;

	if ((op & FUTEX_CLOCK_REALTIME) && cmd != FUTEX_WAIT_BITSET)
		return -ENOSYS;
	switch (cmd) {
	case FUTEX_WAIT:
		val3 = FUTEX_BITSET_MATCH_ANY;
		/* fall through */
	case FUTEX_WAIT_BITSET:
		err = futex_deadline(op, utimeout, &deadline_ns);
		return err ? err : futex_wait_timed(addr, op, val, deadline_ns, val3);
	case FUTEX_WAKE:
		val3 = FUTEX_BITSET_MATCH_ANY;
		/* fall through */
	case FUTEX_WAKE_BITSET:
		return futex_wake(addr, shared, (int)val, val3);
	case FUTEX_REQUEUE:
		return futex_requeue(addr, addr2, shared, (int)val, val2, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(addr, addr2, shared, (int)val, val2, &val3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(addr, addr2, shared, (int)val, val2, val3);
	default:
		return -ENOSYS;
	}
}
