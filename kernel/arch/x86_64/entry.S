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
 */
#include <arch_impl/regs.h>
#include <linux/errno.h>
#include <syscall/nr.h>
#include <x86/gate.h>
#include <x86/gdt.h>

#define WORK_EXIT_MASK  0x0000ffff
#define WORK_ENTER_MASK 0xffff0000

/* SMAP: patched to NOPs at boot on a CPU without it. */
.macro CLAC
771:	.byte 0x0f, 0x01, 0xca
	.pushsection .smap_sites, "a"
	.long 771b - .
	.popsection
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

	.section .text.gate, "ax", @progbits
	.balign 64
	.globl syscall_entry
syscall_entry:
	swapgs
	movq %rsp, %gs:gate_user_rsp(%rip)
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
	movq %gs:current_task(%rip), %rbx
	sti
	testl $WORK_ENTER_MASK, TASK_WORK_OFFSET(%rbx)
	jnz .Lenter_work
	movl %eax, %eax
.Ldispatch:
	cmpq $NR_SYSCALLS, %rax
	jae .Lsyscall_done /* regs already say -ENOSYS */
	sbbq %r11, %r11 /* all ones below the limit: a mispredicted branch reads entry 0 */
	andq %r11, %rax
	movq %r10, %rcx
	call *syscall_table(, %rax, 8)
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
	movq (REGS_RSP - REGS_R11)(%rsp), %rsp
	swapgs
	.globl syscall_sysret
syscall_sysret:
	sysretq

.Lenter_work:
	movq %rsp, %rdi
	call gate_enter_work
	cmpq $-1, %rax
	je .Lsyscall_done
	movl %eax, %eax
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
	jmp .Liret_user

/* Interrupts disabled, struct regs complete on the stack: work, then IRET. */
.Lexit_slow:
	movq %rsp, %rdi
	call gate_exit_slow
.Liret_user:
	POP_ALL_BUT_RDI
	popq %rdi
	addq $8, %rsp
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
	call *%rbx
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
	swapgs
	CLEAR_SAVED
.Ltrap_user:
	movl %edi, %esi
	movq %rsp, %rdi
	call trap_from_user /* interrupts off on entry and return */
.Lreturn_user:
	movq %gs:current_task(%rip), %rbx
	testl $WORK_EXIT_MASK, TASK_WORK_OFFSET(%rbx)
	jnz .Lexit_slow
	jmp .Liret_user

.Ltrap_kernel:
	movl %edi, %esi
	movq %rsp, %rdi
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
	jz 1f
	swapgs
	CLEAR_SAVED
	movl %edi, %esi
	movq %rsp, %rdi
	call interrupt_from_user
	jmp .Lreturn_user
1:	movl %edi, %esi
	movq %rsp, %rdi
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
	movl $0xc0000101, %ecx
	rdmsr
	movl %eax, %r12d
	movl %edx, %r13d
	movl REGS_SIZE(%rsp), %eax
	movl (REGS_SIZE + 4)(%rsp), %edx
	wrmsr
	movl %edi, %esi
	movq %rsp, %rdi
	xorl %ebp, %ebp
	call trap_paranoid_kernel
	movl $0xc0000101, %ecx
	movl %r12d, %eax
	movl %r13d, %edx
	wrmsr
	jmp .Liret_kernel

.Lparanoid_user:
	swapgs
	CLEAR_SAVED
	movl %edi, %r12d
	movq %rsp, %rsi
	movq %gs:gate_kernel_stack(%rip), %rsp
	subq $REGS_SIZE, %rsp
	movq %rsp, %rdi
	movl $(REGS_SIZE / 8), %ecx
	rep movsq
	movl %r12d, %edi
	xorl %r12d, %r12d
	jmp .Ltrap_user

	.section .note.GNU-stack, "", @progbits
