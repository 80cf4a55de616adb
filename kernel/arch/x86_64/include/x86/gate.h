/* The gate's own numbers and variables, for its assembly and its C half. */
#pragma once

#include <asm/processor-flags.h> /* X86_EFLAGS_* */

/* Offsets into struct regs, asserted in gate.c. */
#define REGS_R15 0
#define REGS_RBX 40
#define REGS_R11 48
#define REGS_R10 56
#define REGS_R9 64
#define REGS_R8 72
#define REGS_RAX 80
#define REGS_RCX 88
#define REGS_RDX 96
#define REGS_RSI 104
#define REGS_RDI 112
#define REGS_ORIG_RAX 120
#define REGS_RIP 128
#define REGS_CS 136
#define REGS_RFLAGS 144
#define REGS_RSP 152
#define REGS_SS 160
#define REGS_SIZE 168

#define TASK_WORK_OFFSET 0 /* offsetof(struct task, work), asserted in gate.c */

/* How far down a system call may begin on its stack: 128 places of 8 bytes. */
#define STACK_OFFSET_MASK 0x3f8

/* Cleared on SYSCALL: every flag that could confuse the kernel. */
#define GATE_SFMASK 0x257fd5

/* An IST stack ends with this much reserved space: the CPU's GS base, for the paranoid entries. */
#define IST_TOP_RESERVED 16

#ifndef __ASSEMBLY__
#include <arch/entry.h>
#include <arch/percpu.h>

/* What the gate reads before and after the kernel's page tables are loaded, see .bss.percpu_gate. */
DECLARE_PER_CPU_GATE(uptr, gate_kernel_stack); /* top of the current task's kernel stack */
DECLARE_PER_CPU_GATE(u64, gate_kernel_cr3);    /* of the loaded address space; with isolation only */
DECLARE_PER_CPU_GATE(u64, gate_user_cr3);

DECLARE_PER_CPU(u32, stack_offset);

/* Points TSS.rsp0 and the gate at the stack of the task that runs next. */
void gate_set_stack(uptr top);
/* SYSCALL's MSRs on this CPU. */
void gate_cpu_init(void);

/* The signal that Linux sends for an exception of user mode. Interrupts enabled. */
void user_trap(struct regs *regs, u32 vector, u64 error);

/* Fixes the interrupted kernel context up if its instruction has an exception-table entry. */
bool ex_table_fixup(struct regs *regs);

/* Assembly entry points. */
void syscall_entry(void);
void syscall_entry_pti(void);
void syscall_entry_compat(void);
extern char trap_stubs[];  /* 256 stubs of TRAP_STUB_SIZE bytes */
void user_first_run(void);
void kernel_first_run(void);
#endif
#define TRAP_STUB_SIZE 16
