/*
 * Taking the disk's structures apart. Pure functions over bytes, also built on the host: everything
 * that comes from an image goes through here (or through jformat.h) before it is used. Each check
 * answers with NULL when all is well, or with a short text for the log.
 */
#pragma once

#include "format.h"

/* What the super block says, checked and in usable units. Constant after mount. */
struct ext4_geometry {
	u32 block_size, block_bits;
	u64 blocks;                  /* of the file system */
	u64 r_blocks;                /* reserved for root */
	u32 first_data_block, blocks_per_group, inodes_per_group, inodes, groups;
	u32 inode_size, desc_size, desc_per_block, desc_blocks, itable_blocks, first_ino;
	u32 first_meta_bg, reserved_gdt_blocks, flex_bits;
	u32 compat, incompat, ro_compat;
	u32 csum_seed;               /* with metadata checksums */
	u32 hash_seed[4];
	u8 hash_version;             /* of new directories; signedness included */
	bool metadata_csum, gdt_csum, has_64bit, extents, filetype, dir_index;
	u64 max_blocks_per_file;     /* logical blocks: below this number */
};

/* *unsupported: incompatible features that nobody here knows (bits), for the caller to name. */
const char *ext4_check_super(const struct ext4_super *s, struct ext4_geometry *g, u32 *unsupported)
	__must_check;
/* The name of an incompatible feature's lowest bit, for the log. */
const char *ext4_incompat_name(u32 bits);
/* Sets the super block's checksum, if the format has one. */
void ext4_seal_super(const struct ext4_geometry *g, struct ext4_super *s);

/* Does the group have a copy of super block and descriptors? */
bool ext4_group_has_super(const struct ext4_geometry *g, u32 group);
u64 ext4_group_first_block(const struct ext4_geometry *g, u32 group);
u32 ext4_group_blocks(const struct ext4_geometry *g, u32 group);
/* Blocks at the group's start that hold super block, descriptors and room for more of them. */
u32 ext4_group_overhead(const struct ext4_geometry *g, u32 group);
/* The block of the n-th block of descriptors. */
u64 ext4_desc_block(const struct ext4_geometry *g, u32 n);

/* One descriptor, whatever its size on the disk. */
struct ext4_group_info {
	u64 block_bitmap, inode_bitmap, inode_table;
	u32 free_blocks, free_inodes, used_dirs, itable_unused, flags;
};
const char *ext4_check_desc(const struct ext4_geometry *g, u32 group, const void *raw,
			    struct ext4_group_info *out) __must_check;
/* Writes counters and flags back and seals the descriptor. */
void ext4_desc_store(const struct ext4_geometry *g, u32 group, void *raw,
		     const struct ext4_group_info *in);
/* Checksums of the bitmaps, which lie in the descriptor; without the feature: true, nothing. */
bool ext4_bitmap_csum_ok(const struct ext4_geometry *g, const void *raw, bool inodes,
			 const void *bitmap);
void ext4_bitmap_csum_set(const struct ext4_geometry *g, void *raw, bool inodes, const void *bitmap);

/* The inode's own checksum. raw: inode_size bytes. */
bool ext4_inode_csum_ok(const struct ext4_geometry *g, u32 ino, const void *raw);
void ext4_inode_seal(const struct ext4_geometry *g, u32 ino, void *raw);
/* crc of number and generation, from which the checksums of what the inode owns start. */
u32 ext4_inode_seed(const struct ext4_geometry *g, u32 ino, u32 generation);
const char *ext4_check_inode(const struct ext4_geometry *g, u32 ino, const struct ext4_inode *raw)
	__must_check;
/* The bytes of raw that belong to fixed fields; attributes follow. 128..inode_size. */
u32 ext4_inode_fixed_size(const struct ext4_geometry *g, const struct ext4_inode *raw);

/*
 * A node of an extent tree of `size` bytes (60 in the inode). depth: expected, or -1 for the root's.
 * Keys rise, runs do not overlap and lie within the file system.
 */
const char *ext4_check_extents(const struct ext4_geometry *g, const void *node, u32 size, s32 depth)
	__must_check;
static inline u64 ext4_extent_start(const struct ext4_extent *e)
{
	return (u64)e->start_hi << 32 | e->start_lo;
}
static inline u64 ext4_idx_leaf(const struct ext4_extent_idx *e)
{
	return (u64)e->leaf_hi << 32 | e->leaf_lo;
}
static inline bool ext4_extent_unwritten(const struct ext4_extent *e)
{
	return e->len > EXT_INIT_MAX;
}
static inline u32 ext4_extent_len(const struct ext4_extent *e)
{
	return e->len > EXT_INIT_MAX ? (u32)e->len - EXT_INIT_MAX : e->len;
}
/* Where a node's checksum lies; only in blocks, not in the inode. */
static inline u32 *ext4_extent_tail(void *node)
{
	struct ext4_extent_header *h = node;

	return (u32 *)((u8 *)node + sizeof(*h) + (u32)h->max * sizeof(struct ext4_extent));
}

/* True: [start, start + len) lies in the file system, behind the first super block. */
static inline bool ext4_blocks_valid(const struct ext4_geometry *g, u64 start, u64 len)
{
	return start > g->first_data_block && start < g->blocks && len <= g->blocks - start;
}

/* ---- Directories ---- */

static inline u32 ext4_dirent_size(u32 name_len)
{
	return ALIGN_UP(DIRENT_HEADER + name_len, 4u);
}
/* Bytes of a directory block that entries may use (all but the tail). */
static inline u32 ext4_dir_space(const struct ext4_geometry *g)
{
	return g->block_size - (g->metadata_csum ? DIR_TAIL_SIZE : 0);
}
/* The entry at offset of a block whose entries end at `space`. NULL: nonsense. */
const struct ext4_dirent *ext4_dirent_at(const struct ext4_geometry *g, const void *block, u32 space,
					 u32 offset);
static inline u32 ext4_dirent_name_len(const struct ext4_geometry *g, const struct ext4_dirent *e)
{
	return e->name_len; /* longer names do not exist, whoever owns the other byte */
}
/* All entries of a leaf. */
const char *ext4_check_dir_block(const struct ext4_geometry *g, const void *block) __must_check;
/* An index block: entries of a root (root: true) or an inner node. */
const char *ext4_check_dx(const struct ext4_geometry *g, const void *block, bool root) __must_check;
static inline u32 ext4_dx_offset(bool root)
{
	return root ? DX_ROOT_ENTRIES : DX_NODE_ENTRIES;
}
/* How many entries fit. */
static inline u32 ext4_dx_limit(const struct ext4_geometry *g, bool root)
{
	return (g->block_size - ext4_dx_offset(root) -
		(g->metadata_csum ? (u32)sizeof(struct ext4_dx_tail) : 0)) /
	       (u32)sizeof(struct ext4_dx_entry);
}
/* Checksums of a leaf (seed: the directory's). Without the feature: true, nothing. */
bool ext4_dir_csum_ok(const struct ext4_geometry *g, u32 seed, const void *block);
void ext4_dir_seal(const struct ext4_geometry *g, u32 seed, void *block);
bool ext4_dx_csum_ok(const struct ext4_geometry *g, u32 seed, const void *block, bool root);
void ext4_dx_seal(const struct ext4_geometry *g, u32 seed, void *block, bool root);

/* ---- Extended attributes ---- */

/* Entries from first up to end; values are offsets from base, below end. All of them in bounds? */
const char *ext4_check_xattrs(const void *first, const void *base, const void *end) __must_check;
const char *ext4_check_xattr_block(const struct ext4_geometry *g, u64 block, const void *data)
	__must_check;
void ext4_xattr_block_seal(const struct ext4_geometry *g, u64 block, void *data);
static inline bool ext4_xattr_last(const struct ext4_xattr_entry *e)
{
	return *(const u32 *)e == 0;
}
static inline struct ext4_xattr_entry *ext4_xattr_next(const struct ext4_xattr_entry *e)
{
	return (struct ext4_xattr_entry *)((u8 *)e + XATTR_ENTRY_SIZE(e->name_len));
}
