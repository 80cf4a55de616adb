/* What the files of task/ share among themselves. */
#pragma once

#include <lib/errno.h>
#include <lib/log.h>
#include <signal/signal.h>
#include <task/pid.h>
#include <task/reap.h>
#include <task/task.h>

#define TIMER_SLACK_DEFAULT_NS 50000ULL

/* task.c: objects. */
void task_cache_init(void);
/* A new thread has one reference, its own; NULL: no memory. */
struct task *task_alloc(void);
/* Frees a task that never ran and was never linked. */
void task_free_unused(struct task *t);
/* A process without threads, one reference; NULL: no memory. */
struct process *process_alloc(void);
/* Links t (and, for a leader, its process below parent). tasklist_lock held. */
void task_link(struct task *t);
void process_link(struct process *p, struct process *parent);
/* Frees stack and FPU area early when the dead task has left its CPU. */
void task_release_stack(struct task *t);

/* pid.c: the first thread with a number at or above *nr. RCU. */
struct task *pid_next_task(s32 *nr);

/* cred.c */
void group_list_put(struct group_list *g);

/* exit.c: takes a dead thread out of all tables and puts it on a chain (tasklist_lock held), whose
 * threads lose their number and reference without locks. */
void task_reap_locked(struct task *t, struct task **dead);
/* The same for a dead thread, not the leader, whose tracer has waited for it: with what follows. */
void task_reap_thread_locked(struct task *t, struct task **dead);
/* Wakes the parent's wait(2) and sends sig with the SIGCHLD information; tasklist_lock held.
 * True when the parent ignores its children: the caller reaps. */
bool exit_tell_parent(struct process *p, s32 sig);

/* fork.c: what exec and exit owe a vfork parent. */
void task_vfork_done(struct task *t);
/* unshare.c: descriptors of the current task's own. 0 or -ENOMEM. */
int task_unshare_files(void) __must_check;
/* work.c: runs what is left and takes no more. */
void task_work_close(void);
/* mm_release.c: clear_child_tid, robust list and vfork, before the address space is let go. */
void task_mm_release(struct task *t);

/* The wait(2) status of a dead process. */
static inline s32 process_exit_code(const struct process *p)
{
	return p->signal_flags & SIGNAL_GROUP_EXIT ? p->group_exit_code : p->leader->exit_code;
}
/* Its si_code and si_status. */
static inline int exit_code_cause(s32 code)
{
	if (!(code & 0x7f))
		return CLD_EXITED;
	return code & 0x80 ? CLD_DUMPED : CLD_KILLED;
}
static inline int exit_code_status(s32 code)
{
	return code & 0x7f ? code & 0x7f : (code >> 8) & 0xff;
}

/* task/limits: the default set of init. */
void rlimits_init(struct rlimit64 *r);
