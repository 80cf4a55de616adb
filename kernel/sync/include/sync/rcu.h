/*
 * Read-copy-update, quiescent-state based. A reader runs with preemption disabled and may not
 * sleep; user mode, idling and context switches are quiescent. A grace period ends when every CPU
 * has been quiescent once since it began.
 */
#pragma once

#include <sync/preempt.h>

struct rcu_head {
	struct rcu_head *next;
	void (*fn)(struct rcu_head *);
};

static inline void rcu_read_lock(void)
{
	preempt_disable();
}

static inline void rcu_read_unlock(void)
{
	preempt_enable();
}

#define rcu_dereference(p)   __atomic_load_n(&(p), __ATOMIC_CONSUME)
#define rcu_assign(p, v)     __atomic_store_n(&(p), v, __ATOMIC_RELEASE)

/* Runs fn(head) in process context (the RCU thread) after a grace period. Any context. */
void rcu_call(struct rcu_head *head, void (*fn)(struct rcu_head *));
/* kfree(object) after a grace period; the head must lie in the object. */
void rcu_kfree(struct rcu_head *head, void *object);
/* Waits for a grace period. Process context. */
void rcu_synchronize(void);

/* Hooks of the idle loop, interrupts disabled. An interrupt ends the idle state by itself. */
void rcu_idle_enter(void);
void rcu_idle_exit(void);

extern u64 rcu_gp;               /* number of the newest grace period */
DECLARE_PER_CPU(u64, rcu_seen);  /* the newest one that began before this CPU's last quiescent state */

/* Hook of the scheduler: each pass through schedule(). Interrupts disabled. */
static inline void rcu_quiescent(void)
{
	/* What readers on this CPU did stays before the mark; pairs with cpu_passed() in rcu.c. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	this_cpu_write(rcu_seen, __atomic_load_n(&rcu_gp, __ATOMIC_ACQUIRE));
}

/* Starts the grace-period thread. Once, when kernel threads can run. */
void rcu_start(void);
