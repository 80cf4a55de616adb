/*
 * Starting CPUs and idling. The task that sets a CPU up becomes its idle task: it is on no queue and
 * runs when nothing else does. Idling is free of races with wake-ups: need_resched is tested with
 * interrupts disabled, and arch_cpu_idle enables them and halts in one step.
 */
#include <lib/log.h>
#include <sync/rcu.h>
#include <time/clock.h>
#include "run_queue.h"

static void cpu_init(u32 cpu, struct task *idle)
{
	struct run_queue *rq = cpu_rq(cpu);

	rq->cpu = cpu;
	rq->clock = clock_monotonic();
	rq->idle_since_ns = rq->clock;
	rq->rt.period_start_ns = rq->clock;
	idle->cpu = cpu;
	idle->state = TASK_RUNNING;
	idle->on_cpu = 1;
	idle->cpus_allowed.bits = BIT(cpu);
	rq->curr = rq->idle = idle;
	__atomic_fetch_or(&sched_cpus.bits, BIT(cpu), __ATOMIC_SEQ_CST);
}

void sched_init(void)
{
	cpu_init(0, current);
}

__noreturn void sched_cpu_start(void)
{
	cpu_init(smp_processor_id(), current);
	sched_idle_loop();
}

static void idle_once(u64 bit)
{
	arch_irq_disable();
	__atomic_fetch_or(&idle_cpus.bits, bit, __ATOMIC_RELAXED);
	if (need_resched()) {
		arch_irq_enable();
		return;
	}
	rcu_idle_enter();
	arch_cpu_idle();
	arch_irq_disable();
	if (this_cpu_read(rcu_idling))
		rcu_idle_exit();
	arch_irq_enable();
}

__noreturn void sched_idle_loop(void)
{
	u64 bit = BIT(smp_processor_id());

	/* What became runnable while this CPU started, here or elsewhere, is looked for first. */
	for (;;) {
		schedule();
		while (!need_resched())
			idle_once(bit);
	}
}
