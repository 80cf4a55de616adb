/*
 * KVM's paravirtual clock: the hypervisor keeps a page of scale and offset for each CPU's TSC and
 * changes it between two odd/even versions. Used only when the hypervisor says that the result is
 * monotonic across CPUs.
 */
#include <arch/mmu.h>
#include <arch/irq.h>
#include <arch/percpu.h>
#include <lib/atomic.h>
#include <lib/string.h>
#include <time/clock.h>
#include <x86/cpuid.h>
#include <x86/kvmclock.h>
#include <x86/msr.h>
#include <x86/paging.h>

#define KVM_FEATURE_CLOCKSOURCE2 BIT(3)
#define KVM_FEATURE_STABLE       BIT(24)

struct time_page {
	u32 version, pad0;
	u64 tsc, system_ns;
	u32 mult;
	s8 shift;
	u8 flags, pad[2];
};

static DEFINE_PER_CPU(struct time_page, time_page) __aligned(64);
static bool in_use __ro_after_init;

static u64 kvmclock_read(void)
{
	u64 flags = arch_irq_save(); /* one CPU's page */
	const volatile struct time_page *p = this_cpu_ptr(time_page);
	u64 delta, ns;
	u32 version;

	do {
		version = p->version;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		delta = rdtsc_ordered() - p->tsc;
		delta = p->shift >= 0 ? delta << p->shift : delta >> -p->shift;
		ns = p->system_ns + (u64)((unsigned __int128)delta * p->mult >> 32);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while ((version & 1) || version != p->version);
	arch_irq_restore(flags);
	return ns;
}

void kvmclock_cpu_init(void)
{
	if (in_use)
		wrmsr(MSR_KVM_SYSTEM_TIME, kernel_paddr(this_cpu_ptr(time_page)).v | 1);
}

void kvmclock_init(void)
{
	static struct clocksource source = {"kvm-clock", 400, U64_MAX, NSEC_PER_SEC, kvmclock_read};
	char hv[13];
	u32 max, features;

	if (!cpu_hypervisor(hv, &max) || strcmp(hv, "KVMKVMKVM") != 0)
		return;
	features = cpuid(0x40000001, 0).eax;
	if (!(features & KVM_FEATURE_CLOCKSOURCE2) || !(features & KVM_FEATURE_STABLE))
		return;
	in_use = true;
	kvmclock_cpu_init();
	clocksource_register(&source);
}
