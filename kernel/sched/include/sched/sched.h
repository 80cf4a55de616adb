/*
 * The scheduler: per-CPU run queues with a real-time class (FIFO and RR, 99 priorities) above a
 * fair class (EEVDF). Kernel code is preempted wherever preempt_count allows.
 */
#pragma once

#include <arch/context.h>
#include <arch/cpu.h>
#include <lib/list.h>
#include <lib/rbtree.h>
#include <linux/sched.h>
#include <sync/preempt.h>

struct task;

/* task->state. A waker names the states it wakes. */
#define TASK_RUNNING         0x00
#define TASK_INTERRUPTIBLE   0x01
#define TASK_UNINTERRUPTIBLE 0x02
#define TASK_WAKEKILL        0x04 /* a fatal signal wakes it */
#define TASK_KILLABLE        (TASK_UNINTERRUPTIBLE | TASK_WAKEKILL)
#define TASK_STOPPED         0x10 /* job control */
#define TASK_TRACED          0x20
#define TASK_DEAD            0x40 /* will never run again */
#define TASK_NEW             0x80
#define TASK_NORMAL          (TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE)
#define TASK_ANY             0x3f

struct sched_entity {
	/* Fair class; the run-queue lock guards all of it. */
	struct rb_node node;
	u64 deadline;          /* virtual */
	u64 vruntime;
	u64 min_vruntime;      /* of the subtree; augmented */
	s64 vlag;              /* while off the queue: how far it was behind the average */
	u32 weight;            /* 1024 is nice 0 */
	u32 inv_weight;        /* 2^32 / weight */
	u8 on_rq;              /* ON_RQ_*, see sched/run_queue.h; readable without the lock */
	bool uninterruptible;  /* counts in the load average while it sleeps */
	/* Real-time class. */
	bool rt_to_tail;       /* used its turn up: goes behind its equals */
	struct list_head rt_node;
	u64 rt_slice_left_ns;
	u64 rt_ran_ns;         /* since it slept last, for RLIMIT_RTTIME */
	/* Accounting. */
	u64 exec_start_ns;
	u64 sum_exec_ns;       /* CPU time, exact up to exec_start_ns */
	u64 sampled_exec_ns;   /* sum_exec_ns at the last sample */
	u64 sampled_user_ns, sampled_system_ns; /* how samples split it; see sched/account.c */
	u64 nr_switches_voluntary, nr_switches_involuntary;
};

/* Scheduling parameters of a task as sched_setattr(2) sees them. */
struct sched_params {
	u8 policy;             /* SCHED_OTHER BATCH IDLE FIFO RR */
	u8 rt_priority;        /* 1..99 for FIFO and RR, else 0 */
	s8 nice;               /* -20..19 */
	bool reset_on_fork;
};

/* Sets up the run queues; the caller becomes CPU 0's idle task. */
void sched_init(void);
/* Second half of a secondary CPU's start: it becomes that CPU's idle task. */
__noreturn void sched_cpu_start(void);
__noreturn void sched_idle_loop(void);

/* Scheduling state of a new task from its parent (fork) or defaults (parent NULL). */
void sched_task_init(struct task *t, const struct task *parent);
/* Makes a TASK_NEW task runnable for the first time. */
void sched_wake_new(struct task *t);
/* Wakes t if it is in one of the states; true when it was. Any context. */
bool sched_wake(struct task *t, u32 states);

/* Gives the CPU up. The caller has set its state; TASK_RUNNING yields only to what comes first. */
void schedule(void);
/* Sleeps until woken or the monotonic deadline; what is left (0 when it passed). */
u64 schedule_until(u64 deadline_ns);
void sched_yield(void);
/* The last call of an exiting task: never returns; the scheduler drops the task's own reference. */
__noreturn void sched_exit(void);
/* First action of every new task after its first switch, called by arch with the previous task. */
void sched_finish_switch(struct task *prev);

/* current->state = state with a full barrier, before testing what is waited for. */
void sched_set_state(u32 state);

/* The scheduler's event on this CPU (timer_slice_arm) is due. Hard-interrupt context, no locks. */
void sched_tick(u64 now);
/* The current process has got CPU timers: makes sure that this CPU ticks. Process context. */
void sched_restart_tick(void);

/* Interrupt-return hook of arch: kernel mode, count 0, reschedule wanted, interrupts disabled. */
void preempt_schedule_irq(void);
/* Marks this CPU for rescheduling. Interrupts disabled. */
void sched_resched_this_cpu(void);

/* Waits until t is off every CPU (exited or fully blocked). Process context. */
void sched_wait_inactive(struct task *t);

/* The parameters without inherited priority. */
int sched_set_params(struct task *t, const struct sched_params *p) __must_check;
void sched_get_params(const struct task *t, struct sched_params *p);
/* Moves t to an allowed CPU. -EINVAL when no online CPU is in the mask. */
int sched_set_affinity(struct task *t, struct cpumask mask) __must_check;

/* CPU time of a task up to now, ns, exact. The split into user and system time is that of samples,
 * scaled to the exact sum, as sched/account.c explains; neither part ever goes back. Any context. */
u64 sched_task_runtime(const struct task *t);
void sched_task_times(const struct task *t, u64 *user_ns, u64 *system_ns);

/* How much of each period real-time tasks may use while others wait; -1: all. Torn-free. */
#define SCHED_RT_PERIOD_US 1000000
extern s32 sched_rt_runtime_us;

struct sched_cpu_stat {
	u64 user_ns, nice_ns, system_ns, idle_ns, irq_ns;
	u64 switches;
};
void sched_cpu_stat(u32 cpu, struct sched_cpu_stat *st);
/* 1, 5 and 15 minute averages, in 1/65536ths, and the number runnable, for /proc/loadavg. Kernel
 * threads that wait for work are no load. */
void sched_loadavg(u64 avg[3], u32 *running);

/* A kernel thread, runnable at once. NULL when out of memory. fn may not return without
 * task_exit_kernel(). Owner of the implementation: task/. */
struct task *kthread_create(void (*fn)(void *), void *arg, const char *name);
