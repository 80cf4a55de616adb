/*
 * libFuzzer target: directory blocks, the names in them, and both kinds of index nodes.
 * links: fs/ext4/check.c fs/ext4/check_names.c fs/ext4/csum.c fs/ext4/dirhash.c
 */
#include "fuzz.h"
#include "../dirhash.h"

static void fuzz_block(const struct ext4_geometry *g, u8 *block, u8 features)
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
