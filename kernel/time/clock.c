/*
 * The kernel's clocks. CLOCK_MONOTONIC counts the chosen source's cycles from boot; every other clock
 * is that plus an offset. What readers need lies on the page of time (time/clock_page.h), which the
 * vDSO reads too. Readers take no lock: a sequence count is odd while the page changes. It changes
 * when the time or its rate is set and, for counters that wrap, every quarter of their range. All
 * functions work in any context, unless their contract says otherwise.
 *
 * The conversion is 128 bits wide, so a 64-bit counter never needs to be folded into the base:
 * nothing ticks for the sake of time.
 *
 * Left out: leap seconds.
 */
#include <arch/cpu.h>
#include <arch/timer.h>
#include <lib/log.h>
#include <sync/spinlock.h>
#include <sync/wait.h>
#include <time/clock.h>
#include <time/timer.h>
#include "internal.h"

static u64 no_cycles(void)
{
	return 0;
}

static struct clocksource no_source = {.name = "none", .mask = U64_MAX, .freq_hz = NSEC_PER_SEC,
				       .read = no_cycles};

/* Alone on its page: user mode sees all of it. */
static union {
	struct clock_page words; /* clock_lock to write */
	u8 whole[PAGE_SIZE];
} user __section(".bss.page_aligned") __aligned(PAGE_SIZE);
static struct clock_page *const page = &user.words;
struct clock_page *const clock_user_page = &user.words;

static struct {
	u64 (*read)(void);
	u64 mask;
	struct clocksource *source;
} clock __cacheline_aligned = {.read = no_cycles, .mask = U64_MAX, .source = &no_source};

static DEFINE_SPINLOCK(clock_lock, LOCK_RANK_CLOCK);
static struct clocksource *best_source = &no_source;
static s32 tai_offset_s;         /* clock_lock */
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
	return (u64)(((unsigned __int128)cycles * mult) >> CLOCK_SHIFT);
}

/* Cycles since the base. A CPU whose counter is slightly behind does not see time jump. */
static __always_inline u64 cycles_since_base(void)
{
	u64 cycles = (clock.read() - page->base_cycles) & clock.mask;

	return unlikely((s64)cycles < 0) ? 0 : cycles;
}

static __always_inline u64 read_clock(const u64 *base_ns, const u64 *mult)
{
	for (;;) {
		u32 seq = smp_load_acquire(&page->seq);
		u64 ns = cycles_to_ns(cycles_since_base(), *mult) + *base_ns;

		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (likely(!(seq & 1) && READ_ONCE(page->seq) == seq))
			return ns;
		cpu_relax();
	}
}

u64 clock_monotonic(void)
{
	return read_clock(&page->base_ns, &page->mult);
}

u64 clock_monotonic_raw(void)
{
	return read_clock(&page->raw_ns, &page->raw_mult);
}

s64 clock_offset(u32 id)
{
	return __atomic_load_n(&page->offset_ns[id], __ATOMIC_RELAXED);
}

s64 clock_realtime_offset(void)
{
	return clock_offset(CLOCK_REALTIME);
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

/* Between these two, readers wait. */
static u64 page_change_begin(void) ACQUIRES(clock_lock)
{
	u64 flags = spin_lock_irqsave(&clock_lock);

	WRITE_ONCE(page->seq, page->seq + 1);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	return flags;
}

static void page_change_end(u64 flags) RELEASES(clock_lock)
{
	smp_store_release(&page->seq, page->seq + 1);
	spin_unlock_irqrestore(&clock_lock, flags);
}

/* Moves the base to the present without moving the time. The page is changing. */
static void rebase(void)
{
	u64 cycles = clock.read();
	u64 passed = (cycles - page->base_cycles) & clock.mask;

	if ((s64)passed < 0)
		return;
	page->base_cycles = cycles;
	page->base_ns += cycles_to_ns(passed, page->mult);
	page->raw_ns += cycles_to_ns(passed, page->raw_mult);
}

/* A quarter of the counter's range, in ns. */
static u64 fold_period(void)
{
	return cycles_to_ns(clock.mask / 4, page->raw_mult);
}

static void fold(struct timer *t)
{
	u64 flags = page_change_begin();

	rebase();
	page_change_end(flags);
	timer_arm(t, clock_monotonic() + fold_period());
}

static void set_offsets_locked(s64 realtime)
{
	s64 tai = realtime + tai_offset_s * (s64)NSEC_PER_SEC;

	__atomic_store_n(&page->offset_ns[CLOCK_REALTIME], realtime, __ATOMIC_SEQ_CST);
	__atomic_store_n(&page->offset_ns[CLOCK_REALTIME_COARSE], realtime, __ATOMIC_SEQ_CST);
	__atomic_store_n(&page->offset_ns[CLOCK_TAI], tai, __ATOMIC_SEQ_CST);
}

void clock_init(void)
{
	struct clocksource *cs = best_source;
	u64 flags = page_change_begin();

	if (cs == &no_source)
		panic("this machine has no clock that the kernel knows");
	clock.source = cs;
	clock.read = cs->read;
	clock.mask = cs->mask;
	page->counter = cs->user;
	page->raw_mult = page->mult = (NSEC_PER_SEC << CLOCK_SHIFT) / cs->freq_hz;
	page->base_cycles = cs->read();
	set_offsets_locked((s64)(arch_rtc_seconds() * NSEC_PER_SEC));
	page_change_end(flags);
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

void clock_set_rate(s64 scaled_ppm)
{
	s64 part = scaled_ppm * (1LL << (CLOCK_SHIFT - 16)) / 1000000; /* of 2^CLOCK_SHIFT */
	u64 flags = page_change_begin();

	rebase();
	page->mult = page->raw_mult + (u64)((__int128)(s64)page->raw_mult * part >> CLOCK_SHIFT);
	page_change_end(flags);
}

/* Sleepers on real time look at the clock again. */
static void realtime_changed(void)
{
	__atomic_fetch_add(&realtime_sets, 1, __ATOMIC_SEQ_CST);
	wake_up_all(&realtime_set_wait);
	clock_timers_follow();
	timerfds_clock_set();
}

void clock_set_tai_offset(s32 seconds)
{
	u64 flags = page_change_begin();

	tai_offset_s = seconds;
	set_offsets_locked(page->offset_ns[CLOCK_REALTIME]);
	page_change_end(flags);
	realtime_changed();
}

s32 clock_tai_offset(void)
{
	return READ_ONCE(tai_offset_s);
}

void clock_set_realtime(u64 ns)
{
	s64 offset = (s64)(ns - clock_monotonic());
	u64 flags = page_change_begin();

	set_offsets_locked(offset);
	page_change_end(flags);
	realtime_changed();
}

u64 clock_to_monotonic(u32 id, u64 ns)
{
	s64 offset = clock_offset(id);

	if (offset > 0 && ns < (u64)offset)
		return 0;
	return ns - (u64)offset;
}

int clock_sleep_until(u32 id, u64 deadline_ns)
{
	bool realtime = id == CLOCK_REALTIME || id == CLOCK_TAI;

	for (;;) {
		u32 sets = __atomic_load_n(&realtime_sets, __ATOMIC_SEQ_CST);
		u64 until = clock_to_monotonic(id, deadline_ns);
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
