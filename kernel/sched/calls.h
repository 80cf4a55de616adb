/* Private to sched/: what its system calls share. */
#pragma once

#include <task/task.h>

/* The thread with the number, 0: the current one; with a reference, or NULL. */
struct task *sched_call_target(s32 pid);
/* True when the current task's effective user owns t. */
bool sched_same_owner(struct task *t);
/* True when t may be given the nice value: RLIMIT_NICE of its process, or CAP_SYS_NICE. */
bool sched_can_nice(struct task *t, int nice);
