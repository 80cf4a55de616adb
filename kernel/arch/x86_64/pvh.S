/*
 * The PVH entry point. The loader jumps to it in 32-bit protected mode with flat segments, paging
 * off, interrupts masked and the physical address of struct hvm_start_info in ebx. It clears .bss,
 * builds the boot page tables (the first GiB, identical and at KERNEL_IMAGE_START), enters long
 * mode, lets kaslr_init(start_info) move the image, and calls early_start on the boot stack. The boot tables stay in use by
 * secondary CPUs until they reach the kernel's own.
 */
#include <arch_impl/stack.h>
#include <x86/early.h>
#include <x86/gdt.h>
#include <x86/msr.h>

#define KERNEL_BASE 0xffffffff80000000
#define PHYS(sym)   ((sym) - KERNEL_BASE)

#define XEN_ELFNOTE_PHYS32_ENTRY 18
#define EARLY_TABLES_SIZE (EARLY_TABLES * 4096)
#define ENTRY_TABLE 0x003 /* present, writable */
#define ENTRY_2M    0x083 /* present, writable, 2 MiB */

	.section .note.pvh, "a", @note
	.balign 4
	.long 4
	.long 8
	.long XEN_ELFNOTE_PHYS32_ENTRY
	.asciz "Xen"
	.quad PHYS(pvh_start)

	.section .init.text, "ax", @progbits
	.code32
	.globl pvh_start
pvh_start:
	cli
	cld
	movl %ebx, %ebp

	movl $PHYS(__bss_start), %edi
	movl $PHYS(__bss_end), %ecx
	subl %edi, %ecx
	shrl $2, %ecx
	xorl %eax, %eax
	rep stosl

	movl $(PHYS(boot_pdpt_low) + ENTRY_TABLE), PHYS(boot_pml4)
	movl $(PHYS(boot_pdpt_high) + ENTRY_TABLE), PHYS(boot_pml4) + 511 * 8
	movl $(PHYS(boot_pd) + ENTRY_TABLE), PHYS(boot_pdpt_low)
	movl $(PHYS(boot_pd_high) + ENTRY_TABLE), PHYS(boot_pdpt_high) + 510 * 8
	movl $PHYS(boot_pd), %edi
	movl $ENTRY_2M, %eax
1:	movl %eax, (%edi)
	movl %eax, PHYS(boot_pd_high) - PHYS(boot_pd)(%edi)
	addl $8, %edi
	addl $0x200000, %eax
	cmpl $(0x40000000 + ENTRY_2M), %eax
	jne 1b

	call boot_enable_long_mode
	lgdt PHYS(boot_gdt_pointer)
	ljmp $KERNEL_CS, $PHYS(2f)

	.code64
2:	movq $3f, %rax
	jmp *%rax
3:	movl $KERNEL_DS, %eax
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movq $boot_stack_top, %rsp
	movl %ebp, %edi
	xorl %ebp, %ebp
	call kaslr_init
	addq %rax, %rsp /* from here on at the new place */
	leaq 4f(%rip), %rcx
	addq %rax, %rcx
	jmp *%rcx
4:	call early_start
	ud2

/* From 32-bit mode: paging on over the boot tables. Uses eax, ecx, edx. */
	.code32
	.globl boot_enable_long_mode
boot_enable_long_mode:
	movl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $PHYS(boot_pml4), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $(EFER_LME | EFER_NXE | EFER_SCE), %eax
	wrmsr
	movl $(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE), %eax
	movl %eax, %cr0
	ret
	.code64

	.section .init.data, "aw", @progbits
	.balign 8
	.globl boot_gdt
boot_gdt:
	.quad 0
	.quad 0x00cf9b000000ffff /* 0x08: 32-bit code */
	.quad 0x00af9b000000ffff /* KERNEL_CS */
	.quad 0x00cf93000000ffff /* KERNEL_DS */
	.globl boot_gdt_pointer
boot_gdt_pointer:
	.word 4 * 8 - 1
	.long PHYS(boot_gdt)

	.section .bss.page_aligned, "aw", @nobits
	.balign 4096
	.globl boot_pml4
boot_pml4:
	.skip 4096
boot_pdpt_low:
	.skip 4096
boot_pdpt_high:
	.skip 4096
boot_pd:
	.skip 4096
	.globl boot_pd_high
boot_pd_high:
	.skip 4096
/* CPU 0's first stack, which its idle task keeps. */
	.globl boot_stack, boot_stack_top
boot_stack:
	.skip KERNEL_STACK_SIZE
boot_stack_top:

/* Boot-time page tables: not cleared here, each when it is taken. */
	.section .early_tables, "aw", @nobits
	.balign 4096
	.globl early_tables
early_tables:
	.skip EARLY_TABLES_SIZE
