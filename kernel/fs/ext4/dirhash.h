/* The hashes of indexed directories. Pure; also built on the host. */
#pragma once

#include <lib/types.h>

struct ext4_hash {
	u32 major, minor;
};

/*
 * version: DX_HASH_*, with DX_HASH_UNSIGNED added for unsigned characters; seed: 4 words of the super
 * block. False: the version is unknown.
 */
bool ext4_dirhash(const char *name, u32 len, u32 version, const u32 seed[4], struct ext4_hash *out)
	__must_check;
