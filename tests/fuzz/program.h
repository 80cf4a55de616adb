/*
 * Programs: short sequences of calls. An argument is named by a seed of its own, so a change in one
 * leaves the others alone. As text, one line each:
 *
 *     THREADS CALL[!NTH][:SEED…] …       "2 openat:1f:c03:9:0 read!3:77:2:4"
 *
 * NTH: the NTH allocation or user copy in the call fails (debug flavours; /proc/PID/fail-nth).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "grammar.h"
#include "random.h"

enum { CALLS_MAX = 24, THREADS_MAX = 3, TEXT_MAX = 4096 };

struct step {
	const struct call *call;
	u32 seeds[6];
	u32 fail_nth; /* 0: nothing fails */
};

struct program {
	int nr_threads, nr_steps;
	struct step steps[CALLS_MAX];
};

void program_random(struct program *p, u64 *s);
/* A few changes; steps may come from other. */
void program_mutate(struct program *p, const struct program *other, u64 *s);
/* Leaves out the steps whose bits in mask are clear. */
void program_reduce(struct program *p, u32 mask);
/* The line, without its end; at most TEXT_MAX bytes with the NUL. */
void program_print(const struct program *p, char *text);
/* False: not a program, or one of calls that the table does not have. */
bool program_parse(struct program *p, const char *text);

/* child.c: runs p as an unprivileged user with tight limits in dir, the working directory; never returns. */
_Noreturn void program_run(const struct program *p, const char *dir);
