/* Bitmap scans, one word at a time. Any context; the caller orders them against changes. */
#include <lib/bits.h>

/* `invert` is all ones to search for clear bits. */
static u64 next_bit(const u64 *map, u64 size, u64 from, u64 invert)
{
	if (from >= size)
		return size;

	u64 i = from / 64;
	u64 word = (READ_ONCE(map[i]) ^ invert) & (~0ULL << (from % 64));

	while (!word) {
		if (++i * 64 >= size)
			return size;
		word = READ_ONCE(map[i]) ^ invert;
	}
	return MIN(i * 64 + bit_lowest(word), size);
}

u64 bitmap_next_set(const u64 *map, u64 size, u64 from)
{
	return next_bit(map, size, from, 0);
}

u64 bitmap_next_clear(const u64 *map, u64 size, u64 from)
{
	return next_bit(map, size, from, ~0ULL);
}

/* Of a word: the bits of [first, first + nr) that lie in the word of `first`; their number in *n. */
static u64 part_of_word(u64 first, u64 nr, u64 *n)
{
	*n = MIN(nr, 64 - first % 64);
	return (~0ULL >> (64 - *n)) << (first % 64);
}

void bitmap_set_range(u64 *map, u64 first, u64 nr)
{
	for (u64 n; nr; first += n, nr -= n)
		map[first / 64] |= part_of_word(first, nr, &n);
}

void bitmap_clear_range(u64 *map, u64 first, u64 nr)
{
	for (u64 n; nr; first += n, nr -= n)
		map[first / 64] &= ~part_of_word(first, nr, &n);
}
