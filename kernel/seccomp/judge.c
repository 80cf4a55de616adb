/*
 * What becomes of a call: the verdict and how it is carried out. Runs in the task itself at the
 * entry of the call, process context, no locks.
 */
#include <arch/entry.h>
#include <arch/speculation.h>
#include <arch/syscall_abi.h>
#include <lib/string.h>
#include <ptrace/ptrace.h>
#include <signal/signal.h>
#include <task/coredump.h>
#include "internal.h"

#define MODE_DEAD (SECCOMP_MODE_FILTER + 1) /* condemned: nothing is allowed any more */
#define ERRNO_MAX 4095

static void data_fill(struct seccomp_data *sd, const struct regs *regs, int nr)
{
	sd->nr = nr;
	sd->arch = ARCH_AUDIT;
	sd->instruction_pointer = regs_ip(regs);
	for (unsigned int i = 0; i < ARRAY_SIZE(sd->args); i++)
		sd->args[i] = regs_arg(regs, i);
}

static void condemn(void)
{
	struct process *p = current->process;

	spin_lock_irq(&p->siglock);
	current->seccomp_mode = MODE_DEAD;
	spin_unlock_irq(&p->siglock);
}

/* SIGSYS that tells of the call; fatal: whatever the program thinks of it. */
static void send_sigsys(struct regs *regs, int nr, u16 data, bool fatal)
{
	siginfo_t info;

	siginfo_kernel(&info, SIGSYS);
	info.si_code = SYS_SECCOMP;
	info.si_call_addr = (void *)(uptr)regs_ip(regs);
	info.si_errno = data;
	info.si_arch = ARCH_AUDIT;
	info.si_syscall = nr;
	/* The handler, or the core file, sees the registers as they came, number included. */
	regs_set_result(regs, regs_syscall_nr(regs));
	if (fatal)
		signal_force_death(SIGSYS, &info);
	else
		signal_force(SIGSYS, &info);
}

/* The last thread dies as the process does, with a core file; others go quietly. */
static void kill_caller(struct regs *regs, int nr, u32 action, u16 data)
{
	condemn();
	if (log_wanted(action, true))
		log_verdict(regs, nr, SIGSYS, action);
	if (action == SECCOMP_RET_KILL_THREAD && atomic_read(&current->process->nr_live) != 1)
		task_exit(SIGSYS);
	send_sigsys(regs, nr, data, true);
}

static bool judge_filters(struct regs *regs, int nr, bool again);

/* The tracer has the last word on what the call is, the filters on whether that may be. */
static bool ask_tracer(struct regs *regs, u16 data, bool again)
{
	int nr;

	if (again)
		return true;
	if (!ptrace_event_enabled(PTRACE_EVENT_SECCOMP)) {
		regs_set_result(regs, -ENOSYS);
		return false;
	}
	ptrace_event(PTRACE_EVENT_SECCOMP, data);
	if (fatal_signal_pending(current))
		return false;
	nr = (int)regs_syscall_nr(regs);
	return nr >= 0 && judge_filters(regs, nr, true);
}

/* True: make the call. */
static bool carry_out(struct regs *regs, u32 verdict, struct seccomp_filter *match,
		      const struct seccomp_data *sd, bool again)
{
	u32 action = verdict & SECCOMP_RET_ACTION_FULL;
	u16 data = (u16)(verdict & SECCOMP_RET_DATA);

	switch (action) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
		return true;
	case SECCOMP_RET_ERRNO:
		regs_set_result(regs, -(long)MIN(data, (u16)ERRNO_MAX));
		return false;
	case SECCOMP_RET_TRAP:
		send_sigsys(regs, sd->nr, data, false);
		return false;
	case SECCOMP_RET_TRACE:
		return ask_tracer(regs, data, again);
	case SECCOMP_RET_USER_NOTIF:
		return notify_ask(regs, match, sd);
	default: /* KILL_THREAD, KILL_PROCESS, and what no kernel knows */
		kill_caller(regs, sd->nr, action, data);
		return false;
	}
}

/* What has killed has told so itself; else refusals count, and LOG. */
static bool worth_logging(u32 action, bool made, const struct seccomp_filter *match)
{
	if (action == SECCOMP_RET_LOG)
		return log_wanted(action, true);
	return !made && (s32)action > SECCOMP_RET_KILL_THREAD && log_wanted(action, match->log);
}

static bool judge_filters(struct regs *regs, int nr, bool again)
{
	struct seccomp_filter *f = smp_load_acquire(&current->seccomp_filter), *match;
	struct seccomp_data sd __uninit;
	u32 verdict;
	bool made;

	data_fill(&sd, regs, nr);
	verdict = filter_run(f, &sd, &match);
	if (verdict == SECCOMP_RET_ALLOW)
		return true;
	made = carry_out(regs, verdict, match, &sd, again);
	if (worth_logging(verdict & SECCOMP_RET_ACTION_FULL, made, match))
		log_verdict(regs, nr, 0, verdict & SECCOMP_RET_ACTION_FULL);
	return made;
}

static bool judge_strict(struct regs *regs, int nr)
{
	if (arch_syscall_is_basic(nr))
		return true;
	condemn();
	if (log_wanted(SECCOMP_RET_KILL_THREAD, true))
		log_verdict(regs, nr, SIGKILL, SECCOMP_RET_KILL_THREAD);
	task_exit(SIGKILL);
}

static __noinline bool judge(struct regs *regs, int nr)
{
	if (ptrace_seccomp_suspended())
		return true;
	switch (current->seccomp_mode) {
	case SECCOMP_MODE_FILTER:
		return judge_filters(regs, nr, false);
	case SECCOMP_MODE_STRICT:
		return judge_strict(regs, nr);
	default:
		task_exit(SIGKILL);
	}
}

bool seccomp_enter(struct regs *regs)
{
	const struct seccomp_filter *f = smp_load_acquire(&current->seccomp_filter);
	u64 nr = (u32)regs_syscall_nr(regs);

	if (likely(f && nr < NR_SYSCALLS && current->seccomp_mode == SECCOMP_MODE_FILTER) &&
	    bitmap_test(f->allowed, index_clamp(nr, NR_SYSCALLS)))
		return true;
	return judge(regs, (int)nr);
}
