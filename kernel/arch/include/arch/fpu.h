/* Vector and floating-point state, managed with XSAVE; switched on context switch only. */
#pragma once

#include <lib/types.h>

struct task;

/* Size of a task's save area for the features this CPU has enabled. */
extern u32 arch_fpu_size;

/* Puts the current task's registers into its save area (for signal frames, fork, ptrace). */
void arch_fpu_save(void);
/* Resets the current task to the initial state, as after execve. */
void arch_fpu_reset(void);
