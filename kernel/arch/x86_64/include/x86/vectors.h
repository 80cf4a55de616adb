/* Interrupt vectors. 0..31 are the CPU's exceptions; the stub of every vector exists. */
#pragma once

#define VECTOR_EXCEPTIONS   32   /* 0 .. 31 */
#define VECTOR_DEVICE_FIRST 0x30
#define VECTOR_DEVICE_LAST  0xdf
#define VECTOR_TIMER        0xec
#define VECTOR_HALT         0xfa /* stop this CPU for good */
#define VECTOR_CALL         0xfb /* smp_call and TLB flushes */
#define VECTOR_RESCHED      0xfc
#define VECTOR_SPURIOUS     0xff

#ifndef __ASSEMBLY__
#include <lib/types.h>

enum vector {
	VEC_DE = 0, VEC_DB = 1, VEC_NMI = 2, VEC_BP = 3, VEC_OF = 4, VEC_BR = 5, VEC_UD = 6,
	VEC_NM = 7, VEC_DF = 8, VEC_TS = 10, VEC_NP = 11, VEC_SS = 12, VEC_GP = 13, VEC_PF = 14,
	VEC_MF = 16, VEC_AC = 17, VEC_MC = 18, VEC_XM = 19,
};

/* Every vector from 32 up: called by the stubs in hard-interrupt context, interrupts disabled. */
void irq_dispatch(u32 vector);
#endif
