/* KVM's paravirtual clock. Also included by the vDSO's code, in user mode. */
#pragma once

#include <lib/types.h>
#include <x86/msr.h>

/* What the hypervisor writes for each CPU. */
struct kvmclock_time {
	u32 version, pad0;     /* odd: changing */
	u64 tsc, system_ns;
	u32 mult;
	s8 shift;
	u8 flags, pad[2];
} __aligned(64);

#define KVMCLOCK_ALL_CPUS 1 /* flags: every CPU's TSC shows the same */

/* The time by t. False: only the CPU whose structure it is may use it. */
static inline bool kvmclock_time_read(const volatile struct kvmclock_time *t, u64 *ns)
{
	u32 version;
	u64 delta;
	u8 flags;

	do {
		version = t->version;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		delta = rdtsc_ordered() - t->tsc;
		delta = t->shift >= 0 ? delta << t->shift : delta >> -t->shift;
		*ns = t->system_ns + (u64)((unsigned __int128)delta * t->mult >> 32);
		flags = t->flags;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while ((version & 1) || version != t->version);
	return flags & KVMCLOCK_ALL_CPUS;
}

/* Registers the clock source when the hypervisor has one that all CPUs may share. Once. */
void kvmclock_init(void);
/* Enables this CPU's structure when the clock is in use. */
void kvmclock_cpu_init(void);
/* The page to show to user mode, CPU 0's structure first; NULL when the clock is not in use. */
const void *kvmclock_user_page(void);
