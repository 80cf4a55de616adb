/*
 * Atomic counters. Operations that return a value are fully ordered, the void ones and plain
 * read/set are relaxed; anything else names its order. struct ref is the one reference count.
 */
#pragma once

#include <lib/types.h>

struct atomic {
	int v;
};

struct atomic64 {
	s64 v;
};

static inline int atomic_read(const struct atomic *a)
{
	return __atomic_load_n(&a->v, __ATOMIC_RELAXED);
}

static inline void atomic_set(struct atomic *a, int v)
{
	__atomic_store_n(&a->v, v, __ATOMIC_RELAXED);
}

static inline void atomic_add(struct atomic *a, int v)
{
	__atomic_fetch_add(&a->v, v, __ATOMIC_RELAXED);
}

static inline void atomic_inc(struct atomic *a)
{
	atomic_add(a, 1);
}

static inline void atomic_dec(struct atomic *a)
{
	atomic_add(a, -1);
}

static inline int atomic_add_return(struct atomic *a, int v)
{
	return __atomic_add_fetch(&a->v, v, __ATOMIC_SEQ_CST);
}

static inline bool atomic_dec_and_test(struct atomic *a)
{
	return __atomic_sub_fetch(&a->v, 1, __ATOMIC_ACQ_REL) == 0;
}

/*
 * For counts that two kinds of users pull apart: up from 0 by +1, or down from 0 by -1. False: the
 * other kind is there.
 */
static inline bool __must_check atomic_move_from_zero(struct atomic *a, int step)
{
	int c = atomic_read(a);

	do {
		if ((step > 0 && c < 0) || (step < 0 && c > 0))
			return false;
	} while (!__atomic_compare_exchange_n(&a->v, &c, c + step, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	return true;
}

static inline int atomic_xchg(struct atomic *a, int v)
{
	return __atomic_exchange_n(&a->v, v, __ATOMIC_SEQ_CST);
}

static inline bool atomic_cmpxchg(struct atomic *a, int *old, int new)
{
	return __atomic_compare_exchange_n(&a->v, old, new, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

static inline s64 atomic64_read(const struct atomic64 *a)
{
	return __atomic_load_n(&a->v, __ATOMIC_RELAXED);
}

static inline void atomic64_set(struct atomic64 *a, s64 v)
{
	__atomic_store_n(&a->v, v, __ATOMIC_RELAXED);
}

static inline void atomic64_add(struct atomic64 *a, s64 v)
{
	__atomic_fetch_add(&a->v, v, __ATOMIC_RELAXED);
}

static inline s64 atomic64_add_return(struct atomic64 *a, s64 v)
{
	return __atomic_add_fetch(&a->v, v, __ATOMIC_SEQ_CST);
}

static inline void smp_mb(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#define smp_load_acquire(p)     __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)

/*
 * A reference count. It never wraps: a count driven to the saturation half stays there, so the
 * object leaks instead of being freed under a user.
 */
struct ref {
	int count;
};

#define REF_SATURATED (INT_MIN / 2)

static inline void ref_init(struct ref *r)
{
	__atomic_store_n(&r->count, 1, __ATOMIC_RELAXED);
}

static inline int ref_read(const struct ref *r)
{
	return __atomic_load_n(&r->count, __ATOMIC_RELAXED);
}

/* The caller already owns a reference. */
static inline void ref_get(struct ref *r)
{
	if (unlikely(__atomic_fetch_add(&r->count, 1, __ATOMIC_RELAXED) <= 0))
		__atomic_store_n(&r->count, REF_SATURATED, __ATOMIC_RELAXED);
}

/* Takes a reference unless the count is already 0: for RCU look-ups. */
static inline bool __must_check ref_get_unless_zero(struct ref *r)
{
	int c = ref_read(r);

	do {
		if (c <= 0)
			return c < 0;
	} while (!__atomic_compare_exchange_n(&r->count, &c, c + 1, true, __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED));
	return true;
}

/* True when this was the last reference: the caller now destroys the object. */
static inline bool __must_check ref_put(struct ref *r)
{
	int old = __atomic_fetch_sub(&r->count, 1, __ATOMIC_SEQ_CST);

	if (old == 1)
		return true;
	if (unlikely(old <= 0))
		__atomic_store_n(&r->count, REF_SATURATED, __ATOMIC_RELAXED);
	return false;
}
