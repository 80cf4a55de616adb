/*
 * Which flaws of speculation the CPU has: by vendor, family and model, and by what the CPU itself
 * says it is free of. The lists are those of the vendors' advisories, as Linux 6.1 knows them. Of a
 * processor that is not listed the worst is assumed. Immutable after bugs_init.
 */
#include <lib/string.h>
#include <x86/bugs.h>
#include <x86/cpuid.h>
#include <x86/msr.h>

struct cpu_identity cpu_identity __ro_after_init;
u64 cpu_flaws __ro_after_init;
u64 cpu_capabilities __ro_after_init;

const char *const flaw_names[NR_FLAWS] = {
	"fxsave_leak", "sysret_ss_attrs", "null_seg", "swapgs_fence", "amd_e400", "cpu_meltdown",
	"spectre_v1", "spectre_v2", "spec_store_bypass", "l1tf", "mds", "msbds_only", "swapgs", "taa",
	"itlb_multihit", "srbds", "mmio_stale_data", "mmio_unknown", "retbleed", "eibrs_pbrsb",
	"smt_rsb", "gds", "srso", "rfds", "bhi", "its", "its_native_only", "tsa", "vmscape",
};

/* Free of. */
#define NO_SPECULATION BIT(0)
#define NO_MELTDOWN    BIT(1)
#define NO_SSB         BIT(2)
#define NO_L1TF        BIT(3)
#define NO_MDS         BIT(4)
#define MSBDS_ONLY     BIT(5)
#define NO_SWAPGS      BIT(6)
#define NO_ITLB        BIT(7)
#define NO_SPECTRE_V2  BIT(8)
#define NO_MMIO        BIT(9)
#define NO_PBRSB       BIT(10)
#define NO_BHI         BIT(11)
#define NO_OLD_ATOM    (NO_SSB | NO_L1TF | MSBDS_ONLY | NO_SWAPGS | NO_ITLB)
#define NO_GOLDMONT    (NO_MDS | NO_L1TF | NO_SWAPGS | NO_ITLB | NO_MMIO)
#define NO_AMD         (NO_MELTDOWN | NO_L1TF | NO_MDS | NO_SWAPGS | NO_ITLB | NO_MMIO | NO_BHI)
/* Flawed. */
#define SRBDS     BIT(0)
#define MMIO      BIT(1)
#define MMIO_SBDS BIT(2)
#define RETBLEED  BIT(3)
#define SMT_RSB   BIT(4)
#define SRSO      BIT(5)
#define GDS       BIT(6)
#define RFDS      BIT(7)
#define ITS       BIT(8)
#define ITS_NATIVE BIT(9)
#define TSA_SIDE  BIT(10)
#define VMSCAPE   BIT(11)
#define SKYLAKE   (MMIO | RETBLEED | GDS | SRBDS | VMSCAPE)

#define ANY 0xff

struct listed {
	u8 vendor, family, model; /* ANY: all */
	u16 steppings;            /* 0: all; bit n: stepping n */
	u16 marks;
};

/* The first row that fits counts. */
static const struct listed free_of[] = {
	{ANY, 4, ANY, 0, NO_SPECULATION},
	{VENDOR_INTEL, 5, ANY, 0, NO_SPECULATION},
	{VENDOR_CENTAUR, 5, ANY, 0, NO_SPECULATION},
	{VENDOR_INTEL, 6, 0x1c, 0, NO_SPECULATION},
	{VENDOR_INTEL, 6, 0x26, 0, NO_SPECULATION},
	{VENDOR_INTEL, 6, 0x27, 0, NO_SPECULATION},
	{VENDOR_INTEL, 6, 0x35, 0, NO_SPECULATION},
	{VENDOR_INTEL, 6, 0x36, 0, NO_SPECULATION},
	{VENDOR_INTEL, 6, 0x0e, 0, NO_SSB},
	{VENDOR_INTEL, 6, 0x37, 0, NO_OLD_ATOM},
	{VENDOR_INTEL, 6, 0x4a, 0, NO_OLD_ATOM},
	{VENDOR_INTEL, 6, 0x4c, 0, NO_OLD_ATOM},
	{VENDOR_INTEL, 6, 0x4d, 0, NO_OLD_ATOM},
	{VENDOR_INTEL, 6, 0x57, 0, NO_OLD_ATOM},
	{VENDOR_INTEL, 6, 0x85, 0, NO_OLD_ATOM},
	{VENDOR_INTEL, 6, 0x5a, 0, NO_L1TF | MSBDS_ONLY | NO_SWAPGS | NO_ITLB},
	{VENDOR_INTEL, 6, 0x75, 0, NO_L1TF | NO_SWAPGS | NO_ITLB},
	{VENDOR_INTEL, 6, 0x5c, 0, NO_GOLDMONT},
	{VENDOR_INTEL, 6, 0x5f, 0, NO_GOLDMONT},
	{VENDOR_INTEL, 6, 0x7a, 0, NO_GOLDMONT | NO_PBRSB},
	{VENDOR_INTEL, 6, 0x86, 0, NO_ITLB | NO_PBRSB},
	{VENDOR_INTEL, 6, 0x96, 0, NO_PBRSB},
	{VENDOR_INTEL, 6, 0x9c, 0, NO_PBRSB},
	{VENDOR_AMD, 0x0f, ANY, 0, NO_AMD | NO_SSB},
	{VENDOR_AMD, 0x10, ANY, 0, NO_AMD | NO_SSB},
	{VENDOR_AMD, 0x11, ANY, 0, NO_AMD | NO_SSB},
	{VENDOR_AMD, 0x12, ANY, 0, NO_AMD | NO_SSB},
	{VENDOR_AMD, ANY, ANY, 0, NO_AMD | NO_PBRSB},
	{VENDOR_HYGON, ANY, ANY, 0, NO_AMD | NO_PBRSB},
	{VENDOR_CENTAUR, 7, ANY, 0, NO_SPECTRE_V2 | NO_SWAPGS | NO_MMIO | NO_BHI},
	{VENDOR_ZHAOXIN, 7, ANY, 0, NO_SPECTRE_V2 | NO_SWAPGS | NO_MMIO | NO_BHI},
};

static const struct listed flawed[] = {
	{VENDOR_INTEL, 6, 0x2a, 0, VMSCAPE},
	{VENDOR_INTEL, 6, 0x2d, 0, VMSCAPE},
	{VENDOR_INTEL, 6, 0x3e, 0, VMSCAPE},
	{VENDOR_INTEL, 6, 0x3a, 0, SRBDS | VMSCAPE},
	{VENDOR_INTEL, 6, 0x3c, 0, SRBDS | VMSCAPE},
	{VENDOR_INTEL, 6, 0x45, 0, SRBDS | VMSCAPE},
	{VENDOR_INTEL, 6, 0x46, 0, SRBDS | VMSCAPE},
	{VENDOR_INTEL, 6, 0x3f, 0, MMIO | VMSCAPE},
	{VENDOR_INTEL, 6, 0x56, 0, MMIO | VMSCAPE},
	{VENDOR_INTEL, 6, 0x4f, 0, MMIO | VMSCAPE},
	{VENDOR_INTEL, 6, 0x47, 0, SRBDS | VMSCAPE},
	{VENDOR_INTEL, 6, 0x3d, 0, SRBDS | VMSCAPE},
	{VENDOR_INTEL, 6, 0x55, 0x003f, MMIO | RETBLEED | GDS | VMSCAPE},
	{VENDOR_INTEL, 6, 0x55, 0, MMIO | RETBLEED | GDS | ITS | VMSCAPE},
	{VENDOR_INTEL, 6, 0x4e, 0, SKYLAKE},
	{VENDOR_INTEL, 6, 0x5e, 0, SKYLAKE},
	{VENDOR_INTEL, 6, 0x8e, 0x0fff, SKYLAKE},
	{VENDOR_INTEL, 6, 0x8e, 0, SKYLAKE | ITS},
	{VENDOR_INTEL, 6, 0x9e, 0x1fff, SKYLAKE},
	{VENDOR_INTEL, 6, 0x9e, 0, SKYLAKE | ITS},
	{VENDOR_INTEL, 6, 0x66, 0, RETBLEED | VMSCAPE},
	{VENDOR_INTEL, 6, 0x7e, 0, MMIO | MMIO_SBDS | RETBLEED | GDS | ITS | ITS_NATIVE},
	{VENDOR_INTEL, 6, 0x6c, 0, MMIO | GDS | ITS | ITS_NATIVE},
	{VENDOR_INTEL, 6, 0x6a, 0, MMIO | GDS | ITS | ITS_NATIVE},
	{VENDOR_INTEL, 6, 0xa5, 0, MMIO | MMIO_SBDS | RETBLEED | GDS | ITS | VMSCAPE},
	{VENDOR_INTEL, 6, 0xa6, 0x0001, MMIO | RETBLEED | ITS | VMSCAPE},
	{VENDOR_INTEL, 6, 0xa6, 0, MMIO | MMIO_SBDS | RETBLEED | GDS | ITS | VMSCAPE},
	{VENDOR_INTEL, 6, 0x8c, 0, GDS | ITS | ITS_NATIVE},
	{VENDOR_INTEL, 6, 0x8d, 0, GDS | ITS | ITS_NATIVE},
	{VENDOR_INTEL, 6, 0x8a, 0, MMIO | MMIO_SBDS | RETBLEED},
	{VENDOR_INTEL, 6, 0xa7, 0, MMIO | RETBLEED | GDS | ITS | ITS_NATIVE},
	{VENDOR_INTEL, 6, 0x97, 0, RFDS | VMSCAPE},
	{VENDOR_INTEL, 6, 0x9a, 0, RFDS | VMSCAPE},
	{VENDOR_INTEL, 6, 0xb7, 0, RFDS | VMSCAPE},
	{VENDOR_INTEL, 6, 0xba, 0, RFDS | VMSCAPE},
	{VENDOR_INTEL, 6, 0xbf, 0, RFDS | VMSCAPE},
	{VENDOR_INTEL, 6, 0xbe, 0, RFDS | VMSCAPE},
	{VENDOR_INTEL, 6, 0x96, 0, MMIO | MMIO_SBDS | RFDS},
	{VENDOR_INTEL, 6, 0x86, 0, MMIO | RFDS},
	{VENDOR_INTEL, 6, 0x9c, 0, MMIO | MMIO_SBDS | RFDS},
	{VENDOR_INTEL, 6, 0x5c, 0, RFDS},
	{VENDOR_INTEL, 6, 0x5f, 0, RFDS},
	{VENDOR_INTEL, 6, 0x7a, 0, RFDS},
	{VENDOR_AMD, 0x15, ANY, 0, RETBLEED},
	{VENDOR_AMD, 0x16, ANY, 0, RETBLEED},
	{VENDOR_AMD, 0x17, ANY, 0, RETBLEED | SMT_RSB | SRSO | VMSCAPE},
	{VENDOR_HYGON, 0x18, ANY, 0, RETBLEED | SMT_RSB | SRSO | VMSCAPE},
	{VENDOR_AMD, 0x19, ANY, 0, SRSO | TSA_SIDE | VMSCAPE},
	{VENDOR_AMD, 0x1a, ANY, 0, VMSCAPE},
};

static void identify(void)
{
	static const char names[][13] = {"GenuineIntel", "AuthenticAMD", "HygonGenuine",
					 "CentaurHauls", "  Shanghai  "};
	struct cpuid_regs r = cpuid(0, 0);
	u32 sig = cpuid(1, 0).eax, found[3] = {r.ebx, r.edx, r.ecx};
	struct cpu_identity *id = &cpu_identity;

	id->vendor = VENDOR_OTHER;
	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		if (!memcmp(names[i], found, 12))
			id->vendor = i;
	id->family = sig >> 8 & 15;
	id->model = sig >> 4 & 15;
	id->stepping = sig & 15;
	if (id->family == 6 || id->family == 15)
		id->model |= sig >> 12 & 0xf0;
	if (id->family == 15)
		id->family += sig >> 20 & 0xff;
}

static u32 marks_of(const struct listed *list, size_t n)
{
	const struct cpu_identity *id = &cpu_identity;

	for (size_t i = 0; i < n; i++)
		if ((list[i].vendor == ANY || list[i].vendor == id->vendor) &&
		    (list[i].family == ANY || list[i].family == id->family) &&
		    (list[i].model == ANY || list[i].model == id->model) &&
		    (!list[i].steppings || list[i].steppings >> id->stepping & 1))
			return list[i].marks;
	return 0;
}

static void flaw_if(enum flaw f, bool has)
{
	cpu_flaws |= has ? BIT(f) : 0;
}

/* Old sins of AMD's, which have nothing to do with speculation. */
static void amd_flaws(void)
{
	const struct cpu_identity *id = &cpu_identity;
	bool amd = id->vendor == VENDOR_AMD || id->vendor == VENDOR_HYGON;
	bool e400 = (id->family == 0xf && (id->model > 0x41 || (id->model == 0x41 && id->stepping >= 2))) ||
		    (id->family == 0x10 && id->model >= 2);

	flaw_if(FLAW_FXSAVE_LEAK, amd && !cpu_has(CPU_XSAVEERPTR));
	flaw_if(FLAW_SYSRET_SS, amd);
	flaw_if(FLAW_NULL_SEG, amd && !cpu_has(CPU_NULL_SEL_CLR));
	flaw_if(FLAW_SWAPGS_FENCE, amd && id->family == 0xf);
	flaw_if(FLAW_AMD_E400, amd && e400);
}

/* Data that stays in buffers of the core. */
static void sampling_flaws(u32 no, u32 marks)
{
	u64 caps = cpu_capabilities;
	u64 mmio_no = CAP_SBDR_NO | CAP_FBSDP_NO | CAP_PSDP_NO;
	bool mmio = (caps & mmio_no) != mmio_no;

	flaw_if(FLAW_MDS, !(no & NO_MDS) && !(caps & CAP_MDS_NO));
	flaw_if(FLAW_MSBDS_ONLY, cpu_flawed(FLAW_MDS) && (no & MSBDS_ONLY));
	flaw_if(FLAW_TAA, !(caps & CAP_TAA_NO) && (cpu_has(CPU_RTM) || (caps & CAP_TSX_CTRL)));
	flaw_if(FLAW_SRBDS, (cpu_has(CPU_RDRAND) || cpu_has(CPU_RDSEED)) && (marks & (SRBDS | MMIO_SBDS)));
	flaw_if(FLAW_MMIO, mmio && (marks & MMIO));
	flaw_if(FLAW_MMIO_UNKNOWN, mmio && !(marks & MMIO) && !(no & NO_MMIO));
	flaw_if(FLAW_GDS, (marks & GDS) && !(caps & CAP_GDS_NO) && cpu_has(CPU_AVX));
	flaw_if(FLAW_RFDS, !(caps & CAP_RFDS_NO) && ((caps & CAP_RFDS_CLEAR) || (marks & RFDS)));
	flaw_if(FLAW_TSA, marks & TSA_SIDE);
}

/* Predictions of branches. */
static void branch_flaws(u32 no, u32 marks)
{
	u64 caps = cpu_capabilities;
	/* A guest may be moved to any host that its hypervisor does not rule out. */
	bool its = ((marks & ITS) || cpu_has(CPU_HYPERVISOR)) && !(caps & CAP_ITS_NO) &&
		   cpu_identity.vendor == VENDOR_INTEL;

	flaw_if(FLAW_SPECTRE_V1, true);
	flaw_if(FLAW_SPECTRE_V2, !(no & NO_SPECTRE_V2));
	flaw_if(FLAW_SWAPGS, !(no & NO_SWAPGS));
	flaw_if(FLAW_PBRSB, (caps & CAP_IBRS_ALL) && !(no & NO_PBRSB) && !(caps & CAP_PBRSB_NO));
	flaw_if(FLAW_RETBLEED, !cpu_has(CPU_BTC_NO) && ((marks & RETBLEED) || (caps & CAP_RSBA)));
	flaw_if(FLAW_SMT_RSB, marks & SMT_RSB);
	flaw_if(FLAW_SRSO, (marks & SRSO) && !cpu_has(CPU_SRSO_NO));
	flaw_if(FLAW_BHI, !(no & NO_BHI) && !(caps & CAP_BHI_NO));
	flaw_if(FLAW_ITS, its);
	flaw_if(FLAW_ITS_NATIVE, its && (marks & ITS_NATIVE));
	flaw_if(FLAW_VMSCAPE, (marks & VMSCAPE) && !cpu_has(CPU_HYPERVISOR));
}

void bugs_init(void)
{
	u32 no, marks;

	identify();
	if (cpu_has(CPU_ARCH_CAPABILITIES))
		cpu_capabilities = rdmsr(MSR_ARCH_CAPABILITIES);
	no = marks_of(free_of, ARRAY_SIZE(free_of));
	marks = marks_of(flawed, ARRAY_SIZE(flawed));
	amd_flaws();
	flaw_if(FLAW_ITLB_MULTIHIT, !(no & NO_ITLB) && !(cpu_capabilities & CAP_PSCHANGE_NO));
	if (no & NO_SPECULATION)
		return;
	branch_flaws(no, marks);
	sampling_flaws(no, marks);
	flaw_if(FLAW_SSB, !(no & NO_SSB) && !(cpu_capabilities & CAP_SSB_NO) && !cpu_has(CPU_AMD_SSB_NO));
	if ((no & NO_MELTDOWN) || (cpu_capabilities & CAP_RDCL_NO))
		return;
	flaw_if(FLAW_MELTDOWN, true);
	flaw_if(FLAW_L1TF, !(no & NO_L1TF));
}
