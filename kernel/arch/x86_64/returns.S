/*
 * Returns, for a CPU that cannot be left to predict them, and what makes it forget. The compiler makes each
 * return a jump to __x86_return_thunk; alternatives.c makes the jump a plain return in the same five bytes,
 * leaves it, or lets it go to one of the other thunks. What is here is chosen in mitigations.c. A jump to the thunk
 * from within this file would not be in the link's table.
 *
 * Two of the sequences hide a return in the operand of another instruction. Where both begin in the
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
	ret
	int3
	lfence /* TEST has been decoded, and the entry is gone, before anything returns */
	jmp return_untrained
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

	.section .note.GNU-stack, "", @progbits
