/*
 * What the programs here that measure files and disks share: the clock, and transfers over an area.
 *
 * With use_cpu_clock the clock is the processor time of the process. Under `gatehouse run --icount` that
 * is the instructions of its own calls: waiting for the host's disk is not in it, and neither is what
 * interrupts and other threads do while it waits.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int use_cpu_clock;

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(use_cpu_clock ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static inline void tell(const char *name, uint64_t ns)
{
	printf("%s %llu\n", name, (unsigned long long)ns);
	fflush(stdout);
}

/* n reads or writes of `size` bytes over an area from the file's beginning. */
struct transfer {
	const char *name;
	int fd;
	uint32_t area, size, n;
	int write, random, sync; /* sync: the time includes an fsync at the end */
};

/* The i-th place: in order, or strewn by a step that visits each once. */
static inline off_t place(const struct transfer *t, uint32_t i)
{
	uint32_t places = t->area / t->size;

	return (off_t)(t->random ? i * 7919u % places : i % places) * t->size;
}

/* The time of one. */
static inline uint64_t transfer_time(const struct transfer *t, char *buffer)
{
	uint64_t start = now_ns();

	for (uint32_t i = 0; i < t->n; i++) {
		ssize_t got = t->write ? pwrite(t->fd, buffer, t->size, place(t, i))
				       : pread(t->fd, buffer, t->size, place(t, i));

		must(got == (ssize_t)t->size, t->name);
	}
	if (t->sync)
		must(fsync(t->fd) == 0, "fsync");
	return (now_ns() - start) / t->n;
}

#define PASSES 5

static inline int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/*
 * O_DIRECT on an open file. Each call is one request, most of which is the host's work, and the host has
 * good and bad moments: five passes over all four, of which the medians are told.
 */
static inline void direct_transfers(int fd, uint32_t area, char *buffer)
{
	const struct transfer t[] = {
		{"direct-read-64k", fd, area, 65536, 512, 0, 0, 0},
		{"direct-read-4k-random", fd, area, 4096, 1024, 0, 1, 0},
		{"direct-write-64k", fd, area, 65536, 512, 1, 0, 0},
		{"direct-write-4k-random", fd, area, 4096, 1024, 1, 1, 0},
	};
	uint64_t times[4][PASSES];

	for (int pass = 0; pass < PASSES; pass++)
		for (int kind = 0; kind < 4; kind++)
			times[kind][pass] = transfer_time(&t[kind], buffer);
	for (int kind = 0; kind < 4; kind++) {
		qsort(times[kind], PASSES, sizeof(times[kind][0]), by_size);
		tell(t[kind].name, times[kind][PASSES / 2]);
	}
}
