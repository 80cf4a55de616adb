/*
 * Yama: who may attach, beyond ptrace(2)'s own rule. kernel.yama.ptrace_scope: 0 adds nothing, 1 only
 * ancestors and whom the target has named by prctl(PR_SET_PTRACER), 2 only with CAP_SYS_PTRACE, 3
 * nobody, and that for good. The default is Debian's, 0.
 *
 * Whom a process has named is a number with a reference, so that nobody else can get it meanwhile.
 */
#include <linux/prctl.h>
#include <task/pid.h>
#include "internal.h"

enum { SCOPE_CLASSIC, SCOPE_RELATED, SCOPE_CAPABLE, SCOPE_NOBODY };

u32 yama_ptrace_scope;

static bool is_descendant(const struct process *ancestor, const struct process *p)
{
	for (; p->pid > 0; p = p->parent)
		if (p == ancestor)
			return true;
	return false;
}

/* The target lets the current process in. tasklist_lock held. */
static bool is_exception(struct task *t)
{
	struct process *p = t->process, *me = current->process;
	struct task *named;

	if (t->ptrace.flags && t->ptrace.tracer->process == me)
		return true;
	if (p->yama_any)
		return true;
	named = p->yama_tracer ? p->yama_tracer->task : NULL;
	return named && is_descendant(named->process, me);
}

static bool is_related(struct task *t)
{
	bool ok;

	spin_lock_irq(&tasklist_lock);
	ok = is_descendant(current->process, t->process) || is_exception(t);
	spin_unlock_irq(&tasklist_lock);
	return ok;
}

bool yama_may_attach(struct task *t)
{
	switch (READ_ONCE(yama_ptrace_scope)) {
	case SCOPE_CLASSIC:
		return true;
	case SCOPE_RELATED:
		return is_related(t) || capable(CAP_SYS_PTRACE);
	case SCOPE_CAPABLE:
		return capable(CAP_SYS_PTRACE);
	default:
		return false;
	}
}

bool yama_may_be_traced_by(struct task *tracer)
{
	u32 scope = READ_ONCE(yama_ptrace_scope);

	ASSERT_HELD(&tasklist_lock);
	if (scope == SCOPE_CAPABLE)
		return cred_capable(rcu_dereference(tracer->cred), CAP_SYS_PTRACE);
	return scope != SCOPE_NOBODY;
}

static void set_ptracer(struct process *p, struct pid_entry *named, bool any)
{
	struct pid_entry *old;

	spin_lock_irq(&tasklist_lock);
	old = p->yama_tracer;
	p->yama_tracer = named;
	p->yama_any = any;
	spin_unlock_irq(&tasklist_lock);
	if (old)
		pid_put(old);
}

long yama_set_ptracer(u64 pid)
{
	struct pid_entry *named;

	if (!pid || pid == PR_SET_PTRACER_ANY || (s32)pid == -1) {
		set_ptracer(current->process, NULL, pid);
		return 0;
	}
	rcu_read_lock();
	named = pid_find((s32)pid);
	if (named && (!rcu_dereference(named->task) || !ref_get_unless_zero(&named->ref)))
		named = NULL;
	rcu_read_unlock();
	if (!named)
		return -EINVAL;
	set_ptracer(current->process, named, false);
	return 0;
}

void yama_exit(struct process *p)
{
	set_ptracer(p, NULL, false);
}
