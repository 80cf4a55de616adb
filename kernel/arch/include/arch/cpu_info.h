/* What the processors say about themselves, for /proc/cpuinfo and sysfs. Any context. */
#pragma once

#include <lib/types.h>

struct cpu_topology {
	u32 id;      /* hardware number: its upper bits tell who shares what */
	u32 package, core, thread;
};
void arch_cpu_topology(u32 cpu, struct cpu_topology *t);

struct cpu_cache {
	const char *type; /* "Data", "Instruction", "Unified" */
	u32 level, line_size, partitions, ways, sets;
	u32 share_shift;  /* hardware numbers that agree above these bits share it */
};
/* Cache number index, counted from 0; false: there are no more. All CPUs are alike. */
bool arch_cpu_cache(u32 index, struct cpu_cache *c) __must_check;

enum cpu_bug {
	BUG_ITLB_MULTIHIT, BUG_L1TF, BUG_MDS, BUG_MELTDOWN, BUG_MMIO_STALE_DATA, BUG_RETBLEED,
	BUG_SPEC_STORE_BYPASS, BUG_SPECTRE_V1, BUG_SPECTRE_V2, BUG_SRBDS, BUG_TSX_ASYNC_ABORT,
	NR_CPU_BUGS
};
extern const char *const arch_bug_names[NR_CPU_BUGS];
/* "Not affected", "Vulnerable", "Mitigation: …": what really holds, in Linux's words. */
const char *arch_vulnerability(enum cpu_bug bug);
