/*
 * The user state of a task in its tracer's hands: registers, register sets, debug registers, single
 * steps. Unless it says otherwise, t is not the current task; it is in a trap, off every CPU, and
 * stays so during the call. Nothing set here can make the kernel fail on the way back to user mode:
 * what the CPU would refuse is refused here, or ends in the signal that Linux sends. Process context.
 */
#pragma once

#include <lib/types.h>

struct task;
struct regs;

/* The word at this offset of Linux's struct user. 0, -EIO: no such word, or not a value for it;
 * -EINVAL, -EPERM: not acceptable as a breakpoint; -ENOMEM. */
int arch_user_word_get(struct task *t, u64 offset, u64 *value) __must_check;
int arch_user_word_set(struct task *t, u64 offset, u64 value) __must_check;

/* A register set, named by the type of its ELF note (NT_*). */
struct arch_regset {
	u32 type;
	u32 word;    /* its size is a multiple of this */
	size_t size; /* bytes */
};
/* False: this machine has no such set. */
bool arch_regset_find(u32 type, struct arch_regset *set);
/* Fills buf, 64-byte aligned, with the whole set. */
void arch_regset_get(struct task *t, u32 type, void *buf);
/* Takes the first len bytes of the set. 0, -EIO, -EINVAL, -EFAULT (an incomplete one). */
int arch_regset_set(struct task *t, u32 type, const void *buf, size_t len) __must_check;

/* A request of ptrace(2) that moves a whole register set between `data` and the task. */
bool arch_request_regset(u64 request, u32 *type, bool *set);
/* The requests that only this machine has. -EIO: it has not. */
long arch_ptrace_request(struct task *t, u64 request, u64 addr, u64 data);
/* For PTRACE_GET_SYSCALL_INFO: AUDIT_ARCH_*. */
u32 arch_audit_machine(void);

/* How requests of ptrace(2) resume a task: stepping over one instruction, skipping system calls. */
bool arch_request_steps(u64 request);
bool arch_request_emulates(u64 request);
/* Steps over the next instruction, or as `request` says, from now on, or no more. The second also for the current task. */
void arch_step_begin(struct task *t, u64 request);
bool arch_step_end(struct task *t); /* whether it was stepping */
/* A step over a system call ends behind it: SIGTRAP for the current task. */
void arch_step_report(struct regs *regs);
