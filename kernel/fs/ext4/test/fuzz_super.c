/*
 * libFuzzer target: super blocks and group descriptors, and what follows from accepted ones.
 * links: fs/ext4/check.c fs/ext4/check_names.c fs/ext4/csum.c
 */
#include "fuzz.h"

static void fuzz_block(const struct ext4_geometry *unused, u8 *block, u8 features)
{
	struct ext4_super *s = (void *)block;
	struct ext4_geometry g;
	struct ext4_group_info gi;
	u8 raw[64] = {0};
	u32 unsupported;

	s->magic = EXT4_MAGIC;
	s->checksum = ext4_crc32c(~0u, s, offsetof(struct ext4_super, checksum));
	if (ext4_check_super(s, &g, &unsupported))
		return;
	memcpy(raw, block + 512, sizeof(raw));
	for (u32 i = 0; i < MIN(g.groups, 4u); i++)
		if (!ext4_check_desc(&g, i, raw, &gi))
			ext4_desc_store(&g, i, raw, &gi);
	(void)ext4_group_overhead(&g, g.groups - 1);
	(void)ext4_desc_block(&g, g.desc_blocks - 1);
	(void)ext4_group_blocks(&g, g.groups - 1);
}
