/*
 * Timers of a process: ITIMER_REAL (a struct timer) and what counts CPU time: ITIMER_VIRTUAL,
 * ITIMER_PROF and RLIMIT_CPU. While one of the latter is in use, the scheduler adds up the CPU time
 * of all threads in struct cpu_timers and checks it on its tick, at least every
 * CPU_TIMER_STEP_NS; a process without such timers pays for one test of `active`.
 */
#pragma once

#include <lib/types.h>

struct process;
struct task;

#define CPU_TIMER_STEP_NS (4 * NSEC_PER_MSEC)

struct cpu_itimer {
	u64 expires_ns;        /* siglock: on the counters below; 0: off */
	u64 interval_ns;       /* siglock */
};

struct cpu_timers {
	bool active;           /* siglock to write */
	u64 runtime_ns;        /* atomic, while active: CPU time of the process */
	u64 user_ns;           /* atomic, while active: in user mode, since activation */
	struct cpu_itimer virt, prof;
};

/* For a new process, its limits filled in: all timers off. No lock needed yet. */
void process_timers_init(struct process *p);
/* For a process whose last thread exits: nothing fires afterwards. Process context, no spinlock. */
void process_timers_exit(struct process *p);
/* After a change of RLIMIT_CPU, siglock held: arranges for the limit to be checked. */
void process_timers_limit_changed(struct process *p);

/* The scheduler's accounting, any context: a thread has run for ran_ns, user_ns of it in user mode. */
static inline void cpu_timers_account(struct cpu_timers *ct, u64 ran_ns, u64 user_ns)
{
	__atomic_fetch_add(&ct->runtime_ns, ran_ns, __ATOMIC_RELAXED);
	if (user_ns)
		__atomic_fetch_add(&ct->user_ns, user_ns, __ATOMIC_RELAXED);
}
/* The scheduler's tick, a thread of p running on this CPU, ct->active. Hard interrupt, no locks. */
void cpu_timers_check(struct process *p);

/* CPU time of all threads, dead ones included, in two parts and exactly. siglock not held. */
void process_cpu_times(struct process *p, u64 *user_ns, u64 *system_ns);
u64 process_runtime(struct process *p);
