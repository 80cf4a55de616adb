/*
 * KVM's paravirtual clock: the hypervisor keeps scale and offset of each CPU's TSC in memory and
 * changes them between two odd/even versions. Used only when the hypervisor says that the result is
 * monotonic across CPUs. User mode reads CPU 0's through the vDSO.
 */
#include <arch/mmu.h>
#include <arch/irq.h>
#include <arch/cpu.h>
#include <lib/atomic.h>
#include <lib/string.h>
#include <time/clock.h>
#include <x86/cpuid.h>
#include <x86/kvmclock.h>
#include <x86/msr.h>
#include <x86/paging.h>

#define KVM_FEATURE_CLOCKSOURCE2 BIT(3)
#define KVM_FEATURE_STABLE       BIT(24)

/* Alone on its page: the vDSO sees it. */
static struct kvmclock_time cpu_time[MAX_CPUS] __section(".bss.page_aligned") __aligned(PAGE_SIZE);
static_assert(sizeof(cpu_time) == PAGE_SIZE, "nothing else on the page");
static bool in_use __ro_after_init;

const void *kvmclock_user_page(void)
{
	return in_use ? cpu_time : NULL;
}

static u64 kvmclock_read(void)
{
	u64 flags = arch_irq_save(); /* one CPU's structure */
	u64 ns;

	(void)kvmclock_time_read(&cpu_time[smp_processor_id()], &ns);
	arch_irq_restore(flags);
	return ns;
}

void kvmclock_cpu_init(void)
{
	if (in_use)
		wrmsr(MSR_KVM_SYSTEM_TIME, kernel_paddr(&cpu_time[smp_processor_id()]).v | 1);
}

void kvmclock_init(void)
{
	static struct clocksource source = {"kvm-clock", 400, U64_MAX, NSEC_PER_SEC, kvmclock_read,
					    CLOCK_COUNTER_PVCLOCK};
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
