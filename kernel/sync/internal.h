/* Private to sync/: the debug hooks of sleeping locks, which vanish in the release flavour. */
#pragma once

#include <sync/mutex.h>

#ifdef CONFIG_DEBUG
#define sleeping_lock_acquire(l)        lock_debug_acquire((l), (l)->rank, true)
#define sleeping_lock_acquire_nested(l) lock_debug_acquire((l), LOCK_RANK_NONE, true)
#define sleeping_lock_release(l)        lock_debug_release(l)
#else
#define sleeping_lock_acquire(l)        ((void)(l))
#define sleeping_lock_acquire_nested(l) ((void)(l))
#define sleeping_lock_release(l)        ((void)(l))
#endif

/* Links e behind (exclusive) or before the exclusive entries. Queue lock held. */
void wait_link_locked(struct wait_queue *q, struct wait_entry *e);
/* Takes e off; a waiter that finds it off without the lock sees a finished removal. Queue lock. */
void wait_unlink_locked(struct wait_entry *e);
/* True when a signal that the sleeping state reacts to is pending for the current task. */
bool wait_interrupted(u32 state);
/* Spins while *owner_word & ~flags is a running task, at most until a reschedule is wanted. */
void lock_spin_on_owner(const uptr *owner_word, uptr flags);
