/*
 * libFuzzer target: inodes, the root of an extent tree and the attributes in them included.
 * links: fs/ext4/check.c fs/ext4/check_names.c fs/ext4/csum.c
 */
#include "fuzz.h"

static void fuzz_block(const struct ext4_geometry *g, u8 *block, u8 features)
{
	struct ext4_inode *raw = malloc(g->inode_size);
	const u8 *base, *end = (u8 *)raw + g->inode_size;

	memcpy(raw, block, g->inode_size);
	ext4_inode_seal(g, 12, raw);
	if (!ext4_check_inode(g, 12, raw)) {
		(void)!ext4_check_extents(g, raw->block, sizeof(raw->block), -1);
		base = (u8 *)raw + ext4_inode_fixed_size(g, raw) +
		       sizeof(u32); /* behind the magic number */
		if (base <= end)
			(void)!ext4_check_xattrs(base, base, end);
	}
	free(raw);
}
