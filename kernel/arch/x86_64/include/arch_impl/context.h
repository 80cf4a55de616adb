/* What a task keeps of the CPU while it does not run. */
#pragma once

#include <lib/types.h>

#define ARCH_ELF_MACHINE 62 /* EM_X86_64 */

#define ARCH_RARE_PORTS  1 /* some port is open to it: io_bitmap or iopl 3 */
#define ARCH_RARE_NO_TSC 2 /* RDTSC faults: PR_SET_TSC */
#define ARCH_RARE_SPEC   4 /* wishes about speculation: arch.speculation, see speculation.c */
#define ARCH_RARE_TLS    8 /* a TLS slot was set */
#define ARCH_RARE_BLOCK  16 /* its tracer steps it from branch to branch; own, or the tracer of a stopped one */

struct xsave_area;
struct debug_regs;

struct arch_task {
	u64 canary;              /* of its stack frames; const */
	u64 sp;                  /* kernel stack pointer while switched out */
	u64 fs_base, gs_base;    /* user's */
	u16 fs_sel, gs_sel, ds_sel, es_sel;
	u32 trap_nr;             /* last fault, as signal frames show it */
	u64 error_code, cr2;
	u8 rare;                 /* ARCH_RARE_*: what a switch has to see to, 0 for nearly everybody; own */
	u8 speculation;          /* what the task does not want to be speculated; atomic */
	bool watched;            /* has debug registers */
	bool stepping;           /* its tracer steps it; own, or the tracer of a stopped one */
	bool forced_tf;          /* same: TF is the tracer's, not the program's */
	u64 tls[3];              /* TLS slots of the GDT; own, or the tracer of a stopped one */
	u8 iopl;                 /* as iopl(2) set it; own */
	struct io_bitmap *io_bitmap; /* reference; NULL: none; own */
	struct debug_regs *debug; /* own, or its tracer's; NULL: never used */
	struct xsave_area *fpu;  /* 64-byte aligned; NULL: kernel thread */
};
