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

/* Every vector from 32 up: called by the stubs in hard-interrupt context, interrupts disabled. */
void irq_dispatch(u32 vector);
#endif
