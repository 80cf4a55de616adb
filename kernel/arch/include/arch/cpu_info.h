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

/* Flaws that sysfs tells of, in the order of their names. */
enum cpu_bug {
	BUG_GATHER_DATA_SAMPLING, BUG_INDIRECT_TARGET_SELECTION, BUG_ITLB_MULTIHIT, BUG_L1TF, BUG_MDS,
	BUG_MELTDOWN, BUG_MMIO_STALE_DATA, BUG_REG_FILE_DATA_SAMPLING, BUG_RETBLEED,
	BUG_SPEC_RSTACK_OVERFLOW, BUG_SPEC_STORE_BYPASS, BUG_SPECTRE_V1, BUG_SPECTRE_V2, BUG_SRBDS,
	BUG_TSA, BUG_TSX_ASYNC_ABORT, BUG_VMSCAPE, NR_CPU_BUGS
};
extern const char *const arch_bug_names[NR_CPU_BUGS];
/* "Not affected", "Vulnerable", "Mitigation: …" and a newline: what really holds, in Linux's words. */
int arch_vulnerability(enum cpu_bug bug, char *buf, size_t size);

/*
 * Speculation control of a task, as PR_GET_SPECULATION_CTRL and PR_SET_SPECULATION_CTRL show it: `which`
 * is PR_SPEC_STORE_BYPASS and so on. get: PR_SPEC_* bits or -ENODEV. set, for the current task: 0,
 * -ENODEV, -ENXIO, -ERANGE, -EPERM.
 */
struct task;
long arch_speculation_get(const struct task *t, u64 which);
long arch_speculation_set(u64 which, u64 how);
/* A filter has been installed without SECCOMP_FILTER_FLAG_SPEC_ALLOW by the current task: t, which is
 * that or a thread of its process, gets what the command line asks for in this case. */
void arch_speculation_seccomp(struct task *t);
