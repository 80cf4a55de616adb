/* Resource limits: reading and changing them. Who consumes a resource enforces its limit. */
#include <arch/speculation.h>
#include <lib/bits.h>
#include <mm/page.h>
#include <syscall/table.h>
#include <time/cpu_timer.h>
#include <vfs/file.h>
#include "internal.h"

u32 max_tasks;

void rlimits_init(struct rlimit64 *r)
{
	struct mem_stats st;
	u64 most;

	/* Kernel stacks may take an eighth of memory. */
	mem_stats(&st);
	most = st.total_pages * PAGE_SIZE / (KERNEL_STACK_SIZE * 8);
	most = MAX(most, 20ULL);
	max_tasks = (u32)MIN(most, (u64)pid_max);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		r[i] = (struct rlimit64){RLIM64_INFINITY, RLIM64_INFINITY};
	r[RLIMIT_STACK].rlim_cur = 8ULL << 20;
	r[RLIMIT_CORE].rlim_cur = 0;
	r[RLIMIT_NPROC] = (struct rlimit64){max_tasks / 2, max_tasks / 2};
	r[RLIMIT_NOFILE] = (struct rlimit64){1024, 4096};
	r[RLIMIT_MEMLOCK] = (struct rlimit64){8ULL << 20, 8ULL << 20};
	r[RLIMIT_SIGPENDING] = (struct rlimit64){max_tasks / 2, max_tasks / 2};
	r[RLIMIT_MSGQUEUE] = (struct rlimit64){819200, 819200};
	r[RLIMIT_NICE] = r[RLIMIT_RTPRIO] = (struct rlimit64){0, 0};
}

static int rlimit_check(u32 which, const struct rlimit64 *new)
{
	if (new->rlim_cur > new->rlim_max)
		return -EINVAL;
	if (which == RLIMIT_NOFILE && new->rlim_max > READ_ONCE(nr_open))
		return -EPERM;
	return 0;
}

/* Swaps in *new (if given); the former limit goes to *old. */
static int rlimit_exchange(struct process *p, u32 which, const struct rlimit64 *new,
			   struct rlimit64 *old)
{
	bool may_raise = capable(CAP_SYS_RESOURCE);
	int err = 0;

	which = (u32)index_clamp(which, RLIM_NLIMITS);
	spin_lock_irq(&p->siglock);
	*old = p->rlimits[which];
	if (new && new->rlim_max > old->rlim_max && !may_raise) {
		err = -EPERM;
	} else if (new) {
		WRITE_ONCE(p->rlimits[which].rlim_cur, new->rlim_cur);
		WRITE_ONCE(p->rlimits[which].rlim_max, new->rlim_max);
		if (which == RLIMIT_CPU || which == RLIMIT_RTTIME)
			process_timers_limit_changed(p);
	}
	spin_unlock_irq(&p->siglock);
	return err;
}

long sys_getrlimit(u32 which, struct user_rlimit out)
{
	struct rlimit64 old;

	if (which >= RLIM_NLIMITS)
		return -EINVAL;
	(void)rlimit_exchange(current->process, which, NULL, &old);
	return user_write(out, &old);
}

/* Another process's limits are for its own user, and for CAP_SYS_RESOURCE. */
static int prlimit_permission(struct task *t)
{
	const struct cred *mine = current->cred, *theirs;
	bool same;

	if (t->process == current->process)
		return 0;
	theirs = task_cred_get(t);
	same = mine->uid == theirs->euid && mine->uid == theirs->suid && mine->uid == theirs->uid &&
	       mine->gid == theirs->egid && mine->gid == theirs->sgid && mine->gid == theirs->gid;
	cred_put(theirs);
	return same || capable(CAP_SYS_RESOURCE) ? 0 : -EPERM;
}

static int prlimit_of(int pid, u32 which, const struct rlimit64 *new, struct rlimit64 *old)
{
	struct task *t = pid ? task_find_get(pid) : NULL;
	int err;

	if (!pid) {
		err = rlimit_exchange(current->process, which, new, old);
		if (new && (which == RLIMIT_CPU || which == RLIMIT_RTTIME))
			sched_restart_tick();
		return err;
	}
	if (!t)
		return -ESRCH;
	err = prlimit_permission(t);
	if (!err)
		err = rlimit_exchange(t->process, which, new, old);
	task_put(t);
	return err;
}

long sys_setrlimit(u32 which, struct user_rlimit in)
{
	struct rlimit64 new, old;
	int err = user_read(&new, in);

	if (err)
		return err;
	if (which >= RLIM_NLIMITS)
		return -EINVAL;
	err = rlimit_check(which, &new);
	return err ? err : prlimit_of(0, which, &new, &old);
}

long sys_prlimit64(int pid, u32 which, struct user_rlimit in, struct user_rlimit out)
{
	bool set = !user_is_null(in);
	struct rlimit64 new, old;
	int err;

	if (which >= RLIM_NLIMITS)
		return -EINVAL;
	if (set) {
		err = user_read(&new, in);
		if (!err)
			err = rlimit_check(which, &new);
		if (err)
			return err;
	}
	err = prlimit_of(pid, which, set ? &new : NULL, &old);
	if (err || user_is_null(out))
		return err;
	return user_write(out, &old);
}
