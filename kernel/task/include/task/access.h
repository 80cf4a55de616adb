/* Who may look into another process. */
#pragma once

#include <lib/types.h>

struct task;

/* Judged by the caller's real ids or by its file-system ids (procfs). */
#define ACCESS_REAL   0
#define ACCESS_FS     BIT(0)
/* More than a look: attaching, memory, descriptors. Yama has a say then. */
#define ACCESS_ATTACH BIT(1)

/*
 * ptrace(2)'s rule: the same process, or the same user and group throughout with no more
 * capabilities and a dumpable memory, or CAP_SYS_PTRACE. mode: ACCESS_*. May sleep.
 */
bool task_may_access(struct task *t, u32 mode);

struct regs;
/* A copy of t's user registers as it entered the kernel; false when it has ended. Any context. */
bool task_copy_regs(struct task *t, struct regs *out) __must_check;
/* The return addresses of the calls that a sleeping task is in, innermost first; their number, 0
 * when it runs or has ended. Never for programs to see: they are kernel addresses. */
u32 task_kernel_trace(struct task *t, uptr *addrs, u32 max);
