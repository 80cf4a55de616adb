/*
 * Which CPU a task runs on. A waking task goes to its previous CPU if that idles, else to an idle
 * one, else where less waits. A CPU that runs dry fetches a task from the busiest queue; busy ones
 * compare themselves on their tick. There is no scan over tasks: queues are compared by length,
 * and a few candidates are looked at.
 *
 * select_cpu reads other queues without their locks: its answer is a hint that later events put
 * right. A second run-queue lock is only tried, never waited for, so there is no order to keep.
 */
#include <lib/bits.h>
#include "run_queue.h"

#define BALANCE_NS (20 * NSEC_PER_MSEC)

static inline struct cpumask allowed_cpus(const struct task *t)
{
	u64 all = READ_ONCE(sched_cpus.bits), bits = t->cpus_allowed.bits & all;

	return (struct cpumask){bits ? bits : all}; /* its last CPU cannot go away */
}

/* Claims an idle CPU of the set, so that the next waker takes another one. */
static bool claim_idle(u32 cpu)
{
	u64 bit = BIT(cpu);

	return __atomic_fetch_and(&idle_cpus.bits, ~bit, __ATOMIC_RELAXED) & bit;
}

static u32 shortest_queue(struct cpumask set, u32 best)
{
	for (u64 left = set.bits & ~BIT(best); left; left &= left - 1) {
		u32 cpu = bit_lowest(left);

		if (READ_ONCE(cpu_rq(cpu)->nr_running) < READ_ONCE(cpu_rq(best)->nr_running))
			best = cpu;
	}
	return best;
}

/* Priority of what runs there: 0 idle, 1 fair, above: real-time. */
static u32 running_prio(u32 cpu)
{
	struct run_queue *rq = cpu_rq(cpu);
	const struct task *t;
	u32 prio = 0;

	rcu_read_lock();
	t = READ_ONCE(rq->curr);
	if (t && t != rq->idle)
		prio = 1 + (task_is_rt(t) ? t->sched.rt_priority : 0);
	rcu_read_unlock();
	return prio;
}

static u32 least_important(struct cpumask set, u32 best)
{
	for (u64 left = set.bits & ~BIT(best); left; left &= left - 1)
		if (running_prio(bit_lowest(left)) < running_prio(best))
			best = bit_lowest(left);
	return best;
}

u32 select_cpu(struct task *t, bool new)
{
	struct cpumask set = allowed_cpus(t);
	u32 cpu = t->cpu;
	u64 idle;

	if (!(set.bits & (set.bits - 1)))
		return bit_lowest(set.bits);
	if (!(set.bits & BIT(cpu)))
		cpu = bit_lowest(set.bits);
	idle = READ_ONCE(idle_cpus.bits) & set.bits;
	if ((idle & BIT(cpu)) && claim_idle(cpu))
		return cpu;
	for (; idle; idle &= idle - 1)
		if (claim_idle(bit_lowest(idle)))
			return bit_lowest(idle);
	if (task_is_rt(t))
		return least_important(set, cpu);
	/* A new task may start anywhere; one that ran has a warm cache to go back to. */
	return new ? shortest_queue(set, cpu) : cpu;
}

/* Both locks held: takes one task that may run here from `from`; NULL: there is none. */
static struct task *pull_one(struct run_queue *rq, struct run_queue *from)
{
	struct task *t = from->rt.nr ? rt_steal_candidate(from, rq->cpu) : NULL;

	if (!t)
		t = fair_steal_candidate(from, rq->cpu);
	if (!t)
		return NULL;
	rq_deactivate(from, t, ON_RQ_MIGRATING);
	t->cpu = rq->cpu;
	rq_activate(rq, t);
	return t;
}

static struct run_queue *busiest(const struct run_queue *rq, u32 at_least)
{
	struct run_queue *best = NULL;

	for (u64 left = READ_ONCE(sched_cpus.bits) & ~BIT(rq->cpu); left; left &= left - 1) {
		struct run_queue *other = cpu_rq(bit_lowest(left));
		u32 nr = READ_ONCE(other->nr_running);

		if (nr >= at_least) {
			at_least = nr + 1;
			best = other;
		}
	}
	return best;
}

static struct task *pull(struct run_queue *rq, u32 at_least)
{
	struct run_queue *from = busiest(rq, at_least);
	struct task *t = NULL;

	if (!from || !spin_trylock(&from->lock))
		return NULL;
	if (from->nr_running >= at_least)
		t = pull_one(rq, from);
	spin_unlock_no_resched(&from->lock);
	return t;
}

void balance_idle(struct run_queue *rq)
{
	(void)pull(rq, 2);
}

void balance_tick(struct run_queue *rq)
{
	struct task *t;
	u64 idle;

	if (rq->curr == rq->idle || rq->clock < rq->next_balance_ns)
		return;
	rq->next_balance_ns = rq->clock + BALANCE_NS;
	t = pull(rq, rq->nr_running + 2);
	if (t)
		rq_check_preempt(rq, t);
	idle = READ_ONCE(idle_cpus.bits) & ~BIT(rq->cpu);
	if (rq->nr_running > 1 && idle)
		rq_resched(cpu_rq(bit_lowest(idle))); /* it looks around before it idles again */
}
