/*
 * The page of time: what turns a counter's value into the time of every clock. The kernel's own
 * readers and the vDSO, to which it is mapped read-only, use the same words, so both tell the same
 * time. It holds no address and nothing but time. Also included by the vDSO's code, in user mode.
 *
 *   since = counter - base_cycles, or 0 if that is negative (a CPU slightly behind)
 *   CLOCK_MONOTONIC     = base_ns + since * mult / 2^32
 *   CLOCK_MONOTONIC_RAW = raw_ns + since * raw_mult / 2^32
 *   clock id            = CLOCK_MONOTONIC + offset_ns[id]
 */
#pragma once

#include <lib/types.h>
#include <linux/time.h>

enum clock_counter {
	CLOCK_COUNTER_SYSCALL, /* user mode cannot read it: ask the kernel */
	CLOCK_COUNTER_RDTSCP,
	CLOCK_COUNTER_RDTSC,   /* a CPU without RDTSCP: LFENCE, RDTSC */
	CLOCK_COUNTER_PVCLOCK, /* KVM's, on the page before this one */
};

#define CLOCK_PAGE_IDS 12
#define CLOCK_SHIFT    32
/* The step of the COARSE clocks and of inode times. */
#define CLOCK_COARSE_NS 4000000ULL

struct clock_page {
	u32 seq;               /* odd: changing; a reader starts over when it has changed */
	u32 counter;           /* enum clock_counter */
	u64 base_cycles;
	u64 base_ns, mult;
	u64 raw_ns, raw_mult;
	s64 offset_ns[CLOCK_PAGE_IDS];
	/* Not under seq; torn-free. */
	struct timezone timezone;
	u32 has_rdpid;         /* the CPUs' numbers can be read with RDPID */
};

/* Fixed clock ids as bit masks. */
#define CLOCKS_FINE   (BIT(CLOCK_REALTIME) | BIT(CLOCK_MONOTONIC) | BIT(CLOCK_BOOTTIME) | BIT(CLOCK_TAI))
#define CLOCKS_COARSE (BIT(CLOCK_REALTIME_COARSE) | BIT(CLOCK_MONOTONIC_COARSE))
#define CLOCKS_RAW    BIT(CLOCK_MONOTONIC_RAW)
