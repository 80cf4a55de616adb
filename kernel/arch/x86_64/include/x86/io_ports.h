/* Port permissions of threads, for the context switch and the trap handlers. */
#pragma once

#include <lib/types.h>

struct regs;
struct task;

/* The TSS of this CPU gets next's permissions. Preemption disabled. */
void io_ports_switch(const struct task *next);
void io_ports_fork(struct task *child);
void io_ports_free(struct task *t);
/* True: the fault was CLI or STI in a thread with iopl(3), which has been stepped over. */
bool io_ports_skip_cli(struct regs *regs);
