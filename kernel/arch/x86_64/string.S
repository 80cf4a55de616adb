/*
 * memcpy, memmove, memset: they take the place of the portable ones in lib/mem.c.
 *
 * Up to 32 bytes, everything is loaded before anything is stored, with overlapping accesses from
 * both ends; so these paths are right for memmove, too. Above, a string instruction moves whole
 * words, and the last eight bytes are done by one access that may overlap them. Copying forward
 * is right whenever dst does not lie inside [src, src + n).
 */
#include <x86/thunks.h>

	.text

	.globl memmove
	.type memmove, @function
memmove:
	movq %rdi, %rcx
	subq %rsi, %rcx
	cmpq %rdx, %rcx
	jae memcpy
	cmpq $32, %rdx
	jbe memcpy
	/* Backward by words; the first eight bytes are loaded before they are overwritten. */
	movq %rdi, %rax
	movq (%rsi), %r8
1:	movq -8(%rsi,%rdx), %rcx
	movq %rcx, -8(%rdi,%rdx)
	subq $8, %rdx
	cmpq $8, %rdx
	jae 1b
	movq %r8, (%rdi)
	RETURN
	.size memmove, . - memmove

	.globl memcpy
	.type memcpy, @function
memcpy:
	movq %rdi, %rax
	cmpq $32, %rdx
	jbe 1f
	movq -8(%rsi,%rdx), %r8
	leaq -8(%rdi,%rdx), %r9
	leaq -1(%rdx), %rcx
	shrq $3, %rcx
	rep movsq
	movq %r8, (%r9)
	RETURN
1:	cmpl $16, %edx
	jb 2f
	movq (%rsi), %rcx
	movq 8(%rsi), %r8
	movq -16(%rsi,%rdx), %r9
	movq -8(%rsi,%rdx), %r10
	movq %rcx, (%rdi)
	movq %r8, 8(%rdi)
	movq %r9, -16(%rdi,%rdx)
	movq %r10, -8(%rdi,%rdx)
	RETURN
2:	cmpl $8, %edx
	jb 3f
	movq (%rsi), %rcx
	movq -8(%rsi,%rdx), %r8
	movq %rcx, (%rdi)
	movq %r8, -8(%rdi,%rdx)
	RETURN
3:	cmpl $4, %edx
	jb 4f
	movl (%rsi), %ecx
	movl -4(%rsi,%rdx), %r8d
	movl %ecx, (%rdi)
	movl %r8d, -4(%rdi,%rdx)
	RETURN
4:	testl %edx, %edx
	jz 5f
	/* One to three bytes: first, middle and last, some of them the same. */
	movl %edx, %r10d
	shrl $1, %r10d
	movzbl (%rsi), %ecx
	movzbl (%rsi,%r10), %r8d
	movzbl -1(%rsi,%rdx), %r9d
	movb %cl, (%rdi)
	movb %r8b, (%rdi,%r10)
	movb %r9b, -1(%rdi,%rdx)
5:	RETURN
	.size memcpy, . - memcpy

	.globl memset
	.type memset, @function
memset:
	movq %rdi, %r9
	movzbl %sil, %eax
	movabsq $0x0101010101010101, %rcx
	imulq %rcx, %rax
	cmpq $16, %rdx
	jb 1f
	movq %rax, -8(%rdi,%rdx)
	leaq -1(%rdx), %rcx
	shrq $3, %rcx
	rep stosq
	movq %r9, %rax
	RETURN
1:	testl %edx, %edx
	jz 3f
2:	movb %al, -1(%rdi,%rdx)
	decq %rdx
	jnz 2b
3:	movq %r9, %rax
	RETURN
	.size memset, . - memset

	.section .note.GNU-stack, "", @progbits
