/*
 * CPU time. What a task has run is exact: every switch, and every look at a running task, adds the
 * time since the last one. The kernel does not read the clock on each crossing of the gate, so
 * how the time divides into user and system is measured by sampling:
 *
 *   - Each CPU takes a sample after every SAMPLE_STEP_NS of being busy: a scheduler event, whose
 *     interrupt came from user mode or from the kernel. The distance doubles, up to SAMPLE_STEP_MAX_NS,
 *     while one task has the CPU to itself. Idle time does not count towards it, switches do not
 *     restart it, and nothing is sampled on an idle CPU, so the instants are independent of what
 *     the program does.
 *   - A sample attributes all that the CPU was busy with since its last sample, and all that the
 *     task ran since the task's last one, to the mode it has found. Weighted by time, the estimate
 *     has no bias whatever the distance.
 *   - What is reported for a task is its exact time, divided as its samples are. A task that was
 *     never sampled reports user time only, as Linux does between ticks.
 *
 * The run-queue lock guards the counters; the monotonic answers of sched_task_times are kept under
 * the task's wake_lock. The load average is folded under its own lock.
 */
#include <arch/irq.h>
#include <lib/log.h>
#include <time/clock.h>
#include "run_queue.h"

#define SAMPLE_STEP_NS     (10 * NSEC_PER_MSEC)
#define SAMPLE_STEP_MAX_NS (80 * NSEC_PER_MSEC)

/* The running task's share of the sample. */
static void sample_task(struct task *t, bool user)
{
	struct sched_entity *se = &t->se;
	u64 ran = se->sum_exec_ns - se->sampled_exec_ns;

	se->sampled_exec_ns = se->sum_exec_ns;
	if (!user) {
		se->sampled_system_ns += ran;
		return;
	}
	se->sampled_user_ns += ran;
	/* What lies before the timers were set does not count: with them, samples are this dense. */
	if (t->process && READ_ONCE(t->process->cpu_timers.active))
		cpu_timers_account(&t->process->cpu_timers, 0, MIN(ran, 2 * CPU_TIMER_STEP_NS));
}

void account_sample(struct run_queue *rq, bool user)
{
	bool timers = rq->curr->process && READ_ONCE(rq->curr->process->cpu_timers.active);
	u64 busy = rq->busy_ns - rq->sampled_at_busy_ns;

	if (rq->curr == rq->idle || (rq->clock < rq->next_sample_ns && !timers))
		return;
	rq->sampled_at_busy_ns = rq->busy_ns;
	sample_task(rq->curr, user);
	if (!user)
		rq->system_ns += busy;
	else if (rq->curr->sched.nice > 0)
		rq->nice_ns += busy;
	else
		rq->user_ns += busy;
	rq->sample_step_ns = rq->nr_running > 1
				     ? SAMPLE_STEP_NS
				     : MIN(rq->sample_step_ns * 2 + SAMPLE_STEP_NS, SAMPLE_STEP_MAX_NS);
	rq->next_sample_ns = rq->clock + rq->sample_step_ns;
}

/* While idle, next_sample_ns holds the busy time that is left until the sample. */
void account_idle_start(struct run_queue *rq)
{
	u64 left = rq->next_sample_ns > rq->clock ? rq->next_sample_ns - rq->clock : 0;

	rq->next_sample_ns = MIN(left, SAMPLE_STEP_NS);
	rq->idle_since_ns = rq->clock;
}

void account_idle_end(struct run_queue *rq)
{
	rq->idle_ns += rq->clock - rq->idle_since_ns;
	rq->next_sample_ns += rq->clock;
	rq->sample_step_ns = 0;
}

u64 sched_task_runtime(const struct task *t)
{
	u64 flags = arch_irq_save(), ns;
	/* For the caller itself, too: another CPU that wakes somebody here brings the sum up to date. */
	struct run_queue *rq = task_rq_lock(t);

	ns = t->se.sum_exec_ns;
	if (rq->curr == t)
		ns += clock_monotonic() - t->se.exec_start_ns;
	task_rq_unlock(rq);
	arch_irq_restore(flags);
	return ns;
}

/* total * part / whole, rounded down, without overflow. */
static u64 scale(u64 total, u64 part, u64 whole)
{
	/* Both are CPU times of one task: 40 bits of each keep the error below a microsecond a year. */
	while (whole >> 32) {
		whole >>= 1;
		part >>= 1;
	}
	if (!whole)
		return 0;
	return total / whole * part + total % whole * part / whole;
}

void sched_task_times(const struct task *t, u64 *user_ns, u64 *system_ns)
{
	struct task *w = (struct task *)t; /* the answer is remembered, so that it never goes back */
	u64 total = sched_task_runtime(t);
	u64 flags = spin_lock_irqsave(&w->wake_lock);
	u64 user_part = READ_ONCE(t->se.sampled_user_ns);
	u64 system_part = READ_ONCE(t->se.sampled_system_ns);
	u64 system = scale(total, system_part, user_part + system_part);

	if (total > t->utime_ns + t->stime_ns) {
		system = MAX(system, t->stime_ns);
		system = MIN(system, total - t->utime_ns);
		w->stime_ns = system;
		w->utime_ns = total - system;
	}
	*user_ns = t->utime_ns;
	*system_ns = t->stime_ns;
	spin_unlock_irqrestore(&w->wake_lock, flags);
}

void sched_cpu_stat(u32 cpu, struct sched_cpu_stat *st)
{
	struct run_queue *rq = cpu_rq(cpu);
	u64 flags = spin_lock_irqsave(&rq->lock);

	*st = (struct sched_cpu_stat){.user_ns = rq->user_ns, .nice_ns = rq->nice_ns,
				      .system_ns = rq->system_ns, .idle_ns = rq->idle_ns,
				      .switches = rq->nr_switches};
	if (rq->curr == rq->idle && rq->idle)
		st->idle_ns += clock_monotonic() - rq->idle_since_ns;
	spin_unlock_irqrestore(&rq->lock, flags);
}
