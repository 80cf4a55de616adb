/*
 * Debug registers of user programs. A task that has never touched them has none of this; the CPU's
 * registers then are off, and the context switch tests a flag. Only user addresses are ever loaded.
 */
#pragma once

#include <lib/types.h>

struct task;

#define NR_BREAKPOINTS 4
#define DR6_BS         BIT(14)
#define DR6_TRAPS      0xfULL
#define DR7_FIXED      0x400ULL /* the bit that always reads 1: nothing enabled */

struct debug_regs {
	u64 addr[NR_BREAKPOINTS];
	u64 status;  /* what DR6 shows the tracer: own, or the tracer of a stopped one */
	u64 control; /* DR7 as the tracer wrote it; what no program may have is left out when it is loaded */
};

/* Loads next's breakpoints, or turns prev's off. Interrupts disabled. */
void debug_regs_switch(const struct task *next);
/*
 * Whether the trap flag stops next at the next branch taken only. Interrupts disabled. An emulated CPU may
 * know nothing of it, as Linux accepts: each instruction stops there.
 */
void block_step_switch(const struct task *next);
/* The current task is not, or no longer, stepped so. */
void block_step_end(void);
/* The current task starts anew (execve). */
void debug_regs_reset(void);
void debug_regs_free(struct task *t);
/*
 * A #DB with this DR6 (positive form) hit the current task: notes it for the tracer; the bits that
 * stand for breakpoints of the task. *execute: one of them is on execution. Any context.
 */
u64 debug_regs_hit(u64 dr6, bool *execute);
/* For ptrace: 0, -EIO, -EINVAL, -EPERM, -ENOMEM. */
u64 debug_reg_get(const struct task *t, unsigned int n);
int debug_reg_set(struct task *t, unsigned int n, u64 value) __must_check;
