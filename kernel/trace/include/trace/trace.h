/*
 * The kernel's own trace: every crossing of the tasks that are traced, recorded for the host. A task
 * is traced while it has WORK_ENTER_TRACE, which its children inherit. Without it nothing is asked.
 */
#pragma once

#include <task/task.h>
#include <trace/abi.h>

struct regs;

/* Before a call of a traced task is made; check: who has refused it already. May sleep. */
void trace_enter(struct regs *regs, enum trace_check check);
/* On the way out, with WORK_EXIT_TRACE. May sleep. */
void trace_result(struct regs *regs);
/* A new task is traced if its maker is. */
void trace_fork(struct task *t);
/* The current task ends with that wait status. May sleep. */
void trace_task_exit(s32 code);

/* Keeps who refuses the traced call that is under way. */
void trace_note_slow(u32 check);
static inline void trace_note(u32 check)
{
	if (unlikely(READ_ONCE(current->work) & WORK_EXIT_TRACE))
		trace_note_slow(check);
}
