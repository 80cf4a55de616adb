/*
 * File names by words.
 *
 * A word is folded in by multiplying it, combined with what came before, with a secret 64-bit number
 * and adding (exclusively) both halves of the product: every bit of it depends on every bit of the
 * word. The last word holds the remaining bytes, zeros above them; names contain no NUL, so names
 * of different lengths differ in it.
 *
 * Scanning loads words that may reach beyond the terminator. An unaligned word that stays within the
 * page of its first byte cannot fault; a name that comes too close to the end of a page is taken byte
 * by byte.
 */
#include <lib/name_hash.h>
#include <lib/string.h>

#define ONES  0x0101010101010101ULL
#define HIGHS 0x8080808080808080ULL
#define SLASHES (ONES * '/')
#define SCAN_PAGE 4096
#define WORD sizeof(u64)

static __always_inline u64 fold(u64 hash, u64 word, const u64 key[2])
{
	unsigned __int128 product = (unsigned __int128)(hash ^ word) * key[1];

	return (u64)product ^ (u64)(product >> 64);
}

static __always_inline u32 finish(u64 hash)
{
	return (u32)(hash ^ hash >> 32);
}

/* The high bit of each byte that is 0; above the lowest one, bits may be set too many. */
static __always_inline u64 zero_bytes(u64 w)
{
	return (w - ONES) & ~w & HIGHS;
}

u32 name_hash(const char *name, size_t len, const u64 key[2])
{
	u64 hash = key[0], tail = 0;

	for (; len >= WORD; len -= WORD, name += WORD)
		hash = fold(hash, name_word(name), key);
	for (size_t i = 0; i < len; i++)
		tail |= (u64)(u8)name[i] << (8 * i);
	return finish(fold(hash, tail, key));
}

/* For a name that may end where its page does. */
static __noinline struct name_span scan_bytes(const char *s, const u64 key[2])
{
	u32 len = 0;

	while (s[len] && s[len] != '/')
		len++;
	return (struct name_span){.len = len, .hash = name_hash(s, len, key)};
}

__no_sanitize_address struct name_span name_scan(const char *s, const u64 key[2])
{
	const char *p = s;
	u64 hash = key[0], word, ends;

	for (;; p += WORD) {
		if (unlikely((uptr)p % SCAN_PAGE > SCAN_PAGE - WORD))
			return scan_bytes(s, key);
		__builtin_memcpy(&word, p, WORD);
		ends = zero_bytes(word) | zero_bytes(word ^ SLASHES);
		if (ends)
			break;
		hash = fold(hash, word, key);
	}
	word &= (ends ^ (ends - 1)) >> 8; /* the bytes below the lowest end */
	hash = fold(hash, word, key);
	return (struct name_span){
		.len = (u32)(p - s) + (u32)__builtin_ctzll(ends) / 8,
		.hash = finish(hash),
	};
}
