/* clone3(2): fetches and validates struct clone_args, then does what clone does. */
#include <arch/mmu.h>
#include <syscall/table.h>
#include <task/fork.h>
#include "internal.h"
#include <linux/sched.h>

#define CLONE3_MAX_LEVELS 32 /* nesting of pid namespaces that Linux allows */

static bool clone3_flags_valid(const struct clone_args *a)
{
	const u64 known = 0xffffffffULL | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP;

	if (a->flags & ~known)
		return false;
	/* The signal has a field of its own; one bit of its old place is a namespace now. */
	if (a->flags & (CLONE_DETACHED | (CSIGNAL & ~(u64)CLONE_NEWTIME)))
		return false;
	if (a->exit_signal > SIGNAL_MAX)
		return false;
	return !((a->flags & (CLONE_THREAD | CLONE_PARENT)) && a->exit_signal);
}

static bool clone3_stack_valid(const struct clone_args *a)
{
	if (!a->stack)
		return !a->stack_size;
	return a->stack_size && a->stack < USER_TOP && a->stack_size <= USER_TOP - a->stack;
}

/* The wanted thread id goes to *tid: 0 for any. */
static int clone3_read_set_tid(const struct clone_args *a, s32 *tid)
{
	int err;

	*tid = 0;
	if (a->set_tid_size > CLONE3_MAX_LEVELS || !a->set_tid != !a->set_tid_size)
		return -EINVAL;
	if (!a->set_tid)
		return 0;
	if (a->set_tid_size > 1)
		return -EINVAL; /* deeper than the one pid namespace */
	err = user_read(tid, user_handle(int, a->set_tid));
	if (err)
		return err;
	if (*tid < 1 || *tid >= READ_ONCE(pid_max))
		return -EINVAL;
	return capable(CAP_SYS_ADMIN) || capable(CAP_CHECKPOINT_RESTORE) ? 0 : -EPERM;
}

long sys_clone3(struct user_bytes uargs, u64 size)
{
	struct clone_args a;
	struct clone_request req;
	int err;

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	err = user_read_sized(&a, sizeof(a), uargs, size);
	if (err)
		return err;
	if (!clone3_flags_valid(&a) || !clone3_stack_valid(&a))
		return -EINVAL;
	req = (struct clone_request){
		.flags = a.flags,
		.exit_signal = (s32)a.exit_signal,
		.stack = a.stack ? a.stack + a.stack_size : 0,
		.tls = a.tls,
		.parent_tid = user_handle(int, a.parent_tid),
		.child_tid = user_handle(int, a.child_tid),
		.pidfd = user_handle(int, a.pidfd),
	};
	if ((a.flags & CLONE_PIDFD) && (a.flags & CLONE_PARENT_SETTID) && a.pidfd == a.parent_tid)
		return -EINVAL;
	/* No control groups: no descriptor can name one. */
	if (a.flags & CLONE_INTO_CGROUP)
		return a.cgroup > INT_MAX ? -EINVAL : -EBADF;
	err = clone3_read_set_tid(&a, &req.set_tid);
	return err ? err : task_clone(&req);
}
