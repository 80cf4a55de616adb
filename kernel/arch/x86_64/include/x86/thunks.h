/*
 * What the compiler's output goes to in place of indirect branches, one thunk for each register in the
 * CPU's numbering, and of returns.
 */
#pragma once

/* Each in the upper half of a line of the instruction cache, see returns.S. */
#define THUNK_SIZE 64

#ifdef __ASSEMBLY__
/* In place of RET. */
.macro RETURN
	jmp __x86_return_thunk
.endm
#else
extern char branch_thunks[];
extern char __x86_return_thunk[], return_untrained[], return_safe[];
#endif
