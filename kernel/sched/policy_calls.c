/*
 * The system calls around policies: sched_setscheduler and its relatives. All checks come before the
 * change, in Linux's order, so that the errors are the same. Parameters are read and set whole, so
 * two callers never mix; the permission checks look at a snapshot, as Linux's do.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <linux/sched/types.h>
#include <syscall/table.h>
#include "calls.h"
#include "run_queue.h"

#define ATTR_SIZE_MIN SCHED_ATTR_SIZE_VER0
#define KEEP_POLICY   (~0U)

/* What a caller asks for; the policy may be KEEP_POLICY. */
struct request {
	u32 policy;
	u64 flags;  /* SCHED_FLAG_* */
	s32 nice;
	u32 priority;
};

struct task *sched_call_target(s32 pid)
{
	if (pid)
		return task_find_get(pid);
	task_get(current);
	return current;
}

bool sched_same_owner(struct task *t)
{
	u32 euid = current->cred->euid;
	const struct cred *c;
	bool same;

	rcu_read_lock();
	c = rcu_dereference(t->cred);
	same = euid == c->euid || euid == c->uid;
	rcu_read_unlock();
	return same;
}

bool sched_can_nice(struct task *t, int nice)
{
	u64 limit = READ_ONCE(t->process->rlimits[RLIMIT_NICE].rlim_cur);

	return (u64)(20 - nice) <= limit || capable(CAP_SYS_NICE);
}

static bool policy_known(u32 policy)
{
	return policy <= SCHED_BATCH || policy == SCHED_IDLE;
}

static int check_real_time_limit(struct task *t, const struct sched_params *now,
				 const struct request *r)
{
	u64 limit = READ_ONCE(t->process->rlimits[RLIMIT_RTPRIO].rlim_cur);

	if (r->policy != now->policy && !limit)
		return -EPERM;
	return r->priority > now->rt_priority && r->priority > limit ? -EPERM : 0;
}

/* For callers without CAP_SYS_NICE. */
static int check_permission(struct task *t, const struct sched_params *now, const struct request *r)
{
	if (capable(CAP_SYS_NICE))
		return 0;
	if (!policy_is_rt(r->policy) && r->nice < now->nice && !sched_can_nice(t, r->nice))
		return -EPERM;
	if (policy_is_rt(r->policy) && check_real_time_limit(t, now, r))
		return -EPERM;
	if (now->policy == SCHED_IDLE && r->policy != SCHED_IDLE && !sched_can_nice(t, now->nice))
		return -EPERM;
	if (!sched_same_owner(t))
		return -EPERM;
	return now->reset_on_fork && !(r->flags & SCHED_FLAG_RESET_ON_FORK) ? -EPERM : 0;
}

static int check_request(const struct request *r)
{
	if (!policy_known(r->policy))
		return -EINVAL;
	if (r->flags & ~(u64)SCHED_FLAG_ALL)
		return -EINVAL;
	if (r->priority > RT_PRIOS - 1 || policy_is_rt(r->policy) != (r->priority != 0))
		return -EINVAL;
	return 0;
}

static int set_scheduler(struct task *t, struct request r)
{
	struct sched_params now, p;
	int err;

	sched_get_params(t, &now);
	if (r.policy == KEEP_POLICY) {
		r.policy = now.policy;
		r.flags |= now.reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0;
	}
	if (r.flags & SCHED_FLAG_KEEP_PARAMS) {
		r.nice = now.nice;
		r.priority = now.rt_priority;
	}
	err = check_request(&r);
	if (!err)
		err = check_permission(t, &now, &r);
	if (!err && (r.flags & SCHED_FLAG_UTIL_CLAMP))
		err = -EOPNOTSUPP; /* as a Linux without utilisation clamping */
	if (err)
		return err;
	p = (struct sched_params){
		.policy = (u8)r.policy,
		.rt_priority = (u8)r.priority,
		/* A real-time task keeps its nice value for the day it becomes a fair one again. */
		.nice = policy_is_rt((u8)r.policy) ? now.nice : (s8)r.nice,
		.reset_on_fork = r.flags & SCHED_FLAG_RESET_ON_FORK,
	};
	return sched_set_params(t, &p);
}

static long set_by_param(int pid, u32 policy, struct user_sched_param param)
{
	struct sched_param_abi in;
	struct sched_params now;
	struct request r = {.policy = policy};
	struct task *t;
	long res;

	if (user_is_null(param) || pid < 0)
		return -EINVAL;
	if (user_read(&in, param))
		return -EFAULT;
	t = sched_call_target(pid);
	if (!t)
		return -ESRCH;
	sched_get_params(t, &now);
	r.nice = now.nice;
	r.priority = (u32)in.sched_priority;
	if (policy != KEEP_POLICY && (policy & SCHED_RESET_ON_FORK)) {
		r.flags = SCHED_FLAG_RESET_ON_FORK;
		r.policy = policy & ~(u32)SCHED_RESET_ON_FORK;
	}
	res = set_scheduler(t, r);
	task_put(t);
	return res;
}

long sys_sched_setscheduler(int pid, u32 policy, struct user_sched_param param)
{
	return (int)policy < 0 ? -EINVAL : set_by_param(pid, policy, param);
}

long sys_sched_setparam(int pid, struct user_sched_param param)
{
	return set_by_param(pid, KEEP_POLICY, param);
}

static int read_attr(struct sched_attr *attr, struct user_bytes uattr)
{
	struct user_uint usize = user_cast(uint, uattr);
	u32 size, mine = sizeof(*attr);
	int err;

	if (user_read(&size, usize))
		return -EFAULT;
	if (!size)
		size = ATTR_SIZE_MIN;
	err = size < ATTR_SIZE_MIN || size > PAGE_SIZE ? -E2BIG
						       : user_read_sized(attr, mine, uattr, size);
	/* Tells the caller what would fit; that this may fail too changes nothing. */
	if (err == -E2BIG && user_write(usize, &mine))
		return -EFAULT;
	if (err)
		return err;
	if ((attr->sched_flags & SCHED_FLAG_UTIL_CLAMP) && size < SCHED_ATTR_SIZE_VER1)
		return -EINVAL;
	return 0;
}

long sys_sched_setattr(int pid, struct user_bytes uattr, u32 flags)
{
	struct sched_attr attr = {0};
	struct request r;
	struct task *t;
	long res;

	if (user_is_null(uattr) || pid < 0 || flags)
		return -EINVAL;
	res = read_attr(&attr, uattr);
	if (res)
		return res;
	if ((int)attr.sched_policy < 0)
		return -EINVAL;
	r = (struct request){
		.policy = attr.sched_flags & SCHED_FLAG_KEEP_POLICY ? KEEP_POLICY : attr.sched_policy,
		.flags = attr.sched_flags,
		.nice = MIN(MAX(attr.sched_nice, -20), 19),
		.priority = attr.sched_priority,
	};
	t = sched_call_target(pid);
	if (!t)
		return -ESRCH;
	res = set_scheduler(t, r);
	task_put(t);
	return res;
}

static int params_of(int pid, struct sched_params *p)
{
	struct task *t;

	if (pid < 0)
		return -EINVAL;
	t = sched_call_target(pid);
	if (!t)
		return -ESRCH;
	sched_get_params(t, p);
	task_put(t);
	return 0;
}

long sys_sched_getattr(int pid, struct user_bytes uattr, u32 size, u32 flags)
{
	struct sched_attr attr = {.size = MIN(size, (u32)sizeof(attr))};
	struct sched_params p;
	int err;

	if (user_is_null(uattr) || pid < 0 || size < ATTR_SIZE_MIN || size > PAGE_SIZE || flags)
		return -EINVAL;
	err = params_of(pid, &p);
	if (err)
		return err;
	attr.sched_policy = p.policy;
	attr.sched_flags = p.reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0;
	if (policy_is_rt(p.policy))
		attr.sched_priority = p.rt_priority;
	else
		attr.sched_nice = p.nice;
	return user_write_bytes(uattr, &attr, attr.size);
}

long sys_sched_getscheduler(int pid)
{
	struct sched_params p;
	int err = params_of(pid, &p);

	if (err)
		return err;
	return p.policy | (p.reset_on_fork ? SCHED_RESET_ON_FORK : 0);
}

long sys_sched_getparam(int pid, struct user_sched_param param)
{
	struct sched_params p;
	struct sched_param_abi out;
	int err = user_is_null(param) ? -EINVAL : params_of(pid, &p);

	if (err)
		return err;
	out.sched_priority = p.rt_priority;
	return user_write(param, &out);
}

/* SCHED_DEADLINE has a range in Linux's tables, but cannot be set here. */
static long priority_limit(u32 policy, long real_time)
{
	if (policy_is_rt((u8)policy) && policy <= SCHED_RR)
		return real_time;
	return policy_known(policy) || policy == SCHED_DEADLINE ? 0 : -EINVAL;
}

long sys_sched_get_priority_max(u32 policy)
{
	return priority_limit(policy, RT_PRIOS - 1);
}

long sys_sched_get_priority_min(u32 policy)
{
	return priority_limit(policy, 1);
}

long sys_sched_rr_get_interval(int pid, struct user_timespec interval)
{
	struct sched_params p;
	struct timespec64 ts;
	int err = params_of(pid, &p);

	if (err)
		return err;
	if (p.policy == SCHED_FIFO)
		ts = ns_to_timespec(0);
	else
		ts = ns_to_timespec(p.policy == SCHED_RR ? RR_SLICE_NS : FAIR_SLICE_NS);
	return user_write(interval, &ts);
}

long sys_sched_yield(void)
{
	sched_yield();
	return 0;
}
