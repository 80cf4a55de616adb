/* Numbers that follow from a state: the same state, the same numbers. */
#pragma once

#include <stdint.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline u64 mix(u64 z)
{
	z += 0x9e3779b97f4a7c15;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static inline u64 rnd64(u64 *state)
{
	return mix((*state)++);
}

static inline u32 rnd(u64 *state, u32 n)
{
	return (u32)(rnd64(state) >> 20) % n;
}
