/*
 * Identifiers. A pid_entry names a number that is a thread, process, process group or session; it
 * lives as long as any of these uses it, so that a number is not reused too early.
 */
#pragma once

#include <lib/atomic.h>
#include <lib/list.h>
#include <sync/rcu.h>

struct task;
struct process;

struct pid_entry {
	struct ref ref;
	struct rcu_head rcu;
	s32 nr;                      /* const */
	struct task *task;           /* tasklist, RCU: the thread with this number, or NULL */
	struct hlist_head pgrp_members;    /* processes; tasklist */
	struct hlist_head session_members; /* processes; tasklist */
};

#define PID_LIMIT (1 << 22) /* more than this pid_max cannot be */
extern s32 pid_max; /* kernel.pid_max: new numbers are below it; torn-free */

/* 0, -EAGAIN when no number is free, -ENOMEM. One reference. */
int pid_alloc(struct pid_entry **out) __must_check;
/* The given number: -EEXIST when it is in use. */
int pid_alloc_nr(s32 nr, struct pid_entry **out) __must_check;
void pid_get(struct pid_entry *p);
void pid_put(struct pid_entry *p);
/* RCU or tasklist_lock held; NULL when unused. */
struct pid_entry *pid_find(s32 nr);

/* Job-control helpers, tasklist_lock held. */
bool pgrp_is_orphaned(struct pid_entry *pgrp, const struct process *ignored);
bool pgrp_has_stopped(struct pid_entry *pgrp);
/* Moves p to another group or session (references are taken), NULL: none. */
void process_set_pgrp(struct process *p, struct pid_entry *pgrp);
void process_set_session(struct process *p, struct pid_entry *session);

/* The last number handed out, for /proc/loadavg. */
s32 pid_last(void);
