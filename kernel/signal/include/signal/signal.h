/*
 * Sending, queueing and delivering signals. Generation works in every context (siglock disables
 * interrupts); delivery happens in gate_exit_work, in the task itself.
 */
#pragma once

#include <signal/types.h>

struct task;
struct process;
struct pid_entry;

/* One signal that is about to run a handler; given to arch to build the frame. */
struct signal_delivery {
	int sig;
	struct sigaction_abi action;
	siginfo_t info;
	struct sigset oldmask; /* what sigreturn restores */
};

/* From the kernel itself (SI_KERNEL), to a process or one thread. No permission check. */
void signal_send_process(struct process *p, int sig, const siginfo_t *info);
void signal_send_task(struct task *t, int sig, const siginfo_t *info);
/* To all members of a group; tasklist_lock NOT held. Number of processes reached. */
unsigned int signal_send_pgrp(struct pid_entry *pgrp, int sig, const siginfo_t *info);
/* A synchronous signal to the current task: unblocks it and resets an ignored one to default. */
void signal_force(int sig, const siginfo_t *info);
/* SIGKILL that cannot fail (OOM, exec). */
void process_kill(struct process *p);

/* siginfo with code SI_USER from the current task / SI_KERNEL. */
void siginfo_user(siginfo_t *info, int sig);
void siginfo_kernel(siginfo_t *info, int sig);

/* Sets the current task's mask (SIGKILL and SIGSTOP are dropped) and recomputes WORK_SIGNAL. */
void signal_set_blocked(struct sigset set);
/* Recomputes WORK_SIGNAL for the current task. */
void signal_recalc(void);

/*
 * For the calls that take a temporary mask (ppoll, pselect, sigsuspend, epoll_pwait): installs
 * *user mask* for the duration; the old one is restored at the gate's exit, after delivery.
 * 0, -EINVAL (bad size), -EFAULT.
 */
int signal_set_temporary_mask(struct user_sigset mask, u64 sigsetsize) __must_check;
/* Puts the mask back at once when the call did not end in -ERESTARTNOHAND/-EINTR. */
void signal_restore_mask(bool interrupted);

/* True when sig is ignored by, or blocked in, the current process (tty job control). */
bool signal_ignored_or_blocked(int sig);
/* Drops all pending signals and resets handlers for execve. */
void signal_exec(void);
void signal_queue_init(struct signal_queue *q);
void signal_queue_flush(struct signal_queue *q);
