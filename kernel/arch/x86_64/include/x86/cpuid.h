/* What the CPU can do. The feature words are read once, on the boot CPU. */
#pragma once

#include <lib/types.h>

struct cpuid_regs {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid_regs r;

	__asm__ __volatile__("cpuid"
			     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			     : "a"(leaf), "c"(subleaf));
	return r;
}

enum cpu_word {
	CPU_1_EDX, CPU_81_EDX, CPU_1_ECX, CPU_81_ECX, CPU_7_EBX, CPU_7_ECX, CPU_7_EDX, CPU_D1_EAX,
	CPU_87_EDX, CPU_88_EBX, CPU_6_EAX, CPU_A1_EAX, NR_CPU_WORDS
};

#define CPU_BIT_(word, bit) ((word) * 32 + (bit))

enum cpu_feature {
	CPU_FPU = CPU_BIT_(CPU_1_EDX, 0),
	CPU_TSC = CPU_BIT_(CPU_1_EDX, 4),
	CPU_PGE = CPU_BIT_(CPU_1_EDX, 13),
	CPU_FXSR = CPU_BIT_(CPU_1_EDX, 24),
	CPU_NX = CPU_BIT_(CPU_81_EDX, 20),
	CPU_GIB_PAGES = CPU_BIT_(CPU_81_EDX, 26),
	CPU_RDTSCP = CPU_BIT_(CPU_81_EDX, 27),
	CPU_PCID = CPU_BIT_(CPU_1_ECX, 17),
	CPU_X2APIC = CPU_BIT_(CPU_1_ECX, 21),
	CPU_TSC_DEADLINE = CPU_BIT_(CPU_1_ECX, 24),
	CPU_XSAVE = CPU_BIT_(CPU_1_ECX, 26),
	CPU_RDRAND = CPU_BIT_(CPU_1_ECX, 30),
	CPU_HYPERVISOR = CPU_BIT_(CPU_1_ECX, 31),
	CPU_FSGSBASE = CPU_BIT_(CPU_7_EBX, 0),
	CPU_SMEP = CPU_BIT_(CPU_7_EBX, 7),
	CPU_ERMS = CPU_BIT_(CPU_7_EBX, 9),
	CPU_INVPCID = CPU_BIT_(CPU_7_EBX, 10),
	CPU_RDSEED = CPU_BIT_(CPU_7_EBX, 18),
	CPU_SMAP = CPU_BIT_(CPU_7_EBX, 20),
	CPU_UMIP = CPU_BIT_(CPU_7_ECX, 2),
	CPU_PKU = CPU_BIT_(CPU_7_ECX, 3),
	CPU_RDPID = CPU_BIT_(CPU_7_ECX, 22),
	CPU_FSRM = CPU_BIT_(CPU_7_EDX, 4),
	CPU_RTM = CPU_BIT_(CPU_7_EBX, 11),
	CPU_SRBDS_CTRL = CPU_BIT_(CPU_7_EDX, 9),
	CPU_MD_CLEAR = CPU_BIT_(CPU_7_EDX, 10),
	CPU_SPEC_CTRL = CPU_BIT_(CPU_7_EDX, 26), /* IBRS and IBPB */
	CPU_FLUSH_L1D = CPU_BIT_(CPU_7_EDX, 28),
	CPU_STIBP = CPU_BIT_(CPU_7_EDX, 27),
	CPU_ARCH_CAPABILITIES = CPU_BIT_(CPU_7_EDX, 29),
	CPU_SSBD = CPU_BIT_(CPU_7_EDX, 31),
	CPU_XSAVEERPTR = CPU_BIT_(CPU_88_EBX, 2), /* from here: AMD's numbering */
	CPU_AMD_IBPB = CPU_BIT_(CPU_88_EBX, 12),
	CPU_AMD_IBRS = CPU_BIT_(CPU_88_EBX, 14),
	CPU_AMD_STIBP = CPU_BIT_(CPU_88_EBX, 15),
	CPU_AMD_STIBP_ALWAYS = CPU_BIT_(CPU_88_EBX, 17),
	CPU_AMD_SSBD = CPU_BIT_(CPU_88_EBX, 24),
	CPU_VIRT_SSBD = CPU_BIT_(CPU_88_EBX, 25),
	CPU_AMD_SSB_NO = CPU_BIT_(CPU_88_EBX, 26),
	CPU_BTC_NO = CPU_BIT_(CPU_88_EBX, 29),
	CPU_VERW_CLEAR = CPU_BIT_(CPU_A1_EAX, 5),
	CPU_NULL_SEL_CLR = CPU_BIT_(CPU_A1_EAX, 6),
	CPU_AUTO_IBRS = CPU_BIT_(CPU_A1_EAX, 8),
	CPU_SRSO_NO = CPU_BIT_(CPU_A1_EAX, 29),
	CPU_AVX = CPU_BIT_(CPU_1_ECX, 28),
	CPU_XSAVEOPT = CPU_BIT_(CPU_D1_EAX, 0),
	CPU_XSAVEC = CPU_BIT_(CPU_D1_EAX, 1),
	CPU_XGETBV1 = CPU_BIT_(CPU_D1_EAX, 2),
	CPU_XSAVES = CPU_BIT_(CPU_D1_EAX, 3),
	CPU_INVARIANT_TSC = CPU_BIT_(CPU_87_EDX, 8),
	CPU_ARAT = CPU_BIT_(CPU_6_EAX, 2),
};

extern u32 cpu_feature_words[NR_CPU_WORDS];

static inline bool cpu_has(enum cpu_feature f)
{
	return cpu_feature_words[f / 32] >> (f % 32) & 1;
}

/* The hypervisor's signature leaf: its 12 letters and the highest leaf; false on bare metal. */
bool cpu_hypervisor(char signature[13], u32 *max_leaf);
/* Reads the feature words. Once, before anything asks. */
void cpu_features_init(void);
