/*
 * The preemption count of the CPU. 0 means: kernel code that runs now may be preempted, and
 * somebody asked for it. The lowest 16 bits count preempt_disable nesting (spinlocks and RCU
 * readers included), the next 4 hard-interrupt nesting; the top bit is inverted: it is CLEAR when
 * a reschedule is wanted, so that one decrement-and-test covers both questions.
 */
#pragma once

#include <arch/percpu.h>

DECLARE_PER_CPU(u32, preempt_count);

#define PREEMPT_MASK      0x0000ffffU
#define HARDIRQ_OFFSET    0x00010000U
#define HARDIRQ_MASK      0x000f0000U
#define NO_RESCHED        0x80000000U
#define PREEMPT_COUNT_INIT NO_RESCHED

static inline void preempt_disable(void)
{
	this_cpu_add(preempt_count, 1);
	barrier();
}

/* Leaves the section without rescheduling: only where a reschedule check follows anyway. */
static inline void preempt_enable_no_resched(void)
{
	barrier();
	this_cpu_add(preempt_count, -1);
}

/* Owner: sched/. Reschedules if interrupts are enabled; called with the count at 0. */
void preempt_schedule(void);

/* The call, hardly ever made, spares the caller's registers: what calls nothing else stays short. */
static inline void preempt_enable(void)
{
	this_cpu_dec_call_at_zero(preempt_count, preempt_schedule);
}

static inline bool need_resched(void)
{
	return !(this_cpu_read(preempt_count) & NO_RESCHED);
}

static inline bool in_hardirq(void)
{
	return this_cpu_read(preempt_count) & HARDIRQ_MASK;
}

DECLARE_PER_CPU(u8, rcu_idling);
void rcu_idle_exit(void);

/*
 * Around every hardware interrupt's handler, interrupts disabled; arch's entry calls them. An idle
 * CPU counts as a reader again from here until its idle loop comes round.
 */
static inline void hardirq_enter(void)
{
	this_cpu_add(preempt_count, HARDIRQ_OFFSET);
	if (unlikely(this_cpu_read(rcu_idling)))
		rcu_idle_exit();
}

static inline void hardirq_exit(void)
{
	barrier();
	this_cpu_add(preempt_count, -HARDIRQ_OFFSET);
}

/* True where sleeping is forbidden, interrupts disabled aside. */
static inline bool in_atomic(void)
{
	return this_cpu_read(preempt_count) & ~NO_RESCHED;
}

/* Debug flavours: panics when the caller may not sleep (atomic, or interrupts disabled). */
#ifdef CONFIG_DEBUG
void might_sleep(void);
#else
static inline void might_sleep(void)
{
}
#endif
