/*
 * In-kernel tests, in every flavour but release: `ktest` on the kernel command line runs them all
 * before the first process, logs one line per case and `N passed, N failed`, and powers off.
 * A test runs in a kernel thread and may sleep.
 */
#pragma once

#include <lib/log.h>

struct ktest {
	const char *name;
	void (*fn)(void);
};

/* KTEST(buddy_merges_neighbours) { … EXPECT(cond); … } */
#define KTEST(name_)                                                                               \
	static void ktest_##name_(void);                                                           \
	static const struct ktest ktest_entry_##name_ __section(".ktests")                         \
		__aligned(8) = {.name = #name_, .fn = ktest_##name_};                              \
	static void ktest_##name_(void)

/* Records the failure and goes on. */
#define EXPECT(cond)                                                                               \
	do {                                                                                       \
		if (!(cond))                                                                       \
			ktest_fail(__FILE__, __LINE__, #cond);                                     \
	} while (0)

void ktest_fail(const char *file, int line, const char *what);
/* Runs all cases; the number that failed. */
unsigned int ktest_run_all(void);
