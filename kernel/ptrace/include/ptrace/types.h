/* What a thread knows about being traced, and about those whom it traces. */
#pragma once

#include <lib/list.h>
#include <linux/ptrace.h>
#include <signal/types.h>

struct task;
struct cred;

/* ptrace_link.flags */
#define PT_TRACED BIT(0)
#define PT_SEIZED BIT(1) /* by PTRACE_SEIZE */

/* Part of struct task. "Both": tasklist_lock and the siglock to write, either to read. */
struct ptrace_link {
	u32 flags;               /* both: PT_*; 0: not traced */
	u32 options;             /* both: PTRACE_O_* */
	struct task *tracer;     /* both; NULL: not traced. It lets go of its tracees before it goes */
	const struct cred *cred; /* tasklist, RCU: reference: with which it was attached */
	struct list_head node;   /* tasklist: in tracer->ptrace.tracees */
	struct list_head tracees; /* tasklist */
	siginfo_t *info;         /* siglock: what the trap is about; NULL: a stop of the group, or none */
	u64 message;             /* siglock: for PTRACE_GETEVENTMSG */
	s32 code;                /* siglock: what wait(2) has not told yet; then what resumes the thread */
};
