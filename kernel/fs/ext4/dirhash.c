/*
 * The hashes of indexed directories: a cut-down MD4, TEA, and the first version's own. They decide
 * where names lie on the disk and in which order directories are read. Pure; also built on the host.
 */
#include <lib/string.h>
#include "dirhash.h"
#include "format.h"

#define END_OF_DIR 0x7fffffffu /* a position; no name may have it */

static u32 rotate(u32 v, u32 by)
{
	return v << by | v >> (32 - by);
}

static u32 choose(u32 x, u32 y, u32 z)
{
	return z ^ (x & (y ^ z));
}

static u32 majority(u32 x, u32 y, u32 z)
{
	return (x & y) + ((x ^ y) & z);
}

static u32 parity(u32 x, u32 y, u32 z)
{
	return x ^ y ^ z;
}

struct md4_round {
	u32 (*mix)(u32, u32, u32);
	u32 constant;
	u8 order[8], shift[4];
};

static void half_md4(u32 state[4], const u32 in[8])
{
	static const struct md4_round rounds[3] = {
		{choose, 0, {0, 1, 2, 3, 4, 5, 6, 7}, {3, 7, 11, 19}},
		{majority, 0x5a827999, {1, 3, 5, 7, 0, 2, 4, 6}, {3, 5, 9, 13}},
		{parity, 0x6ed9eba1, {3, 7, 2, 6, 1, 5, 0, 4}, {3, 9, 11, 15}},
	};
	u32 a = state[0], b = state[1], c = state[2], d = state[3];

	for (u32 r = 0; r < 3; r++)
		for (u32 i = 0; i < 8; i++) {
			u32 v = a + rounds[r].mix(b, c, d) + in[rounds[r].order[i]] +
				rounds[r].constant;

			a = d;
			d = c;
			c = b;
			b = rotate(v, rounds[r].shift[i % 4]);
		}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
}

static void tea(u32 state[4], const u32 in[4])
{
	u32 sum = 0, x = state[0], y = state[1];

	for (u32 i = 0; i < 16; i++) {
		sum += 0x9e3779b9;
		x += ((y << 4) + in[0]) ^ (y + sum) ^ ((y >> 5) + in[1]);
		y += ((x << 4) + in[2]) ^ (x + sum) ^ ((x >> 5) + in[3]);
	}
	state[0] += x;
	state[1] += y;
}

/* The i-th character as the version sees it. */
static u32 character(const char *name, u32 i, bool is_unsigned)
{
	return is_unsigned ? (u32)(u8)name[i] : (u32)(s32)(s8)name[i];
}

static u32 legacy(const char *name, u32 len, bool is_unsigned)
{
	u32 h0 = 0x12a3fe2d, h1 = 0x37abe8f9;

	for (u32 i = 0; i < len; i++) {
		u32 h = h1 + (h0 ^ (character(name, i, is_unsigned) * 7152373u));

		if (h & 0x80000000u)
			h -= 0x7fffffff;
		h1 = h0;
		h0 = h;
	}
	return h0 << 1;
}

/* Packs up to 4 * nr characters into nr words; what is missing is filled with the length. */
static void pack(const char *name, u32 len, bool is_unsigned, u32 *words, u32 nr)
{
	u32 pad = (len | len << 8) * 0x10001u, v = pad, used = MIN(len, 4 * nr), at = 0;

	for (u32 i = 0; i < used; i++) {
		v = character(name, i, is_unsigned) + (v << 8);
		if (i % 4 == 3) {
			words[at++] = v;
			v = pad;
		}
	}
	if (at < nr)
		words[at++] = v;
	while (at < nr)
		words[at++] = pad;
}

static void digest(const char *name, u32 len, bool is_unsigned, u32 words, u32 state[4])
{
	u32 in[8];

	for (u32 at = 0; at < len; at += 4 * words) {
		pack(name + at, len - at, is_unsigned, in, words);
		if (words == 8)
			half_md4(state, in);
		else
			tea(state, in);
	}
}

bool ext4_dirhash(const char *name, u32 len, u32 version, const u32 seed[4], struct ext4_hash *out)
{
	u32 state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
	bool is_unsigned = version >= DX_HASH_UNSIGNED;

	if (seed[0] | seed[1] | seed[2] | seed[3])
		memcpy(state, seed, sizeof(state));
	out->minor = 0;
	switch (is_unsigned ? version - DX_HASH_UNSIGNED : version) {
	case DX_HASH_LEGACY:
		out->major = legacy(name, len, is_unsigned);
		break;
	case DX_HASH_HALF_MD4:
		digest(name, len, is_unsigned, 8, state);
		out->major = state[1];
		out->minor = state[2];
		break;
	case DX_HASH_TEA:
		digest(name, len, is_unsigned, 4, state);
		out->major = state[0];
		out->minor = state[1];
		break;
	default:
		return false;
	}
	out->major &= ~1u;
	if (out->major == END_OF_DIR << 1)
		out->major = (END_OF_DIR - 1) << 1;
	return true;
}
