/* The kernel's clocks, in nanoseconds. All reads are lock-free and work in any context. */
#pragma once

#include <lib/types.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <time/clock_page.h>

struct timespec64 {
	s64 tv_sec;
	s64 tv_nsec;
};

/* A hardware counter: ns = (cycles - base) * mult >> shift. Registered during boot. */
struct clocksource {
	const char *name;
	u32 rating;              /* higher wins: kvmclock 400, tsc 300 (stable), hpet 200, pit/pm 100 */
	u64 mask;                /* counter width: all ones below a power of two */
	u64 freq_hz;
	u64 (*read)(void);       /* any context, any CPU */
	enum clock_counter user; /* how user mode reads it */
};
void clocksource_register(struct clocksource *cs);
/* Picks the best source and starts time at zero. After arch_clocks_init. */
void clock_init(void);

u64 clock_monotonic(void);       /* since boot */
u64 clock_monotonic_raw(void);   /* the same, but never slewed */
u64 clock_realtime(void);        /* since 1970 */
s64 clock_realtime_offset(void); /* realtime - monotonic */
void clock_set_realtime(u64 ns); /* settimeofday, clock_settime: wakes timers on CLOCK_REALTIME */
/* Coarse seconds for inode times: current real time, cut to the clock tick as Linux does. */
struct timespec64 clock_inode_time(void);

/* The page of time, alone on a page of the image: for mapping it into processes. */
extern struct clock_page *const clock_user_page;

/* Clock id (fixed, < CLOCK_PAGE_IDS, not RAW) minus CLOCK_MONOTONIC; and the monotonic time at which
 * it will show ns, if nobody sets it. */
s64 clock_offset(u32 id);
u64 clock_to_monotonic(u32 id, u64 ns);

/*
 * Sleeps (interruptible) until the absolute time on the clock (as above), obeying every setting of
 * it meanwhile. 0 or -ERESTARTSYS. Process context.
 */
int clock_sleep_until(u32 id, u64 deadline_ns) __must_check;
/* The current source's name, for /sys and the boot log. */
const char *clock_source_name(void);

static inline struct timespec64 ns_to_timespec(u64 ns)
{
	return (struct timespec64){(s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC)};
}

/* tv_nsec in range and tv_sec not negative. */
static inline bool timespec_valid(const struct timespec64 *ts)
{
	return ts->tv_sec >= 0 && (u64)ts->tv_nsec < NSEC_PER_SEC;
}

/* Saturates at S64_MAX nanoseconds, as Linux's ktime does. */
static inline u64 timespec_to_ns(const struct timespec64 *ts)
{
	if ((u64)ts->tv_sec >= (u64)S64_MAX / NSEC_PER_SEC)
		return S64_MAX;
	return (u64)ts->tv_sec * NSEC_PER_SEC + (u64)ts->tv_nsec;
}

/* Busy-waits. Any context, after clock_init (before: spins on the arch counter, rough). */
void udelay(u32 us);
