/*
 * Each CPU's one-shot timer: the local APIC, counting down or comparing with the TSC. The event may
 * come early (long waits are cut to what the counter holds); time/ looks at the clock and re-arms.
 */
#include <arch/timer.h>
#include <lib/types.h>
#include <time/clock.h>
#include <x86/apic.h>
#include <x86/clocks.h>
#include <x86/io.h>
#include <x86/msr.h>

#define DELTA_MAX_NS (1ULL << 31)

static u64 ticks_per_ns_32 __ro_after_init; /* << 32; of the TSC or the APIC's counter */
static u64 delta_max_ns __ro_after_init;
static bool use_deadline __ro_after_init;

static u64 ns_to_ticks(u64 ns)
{
	return (u64)((unsigned __int128)ns * ticks_per_ns_32 >> 32);
}

static void choose_rate(void)
{
	u64 hz;

	use_deadline = clocks_tsc_deadline();
	hz = use_deadline ? clocks_tsc_hz() : clocks_lapic_hz();
	ticks_per_ns_32 = (hz / NSEC_PER_SEC << 32) + (hz % NSEC_PER_SEC << 32) / NSEC_PER_SEC;
	delta_max_ns = DELTA_MAX_NS;
	if (!use_deadline && ns_to_ticks(delta_max_ns) > U32_MAX)
		delta_max_ns = U32_MAX * NSEC_PER_SEC / hz;
}

void arch_timer_cpu_init(void)
{
	if (!ticks_per_ns_32)
		choose_rate();
	lapic_timer_setup(use_deadline);
}

static void disarm(void)
{
	if (use_deadline)
		wrmsr(MSR_TSC_DEADLINE, 0);
	else
		lapic_timer_count(0);
}

void arch_timer_arm(u64 deadline_ns)
{
	u64 now, ticks;

	if (deadline_ns == U64_MAX)
		return disarm();
	now = clock_monotonic();
	ticks = deadline_ns > now ? ns_to_ticks(MIN(deadline_ns - now, delta_max_ns)) : 0;
	if (use_deadline)
		wrmsr(MSR_TSC_DEADLINE, rdtsc() + ticks);
	else
		lapic_timer_count(ticks ? (u32)ticks : 1);
}
