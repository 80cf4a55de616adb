/*
 * Failures made on purpose, in the debug flavours: /proc/PID/fail-nth, as Linux has it with fault
 * injection built in. A number n written there makes the n-th of the task's coming allocations and
 * user copies fail as if memory had run out or a page had vanished; it reads as what is left, 0
 * when that has happened. Elsewhere it costs nothing.
 */
#pragma once

#include <task/task.h>

#ifdef CONFIG_DEBUG
/* Should this allocation or copy fail? Any context; what an interrupt allocates in between counts
 * instead. */
static inline bool inject_failure(void)
{
	struct task *t = current;
	u32 left = t ? READ_ONCE(t->fail_nth) : 0;

	return unlikely(left) &&
	       __atomic_compare_exchange_n(&t->fail_nth, &left, left - 1, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED) &&
	       left == 1;
}
#else
static inline bool inject_failure(void)
{
	return false;
}
#endif
