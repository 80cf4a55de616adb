/*
 * ptrace(2): finding the tracee, holding it still, and what each request does.
 *
 * Nearly every request wants its tracee in a trap. ptrace_freeze makes sure of that and marks it
 * JOBCTL_FROZEN, so that not even SIGKILL lets it run while its registers are in use; then waits until
 * it has left its CPU. ptrace_unfreeze lets a SIGKILL through that came meanwhile.
 */
#include <arch/cpu.h>
#include <arch/ptrace.h>
#include <linux/ptrace.h>
#include <mm/user.h>
#include <seccomp/seccomp.h>
#include <syscall/table.h>
#include "internal.h"

static bool killed_locked(const struct task *t)
{
	return t->pending.set.bits & sigmask(SIGKILL);
}

/*
 * The thread that called execve has got its leader's number, and nobody has waited for the event yet:
 * the tracer means the leader, which is gone. siglock held.
 */
static bool number_is_stale(const struct task *t)
{
	return t->ptrace.code == (SIGTRAP | (PTRACE_EVENT_EXEC << 8)) &&
	       t->ptrace.message != (u64)t->tid;
}

static bool freeze_locked(struct task *t)
{
	struct process *p = t->process;
	bool ok;

	spin_lock(&p->siglock);
	ok = (t->jobctl & JOBCTL_TRACED) && !(t->jobctl & JOBCTL_LISTENING) &&
	     !number_is_stale(t) && !killed_locked(t);
	if (ok)
		t->jobctl |= JOBCTL_FROZEN;
	spin_unlock(&p->siglock);
	return ok;
}

/* Usually it is about to call the scheduler: that is not worth a sleep. */
static void wait_off_cpu(struct task *t)
{
	for (unsigned int i = 0; i < 2000 && READ_ONCE(t->on_cpu); i++)
		cpu_relax();
	sched_wait_inactive(t);
}

/* any_state: only that we are its tracer. 0 or -ESRCH. */
static int ptrace_freeze(struct task *t, bool any_state)
{
	bool ok;

	spin_lock_irq(&tasklist_lock);
	ok = t->ptrace.flags && t->ptrace.tracer == current && (any_state || freeze_locked(t));
	spin_unlock_irq(&tasklist_lock);
	if (!ok)
		return -ESRCH;
	if (!any_state)
		wait_off_cpu(t);
	return 0;
}

/* Ends the trap. siglock held. */
static void trap_end_locked(struct task *t)
{
	t->jobctl &= ~(u32)(JOBCTL_TRACED | JOBCTL_FROZEN);
	sched_wake(t, TASK_TRACED);
}

static void ptrace_unfreeze(struct task *t)
{
	struct process *p = t->process;

	spin_lock_irq(&p->siglock);
	if (t->jobctl & JOBCTL_FROZEN) {
		t->jobctl &= ~(u32)JOBCTL_FROZEN;
		if (killed_locked(t))
			trap_end_locked(t);
	}
	spin_unlock_irq(&p->siglock);
}

static void set_work(struct task *t, u32 bits, bool on)
{
	if (on)
		task_set_work(t, bits);
	else
		task_clear_work(t, bits);
}

static long ptrace_resume(struct task *t, u64 request, u64 sig)
{
	struct process *p = t->process;

	if (sig > SIGNAL_MAX)
		return -EIO;
	set_work(t, WORK_ENTER_PTRACE | WORK_EXIT_PTRACE, request == PTRACE_SYSCALL);
	set_work(t, WORK_ENTER_EMULATE, arch_request_emulates(request));
	if (request == PTRACE_SINGLESTEP || arch_request_steps(request))
		arch_step_begin(t, request);
	else
		arch_step_end(t);
	/* wait(2) looks under siglock: it must not take the signal for another report. */
	spin_lock_irq(&p->siglock);
	t->ptrace.code = (s32)sig;
	trap_end_locked(t);
	spin_unlock_irq(&p->siglock);
	return 0;
}

static long ptrace_kill(struct task *t)
{
	siginfo_t info;

	siginfo_user(&info, SIGKILL);
	(void)signal_send_task(t, SIGKILL, &info);
	return 0;
}

/* A trap is to come, whatever else happens; one that is going on is not disturbed. */
static long ptrace_interrupt(struct task *t)
{
	struct process *p = t->process;
	long err = -EIO;

	spin_lock_irq(&p->siglock);
	if (t->ptrace.flags & PT_SEIZED) {
		if (jobctl_set_pending(t, JOBCTL_TRAP_STOP))
			signal_wake_traced(t, t->jobctl & JOBCTL_LISTENING);
		err = 0;
	}
	spin_unlock_irq(&p->siglock);
	return err;
}

/* Stays in the stop, but counts as not in it until something changes. */
static long ptrace_listen(struct task *t)
{
	struct process *p = t->process;
	long err = -EIO;

	spin_lock_irq(&p->siglock);
	if ((t->ptrace.flags & PT_SEIZED) && t->ptrace.info &&
	    t->ptrace.info->si_code >> 8 == PTRACE_EVENT_STOP) {
		t->jobctl |= JOBCTL_LISTENING;
		t->jobctl &= ~(u32)JOBCTL_FROZEN;
		if (t->jobctl & JOBCTL_TRAP_NOTIFY) /* it has changed already */
			signal_wake_traced(t, true);
		err = 0;
	}
	spin_unlock_irq(&p->siglock);
	return err;
}

static long ptrace_set_options(struct task *t, u64 options)
{
	struct process *p = t->process;
	int err = ptrace_check_options(options);

	if (err)
		return err;
	spin_lock_irq(&tasklist_lock);
	spin_lock(&p->siglock);
	t->ptrace.options = (u32)options;
	spin_unlock(&p->siglock);
	spin_unlock_irq(&tasklist_lock);
	return 0;
}

static long peek_user(struct task *t, u64 addr, u64 data)
{
	u64 word;
	int err = arch_user_word_get(t, addr, &word);

	return err ? err : user_write(user_handle(u64, data), &word);
}

static long request_regset(struct task *t, u64 request, u64 addr, u64 data)
{
	bool set;
	u32 type;

	if (!arch_request_regset(request, &type, &set))
		return arch_ptrace_request(t, request, addr, data);
	return ptrace_regset(t, type, set, user_handle(bytes, data), 0);
}

/* About the tracee as it stands. */
static long request_state(struct task *t, u64 request, u64 addr, u64 data)
{
	switch (request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
		return ptrace_peek(t, addr, data);
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA:
		return ptrace_poke(t, addr, data);
	case PTRACE_PEEKUSR:
		return peek_user(t, addr, data);
	case PTRACE_POKEUSR:
		return arch_user_word_set(t, addr, data);
	case PTRACE_GETREGSET:
	case PTRACE_SETREGSET:
		return ptrace_regset_vec(t, addr, request == PTRACE_SETREGSET, data);
	case PTRACE_GETEVENTMSG:
		return user_write(user_handle(u64, data), &t->ptrace.message);
	case PTRACE_GETSIGINFO:
		return ptrace_getsiginfo(t, data);
	case PTRACE_SETSIGINFO:
		return ptrace_setsiginfo(t, data);
	case PTRACE_PEEKSIGINFO:
		return ptrace_peeksiginfo(t, addr, data);
	case PTRACE_GETSIGMASK:
		return ptrace_getsigmask(t, addr, data);
	case PTRACE_SETSIGMASK:
		return ptrace_setsigmask(t, addr, data);
	case PTRACE_GET_SYSCALL_INFO:
		return ptrace_get_syscall_info(t, addr, data);
	case PTRACE_SECCOMP_GET_METADATA:
		return seccomp_get_metadata(t, addr, data);
	case PTRACE_GET_RSEQ_CONFIGURATION:
		return ptrace_get_rseq(t, addr, data);
	default:
		return request_regset(t, request, addr, data);
	}
}

/* About how it goes on; the rest is for request_state. */
static long ptrace_request(struct task *t, u64 request, u64 addr, u64 data)
{
	switch (request) {
	case PTRACE_CONT:
	case PTRACE_SYSCALL:
	case PTRACE_SINGLESTEP:
		return ptrace_resume(t, request, data);
	case PTRACE_KILL:
		return ptrace_kill(t);
	case PTRACE_INTERRUPT:
		return ptrace_interrupt(t);
	case PTRACE_LISTEN:
		return ptrace_listen(t);
	case PTRACE_DETACH:
		return ptrace_detach(t, data);
	case PTRACE_SETOPTIONS:
#ifdef PTRACE_OLDSETOPTIONS
	case PTRACE_OLDSETOPTIONS:
#endif
		return ptrace_set_options(t, data);
	default:
		if (arch_request_steps(request) || arch_request_emulates(request))
			return ptrace_resume(t, request, data);
		return request_state(t, request, addr, data);
	}
}

static long ptrace_on(struct task *t, u64 request, u64 addr, u64 data)
{
	long err;

	if (request == PTRACE_ATTACH || request == PTRACE_SEIZE)
		return ptrace_attach(t, request == PTRACE_SEIZE, addr, data);
	err = ptrace_freeze(t, request == PTRACE_KILL || request == PTRACE_INTERRUPT);
	if (err)
		return err;
	err = ptrace_request(t, request, addr, data);
	if (err || request != PTRACE_DETACH)
		ptrace_unfreeze(t);
	return err;
}

long sys_ptrace(s64 request, s64 pid, u64 addr, u64 data)
{
	struct task *t;
	long err;

	if (request == PTRACE_TRACEME)
		return ptrace_traceme();
	t = task_find_get((s32)pid);
	if (!t)
		return -ESRCH;
	err = ptrace_on(t, (u64)request, addr, data);
	task_put(t);
	return err;
}
