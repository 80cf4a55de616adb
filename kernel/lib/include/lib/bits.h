/* Bit scans and bitmaps of u64 words. set/clear/test are atomic, the _plain ones are not. */
#pragma once

#include <lib/types.h>

#define BITS_TO_WORDS(n) DIV_ROUND_UP(n, 64)

static inline unsigned int bit_lowest(u64 v) /* v != 0 */
{
	return __builtin_ctzll(v);
}

static inline unsigned int bit_highest(u64 v) /* v != 0 */
{
	return 63 - __builtin_clzll(v);
}

/* Number of set bits; the compiler's builtin would call a run-time library. */
static inline unsigned int bit_count(u64 v)
{
	v -= v >> 1 & 0x5555555555555555ULL;
	v = (v & 0x3333333333333333ULL) + (v >> 2 & 0x3333333333333333ULL);
	v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (v * 0x0101010101010101ULL) >> 56;
}

static inline unsigned int log2_floor(u64 v)
{
	return bit_highest(v);
}

static inline unsigned int log2_ceil(u64 v)
{
	return v <= 1 ? 0 : bit_highest(v - 1) + 1;
}

static inline bool bitmap_test(const u64 *map, u64 n)
{
	return READ_ONCE(map[n / 64]) & BIT(n % 64);
}

static inline void bitmap_set(u64 *map, u64 n)
{
	__atomic_fetch_or(&map[n / 64], BIT(n % 64), __ATOMIC_RELAXED);
}

static inline void bitmap_clear(u64 *map, u64 n)
{
	__atomic_fetch_and(&map[n / 64], ~BIT(n % 64), __ATOMIC_RELAXED);
}

static inline void bitmap_set_plain(u64 *map, u64 n)
{
	map[n / 64] |= BIT(n % 64);
}

static inline void bitmap_clear_plain(u64 *map, u64 n)
{
	map[n / 64] &= ~BIT(n % 64);
}

/* The first set (clear) bit at or after from, or `size` when there is none. */
u64 bitmap_next_set(const u64 *map, u64 size, u64 from);
u64 bitmap_next_clear(const u64 *map, u64 size, u64 from);

/* Bits [first, first + nr); not atomic. */
void bitmap_set_range(u64 *map, u64 first, u64 nr);
void bitmap_clear_range(u64 *map, u64 first, u64 nr);
static inline bool bitmap_all_set(const u64 *map, u64 first, u64 nr)
{
	return bitmap_next_clear(map, first + nr, first) == first + nr;
}
static inline bool bitmap_all_clear(const u64 *map, u64 first, u64 nr)
{
	return bitmap_next_set(map, first + nr, first) == first + nr;
}
