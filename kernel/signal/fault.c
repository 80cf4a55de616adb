/*
 * Signals that a program brings on itself: faults, and frames that cannot be built. They cannot be
 * blocked or ignored away; a program that tries is ended.
 */
#include <arch/entry.h>
#include <lib/string.h>
#include "internal.h"

enum force { FORCE_ACTION, FORCE_DEFAULT, FORCE_DEATH };

static void signal_force_action(int sig, const siginfo_t *info, enum force how)
{
	struct task *me = current;
	struct process *p = me->process;
	struct sigaction_abi *a = &p->sighand->action[sig - 1];
	bool blocked;

	spin_lock_irq(&p->siglock);
	blocked = sig_in(sig, me->blocked.bits);
	spin_lock(&p->sighand->lock);
	if (blocked || a->handler == HANDLER_IGN || how != FORCE_ACTION)
		a->handler = HANDLER_DFL;
	if (how == FORCE_DEATH)
		a->flags |= SA_IMMUTABLE;
	/* Not even pid 1 can go on after a fault that it does not handle, unless its tracer says so. */
	if (a->handler == HANDLER_DFL && (how == FORCE_DEATH || !me->ptrace.flags))
		p->signal_flags &= ~(u32)SIGNAL_UNKILLABLE;
	spin_unlock(&p->sighand->lock);
	if (blocked)
		me->blocked.bits &= ~sigmask(sig);
	(void)signal_send_locked(p, me, sig, info);
	signal_recalc_locked();
	spin_unlock_irq(&p->siglock);
}

void signal_force(int sig, const siginfo_t *info)
{
	signal_force_action(sig, info, FORCE_ACTION);
}

void signal_force_default(int sig, const siginfo_t *info)
{
	signal_force_action(sig, info, FORCE_DEFAULT);
}

void signal_force_death(int sig, const siginfo_t *info)
{
	signal_force_action(sig, info, FORCE_DEATH);
}

void fault_signal(int sig, int code, u64 addr, u32 trap_nr, u64 error_code)
{
	siginfo_t info;

	/* The trap number and error code reach the frame through arch's own record. */
	siginfo_kernel(&info, sig);
	if (current->process->pid == 1)
		pr_info("init: fault %u at 0x%llx, ip 0x%llx, error 0x%llx", trap_nr, addr,
			regs_ip(task_regs(current)), error_code);
	info.si_code = code;
	if (code != SI_KERNEL)
		info.si_addr = (void *)addr;
	signal_force(sig, &info);
}
