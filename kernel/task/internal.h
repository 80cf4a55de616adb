/* What the files of task/ share among themselves. */
#pragma once

#include <lib/errno.h>
#include <lib/log.h>
#include <signal/signal.h>
#include <task/pid.h>
#include <task/task.h>

struct regs;

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

/* exit.c: takes a dead thread out of all tables; tasklist_lock held. The caller then calls
 * task_put_released without locks. */
void task_unlink(struct task *t);
void task_put_released(struct task *t);
/* Wakes the parent's wait(2) and sends sig with the SIGCHLD information; tasklist_lock held.
 * True when the parent ignores its children: the caller reaps. */
bool exit_tell_parent(struct process *p, s32 sig);

/* exec.c */
long task_exec(int dirfd, const char *name, u32 lookup_flags, struct user_strv argv,
	       struct user_strv envp);
/* fork.c: what exec and exit owe a vfork parent. */
void task_vfork_done(struct task *t);
/* mm_release.c: clear_child_tid, robust list and vfork, before the address space is let go. */
void task_mm_release(struct task *t);

/* task/limits: the default set of init. */
void rlimits_init(struct rlimit64 *r);
/* Most threads that may exist; from the amount of memory. */
extern u32 max_tasks;
