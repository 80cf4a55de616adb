/*
 * Scheduling parameters and affinity: set and inherited. wake_lock keeps wake-ups and other setters
 * away, the run-queue lock the scheduler; a task is taken off its queue, changed, and put back.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <sched/pi.h>
#include <time/clock.h>
#include "run_queue.h"

static void inherit(struct task *t, const struct task *parent)
{
	t->sched = parent->sched_base;
	t->cpus_allowed = parent->cpus_allowed;
	if (!t->sched.reset_on_fork)
		return;
	t->sched.reset_on_fork = false;
	if (task_is_rt(t)) {
		t->sched.policy = SCHED_NORMAL;
		t->sched.rt_priority = 0;
		t->sched.nice = 0;
	} else if (t->sched.nice < 0) {
		t->sched.nice = 0;
	}
}

void sched_task_init(struct task *t, const struct task *parent)
{
	t->se = (struct sched_entity){.rt_slice_left_ns = RR_SLICE_NS};
	t->sched = (struct sched_params){.policy = SCHED_NORMAL};
	t->cpus_allowed.bits = ~0ULL;
	t->state = TASK_NEW;
	t->cpu = smp_processor_id(); /* a hint: where it starts is decided when it is woken */
	t->on_cpu = 0;
	t->utime_ns = t->stime_ns = 0;
	t->pi_priority = 0;
	t->pi_waiting = NULL;
	list_init(&t->pi_owned);
	if (parent)
		inherit(t, parent);
	t->sched_base = t->sched;
	fair_init_entity(&t->se);
	fair_set_weight(t);
}

static void apply(struct task *t, const struct sched_params *p)
{
	bool was_rt = task_is_rt(t);

	t->sched = *p;
	if (task_is_rt(t))
		t->se.rt_slice_left_ns = RR_SLICE_NS;
	else if (was_rt)
		fair_init_entity(&t->se); /* neither credit nor debt from the other class */
	fair_set_weight(t);
}

/* wake_lock and the run-queue lock held. */
static void change_queued(struct run_queue *rq, struct task *t, const struct sched_params *p)
{
	bool running = rq->curr == t;

	rq_update(rq);
	rq_deactivate(rq, t, ON_RQ_MIGRATING);
	apply(t, p);
	rq_activate(rq, t);
	if (running) {
		rq_set_next(rq, t);
		rq_resched(rq); /* something else may be more urgent now */
	} else {
		rq_check_preempt(rq, t);
	}
}

/* A fair task that inherits acts as SCHED_FIFO; the policy it asked for is what others see. */
static struct sched_params effective(const struct task *t)
{
	struct sched_params p = t->sched_base;

	if (t->pi_priority > p.rt_priority) {
		p.rt_priority = t->pi_priority;
		if (!policy_is_rt(p.policy))
			p.policy = SCHED_FIFO;
	}
	return p;
}

/* wake_lock and the run-queue lock held. */
static void change(struct run_queue *rq, struct task *t)
{
	struct sched_params p = effective(t);

	if (t->se.on_rq == ON_RQ_QUEUED)
		change_queued(rq, t, &p);
	else
		apply(t, &p);
}

int sched_set_params(struct task *t, const struct sched_params *p)
{
	struct run_queue *rq;
	u64 flags;

	if (p->nice < -20 || p->nice > 19)
		return -EINVAL;
	if (policy_is_rt(p->policy) ? p->rt_priority < 1 || p->rt_priority > 99 : p->rt_priority)
		return -EINVAL;
	flags = spin_lock_irqsave(&t->wake_lock);
	rq = task_rq_lock(t);
	t->sched_base = *p;
	change(rq, t);
	task_rq_unlock(rq);
	spin_unlock_irqrestore(&t->wake_lock, flags);
	pi_priority_changed(t);
	return 0;
}

void sched_set_inherited(struct task *t, u8 priority)
{
	u64 flags = spin_lock_irqsave(&t->wake_lock);
	struct run_queue *rq = task_rq_lock(t);

	t->pi_priority = priority;
	change(rq, t);
	task_rq_unlock(rq);
	spin_unlock_irqrestore(&t->wake_lock, flags);
}

void sched_get_params(const struct task *t, struct sched_params *p)
{
	u64 flags = arch_irq_save();
	struct run_queue *rq = task_rq_lock(t);

	*p = t->sched_base;
	task_rq_unlock(rq);
	arch_irq_restore(flags);
}

/*
 * Moves a task that waits on a queue. Between the two locks it is marked as migrating: a wake-up
 * leaves it alone, and wake_lock keeps everybody else away. The lock of the new queue is returned.
 */
static struct run_queue *move_queued(struct run_queue *rq, struct task *t) NO_THREAD_SAFETY
{
	rq_update(rq);
	rq_deactivate(rq, t, ON_RQ_MIGRATING);
	t->cpu = select_cpu(t, false);
	task_rq_unlock(rq);
	rq = task_rq_lock(t);
	rq_update(rq);
	rq_activate(rq, t);
	rq_check_preempt(rq, t);
	return rq;
}

static bool runs_where_forbidden(const struct task *t)
{
	return READ_ONCE(t->se.on_rq) != ON_RQ_NO && !cpu_allowed(t, READ_ONCE(t->cpu));
}

int sched_set_affinity(struct task *t, struct cpumask mask) NO_THREAD_SAFETY
{
	struct run_queue *rq;
	u64 flags;

	mask.bits &= READ_ONCE(sched_cpus.bits);
	if (!mask.bits)
		return -EINVAL;
	flags = spin_lock_irqsave(&t->wake_lock);
	rq = task_rq_lock(t);
	t->cpus_allowed = mask;
	if (t->se.on_rq == ON_RQ_QUEUED && !cpu_allowed(t, rq->cpu)) {
		if (rq->curr == t)
			rq_resched(rq); /* schedule() on its CPU sends it away */
		else
			rq = move_queued(rq, t);
	}
	task_rq_unlock(rq);
	spin_unlock_irqrestore(&t->wake_lock, flags);
	if (t == current) {
		if (runs_where_forbidden(t))
			schedule();
		return 0;
	}
	while (runs_where_forbidden(t)) {
		sched_set_state(TASK_UNINTERRUPTIBLE);
		(void)schedule_until(clock_monotonic() + 50 * NSEC_PER_USEC);
	}
	return 0;
}
