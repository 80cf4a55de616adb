/* Checks of directory blocks and attributes, and their checksums. Pure; also built on the host. */
#include <lib/string.h>
#include "check.h"
#include "csum.h"

/* ---- Directories ---- */

const struct ext4_dirent *ext4_dirent_at(const struct ext4_geometry *g, const void *block, u32 space,
					 u32 offset)
{
	const struct ext4_dirent *e = (const void *)((const u8 *)block + offset);

	if (offset % 4 || offset > space || space - offset < DIRENT_HEADER)
		return NULL;
	if (e->rec_len % 4 || e->rec_len < ext4_dirent_size(1) || e->rec_len > space - offset)
		return NULL;
	if (e->inode && (e->rec_len < ext4_dirent_size(e->name_len) || e->inode > g->inodes))
		return NULL;
	return e;
}

/* Index blocks look like one empty entry to those who do not know them. */
static bool is_dx_block(const struct ext4_geometry *g, const void *block)
{
	const struct ext4_dirent *e = block;

	return !e->inode && e->rec_len == g->block_size;
}

const char *ext4_check_dir_block(const struct ext4_geometry *g, const void *block)
{
	u32 space = ext4_dir_space(g), at = 0;
	const struct ext4_dirent *e;

	if (is_dx_block(g, block))
		return NULL;
	while (at < space) {
		e = ext4_dirent_at(g, block, space, at);
		if (!e)
			return "bad directory entry";
		at += e->rec_len;
	}
	return NULL;
}

static const struct ext4_dir_tail *tail_of(const struct ext4_geometry *g, const void *block)
{
	const struct ext4_dir_tail *t =
		(const void *)((const u8 *)block + g->block_size - DIR_TAIL_SIZE);

	return !t->zero && t->rec_len == DIR_TAIL_SIZE && !t->zero2 && t->type == DIRENT_TAIL_TYPE
		       ? t
		       : NULL;
}

bool ext4_dir_csum_ok(const struct ext4_geometry *g, u32 seed, const void *block)
{
	const struct ext4_dir_tail *t;

	if (!g->metadata_csum)
		return true;
	t = tail_of(g, block);
	return t && t->checksum == ext4_crc32c(seed, block, g->block_size - DIR_TAIL_SIZE);
}

void ext4_dir_seal(const struct ext4_geometry *g, u32 seed, void *block)
{
	struct ext4_dir_tail *t = (void *)((u8 *)block + g->block_size - DIR_TAIL_SIZE);

	if (!g->metadata_csum)
		return;
	*t = (struct ext4_dir_tail){.rec_len = DIR_TAIL_SIZE, .type = DIRENT_TAIL_TYPE};
	t->checksum = ext4_crc32c(seed, block, g->block_size - DIR_TAIL_SIZE);
}

const char *ext4_check_dx(const struct ext4_geometry *g, const void *block, bool root)
{
	const u8 *bytes = block;
	const struct ext4_dx_info *info = (const void *)(bytes + DX_ROOT_INFO);
	const struct ext4_dx_countlimit *cl = (const void *)(bytes + ext4_dx_offset(root));
	const struct ext4_dx_entry *e = (const void *)cl;
	const struct ext4_dirent *fake = block;

	if (root && (info->zero || info->info_length != sizeof(*info) ||
		     info->hash_version > DX_HASH_TEA || info->indirect_levels > 1 ||
		     info->unused_flags & 1))
		return "bad directory index";
	if (root && (fake->rec_len != 12 || fake->name_len != 1))
		return "bad directory index";
	if (!root && (fake->inode || fake->rec_len != g->block_size))
		return "bad directory index node";
	if (cl->limit != ext4_dx_limit(g, root) || !cl->count || cl->count > cl->limit)
		return "bad counts in a directory index";
	for (u32 i = 2; i < cl->count; i++)
		if (e[i].hash < e[i - 1].hash)
			return "directory index out of order";
	return NULL;
}

static u32 dx_csum(const struct ext4_geometry *g, u32 seed, const void *block, bool root)
{
	const u8 *bytes = block;
	const struct ext4_dx_countlimit *cl = (const void *)(bytes + ext4_dx_offset(root));
	u32 used = ext4_dx_offset(root) + cl->count * (u32)sizeof(struct ext4_dx_entry);
	const struct ext4_dx_tail *t =
		(const void *)(bytes + ext4_dx_offset(root) +
			       ext4_dx_limit(g, root) * sizeof(struct ext4_dx_entry));
	u32 crc = ext4_crc32c(seed, block, used), zero = 0;

	crc = ext4_crc32c(crc, &t->reserved, sizeof(t->reserved));
	return ext4_crc32c(crc, &zero, sizeof(zero));
}

static struct ext4_dx_tail *dx_tail(const struct ext4_geometry *g, const void *block, bool root)
{
	return (void *)((u8 *)block + ext4_dx_offset(root) +
			ext4_dx_limit(g, root) * sizeof(struct ext4_dx_entry));
}

/* The counts have been checked. */
bool ext4_dx_csum_ok(const struct ext4_geometry *g, u32 seed, const void *block, bool root)
{
	return !g->metadata_csum ||
	       dx_tail(g, block, root)->checksum == dx_csum(g, seed, block, root);
}

void ext4_dx_seal(const struct ext4_geometry *g, u32 seed, void *block, bool root)
{
	if (g->metadata_csum)
		dx_tail(g, block, root)->checksum = dx_csum(g, seed, block, root);
}

/* ---- Extended attributes ---- */

static const char *check_value(const struct ext4_xattr_entry *e, const u8 *base, const u8 *end,
			       const u8 *names_end)
{
	u64 room = (u64)(end - base);

	if (e->value_inum)
		return "attribute in an inode of its own";
	if (!e->value_size)
		return NULL;
	if (e->value_offs > room || XATTR_VALUE_SIZE((u64)e->value_size) > room - e->value_offs)
		return "attribute value out of bounds";
	if (base + e->value_offs < names_end)
		return "attribute value overlaps the names";
	return NULL;
}

const char *ext4_check_xattrs(const void *first, const void *base, const void *end)
{
	const u8 *at = first, *stop = end;
	const struct ext4_xattr_entry *e;
	const char *why = NULL;

	for (;;) {
		if (stop - at < (ptrdiff_t)sizeof(u32))
			return "attributes without an end";
		e = (const void *)at;
		if (ext4_xattr_last(e))
			break;
		if (stop - at < (ptrdiff_t)sizeof(*e) ||
		    stop - at < (ptrdiff_t)XATTR_ENTRY_SIZE(e->name_len) + (ptrdiff_t)sizeof(u32))
			return "attribute name out of bounds";
		at += XATTR_ENTRY_SIZE(e->name_len);
	}
	at += sizeof(u32);
	for (e = first; !ext4_xattr_last(e) && !why; e = ext4_xattr_next(e))
		why = check_value(e, base, end, at);
	return why;
}

static u32 xattr_block_csum(const struct ext4_geometry *g, u64 block, const void *data)
{
	const u32 at = offsetof(struct ext4_xattr_header, checksum);
	u32 zero = 0, crc = ext4_crc32c(g->csum_seed, &block, sizeof(block));

	crc = ext4_crc32c(crc, data, at);
	crc = ext4_crc32c(crc, &zero, sizeof(zero));
	return ext4_crc32c(crc, (const u8 *)data + at + 4, g->block_size - at - 4);
}

const char *ext4_check_xattr_block(const struct ext4_geometry *g, u64 block, const void *data)
{
	const struct ext4_xattr_header *h = data;

	if (h->magic != XATTR_MAGIC || h->blocks != 1)
		return "bad attribute block";
	if (g->metadata_csum && h->checksum != xattr_block_csum(g, block, data))
		return "wrong checksum of an attribute block";
	return ext4_check_xattrs(h + 1, data, (const u8 *)data + g->block_size);
}

void ext4_xattr_block_seal(const struct ext4_geometry *g, u64 block, void *data)
{
	struct ext4_xattr_header *h = data;

	if (g->metadata_csum)
		h->checksum = xattr_block_csum(g, block, data);
}
