/*
 * What counts CPU time of a process: ITIMER_VIRTUAL, ITIMER_PROF, RLIMIT_CPU, RLIMIT_RTTIME and POSIX
 * timers on the CPU clocks of the process and its threads. While one of these is in use, the
 * scheduler adds up the CPU time of all threads in struct cpu_timers and checks it on its tick, at
 * least every CPU_TIMER_STEP_NS; a process without such timers pays for one test of `active`.
 */
#pragma once

#include <lib/rbtree.h>
#include <sync/spinlock.h>

struct process;
struct task;

#define CPU_TIMER_STEP_NS (4 * NSEC_PER_MSEC)

struct cpu_itimer {
	u64 expires_ns;        /* siglock: on the counters below; 0: off */
	u64 interval_ns;       /* siglock */
};

enum cpu_time { CPU_TIME_TOTAL, CPU_TIME_USER, NR_CPU_TIMES };

/* Armed timers on one clock, by expiry. */
struct cpu_clock_queue {
	struct rb_root root;
	struct rb_node *first;
};

struct cpu_timers {
	struct spinlock lock;  /* LOCK_RANK_CPU_TIMERS: the queues, here and in the threads */
	bool active;           /* siglock to write */
	u32 nr_timers;         /* siglock: POSIX timers that exist on clocks of this process */
	u64 runtime_ns;        /* atomic, while active: CPU time of the process; never ahead of it */
	u64 user_ns;           /* atomic, while active: in user mode */
	struct cpu_itimer virt, prof;
	struct cpu_clock_queue queue[NR_CPU_TIMES]; /* lock */
};

/* A timer on the CPU clock of any process, or of a thread of the own one. */
struct cpu_timer {
	struct rb_node node;           /* target's lock, and the next two */
	u64 expires_ns;
	enum { CPU_TIMER_IDLE, CPU_TIMER_QUEUED, CPU_TIMER_FIRING } state;
	struct cpu_timer *next_due;    /* the CPU that fires it */
	struct process *target;        /* const: reference */
	struct task *thread;           /* const: reference; NULL: the whole process */
	enum cpu_time time;            /* const */
	void (*fn)(struct cpu_timer *); /* const: hard interrupt; calls cpu_timer_fired */
};

/* For the clock id (fixed or dynamic) as the current task sees it. 0 or -EINVAL. */
int cpu_timer_init(struct cpu_timer *ct, int clock, void (*fn)(struct cpu_timer *)) __must_check;
/* It is idle. Drops what it refers to. Process context. */
void cpu_timer_fini(struct cpu_timer *ct);
/* Its clock, exactly. 0, or -ESRCH: its process or thread is gone. No siglock held. */
int cpu_timer_now(const struct cpu_timer *ct, u64 *ns) __must_check;
/* The same as the scheduler has counted it last: never ahead. Any context. */
u64 cpu_timer_counted(const struct cpu_timer *ct);
/* The rest as for struct timer; the owner's lock may be a siglock. */
void cpu_timer_arm(struct cpu_timer *ct, u64 expires_ns);
int cpu_timer_try_cancel(struct cpu_timer *ct) __must_check;
/* In the callback, once it holds the owner's lock: from here on the timer may be cancelled. */
void cpu_timer_fired(struct cpu_timer *ct);

/* For a new process, its limits filled in: all timers off. No lock needed yet. */
void process_timers_init(struct process *p);
/* For a process whose last thread exits: nothing fires afterwards. Process context, no spinlock. */
void process_timers_exit(struct process *p);
/* After a change of RLIMIT_CPU or RTTIME, siglock held: arranges for the limit to be checked. */
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
