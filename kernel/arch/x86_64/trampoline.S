/*
 * Secondary CPUs: from real mode at a page below 1 MiB (the code between the two labels is copied
 * there) to secondary_start in the kernel image, over the boot page tables.
 */
#include <x86/gdt.h>
#include <x86/msr.h>

#define KERNEL_BASE 0xffffffff80000000
#define PHYS(sym)   ((sym) - KERNEL_BASE)
#define AT(sym)     (TRAMPOLINE_PADDR + (sym) - trampoline_start)

#include <x86/trampoline.h>

	.section .rodata, "a", @progbits
	.code16
	.balign 16
	.globl trampoline_start, trampoline_end
trampoline_start:
	cli
	cld
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl AT(trampoline_gdt_pointer)
	movl $(CR0_PE | CR0_ET), %eax
	movl %eax, %cr0
	ljmpl $0x08, $AT(1f)

	.code32
1:	movl $KERNEL_DS, %eax
	movl %eax, %ds
	movl %eax, %ss
	movl %eax, %es
	movl $(TRAMPOLINE_PADDR + 4096), %esp
	movl $PHYS(boot_enable_long_mode), %eax
	call *%eax
	ljmp $KERNEL_CS, $AT(2f)

	.code64
2:	movabsq $secondary_start, %rax
	jmp *%rax

	.balign 8
trampoline_gdt_pointer:
	.word 4 * 8 - 1
	.long PHYS(boot_gdt)
trampoline_end:

	.section .init.text, "ax", @progbits
	.code64
secondary_start:
	movl $KERNEL_DS, %eax
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl $PHYS(kernel_root), %eax
	movq %rax, %cr3
	movq secondary_stack(%rip), %rsp
	movl secondary_cpu(%rip), %edi
	xorl %ebp, %ebp
	call smp_secondary_start
	ud2
