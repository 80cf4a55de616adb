/*
 * Partition tables as Linux reads them: a GPT counts if the MBR protects it and its primary header and
 * entries are intact; else the MBR's four entries, with the chain of logical partitions of the first
 * extended one. Every figure is the disk's and is checked against its size; chains are cut after a fixed
 * number of links.
 */
#include <block/partition_table.h>
#include <lib/errno.h>
#include <lib/string.h>

#define UNIT          512u
#define MBR_ENTRIES   446
#define MBR_ENTRY     16
#define MBR_MAGIC     510
#define TYPE_GPT      0xee
#define FIRST_LOGICAL 5
#define MAX_LINKS     512
#define GPT_HEADER    92
#define GPT_ENTRY     128
#define GPT_ENTRIES   4096 /* more than anybody makes */

struct table {
	const struct partition_reader *r;
	struct partition *parts;
	u32 nr, max;
};

static u32 le32(const u8 *p)
{
	return p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

static u64 le64(const u8 *p)
{
	return le32(p) | (u64)le32(p + 4) << 32;
}

/* The polynomial 0xedb88320, four bits at a time. */
static u32 crc32_add(u32 crc, const u8 *p, size_t len)
{
	static const u32 table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};

	while (len--) {
		crc ^= *p++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}

/* What lies beyond the disk's end is cut off. False: the list is full. */
static bool add(struct table *t, u32 number, u64 start, u64 sectors, const u8 *uuid)
{
	struct partition *p = &t->parts[t->nr];

	if (!sectors || start >= t->r->sectors)
		return true;
	if (t->nr == t->max)
		return false;
	*p = (struct partition){.number = number, .start = start};
	p->sectors = MIN(sectors, t->r->sectors - start);
	if (uuid)
		memcpy(p->uuid, uuid, sizeof(p->uuid));
	t->nr++;
	return true;
}

/* One block at a sector, in r->chunk; NULL: it cannot be read. */
static const u8 *block_at(struct table *t, u64 sector)
{
	const struct partition_reader *r = t->r;
	u64 unit = r->block_size / UNIT;

	if (sector % unit || sector > r->sectors || r->sectors - sector < unit)
		return NULL;
	return r->read(r->ctx, sector * UNIT, r->chunk, r->block_size) ? NULL : r->chunk;
}

/* ---- MBR ---- */

struct mbr_entry {
	u8 type;
	u64 start, sectors; /* 512-byte units */
};

static struct mbr_entry mbr_entry(const struct table *t, const u8 *block, u32 i)
{
	const u8 *p = block + MBR_ENTRIES + MBR_ENTRY * i;
	u64 unit = t->r->block_size / UNIT;

	return (struct mbr_entry){p[4], le32(p + 8) * unit, le32(p + 12) * unit};
}

static bool has_magic(const u8 *block)
{
	return block[MBR_MAGIC] == 0x55 && block[MBR_MAGIC + 1] == 0xaa;
}

static bool is_extended(const struct mbr_entry *e)
{
	return e->sectors && (e->type == 0x05 || e->type == 0x0f || e->type == 0x85);
}

/* The third and fourth entry of a link are used by some old systems: only if they make sense. */
static bool plausible(const struct mbr_entry *e, u64 here, u64 size, const struct mbr_entry *all)
{
	return e->start + e->sectors <= size && here + e->start >= all->start &&
	       here + e->start + e->sectors <= all->start + all->sectors;
}

/* The logical partitions in the link at `here`; the next link. False: the chain ends. */
static bool logical_link(struct table *t, const struct mbr_entry *all, u64 *here, u64 *size,
			 u32 *number)
{
	const u8 *block = block_at(t, *here);
	struct mbr_entry next = {0};

	if (!block || !has_magic(block))
		return false;
	for (u32 i = 0; i < 4; i++) {
		struct mbr_entry e = mbr_entry(t, block, i);

		if (is_extended(&e)) {
			if (!next.sectors)
				next = e;
			continue;
		}
		if (!e.sectors || (i >= 2 && !plausible(&e, *here, *size, all)))
			continue;
		if (!add(t, *number, *here + e.start, e.sectors, NULL))
			return false;
		++*number;
	}
	*here = all->start + next.start;
	*size = next.sectors;
	return next.sectors;
}

static void logical_partitions(struct table *t, const struct mbr_entry *all, u32 *number)
{
	u64 here = all->start, size = all->sectors;

	for (u32 links = 0; links < MAX_LINKS; links++)
		if (!logical_link(t, all, &here, &size, number))
			break;
}

/* block: the disk's first. */
static void read_mbr(struct table *t, const u8 *block)
{
	u32 number = FIRST_LOGICAL, unit = t->r->block_size / UNIT;
	struct mbr_entry e[4];

	for (u32 i = 0; i < 4; i++) {
		if (block[MBR_ENTRIES + MBR_ENTRY * i] & 0x7f)
			return; /* a boot sector of something else */
		e[i] = mbr_entry(t, block, i);
	}
	/* An extended partition itself is only as long as a boot loader needs. */
	for (u32 i = 0; i < 4; i++) {
		u64 sectors = is_extended(&e[i]) ? MIN(e[i].sectors, (u64)MAX(unit, 2U)) :
						   e[i].sectors;

		(void)add(t, i + 1, e[i].start, sectors, NULL);
	}
	for (u32 i = 0; i < 4; i++)
		if (is_extended(&e[i]))
			logical_partitions(t, &e[i], &number);
}

/* ---- GPT ---- */

struct gpt {
	u64 entries_at; /* byte */
	u32 nr, crc;
};

static bool gpt_protected(const u8 *block)
{
	for (u32 i = 0; i < 4; i++)
		if (block[MBR_ENTRIES + MBR_ENTRY * i + 4] == TYPE_GPT)
			return true;
	return false;
}

static bool gpt_header_crc(const u8 *h, u32 size)
{
	static const u8 none[4];
	u32 crc = crc32_add(~0U, h, 16);

	crc = crc32_add(crc, none, sizeof(none));
	return ~crc32_add(crc, h + 20, size - 20) == le32(h + 16);
}

static bool gpt_header(struct table *t, struct gpt *g)
{
	u32 unit = t->r->block_size / UNIT, size;
	const u8 *h = block_at(t, unit);
	u64 last = t->r->sectors / unit - 1, entries;

	if (!h || memcmp(h, "EFI PART", 8) != 0)
		return false;
	size = le32(h + 12);
	if (size < GPT_HEADER || size > t->r->block_size || !gpt_header_crc(h, size))
		return false;
	if (le64(h + 24) != 1 || le64(h + 40) > last || le64(h + 48) > last ||
	    le64(h + 48) < le64(h + 40))
		return false;
	entries = le64(h + 72);
	*g = (struct gpt){.entries_at = entries * t->r->block_size,
			  .nr = le32(h + 80), .crc = le32(h + 88)};
	return le32(h + 84) == GPT_ENTRY && g->nr && g->nr <= GPT_ENTRIES && entries <= last;
}

/* False: the list is full. */
static bool gpt_entry(struct table *t, const u8 *e, u32 number)
{
	static const u8 unused[16];
	u64 unit = t->r->block_size / UNIT, last = t->r->sectors / unit - 1;
	u64 first = le64(e + 32), end = le64(e + 40);

	if (memcmp(e, unused, sizeof(unused)) == 0 || first > end || end > last)
		return true;
	return add(t, number, first * unit, (end - first + 1) * unit, e + 16);
}

/* True: the entries are intact and in the list. */
static bool gpt_entries(struct table *t, const struct gpt *g)
{
	const struct partition_reader *r = t->r;
	u64 at = g->entries_at, left = (u64)g->nr * GPT_ENTRY;
	u32 crc = ~0U, number = 1;
	bool room = true;

	while (left) {
		u32 n = (u32)MIN(left, (u64)PARTITION_CHUNK);
		u32 whole = (u32)ALIGN_UP(n, r->block_size);

		if (at > r->sectors * UNIT || whole > r->sectors * UNIT - at ||
		    r->read(r->ctx, at, r->chunk, whole))
			return false;
		crc = crc32_add(crc, r->chunk, n);
		for (u32 i = 0; room && i < n; i += GPT_ENTRY)
			room = gpt_entry(t, (u8 *)r->chunk + i, number++);
		at += n;
		left -= n;
	}
	return ~crc == g->crc;
}

int partition_table_read(const struct partition_reader *r, struct partition *parts, u32 max)
{
	struct table t = {.r = r, .parts = parts, .max = max};
	const u8 *block = block_at(&t, 0);
	struct gpt g;

	if (!block)
		return r->sectors < r->block_size / UNIT ? 0 : -EIO;
	if (!has_magic(block))
		return 0;
	if (!gpt_protected(block)) {
		read_mbr(&t, block);
		return (int)t.nr;
	}
	if (!gpt_header(&t, &g) || !gpt_entries(&t, &g))
		t.nr = 0;
	return (int)t.nr;
}
