/*
 * What signals and ptrace know of a thread's stops: task->jobctl, guarded by its process's siglock.
 * The names and their meaning are Linux's, because ptrace(2) shows most of them.
 */
#pragma once

#include <signal/types.h>

struct task;
struct process;

#define JOBCTL_STOP_SIGNAL   0x7fU   /* of the latest group stop that the thread took part in */
#define JOBCTL_STOP_DEQUEUED BIT(16) /* has taken a stop signal; SIGCONT revokes it */
#define JOBCTL_STOP_PENDING  BIT(17) /* must stop for the group before user mode */
#define JOBCTL_STOP_CONSUME  BIT(18) /* … and is counted in nr_to_stop */
#define JOBCTL_TRAP_STOP     BIT(19) /* must stop for its tracer */
#define JOBCTL_TRAP_NOTIFY   BIT(20) /* a seized one is to tell of a change of its group's stop */
#define JOBCTL_TRAPPING      BIT(21) /* goes from stopped to traced; the tracer waits for that */
#define JOBCTL_LISTENING     BIT(22) /* in a trap that PTRACE_LISTEN hides from the tracer */
#define JOBCTL_FROZEN        BIT(23) /* traced, and the tracer looks at it: not even SIGKILL wakes */
#define JOBCTL_TRACED        BIT(24) /* in a trap */
#define JOBCTL_TRAP_MASK     (JOBCTL_TRAP_STOP | JOBCTL_TRAP_NOTIFY)
#define JOBCTL_PENDING_MASK  (JOBCTL_STOP_PENDING | JOBCTL_TRAP_MASK)

/* All with the siglock held. */

/* False, and nothing set: the thread is dying. */
bool jobctl_set_pending(struct task *t, u32 mask);
void jobctl_clear_pending(struct task *t, u32 mask);
/* The thread is traced now, or will never be: its tracer waits no longer. */
void jobctl_clear_trapping(struct task *t);
/* WORK_SIGNAL, and a wake-up from interruptible (fatal: also killable and stopped) sleep. */
void signal_wake(struct task *t, bool fatal);
/* The same, and out of a trap (resume) unless it is frozen. */
void signal_wake_traced(struct task *t, bool resume);
/* To t itself, or to any thread of p when t is NULL. 0 or -EAGAIN. */
int signal_send_locked(struct process *p, struct task *t, int sig, const siginfo_t *info);
/* The off'th entry, from 0, of the thread's queue or its process's: false when there are fewer. */
bool signal_peek_locked(struct task *t, bool shared, u64 off, siginfo_t *info);

/*
 * SIGCHLD to `to` about a stop or continuation of t, unless it wants none, and a wake-up of those
 * who wait there. tasklist_lock held.
 */
void signal_tell_stop(struct task *t, struct process *to, int code, int status);
/* The current thread takes part in the group's stop: true when it completes it. */
bool signal_stop_consume_locked(void);
