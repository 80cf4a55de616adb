/*
 * The hash of file names, a word at a time. Keyed: who does not know the key cannot choose names
 * that fall together. The value depends on the name's bytes and length alone, not on where it lies.
 */
#pragma once

#include <lib/compiler.h>
#include <lib/types.h>

struct name_span {
	u32 len, hash;
};

/* The component at s, up to '/' or NUL. Reads whole words, but within the pages that s touches. */
struct name_span name_scan(const char *s, const u64 key[2]);
/* The hash of a name of known length, which need not be terminated. */
u32 name_hash(const char *name, size_t len, const u64 key[2]);

static __always_inline u64 name_word(const char *p)
{
	u64 w;

	__builtin_memcpy(&w, p, sizeof(w));
	return w;
}

static __always_inline u32 name_half_word(const char *p)
{
	u32 w;

	__builtin_memcpy(&w, p, sizeof(w));
	return w;
}

/* The same words of a text that may change meanwhile: READ_ONCE, but of what need not be aligned. */
static __always_inline u64 name_word_once(const char *p)
{
	struct __packed word {
		u64 w;
	};

	return ((const volatile struct word *)p)->w;
}

static __always_inline u32 name_half_word_once(const char *p)
{
	struct __packed word {
		u32 w;
	};

	return ((const volatile struct word *)p)->w;
}

/*
 * Are these bytes equal? Reads no more than them; the last word overlaps the one before. The first text
 * may change meanwhile, as a cached name does in a rename: the caller can tell and ignores the
 * answer then.
 */
static inline bool name_equal(const char *a, const char *b, size_t len)
{
	size_t at = 0;

	if (len >= 8) {
		for (; at + 8 < len; at += 8)
			if (name_word_once(a + at) != name_word(b + at))
				return false;
		return name_word_once(a + len - 8) == name_word(b + len - 8);
	}
	if (len >= 4)
		return name_half_word_once(a) == name_half_word(b) &&
		       name_half_word_once(a + len - 4) == name_half_word(b + len - 4);
	for (; at < len; at++)
		if (READ_ONCE(a[at]) != b[at])
			return false;
	return true;
}
