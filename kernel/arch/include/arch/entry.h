/*
 * What is saved when user mode is left. struct regs lies at the top of the task's kernel stack
 * while the task is in the kernel, in the order of Linux's struct user_regs_struct, so that
 * ptrace and core dumps copy it as it is.
 */
#pragma once

#include <lib/types.h>
#include <arch_impl/regs.h>

struct task;

/* From arch_impl: struct regs; regs_ip/sp(regs), regs_set_ip/sp, regs_user_mode(regs),
 * regs_syscall_nr(regs) (-1 when not in a system call), regs_set_syscall_nr, regs_result,
 * regs_set_result, regs_arg(regs, n). */

/* The saved user state of a task that is inside the kernel (undefined for kernel threads): the
 * top of its kernel stack. In task/task.h: struct regs *task_regs(const struct task *t). */

/*
 * Called by the gate's assembly, interrupts enabled, when the task's work word says so:
 * before a system call is dispatched; the (possibly changed) number to run, or -1 to skip it with
 * the result already in regs. Owner: syscall/.
 */
long gate_enter_work(struct regs *regs);
/*
 * Called by the gate's C half, interrupts enabled, behind a system call, before gate_exit_work, when
 * the task's work word has a bit of WORK_EXIT_SYSCALL_MASK. Owner: syscall/.
 */
void syscall_exit_work(struct regs *regs);
/*
 * Called before every return to user mode with work pending (after system calls, interrupts and
 * faults). Interrupts disabled on entry and on return; enables them inside. Owner: signal/.
 */
void gate_exit_work(struct regs *regs);

/*
 * A ring-3 fault that is not a page fault, already translated: queues the signal that Linux sends.
 * Called by arch with interrupts enabled. Owner: signal/.
 */
void fault_signal(int sig, int code, u64 addr, u32 trap_nr, u64 error_code);

/*
 * A page fault on a user address, from user mode or from a user copy. Owner: mm/. access is a mask
 * of FAULT_*. True when the access may be retried. False: the caller delivers the signal through
 * fault_signal with *sig and *code, or takes the kernel's exception-table exit.
 * Interrupts enabled; may sleep unless page faults are disabled (then it answers false at once).
 */
enum fault_access { FAULT_READ = 0, FAULT_WRITE = 1, FAULT_EXEC = 2, FAULT_USER = 4 };
bool mm_fault(u64 addr, unsigned int access, int *sig, int *code);
