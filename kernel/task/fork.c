/*
 * New threads and processes: fork, vfork, clone, clone3. Everything that can fail is made first, on
 * a child that nobody can see; then one section under tasklist_lock and the parent's siglock links
 * it, unless a signal came in: such a signal is taken before the fork, so that one sent to a whole
 * group reaches either no child or the child too.
 */
#include <arch/context.h>
#include <ipc/ipc.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/user.h>
#include <seccomp/seccomp.h>
#include <syscall/table.h>
#include <task/fork.h>
#include "internal.h"
#include <ptrace/ptrace.h>
#include <task/pidfd.h>
#include <task/tty_hooks.h>
#include <time/clock.h>
#include <time/cpu_timer.h>
#include <trace/trace.h>
#include <vfs/file.h>
#include <vfs/inode.h>
#include <linux/sched.h>

#define CLONE_NAMESPACES                                                                           \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME)

const struct tty_process_ops *tty_process_ops;

/* CLONE_PIDFD, while the child is being made. */
struct new_pidfd {
	struct file *file; /* NULL: none */
	int fd;
};

/* Both flags given. */
static bool has_both(u64 flags, u64 pair)
{
	return (flags & pair) == pair;
}

static int clone_check_flags(u64 flags)
{
	if (has_both(flags, CLONE_NEWNS | CLONE_FS) || has_both(flags, CLONE_NEWUSER | CLONE_FS))
		return -EINVAL;
	if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND))
		return -EINVAL;
	if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
		return -EINVAL;
	if (has_both(flags, CLONE_SIGHAND | CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if ((flags & CLONE_PARENT) && (current->process->signal_flags & SIGNAL_UNKILLABLE))
		return -EINVAL;
	if ((flags & CLONE_PIDFD) && (flags & (CLONE_DETACHED | CLONE_THREAD)))
		return -EINVAL;
	/* As a kernel without them: one set of namespaces exists. */
	if (flags & CLONE_NAMESPACES)
		return (flags & CLONE_NEWUSER) || capable(CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
	return 0;
}

static int clone_check_limits(void)
{
	u64 limit = rlimit(RLIMIT_NPROC);

	if ((u32)atomic_read(&nr_tasks) >= READ_ONCE(max_tasks))
		return -EAGAIN;
	if ((u64)atomic_read(&current->cred->user->nr_tasks) >= limit && current->cred->uid != 0 &&
	    !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN))
		return -EAGAIN;
	current->flags &= ~(u32)TASK_F_NPROC;
	return 0;
}

/* What the thread starts with that is copied by value. */
static void clone_copy_fields(struct task *t, const struct clone_request *req)
{
	const struct task *me = current;

	task_comm_get(me, t->comm);
	t->flags = TASK_F_FORKNOEXEC;
	t->personality = me->personality;
	t->timer_slack_ns = me->timer_slack_ns;
	t->ioprio = me->ioprio;
	t->start_time_ns = clock_monotonic();
	t->blocked = me->blocked;
	/* Shared memory, and a parent that runs on: one alternate stack cannot serve both. */
	if ((req->flags & (CLONE_VM | CLONE_VFORK)) != CLONE_VM)
		t->altstack = me->altstack;
	if (!(req->flags & CLONE_VM)) {
		t->rseq_addr = me->rseq_addr;
		t->rseq_len = me->rseq_len;
		t->rseq_sig = me->rseq_sig;
		t->rseq_cpu = me->rseq_cpu;
	}
	t->set_child_tid = req->flags & CLONE_CHILD_SETTID ? user_address(req->child_tid) : 0;
	t->clear_child_tid = req->flags & CLONE_CHILD_CLEARTID ? user_address(req->child_tid) : 0;
	if (t->set_child_tid)
		t->work = WORK_NOTIFY; /* task_work_run stores it, in the child's memory */
	if (req->flags & CLONE_THREAD)
		t->exit_signal = -1;
	else if (req->flags & CLONE_PARENT)
		t->exit_signal = current->process->leader->exit_signal;
	else
		t->exit_signal = req->exit_signal;
}

static int clone_copy_mm(struct task *t, u64 flags)
{
	struct mm *mm = current->mm;
	int err;

	if (!mm)
		return 0;
	if (flags & CLONE_VM) {
		mm_get(mm);
	} else {
		err = mm_fork(current->mm, &mm);
		if (err)
			return err;
	}
	t->mm = mm;
	t->active_mm = mm;
	return 0;
}

static int clone_copy_files(struct task *t, u64 flags)
{
	struct task *me = current;

	if (flags & CLONE_FILES) {
		ref_get(&me->files->ref);
		t->files = me->files;
	} else {
		t->files = fd_table_copy(me->files, ~0U);
	}
	return t->files ? 0 : -ENOMEM;
}

static int clone_copy_fs(struct task *t, u64 flags)
{
	struct task *me = current;

	if (flags & CLONE_FS) {
		ref_get(&me->fs->ref);
		t->fs = me->fs;
	} else {
		t->fs = fs_context_copy(me->fs);
	}
	if (!t->fs)
		return -ENOMEM;
	t->mount_ns = me->mount_ns;
	mount_ns_get(t->mount_ns);
	return 0;
}

static int clone_copy_process(struct task *t, const struct clone_request *req)
{
	struct process *mine = current->process, *p;

	if (req->flags & CLONE_THREAD) {
		process_get(mine);
		t->process = mine;
		return 0;
	}
	p = process_alloc();
	if (!p)
		return -ENOMEM;
	t->process = p;
	p->sighand = signal_sighand_copy(mine->sighand, req->flags);
	if (!p->sighand)
		return -ENOMEM;
	p->oom_score_adj = mine->oom_score_adj;
	return 0;
}

/* Undoes whatever part of the copy was made. */
static void clone_abort(struct task *t)
{
	if (t->pid)
		pid_put(t->pid);
	if (t->mount_ns)
		mount_ns_put(t->mount_ns);
	sem_undo_exit(t);
	if (t->fs)
		fs_context_put(t->fs);
	if (t->files)
		fd_table_put(t->files);
	if (t->mm)
		mm_put(t->mm);
	if (t->process)
		process_put(t->process);
	if (t->cred) {
		atomic_dec(&t->cred->user->nr_tasks);
		cred_put(t->cred);
	}
	task_free_unused(t);
}

static int clone_build(struct task *t, const struct clone_request *req)
{
	int err;

	t->cred = current->cred;
	cred_get(t->cred);
	atomic_inc(&t->cred->user->nr_tasks);
	clone_copy_fields(t, req);
	sched_task_init(t, current);
	err = clone_copy_process(t, req);
	if (!err)
		err = clone_copy_files(t, req->flags);
	if (!err)
		err = clone_copy_fs(t, req->flags);
	if (!err)
		err = sem_undo_fork(t, req->flags & CLONE_SYSVSEM);
	if (!err)
		err = clone_copy_mm(t, req->flags);
	if (!err)
		err = req->set_tid ? pid_alloc_nr(req->set_tid, &t->pid) : pid_alloc(&t->pid);
	if (!err)
		err = arch_task_fork(t, req->stack, req->flags & CLONE_SETTLS, req->tls);
	return err;
}

/* The descriptor for the child: reserved and told, but not yet there. */
static int clone_prepare_pidfd(struct task *t, const struct clone_request *req, struct new_pidfd *n)
{
	int err = fd_reserve(0, true, &n->fd);

	if (err)
		return err;
	err = pidfd_create(t->process, 0, &n->file);
	if (!err) {
		err = user_write(req->pidfd, &n->fd);
		if (err)
			file_close(n->file, NULL);
	}
	if (err) {
		fd_release(n->fd);
		n->file = NULL;
	}
	return err;
}

static void clone_finish_pidfd(struct new_pidfd *n, bool success)
{
	if (!n->file)
		return;
	if (success) {
		fd_install(n->fd, n->file);
		return;
	}
	fd_release(n->fd);
	file_close(n->file, NULL);
}

/* A new process below its parent. tasklist_lock and the parent's siglock are held. */
static void clone_link_process(struct task *t, const struct clone_request *req)
{
	struct process *mine = current->process, *p = t->process;

	p->pid = t->pid->nr;
	p->leader = t;
	memcpy(p->rlimits, mine->rlimits, sizeof(p->rlimits));
	process_timers_init(p);
	p->kill_mark = mine->kill_mark;
	p->has_subreaper = mine->has_subreaper || mine->is_subreaper;
	process_set_pgrp(p, mine->pgrp);
	process_set_session(p, mine->session);
	if (tty_process_ops)
		tty_process_ops->fork(p, mine);
	p->parent_tid = req->flags & CLONE_PARENT ? mine->parent_tid : current->tid;
	process_link(p, req->flags & CLONE_PARENT ? mine->parent : mine);
}

static int clone_link(struct task *t, const struct clone_request *req, unsigned int event)
{
	struct process *mine = current->process;
	int err = 0;

	spin_lock_irq(&tasklist_lock);
	spin_lock(&mine->siglock);
	signal_recalc_locked();
	if (signal_pending(current)) {
		err = -ERESTARTNOINTR;
	} else {
		seccomp_fork(t);
		trace_fork(t);
		if (req->flags & CLONE_THREAD)
			atomic_inc(&mine->nr_live);
		else
			clone_link_process(t, req);
		task_link(t);
		ptrace_fork_locked(t, req->flags, event);
	}
	spin_unlock(&mine->siglock);
	spin_unlock_irq(&tasklist_lock);
	return err;
}

/* The parent of a vfork sleeps until the child has let go of its memory. */
static void clone_wait_vfork(struct task *child, struct completion *done)
{
	s32 nr = child->tid;

	if (!wait_for_completion_killable(done)) {
		ptrace_event(PTRACE_EVENT_VFORK_DONE, (u64)nr);
	} else {
		spin_lock(&child->alloc_lock);
		child->vfork_done = NULL;
		spin_unlock(&child->alloc_lock);
	}
	task_put(child);
}

void task_vfork_done(struct task *t)
{
	spin_lock(&t->alloc_lock);
	if (t->vfork_done)
		complete(t->vfork_done);
	t->vfork_done = NULL;
	spin_unlock(&t->alloc_lock);
}

long task_clone(const struct clone_request *req)
{
	struct new_pidfd pidfd = {0};
	struct completion done;
	struct task *t;
	unsigned int event;
	s32 nr;
	int err = clone_check_flags(req->flags);

	if (!err)
		err = clone_check_limits();
	if (err)
		return err;
	if (signal_pending(current))
		return -ERESTARTNOINTR;
	t = task_alloc();
	if (!t)
		return -ENOMEM;
	err = clone_build(t, req);
	if (!err && (req->flags & CLONE_PIDFD))
		err = clone_prepare_pidfd(t, req, &pidfd);
	if (!err && (req->flags & CLONE_VFORK)) {
		completion_init(&done);
		t->vfork_done = &done;
		t->flags |= TASK_F_VFORK;
		task_get(t);
	}
	event = ptrace_fork_event(req->flags, req->exit_signal);
	if (!err)
		err = clone_link(t, req, event);
	clone_finish_pidfd(&pidfd, !err);
	if (err) {
		clone_abort(t);
		return err;
	}
	nr = t->tid;
	current->flags |= TASK_F_FORKED;
	atomic64_add(&nr_forks, 1);
	if (req->flags & CLONE_PARENT_SETTID)
		(void)!user_write(req->parent_tid, &nr); /* failure is not reported, as in Linux */
	sched_wake_new(t);
	if (unlikely(event))
		ptrace_event(event, (u64)nr);
	if (req->flags & CLONE_VFORK)
		clone_wait_vfork(t, &done);
	return nr;
}

long sys_fork(void)
{
	return task_clone(&(struct clone_request){.exit_signal = SIGCHLD});
}

long sys_vfork(void)
{
	return task_clone(&(struct clone_request){
		.flags = CLONE_VFORK | CLONE_VM,
		.exit_signal = SIGCHLD,
	});
}

long sys_clone(u64 flags, u64 stack, struct user_int parent_tid, struct user_int child_tid, u64 tls)
{
	struct clone_request req = {
		.flags = (u32)flags & ~(u64)CSIGNAL,
		.exit_signal = (s32)(flags & CSIGNAL),
		.stack = stack,
		.tls = tls,
		.parent_tid = parent_tid,
		.child_tid = child_tid,
		.pidfd = parent_tid, /* one argument for both */
	};

	if (has_both(flags, CLONE_PIDFD | CLONE_PARENT_SETTID))
		return -EINVAL;
	return task_clone(&req);
}
