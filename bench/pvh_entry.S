/*
 * A PVH kernel that does nothing but tell the time-stamp counter at its entry, 8 bytes on COM1, and
 * reset the machine: under -icount, what the firmware and the boot loader spent.
 */
	.section .note.pvh, "a", @note
	.long 4, 4, 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long _start

	.section .text, "ax"
	.code32
	.globl _start
_start:
	rdtsc
	mov %eax, %ebx
	mov %edx, %ecx
	mov $0x3f8, %edx
	mov $4, %esi
1:	mov %bl, %al
	out %al, %dx
	shr $8, %ebx
	dec %esi
	jnz 1b
	mov $4, %esi
2:	mov %cl, %al
	out %al, %dx
	shr $8, %ecx
	dec %esi
	jnz 2b
	lidt empty			/* a triple fault resets; -no-reboot then ends QEMU */
	int3
	.align 8
empty:	.quad 0

	.section .note.GNU-stack, "", @progbits
