/*
 * Fills the CPU's return stack, which no return of ours may take from user mode or another task: 32
 * calls whose return addresses lead nowhere. For assembly; clobbers the 32-bit register and flags.
 */
.macro FILL_RETURN_STACK count
	movl $16, \count
771:	call 772f
	int3
772:	call 773f
	int3
773:	addq $16, %rsp
	decl \count
	jnz 771b
	lfence
.endm
