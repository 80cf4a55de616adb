/* What every host test includes first, and control over the stand-ins of lib/env.h. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <lib/types.h>

/* lib_alloc fails once this many more allocations have succeeded; negative: never. */
extern long host_allocs_left;
/* Allocations that have not been freed. */
extern long host_allocs_live;

/* A repeatable pseudo-random sequence. */
u64 host_random(u64 *state);
