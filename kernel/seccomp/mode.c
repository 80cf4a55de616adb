/*
 * seccomp(2): how a task, and with TSYNC all threads of its process, come under a filter or into
 * strict mode; inheritance and end. Modes and filters of all threads change under the siglock, which
 * fork holds as well when it links a thread.
 */
#include <arch/context.h>
#include <arch/cpu_info.h>
#include <lib/log.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/ptrace.h>
#include <syscall/table.h>
#include <vfs/file.h>
#include "internal.h"

#define FLAGS                                                                                      \
	(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW |    \
	 SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC_ESRCH |                      \
	 SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)

static bool may_assign_mode(u8 mode)
{
	return !current->seccomp_mode || current->seccomp_mode == mode;
}

/* The filter, if any, is in place: the gate asks from now on. spec: what the command line says of
 * speculation under filters holds. siglock held. */
static void assign_mode(struct task *t, u8 mode, bool spec)
{
	if (spec)
		arch_speculation_seccomp(t);
	t->seccomp_mode = mode;
	task_set_work(t, WORK_ENTER_SECCOMP);
}

static long set_strict(void)
{
	struct process *p = current->process;
	bool ok;

	spin_lock_irq(&p->siglock);
	ok = may_assign_mode(SECCOMP_MODE_STRICT);
	if (ok)
		assign_mode(current, SECCOMP_MODE_STRICT, true);
	spin_unlock_irq(&p->siglock);
	if (ok)
		arch_tsc_allow(false); /* a clock is more than strict mode grants */
	return ok ? 0 : -EINVAL;
}

/* ---- all threads together ---- */

static bool is_ancestor(const struct seccomp_filter *a, const struct seccomp_filter *f)
{
	if (!a)
		return true;
	while (f && f != a)
		f = f->prev;
	return f;
}

/* 0, or the number of the first thread that has gone a way of its own. */
static s32 first_diverged_locked(struct process *p)
{
	struct task *t;

	list_for_each(t, &p->threads, thread_node) {
		if (t == current || t->seccomp_mode == SECCOMP_MODE_DISABLED)
			continue;
		if (t->seccomp_mode != SECCOMP_MODE_FILTER ||
		    !is_ancestor(t->seccomp_filter, current->seccomp_filter))
			return t->tid;
	}
	return 0;
}

/*
 * Every other thread gets the caller's leaf. Its old one stays alive, as the new leaf descends from
 * it, so a thread that reads it right now may. tasklist_lock and siglock held.
 */
static void sync_threads_locked(struct process *p, bool spec)
{
	struct task *t;

	list_for_each(t, &p->threads, thread_node) {
		struct seccomp_filter *old = t->seccomp_filter;

		if (t == current)
			continue;
		filter_get(current->seccomp_filter);
		smp_store_release(&t->seccomp_filter, current->seccomp_filter);
		filter_put_user(old);
		/* Whoever may not gain privileges under the filter passes that on with it. */
		if (current->no_new_privs)
			WRITE_ONCE(t->no_new_privs, true);
		if (t->seccomp_mode == SECCOMP_MODE_DISABLED)
			assign_mode(t, SECCOMP_MODE_FILTER, spec);
	}
}

/* ---- one filter more ---- */

static bool has_listener(const struct seccomp_filter *f)
{
	for (; f; f = f->prev)
		if (READ_ONCE(f->listener))
			return true;
	return false;
}

/*
 * Consumes f on success (0). A positive answer is the thread that TSYNC has found in the way. siglock,
 * and for TSYNC tasklist_lock, held.
 */
static long install_locked(struct seccomp_filter *f, u32 flags)
{
	struct process *p = current->process;
	s32 tid;

	if (!may_assign_mode(SECCOMP_MODE_FILTER))
		return -EINVAL;
	if (f->listener && has_listener(current->seccomp_filter))
		return -EBUSY;
	if (!filter_fits(f, current->seccomp_filter))
		return -ENOMEM;
	if (flags & SECCOMP_FILTER_FLAG_TSYNC) {
		tid = first_diverged_locked(p);
		if (tid)
			return flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : tid;
	}
	filter_attach(f, current->seccomp_filter);
	smp_store_release(&current->seccomp_filter, f);
	if (flags & SECCOMP_FILTER_FLAG_TSYNC)
		sync_threads_locked(p, !(flags & SECCOMP_FILTER_FLAG_SPEC_ALLOW));
	assign_mode(current, SECCOMP_MODE_FILTER, !(flags & SECCOMP_FILTER_FLAG_SPEC_ALLOW));
	return 0;
}

/* A thread that executes a program must not change its privileges meanwhile: exec_lock. */
static long install_for_all(struct seccomp_filter *f, u32 flags)
{
	struct process *p = current->process;
	long ret;

	if (mutex_lock_killable(&p->exec_lock))
		return -EINVAL;
	spin_lock_irq(&tasklist_lock);
	spin_lock(&p->siglock);
	ret = install_locked(f, flags);
	spin_unlock(&p->siglock);
	spin_unlock_irq(&tasklist_lock);
	mutex_unlock(&p->exec_lock);
	return ret;
}

static long install(struct seccomp_filter *f, u32 flags)
{
	struct process *p = current->process;
	long ret;

	if (flags & SECCOMP_FILTER_FLAG_TSYNC)
		return install_for_all(f, flags);
	spin_lock_irq(&p->siglock);
	ret = install_locked(f, flags);
	spin_unlock_irq(&p->siglock);
	return ret;
}

/* With a descriptor for the listener, which is told before the filter can ask it anything. */
static long install_with_listener(struct seccomp_filter *f, u32 flags)
{
	struct file *file;
	long ret;
	int fd, err = fd_reserve(0, true, &fd);

	if (err)
		return err;
	ret = listener_create(f, &file);
	if (ret) {
		fd_release(fd);
		return ret;
	}
	ret = install(f, flags);
	if (!ret) {
		fd_install(fd, file);
		return fd;
	}
	fd_release(fd);
	listener_detach(f);
	file_close(file, NULL);
	return ret;
}

static long set_filter(u32 flags, u64 uprog)
{
	struct seccomp_filter *f;
	bool attached;
	long ret;
	int err;

	if (flags & ~(u32)FLAGS)
		return -EINVAL;
	/* Both would answer with a positive number. */
	if ((flags & SECCOMP_FILTER_FLAG_TSYNC) && (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) &&
	    !(flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH))
		return -EINVAL;
	if ((flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) &&
	    !(flags & SECCOMP_FILTER_FLAG_NEW_LISTENER))
		return -EINVAL;
	err = filter_create(uprog, &f);
	if (err)
		return err;
	f->log = flags & SECCOMP_FILTER_FLAG_LOG;
	f->wait_killable = flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	if (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) {
		ret = install_with_listener(f, flags);
		attached = ret >= 0;
	} else {
		ret = install(f, flags);
		attached = !ret;
	}
	if (!attached)
		filter_put(f);
	return ret;
}

static long action_avail(struct user_u32 uaction)
{
	u32 action;

	if (user_read(&action, uaction))
		return -EFAULT;
	switch (action) {
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_USER_NOTIF:
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static long notif_sizes(struct user_bytes out)
{
	const struct seccomp_notif_sizes sizes = {
		.seccomp_notif = sizeof(struct seccomp_notif),
		.seccomp_notif_resp = sizeof(struct seccomp_notif_resp),
		.seccomp_data = sizeof(struct seccomp_data),
	};

	return user_write_bytes(out, &sizes, sizeof(sizes));
}

long sys_seccomp(u32 op, u32 flags, struct user_bytes args)
{
	switch (op) {
	case SECCOMP_SET_MODE_STRICT:
		return flags || !user_is_null(args) ? -EINVAL : set_strict();
	case SECCOMP_SET_MODE_FILTER:
		return set_filter(flags, user_address(args));
	case SECCOMP_GET_ACTION_AVAIL:
		return flags ? -EINVAL : action_avail(user_cast(u32, args));
	case SECCOMP_GET_NOTIF_SIZES:
		return flags ? -EINVAL : notif_sizes(args);
	default:
		return -EINVAL;
	}
}

long seccomp_prctl(u64 mode, u64 arg)
{
	switch (mode) {
	case SECCOMP_MODE_STRICT:
		return set_strict();
	case SECCOMP_MODE_FILTER:
		return set_filter(0, arg);
	default:
		return -EINVAL;
	}
}

/* ---- inheritance ---- */

void seccomp_fork(struct task *t)
{
	const struct task *me = current;

	ASSERT_HELD(&me->process->siglock);
	/* May have been set by another thread since the task was copied. */
	t->no_new_privs = me->no_new_privs;
	t->seccomp_mode = me->seccomp_mode;
	t->seccomp_filter = me->seccomp_filter;
	if (t->seccomp_filter)
		filter_get(t->seccomp_filter);
	if (t->seccomp_mode)
		task_set_work(t, WORK_ENTER_SECCOMP);
}

void seccomp_release(struct task *t)
{
	struct seccomp_filter *f;

	spin_lock_irq(&t->process->siglock);
	f = t->seccomp_filter;
	t->seccomp_filter = NULL;
	spin_unlock_irq(&t->process->siglock);
	filter_put_user(f);
}

/* With a reference: the filter that has `number` older ones before it. 0, -EINVAL, -ENOENT. */
static int filter_by_number(struct task *t, u64 number, struct seccomp_filter **out)
{
	struct seccomp_filter *f;
	int err = -EINVAL;

	spin_lock_irq(&t->process->siglock);
	f = t->seccomp_filter;
	if (t->seccomp_mode == SECCOMP_MODE_FILTER && f) {
		err = number < f->nr_filters ? 0 : -ENOENT;
		while (!err && f->nr_filters > number + 1)
			f = f->prev;
		if (!err)
			ref_get(&f->refs);
	}
	spin_unlock_irq(&t->process->siglock);
	*out = f;
	return err;
}

long seccomp_get_metadata(struct task *t, u64 size, u64 data)
{
	struct seccomp_metadata md = {0};
	struct user_bytes arg = user_handle(bytes, data);
	struct seccomp_filter *f;
	long err;

	if (!capable(CAP_SYS_ADMIN) || current->seccomp_mode != SECCOMP_MODE_DISABLED)
		return -EACCES;
	if (size < sizeof(md.filter_off))
		return -EINVAL;
	if (user_read_bytes(&md.filter_off, arg, sizeof(md.filter_off)))
		return -EFAULT;
	err = filter_by_number(t, md.filter_off, &f);
	if (err)
		return err;
	if (f->log)
		md.flags |= SECCOMP_FILTER_FLAG_LOG;
	filter_put(f);
	size = MIN(size, (u64)sizeof(md));
	return user_write_bytes(arg, &md, size) ? -EFAULT : (long)size;
}

u32 seccomp_count(struct task *t)
{
	const struct seccomp_filter *f;
	u32 n = 0;

	spin_lock_irq(&t->process->siglock);
	f = t->seccomp_filter;
	if (f)
		n = f->nr_filters;
	spin_unlock_irq(&t->process->siglock);
	return n;
}
