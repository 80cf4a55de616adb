/*
 * Code with alternatives: the instructions in the image hold until boot, when alternatives.c knows
 * the CPU and the command line and writes the others where their condition is chosen. What is not
 * needed costs nothing: a site either keeps its useful instructions or becomes a jump to code
 * outside the path.
 *
 * A replacement is at most as long as its site and is position-independent, or is a single CALL or
 * JMP, whose displacement is adjusted.
 */
#pragma once

/* What may be chosen. */
#define ALT_NO_SMAP       0  /* the CPU does not know STAC and CLAC */
#define ALT_FENCE_SWAPGS  1  /* a mispredicted SWAPGS must not be used */
#define ALT_PTI           2  /* two page tables for each address space */
#define ALT_CLEAR_BUFFERS 3  /* VERW before user mode */
#define ALT_IBRS          4  /* restricted indirect branches while in the kernel, switched at each crossing */
#define ALT_ENTRY_IBPB    5  /* the predictors are emptied at each entry from user mode */
#define ALT_ENTRY_RSB     6  /* and the return stack is filled */
#define ALT_SWITCH_RSB    7  /* the return stack is filled when tasks are switched */
#define ALT_STACK_OFFSET  8  /* system calls begin at changing places of their stacks */
#define ALT_UNTRAIN       9  /* the CPU forgets what it believes of returns at each entry from user mode, */
#define ALT_UNTRAIN_SAFE  10 /* or so, and each return comes right after a call */
#define ALT_UNTRAIN_ALIAS 11 /* the same for families 19h and up */
#define ALT_CLEAR_HISTORY 12 /* the history of branches is filled at each system call */
/* Made of the above: a detour at the entry of system calls, of traps and interrupts, at the exit. */
#define ALT_SYSCALL_ENTRY 13
#define ALT_TRAP_ENTRY    14
#define ALT_EXIT          15

#define NR_ALTERNATIVES   16

#ifdef __ASSEMBLY__
/* oldinstr: instructions in the image; newinstr: the others, padded with no-operations. */
.macro ALTERNATIVE oldinstr, newinstr, when
770:	\oldinstr
771:
	.pushsection .alternatives, "a"
	.long 770b - ., 772f - .
	.byte 771b - 770b, 773f - 772f
	.short \when
	.popsection
	.pushsection .alternatives.text, "a"
772:	\newinstr
773:
	.popsection
.endm
#else
#include <lib/types.h>

#define ALT_STR_(x) #x
#define ALT_STR(x)  ALT_STR_(x)
#define ALTERNATIVE(oldinstr, newinstr, when)                                                      \
	"770: " oldinstr "\n771:\n"                                                                \
	" .pushsection .alternatives, \"a\"\n .long 770b - ., 772f - .\n"                          \
	" .byte 771b - 770b, 773f - 772f\n .short " ALT_STR(when) "\n .popsection\n"               \
	" .pushsection .alternatives.text, \"a\"\n772: " newinstr "\n773:\n .popsection\n"

/* How indirect branches are made; the image's way is the retpoline. BRANCH_ALIGNED: plain, in the thunks. */
enum branch_mode { BRANCH_RETPOLINE, BRANCH_LFENCE, BRANCH_PLAIN, BRANCH_ALIGNED };
/* How returns are made, see returns.S; the image's way is the aligned one. */
enum return_mode { RETURN_PLAIN, RETURN_ALIGNED, RETURN_UNTRAINED, RETURN_SAFE, RETURN_ALIAS };

/*
 * Writes the chosen alternatives (a mask of BIT(ALT_…)) and the indirect branches and returns into the image.
 * Once, on the boot CPU alone, interrupts disabled, over the page tables with write protection.
 */
void alternatives_apply(u32 chosen, enum branch_mode branches, enum return_mode returns);
/* What has been chosen. Immutable afterwards. */
extern u32 alternatives_chosen;

static inline bool alternative(unsigned int which)
{
	return alternatives_chosen >> which & 1;
}
#endif
