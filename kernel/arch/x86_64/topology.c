/* Topology and caches as CPUID tells them. */
#include <arch/cpu.h>
#include <arch/cpu_info.h>
#include <lib/bits.h>
#include <x86/cpu_init.h>
#include <x86/cpuid.h>

#define LEAF_CACHE_INTEL 4
#define LEAF_TOPOLOGY    0xb
#define LEAF_CACHE_AMD   0x8000001d
#define LEAF_L1_AMD      0x80000005
#define LEAF_L2_L3_AMD   0x80000006

static bool vendor_is_amd(void)
{
	struct cpuid_regs r = cpuid(0, 0);

	return r.ebx == 0x68747541 && r.edx == 0x69746e65 && r.ecx == 0x444d4163; /* AuthenticAMD */
}

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

/* AMD's old leaves have one register for each cache; the ways of the outer ones are a code. */
static bool cache_legacy_amd(u32 index, struct cpu_cache *c)
{
	static const u8 ways[16] = {[1] = 1, [2] = 2, [4] = 4, [6] = 8, [8] = 16, [10] = 32,
				    [11] = 48, [12] = 64, [13] = 96, [14] = 128};
	static const char *const types[] = {"Data", "Instruction", "Unified", "Unified"};
	struct cpuid_regs l1 = cpuid(LEAF_L1_AMD, 0), outer = cpuid(LEAF_L2_L3_AMD, 0);
	u32 kib[] = {l1.ecx >> 24, l1.edx >> 24, outer.ecx >> 16, (outer.edx >> 18) * 512};
	u32 line[] = {l1.ecx & 0xff, l1.edx & 0xff, outer.ecx & 0xff, outer.edx & 0xff};
	u32 assoc[] = {l1.ecx >> 16 & 0xff, l1.edx >> 16 & 0xff, ways[outer.ecx >> 12 & 15],
		       ways[outer.edx >> 12 & 15]};
	u32 thread, core;

	if (index >= ARRAY_SIZE(kib) || !kib[index] || !line[index] || !assoc[index])
		return false;
	topology_shifts(&thread, &core);
	*c = (struct cpu_cache){
		.type = types[index],
		.level = index < 2 ? 1 : index,
		.line_size = line[index],
		.partitions = 1,
		.ways = assoc[index],
		.sets = (u32)((u64)kib[index] * 1024 / line[index] / assoc[index]),
		.share_shift = index == 3 ? core : thread,
	};
	return true;
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
	if (!(r.eax & 31) && vendor_is_amd() && cpuid(0x80000000, 0).eax >= LEAF_L2_L3_AMD)
		return cache_legacy_amd(index, c);
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
