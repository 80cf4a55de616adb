/*
 * membarrier(2): one thread pays with an interrupt on every CPU that runs the others, so that they
 * need no barrier of their own.
 *
 * Why an interrupt only where a thread of the address space runs at this moment is enough: a thread
 * that is switched in later passes the run queue's lock and either loads CR3, drops the lazily
 * kept address space (an atomic operation), or comes from a thread of the same address space,
 * whose CPU is interrupted as well. All of these order memory. For SYNC_CORE the instruction
 * stream has to be refetched too: IRET and the load of CR3 do that, and a thread that continues
 * in a lazily kept address space is sent through IRET (see switch_mm).
 */
#include <lib/errno.h>
#include <linux/membarrier.h>
#include <mm/mm.h>
#include <sync/rcu.h>
#include <syscall/table.h>
#include <task/rseq.h>
#include "run_queue.h"

#define PRIVATE_COMMANDS                                                                           \
	(MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE |           \
	 MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ)
#define REGISTER_COMMANDS                                                                          \
	(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |    \
	 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE |                                     \
	 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ)
#define ALL_COMMANDS                                                                               \
	(MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED | PRIVATE_COMMANDS |              \
	 REGISTER_COMMANDS)

/* The return from the interrupt is what counts; its entry orders memory. */
static void barrier_here(void *unused)
{
	smp_mb();
}

static void restart_here(void *unused)
{
	if (current->rseq_addr)
		task_set_work(current, WORK_RSEQ);
}

/* CPUs that run mm now; mm NULL: any user program. */
static struct cpumask cpus_running(const struct mm *mm)
{
	struct cpumask mask = {0};

	smp_mb(); /* what the caller did before is seen by whoever is not interrupted */
	rcu_read_lock();
	for_each_cpu(cpu) {
		const struct task *t = rcu_dereference(cpu_rq(cpu)->curr);
		const struct mm *its = t ? READ_ONCE(t->mm) : NULL;

		if (mm ? its == mm : its != NULL)
			mask.bits |= BIT(cpu);
	}
	rcu_read_unlock();
	return mask;
}

static long barrier_global(void)
{
	if (nr_cpus > 1)
		rcu_synchronize();
	return 0;
}

static long barrier_global_expedited(void)
{
	if (nr_cpus > 1)
		smp_call(cpus_running(NULL), barrier_here, NULL);
	smp_mb();
	return 0;
}

/* cpu < 0: all. */
static long barrier_private(u32 command, s32 cpu)
{
	struct mm *mm = current->mm;
	bool sync_core = command == MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE;
	bool restart = command == MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ;
	struct cpumask mask;

	/* Each registration lies one bit above its command. */
	if (!(READ_ONCE(mm->membarrier) & command << 1))
		return -EPERM;
	if (sync_core)
		task_set_work(current, WORK_IRET);
	else if (ref_read(&mm->users) == 1 || nr_cpus == 1)
		return 0;
	if (cpu >= (s32)nr_cpus)
		return 0;
	mask = cpus_running(mm);
	if (cpu >= 0)
		mask.bits &= BIT(cpu);
	if (restart && cpu >= 0) {
		preempt_disable();
		if (mask.bits & BIT(smp_processor_id()))
			restart_here(NULL);
		preempt_enable();
	}
	smp_call(mask, restart ? restart_here : barrier_here, NULL);
	smp_mb();
	return 0;
}

static long barrier_register(u32 command)
{
	struct mm *mm = current->mm;

	if (READ_ONCE(mm->membarrier) & command)
		return 0;
	__atomic_fetch_or(&mm->membarrier, command, __ATOMIC_SEQ_CST);
	/* Others of this address space may be on their way in without having looked. */
	if (nr_cpus > 1 && ref_read(&mm->users) > 1)
		rcu_synchronize();
	return 0;
}

long sys_membarrier(u32 command, u32 flags, int cpu)
{
	bool may_choose = command == MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ;

	if (flags && !(may_choose && flags == MEMBARRIER_CMD_FLAG_CPU))
		return -EINVAL;
	if (!flags)
		cpu = -1;
	switch (command) {
	case MEMBARRIER_CMD_QUERY:
		return ALL_COMMANDS;
	case MEMBARRIER_CMD_GLOBAL:
		return barrier_global();
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		return barrier_global_expedited();
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ:
		return barrier_register(command);
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ:
		return barrier_private(command, cpu);
	default:
		return -EINVAL;
	}
}
