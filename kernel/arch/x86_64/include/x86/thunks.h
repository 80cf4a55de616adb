/*
 * What the compiler's output goes to in place of indirect branches, one thunk for each register in the
 * CPU's numbering, and of returns.
 */
#pragma once

/* Each in the upper half of a line of the instruction cache, see returns.S. */
#define THUNK_SIZE 64

/* From returns_alias_page to its second mapping: bits 14 and 20 are the other way round there. */
#define RETURNS_ALIAS_DISTANCE (0x4000 - 0x100000)

#ifdef LINKER_SCRIPT
#elif defined(__ASSEMBLY__)
/* In place of RET. */
.macro RETURN
	jmp __x86_return_thunk
.endm
#else
extern char branch_thunks[];
extern char __x86_return_thunk[], return_untrained[], return_safe[], return_alias[], returns_alias_page[];
#endif
