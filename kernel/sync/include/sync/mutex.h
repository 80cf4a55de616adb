/* Sleeping locks: process context only. A mutex has one owner; an rwsem one writer or many readers. */
#pragma once

#include <sync/wait.h>

struct CAPABILITY("mutex") mutex {
	uptr owner;              /* atomic: struct task *, and flag bits private to mutex.c */
	struct wait_queue wait;
#ifdef CONFIG_DEBUG
	u16 rank;
#endif
};

#ifdef CONFIG_DEBUG
#define MUTEX_INIT(name, rank_) {.wait = WAIT_QUEUE_INIT((name).wait), .rank = (rank_)}
#else
#define MUTEX_INIT(name, rank_) {.wait = WAIT_QUEUE_INIT((name).wait)}
#endif
#define DEFINE_MUTEX(name, rank) struct mutex name = MUTEX_INIT(name, rank)

void mutex_init(struct mutex *m, enum lock_rank rank);
void mutex_lock(struct mutex *m) ACQUIRES(*m);
/* -ERESTARTSYS when a fatal signal came first. */
int mutex_lock_killable(struct mutex *m) __must_check TRY_ACQUIRES(false, *m);
int mutex_lock_interruptible(struct mutex *m) __must_check TRY_ACQUIRES(false, *m);
bool mutex_trylock(struct mutex *m) __must_check TRY_ACQUIRES(true, *m);
/* A second mutex of the same rank; the caller documents the order. */
void mutex_lock_nested(struct mutex *m) ACQUIRES(*m);
void mutex_unlock(struct mutex *m) RELEASES(*m);
bool mutex_held(const struct mutex *m); /* by the current task */

struct CAPABILITY("rwsem") rwsem {
	u64 count;               /* atomic: readers, writer, waiters; layout private to rwsem.c */
	struct wait_queue wait;
	struct task *writer;     /* for debug and assertions */
#ifdef CONFIG_DEBUG
	u16 rank;
#endif
};

void rwsem_init(struct rwsem *s, enum lock_rank rank);
void rwsem_read_lock(struct rwsem *s) ACQUIRES_SHARED(*s);
bool rwsem_read_trylock(struct rwsem *s) __must_check;
void rwsem_read_unlock(struct rwsem *s) RELEASES_SHARED(*s);
void rwsem_write_lock(struct rwsem *s) ACQUIRES(*s);
int rwsem_write_lock_killable(struct rwsem *s) __must_check TRY_ACQUIRES(false, *s);
void rwsem_write_lock_nested(struct rwsem *s) ACQUIRES(*s);
bool rwsem_write_trylock(struct rwsem *s) __must_check TRY_ACQUIRES(true, *s);
void rwsem_write_unlock(struct rwsem *s) RELEASES(*s);
/* Turns the write lock into a read lock without letting a writer in between. */
void rwsem_downgrade(struct rwsem *s);
bool rwsem_write_held(const struct rwsem *s);
