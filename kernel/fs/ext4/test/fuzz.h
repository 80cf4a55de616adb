/*
 * What ext4's fuzz targets share: one structure each, an hour of one is an hour of that structure.
 * The first byte of an input chooses features, the rest fills a block that is allocated in exactly
 * its size, so that ASan sees one byte too many. Targets set checksums right, so that they do not
 * keep the fuzzer out.
 */
#pragma once
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../check.h"
#include "../csum.h"

enum { FUZZ_BLOCK_SIZE = 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The target's own: reads @block as its structure; it may write to it. */
static void fuzz_block(const struct ext4_geometry *g, u8 *block, u8 features);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct ext4_geometry g = {.block_size = FUZZ_BLOCK_SIZE,
				  .block_bits = 10,
				  .blocks = 1u << 20,
				  .inodes = 1u << 16,
				  .inode_size = 256,
				  .first_ino = 11,
				  .inodes_per_group = 8192};
	u8 *block;

	if (size < 1)
		return 0;
	if (!ready)
		ext4_csum_init();
	ready = true;
	block = calloc(1, FUZZ_BLOCK_SIZE);
	memcpy(block, data + 1, MIN(size - 1, (size_t)FUZZ_BLOCK_SIZE));
	g.metadata_csum = data[0] & 1;
	g.extents = g.filetype = data[0] & 2;
	fuzz_block(&g, block, data[0]);
	free(block);
	return 0;
}
