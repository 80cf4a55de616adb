/* What is wrong with the CPU, found once on the boot CPU; and what it says in its own defence. */
#pragma once

#include <lib/types.h>

enum cpu_vendor { VENDOR_INTEL, VENDOR_AMD, VENDOR_HYGON, VENDOR_CENTAUR, VENDOR_ZHAOXIN, VENDOR_OTHER };

struct cpu_identity {
	enum cpu_vendor vendor;
	u32 family, model, stepping;
};
extern struct cpu_identity cpu_identity;

/* In the order of /proc/cpuinfo's line of bugs. */
enum flaw {
	FLAW_FXSAVE_LEAK, FLAW_SYSRET_SS, FLAW_NULL_SEG, FLAW_SWAPGS_FENCE, FLAW_AMD_E400, FLAW_MELTDOWN,
	FLAW_SPECTRE_V1, FLAW_SPECTRE_V2, FLAW_SSB, FLAW_L1TF, FLAW_MDS, FLAW_MSBDS_ONLY, FLAW_SWAPGS,
	FLAW_TAA, FLAW_ITLB_MULTIHIT, FLAW_SRBDS, FLAW_MMIO, FLAW_MMIO_UNKNOWN, FLAW_RETBLEED,
	FLAW_PBRSB, FLAW_SMT_RSB, FLAW_GDS, FLAW_SRSO, FLAW_RFDS, FLAW_BHI, FLAW_ITS,
	FLAW_ITS_NATIVE, FLAW_TSA, FLAW_VMSCAPE, NR_FLAWS
};
extern const char *const flaw_names[NR_FLAWS];
extern u64 cpu_flaws; /* BIT(FLAW_…) */

static inline bool cpu_flawed(enum flaw f)
{
	return cpu_flaws >> f & 1;
}

/* IA32_ARCH_CAPABILITIES, 0 without it. */
#define CAP_RDCL_NO     BIT(0)
#define CAP_IBRS_ALL    BIT(1)
#define CAP_RSBA        BIT(2)
#define CAP_SSB_NO      BIT(4)
#define CAP_MDS_NO      BIT(5)
#define CAP_PSCHANGE_NO BIT(6)
#define CAP_TSX_CTRL    BIT(7)
#define CAP_TAA_NO      BIT(8)
#define CAP_SBDR_NO     BIT(13)
#define CAP_FBSDP_NO    BIT(14)
#define CAP_PSDP_NO     BIT(15)
#define CAP_FB_CLEAR    BIT(17)
#define CAP_RRSBA       BIT(19)
#define CAP_BHI_NO      BIT(20)
#define CAP_PBRSB_NO    BIT(24)
#define CAP_GDS_CTRL    BIT(25)
#define CAP_GDS_NO      BIT(26)
#define CAP_RFDS_NO     BIT(27)
#define CAP_RFDS_CLEAR  BIT(28)
#define CAP_ITS_NO      BIT(62)
extern u64 cpu_capabilities;

/* After cpu_features_init. */
void bugs_init(void);
