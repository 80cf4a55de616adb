/*
 * Checks of super block, group descriptors, inodes and extent nodes. Pure; also built on the host.
 * The rules are those of e2fsck and of Linux, tightened where something here relies on more: block
 * sizes above the page size are refused, and a group's bitmap is always one block.
 */
#include <lib/bits.h>
#include <lib/string.h>
#include "check.h"
#include "csum.h"

/* ---- Super block ---- */

static const char *check_features(const struct ext4_super *s, struct ext4_geometry *g,
				  u32 *unsupported)
{
	g->compat = s->rev_level ? s->feature_compat : 0;
	g->incompat = s->rev_level ? s->feature_incompat : 0;
	g->ro_compat = s->rev_level ? s->feature_ro_compat : 0;
	*unsupported = g->incompat & ~INCOMPAT_SUPPORTED;
	if (*unsupported)
		return "unsupported feature";
	if (g->incompat & INCOMPAT_META_BG && g->compat & COMPAT_RESIZE_INODE)
		return "meta_bg and resize_inode exclude each other";
	g->metadata_csum = g->ro_compat & RO_METADATA_CSUM;
	g->gdt_csum = g->ro_compat & RO_GDT_CSUM;
	if (g->metadata_csum && g->gdt_csum)
		return "two kinds of checksums";
	if (g->metadata_csum && s->checksum_type != 1)
		return "unknown checksum type";
	g->has_64bit = g->incompat & INCOMPAT_64BIT;
	g->extents = g->incompat & INCOMPAT_EXTENTS;
	g->filetype = g->incompat & INCOMPAT_FILETYPE;
	g->dir_index = g->compat & COMPAT_DIR_INDEX;
	return NULL;
}

static const char *check_sizes(const struct ext4_super *s, struct ext4_geometry *g)
{
	if (s->log_block_size > 2)
		return "block size above 4096";
	g->block_bits = 10 + s->log_block_size;
	g->block_size = 1u << g->block_bits;
	if (s->log_cluster_size != s->log_block_size && s->log_cluster_size)
		return "clusters";
	g->inode_size = s->rev_level ? s->inode_size : EXT4_GOOD_OLD_INODE_SIZE;
	if (g->inode_size < EXT4_GOOD_OLD_INODE_SIZE || g->inode_size > g->block_size ||
	    g->inode_size & (g->inode_size - 1))
		return "bad inode size";
	g->desc_size = g->has_64bit ? s->desc_size : DESC_SIZE_OLD;
	if (g->desc_size != DESC_SIZE_OLD && g->desc_size != sizeof(struct ext4_group_desc))
		return "bad descriptor size";
	if (g->has_64bit && g->desc_size == DESC_SIZE_OLD)
		return "bad descriptor size";
	g->desc_per_block = g->block_size / g->desc_size;
	g->first_ino = s->rev_level ? s->first_ino : EXT4_GOOD_OLD_FIRST_INO;
	if (g->first_ino < EXT4_GOOD_OLD_FIRST_INO)
		return "bad first inode";
	return NULL;
}

static const char *check_groups(const struct ext4_super *s, struct ext4_geometry *g)
{
	u32 per_block = g->block_size / g->inode_size;
	u64 groups;

	g->blocks = s->blocks_lo | (g->has_64bit ? (u64)s->blocks_hi << 32 : 0);
	g->r_blocks = s->r_blocks_lo | (g->has_64bit ? (u64)s->r_blocks_hi << 32 : 0);
	g->first_data_block = s->first_data_block;
	g->blocks_per_group = s->blocks_per_group;
	g->inodes_per_group = s->inodes_per_group;
	g->inodes = s->inodes_count;
	if (g->first_data_block != (g->block_size == 1024))
		return "bad first block";
	if (g->blocks_per_group < 256 || g->blocks_per_group > 8 * g->block_size ||
	    g->blocks_per_group % 8)
		return "bad number of blocks per group";
	if (!g->inodes_per_group || g->inodes_per_group > 8 * g->block_size ||
	    g->inodes_per_group % per_block || g->inodes_per_group % 8)
		return "bad number of inodes per group";
	g->itable_blocks = g->inodes_per_group / per_block;
	if (g->blocks <= g->first_data_block || g->blocks > 1ULL << 48)
		return "bad number of blocks";
	groups = DIV_ROUND_UP(g->blocks - g->first_data_block, g->blocks_per_group);
	if (groups > U32_MAX / g->inodes_per_group)
		return "too many groups";
	g->groups = (u32)groups;
	if (g->inodes != g->groups * g->inodes_per_group)
		return "bad number of inodes";
	if (g->first_ino > g->inodes_per_group)
		return "bad first inode";
	g->desc_blocks = DIV_ROUND_UP(g->groups, g->desc_per_block);
	g->r_blocks = MIN(g->r_blocks, g->blocks);
	return NULL;
}

static const char *check_rest(const struct ext4_super *s, struct ext4_geometry *g)
{
	u64 first = g->first_data_block + 1ULL + g->desc_blocks;

	g->reserved_gdt_blocks = s->reserved_gdt_blocks;
	if (g->reserved_gdt_blocks > g->block_size / 4)
		return "too many reserved descriptor blocks";
	g->first_meta_bg = g->incompat & INCOMPAT_META_BG ? s->first_meta_bg : U32_MAX;
	if (g->incompat & INCOMPAT_META_BG && g->first_meta_bg > g->desc_blocks)
		return "bad first meta group";
	if (!(g->incompat & INCOMPAT_META_BG) && first > g->blocks)
		return "too small for its descriptors";
	if (g->incompat & INCOMPAT_FLEX_BG && s->log_groups_per_flex < 31)
		g->flex_bits = s->log_groups_per_flex;
	memcpy(g->hash_seed, s->hash_seed, sizeof(g->hash_seed));
	g->hash_version = s->def_hash_version;
	if (g->hash_version > DX_HASH_TEA)
		g->hash_version = DX_HASH_HALF_MD4;
	if (s->flags & EXT4_FLAGS_UNSIGNED_HASH)
		g->hash_version += DX_HASH_UNSIGNED;
	g->csum_seed = g->incompat & INCOMPAT_CSUM_SEED
			       ? s->checksum_seed
			       : ext4_crc32c(~0u, s->uuid, sizeof(s->uuid));
	if (g->gdt_csum)
		g->csum_seed = ext4_crc16(0xffff, s->uuid, sizeof(s->uuid));
	g->max_blocks_per_file = U32_MAX;
	return NULL;
}

const char *ext4_check_super(const struct ext4_super *s, struct ext4_geometry *g, u32 *unsupported)
{
	const char *why;

	*unsupported = 0;
	memset(g, 0, sizeof(*g));
	if (s->magic != EXT4_MAGIC)
		return "no ext4 super block";
	if (s->rev_level > 1)
		return "unknown revision";
	why = check_features(s, g, unsupported);
	if (!why && g->metadata_csum &&
	    ext4_crc32c(~0u, s, offsetof(struct ext4_super, checksum)) != s->checksum)
		why = "wrong checksum of the super block";
	if (!why)
		why = check_sizes(s, g);
	if (!why)
		why = check_groups(s, g);
	return why ? why : check_rest(s, g);
}

void ext4_seal_super(const struct ext4_geometry *g, struct ext4_super *s)
{
	if (g->metadata_csum)
		s->checksum = ext4_crc32c(~0u, s, offsetof(struct ext4_super, checksum));
}

const char *ext4_incompat_name(u32 bits)
{
	static const struct { u32 bit; const char *name; } names[] = {
		{0x1, "compression"}, {0x8, "journal_dev"}, {0x100, "mmp"}, {0x400, "ea_inode"},
		{0x1000, "dirdata"}, {0x4000, "large_dir"}, {0x8000, "inline_data"},
		{0x10000, "encrypt"}, {0x20000, "casefold"},
	};

	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		if (bits & names[i].bit)
			return names[i].name;
	return "unknown";
}

/* ---- Groups ---- */

static bool power_of(u32 v, u32 base)
{
	while (v > 1 && v % base == 0)
		v /= base;
	return v == 1;
}

bool ext4_group_has_super(const struct ext4_geometry *g, u32 group)
{
	if (group <= 1)
		return true;
	if (g->compat & COMPAT_SPARSE_SUPER2)
		return true; /* cautious: which two groups is not looked at */
	if (!(g->ro_compat & RO_SPARSE_SUPER))
		return true;
	return group & 1 && (power_of(group, 3) || power_of(group, 5) || power_of(group, 7));
}

u64 ext4_group_first_block(const struct ext4_geometry *g, u32 group)
{
	return g->first_data_block + (u64)group * g->blocks_per_group;
}

u32 ext4_group_blocks(const struct ext4_geometry *g, u32 group)
{
	u64 left = g->blocks - ext4_group_first_block(g, group);

	return (u32)MIN((u64)g->blocks_per_group, left);
}

/* With META_BG, descriptors of a meta group lie in its first two groups and its last. */
static bool has_meta_desc(const struct ext4_geometry *g, u32 group)
{
	u32 in = group % g->desc_per_block;

	return in <= 1 || in == g->desc_per_block - 1;
}

u32 ext4_group_overhead(const struct ext4_geometry *g, u32 group)
{
	bool super = ext4_group_has_super(g, group);

	if (g->incompat & INCOMPAT_META_BG) {
		if (group / g->desc_per_block >= g->first_meta_bg)
			return super + has_meta_desc(g, group);
		return super ? 1 + MIN(g->first_meta_bg, g->desc_blocks) : 0;
	}
	return super ? 1 + g->desc_blocks + g->reserved_gdt_blocks : 0;
}

u64 ext4_desc_block(const struct ext4_geometry *g, u32 n)
{
	u32 group;

	if (n < g->first_meta_bg)
		return g->first_data_block + 1ULL + n;
	group = n * g->desc_per_block;
	return ext4_group_first_block(g, group) + ext4_group_has_super(g, group);
}

static u16 desc_csum(const struct ext4_geometry *g, u32 group, const void *raw)
{
	const u32 at = offsetof(struct ext4_group_desc, checksum);
	u16 zero = 0;
	u32 crc;

	crc = ext4_crc32c(g->csum_seed, &group, sizeof(group));
	crc = ext4_crc32c(crc, raw, at);
	crc = ext4_crc32c(crc, &zero, sizeof(zero));
	crc = ext4_crc32c(crc, (const u8 *)raw + at + 2, g->desc_size - at - 2);
	return (u16)crc;
}

/* The older kind: csum_seed is the CRC-16 of the uuid. */
static u16 desc_csum16(const struct ext4_geometry *g, u32 group, const void *raw)
{
	const u32 at = offsetof(struct ext4_group_desc, checksum);
	u16 crc = ext4_crc16(g->csum_seed & 0xffff, &group, sizeof(group));

	crc = ext4_crc16(crc, raw, at);
	if (g->desc_size > at + 2)
		crc = ext4_crc16(crc, (const u8 *)raw + at + 2, g->desc_size - at - 2);
	return crc;
}

static bool desc_csum_ok(const struct ext4_geometry *g, u32 group, const struct ext4_group_desc *d)
{
	if (g->metadata_csum)
		return d->checksum == desc_csum(g, group, d);
	return !g->gdt_csum || d->checksum == desc_csum16(g, group, d);
}

static void desc_load(const struct ext4_geometry *g, const struct ext4_group_desc *d,
		      struct ext4_group_info *out)
{
	*out = (struct ext4_group_info){
		.block_bitmap = d->block_bitmap_lo,
		.inode_bitmap = d->inode_bitmap_lo,
		.inode_table = d->inode_table_lo,
		.free_blocks = d->free_blocks_lo,
		.free_inodes = d->free_inodes_lo,
		.used_dirs = d->used_dirs_lo,
		.itable_unused = d->itable_unused_lo,
		.flags = d->flags,
	};
	if (g->desc_size == DESC_SIZE_OLD)
		return;
	out->block_bitmap |= (u64)d->block_bitmap_hi << 32;
	out->inode_bitmap |= (u64)d->inode_bitmap_hi << 32;
	out->inode_table |= (u64)d->inode_table_hi << 32;
	out->free_blocks |= (u32)d->free_blocks_hi << 16;
	out->free_inodes |= (u32)d->free_inodes_hi << 16;
	out->used_dirs |= (u32)d->used_dirs_hi << 16;
	out->itable_unused |= (u32)d->itable_unused_hi << 16;
}

const char *ext4_check_desc(const struct ext4_geometry *g, u32 group, const void *raw,
			    struct ext4_group_info *out)
{
	u64 first = ext4_group_first_block(g, group), last = first + ext4_group_blocks(g, group) - 1;
	bool flex = g->incompat & INCOMPAT_FLEX_BG;

	if (!desc_csum_ok(g, group, raw))
		return "wrong checksum of a group descriptor";
	desc_load(g, raw, out);
	if (flex) {
		first = g->first_data_block;
		last = g->blocks - 1;
	}
	if (out->block_bitmap < first || out->block_bitmap > last || out->inode_bitmap < first ||
	    out->inode_bitmap > last)
		return "bitmap outside of its group";
	if (out->inode_table < first || out->inode_table > last ||
	    last - out->inode_table + 1 < g->itable_blocks)
		return "inode table outside of its group";
	if (!ext4_blocks_valid(g, out->block_bitmap, 1) ||
	    !ext4_blocks_valid(g, out->inode_bitmap, 1) ||
	    !ext4_blocks_valid(g, out->inode_table, g->itable_blocks))
		return "group metadata on the super block";
	if (out->free_blocks > g->blocks_per_group || out->free_inodes > g->inodes_per_group ||
	    out->used_dirs > g->inodes_per_group)
		return "impossible counts in a group descriptor";
	if (!g->metadata_csum && !g->gdt_csum) {
		out->flags = 0;
		out->itable_unused = 0;
	}
	if (out->itable_unused > g->inodes_per_group)
		return "impossible counts in a group descriptor";
	return NULL;
}

void ext4_desc_store(const struct ext4_geometry *g, u32 group, void *raw,
		     const struct ext4_group_info *in)
{
	struct ext4_group_desc *d = raw;

	d->free_blocks_lo = (u16)in->free_blocks;
	d->free_inodes_lo = (u16)in->free_inodes;
	d->used_dirs_lo = (u16)in->used_dirs;
	if (g->metadata_csum || g->gdt_csum) {
		d->itable_unused_lo = (u16)in->itable_unused;
		d->flags = (u16)in->flags;
	}
	if (g->desc_size > DESC_SIZE_OLD) {
		d->free_blocks_hi = (u16)(in->free_blocks >> 16);
		d->free_inodes_hi = (u16)(in->free_inodes >> 16);
		d->used_dirs_hi = (u16)(in->used_dirs >> 16);
		d->itable_unused_hi = (u16)(in->itable_unused >> 16);
	}
	if (g->metadata_csum)
		d->checksum = desc_csum(g, group, raw);
	else if (g->gdt_csum)
		d->checksum = desc_csum16(g, group, raw);
}

static u32 bitmap_csum(const struct ext4_geometry *g, bool inodes, const void *bitmap)
{
	return ext4_crc32c(g->csum_seed, bitmap,
			   (inodes ? g->inodes_per_group : g->blocks_per_group) / 8);
}

bool ext4_bitmap_csum_ok(const struct ext4_geometry *g, const void *raw, bool inodes,
			 const void *bitmap)
{
	const struct ext4_group_desc *d = raw;
	u32 have, want;

	if (!g->metadata_csum)
		return true;
	want = bitmap_csum(g, inodes, bitmap);
	have = inodes ? d->inode_bitmap_csum_lo : d->block_bitmap_csum_lo;
	if (g->desc_size == DESC_SIZE_OLD)
		return have == (want & 0xffff);
	have |= (u32)(inodes ? d->inode_bitmap_csum_hi : d->block_bitmap_csum_hi) << 16;
	return have == want;
}

void ext4_bitmap_csum_set(const struct ext4_geometry *g, void *raw, bool inodes, const void *bitmap)
{
	struct ext4_group_desc *d = raw;
	u32 crc;

	if (!g->metadata_csum)
		return;
	crc = bitmap_csum(g, inodes, bitmap);
	if (inodes)
		d->inode_bitmap_csum_lo = (u16)crc;
	else
		d->block_bitmap_csum_lo = (u16)crc;
	if (g->desc_size == DESC_SIZE_OLD)
		return;
	if (inodes)
		d->inode_bitmap_csum_hi = (u16)(crc >> 16);
	else
		d->block_bitmap_csum_hi = (u16)(crc >> 16);
}

/* ---- Inodes ---- */

u32 ext4_inode_seed(const struct ext4_geometry *g, u32 ino, u32 generation)
{
	return ext4_crc32c(ext4_crc32c(g->csum_seed, &ino, sizeof(ino)), &generation,
			   sizeof(generation));
}

static bool inode_has_csum_hi(const struct ext4_geometry *g, const struct ext4_inode *i)
{
	return g->inode_size > EXT4_GOOD_OLD_INODE_SIZE && i->extra_isize >= 4;
}

/* The checksum's own bytes count as zero. */
static u32 inode_csum(const struct ext4_geometry *g, u32 ino, const void *raw)
{
	const struct ext4_inode *i = raw;
	const u32 lo = offsetof(struct ext4_inode, checksum_lo);
	const u32 hi = offsetof(struct ext4_inode, checksum_hi);
	const u8 *bytes = raw;
	u16 zero = 0;
	u32 crc = ext4_inode_seed(g, ino, i->generation), at = EXT4_GOOD_OLD_INODE_SIZE;

	crc = ext4_crc32c(crc, raw, lo);
	crc = ext4_crc32c(crc, &zero, 2);
	crc = ext4_crc32c(crc, bytes + lo + 2, EXT4_GOOD_OLD_INODE_SIZE - lo - 2);
	if (g->inode_size == EXT4_GOOD_OLD_INODE_SIZE)
		return crc;
	if (inode_has_csum_hi(g, i)) {
		crc = ext4_crc32c(crc, bytes + at, hi - at);
		crc = ext4_crc32c(crc, &zero, 2);
		at = hi + 2;
	}
	return ext4_crc32c(crc, bytes + at, g->inode_size - at);
}

bool ext4_inode_csum_ok(const struct ext4_geometry *g, u32 ino, const void *raw)
{
	const struct ext4_inode *i = raw;
	u32 crc;

	if (!g->metadata_csum)
		return true;
	crc = inode_csum(g, ino, raw);
	if (!inode_has_csum_hi(g, i))
		return i->checksum_lo == (crc & 0xffff);
	return (i->checksum_lo | (u32)i->checksum_hi << 16) == crc;
}

void ext4_inode_seal(const struct ext4_geometry *g, u32 ino, void *raw)
{
	struct ext4_inode *i = raw;
	u32 crc;

	if (!g->metadata_csum)
		return;
	crc = inode_csum(g, ino, raw);
	i->checksum_lo = (u16)crc;
	if (inode_has_csum_hi(g, i))
		i->checksum_hi = (u16)(crc >> 16);
}

u32 ext4_inode_fixed_size(const struct ext4_geometry *g, const struct ext4_inode *raw)
{
	return g->inode_size == EXT4_GOOD_OLD_INODE_SIZE
		       ? EXT4_GOOD_OLD_INODE_SIZE
		       : EXT4_GOOD_OLD_INODE_SIZE + raw->extra_isize;
}

const char *ext4_check_inode(const struct ext4_geometry *g, u32 ino, const struct ext4_inode *raw)
{
	u64 size = (u64)raw->size_high << 32 | raw->size_lo;

	if (!ext4_inode_csum_ok(g, ino, raw))
		return "wrong checksum of an inode";
	if (g->inode_size > EXT4_GOOD_OLD_INODE_SIZE &&
	    (raw->extra_isize > g->inode_size - EXT4_GOOD_OLD_INODE_SIZE || raw->extra_isize % 4))
		return "bad extra size of an inode";
	if (raw->flags & (EXT4_INLINE_DATA_FL | EXT4_EA_INODE_FL))
		return "inode with a feature that the file system lacks";
	if (raw->flags & EXT4_EXTENTS_FL && !g->extents)
		return "inode with extents, which the file system lacks";
	if (size >> 63 || size >> g->block_bits > g->max_blocks_per_file)
		return "impossible size of an inode";
	return NULL;
}

/* ---- Extents ---- */

static const char *check_leaf(const struct ext4_geometry *g, const struct ext4_extent *e, u32 nr)
{
	u64 next = 0;

	for (u32 i = 0; i < nr; i++) {
		u32 len = ext4_extent_len(&e[i]);

		if (!len || e[i].block < next || (u64)e[i].block + len > U32_MAX)
			return "extents out of order";
		if (!ext4_blocks_valid(g, ext4_extent_start(&e[i]), len))
			return "extent outside of the file system";
		next = (u64)e[i].block + len;
	}
	return NULL;
}

static const char *check_index(const struct ext4_geometry *g, const struct ext4_extent_idx *e, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		if (i && e[i].block <= e[i - 1].block)
			return "extent index out of order";
		if (!ext4_blocks_valid(g, ext4_idx_leaf(&e[i]), 1))
			return "extent block outside of the file system";
	}
	return NULL;
}

const char *ext4_check_extents(const struct ext4_geometry *g, const void *node, u32 size, s32 depth)
{
	const struct ext4_extent_header *h = node;
	u32 room = (size - (u32)sizeof(*h)) / (u32)sizeof(struct ext4_extent);

	if (h->magic != EXT_MAGIC)
		return "no extent node";
	if (h->depth > EXT_DEPTH_MAX || (depth >= 0 && h->depth != (u32)depth))
		return "wrong depth of an extent node";
	if (!h->max || h->max > room || h->entries > h->max)
		return "bad size of an extent node";
	if (h->depth && !h->entries)
		return "empty extent index";
	return h->depth ? check_index(g, (const void *)(h + 1), h->entries)
			: check_leaf(g, (const void *)(h + 1), h->entries);
}
