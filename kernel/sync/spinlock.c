/*
 * The contended path of spinlocks. Waiting reads only, so that the holder keeps the cache line
 * until it releases the lock. Any context; no lock of its own.
 */
#include <lib/log.h>
#include <sync/spinlock.h>

#ifdef CONFIG_DEBUG
#define SPIN_LIMIT (1U << 30) /* minutes: only a lock that is never released gets there */
#endif

void spin_wait(const struct spinlock *l)
{
#ifdef CONFIG_DEBUG
	u32 spins = 0;
#endif

	while (READ_ONCE(l->locked)) {
		cpu_relax();
#ifdef CONFIG_DEBUG
		if (unlikely(++spins == SPIN_LIMIT))
			panic("spinlock of rank %u is never released", l->rank);
#endif
	}
}
