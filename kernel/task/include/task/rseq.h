/*
 * Restartable sequences (rseq(2)): a thread registers a word where it finds its CPU, and critical
 * sections that start over when the thread was preempted, moved or interrupted by a signal.
 */
#pragma once

#include <task/task.h>

struct regs;

/*
 * The scheduler takes prev off this CPU in favour of next; run-queue lock held. A thread that gave
 * the CPU up inside a system call is in no critical section, so it has nothing to do unless it
 * comes back on another CPU.
 */
static inline void rseq_switch(struct task *prev, struct task *next, u32 cpu)
{
	if (unlikely(prev->rseq_addr) && regs_syscall_nr(task_regs(prev)) < 0)
		task_set_work(prev, WORK_RSEQ);
	if (unlikely(next->rseq_addr) && next->rseq_cpu != cpu)
		task_set_work(next, WORK_RSEQ);
}

/* WORK_RSEQ on the way to user mode: aborts a section, tells the CPU. Interrupts enabled. */
void rseq_resume(struct regs *regs);
/* The same before the frame of a handler for sig is built. */
void rseq_signal(struct regs *regs, int sig);
