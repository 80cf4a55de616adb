/*
 * libFuzzer target: blocks of extended attributes, every value read.
 * links: fs/ext4/check.c fs/ext4/check_names.c fs/ext4/csum.c
 */
#include "fuzz.h"

static void fuzz_block(const struct ext4_geometry *g, u8 *block, u8 features)
{
	const struct ext4_xattr_header *h = (void *)block;
	const struct ext4_xattr_entry *e;
	u8 sum = 0;

	ext4_xattr_block_seal(g, 5, block);
	if (ext4_check_xattr_block(g, 5, block))
		return;
	for (e = (const void *)(h + 1); !ext4_xattr_last(e); e = ext4_xattr_next(e))
		for (u32 i = 0; i < e->value_size; i++)
			sum ^= block[e->value_offs + i];
	block[0] = sum; /* so that the reads stay */
}
