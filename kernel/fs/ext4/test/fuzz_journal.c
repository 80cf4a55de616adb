/*
 * libFuzzer target: the journal's super block, descriptor blocks with their tags, revoke records.
 * links: fs/ext4/check.c fs/ext4/check_names.c fs/ext4/csum.c fs/ext4/jformat.c
 */
#include "fuzz.h"
#include "../jformat.h"

static void fuzz_block(const struct ext4_geometry *unused, u8 *block, u8 features)
{
	struct jbd_super s = {.h = {be32(JBD_MAGIC), be32(JBD_SUPER_V2), 0},
			      .block_size = be32(FUZZ_BLOCK_SIZE),
			      .max_len = be32(1024),
			      .first = be32(1),
			      .feature_incompat = be32(features & JBD_INCOMPAT_SUPPORTED),
			      .checksum_type = JBD_CHECKSUM_CRC32C};
	struct jbd_geometry g;
	struct jbd_tags t;
	struct jbd_tag_info ti;
	bool corrupt;
	u64 home;

	if (jbd_check_super((void *)block, FUZZ_BLOCK_SIZE, 1024, &g))
		jbd_seal_super(&s);
	if (jbd_check_super(&s, FUZZ_BLOCK_SIZE, 1024, &g))
		return;
	(void)!jbd_block_type(&g, block, be32(((u32 *)block)[2]), &corrupt);
	jbd_tags_begin(&t, &g, block);
	while (jbd_tags_next(&t, &ti))
		(void)!jbd_data_ok(&g, &ti, 1, block);
	for (u32 n = 0; jbd_revoke_record(&g, block, n, &home); n++)
		;
}
