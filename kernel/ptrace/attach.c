/*
 * How tracing begins and ends: TRACEME, ATTACH and SEIZE, DETACH, children that are born traced, and
 * the end of either side. A tracee is on its tracer's list; links change under tasklist_lock and
 * the tracee's siglock. Attaching takes the target's exec_lock, so it comes before or after an execve
 * as a whole, never between the decision about privilege and its effect.
 */
#include <arch/ptrace.h>
#include <mm/mm.h>
#include <sync/wait.h>
#include <task/access.h>
#include <task/fork.h>
#include <task/pid.h>
#include <task/reap.h>
#include "internal.h"

static const u32 resume_work = WORK_ENTER_PTRACE | WORK_ENTER_EMULATE | WORK_EXIT_PTRACE;

/* tasklist_lock held. The child's siglock too, unless nobody knows the child yet. */
static void link_locked(struct task *t, struct task *tracer, const struct cred *cred)
{
	ASSERT_HELD(&tasklist_lock);
	cred_get(cred);
	t->ptrace.tracer = tracer;
	rcu_assign(t->ptrace.cred, cred);
	list_add_tail(&t->ptrace.node, &tracer->ptrace.tracees);
	tracer->process->nr_tracees++;
}

/* A group stop that the tracer has kept the thread out of counts again. siglock held. */
static void unlink_restore_stop(struct task *t)
{
	struct process *p = t->process;

	if ((t->flags & TASK_F_EXITING) || !(p->nr_to_stop || (p->signal_flags & SIGNAL_STOPPED)))
		return;
	t->jobctl |= JOBCTL_STOP_PENDING;
	if (!(t->jobctl & JOBCTL_STOP_SIGNAL))
		t->jobctl |= SIGSTOP;
}

void ptrace_unlink_locked(struct task *t)
{
	struct process *p = t->process;
	const struct cred *cred = t->ptrace.cred;

	ASSERT_HELD(&tasklist_lock);
	list_del(&t->ptrace.node);
	t->ptrace.tracer->process->nr_tracees--;
	task_clear_work(t, resume_work);
	spin_lock(&p->siglock);
	jobctl_clear_pending(t, JOBCTL_TRAP_MASK);
	jobctl_clear_trapping(t);
	t->ptrace.flags = t->ptrace.options = 0;
	t->ptrace.tracer = NULL;
	rcu_assign(t->ptrace.cred, NULL);
	unlink_restore_stop(t);
	if ((t->jobctl & JOBCTL_STOP_PENDING) || (t->jobctl & JOBCTL_TRACED))
		signal_wake_traced(t, true);
	spin_unlock(&p->siglock);
	cred_put(cred);
}

/* The thread that counts as the current process's maker. tasklist_lock held; NULL: gone. */
static struct task *parent_thread(const struct process *p)
{
	struct pid_entry *e = pid_find(p->parent_tid);
	struct task *t = e ? e->task : NULL;

	return t && t->process == p->parent ? t : NULL;
}

/* capabilities(7)'s and Yama's word on TRACEME. */
static bool may_be_traced_by(struct task *tracer)
{
	const struct cred *its = rcu_dereference(tracer->cred);

	if ((current->cred->cap_permitted & ~its->cap_permitted) &&
	    !(its->cap_effective & BIT(CAP_SYS_PTRACE)))
		return false;
	return yama_may_be_traced_by(tracer);
}

static long traceme_locked(void)
{
	struct task *me = current, *tracer = parent_thread(me->process);

	if (me->ptrace.flags)
		return -EPERM;
	/* A parent that is on its way out could not let go of us any more: not traced, and no error. */
	if (!tracer || (tracer->flags & TASK_F_EXITED))
		return 0;
	if (!may_be_traced_by(tracer))
		return -EPERM;
	spin_lock(&me->process->siglock);
	me->ptrace.flags = PT_TRACED;
	link_locked(me, tracer, me->cred);
	spin_unlock(&me->process->siglock);
	return 0;
}

long ptrace_traceme(void)
{
	long err;

	spin_lock_irq(&tasklist_lock);
	err = traceme_locked();
	spin_unlock_irq(&tasklist_lock);
	return err;
}

int ptrace_check_options(u64 options)
{
	if (options & ~(u64)PTRACE_O_MASK)
		return -EINVAL;
	if (!(options & PTRACE_O_SUSPEND_SECCOMP))
		return 0;
	return capable(CAP_SYS_ADMIN) && !(current->ptrace.options & PTRACE_O_SUSPEND_SECCOMP)
		       ? 0
		       : -EPERM;
}

/* One that has stopped for its group changes over to a trap, and we wait for that. siglock held. */
static void attach_stopped(struct task *t)
{
	if (READ_ONCE(t->state) != TASK_STOPPED ||
	    !jobctl_set_pending(t, JOBCTL_TRAP_STOP | JOBCTL_TRAPPING))
		return;
	task_set_work(t, WORK_SIGNAL);
	sched_wake(t, TASK_STOPPED);
}

static long attach_locked(struct task *t, bool seize, u32 options)
{
	struct process *p = t->process;
	siginfo_t info;

	if ((t->flags & TASK_F_EXITED) || t->ptrace.flags)
		return -EPERM;
	spin_lock(&p->siglock);
	t->ptrace.flags = PT_TRACED | (seize ? PT_SEIZED : 0);
	t->ptrace.options = options;
	link_locked(t, current, current->cred);
	if (!seize) {
		siginfo_kernel(&info, SIGSTOP);
		(void)signal_send_locked(p, t, SIGSTOP, &info);
	}
	attach_stopped(t);
	spin_unlock(&p->siglock);
	return 0;
}

/* exec_lock held: what it is allowed to do does not change. */
static long attach_checked(struct task *t, bool seize, u32 options)
{
	long err;

	if (!task_may_access(t, ACCESS_REAL | ACCESS_ATTACH))
		return -EPERM;
	spin_lock_irq(&tasklist_lock);
	err = attach_locked(t, seize, options);
	spin_unlock_irq(&tasklist_lock);
	return err;
}

long ptrace_attach(struct task *t, bool seize, u64 addr, u64 options)
{
	struct process *p = t->process;
	long err;

	if (seize) {
		/* An unknown option is EIO here and EINVAL in SETOPTIONS. */
		if (addr || (options & ~(u64)PTRACE_O_MASK))
			return -EIO;
		err = ptrace_check_options(options);
		if (err)
			return err;
	}
	if ((t->flags & TASK_F_KTHREAD) || p == current->process)
		return -EPERM;
	if (mutex_lock_interruptible(&p->exec_lock))
		return -ERESTARTNOINTR;
	err = attach_checked(t, seize, seize ? (u32)options : 0);
	mutex_unlock(&p->exec_lock);
	if (!err) /* killed: nobody will miss the end of this wait */
		(void)!wait_event_killable(&current->process->child_wait,
					   !(READ_ONCE(t->jobctl) & JOBCTL_TRAPPING));
	return err;
}

/* The tracer lets go; if t is dead, its death takes the course that it has without a tracer. */
static void detach_locked(struct task *t, struct task **dead)
{
	bool told = !ptrace_reparented(t);

	ptrace_unlink_locked(t);
	if (t->flags & TASK_F_EXITED)
		task_untraced_locked(t, told, dead);
}

long ptrace_detach(struct task *t, u64 sig)
{
	struct task *dead = NULL;

	if (sig > SIGNAL_MAX)
		return -EIO;
	arch_step_end(t);
	spin_lock_irq(&tasklist_lock);
	spin_lock(&t->process->siglock);
	t->ptrace.code = (s32)sig;
	t->jobctl &= ~(u32)JOBCTL_FROZEN;
	spin_unlock(&t->process->siglock);
	detach_locked(t, &dead);
	spin_unlock_irq(&tasklist_lock);
	tasks_release(dead);
	return 0;
}

#define LET_GO_BATCH 16

bool ptrace_let_some_go_locked(struct task **dead)
{
	struct task *me = current, *t, *tmp;
	siginfo_t info;
	u32 done = 0;

	ASSERT_HELD(&tasklist_lock);
	list_for_each_safe(t, tmp, &me->ptrace.tracees, ptrace.node) {
		if (t->ptrace.options & PTRACE_O_EXITKILL) {
			siginfo_kernel(&info, SIGKILL);
			(void)signal_send_task(t, SIGKILL, &info);
		}
		detach_locked(t, dead);
		if (++done == LET_GO_BATCH)
			return true;
	}
	return false;
}

/* --- children, execve, exit --- */

unsigned int ptrace_fork_event(u64 clone_flags, s32 exit_signal)
{
	unsigned int event = PTRACE_EVENT_FORK;

	if (clone_flags & CLONE_UNTRACED)
		return 0;
	if (clone_flags & CLONE_VFORK)
		event = PTRACE_EVENT_VFORK;
	else if (exit_signal != SIGCHLD)
		event = PTRACE_EVENT_CLONE;
	return ptrace_event_enabled(event) ? event : 0;
}

void ptrace_fork_locked(struct task *child, u64 clone_flags, unsigned int event)
{
	struct task *me = current;

	ASSERT_HELD(&tasklist_lock);
	if (!me->ptrace.flags || !(event || (clone_flags & CLONE_PTRACE)))
		return;
	child->ptrace.flags = me->ptrace.flags;
	child->ptrace.options = me->ptrace.options;
	link_locked(child, me->ptrace.tracer, me->ptrace.cred);
	if (child->ptrace.flags & PT_SEIZED)
		child->jobctl |= JOBCTL_TRAP_STOP;
	else
		child->pending.set.bits |= sigmask(SIGSTOP);
	task_set_work(child, WORK_SIGNAL);
}

void ptrace_exec(s32 tid)
{
	siginfo_t info;

	if (likely(!current->ptrace.flags))
		return;
	if (ptrace_event_enabled(PTRACE_EVENT_EXEC)) {
		ptrace_event(PTRACE_EVENT_EXEC, (u64)tid);
	} else if (!(current->ptrace.flags & PT_SEIZED)) {
		/* Who has not asked for events still learns of it, as ever. */
		siginfo_user(&info, SIGTRAP);
		(void)signal_send_task(current, SIGTRAP, &info);
	}
}

void ptrace_exit(s32 code)
{
	struct task *me = current;
	struct process *p = me->process;
	u64 kill;

	if (likely(!ptrace_event_enabled(PTRACE_EVENT_EXIT)))
		return;
	/* The SIGKILL that ends the thread is over; only a further one ends the trap. */
	spin_lock_irq(&p->siglock);
	kill = me->pending.set.bits & sigmask(SIGKILL);
	me->pending.set.bits &= ~kill;
	spin_unlock_irq(&p->siglock);
	ptrace_event(PTRACE_EVENT_EXIT, (u32)code);
	spin_lock_irq(&p->siglock);
	me->pending.set.bits |= kill;
	spin_unlock_irq(&p->siglock);
}

bool ptrace_tracer_capable(unsigned int cap)
{
	const struct cred *c;
	bool ok;

	rcu_read_lock();
	c = rcu_dereference(current->ptrace.cred);
	ok = !c || (c->cap_effective & BIT(cap));
	rcu_read_unlock();
	return ok;
}

s32 ptrace_tracer_pid(struct task *t)
{
	u64 flags = spin_lock_irqsave(&tasklist_lock);
	s32 pid = t->ptrace.flags ? t->ptrace.tracer->tid : 0;

	spin_unlock_irqrestore(&tasklist_lock, flags);
	return pid;
}
