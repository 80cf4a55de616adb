/* Hashes for in-kernel tables. Not for anything that an attacker may choose unless keyed. */
#pragma once

#include <lib/types.h>

static inline u32 hash_u64(u64 v, unsigned int bits)
{
	return (u32)((v * 0x9e3779b97f4a7c15ULL) >> (64 - bits));
}

/* Keyed hash of a byte string (SipHash-1-3 class strength): for path names and futex-like keys. */
u64 hash_bytes(const void *data, size_t len, const u64 key[2]);
