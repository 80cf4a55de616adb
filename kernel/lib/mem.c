/*
 * Memory routines in portable C: word by word where both sides allow it. A port may bring faster
 * ones of the same names; these are weak. Any context, no locks. The loops must not be turned back
 * into calls of the very functions they implement, hence the pragma (Clang keeps loops as they are
 * in a freestanding build).
 */
#include <lib/string.h>

#undef memcpy
#undef memmove
#undef memset
#undef memcmp

#ifndef __clang__
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

/* x86 and arm64 both load and store unaligned words at full speed. */
struct word {
	u64 v;
} __packed __attribute__((may_alias));

static u64 word_load(const void *p)
{
	return ((const struct word *)p)->v;
}

static void word_store(void *p, u64 v)
{
	((struct word *)p)->v = v;
}

static void *copy_forward(void *dst, const void *src, size_t n)
{
	u8 *d = dst;
	const u8 *s = src;

	for (; n >= 8; n -= 8, d += 8, s += 8)
		word_store(d, word_load(s));
	for (; n; n--)
		*d++ = *s++;
	return dst;
}

static void *copy_backward(void *dst, const void *src, size_t n)
{
	u8 *d = (u8 *)dst + n;
	const u8 *s = (const u8 *)src + n;

	for (; n >= 8; n -= 8)
		word_store(d -= 8, word_load(s -= 8));
	for (; n; n--)
		*--d = *--s;
	return dst;
}

__weak void *memcpy(void *dst, const void *src, size_t n)
{
	return copy_forward(dst, src, n);
}

/* Copying forward is right whenever dst does not lie inside [src, src + n). */
__weak void *memmove(void *dst, const void *src, size_t n)
{
	if ((uptr)dst - (uptr)src >= n)
		return copy_forward(dst, src, n);
	return copy_backward(dst, src, n);
}

__weak void *memset(void *dst, int c, size_t n)
{
	u64 pattern = (u8)c * 0x0101010101010101ULL;
	u8 *d = dst;

	for (; n >= 8; n -= 8, d += 8)
		word_store(d, pattern);
	for (; n; n--)
		*d++ = (u8)c;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (; n >= 8 && word_load(x) == word_load(y); n -= 8)
		x += 8, y += 8;
	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}
