/*
 * Under TCG the guest's time-stamp counter is the host's own; under -icount it counts nanoseconds.
 *
 * Linux measures the counter against the PIT while it boots. An emulated PIT on a busy host gives
 * no usable answer, and Linux on microvm, which has no second reference, then hangs. Telling it the
 * frequency makes its boot reliable.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <time.h>

#include "tsc.h"

#define SAMPLE_NS 4000000ull

#ifdef __x86_64__
#include <x86intrin.h>

struct sample {
	uint64_t tsc;
	uint64_t ns;
};

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Both clocks at one instant: of some tries the one with the least time in between. */
static struct sample take_sample(void)
{
	struct sample best = {0};
	uint64_t best_gap = UINT64_MAX;

	for (int tries = 0; tries < 16; tries++) {
		uint64_t before = monotonic_ns();
		uint64_t tsc = __rdtsc();
		uint64_t gap = monotonic_ns() - before;
		if (gap < best_gap) {
			best_gap = gap;
			best = (struct sample){.tsc = tsc, .ns = before + gap / 2};
		}
	}
	return best;
}

static unsigned long host_khz(void)
{
	struct timespec pause = {.tv_nsec = SAMPLE_NS};
	struct sample first = take_sample();

	nanosleep(&pause, NULL);
	struct sample last = take_sample();
	return (unsigned long)((double)(last.tsc - first.tsc) * 1e6 / (double)(last.ns - first.ns));
}
#else
static unsigned long host_khz(void)
{
	return 0;
}
#endif

unsigned long tsc_guest_khz(const struct run_options *options)
{
	return options->icount ? 1000000 : host_khz();
}
