/*
 * The gate: every way into the kernel and back out.
 *
 * SYSCALL arrives with interrupts masked (SFMASK), on the user's stack, return address in rcx and
 * flags in r11. The path is straight: swap GS, take the kernel stack, build a full struct regs,
 * test the task's work word, dispatch through the clamped table, test the work word again, leave
 * with SYSRET. Anything unusual goes to the slow exit and leaves with IRET.
 *
 * Exceptions and interrupts build the same struct regs; the ones that may hit anywhere, even
 * between SYSCALL and SWAPGS (NMI, debug, machine check, double fault), run on IST stacks and find
 * the CPU's GS base at the top of that stack instead of trusting the current one.
 *
 * Defences against speculation stand at the end, outside the paths: where one is chosen, an instruction
 * of the path becomes a jump to it (x86/alternatives.h), so a CPU that needs none pays nothing. With
 * page-table isolation SYSCALL goes to syscall_entry_pti, and user mode runs on tables that hold of
 * the kernel only this section, .bss.percpu_gate and the exception stacks: nothing else may be touched
 * between a switch of CR3 and user mode.
 */
#include <arch_impl/regs.h>
#include <linux/errno.h>
#include <syscall/nr.h>
#include <x86/alternatives.h>
#include <x86/gate.h>
#include <x86/gdt.h>
#include <x86/msr.h>
#include <x86/return_stack.h>
#include <x86/thunks.h>
#include <x86/vectors.h>

#define WORK_EXIT_MASK  0x0000ffff
#define WORK_ENTER_MASK 0xffff0000

/* In strings the preprocessor replaces nothing. */
	.set SYSRET_RSP, REGS_RSP - REGS_R11
#define NOP5 ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00"

.macro CLAC
	ALTERNATIVE ".byte 0x0f, 0x01, 0xca", "", ALT_NO_SMAP
.endm

.macro PUSH_REST rax=%rax /* everything below rdi, in the order of struct regs */
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq \rax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
.endm

/* No user value survives in a register that speculation could use. */
.macro CLEAR_SAVED
	xorl %ebp, %ebp
	xorl %r12d, %r12d
	xorl %r13d, %r13d
	xorl %r14d, %r14d
	xorl %r15d, %r15d
.endm

.macro POP_ALL_BUT_RDI
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
.endm

/* The kernel's own tables: from here on everything is mapped. */
.macro LOAD_KERNEL_TABLES scratch
	movq %gs:gate_kernel_cr3(%rip), \scratch
	movq \scratch, %cr3
.endm

/* Before the kernel's first return. Clobbers rax. */
.macro UNTRAIN_RETURNS
	ALTERNATIVE NOP5, "call returns_untrain", ALT_UNTRAIN
	ALTERNATIVE NOP5, "call returns_untrain_safe", ALT_UNTRAIN_SAFE
	ALTERNATIVE NOP5, "call returns_untrain_alias", ALT_UNTRAIN_ALIAS
.endm

/* With the kernel's tables and stack, user registers saved; clobbers rax, rcx, rdx. */
.macro ENTRY_DEFENCES
	UNTRAIN_RETURNS
	ALTERNATIVE NOP5, "call entry_ibpb", ALT_ENTRY_IBPB
	ALTERNATIVE NOP5, "call entry_ibrs", ALT_IBRS
	ALTERNATIVE "jmp 9f", "", ALT_ENTRY_RSB
	FILL_RETURN_STACK %ecx
9:
.endm

/* VERW with a writable data segment empties the CPU's buffers; changes only ZF. */
.macro CLEAR_BUFFERS
	ALTERNATIVE "jmp 9f", "", ALT_CLEAR_BUFFERS
	verw clear_buffers_selector(%rip)
9:
.endm

	.section .text.gate, "ax", @progbits
	.balign 64
	.globl syscall_entry
syscall_entry:
	swapgs
	movq %rsp, %gs:gate_user_rsp(%rip)
.Lsyscall_stack:
	movq %gs:gate_kernel_stack(%rip), %rsp
	pushq $USER_DS
	pushq %gs:gate_user_rsp(%rip)
	pushq %r11
	pushq $USER_CS
	pushq %rcx
	pushq %rax
	pushq %rdi
	PUSH_REST rax=$-ENOSYS
	CLEAR_SAVED
	ALTERNATIVE "movq %gs:current_task(%rip), %rbx", "jmp .Lsyscall_defended", ALT_SYSCALL_ENTRY
.Lsyscall_entered:
	sti
	testl $WORK_ENTER_MASK, TASK_WORK_OFFSET(%rbx)
	jnz .Lenter_work
.Ldispatch:
	cmpl $NR_SYSCALLS, %eax
	jae .Lsyscall_done /* regs already say -ENOSYS */
	andl $(SYSCALL_TABLE_SIZE - 1), %eax /* a mispredicted branch stays in the table */
	movq %r10, %rcx
	ALTERNATIVE "movq syscall_table(, %rax, 8), %rax", "jmp .Lstack_offset", ALT_STACK_OFFSET
	call __x86_indirect_thunk_rax
.Lsyscall_returned:
	movq %rax, REGS_RAX(%rsp)
.Lsyscall_done:
	cli
	testl $WORK_EXIT_MASK, TASK_WORK_OFFSET(%rbx)
	jnz .Lsyscall_exit_work
	/*
	 * SYSRET takes rip from rcx and flags from r11. A non-canonical rip would fault in ring 0,
	 * and TF or RF would act at the wrong instruction: those leave through IRET.
	 */
	movq REGS_RIP(%rsp), %rcx
	movq %rcx, %r11
	shrq $47, %r11
	jnz .Lexit_slow
	movq REGS_RFLAGS(%rsp), %r11
	testl $(X86_EFLAGS_TF | X86_EFLAGS_RF), %r11d
	jnz .Lexit_slow
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	movq (REGS_R10 - REGS_R11)(%rsp), %r10
	movq (REGS_R9 - REGS_R11)(%rsp), %r9
	movq (REGS_R8 - REGS_R11)(%rsp), %r8
	movq (REGS_RAX - REGS_R11)(%rsp), %rax
	movq (REGS_RDX - REGS_R11)(%rsp), %rdx
	movq (REGS_RSI - REGS_R11)(%rsp), %rsi
	movq (REGS_RDI - REGS_R11)(%rsp), %rdi
	ALTERNATIVE "movq SYSRET_RSP(%rsp), %rsp", "jmp .Lsysret_defended", ALT_EXIT
	swapgs
	.globl syscall_sysret
syscall_sysret:
	sysretq

.Lenter_work:
	movq %rsp, %rdi
	call gate_enter_work
	cmpq $-1, %rax
	je .Lsyscall_done
	movq REGS_RDI(%rsp), %rdi
	movq REGS_RSI(%rsp), %rsi
	movq REGS_RDX(%rsp), %rdx
	movq REGS_R10(%rsp), %r10
	movq REGS_R8(%rsp), %r8
	movq REGS_R9(%rsp), %r9
	jmp .Ldispatch

.Lsyscall_exit_work:
	movq %rsp, %rdi
	call gate_exit_syscall
	jmp .Lslow_done

/* Interrupts disabled, struct regs complete on the stack: work, then IRET. */
.Lexit_slow:
	movq %rsp, %rdi
	call gate_exit_slow
.Lslow_done:
	testq %rax, %rax
	jnz .Lespfix
.Liret_user:
	POP_ALL_BUT_RDI
	ALTERNATIVE "popq %rdi; addq $8, %rsp", "jmp .Liret_defended", ALT_EXIT
	swapgs
	iretq

/* 32-bit code in a 64-bit kernel without compatibility calls: ENOSYS, without entering. */
	.balign 16
	.globl syscall_entry_compat
syscall_entry_compat:
	movl $-ENOSYS, %eax
	sysretl

/* A new task's first instructions in the kernel: rax is the task that ran before it. */
	.balign 16
	.globl user_first_run
user_first_run:
	movq %rax, %rdi
	call sched_finish_switch
	cli
	jmp .Lexit_slow

	.globl kernel_first_run
kernel_first_run:
	movq %rax, %rdi
	call sched_finish_switch
	movq %r12, %rdi
	call __x86_indirect_thunk_rbx
	cli /* it has become a user program: regs are at the top of the stack */
	jmp .Lexit_slow

/*
 * Exception and interrupt stubs, TRAP_STUB_SIZE bytes each. rdi's slot is filled first, so that rdi
 * can carry the vector; the error code, or -1, lies where a system call keeps its number.
 */
	.balign TRAP_STUB_SIZE
	.globl trap_stubs
trap_stubs:
	vector = 0
	.rept 256
	.balign TRAP_STUB_SIZE
	.if !((vector >= 10 && vector <= 14) || vector == 8 || vector == 17 || vector == 21 || vector == 29 || vector == 30)
	pushq $-1
	.endif
	pushq %rdi
	movl $vector, %edi
	.if vector == 1 || vector == 2 || vector == 8 || vector == 18
	jmp trap_paranoid
	.elseif vector < 32
	jmp trap_common
	.else
	jmp irq_common
	.endif
	vector = vector + 1
	.endr

	.balign 64
trap_common:
	PUSH_REST
	cld
	CLAC
	testb $3, REGS_CS(%rsp)
	jz .Ltrap_kernel
	ALTERNATIVE "swapgs; CLEAR_SAVED", "jmp .Luser_defended", ALT_TRAP_ENTRY
.Ltrap_user:
	movl %edi, %esi
	movq %rsp, %rdi
	call trap_from_user /* interrupts off on entry and return */
.Lreturn_user:
	/* A selector of the LDT (bit 2) counts as work: its segment may have gone. */
	movq %gs:current_task(%rip), %rbx
	movl REGS_CS(%rsp), %eax
	orl REGS_SS(%rsp), %eax
	andl $4, %eax
	orl TASK_WORK_OFFSET(%rbx), %eax
	testl $WORK_EXIT_MASK, %eax
	jnz .Lexit_slow
	jmp .Liret_user

.Ltrap_kernel:
	ALTERNATIVE "movl %edi, %esi; movq %rsp, %rdi", "jmp .Ltrap_kernel_fenced", ALT_FENCE_SWAPGS
.Ltrap_kernel_entered:
	call trap_from_kernel
.Liret_kernel:
	POP_ALL_BUT_RDI
	popq %rdi
	addq $8, %rsp
	iretq

	.balign 64
irq_common:
	PUSH_REST
	cld
	CLAC
	testb $3, REGS_CS(%rsp)
	jz .Lirq_kernel
	ALTERNATIVE "swapgs; CLEAR_SAVED", "jmp .Luser_defended", ALT_TRAP_ENTRY
.Lirq_user:
	movl %edi, %esi
	movq %rsp, %rdi
	call interrupt_from_user
	jmp .Lreturn_user
.Lirq_kernel:
	ALTERNATIVE "movl %edi, %esi; movq %rsp, %rdi", "jmp .Lirq_kernel_fenced", ALT_FENCE_SWAPGS
.Lirq_kernel_entered:
	call interrupt_from_kernel
	jmp .Liret_kernel

/*
 * On an IST stack, GS unknown: it may be the user's even though CS says ring 0, and with FSGSBASE
 * a user value can look like a kernel one. So the base is saved, set from the stack's top, and put
 * back. From user mode the frame moves to the task's own stack and goes the ordinary way.
 */
	.balign 64
trap_paranoid:
	PUSH_REST
	cld
	CLAC
	testb $3, REGS_CS(%rsp)
	jnz .Lparanoid_user
	movl $MSR_GS_BASE, %ecx
	rdmsr
	movl %eax, %r12d
	movl %edx, %r13d
	movl REGS_SIZE(%rsp), %eax
	movl (REGS_SIZE + 4)(%rsp), %edx
	wrmsr
	ALTERNATIVE "jmp 1f", "", ALT_PTI
	movq %cr3, %r14
	LOAD_KERNEL_TABLES %rax
1:	UNTRAIN_RETURNS /* it may have come before the entry's own */
	ALTERNATIVE "jmp 1f", "", ALT_IBRS
	movl $MSR_SPEC_CTRL, %ecx
	rdmsr
	movl %eax, %r15d
	call entry_ibrs
1:	movl %edi, %esi
	movq %rsp, %rdi
	xorl %ebp, %ebp
	call trap_paranoid_kernel
	ALTERNATIVE "jmp 1f", "", ALT_IBRS
	movl $MSR_SPEC_CTRL, %ecx
	movl %r15d, %eax
	xorl %edx, %edx
	wrmsr
1:	ALTERNATIVE "jmp 1f", "", ALT_PTI
	movq %r14, %cr3
1:	movl $MSR_GS_BASE, %ecx
	movl %r12d, %eax
	movl %r13d, %edx
	wrmsr
	jmp .Liret_kernel

/*
 * Defences. The code below is reached only where an alternative has been chosen.
 */
	.balign 64
.Lsyscall_defended:
	ENTRY_DEFENCES
	ALTERNATIVE NOP5, "call clear_branch_history", ALT_CLEAR_HISTORY
	movq REGS_RDX(%rsp), %rdx
	movq REGS_ORIG_RAX(%rsp), %rax
	movq %gs:current_task(%rip), %rbx
	jmp .Lsyscall_entered

/*
 * The call begins at a place of the stack that the last call on this CPU has left to chance: when its own
 * program could know the cycle counter, that is already mixed in.
 */
.Lstack_offset:
	movq syscall_table(, %rax, 8), %rax
	movl %gs:stack_offset(%rip), %r11d
	andl $STACK_OFFSET_MASK, %r11d
	movq %rsp, %r12
	subq %r11, %rsp
	call __x86_indirect_thunk_rax
	movq %r12, %rsp
	movq %rax, %rdi
	rdtsc
	movl %gs:stack_offset(%rip), %ecx
	rorl $5, %ecx
	xorl %eax, %ecx
	movl %ecx, %gs:stack_offset(%rip)
	movq %rdi, %rax
	jmp .Lsyscall_returned

	.globl syscall_entry_pti
syscall_entry_pti:
	swapgs
	movq %rsp, %gs:gate_user_rsp(%rip)
	LOAD_KERNEL_TABLES %rsp
	jmp .Lsyscall_stack

/* From user mode, the frame on the entry stack (with isolation), else already on the task's. */
.Luser_defended:
	swapgs
	lfence
	ALTERNATIVE "jmp .Luser_entered", "", ALT_PTI
	LOAD_KERNEL_TABLES %rax
.Lmove_frame:
	movl %edi, %r12d
	movq %rsp, %rsi
	movq %gs:gate_kernel_stack(%rip), %rsp
	subq $REGS_SIZE, %rsp
	movq %rsp, %rdi
	movl $(REGS_SIZE / 8), %ecx
	rep movsq
	movl %r12d, %edi
.Luser_entered:
	ENTRY_DEFENCES
	CLEAR_SAVED
	cmpl $VECTOR_EXCEPTIONS, %edi
	jb .Ltrap_user
	jmp .Lirq_user

.Lparanoid_user:
	swapgs
	lfence
	ALTERNATIVE "jmp .Lmove_frame", "", ALT_PTI
	LOAD_KERNEL_TABLES %rax
	jmp .Lmove_frame

.Ltrap_kernel_fenced:
	lfence
	movl %edi, %esi
	movq %rsp, %rdi
	jmp .Ltrap_kernel_entered
.Lirq_kernel_fenced:
	lfence
	movl %edi, %esi
	movq %rsp, %rdi
	jmp .Lirq_kernel_entered

/* The last instructions of a system call: every register is the user's, but rsp. */
.Lsysret_defended:
	ALTERNATIVE NOP5, "call exit_ibrs", ALT_IBRS
	movq (REGS_RSP - REGS_R11)(%rsp), %rsp
	ALTERNATIVE "jmp 1f", "", ALT_PTI
	movq %rdi, %gs:gate_scratch(%rip)
	movq %gs:gate_user_cr3(%rip), %rdi
	movq %rdi, %cr3
	movq %gs:gate_scratch(%rip), %rdi
1:	CLEAR_BUFFERS
	swapgs
	sysretq

/* The same before IRET: rdi and orig_rax lie below the frame, which moves to the entry stack. */
.Liret_defended:
	ALTERNATIVE NOP5, "call exit_ibrs", ALT_IBRS
	ALTERNATIVE "jmp 1f", "", ALT_PTI
	movq %rsp, %rdi
	movq %gs:(cpu_tss + TSS_RSP0)(%rip), %rsp
	pushq 48(%rdi)
	pushq 40(%rdi)
	pushq 32(%rdi)
	pushq 24(%rdi)
	pushq 16(%rdi)
	pushq (%rdi)
	movq %gs:gate_user_cr3(%rip), %rdi
	movq %rdi, %cr3
	popq %rdi
	jmp 2f
1:	popq %rdi
	addq $8, %rsp
2:	CLEAR_BUFFERS
	swapgs
	iretq

/* To a 16-bit stack segment: the frame has been copied to the address in rax. */
.Lespfix:
	movq %rax, %gs:gate_user_rsp(%rip)
	POP_ALL_BUT_RDI
	ALTERNATIVE NOP5, "call exit_ibrs", ALT_IBRS
	popq %rdi
	ALTERNATIVE "jmp 1f", "", ALT_PTI
	movq %rdi, %gs:gate_scratch(%rip)
	movq %gs:gate_user_cr3(%rip), %rdi
	movq %rdi, %cr3
	movq %gs:gate_scratch(%rip), %rdi
1:	movq %gs:gate_user_rsp(%rip), %rsp
	jmp 2b

/* Clobber eax, ecx and edx. */
entry_ibpb:
	movl $MSR_PRED_CMD, %ecx
	movl $PRED_CMD_IBPB, %eax
	xorl %edx, %edx
	wrmsr
	RETURN
entry_ibrs:
	movl $MSR_SPEC_CTRL, %ecx
	movl %gs:spec_ctrl_kernel(%rip), %eax
	xorl %edx, %edx
	wrmsr
	RETURN
/* Clobbers nothing. */
exit_ibrs:
	pushq %rax
	pushq %rcx
	pushq %rdx
	movl $MSR_SPEC_CTRL, %ecx
	movl %gs:spec_ctrl_user(%rip), %eax
	xorl %edx, %edx
	wrmsr
	popq %rdx
	popq %rcx
	popq %rax
	RETURN

	.balign 2
clear_buffers_selector:
	.word KERNEL_DS
	.globl gate_end
gate_end:

	.section .note.GNU-stack, "", @progbits
