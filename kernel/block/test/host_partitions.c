/* Partition tables: good, damaged, hostile. links: block/partition_table.c */
#include "host.h"
#include <block/partition_table.h>
#include <string.h>

#define SECTORS 20480u

static u8 disk[SECTORS * 512];
static u8 chunk[PARTITION_CHUNK];
static struct partition parts[128];
static u32 reads;

static int read_disk(void *ctx, u64 pos, void *buf, u32 len)
{
	(void)ctx;
	assert_true(len <= PARTITION_CHUNK && pos + len <= sizeof(disk));
	reads++;
	memcpy(buf, disk + pos, len);
	return 0;
}

static int scan(u32 block_size, u32 max)
{
	struct partition_reader r = {.read = read_disk, .block_size = block_size, .sectors = SECTORS,
				     .chunk = chunk};

	reads = 0;
	return partition_table_read(&r, parts, max);
}

static void put32(u8 *p, u32 v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (u8)(v >> 8 * i);
}

static void put64(u8 *p, u64 v)
{
	put32(p, (u32)v);
	put32(p + 4, (u32)(v >> 32));
}

static void mbr(u64 sector, u32 i, u8 type, u32 start, u32 sectors)
{
	u8 *e = disk + sector * 512 + 446 + 16 * i;

	e[4] = type;
	put32(e + 8, start);
	put32(e + 12, sectors);
	disk[sector * 512 + 510] = 0x55;
	disk[sector * 512 + 511] = 0xaa;
}

static u32 crc32(const u8 *p, size_t n)
{
	u32 crc = ~0U;

	while (n--) {
		crc ^= *p++;
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static void gpt(u32 block, u32 nr)
{
	u8 *h = disk + block;
	u64 last = sizeof(disk) / block - 1;

	mbr(0, 0, 0xee, 1, SECTORS - 1);
	memcpy(h, "EFI PART", 8);
	put32(h + 8, 0x10000);
	put32(h + 12, 92);
	put64(h + 24, 1);
	put64(h + 32, last);
	put64(h + 40, 34);
	put64(h + 48, last - 34);
	put64(h + 72, 2);
	put32(h + 80, nr);
	put32(h + 84, 128);
	put32(h + 88, crc32(disk + 2 * block, nr * 128));
	put32(h + 16, 0);
	put32(h + 16, crc32(h, 92));
}

static void gpt_entry(u32 block, u32 i, u64 first, u64 last)
{
	u8 *e = disk + 2 * block + 128 * i;

	memset(e, 0x11, 32);
	put64(e + 32, first);
	put64(e + 40, last);
}

static int clear(void **state)
{
	(void)state;
	memset(disk, 0, sizeof(disk));
	return 0;
}

static void empty_disk(void **state)
{
	assert_int_equal(scan(512, 128), 0);
}

static void four_primaries(void **state)
{
	for (u32 i = 0; i < 4; i++)
		mbr(0, i, 0x83, 100 * (i + 1), 100);
	assert_int_equal(scan(512, 128), 4);
	assert_int_equal(parts[3].number, 4);
	assert_int_equal(parts[3].start, 400);
	assert_int_equal(parts[3].sectors, 100);
	assert_int_equal(scan(512, 2), 2);
}

static void boot_flag_of_a_boot_sector(void **state)
{
	mbr(0, 0, 0x83, 100, 100);
	disk[446 + 16] = 0x33;
	assert_int_equal(scan(512, 128), 0);
}

static void beyond_the_end(void **state)
{
	mbr(0, 0, 0x83, SECTORS, 1);
	mbr(0, 1, 0x83, SECTORS - 10, 100);
	mbr(0, 2, 0x83, 0xffffffff, 0xffffffff);
	assert_int_equal(scan(512, 128), 1);
	assert_int_equal(parts[0].number, 2);
	assert_int_equal(parts[0].sectors, 10);
}

static void logical_chain(void **state)
{
	mbr(0, 0, 0x83, 1, 99);
	mbr(0, 1, 0x05, 1000, 9000);
	mbr(1000, 0, 0x83, 10, 500);
	mbr(1000, 1, 0x05, 2000, 1000);
	mbr(3000, 0, 0x83, 10, 600);
	assert_int_equal(scan(512, 128), 4);
	assert_int_equal(parts[1].number, 2);
	assert_int_equal(parts[1].sectors, 2);
	assert_int_equal(parts[2].number, 5);
	assert_int_equal(parts[2].start, 1010);
	assert_int_equal(parts[3].number, 6);
	assert_int_equal(parts[3].start, 3010);
	assert_int_equal(parts[3].sectors, 600);
}

static void logical_chain_in_a_ring(void **state)
{
	mbr(0, 1, 0x0f, 1000, 9000);
	mbr(1000, 0, 0x83, 10, 500);
	mbr(1000, 1, 0x05, 0, 9000);
	assert_int_equal(scan(512, 128), 128);
	mbr(1000, 0, 0, 0, 0);
	assert_int_equal(scan(512, 128), 1);
	assert_true(reads < 1000);
}

static void gpt_of_both_block_sizes(void **state)
{
	for (u32 block = 512; block <= 4096; block *= 8) {
		clear(state);
		gpt_entry(block, 0, 40, 99);
		gpt_entry(block, 7, 100, 100);
		gpt(block, 128);
		assert_int_equal(scan(block, 128), 2);
		assert_int_equal(parts[0].number, 1);
		assert_int_equal(parts[0].start, 40 * block / 512);
		assert_int_equal(parts[0].sectors, 60 * block / 512);
		assert_int_equal(parts[0].uuid[15], 0x11);
		assert_int_equal(parts[1].number, 8);
		assert_int_equal(parts[1].sectors, block / 512);
	}
}

static void damaged_gpt(void **state)
{
	gpt_entry(512, 0, 40, 99);
	gpt(512, 128);
	disk[2 * 512 + 100] ^= 1;
	assert_int_equal(scan(512, 128), 0);
	disk[2 * 512 + 100] ^= 1;
	disk[512 + 60] ^= 1;
	assert_int_equal(scan(512, 128), 0);
	disk[512 + 60] ^= 1;
	assert_int_equal(scan(512, 128), 1);
}

static void hostile_gpt(void **state)
{
	gpt_entry(512, 0, 99, 40);            /* ends before it begins */
	gpt_entry(512, 1, 40, ~0ULL);         /* beyond the end */
	gpt_entry(512, 2, SECTORS - 1, SECTORS - 1);
	gpt(512, 128);
	assert_int_equal(scan(512, 128), 1);
	assert_int_equal(parts[0].number, 3);
	put32(disk + 512 + 80, 0xffffffff);
	put32(disk + 512 + 16, 0);
	put32(disk + 512 + 16, crc32(disk + 512, 92));
	assert_int_equal(scan(512, 128), 0);
	gpt(512, 128);
	put64(disk + 512 + 72, ~0ULL / 2);
	put32(disk + 512 + 16, 0);
	put32(disk + 512 + 16, crc32(disk + 512, 92));
	assert_int_equal(scan(512, 128), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(empty_disk, clear),
		cmocka_unit_test_setup(four_primaries, clear),
		cmocka_unit_test_setup(boot_flag_of_a_boot_sector, clear),
		cmocka_unit_test_setup(beyond_the_end, clear),
		cmocka_unit_test_setup(logical_chain, clear),
		cmocka_unit_test_setup(logical_chain_in_a_ring, clear),
		cmocka_unit_test_setup(gpt_of_both_block_sizes, clear),
		cmocka_unit_test_setup(damaged_gpt, clear),
		cmocka_unit_test_setup(hostile_gpt, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
