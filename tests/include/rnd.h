/* Random numbers that a seed repeats (xorshift): for the models' choices, not for secrets. */
#pragma once

#include "test.h"

static u64 seed; /* not 0 */

static u32 rnd(u32 n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u32)(seed >> 11) % n;
}
