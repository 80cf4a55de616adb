/*
 * sched_setaffinity, sched_getaffinity, getcpu. The kernel's mask is one word; longer user masks
 * are accepted, their other CPUs do not exist.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <syscall/table.h>
#include "calls.h"
#include "run_queue.h"

long sys_sched_setaffinity(int pid, u32 len, struct user_bytes umask)
{
	struct cpumask mask = {0};
	struct task *t;
	long res;

	if (user_read_bytes(&mask, umask, MIN(len, (u32)sizeof(mask))))
		return -EFAULT;
	t = sched_call_target(pid);
	if (!t)
		return -ESRCH;
	if (t->flags & TASK_F_KTHREAD)
		res = -EINVAL; /* kernel threads are where they are for a reason */
	else if (!sched_same_owner(t) && !capable(CAP_SYS_NICE))
		res = -EPERM;
	else
		res = sched_set_affinity(t, mask);
	task_put(t);
	return res;
}

long sys_sched_getaffinity(int pid, u32 len, struct user_bytes umask)
{
	struct cpumask mask;
	struct task *t;

	if ((u64)len * 8 < nr_cpus || len % sizeof(u64))
		return -EINVAL;
	t = sched_call_target(pid);
	if (!t)
		return -ESRCH;
	mask.bits = READ_ONCE(t->cpus_allowed.bits) & READ_ONCE(sched_cpus.bits);
	task_put(t);
	if (user_write_bytes(umask, &mask, sizeof(mask)))
		return -EFAULT;
	return sizeof(mask);
}

/* There is one memory node. The third argument has had no meaning since Linux 2.6.24. */
long sys_getcpu(struct user_uint cpu, struct user_uint node, struct user_bytes unused)
{
	unsigned int here = smp_processor_id(), zero = 0;

	if (!user_is_null(cpu) && user_write(cpu, &here))
		return -EFAULT;
	return !user_is_null(node) && user_write(node, &zero) ? -EFAULT : 0;
}
