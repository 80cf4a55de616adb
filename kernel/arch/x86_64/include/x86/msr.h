/* Model-specific and control registers. */
#pragma once

#define MSR_TSC            0x10
#define MSR_APIC_BASE      0x1b
#define MSR_SPEC_CTRL      0x48
#define MSR_PRED_CMD       0x49
#define MSR_ARCH_CAPABILITIES 0x10a
#define MSR_TSX_CTRL       0x122
#define MSR_MCU_OPT_CTRL   0x123
#define MSR_VIRT_SPEC_CTRL 0xc001011f
#define MSR_SYSENTER_CS    0x174
#define MSR_DEBUGCTL       0x1d9
#define MSR_PAT            0x277
#define MSR_TSC_DEADLINE   0x6e0
#define MSR_X2APIC         0x800 /* + register offset / 16 */
#define MSR_XSS            0xda0
#define MSR_EFER           0xc0000080
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_CSTAR          0xc0000083
#define MSR_SFMASK         0xc0000084
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX        0xc0000103
#define MSR_KVM_SYSTEM_TIME 0x4b564d01

#define SPEC_CTRL_IBRS      (1 << 0)
#define SPEC_CTRL_STIBP     (1 << 1)
#define SPEC_CTRL_SSBD      (1 << 2)
#define SPEC_CTRL_RRSBA_DIS (1 << 6)
#define SPEC_CTRL_BHI_DIS   (1 << 10)
#define PRED_CMD_IBPB       (1 << 0)
#define MCU_OPT_RNGDS_OFF   (1 << 0)

#define EFER_SCE (1 << 0)
#define EFER_LME (1 << 8)
#define EFER_NXE (1 << 11)
#define EFER_AUTOIBRS (1 << 21)

#define CR0_PE (1 << 0)
#define CR0_MP (1 << 1)
#define CR0_EM (1 << 2)
#define CR0_TS (1 << 3)
#define CR0_ET (1 << 4)
#define CR0_NE (1 << 5)
#define CR0_WP (1 << 16)
#define CR0_AM (1 << 18)
#define CR0_PG (1 << 31)

#define CR4_TSD        (1 << 2)
#define CR4_DE         (1 << 3)
#define CR4_PAE        (1 << 5)
#define CR4_MCE        (1 << 6)
#define CR4_PGE        (1 << 7)
#define CR4_OSFXSR     (1 << 9)
#define CR4_OSXMMEXCPT (1 << 10)
#define CR4_UMIP       (1 << 11)
#define CR4_FSGSBASE   (1 << 16)
#define CR4_PCIDE      (1 << 17)
#define CR4_OSXSAVE    (1 << 18)
#define CR4_SMEP       (1 << 20)
#define CR4_SMAP       (1 << 21)

#ifndef __ASSEMBLY__
#include <lib/types.h>

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	__asm__ __volatile__("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (u64)hi << 32 | lo;
}

static inline void wrmsr(u32 msr, u64 v)
{
	__asm__ __volatile__("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

static inline u64 rdtsc(void)
{
	u32 lo, hi;

	__asm__ __volatile__("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

/* Not before earlier loads are done: for time that is compared across CPUs. */
static inline u64 rdtsc_ordered(void)
{
	u32 lo, hi;

	__asm__ __volatile__("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
}

#define DEFINE_CR_(n)                                                                              \
	static inline u64 read_cr##n(void)                                                         \
	{                                                                                          \
		u64 v;                                                                             \
		__asm__ __volatile__("movq %%cr" #n ", %0" : "=r"(v) : : "memory");                \
		return v;                                                                          \
	}                                                                                          \
	static inline void write_cr##n(u64 v)                                                      \
	{                                                                                          \
		__asm__ __volatile__("movq %0, %%cr" #n : : "r"(v) : "memory");                    \
	}
DEFINE_CR_(0)
DEFINE_CR_(2)
DEFINE_CR_(3)
DEFINE_CR_(4)
#undef DEFINE_CR_
#endif
