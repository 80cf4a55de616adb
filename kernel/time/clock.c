/*
 * The kernel's clocks. CLOCK_MONOTONIC counts the chosen source's cycles from boot; real time is that
 * plus one offset. Readers take no lock: the conversion is guarded by a sequence count that is odd
 * while it changes, and it only changes at start and, for counters that wrap, every quarter of
 * their range. All functions work in any context.
 *
 * ns = base_ns + ((cycles - base_cycles) & mask) * mult >> 32 in 128-bit arithmetic, so a 64-bit
 * counter never needs to be folded into the base: nothing ticks for the sake of time.
 *
 * Left out: slewing (adjtimex can step the clock, not change its rate), leap seconds.
 */
#include <arch/cpu.h>
#include <arch/timer.h>
#include <lib/log.h>
#include <sync/wait.h>
#include <time/clock.h>
#include <time/timer.h>
#include "internal.h"

#define SHIFT 32

static u64 no_cycles(void)
{
	return 0;
}

static struct clocksource no_source = {.name = "none", .mask = U64_MAX, .freq_hz = NSEC_PER_SEC,
				       .read = no_cycles};

static struct {
	u32 seq;                /* odd: changing */
	u64 (*read)(void);
	u64 mask, base_cycles;
	u64 mult;               /* ns per cycle << SHIFT */
	u64 base_ns;
	struct clocksource *source;
} clock __cacheline_aligned = {.read = no_cycles, .mask = U64_MAX, .source = &no_source};

static struct clocksource *best_source = &no_source;
static s64 realtime_offset;      /* atomic: real time - monotonic */
static u32 realtime_sets;        /* atomic: number of settings, for sleepers */
static DEFINE_WAIT_QUEUE(realtime_set_wait);
static struct timer fold_timer;

void clocksource_register(struct clocksource *cs)
{
	if (cs->rating > best_source->rating)
		best_source = cs;
}

const char *clock_source_name(void)
{
	return clock.source->name;
}

static inline u64 cycles_to_ns(u64 cycles, u64 mult)
{
	return (u64)(((unsigned __int128)cycles * mult) >> SHIFT);
}

u64 clock_monotonic(void)
{
	for (;;) {
		u32 seq = smp_load_acquire(&clock.seq);
		u64 cycles = (clock.read() - clock.base_cycles) & clock.mask;
		u64 ns = clock.base_ns + cycles_to_ns(cycles, clock.mult);

		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (likely(!(seq & 1) && READ_ONCE(clock.seq) == seq))
			return ns;
		cpu_relax();
	}
}

s64 clock_realtime_offset(void)
{
	return __atomic_load_n(&realtime_offset, __ATOMIC_RELAXED);
}

u64 clock_realtime(void)
{
	return clock_monotonic() + (u64)clock_realtime_offset();
}

u64 clock_monotonic_coarse(void)
{
	u64 ns = clock_monotonic();

	return ns - ns % CLOCK_COARSE_NS;
}

struct timespec64 clock_inode_time(void)
{
	return ns_to_timespec(clock_monotonic_coarse() + (u64)clock_realtime_offset());
}

/* One writer at a time: boot, then the fold timer. */
static void rebase(u64 cycles, u64 ns)
{
	WRITE_ONCE(clock.seq, clock.seq + 1);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	clock.base_cycles = cycles;
	clock.base_ns = ns;
	smp_store_release(&clock.seq, clock.seq + 1);
}

/* A quarter of the counter's range, in ns. */
static u64 fold_period(void)
{
	return cycles_to_ns(clock.mask / 4, clock.mult);
}

static void fold(struct timer *t)
{
	u64 cycles = clock.read();
	u64 passed = (cycles - clock.base_cycles) & clock.mask;

	rebase(cycles, clock.base_ns + cycles_to_ns(passed, clock.mult));
	timer_arm(t, clock.base_ns + fold_period());
}

void clock_init(void)
{
	struct clocksource *cs = best_source;

	WRITE_ONCE(clock.seq, 1);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	clock.source = cs;
	clock.read = cs->read;
	clock.mask = cs->mask;
	clock.mult = (NSEC_PER_SEC << SHIFT) / cs->freq_hz;
	clock.base_cycles = cs->read();
	clock.base_ns = 0;
	smp_store_release(&clock.seq, 2);
	realtime_offset = (s64)(arch_rtc_seconds() * NSEC_PER_SEC);
	if (cs == &no_source)
		panic("this machine has no clock that the kernel knows");
	pr_info("clock: %s, %llu Hz", cs->name, cs->freq_hz);
}

/* The fold timer needs the timer queues, which need the clock: armed by timers_cpu_init. */
void clock_start_folding(void)
{
	if (clock.mask == U64_MAX || fold_timer.fn)
		return;
	timer_init(&fold_timer, fold);
	timer_arm(&fold_timer, clock_monotonic() + fold_period());
}

void clock_set_realtime(u64 ns)
{
	__atomic_store_n(&realtime_offset, (s64)(ns - clock_monotonic()), __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&realtime_sets, 1, __ATOMIC_SEQ_CST);
	wake_up_all(&realtime_set_wait);
}

/* The monotonic time at which real time will be `realtime_ns` if nobody sets it. */
static u64 realtime_to_monotonic(u64 realtime_ns)
{
	s64 offset = clock_realtime_offset();

	if (offset > 0 && realtime_ns < (u64)offset)
		return 0;
	return realtime_ns - (u64)offset;
}

int clock_sleep_until(bool realtime, u64 deadline_ns)
{
	for (;;) {
		u32 sets = __atomic_load_n(&realtime_sets, __ATOMIC_SEQ_CST);
		u64 until = realtime ? realtime_to_monotonic(deadline_ns) : deadline_ns;
		int err = 0;

		if (clock_monotonic() >= until)
			return 0;
		if (realtime)
			err = wait_event_deadline(&realtime_set_wait,
						  READ_ONCE(realtime_sets) != sets, until);
		else
			err = sleep_until(until);
		if (err == -ERESTARTSYS)
			return err;
	}
}

/* Before the clock runs: a guess that is long enough on every machine of this century. */
#define EARLY_CYCLES_PER_US 4000

void udelay(u32 us)
{
	u64 start;

	if (clock.source == &no_source) {
		start = arch_cycles();
		while (arch_cycles() - start < us * (u64)EARLY_CYCLES_PER_US)
			cpu_relax();
		return;
	}
	start = clock_monotonic();
	while (clock_monotonic() - start < us * NSEC_PER_USEC)
		cpu_relax();
}
