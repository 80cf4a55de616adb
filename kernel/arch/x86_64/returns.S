/*
 * Returns, for a CPU that cannot be left to predict them, and what makes it forget. The compiler makes each
 * return a jump to __x86_return_thunk; alternatives.c makes the jump a plain return in the same five bytes,
 * leaves it, or lets it go to one of the other thunks. What is here is chosen in mitigations.c. A jump to the thunk
 * from within this file would not be in the link's table.
 *
 * Two of the sequences for AMD hide a return in the operand of another instruction. Where both begin in the
 * same line of the instruction cache, running that other instruction takes from the predictor what it believed of the
 * return's address: AMD's technical guidance on branch type confusion and on speculative return stack overflow.
 */
#include <x86/thunks.h>

	.section .text.returns, "ax", @progbits

/* In the upper half of a line: there Intel's predictor is not mistaken (indirect target selection). */
	.balign 64, 0xcc
	.skip 32, 0xcc
	.globl __x86_return_thunk
__x86_return_thunk:
	ret
	int3

/* From here: TEST $0xcc, %bl. From a byte later, at the start of a line: RET, INT3. For families 15h to 17h. */
	.balign 64, 0xcc
	.skip 63, 0xcc
	.globl returns_untrain, return_untrained
returns_untrain:
	.byte 0xf6
return_untrained:
1:	ret
	int3
	lfence /* TEST has been decoded, and the entry is gone, before anything returns */
	jmp 1b
	int3

/* From here: MOVABS with eight bytes of operand into rax; from two bytes later, at the start of a line, those. */
	.balign 64, 0xcc
	.skip 62, 0xcc
	.globl returns_untrain_safe, return_safe
returns_untrain_safe:
	.byte 0x48, 0xb8
return_from_call: /* to the caller's caller; only the CALLs below come here, so the return stack is right */
	leaq 8(%rsp), %rsp
	ret
	int3
	int3
	lfence
	call return_from_call
	ud2
return_safe:
	call return_from_call
	ud2

/*
 * Families 19h and up take a place for another by some bits of its address: these two are each other's, when
 * the first runs where a second mapping of this page has it (early.c), RETURNS_ALIAS_DISTANCE away from where it is
 * linked. kernel.lds puts the page where that holds.
 */
	.section .text.alias, "ax", @progbits
	.balign 4096
	.globl returns_alias_page, return_alias
returns_alias_page: /* returns_untrain_alias, at its other address */
	.byte 0x66, 0x90
	lfence
	.byte 0xe9 /* JMP return_alias, from there */
	.long return_alias - . - 4 - RETURNS_ALIAS_DISTANCE
	.skip 0x104 - (. - returns_alias_page), 0xcc
return_from_alias_call:
	leaq 8(%rsp), %rsp
	ret
	int3
return_alias:
	call return_from_alias_call
	ud2

	.section .note.GNU-stack, "", @progbits
