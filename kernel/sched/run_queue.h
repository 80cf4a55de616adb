/*
 * Private to sched/: the run queue of a CPU. The running task is not in its class's tree or list,
 * but counts as runnable there; the idle task belongs to no class. `lock` (interrupts disabled)
 * guards everything that has no other note; it is held across the switch of tasks.
 */
#pragma once

#include <sync/spinlock.h>
#include <task/task.h>

/* sched_entity.on_rq */
#define ON_RQ_NO        0
#define ON_RQ_QUEUED    1 /* on the queue of task->cpu, or running there */
#define ON_RQ_MIGRATING 2 /* runnable, between two queues */

#define NICE_0_WEIGHT  1024U
#define FAIR_SLICE_NS  (3 * NSEC_PER_MSEC)
#define RR_SLICE_NS    (100 * NSEC_PER_MSEC)
#define RT_PRIOS       100
/* Real-time tasks leave a part of each period to fair ones that wait. */
#define RT_PERIOD_NS   (SCHED_RT_PERIOD_US * NSEC_PER_USEC)

struct fair_queue {
	struct rb_root tree;        /* by deadline, with the smallest vruntime of each subtree */
	struct sched_entity *curr;  /* the running task's, if it is fair */
	u32 nr;                     /* runnable, curr included */
	u64 base;                   /* reference point of the sums; only moves forward */
	s64 sum_wv;                 /* of weight * (vruntime - base) over the tree */
	u64 sum_w;                  /* of weight over the tree */
};

struct rt_queue {
	u64 bitmap[2];              /* bit 99 - priority: that list is not empty */
	struct list_head list[RT_PRIOS]; /* set up when its bit is set */
	u32 nr;                     /* runnable, the running one included */
	u64 period_start_ns, used_ns;
};

struct run_queue {
	struct spinlock lock;       /* LOCK_RANK_RUN_QUEUE */
	u32 cpu;                    /* const */
	u32 nr_running;             /* readable without the lock */
	struct task *curr;          /* readable without the lock under RCU */
	struct task *idle;          /* const once the CPU runs */
	u64 clock;                  /* monotonic time of the current operation */
	u8 resched_sent;            /* atomic: a reschedule interrupt is on its way */
	struct fair_queue fair;
	struct rt_queue rt;

	/* For the second half of a switch, which runs on the next task's stack. */
	struct mm *drop_mm;         /* structure reference of a lazily used address space */
	struct task *push;          /* task that may not stay on this CPU */

	/* account.c */
	u64 next_sample_ns, sample_step_ns, sampled_at_busy_ns;
	u64 busy_ns, idle_ns, user_ns, nice_ns, system_ns;
	u64 idle_since_ns;          /* while idle */
	u64 nr_switches;
	s32 nr_uninterruptible;     /* may be negative: only the sum over all CPUs counts */
	u64 next_balance_ns;
} __cacheline_aligned;

DECLARE_PER_CPU(struct run_queue, run_queue);

extern struct cpumask sched_cpus;  /* CPUs that schedule; atomic, grows during boot */
extern struct cpumask idle_cpus;   /* atomic; a hint */

static inline struct run_queue *cpu_rq(u32 cpu)
{
	return per_cpu_ptr(run_queue, cpu);
}
static inline struct run_queue *this_rq(void)
{
	return this_cpu_ptr(run_queue);
}
static inline bool rq_is_local(const struct run_queue *rq)
{
	return rq->cpu == smp_processor_id();
}

static inline bool policy_is_rt(u8 policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}
static inline bool task_is_rt(const struct task *t)
{
	return policy_is_rt(t->sched.policy);
}
static inline bool cpu_allowed(const struct task *t, u32 cpu)
{
	return t->cpus_allowed.bits & BIT(cpu);
}

/* Locks t's run queue; t->cpu is stable then. Interrupts disabled. */
struct run_queue *task_rq_lock(const struct task *t);
static inline void task_rq_unlock(struct run_queue *rq) NO_THREAD_SAFETY
{
	spin_unlock_no_resched(&rq->lock);
}

/* params.c: t inherits a real-time priority, 0: none. pi_spin held. */
void sched_set_inherited(struct task *t, u8 priority);

/* core.c. The lock is held in all of these. */
void rq_update(struct run_queue *rq);                 /* clock and the running task's accounts */
void rq_activate(struct run_queue *rq, struct task *t);   /* makes t runnable here */
void rq_deactivate(struct run_queue *rq, struct task *t, u8 on_rq);
void rq_check_preempt(struct run_queue *rq, struct task *t); /* t has just become runnable */
void rq_resched(struct run_queue *rq);                /* its CPU passes schedule() soon */
void rq_set_next(struct run_queue *rq, struct task *t);   /* t, queued, becomes the running one */
/* Programs this CPU's next scheduling event. Only on the queue's own CPU. */
void rq_arm(struct run_queue *rq);

/* fair.c */
void fair_set_weight(struct task *t);
void fair_init_entity(struct sched_entity *se);
u64 fair_to_virtual(u64 ns, const struct sched_entity *se);
/* The running task has used its slice up: a new one, and the next task's turn. */
void fair_slice_end(struct run_queue *rq, struct task *t);
void fair_enqueue(struct run_queue *rq, struct task *t);
void fair_dequeue(struct run_queue *rq, struct task *t);
void fair_put_prev(struct run_queue *rq, struct task *t);
void fair_set_next(struct run_queue *rq, struct task *t);
struct task *fair_pick(struct run_queue *rq);
/* t has just been queued: true when it should run before the running task, which is fair too. */
bool fair_beats_running(struct run_queue *rq, const struct task *t);
/* Time until the running task has used its slice up. */
u64 fair_slice_left(const struct run_queue *rq);
void fair_yield(struct run_queue *rq);
struct task *fair_steal_candidate(struct run_queue *rq, u32 cpu);

/* rt.c */
void rt_account(struct run_queue *rq, struct task *t, u64 ran_ns);
void rt_enqueue(struct run_queue *rq, struct task *t);
void rt_dequeue(struct run_queue *rq, struct task *t);
void rt_put_prev(struct run_queue *rq, struct task *t);
void rt_set_next(struct run_queue *rq, struct task *t);
/* The highest, prev included if it is a runnable real-time task; NULL: none, or throttled. */
struct task *rt_pick(struct run_queue *rq, struct task *prev);
/* When the scheduler must look again because of the real-time class; U64_MAX: never. */
u64 rt_next_event(const struct run_queue *rq);
bool rt_throttled(const struct run_queue *rq);
struct task *rt_steal_candidate(struct run_queue *rq, u32 cpu);

/* balance.c */
u32 select_cpu(struct task *t, bool new);
/* This CPU's queue is about to run dry: tries to fetch a task from another one. */
void balance_idle(struct run_queue *rq);
/* On the tick: evens out with the busiest queue, and calls an idle CPU for what waits here. */
void balance_tick(struct run_queue *rq);

/* account.c */
void account_sample(struct run_queue *rq, bool user);
void account_idle_start(struct run_queue *rq);
void account_idle_end(struct run_queue *rq);
void loadavg_tick(u64 now);

/* On every switch and wake-up, so in line: what t has run counts, to itself and in its class. */
static inline void account_ran(struct run_queue *rq, struct task *t, u64 ran_ns)
{
	/* Torn-free for readers without the lock. */
	WRITE_ONCE(t->se.sum_exec_ns, t->se.sum_exec_ns + ran_ns);
	rq->busy_ns += ran_ns;
	if (unlikely(t->process && READ_ONCE(t->process->cpu_timers.active)))
		cpu_timers_account(&t->process->cpu_timers, ran_ns, 0);
}

static inline void fair_account(struct run_queue *rq, struct task *t, u64 ran_ns)
{
	struct sched_entity *se = &t->se;

	se->vruntime += likely(se->weight == NICE_0_WEIGHT) ? ran_ns : fair_to_virtual(ran_ns, se);
	if (unlikely((s64)(se->vruntime - se->deadline) >= 0))
		fair_slice_end(rq, t);
}
