/* Execution contexts: switching kernel stacks, and a task's first steps. */
#pragma once

#include <lib/types.h>
#include <arch/entry.h>
#include <arch_impl/context.h> /* struct arch_task, embedded in struct task as .arch */
#include <arch_impl/stack.h> /* KERNEL_STACK_SIZE */

struct task;
struct mm;

/*
 * Switches the CPU from prev to next: kernel stack, FPU, thread pointer bases, the CPU's idea of
 * the current task and gate stack. The address space is switched by the caller before. Called by
 * the scheduler with interrupts disabled and preemption off; returns in the context of the task
 * that was switched to, with the task that ran before it.
 */
struct task *arch_switch(struct task *prev, struct task *next);

/*
 * Makes the child of a fork or clone: regs copied from the current task with result 0, FPU and
 * thread-pointer state copied; user_sp 0 keeps the parent's; tls is set when set_tls. On its first
 * switch the child calls sched_finish_switch(prev) and returns to user mode. 0 or -ENOMEM.
 */
int arch_task_fork(struct task *child, u64 user_sp, bool set_tls, u64 tls) __must_check;
/* A kernel thread: its first switch calls sched_finish_switch(prev), then fn(arg), which may not return
 * unless it has turned the task into a user program (execve) and its regs are set. */
int arch_task_kernel(struct task *t, void (*fn)(void *), void *arg) __must_check;
/* The return addresses on the kernel stack of a task that is switched out and stays so or not: every
 * read stays inside the stack. The number, at most max. */
u32 arch_task_trace(const struct task *t, uptr *addrs, u32 max);
/* Frees what arch_task_* allocated. */
void arch_task_free(struct task *t);

/* Before the point of no return of an exec: makes sure that the current task, which may be a kernel
 * thread, can hold user registers. 0 or -ENOMEM. */
int arch_exec_prepare(void) __must_check;
/* After exec: all registers 0, ip/sp set, fresh FPU and debug state, no thread pointer. */
void arch_exec_start(struct regs *regs, u64 ip, u64 sp);

/* arch_prctl(2)'s ARCH_SET_FS etc. for the current task. 0, -EPERM, -EINVAL or -EFAULT. */
long arch_prctl(int code, u64 addr);
/* PR_SET_TSC for the current task: reading the time-stamp counter works, or is a fault. */
void arch_tsc_allow(bool allow);
bool arch_tsc_allowed(void);
/* Puts the current task's thread pointers and selectors into task->arch, as a switch would. */
void arch_segments_save(void);
