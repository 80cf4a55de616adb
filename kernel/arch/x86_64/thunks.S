/*
 * Code that the compiler's output calls by name.
 *
 * Indirect branches: the compiler puts the target into a register and branches to that register's
 * thunk. A retpoline makes the CPU predict the return that follows its own call: into the loop that
 * goes nowhere. alternatives.c writes something shorter where the CPU needs less.
 *
 * preempt_schedule_thunk is called out of preempt_enable with every register in use.
 */
#include <x86/thunks.h>

.macro THUNK reg
	.balign THUNK_SIZE
	.skip THUNK_SIZE / 2, 0xcc
	.globl __x86_indirect_thunk_\reg
__x86_indirect_thunk_\reg:
	call 2f
1:	pause
	lfence
	jmp 1b
2:	movq %\reg, (%rsp)
	RETURN
.endm

	.section .text.thunks, "ax", @progbits
	.balign THUNK_SIZE
	.globl branch_thunks
	.set branch_thunks, . + THUNK_SIZE / 2
	.irp reg, rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	THUNK \reg
	.endr


/*
 * Branches that fill the history which predicts indirect ones, as Intel describes it for CPUs without
 * a control of their own: 5 nested calls of 5 turns. Clobbers eax, ecx and flags.
 */
	.balign 64, 0xcc
	.globl clear_branch_history
clear_branch_history:
	movl $5, %ecx
	call 1f
	lfence
	RETURN
	.balign 64, 0xcc
1:	call 2f
	RETURN
	.balign 64, 0xcc
2:	movl $5, %eax
3:	jmp 4f
	nop
4:	subl $1, %eax
	jnz 3b
	subl $1, %ecx
	jnz 1b
	RETURN

	.section .text, "ax", @progbits
	.balign 16
	.globl preempt_schedule_thunk
preempt_schedule_thunk:
	pushq %rbp
	movq %rsp, %rbp
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	call preempt_schedule
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rax
	popq %rbp
	RETURN
	.section .note.GNU-stack, "", @progbits
