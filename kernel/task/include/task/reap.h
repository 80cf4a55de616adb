/* Dead threads, for ptrace. */
#pragma once

#include <lib/types.h>

struct task;

/*
 * A thread that has passed its exit has no tracer any more, and its death takes its course: others
 * than the leader go, a leader's process becomes its parent's to wait for. told: the tracer was in
 * the parent, who knows already. tasklist_lock held; what is reaped is put on `dead`.
 */
void task_untraced_locked(struct task *t, bool told, struct task **dead);
/* The last of reaped threads. No locks. */
void tasks_release(struct task *dead);
