/* prctl(2), as far as its subjects exist. Other options: EINVAL, as on a kernel without them. */
#include <arch/cpu_info.h>
#include <lib/string.h>
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <mm/mm.h>
#include <ptrace/ptrace.h>
#include <seccomp/seccomp.h>
#include <syscall/table.h>
#include <task/exec.h>
#include "internal.h"

static long prctl_set_name(struct user_str uname)
{
	char name[TASK_COMM_LEN] = {0};
	ssize_t len = user_read_str(name, uname, sizeof(name));

	if (len < 0 && len != -ENAMETOOLONG)
		return len;
	name[sizeof(name) - 1] = 0;
	task_comm_set(current, name);
	return 0;
}

static long prctl_get_name(struct user_bytes out)
{
	char name[TASK_COMM_LEN];

	task_comm_get(current, name);
	return user_write_bytes(out, name, sizeof(name));
}

static long prctl_set_securebits(u64 bits)
{
	u32 old = current->cred->securebits;
	struct cred *c;

	if (bits & ~(u64)(SECURE_ALL_BITS | SECURE_ALL_LOCKS))
		return -EPERM;
	/* A locked bit stays, a lock stays. */
	if ((((old & SECURE_ALL_LOCKS) >> 1) & (old ^ bits)) ||
	    (old & SECURE_ALL_LOCKS & ~bits) || !capable(CAP_SETPCAP))
		return -EPERM;
	c = cred_prepare();
	if (!c)
		return -ENOMEM;
	c->securebits = (u32)bits;
	cred_commit(c);
	return 0;
}

static long prctl_set_keepcaps(u64 on)
{
	struct cred *c;

	if (on > 1)
		return -EINVAL;
	if (current->cred->securebits & SECBIT_KEEP_CAPS_LOCKED)
		return -EPERM;
	c = cred_prepare();
	if (!c)
		return -ENOMEM;
	c->securebits &= ~(u32)SECBIT_KEEP_CAPS;
	c->securebits |= on ? SECBIT_KEEP_CAPS : 0;
	cred_commit(c);
	return 0;
}

static long prctl_drop_bounding(u64 cap)
{
	struct cred *c;

	if (!capable(CAP_SETPCAP))
		return -EPERM;
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	c = cred_prepare();
	if (!c)
		return -ENOMEM;
	c->cap_bounding &= ~BIT(cap);
	cred_commit(c);
	return 0;
}

static int ambient_check_raise(const struct cred *c, u64 cap)
{
	bool held = (c->cap_permitted & BIT(cap)) && (c->cap_inheritable & BIT(cap));

	return held && !(c->securebits & SECBIT_NO_CAP_AMBIENT_RAISE) ? 0 : -EPERM;
}

static long prctl_ambient(u64 op, u64 cap)
{
	struct cred *c;
	int err = 0;

	if (op == PR_CAP_AMBIENT_CLEAR_ALL ? cap != 0 : cap > CAP_LAST_CAP)
		return -EINVAL;
	if (op == PR_CAP_AMBIENT_IS_SET)
		return !!(current->cred->cap_ambient & BIT(cap));
	c = cred_prepare();
	if (!c)
		return -ENOMEM;
	switch (op) {
	case PR_CAP_AMBIENT_CLEAR_ALL:
		c->cap_ambient = 0;
		break;
	case PR_CAP_AMBIENT_LOWER:
		c->cap_ambient &= ~BIT(cap);
		break;
	case PR_CAP_AMBIENT_RAISE:
		err = ambient_check_raise(c, cap);
		c->cap_ambient |= BIT(cap);
		break;
	default:
		err = -EINVAL;
	}
	if (err)
		cred_abort(c);
	else
		cred_commit(c);
	return err;
}

/* Descendants find the reaper by this mark without a walk when there is none. */
static long prctl_set_subreaper(bool on)
{
	struct process *p = current->process;

	spin_lock_irq(&tasklist_lock);
	p->is_subreaper = on;
	if (on) {
		struct process *q;

		/* Processes that exist already: those below this one. */
		list_for_each(q, &all_processes, all_node) {
			const struct process *up = q->parent;

			while (up->pid > 0 && up != p)
				up = up->parent;
			q->has_subreaper |= up == p;
		}
	}
	spin_unlock_irq(&tasklist_lock);
	return 0;
}

static long prctl_capability(u32 option, u64 arg2, u64 arg3, u64 arg4, u64 arg5)
{
	switch (option) {
	case PR_GET_KEEPCAPS:
		return !!(current->cred->securebits & SECBIT_KEEP_CAPS);
	case PR_SET_KEEPCAPS:
		return prctl_set_keepcaps(arg2);
	case PR_GET_SECUREBITS:
		return current->cred->securebits;
	case PR_SET_SECUREBITS:
		return prctl_set_securebits(arg2);
	case PR_CAPBSET_READ:
		return arg2 > CAP_LAST_CAP ? -EINVAL : !!(current->cred->cap_bounding & BIT(arg2));
	case PR_CAPBSET_DROP:
		return prctl_drop_bounding(arg2);
	case PR_CAP_AMBIENT:
		return arg4 | arg5 ? -EINVAL : prctl_ambient(arg2, arg3);
	case PR_SET_NO_NEW_PRIVS:
		if (arg2 != 1 || arg3 | arg4 | arg5)
			return -EINVAL;
		WRITE_ONCE(current->no_new_privs, true);
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return arg2 | arg3 | arg4 | arg5 ? -EINVAL : current->no_new_privs;
	default:
		return -EINVAL;
	}
}

long sys_prctl(u32 option, u64 arg2, u64 arg3, u64 arg4, u64 arg5)
{
	struct task *me = current;
	int value;

	switch (option) {
	case PR_SET_PDEATHSIG:
		if (arg2 > SIGNAL_MAX)
			return -EINVAL;
		me->pdeath_signal = (s32)arg2;
		return 0;
	case PR_GET_PDEATHSIG:
		value = me->pdeath_signal;
		return user_write(user_handle(int, arg2), &value);
	case PR_GET_DUMPABLE:
		return me->mm->dumpable;
	case PR_SET_DUMPABLE:
		if (arg2 > 1)
			return -EINVAL;
		me->mm->dumpable = (u32)arg2;
		return 0;
	case PR_SET_NAME:
		return prctl_set_name(user_handle(str, arg2));
	case PR_GET_NAME:
		return prctl_get_name(user_handle(bytes, arg2));
	case PR_SET_CHILD_SUBREAPER:
		return prctl_set_subreaper(arg2);
	case PR_GET_CHILD_SUBREAPER:
		value = me->process->is_subreaper;
		return user_write(user_handle(int, arg2), &value);
	case PR_GET_TSC:
		value = arch_tsc_allowed() ? PR_TSC_ENABLE : PR_TSC_SIGSEGV;
		return user_write(user_handle(int, arg2), &value);
	case PR_SET_TSC:
		if (arg2 != PR_TSC_ENABLE && arg2 != PR_TSC_SIGSEGV)
			return -EINVAL;
		arch_tsc_allow(arg2 == PR_TSC_ENABLE);
		return 0;
	case PR_SET_THP_DISABLE:
		if (arg3 | arg4 | arg5)
			return -EINVAL;
		WRITE_ONCE(me->mm->no_huge, arg2 != 0);
		return 0;
	case PR_GET_THP_DISABLE:
		return arg2 | arg3 | arg4 | arg5 ? -EINVAL : READ_ONCE(me->mm->no_huge);
	case PR_GET_TID_ADDRESS:
		return user_write(user_handle(u64, arg2), &me->clear_child_tid);
	case PR_SET_TIMERSLACK:
		me->timer_slack_ns = (s64)arg2 > 0 ? arg2 : TIMER_SLACK_DEFAULT_NS;
		return 0;
	case PR_GET_TIMERSLACK:
		return (long)MIN(me->timer_slack_ns, (u64)LONG_MAX);
	case PR_GET_TIMING:
		return PR_TIMING_STATISTICAL;
	case PR_SET_TIMING:
		return arg2 == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_GET_SECCOMP:
		return me->seccomp_mode;
	case PR_SET_SECCOMP:
		return seccomp_prctl(arg2, arg3);
	case PR_GET_SPECULATION_CTRL:
		return arg3 | arg4 | arg5 ? -EINVAL : arch_speculation_get(me, arg2);
	case PR_SET_SPECULATION_CTRL:
		return arg4 | arg5 ? -EINVAL : arch_speculation_set(arg2, arg3);
	case PR_SET_PTRACER:
		return yama_set_ptracer(arg2);
	default:
		return prctl_capability(option, arg2, arg3, arg4, arg5);
	}
}
