/*
 * A pid 1 whose first instruction reads the time-stamp counter. Under -icount that is the number of
 * instructions since reset. It writes the number, 8 bytes, to the control port and asks for power off.
 */
#include <asm/unistd_64.h>

	.globl _start
_start:
	rdtsc
	mov %eax, count
	mov %edx, count + 4
	mov $__NR_mkdir, %eax
	lea dev(%rip), %rdi
	mov $0755, %esi
	syscall
	mov $__NR_mount, %eax
	lea devtmpfs(%rip), %rdi
	lea dev(%rip), %rsi
	lea devtmpfs(%rip), %rdx
	xor %r10d, %r10d
	xor %r8d, %r8d
	syscall
	mov $__NR_open, %eax
	lea port(%rip), %rdi
	mov $1, %esi			/* O_WRONLY */
	syscall
	mov %eax, %edi
	mov $__NR_write, %eax
	lea count(%rip), %rsi
	mov $8, %edx
	syscall
	mov $__NR_reboot, %eax
	mov $0xfee1dead, %edi
	mov $672274793, %esi
	mov $0x4321fedc, %edx
	syscall
1:	pause
	jmp 1b

	.data
count:	.quad 0
dev:	.asciz "/dev"
devtmpfs: .asciz "devtmpfs"
port:	.asciz "/dev/vport0p1"

	.section .note.GNU-stack, "", @progbits
