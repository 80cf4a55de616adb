/*
 * An error that many watch for: who records one, and each watcher who has not seen it hears of it once.
 * One word: the errno, whether anybody has looked since it was recorded, and a count that tells two
 * errors apart. A watcher keeps the word as he last saw it.
 */
#pragma once

#include <lib/types.h>

#define ERRSEQ_ERRNO 0xfffu
#define ERRSEQ_SEEN  0x1000u
#define ERRSEQ_ONE   0x2000u /* of the count */

/* Records err (negative). Any context. */
static inline void errseq_set(u32 *seq, int err)
{
	u32 old = __atomic_load_n(seq, __ATOMIC_RELAXED), new;

	do {
		new = (old & ~(ERRSEQ_ERRNO | ERRSEQ_SEEN)) | (u32)-err;
		if (old & ERRSEQ_SEEN)
			new += ERRSEQ_ONE;
	} while (new != old && !__atomic_compare_exchange_n(seq, &old, new, false, __ATOMIC_RELAXED,
							    __ATOMIC_RELAXED));
}

/* Where a new watcher begins: what nobody has seen yet, he will. */
static inline u32 errseq_sample(const u32 *seq)
{
	u32 now = __atomic_load_n(seq, __ATOMIC_RELAXED);

	return now & ERRSEQ_SEEN ? now : 0;
}

/* 0, or the error that was recorded last, if that was after *since. Watchers of one `since` take turns. */
static inline int errseq_advance(u32 *seq, u32 *since)
{
	u32 now = __atomic_load_n(seq, __ATOMIC_RELAXED);

	if (now == __atomic_load_n(since, __ATOMIC_RELAXED))
		return 0;
	/* An error that is recorded between the two is told next time. */
	__atomic_compare_exchange_n(seq, &now, now | ERRSEQ_SEEN, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	__atomic_store_n(since, now | ERRSEQ_SEEN, __ATOMIC_RELAXED);
	return -(int)(now & ERRSEQ_ERRNO);
}
