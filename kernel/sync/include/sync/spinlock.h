/*
 * Spinlocks: held for short, bounded work with preemption disabled. A lock that an interrupt
 * handler takes is always taken with the _irqsave (or _irq) form.
 */
#pragma once

#include <arch/cpu.h>
#include <arch/irq.h>
#include <sync/lock_ranks.h>
#include <sync/preempt.h>

struct CAPABILITY("spinlock") spinlock {
	u32 locked;
#ifdef CONFIG_DEBUG
	u16 rank;
#endif
};

#ifdef CONFIG_DEBUG
#define SPINLOCK_INIT(rank_) {.rank = (rank_)}
/* Checks and records an acquisition, before waiting for it. rank NONE records without the check. */
void lock_debug_acquire(const void *lock, u16 rank, bool sleeping);
void lock_debug_release(const void *lock);
/* By this CPU (spinlocks) or the current task (sleeping locks). */
bool lock_debug_held(const void *lock);
/* Violations reported since boot: a clean run ends with 0. */
u32 lock_debug_reports(void);
#else
#define SPINLOCK_INIT(rank_) {.locked = 0}
static inline void lock_debug_acquire(const void *l __maybe_unused, u16 rank __maybe_unused,
				      bool sleeping __maybe_unused)
{
}
static inline void lock_debug_release(const void *l __maybe_unused)
{
}
#endif

#define DEFINE_SPINLOCK(name, rank) struct spinlock name = SPINLOCK_INIT(rank)

static inline void spin_init(struct spinlock *l, enum lock_rank rank __maybe_unused)
{
	*l = (struct spinlock)SPINLOCK_INIT(rank);
}

/* The contended path: waits until the lock looks free. */
void spin_wait(const struct spinlock *l);

static inline void spin_lock(struct spinlock *l) ACQUIRES(*l) NO_THREAD_SAFETY
{
	preempt_disable();
#ifdef CONFIG_DEBUG
	lock_debug_acquire(l, l->rank, false);
#endif
	while (unlikely(__atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE)))
		spin_wait(l);
}

static inline bool __must_check spin_trylock(struct spinlock *l) TRY_ACQUIRES(true, *l)
	NO_THREAD_SAFETY
{
	preempt_disable();
	if (!__atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE)) {
#ifdef CONFIG_DEBUG
		lock_debug_acquire(l, LOCK_RANK_NONE, false);
#endif
		return true;
	}
	preempt_enable();
	return false;
}

static inline void spin_unlock_no_resched(struct spinlock *l) RELEASES(*l) NO_THREAD_SAFETY
{
	lock_debug_release(l);
	__atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
	preempt_enable_no_resched();
}

static inline void spin_unlock(struct spinlock *l) RELEASES(*l) NO_THREAD_SAFETY
{
	lock_debug_release(l);
	__atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
	preempt_enable();
}

static inline u64 __must_check spin_lock_irqsave(struct spinlock *l) ACQUIRES(*l) NO_THREAD_SAFETY
{
	u64 flags = arch_irq_save();

	spin_lock(l);
	return flags;
}

static inline void spin_unlock_irqrestore(struct spinlock *l, u64 flags) RELEASES(*l)
	NO_THREAD_SAFETY
{
	lock_debug_release(l);
	__atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
	arch_irq_restore(flags);
	preempt_enable();
}

static inline void spin_lock_irq(struct spinlock *l) ACQUIRES(*l) NO_THREAD_SAFETY
{
	arch_irq_disable();
	spin_lock(l);
}

static inline void spin_unlock_irq(struct spinlock *l) RELEASES(*l) NO_THREAD_SAFETY
{
	lock_debug_release(l);
	__atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
	arch_irq_enable();
	preempt_enable();
}

/* A second lock of the same rank: the caller documents the order (by address, parent first …). */
static inline void spin_lock_nested(struct spinlock *l) ACQUIRES(*l) NO_THREAD_SAFETY
{
	preempt_disable();
#ifdef CONFIG_DEBUG
	lock_debug_acquire(l, LOCK_RANK_NONE, false);
#endif
	while (unlikely(__atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE)))
		spin_wait(l);
}

static inline bool spin_is_locked(const struct spinlock *l)
{
	return READ_ONCE(l->locked);
}

/* At the head of every helper that relies on a lock. */
#ifdef CONFIG_DEBUG
#define ASSERT_HELD(l) ASSERT(lock_debug_held(l))
#else
#define ASSERT_HELD(l) ((void)(l))
#endif
