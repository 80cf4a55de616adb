/*
 * futex(2): wait, wake, requeue, wake-op. A hash table of buckets holds the waiters in order of
 * arrival; the bucket's lock makes "the word still has this value" and "I am queued" one step:
 *
 *   waiter: lock; read the word; queue; unlock; sleep      waker: change the word; lock; take off
 *
 * The word is read under a spinlock with page faults disabled; when it is not there, the lock is
 * dropped, the page is brought in, and all starts over. Waiters of a real-time priority come before
 * the others. What inherits priority is in futex_pi.c and futex_requeue_pi.c.
 */
#include <arch/speculation.h>
#include <arch/usercopy.h>
#include <ipc/futex.h>
#include <lib/bits.h>
#include <lib/errno.h>
#include <lib/hash.h>
#include <lib/log.h>
#include <linux/futex.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <signal/signal.h>
#include <sync/wait.h>
#include <syscall/table.h>
#include <task/task.h>
#include <time/clock.h>
#include "futex_internal.h"

/* As many as there may be threads waiting, more or less: 64 KiB of buckets in 256 MiB of memory. */
#define HASH_BITS_MIN 8
#define HASH_BITS_MAX 14
#define PAGES_PER_BUCKET 64

static struct futex_bucket *buckets __ro_after_init;
static unsigned int hash_bits __ro_after_init = HASH_BITS_MIN;

void futex_init(void)
{
	struct mem_stats st;

	mem_stats(&st);
	while (hash_bits < HASH_BITS_MAX && st.total_pages / PAGES_PER_BUCKET >> (hash_bits + 1))
		hash_bits++;
	buckets = kvmalloc(sizeof(*buckets) << hash_bits, GFP_KERNEL);
	if (!buckets)
		panic("no memory for futexes");
	for (size_t i = 0; i < 1UL << hash_bits; i++) {
		spin_init(&buckets[i].lock, LOCK_RANK_FUTEX);
		list_init(&buckets[i].waiters);
		list_init(&buckets[i].pi);
	}
}

struct futex_bucket *futex_bucket_of(const struct futex_key *key)
{
	return &buckets[hash_u64((uptr)key->object ^ (key->offset * 31), hash_bits)];
}

int futex_word_read_atomic(u64 addr, u32 *value)
{
	u64 v;
	int err;

	pagefault_disable();
	err = arch_get_user(addr, sizeof(u32), &v);
	pagefault_enable();
	*value = (u32)v;
	return err;
}

int futex_word_fault_in(u64 addr)
{
	u64 v;

	return arch_get_user(addr, sizeof(u32), &v);
}

void futex_waiter_wake(struct futex_waiter *w)
{
	struct task *t = w->task;

	list_del(&w->node);
	task_get(t);
	smp_store_release(&w->bucket, NULL);
	sched_wake(t, TASK_NORMAL);
	task_put(t);
}

/* end: NULL, or an entry of the list to stop at. */
static int wake_matching(struct futex_bucket *b, const struct futex_key *key, int nr, u32 bitset,
			 const struct futex_waiter *end)
{
	struct futex_waiter *w, *tmp;
	int woken = 0;

	ASSERT_HELD(&b->lock);
	if (unlikely(!list_empty(&b->pi)) && futex_pi_waited_for(b, key))
		return -EINVAL;
	list_for_each_safe(w, tmp, &b->waiters, node) {
		if (woken >= nr || w == end)
			break;
		if (!futex_key_equal(&w->key, key))
			continue;
		if (unlikely(w->requeue_pi))
			return -EINVAL; /* may only be requeued */
		if (!(w->bitset & bitset))
			continue;
		futex_waiter_wake(w);
		woken++;
	}
	return woken;
}

/*
 * Many at a time, with the lock given up after every WAKE_BATCH. Who waits again meanwhile queues
 * behind the marker, so the call ends; only real-time threads, which go in front, may be woken twice.
 */
#define WAKE_BATCH 32

static int wake_many(struct futex_bucket *b, const struct futex_key *key, int nr, u32 bitset)
{
	struct futex_waiter marker = {.task = NULL}; /* its key equals none */
	int total = 0, woken;
	bool end;

	spin_lock(&b->lock);
	list_add_tail(&marker.node, &b->waiters);
	for (;;) {
		woken = wake_matching(b, key, MIN(nr - total, WAKE_BATCH), bitset, &marker);
		total += MAX(woken, 0);
		end = woken < WAKE_BATCH || total == nr;
		if (end)
			break;
		spin_unlock(&b->lock);
		spin_lock(&b->lock);
	}
	list_del(&marker.node);
	spin_unlock(&b->lock);
	return total ? total : woken;
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
	b = futex_bucket_of(&key);
	/* No look at the list without the lock: a waiter that has read the word but is not queued yet
	 * would be missed, and sleep for good. */
	if (unlikely(nr > WAKE_BATCH)) {
		woken = wake_many(b, &key, nr, bitset);
	} else {
		spin_lock(&b->lock);
		woken = wake_matching(b, &key, MAX(nr, 1), bitset, NULL);
		spin_unlock(&b->lock);
	}
	futex_key_put(&key);
	return woken;
}

void futex_wake_one(struct user_u32 word)
{
	u64 addr = user_address(word);

	(void)futex_wake(addr, true, 1, FUTEX_BITSET_MATCH_ANY);
}

bool futex_waiter_unqueue(struct futex_waiter *w)
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

static void waiter_insert(struct futex_bucket *b, struct futex_waiter *w)
{
	struct futex_waiter *at;

	if (likely(!w->priority)) {
		list_add_tail(&w->node, &b->waiters);
		return;
	}
	list_for_each(at, &b->waiters, node)
		if (at->priority < w->priority)
			break;
	list_add_tail(&w->node, &at->node);
}

int futex_waiter_queue(struct futex_waiter *w, u64 addr, u32 expected)
{
	struct futex_bucket *b = futex_bucket_of(&w->key);
	u32 value;
	int err;

	for (;;) {
		spin_lock(&b->lock);
		err = futex_word_read_atomic(addr, &value);
		if (!err)
			break;
		spin_unlock(&b->lock);
		err = futex_word_fault_in(addr);
		if (err)
			return err;
	}
	if (value != expected) {
		spin_unlock(&b->lock);
		return -EAGAIN;
	}
	w->bucket = b;
	waiter_insert(b, w);
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
	if (!futex_waiter_unqueue(w))
		return 0;
	return err == -ETIME ? -ETIMEDOUT : -ERESTARTSYS;
}

static long futex_wait(u64 addr, bool shared, u32 expected, u64 deadline_ns, u32 bitset)
{
	struct futex_waiter w = {
		.task = current, .bitset = bitset, .priority = current->sched.rt_priority};
	struct futex_key key;
	int err;

	if (!bitset)
		return -EINVAL;
	err = futex_key_get(addr, shared, &key);
	if (err)
		return err;
	w.key = key;
	err = futex_waiter_queue(&w, addr, expected);
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

NO_THREAD_SAFETY void futex_buckets_lock(struct futex_bucket *a, struct futex_bucket *b)
{
	if (a > b) {
		futex_buckets_lock(b, a);
		return;
	}
	spin_lock(&a->lock);
	if (a != b)
		spin_lock_nested(&b->lock);
}

NO_THREAD_SAFETY void futex_buckets_unlock(struct futex_bucket *a, struct futex_bucket *b)
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
		if (w->requeue_pi)
			return -EINVAL;
		if (done++ < nr_wake) {
			futex_waiter_wake(w);
			continue;
		}
		w->key = *key2;
		if (from != to) {
			list_del(&w->node);
			waiter_insert(to, w);
			smp_store_release(&w->bucket, to);
		}
	}
	return done;
}

static int requeue_with_keys(u64 addr1, const struct futex_key *key1, const struct futex_key *key2,
			     int nr_wake, int nr_requeue, const u32 *expected)
{
	struct futex_bucket *from = futex_bucket_of(key1), *to = futex_bucket_of(key2);
	u32 value = 0;
	int result;

	for (;;) {
		futex_buckets_lock(from, to);
		result = expected ? futex_word_read_atomic(addr1, &value) : 0;
		if (!result)
			break;
		futex_buckets_unlock(from, to);
		result = futex_word_fault_in(addr1);
		if (result)
			return result;
	}
	if (expected && value != *expected)
		result = -EAGAIN;
	else
		result = requeue_locked(from, to, key1, key2, nr_wake, nr_requeue);
	futex_buckets_unlock(from, to);
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
	return arch_atomic_user_u32(addr, ops[index_clamp(op, ARRAY_SIZE(ops))], arg, old);
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
	struct futex_bucket *b1 = futex_bucket_of(key1), *b2 = futex_bucket_of(key2);
	int result, matches;
	u32 old;

	for (;;) {
		futex_buckets_lock(b1, b2);
		pagefault_disable();
		result = word_change(addr2, encoded, &old);
		pagefault_enable();
		if (result != -EFAULT)
			break;
		futex_buckets_unlock(b1, b2);
		/* A write that changes nothing brings the page in for writing. */
		result = arch_atomic_user_u32(addr2, USER_OR, 0, &old);
		if (result)
			return result;
	}
	if (!result) {
		matches = word_compare(encoded, old);
		result = matches < 0 ? matches :
				       wake_matching(b1, key1, nr1, FUTEX_BITSET_MATCH_ANY,
						     NULL);
		if (result >= 0 && matches > 0) {
			int more = wake_matching(b2, key2, nr2, FUTEX_BITSET_MATCH_ANY, NULL);

			result = more < 0 ? more : result + more;
		}
	}
	futex_buckets_unlock(b1, b2);
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

u64 futex_realtime_deadline(u64 ns)
{
	u64 offset = (u64)clock_realtime_offset();

	return ns > offset ? ns - offset : 0;
}

static bool has_timeout(u32 cmd)
{
	switch (cmd) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
	case FUTEX_WAIT_REQUEUE_PI:
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return true;
	default:
		return false;
	}
}

/* The deadline on the monotonic clock: FUTEX_WAIT's timeout is a span, the others' are times. */
static int futex_deadline(u32 op, struct user_timespec utimeout, u64 *deadline_ns)
{
	u32 cmd = op & FUTEX_CMD_MASK;
	struct timespec64 ts;
	u64 ns;

	*deadline_ns = U64_MAX;
	if (user_is_null(utimeout) || !has_timeout(cmd))
		return 0;
	if (user_read(&ts, utimeout))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	ns = timespec_to_ns(&ts);
	if (cmd == FUTEX_WAIT)
		ns = MIN(ns + clock_monotonic(), (u64)S64_MAX);
	else if (cmd == FUTEX_LOCK_PI || (op & FUTEX_CLOCK_REALTIME))
		ns = futex_realtime_deadline(ns);
	*deadline_ns = ns;
	return 0;
}

static bool realtime_allowed(u32 cmd)
{
	return cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_WAIT_REQUEUE_PI || cmd == FUTEX_LOCK_PI2;
}

long sys_futex(struct user_u32 uaddr, u32 op, u32 val, struct user_timespec utimeout,
	       struct user_u32 uaddr2, u32 val3)
{
	u64 addr = user_address(uaddr), addr2 = user_address(uaddr2), deadline_ns;
	int val2 = (int)user_address(utimeout); /* the counts of some operations are passed here */
	bool shared = !(op & FUTEX_PRIVATE_FLAG);
	u32 cmd = op & FUTEX_CMD_MASK;
	int err;

	if ((op & FUTEX_CLOCK_REALTIME) && !realtime_allowed(cmd))
		return -ENOSYS;
	err = futex_deadline(op, utimeout, &deadline_ns);
	if (err)
		return err;
	switch (cmd) {
	case FUTEX_WAIT:
		return futex_wait_timed(addr, op, val, deadline_ns, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAIT_BITSET:
		return futex_wait_timed(addr, op, val, deadline_ns, val3);
	case FUTEX_WAKE:
		return futex_wake(addr, shared, (int)val, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(addr, shared, (int)val, val3);
	case FUTEX_REQUEUE:
		return futex_requeue(addr, addr2, shared, (int)val, val2, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(addr, addr2, shared, (int)val, val2, &val3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(addr, addr2, shared, (int)val, val2, val3);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return futex_lock_pi(addr, shared, deadline_ns, false);
	case FUTEX_TRYLOCK_PI:
		return futex_lock_pi(addr, shared, U64_MAX, true);
	case FUTEX_UNLOCK_PI:
		return futex_unlock_pi(addr, shared);
	case FUTEX_WAIT_REQUEUE_PI:
		return futex_wait_requeue_pi(addr, shared, val, deadline_ns, FUTEX_BITSET_MATCH_ANY, addr2);
	case FUTEX_CMP_REQUEUE_PI:
		return futex_cmp_requeue_pi(addr, addr2, shared, (int)val, val2, val3);
	default:
		return -ENOSYS;
	}
}
