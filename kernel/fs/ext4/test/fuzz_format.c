/*
 * libFuzzer target: whatever an image holds, the readers of its structures stay in their blocks. The
 * first byte chooses the structure, the second features; checksums are set right, so that they do not
 * keep the fuzzer out.
 * links: fs/ext4/check.c fs/ext4/check_names.c fs/ext4/csum.c fs/ext4/dirhash.c fs/ext4/jformat.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../check.h"
#include "../csum.h"
#include "../dirhash.h"
#include "../jformat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_super(void *block)
{
	struct ext4_super *s = block;
	struct ext4_geometry g;
	struct ext4_group_info gi;
	u8 raw[64] = {0};
	u32 unsupported;

	s->magic = EXT4_MAGIC;
	s->checksum = ext4_crc32c(~0u, s, offsetof(struct ext4_super, checksum));
	if (ext4_check_super(s, &g, &unsupported))
		return;
	memcpy(raw, (u8 *)block + 512, sizeof(raw));
	for (u32 i = 0; i < MIN(g.groups, 4u); i++)
		if (!ext4_check_desc(&g, i, raw, &gi))
			ext4_desc_store(&g, i, raw, &gi);
	(void)ext4_group_overhead(&g, g.groups - 1);
	(void)ext4_desc_block(&g, g.desc_blocks - 1);
	(void)ext4_group_blocks(&g, g.groups - 1);
}

static void fuzz_dir(const struct ext4_geometry *g, u8 *block)
{
	u32 space = ext4_dir_space(g), at = 0;
	struct ext4_hash h;
	u32 seed[4] = {1, 2, 3, 4};

	if (!ext4_check_dir_block(g, block))
		while (at < space) {
			const struct ext4_dirent *e = ext4_dirent_at(g, block, space, at);

			if (!e)
				break;
			if (e->inode)
				(void)!ext4_dirhash(e->name, e->name_len, at % 6, seed, &h);
			at += e->rec_len;
		}
	for (u32 root = 0; root < 2; root++)
		if (!ext4_check_dx(g, block, root))
			ext4_dx_seal(g, 7, block, root);
}

static void fuzz_xattr(const struct ext4_geometry *g, u8 *block)
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

static void fuzz_journal(u8 *block, u32 incompat)
{
	struct jbd_super s = {.h = {be32(JBD_MAGIC), be32(JBD_SUPER_V2), 0}, .block_size = be32(1024),
			      .max_len = be32(1024), .first = be32(1),
			      .feature_incompat = be32(incompat & JBD_INCOMPAT_SUPPORTED),
			      .checksum_type = JBD_CHECKSUM_CRC32C};
	struct jbd_geometry g;
	struct jbd_tags t;
	struct jbd_tag_info ti;
	bool corrupt;
	u64 home;

	if (jbd_check_super((void *)block, 1024, 1024, &g))
		jbd_seal_super(&s);
	if (jbd_check_super(&s, 1024, 1024, &g))
		return;
	(void)!jbd_block_type(&g, block, be32(((u32 *)block)[2]), &corrupt);
	jbd_tags_begin(&t, &g, block);
	while (jbd_tags_next(&t, &ti))
		(void)!jbd_data_ok(&g, &ti, 1, block);
	for (u32 n = 0; jbd_revoke_record(&g, block, n, &home); n++)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ext4_geometry g = {.block_size = 1024, .block_bits = 10, .blocks = 1u << 20,
				  .inodes = 1u << 16, .inode_size = 256, .first_ino = 11,
				  .inodes_per_group = 8192};
	static bool ready;
	u8 *block; /* exactly its size, so that ASan sees one byte too many */

	if (size < 2)
		return 0;
	if (!ready)
		ext4_csum_init();
	ready = true;
	block = calloc(1, 1024);
	memcpy(block, data + 2, MIN(size - 2, (size_t)1024));
	g.metadata_csum = data[1] & 1;
	g.extents = g.filetype = data[1] & 2;
	switch (data[0] % 6) {
	case 0:
		fuzz_super(block);
		break;
	case 1:
		fuzz_dir(&g, block);
		break;
	case 2:
		fuzz_xattr(&g, block);
		break;
	case 3:
		fuzz_journal(block, data[1]);
		break;
	case 4:
		(void)!ext4_check_extents(&g, block, 1024, -1);
		break;
	default:
		ext4_inode_seal(&g, 12, block);
		if (!ext4_check_inode(&g, 12, (void *)block))
			(void)ext4_inode_fixed_size(&g, (void *)block);
	}
	free(block);
	return 0;
}
