/*
 * ptrace(2): what the rest of the kernel calls so that a tracer sees it. For a thread that is not
 * traced each of these is one test. "Trap": a stop in which the thread waits for its tracer.
 */
#pragma once

#include <ptrace/types.h>
#include <task/task.h>

struct regs;

/* The tracer wants traps of this kind (PTRACE_EVENT_*). The current task. */
static inline bool ptrace_event_enabled(unsigned int event)
{
	return unlikely(current->ptrace.flags) && (current->ptrace.options & BIT(event));
}

/* Its tracer is not, or not in, its parent. tasklist_lock. */
static inline bool ptrace_reparented(const struct task *t)
{
	return unlikely(t->ptrace.flags) && t->ptrace.tracer->process != t->process->parent;
}

/* --- traps. Process context, no locks (_locked: siglock held, dropped meanwhile). --- */

/* A trap for the event if the tracer wants it; message is what GETEVENTMSG tells. */
void ptrace_event(unsigned int event, u64 message);
/* A trap with this stop code (SIGTRAP, or that and more bits above): the signal it ended with. */
s32 ptrace_notify(s32 code, u64 message);
/* The current task is about to take sig: what the tracer makes of it, 0 for nothing. */
int ptrace_signal_locked(int sig, siginfo_t *info);
/* JOBCTL_TRAP_*: the trap that is due. */
void ptrace_trap_locked(void);
/* A seized thread's group stop has begun or ended. siglock held. */
void ptrace_trap_notify_locked(struct task *t);
/* Around a system call. False: the call is not to be made, its result is in regs. */
bool ptrace_syscall_enter(struct regs *regs);
void ptrace_syscall_exit(struct regs *regs);

/* --- the life of threads --- */

/* The event that a clone of this kind is, if its tracer wants to see it; else 0. */
unsigned int ptrace_fork_event(u64 clone_flags, s32 exit_signal);
/* A new child, not yet visible: traced like its maker if that is asked for. tasklist_lock and the
 * siglock of the current process held. */
void ptrace_fork_locked(struct task *child, u64 clone_flags, unsigned int event);
/* execve has succeeded; tid: the thread's number before. */
void ptrace_exec(s32 tid);
/* The current thread begins to exit with this wait(2) status. */
void ptrace_exit(s32 code);
/* The current thread, which ends, lets a few of its tracees go; what has died unwaited for is put on `dead`,
 * for tasks_release. True: there are more. tasklist_lock held. */
bool ptrace_let_some_go_locked(struct task **dead);
/* t belongs to no tracer any more; if it is in a trap, it leaves that. tasklist_lock held. */
void ptrace_unlink_locked(struct task *t);
/* No tracer, or one with this capability when it attached: set-id programs may gain by execve. */
bool ptrace_tracer_capable(unsigned int cap);
/* The number of the tracing thread, for /proc; 0: none. */
s32 ptrace_tracer_pid(struct task *t);
/* Its tracer has suspended the current task's seccomp filters (PTRACE_O_SUSPEND_SECCOMP). */
static inline bool ptrace_seccomp_suspended(void)
{
	return unlikely(current->ptrace.options & PTRACE_O_SUSPEND_SECCOMP);
}

/* --- who may attach: Yama's rules --- */

#define YAMA_SCOPE_MAX 3
extern u32 yama_ptrace_scope; /* kernel.yama.ptrace_scope; torn-free */
/* Beyond ptrace(2)'s own rule: the current task may attach to t. Any context. */
bool yama_may_attach(struct task *t);
/* prctl(PR_SET_PTRACER): 0 or -EINVAL. */
long yama_set_ptracer(u64 pid) __must_check;
/* The process ends: forgets whom it allowed. */
void yama_exit(struct process *p);
