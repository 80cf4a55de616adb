/*
 * The readers of ext4's structures: known answers, images that mke2fs makes, and damaged ones.
 * links: fs/ext4/check.c fs/ext4/check_names.c fs/ext4/csum.c fs/ext4/dirhash.c fs/ext4/jformat.c
 */
#include "host.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "../check.h"
#include "../csum.h"
#include "../dirhash.h"
#include "../jformat.h"

static const char *const kinds[] = {
	"-t ext4", "-t ext4 -b 4096", "-t ext4 -b 2048 -I 512", "-t ext3", "-t ext2",
	"-t ext4 -O ^metadata_csum,uninit_bg", "-t ext4 -O ^64bit", "-t ext4 -O metadata_csum_seed",
	"-t ext4 -O ^resize_inode,meta_bg", "-t ext4 -O ^flex_bg", "-t ext4 -O ^has_journal",
};

/* The image's bytes; freed by the caller. */
static unsigned char *image(const char *options, size_t size)
{
	char path[] = "/tmp/ext4-host-XXXXXX", cmd[512];
	unsigned char *data = calloc(1, size);
	int fd = mkstemp(path);
	ssize_t n = 0, got;

	assert_true(fd >= 0 && data);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	snprintf(cmd, sizeof(cmd), "mke2fs -q -F %s -E hash_seed=01020304-0506-0708-090a-0b0c0d0e0f10 "
				   "%s >/dev/null 2>&1", options, path);
	assert_int_equal(system(cmd), 0);
	while (n < (ssize_t)size && (got = pread(fd, data + n, size - (size_t)n, n)) > 0)
		n += got;
	assert_int_equal(n, size);
	close(fd);
	unlink(path);
	return data;
}

#define SIZE (24u << 20)

static void crc_known_answers(void **state)
{
	assert_int_equal(ext4_crc32c(~0u, "123456789", 9) ^ ~0u, 0xe3069283);
	assert_int_equal(ext4_crc16(0, "123456789", 9), 0xbb3d);
}

/* debugfs dx_hash, with the seed above. */
static void hashes_agree_with_debugfs(void **state)
{
	static const struct { const char *name, *alg; u32 version; } tries[] = {
		{"a", "legacy", 0}, {"a", "half_md4", 1}, {"a", "tea", 2},
		{"file-with-a-name-333", "half_md4", 1}, {"file-with-a-name-333", "tea", 2},
		{"file-with-a-name-333", "legacy", 0},
		{"a-name-that-is-longer-than-thirty-two-characters-by-far", "half_md4", 1},
		{"a-name-that-is-longer-than-thirty-two-characters-by-far", "tea", 2},
	};
	static const char *const uuid = "01020304-0506-0708-090a-0b0c0d0e0f10";
	u32 seed[4];
	const u8 bytes[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

	memcpy(seed, bytes, sizeof(seed));
	for (u32 i = 0; i < ARRAY_SIZE(tries); i++) {
		struct ext4_hash h;
		unsigned int major, minor;
		char cmd[512], line[512] = "";
		FILE *f;

		snprintf(cmd, sizeof(cmd), "debugfs -R 'dx_hash -h %s -s %s %s' 2>/dev/null",
			 tries[i].alg, uuid, tries[i].name);
		f = popen(cmd, "r");
		assert_non_null(f);
		assert_non_null(fgets(line, sizeof(line), f));
		pclose(f);
		assert_int_equal(sscanf(strstr(line, " is ") + 4, "%x (minor %x)", &major, &minor), 2);
		assert_true(ext4_dirhash(tries[i].name, (u32)strlen(tries[i].name), tries[i].version,
					 seed, &h));
		assert_int_equal(h.major, major);
		assert_int_equal(h.minor, minor);
	}
}

static void made_images_pass(void **state)
{
	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++) {
		unsigned char *data = image(kinds[k], SIZE);
		struct ext4_geometry g;
		u32 unsupported;

		assert_null(ext4_check_super((void *)(data + 1024), &g, &unsupported));
		assert_int_equal(g.blocks, SIZE / g.block_size);
		for (u32 i = 0; i < g.groups; i++) {
			u64 at = ext4_desc_block(&g, i / g.desc_per_block) * g.block_size +
				 (u64)(i % g.desc_per_block) * g.desc_size;
			struct ext4_group_info gi;
			u8 before[64];

			assert_null(ext4_check_desc(&g, i, data + at, &gi));
			if (!(gi.flags & BG_BLOCK_UNINIT))
				assert_true(ext4_bitmap_csum_ok(&g, data + at, false,
								data + gi.block_bitmap * g.block_size));
			if (!(gi.flags & BG_INODE_UNINIT))
				assert_true(ext4_bitmap_csum_ok(&g, data + at, true,
								data + gi.inode_bitmap * g.block_size));
			/* Storing what was loaded changes nothing. */
			memcpy(before, data + at, g.desc_size);
			ext4_desc_store(&g, i, data + at, &gi);
			assert_memory_equal(before, data + at, g.desc_size);
			if (i == 0) {
				const u8 *raw = data + gi.inode_table * g.block_size +
						(EXT4_ROOT_INO - 1) * g.inode_size;

				assert_null(ext4_check_inode(&g, EXT4_ROOT_INO, (const void *)raw));
			}
		}
		free(data);
	}
}

static void features_are_named(void **state)
{
	unsigned char *data = image("-t ext4 -O inline_data", SIZE);
	struct ext4_geometry g;
	u32 unsupported;

	assert_non_null(ext4_check_super((void *)(data + 1024), &g, &unsupported));
	assert_string_equal(ext4_incompat_name(unsupported), "inline_data");
	free(data);
}

static void one_wrong_bit_is_noticed(void **state)
{
	unsigned char *data = image("-t ext4", SIZE);
	struct ext4_geometry g;
	struct ext4_group_info gi;
	u32 unsupported;
	u64 at;

	assert_null(ext4_check_super((void *)(data + 1024), &g, &unsupported));
	at = ext4_desc_block(&g, 0) * g.block_size;
	for (u32 bit = 0; bit < 8 * g.desc_size; bit++) {
		data[at + bit / 8] ^= (u8)(1u << bit % 8);
		assert_non_null(ext4_check_desc(&g, 0, data + at, &gi));
		data[at + bit / 8] ^= (u8)(1u << bit % 8);
	}
	for (u32 bit = 0; bit < 8 * 1024; bit += 7) {
		data[1024 + bit / 8] ^= (u8)(1u << bit % 8);
		assert_non_null(ext4_check_super((void *)(data + 1024), &g, &unsupported));
		data[1024 + bit / 8] ^= (u8)(1u << bit % 8);
	}
	free(data);
}

static void journal_blocks_round_trip(void **state)
{
	static const u32 incompat[] = {0, JBD_INCOMPAT_64BIT, JBD_INCOMPAT_CSUM_V2,
				       JBD_INCOMPAT_CSUM_V3,
				       JBD_INCOMPAT_CSUM_V3 | JBD_INCOMPAT_64BIT,
				       JBD_INCOMPAT_CSUM_V2 | JBD_INCOMPAT_64BIT};
	static u8 block[1024], data[3][1024];

	for (u32 k = 0; k < ARRAY_SIZE(incompat); k++) {
		struct jbd_super s = {.h = {be32(JBD_MAGIC), be32(JBD_SUPER_V2), 0},
				      .block_size = be32(1024), .max_len = be32(1024),
				      .first = be32(1), .sequence = be32(7),
				      .feature_incompat = be32(incompat[k]),
				      .checksum_type = JBD_CHECKSUM_CRC32C};
		struct jbd_geometry g;
		struct jbd_tags t;
		struct jbd_tag_info ti;
		bool corrupt;
		u64 home;

		jbd_seal_super(&s);
		assert_null(jbd_check_super(&s, 1024, 1024, &g));
		jbd_block_init(&g, block, JBD_DESCRIPTOR, 7);
		for (u32 n = 0; n < 3; n++) {
			memset(data[n], (int)n + 1, sizeof(data[n]));
			jbd_tag_put(&g, block, n, 100 + n, n == 2 ? TAG_LAST : 0, 7, data[n]);
		}
		jbd_block_seal(&g, block);
		assert_int_equal(jbd_block_type(&g, block, 8, &corrupt), 0);
		assert_int_equal(jbd_block_type(&g, block, 7, &corrupt), JBD_DESCRIPTOR);
		jbd_tags_begin(&t, &g, block);
		for (u32 n = 0; n < 3; n++) {
			assert_true(jbd_tags_next(&t, &ti));
			assert_int_equal(ti.block, 100 + n);
			assert_true(jbd_data_ok(&g, &ti, 7, data[n]));
			data[n][500] ^= 1;
			assert_int_equal(jbd_data_ok(&g, &ti, 7, data[n]), !g.csum);
			data[n][500] ^= 1;
		}
		assert_false(jbd_tags_next(&t, &ti));
		block[300] ^= 1;
		assert_int_equal(jbd_block_type(&g, block, 7, &corrupt), g.csum ? 0 : JBD_DESCRIPTOR);
		assert_int_equal(corrupt, g.csum);
		jbd_block_init(&g, block, JBD_REVOKE, 9);
		for (u32 n = 0; n < jbd_revokes_per_block(&g); n++)
			jbd_revoke_put(&g, block, n, 5000 + n);
		jbd_block_seal(&g, block);
		assert_int_equal(jbd_block_type(&g, block, 9, &corrupt), JBD_REVOKE);
		for (u32 n = 0; n < jbd_revokes_per_block(&g); n++) {
			assert_true(jbd_revoke_record(&g, block, n, &home));
			assert_int_equal(home, 5000 + n);
		}
		assert_false(jbd_revoke_record(&g, block, jbd_revokes_per_block(&g), &home));
	}
}

static void extents_are_bounded(void **state)
{
	struct ext4_geometry g = {.blocks = 10000, .block_size = 4096};
	struct {
		struct ext4_extent_header h;
		struct ext4_extent e[4];
	} n = {.h = {EXT_MAGIC, 2, 4, 0, 0},
	       .e = {{0, 10, 0, 100}, {10, EXT_INIT_MAX + 5, 0, 200}}};

	assert_null(ext4_check_extents(&g, &n, sizeof(n), 0));
	n.e[1].block = 9;
	assert_non_null(ext4_check_extents(&g, &n, sizeof(n), 0));
	n.e[1].block = 10;
	n.e[1].start_lo = 9998;
	assert_non_null(ext4_check_extents(&g, &n, sizeof(n), 0));
	n.e[1].start_lo = 200;
	n.e[0].len = 0;
	assert_non_null(ext4_check_extents(&g, &n, sizeof(n), 0));
	n.e[0].len = 10;
	n.h.max = 5;
	assert_non_null(ext4_check_extents(&g, &n, sizeof(n), 0));
	n.h.max = 4;
	assert_non_null(ext4_check_extents(&g, &n, sizeof(n), 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_known_answers),
		cmocka_unit_test(hashes_agree_with_debugfs),
		cmocka_unit_test(made_images_pass),
		cmocka_unit_test(features_are_named),
		cmocka_unit_test(one_wrong_bit_is_noticed),
		cmocka_unit_test(journal_blocks_round_trip),
		cmocka_unit_test(extents_are_bounded),
	};

	ext4_csum_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
