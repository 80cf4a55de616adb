/* What the files of futexes share: buckets, waiters, and the words themselves. */
#pragma once

#include <lib/list.h>
#include <sched/pi.h>
#include <sync/spinlock.h>
#include "futex_key.h"

struct pi_wait;

struct futex_bucket {
	struct spinlock lock;       /* LOCK_RANK_FUTEX */
	struct list_head waiters;   /* lock */
	struct list_head pi;        /* lock: struct pi_futex */
} __cacheline_aligned;

struct futex_waiter {
	struct list_head node;        /* lock of its bucket */
	struct task *task;            /* const */
	struct futex_key key;         /* same lock; changes when it is requeued */
	struct futex_bucket *bucket;  /* written under both locks; NULL: woken (release) */
	struct pi_wait *requeue_pi;   /* const: waits to be requeued to a PI futex; else NULL */
	u32 bitset;                   /* const */
	u8 priority;                  /* const: real-time priority when it came */
};

/* A PI futex that somebody waits for, or whose word is being repaired. */
struct pi_futex {
	struct list_head node;      /* bucket->pi; bucket's lock */
	struct futex_key key;       /* const; its waiters hold the reference */
	struct pi_lock lock;        /* pi_spin */
	u32 nr_repairs;             /* bucket's lock: new owners that have not written the word yet */
};

/* One thread's wait for a PI futex, on its stack. */
struct pi_wait {
	struct pi_waiter waiter;
	struct pi_futex *futex;     /* bucket's lock */
	struct futex_key key;       /* const: of the PI futex; with a reference */
	bool repair;                /* set before granted: the owner died, the word is not ours yet */
	bool granted;               /* release: the caller owns the futex */
};

struct futex_bucket *futex_bucket_of(const struct futex_key *key);
/* Two buckets at once, in order of address; b may be a. */
void futex_buckets_lock(struct futex_bucket *a, struct futex_bucket *b);
void futex_buckets_unlock(struct futex_bucket *a, struct futex_bucket *b);

/* The word's value without sleeping. 0 or -EFAULT: not there now. */
int futex_word_read_atomic(u64 addr, u32 *value);
/* Brings the word in. 0 or -EFAULT: it cannot be read at all. */
int futex_word_fault_in(u64 addr);
/* A time on CLOCK_REALTIME as one on the monotonic clock. */
u64 futex_realtime_deadline(u64 ns);

/* Queues w if the word has the expected value. 0, -EAGAIN, -EFAULT. */
int futex_waiter_queue(struct futex_waiter *w, u64 addr, u32 expected);
/* Takes the waiter off if it is still queued: true then. */
bool futex_waiter_unqueue(struct futex_waiter *w);
/* Off its bucket and running. The waiter may be gone as soon as bucket is NULL. Bucket locked. */
void futex_waiter_wake(struct futex_waiter *w);

/* futex_pi.c */
long futex_lock_pi(u64 addr, bool shared, u64 deadline_ns, bool try);
long futex_unlock_pi(u64 addr, bool shared);
/* Does anybody wait for a PI futex with the key? Bucket locked. */
bool futex_pi_waited_for(struct futex_bucket *b, const struct futex_key *key);
struct pi_futex *pi_futex_alloc(void);
/*
 * On behalf of t, whose bucket is locked: 1: t owns the futex now. 0: it has another owner, *out is
 * its state (made from *fresh, which is used up, if there was none). -EFAULT: the word is to be
 * brought in for writing; -EAGAIN: try again; else the call's error.
 */
int pi_futex_take(struct futex_bucket *b, const struct futex_key *key, u64 addr, struct task *t,
		  bool set_waiters, struct pi_futex **fresh, struct pi_futex **out);
/* t waits from here on. Bucket locked. 0 or -EDEADLK. */
int pi_futex_wait(struct pi_futex *f, struct pi_wait *w, struct task *t);
/* Frees f if nobody needs it any more. Bucket locked. */
void pi_futex_release(struct pi_futex *f);
/* Brings the word in for writing. 0 or -EFAULT. */
int pi_word_fault_in(u64 addr);
/* Waiting is over: err as wait_sleep gave it. 0 when the futex was granted after all, else err. */
int pi_wait_end(struct pi_wait *w, u64 addr, int err);

/* futex_requeue_pi.c */
long futex_wait_requeue_pi(u64 addr, bool shared, u32 expected, u64 deadline_ns, u32 bitset,
			   u64 addr2);
long futex_cmp_requeue_pi(u64 addr1, u64 addr2, bool shared, int nr_wake, int nr_requeue,
			  u32 expected);
