/* What is done about the CPU's flaws. Chosen once by the boot CPU; later CPUs and tasks follow. */
#pragma once

#include <arch/percpu.h>
#include <lib/types.h>

/* How a task may ask for control over one kind of speculation. */
enum task_control { CONTROL_NONE, CONTROL_PRCTL, CONTROL_SECCOMP, CONTROL_ALWAYS };

struct mitigations {
	enum task_control store_bypass, indirect_branch;
	bool ibpb, stibp;       /* what indirect_branch consists of on this CPU */
	u32 spec_ctrl;          /* MSR_SPEC_CTRL of every task; with ALT_IBRS: while in the kernel */
	bool auto_ibrs;         /* EFER turns restricted branches on */
	bool srbds_off;
};
extern struct mitigations mitigations;

/* Reads the command line, decides, writes the alternatives. Boot CPU, once, over the kernel's tables. */
void mitigations_init(void);
/* This CPU's registers. */
void mitigations_cpu_init(void);

/* MSR_SPEC_CTRL in the kernel and in user mode, for ALT_IBRS; user's is the task's otherwise, too. */
DECLARE_PER_CPU_GATE(u32, spec_ctrl_kernel);
DECLARE_PER_CPU_GATE(u32, spec_ctrl_user);

struct task;
/* One of both has ARCH_RARE_SPEC: barriers and registers for next. Interrupts disabled. */
void speculation_switch(const struct task *prev, const struct task *next);
/* The current task starts a new program. */
void speculation_exec(void);
