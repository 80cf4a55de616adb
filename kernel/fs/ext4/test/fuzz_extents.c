/*
 * libFuzzer target: nodes of extent trees. What the check accepts must hold what it promises.
 * links: fs/ext4/check.c fs/ext4/check_names.c fs/ext4/csum.c
 */
#include "fuzz.h"

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void fuzz_block(const struct ext4_geometry *g, u8 *block, u8 features)
{
	const struct ext4_extent_header *h = (void *)block;
	const struct ext4_extent *e = (void *)(h + 1);
	const struct ext4_extent_idx *x = (void *)(h + 1);
	u64 next = 0;

	if (ext4_check_extents(g, block, FUZZ_BLOCK_SIZE, -1))
		return;
	if (h->max == (FUZZ_BLOCK_SIZE - sizeof(*h)) / sizeof(*e))
		*ext4_extent_tail(block) = 0;
	for (u32 i = 0; i < h->entries; i++) {
		must(i == 0 || (h->depth ? x[i].block : e[i].block) >= next);
		if (h->depth) {
			must(ext4_blocks_valid(g, ext4_idx_leaf(&x[i]), 1));
			next = (u64)x[i].block + 1;
		} else {
			must(ext4_extent_len(&e[i]) &&
			     ext4_blocks_valid(g, ext4_extent_start(&e[i]),
					       ext4_extent_len(&e[i])));
			next = (u64)e[i].block + ext4_extent_len(&e[i]);
			must(next <= 1ull << 32);
		}
	}
}
