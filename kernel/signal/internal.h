/* What the files of signal/ share among themselves. */
#pragma once

#include <lib/errno.h>
#include <lib/log.h>
#include <signal/jobctl.h>
#include <signal/signal.h>
#include <task/task.h>

#ifndef SA_RESTORER
#define SA_RESTORER 0x04000000
#endif

/* An action of the kernel's own: no program changes it, no tracer sees the signal. As on Linux. */
#define SA_IMMUTABLE 0x00800000

#define SIG_STOP_MASK (sigmask(SIGSTOP) | sigmask(SIGTSTP) | sigmask(SIGTTIN) | sigmask(SIGTTOU))
/* Default action: nothing. */
#define SIG_IGNORE_MASK (sigmask(SIGCONT) | sigmask(SIGCHLD) | sigmask(SIGWINCH) | sigmask(SIGURG))
/* Default action: end, with a core dump. */
#define SIG_CORE_MASK                                                                              \
	(sigmask(SIGQUIT) | sigmask(SIGILL) | sigmask(SIGTRAP) | sigmask(SIGABRT) |                \
	 sigmask(SIGFPE) | sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGSYS) |                  \
	 sigmask(SIGXCPU) | sigmask(SIGXFSZ))
/* Caused by the instruction itself: delivered before all others. */
#define SIG_SYNC_MASK                                                                              \
	(sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGILL) | sigmask(SIGTRAP) |                 \
	 sigmask(SIGFPE) | sigmask(SIGSYS))

#define HANDLER_DFL 0ULL
#define HANDLER_IGN 1ULL

static inline bool sig_valid(int sig)
{
	return sig >= 1 && sig <= SIGNAL_MAX;
}

static inline bool sig_in(int sig, u64 mask)
{
	return sigmask(sig) & mask;
}

static inline u64 sig_handler(const struct process *p, int sig)
{
	return READ_ONCE(p->sighand->action[sig - 1].handler);
}

/* queue.c. All with the siglock of the queue's process. */
/* Adds sig; -EAGAIN when RLIMIT_SIGPENDING forbids one that must not be lost. */
int sigqueue_add(struct task *target, struct signal_queue *q, int sig, const siginfo_t *info);
/* Takes the next unblocked signal of the current task off its queues: 0 for none. */
int sigqueue_take(u64 blocked, siginfo_t *info);
/* Queues an entry that was set aside; false, and one more overrun, when it is pending already. */
bool sigqueue_add_reserved(struct signal_queue *q, struct sigqueue *e);
void sigqueue_drop_timers(struct signal_queue *q);
/* Removes all entries whose signal is in the mask. */
void sigqueue_drop(struct signal_queue *q, u64 mask);

/* send.c */
/* Another thread looks after the shared pending signals in `which` that the current one will not
 * take. siglock held. */
void signal_retarget(u64 which);
static inline int signal_send_locked_to(struct task *t, int sig, const siginfo_t *info)
{
	return signal_send_locked(t->process, t, sig, info);
}

/* stop.c. siglock held on entry. */
/* Begins or joins a group stop; true: the lock was dropped and the thread has been stopped. */
bool signal_stop_locked(int sig);
/* SIGCONT was sent: lifts stops. */
void signal_continue_locked(struct process *p);
/* Tells the parent about SIGNAL_TELL_*; drops siglock when it does and answers true. */
bool signal_tell_parent_locked(void);
