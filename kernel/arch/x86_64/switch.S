/*
 * struct task *switch_stacks(u64 *save_sp, u64 load_sp, struct task *prev)
 * Pushes what C expects preserved, swaps stacks, pops the other side's. Returns prev on the stack
 * that was switched to; a new task "returns" into its first function with prev in rax.
 */
#include <x86/alternatives.h>
#include <x86/return_stack.h>
#include <x86/thunks.h>

	.section .text, "ax", @progbits
	.balign 16
	.globl switch_stacks
switch_stacks:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	ALTERNATIVE "popq %r15; popq %r14; popq %r13", "jmp .Lfill", ALT_SWITCH_RSB
.Lfilled:
	popq %r12
	popq %rbx
	popq %rbp
	movq %rdx, %rax
	RETURN
/* Returns of the task that runs now must not be predicted from what the other one left. */
.Lfill:
	FILL_RETURN_STACK %ecx
	popq %r15
	popq %r14
	popq %r13
	jmp .Lfilled
	.section .note.GNU-stack, "", @progbits
