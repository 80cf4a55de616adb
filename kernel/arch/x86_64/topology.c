/* Topology and caches as CPUID tells them, and what is done about speculation. */
#include <arch/cpu.h>
#include <arch/cpu_info.h>
#include <lib/bits.h>
#include <x86/cpu_init.h>
#include <x86/cpuid.h>

#define LEAF_CACHE_INTEL 4
#define LEAF_TOPOLOGY    0xb
#define LEAF_CACHE_AMD   0x8000001d

/* By how many bits of an APIC number threads, then cores, are told apart. */
static void topology_shifts(u32 *thread, u32 *core)
{
	struct cpuid_regs r;

	*thread = 0;
	*core = log2_ceil(nr_cpus); /* without the leaf: one package, a core each */
	if (cpuid(0, 0).eax < LEAF_TOPOLOGY)
		return;
	r = cpuid(LEAF_TOPOLOGY, 0);
	if (!r.ebx)
		return;
	*thread = r.eax & 31;
	*core = cpuid(LEAF_TOPOLOGY, 1).eax & 31;
}

void arch_cpu_topology(u32 cpu, struct cpu_topology *t)
{
	u32 thread, core;

	topology_shifts(&thread, &core);
	t->id = cpu_apic_id[cpu];
	t->thread = t->id & (u32)(BIT(thread) - 1);
	t->core = (t->id & (u32)(BIT(core) - 1)) >> thread;
	t->package = t->id >> core;
}

bool arch_cpu_cache(u32 index, struct cpu_cache *c)
{
	static const char *const types[] = {NULL, "Data", "Instruction", "Unified"};
	struct cpuid_regs r = {0};

	if (index >= 8)
		return false;
	/* AMD has the same format elsewhere. */
	if (cpuid(0x80000000, 0).eax >= LEAF_CACHE_AMD)
		r = cpuid(LEAF_CACHE_AMD, index);
	if (!(r.eax & 31) && cpuid(0, 0).eax >= LEAF_CACHE_INTEL)
		r = cpuid(LEAF_CACHE_INTEL, index);
	if (!(r.eax & 31) || (r.eax & 31) >= ARRAY_SIZE(types))
		return false;
	*c = (struct cpu_cache){
		.type = types[r.eax & 31],
		.level = r.eax >> 5 & 7,
		.line_size = (r.ebx & 0xfff) + 1,
		.partitions = (r.ebx >> 12 & 0x3ff) + 1,
		.ways = (r.ebx >> 22) + 1,
		.sets = r.ecx + 1,
		.share_shift = log2_ceil((r.eax >> 14 & 0xfff) + 1),
	};
	return true;
}

/* ---- speculation ---- */

const char *const arch_bug_names[NR_CPU_BUGS] = {
	[BUG_ITLB_MULTIHIT] = "itlb_multihit",
	[BUG_L1TF] = "l1tf",
	[BUG_MDS] = "mds",
	[BUG_MELTDOWN] = "meltdown",
	[BUG_MMIO_STALE_DATA] = "mmio_stale_data",
	[BUG_RETBLEED] = "retbleed",
	[BUG_SPEC_STORE_BYPASS] = "spec_store_bypass",
	[BUG_SPECTRE_V1] = "spectre_v1",
	[BUG_SPECTRE_V2] = "spectre_v2",
	[BUG_SRBDS] = "srbds",
	[BUG_TSX_ASYNC_ABORT] = "tsx_async_abort",
};

static bool vendor_is_amd(void)
{
	struct cpuid_regs r = cpuid(0, 0);

	return r.ebx == 0x68747541 && r.edx == 0x69746e65 && r.ecx == 0x444d4163; /* AuthenticAMD */
}

const char *arch_vulnerability(enum cpu_bug bug)
{
	switch (bug) {
	case BUG_SPECTRE_V1: /* user ranges and indices are clamped; nothing orders swapgs */
		return "Vulnerable: __user pointer sanitization and usercopy barriers only; no swapgs "
		       "barriers";
	case BUG_SPECTRE_V2:
	case BUG_SPEC_STORE_BYPASS:
	case BUG_RETBLEED:
		return "Vulnerable";
	default: /* Intel's: AMD's processors do not have them, of others we assume the worst */
		return vendor_is_amd() ? "Not affected" : "Vulnerable";
	}
}
