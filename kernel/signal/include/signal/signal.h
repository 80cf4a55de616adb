/*
 * Sending, queueing and delivering signals. Generation works in every context (siglock disables
 * interrupts); delivery happens in gate_exit_work, in the task itself.
 */
#pragma once

#include <signal/types.h>
#include <sync/wait.h>

struct task;
struct process;
struct pid_entry;

/* process->signal_flags */
#define SIGNAL_GROUP_EXIT    BIT(0) /* the whole process is dying with group_exit_code */
#define SIGNAL_STOPPED       BIT(1) /* every thread has stopped; stop_signal says why */
#define SIGNAL_STOP_WAITABLE BIT(2) /* … and wait(2) has not reported it yet */
#define SIGNAL_CONTINUED     BIT(3) /* continued, and wait(2) has not reported it yet */
#define SIGNAL_TELL_STOPPED  BIT(4) /* the parent is to be told of a stop that SIGCONT cut short */
#define SIGNAL_TELL_CONTINUED BIT(5) /* the parent is to be told of a continuation */
#define SIGNAL_UNKILLABLE    BIT(6) /* pid 1: signals at their default action do nothing */

/* One signal that is about to run a handler; given to arch to build the frame. */
struct signal_delivery {
	int sig;
	struct sigaction_abi action;
	siginfo_t info;
	struct sigset oldmask; /* what sigreturn restores */
};

/* kill(2) with the given information to t's process: permission, and sig 0 only checks. 0 or -errno. */
int signal_kill(struct task *t, int sig, const siginfo_t *info) __must_check;
/* To a process or one thread, without permission check. 0, or -EAGAIN: it could not be queued. */
int signal_send_process(struct process *p, int sig, const siginfo_t *info);
int signal_send_task(struct task *t, int sig, const siginfo_t *info);
/* To all members of a group; tasklist_lock NOT held (_locked: held). Number of processes reached. */
unsigned int signal_send_pgrp(struct pid_entry *pgrp, int sig, const siginfo_t *info);
unsigned int signal_send_pgrp_locked(struct pid_entry *pgrp, int sig, const siginfo_t *info);
/* A synchronous signal to the current task: unblocks it and resets an ignored one to default. */
void signal_force(int sig, const siginfo_t *info);
/* The same, and no handler can catch it. */
void signal_force_default(int sig, const siginfo_t *info);
/* The same, and neither the process's other threads nor a tracer can do anything about it. */
void signal_force_death(int sig, const siginfo_t *info);
/* SIGKILL that cannot fail (OOM, exec). */
void process_kill(struct process *p);

/*
 * A queue entry set aside for a POSIX timer, so that its signal cannot fail. It counts against the
 * current process's RLIMIT_SIGPENDING for as long as it exists. NULL: over the limit, or no memory.
 * siglock guards it. While it is queued it stays so when it is given back.
 */
struct sigqueue;
struct posix_timer;
struct sigqueue *signal_reserve(struct posix_timer *timer);
siginfo_t *signal_reserved_info(struct sigqueue *e);
void signal_unreserve_locked(struct sigqueue *e);
/* Sends it to p, or to its thread t; counts an overrun if it is pending. False: it is ignored. */
bool signal_send_reserved_locked(struct process *p, struct task *t, struct sigqueue *e);

/* siginfo with code SI_USER from the current task / SI_KERNEL. */
void siginfo_user(siginfo_t *info, int sig);
void siginfo_kernel(siginfo_t *info, int sig);

/* Sets the current task's mask (SIGKILL and SIGSTOP are dropped) and recomputes WORK_SIGNAL. */
void signal_set_blocked(struct sigset set);
/* Recomputes WORK_SIGNAL for the current task; the second form with siglock held. */
void signal_recalc(void);
void signal_recalc_locked(void);
/* Sets WORK_SIGNAL if anything is pending, and says so; never clears it. siglock held. */
bool signal_note_locked(void);

/*
 * For the calls that take a temporary mask (ppoll, pselect, sigsuspend, epoll_pwait): installs
 * *user mask* for the duration; the old one is restored at the gate's exit, after delivery.
 * 0, -EINVAL (bad size), -EFAULT.
 */
int signal_set_temporary_mask(struct user_sigset mask, u64 sigsetsize) __must_check;
/* Puts the mask back at once when the call did not end in -ERESTARTNOHAND/-EINTR. */
void signal_restore_mask(bool interrupted);

/* For signalfd. All about the current process. */
struct signal_wait {
	struct ref ref;
	struct wait_queue queue; /* woken for each signal that is queued */
};
/* A reference, or NULL: no memory. */
struct signal_wait *signal_wait_get(void);
void signal_wait_put(struct signal_wait *w); /* NULL is allowed */
/* Wakes all who wait: what they wait for has changed. */
void signal_wait_wake(void);
/* Pending for the current thread or its process, blocked or not. A hint without a lock. */
u64 signal_pending_bits(void);
/* Takes a pending signal of the set, blocked or not; 0: none. */
int signal_take_pending(u64 wanted, siginfo_t *info);

/* True when sig is ignored by, or blocked in, the current process (tty job control). */
bool signal_ignored_or_blocked(int sig);
/* Drops all pending signals and resets handlers for execve. */
void signal_exec(void);
void signal_queue_init(struct signal_queue *q);
void signal_queue_flush(struct signal_queue *q);

/* A table of actions for a new process: shared (CLONE_SIGHAND), copied, or copied with handlers
 * reset (CLONE_CLEAR_SIGHAND). NULL: no memory. */
struct sighand *signal_sighand_copy(struct sighand *from, u64 clone_flags);
void signal_sighand_put(struct sighand *s);
/* Makes the current process's table its own, before execve resets it. 0 or -ENOMEM. */
int signal_sighand_unshare(void) __must_check;
/* All default; for kernel threads and init. NULL: no memory. */
struct sighand *signal_sighand_create(void);
/* Sets up the slab cache of queued signals. */
void signal_init(void);

/*
 * SIGKILL for every other thread of the current process: exit_group, execve. siglock held. The
 * number that still have to die.
 */
unsigned int signal_kill_others_locked(void);
/* The current thread begins to exit: gives signals meant for anybody to another thread, and leaves
 * a group stop. */
void signal_thread_exit(void);
/* True when SIGCHLD from a dead child means: no zombie (ignored, or SA_NOCLDWAIT). *ignored: nor
 * is the signal sent. */
bool signal_children_unwanted(struct process *parent, bool *ignored);
