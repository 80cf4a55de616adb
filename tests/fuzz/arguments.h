/* The arguments of calls: the memory that they point to, and what flows from call to call. */
#pragma once

#include <stdbool.h>

#include "grammar.h"
#include "random.h"

enum { USER = 31337, PAGE = 4096, ARENA_PAGES = 16, POOL = 16 };

/*
 * Pages 0 to 7 are private, 8 to 11 shared, 12 is read-only, 13 a file's, 14 has no access, and behind page 15
 * there is nothing. All threads use them, and the scribbler changes them.
 */
extern u8 *arena;

/* The last values of a kind that calls gave, for later calls. */
struct pool {
	u64 value[POOL];
	u32 next;
};
extern struct pool fds, pids, ids, addresses;

void pool_add(struct pool *p, u64 v);

/* Numbers at the edges of things. */
u64 interesting(u64 *s);
u64 arena_address(u64 *s);
/* A value for an argument of this kind; may write what it points to. */
u64 argument(u64 *s, const struct arg *a);
