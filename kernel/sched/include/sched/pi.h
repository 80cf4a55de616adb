/*
 * Priority inheritance: who holds what, who waits for it, and the real-time priority that holders
 * get from those who wait for them, along chains. The locks themselves (futex words) are the
 * caller's business. One spinlock, pi_spin, guards all of it: contended priority-inheriting locks
 * are rare, and a chain may lead anywhere.
 */
#pragma once

#include <lib/list.h>
#include <sync/spinlock.h>

struct task;

extern struct spinlock pi_spin; /* LOCK_RANK_PI */

struct pi_lock {
	struct task *owner;         /* NULL: nobody */
	struct list_head waiters;   /* highest priority first, then order of arrival */
	struct list_head owned_node; /* owner->pi_owned */
};

struct pi_waiter {
	struct list_head node;
	struct task *task;
	struct pi_lock *lock;
	u8 priority;                /* 1..99; all fair tasks are 0 */
};

/* pi_spin is held in all of these. */
void pi_lock_init(struct pi_lock *l);
/* t (NULL: nobody) becomes the owner and inherits from the waiters; the former one loses that. */
void pi_set_owner(struct pi_lock *l, struct task *t);
/* t, which is not running further than this, waits. 0, or -EDEADLK when the chain of owners leads
 * back to t or is absurdly long. */
int pi_wait(struct pi_lock *l, struct pi_waiter *w, struct task *t) __must_check;
/* Ends a wait that was not granted. */
void pi_cancel(struct pi_waiter *w);
/* NULL: nobody waits. */
struct pi_waiter *pi_first_waiter(struct pi_lock *l);
/* A waiter becomes the owner and waits no longer. */
void pi_grant(struct pi_waiter *w);

/* t's own priority has changed; pi_spin not held. */
void pi_priority_changed(struct task *t);
