/*
 * The machine's clocks. Frequencies come from the hypervisor or the CPU when they say, else from one
 * short calibration against a counter of known rate. Sources are registered with time/, which picks
 * one. Everything here is written during boot only.
 */
#include <arch/timer.h>
#include <boot/boot_info.h>
#include <dev/acpi.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <time/clock.h>
#include <x86/apic.h>
#include <x86/clocks.h>
#include <x86/cpuid.h>
#include <x86/io.h>
#include <x86/kvmclock.h>
#include <x86/msr.h>

#define CALIBRATE_NS     1000000
#define PAIR_TRIES       16
#define EMULATED_APIC_HZ 1000000000ULL /* of QEMU's and KVM's local APIC */
#define PM_TIMER_HZ      3579545
#define PIT_HZ           1193182

#define HPET_PERIOD  1 /* 32-bit registers */
#define HPET_CONFIG  4
#define HPET_COUNTER 60

static u64 tsc_hz __ro_after_init, lapic_hz __ro_after_init;
static bool tsc_is_stable __ro_after_init;
static volatile u32 *hpet __ro_after_init;
static u64 hpet_hz __ro_after_init;
static u16 pm_port __ro_after_init;

u64 clocks_tsc_hz(void)
{
	return tsc_hz;
}

u64 clocks_lapic_hz(void)
{
	return lapic_hz;
}

bool clocks_tsc_deadline(void)
{
	return cpu_has(CPU_TSC_DEADLINE) && tsc_is_stable;
}

static u64 read_tsc(void)
{
	return rdtsc_ordered();
}

static u64 read_hpet(void)
{
	return hpet[HPET_COUNTER];
}

static u64 read_pm_timer(void)
{
	return inl(pm_port);
}

/* Counters for the calibration; all count up. */
static u64 read_lapic_up(void)
{
	return U32_MAX - lapic_timer_remaining();
}

static u64 read_pit_up(void)
{
	u32 lo, hi;

	outb(0x43, 0x80); /* latch channel 2 */
	lo = inb(0x42);
	hi = inb(0x42);
	return 0xffff - (hi << 8 | lo);
}

static void start_pit(void)
{
	outb(0x61, (inb(0x61) & ~0x02) | 0x01); /* gate on, speaker off */
	outb(0x43, 0xb0);                       /* channel 2, mode 0, both bytes */
	outb(0x42, 0xff);
	outb(0x42, 0xff);
}

struct reference {
	u64 (*read)(void);
	u64 hz, mask;
};

struct pair {
	u64 tsc, ref, lapic;
};

/* Readings taken together: the try that was disturbed least. */
static struct pair read_pair(const struct reference *r)
{
	struct pair best = {0};
	u64 best_gap = U64_MAX;

	for (u32 i = 0; i < PAIR_TRIES; i++) {
		u64 before = rdtsc_ordered(), ref = r->read(), lapic = read_lapic_up();
		u64 after = rdtsc_ordered();

		if (after - before >= best_gap)
			continue;
		best_gap = after - before;
		best = (struct pair){before, ref, lapic};
	}
	return best;
}

static void calibrate(const struct reference *r)
{
	u64 want = r->hz * CALIBRATE_NS / NSEC_PER_SEC, ticks;
	struct pair a, b;

	lapic_timer_count(U32_MAX);
	a = read_pair(r);
	for (u32 i = 0; i < 10000000 && ((r->read() - a.ref) & r->mask) < want; i++)
		;
	b = read_pair(r);
	lapic_timer_count(0);
	ticks = (b.ref - a.ref) & r->mask;
	if (!ticks)
		return;
	if (!tsc_hz)
		tsc_hz = (b.tsc - a.tsc) * r->hz / ticks;
	if (!lapic_hz)
		lapic_hz = (b.lapic - a.lapic) * r->hz / ticks;
}

static void calibrate_against_best(void)
{
	struct reference lapic = {read_lapic_up, EMULATED_APIC_HZ, U32_MAX};
	struct reference hpet_ref = {read_hpet, hpet_hz, U32_MAX};
	struct reference pm = {read_pm_timer, PM_TIMER_HZ, 0xffffff};
	struct reference pit = {read_pit_up, PIT_HZ, 0xffff};

	if (lapic_hz)
		lapic.hz = lapic_hz;
	if (lapic_hz)
		return calibrate(&lapic);
	if (hpet)
		return calibrate(&hpet_ref);
	if (pm_port)
		return calibrate(&pm);
	start_pit();
	calibrate(&pit);
}

/* What hypervisor and CPU tell. */
static void ask_frequencies(void)
{
	char hv[13];
	u32 max = 0;

	if (cpu_hypervisor(hv, &max)) {
		bool tcg = !strcmp(hv, "TCGTCGTCGTCG"), kvm = !strcmp(hv, "KVMKVMKVM");

		if (max >= 0x40000010 && max < 0x40010000) {
			tsc_hz = cpuid(0x40000010, 0).eax * 1000ULL;
			lapic_hz = cpuid(0x40000010, 0).ebx * 1000ULL;
		}
		if (!lapic_hz && (tcg || kvm))
			lapic_hz = EMULATED_APIC_HZ;
		tsc_is_stable = tcg; /* all its CPUs read one counter */
	}
	if (!tsc_hz && cpuid(0, 0).eax >= 0x15) {
		struct cpuid_regs r = cpuid(0x15, 0);

		if (r.eax && r.ebx && r.ecx) {
			tsc_hz = (u64)r.ecx * r.ebx / r.eax;
			if (!lapic_hz)
				lapic_hz = r.ecx;
		}
	}
	tsc_is_stable |= cpu_has(CPU_INVARIANT_TSC);
}

static void find_hpet(u64 pa)
{
	if (!pa)
		return;
	hpet = ioremap(PADDR(pa), 1024);
	if (!hpet || !hpet[HPET_PERIOD]) {
		hpet = NULL;
		return;
	}
	hpet[HPET_CONFIG] |= 1;
	hpet_hz = 1000000000000000ULL / hpet[HPET_PERIOD];
}

static void register_source(struct clocksource *cs, const char *name, u32 rating, u64 mask, u64 hz,
			    u64 (*read)(void), enum clock_counter user)
{
	*cs = (struct clocksource){name, rating, mask, hz, read, user};
	clocksource_register(cs);
}

void arch_clocks_init(void)
{
	static struct clocksource tsc_source, hpet_source, pm_source;
	const struct acpi_platform *p = acpi_platform();

	clock_user_page->has_rdpid = cpu_has(CPU_RDPID);
	find_hpet(p->hpet);
	pm_port = p->pm_timer_port;
	kvmclock_init();
	ask_frequencies();
	if (!tsc_hz || !lapic_hz)
		calibrate_against_best();
	if (!tsc_hz)
		panic("no way to find the frequency of the time-stamp counter");
	pr_info("clocks: TSC %llu kHz%s, local APIC %llu kHz\n", tsc_hz / 1000,
		tsc_is_stable ? "" : " (not stable)", lapic_hz / 1000);
	register_source(&tsc_source, "tsc", tsc_is_stable ? 300 : 150, U64_MAX, tsc_hz, read_tsc,
			cpu_has(CPU_RDTSCP) ? CLOCK_COUNTER_RDTSCP : CLOCK_COUNTER_RDTSC);
	if (hpet)
		register_source(&hpet_source, "hpet", 200, U32_MAX, hpet_hz, read_hpet,
				CLOCK_COUNTER_SYSCALL);
	if (pm_port)
		register_source(&pm_source, "acpi_pm", 100, p->pm_timer_32bit ? U32_MAX : 0xffffff,
				PM_TIMER_HZ, read_pm_timer, CLOCK_COUNTER_SYSCALL);
}
