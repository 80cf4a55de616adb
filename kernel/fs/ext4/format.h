/*
 * What lies on the disk: ext2, ext3 and ext4, and the journal. Everything but the journal is
 * little-endian, as are the machines this kernel runs on, so fields are read as they stand; the
 * journal is big-endian and goes through be16/be32/be64.
 *
 * Nothing here may be believed before check.c (or the walker of the structure) has looked at it.
 */
#pragma once

#include <lib/types.h>

#define EXT4_MAGIC        0xef53
#define EXT4_SUPER_OFFSET 1024u
#define EXT4_ROOT_INO     2u
#define EXT4_RESIZE_INO   7u
#define EXT4_JOURNAL_INO  8u
#define EXT4_GOOD_OLD_FIRST_INO 11u
#define EXT4_GOOD_OLD_INODE_SIZE 128u
#define EXT4_NAME_LEN     255u
#define EXT4_LINK_MAX     65000u
#define EXT4_N_BLOCKS     15u
#define EXT4_NDIR         12u

struct ext4_super {
	u32 inodes_count, blocks_lo, r_blocks_lo, free_blocks_lo, free_inodes, first_data_block;
	u32 log_block_size, log_cluster_size, blocks_per_group, clusters_per_group, inodes_per_group;
	u32 mtime, wtime;
	u16 mnt_count, max_mnt_count, magic, state, errors, minor_rev;
	u32 lastcheck, checkinterval, creator_os, rev_level;
	u16 def_resuid, def_resgid;
	u32 first_ino;
	u16 inode_size, block_group_nr;
	u32 feature_compat, feature_incompat, feature_ro_compat;
	u8 uuid[16];
	char volume_name[16], last_mounted[64];
	u32 algorithm_usage;
	u8 prealloc_blocks, prealloc_dir_blocks;
	u16 reserved_gdt_blocks;
	u8 journal_uuid[16];
	u32 journal_inum, journal_dev, last_orphan, hash_seed[4];
	u8 def_hash_version, jnl_backup_type;
	u16 desc_size;
	u32 default_mount_opts, first_meta_bg, mkfs_time, jnl_blocks[17];
	u32 blocks_hi, r_blocks_hi, free_blocks_hi;
	u16 min_extra_isize, want_extra_isize;
	u32 flags;
	u16 raid_stride, mmp_interval;
	u64 mmp_block;
	u32 raid_stripe_width;
	u8 log_groups_per_flex, checksum_type;
	u16 reserved_pad;
	u64 kbytes_written;
	u32 snapshot_inum, snapshot_id;
	u64 snapshot_r_blocks;
	u32 snapshot_list, error_count, first_error_time, first_error_ino;
	u64 first_error_block;
	u8 first_error_func[32];
	u32 first_error_line, last_error_time, last_error_ino, last_error_line;
	u64 last_error_block;
	u8 last_error_func[32];
	u8 mount_opts[64];
	u32 usr_quota_inum, grp_quota_inum, overhead_blocks, backup_bgs[2];
	u8 encrypt_algos[4], encrypt_pw_salt[16];
	u32 lpf_ino, prj_quota_inum, checksum_seed;
	u8 wtime_hi, mtime_hi, mkfs_time_hi, lastcheck_hi, first_error_time_hi, last_error_time_hi;
	u8 first_error_errcode, last_error_errcode;
	u16 encoding, encoding_flags;
	u32 orphan_file_inum, reserved[94], checksum;
};
_Static_assert(sizeof(struct ext4_super) == 1024, "the super block is 1024 bytes");

#define EXT4_STATE_VALID  1u
#define EXT4_STATE_ERROR  2u
#define EXT4_FLAGS_SIGNED_HASH   1u
#define EXT4_FLAGS_UNSIGNED_HASH 2u
#define EXT4_ERRORS_CONTINUE 1u
#define EXT4_ERRORS_RO    2u
#define EXT4_ERRORS_PANIC 3u

#define COMPAT_HAS_JOURNAL 0x4u
#define COMPAT_EXT_ATTR    0x8u
#define COMPAT_RESIZE_INODE 0x10u
#define COMPAT_DIR_INDEX   0x20u
#define COMPAT_SPARSE_SUPER2 0x200u

#define INCOMPAT_FILETYPE  0x2u
#define INCOMPAT_RECOVER   0x4u
#define INCOMPAT_META_BG   0x10u
#define INCOMPAT_EXTENTS   0x40u
#define INCOMPAT_64BIT     0x80u
#define INCOMPAT_FLEX_BG   0x200u
#define INCOMPAT_CSUM_SEED 0x2000u
#define INCOMPAT_SUPPORTED                                                                         \
	(INCOMPAT_FILETYPE | INCOMPAT_RECOVER | INCOMPAT_META_BG | INCOMPAT_EXTENTS |              \
	 INCOMPAT_64BIT | INCOMPAT_FLEX_BG | INCOMPAT_CSUM_SEED)

#define RO_SPARSE_SUPER 0x1u
#define RO_LARGE_FILE   0x2u
#define RO_HUGE_FILE    0x8u
#define RO_GDT_CSUM     0x10u
#define RO_DIR_NLINK    0x20u
#define RO_EXTRA_ISIZE  0x40u
#define RO_METADATA_CSUM 0x400u
#define RO_SUPPORTED                                                                               \
	(RO_SPARSE_SUPER | RO_LARGE_FILE | RO_HUGE_FILE | RO_GDT_CSUM | RO_DIR_NLINK |             \
	 RO_EXTRA_ISIZE | RO_METADATA_CSUM)

struct ext4_group_desc {
	u32 block_bitmap_lo, inode_bitmap_lo, inode_table_lo;
	u16 free_blocks_lo, free_inodes_lo, used_dirs_lo, flags;
	u32 exclude_bitmap_lo;
	u16 block_bitmap_csum_lo, inode_bitmap_csum_lo, itable_unused_lo, checksum;
	/* With INCOMPAT_64BIT and a descriptor of 64 bytes: */
	u32 block_bitmap_hi, inode_bitmap_hi, inode_table_hi;
	u16 free_blocks_hi, free_inodes_hi, used_dirs_hi, itable_unused_hi;
	u32 exclude_bitmap_hi;
	u16 block_bitmap_csum_hi, inode_bitmap_csum_hi;
	u32 reserved;
};
_Static_assert(sizeof(struct ext4_group_desc) == 64, "a group descriptor is 64 bytes");
#define DESC_SIZE_OLD 32u
#define BG_INODE_UNINIT 1u
#define BG_BLOCK_UNINIT 2u
#define BG_INODE_ZEROED 4u

struct ext4_inode {
	u16 mode, uid;
	u32 size_lo, atime, ctime, mtime, dtime;
	u16 gid, links;
	u32 blocks_lo, flags, version;
	u32 block[EXT4_N_BLOCKS];
	u32 generation, file_acl_lo, size_high, obso_faddr;
	u16 blocks_high, file_acl_high, uid_high, gid_high, checksum_lo, reserved;
	/* In inodes above 128 bytes, as far as extra_isize reaches: */
	u16 extra_isize, checksum_hi;
	u32 ctime_extra, mtime_extra, atime_extra, crtime, crtime_extra, version_hi, projid;
};
_Static_assert(sizeof(struct ext4_inode) == 160, "an inode has 160 bytes of fields");

#define EXT4_SYNC_FL      0x8u
#define EXT4_IMMUTABLE_FL 0x10u
#define EXT4_APPEND_FL    0x20u
#define EXT4_NODUMP_FL    0x40u
#define EXT4_NOATIME_FL   0x80u
#define EXT4_INDEX_FL     0x1000u
#define EXT4_JOURNAL_DATA_FL 0x4000u
#define EXT4_TOPDIR_FL    0x20000u
#define EXT4_HUGE_FILE_FL 0x40000u
#define EXT4_EXTENTS_FL   0x80000u
#define EXT4_EA_INODE_FL  0x200000u
#define EXT4_INLINE_DATA_FL 0x10000000u
/* What a new object takes from its directory. */
#define EXT4_INHERITED_FL                                                                          \
	(0x1u | 0x2u | 0x4u | EXT4_SYNC_FL | EXT4_NODUMP_FL | EXT4_NOATIME_FL |                    \
	 EXT4_JOURNAL_DATA_FL | 0x8000u | 0x10000u)
#define EXT4_USER_VISIBLE_FL    0x705bdfffu
#define EXT4_USER_MODIFIABLE_FL 0x0003c0ffu /* of those: what is kept here */

/* ---- Extents ---- */

#define EXT_MAGIC     0xf30a
#define EXT_DEPTH_MAX 5u
#define EXT_INIT_MAX  32768u /* longest written extent; longer lengths mean unwritten */
#define EXT_LEN_MAX_UNWRITTEN (EXT_INIT_MAX - 1)

struct ext4_extent_header {
	u16 magic, entries, max, depth;
	u32 generation;
};
struct ext4_extent {
	u32 block;
	u16 len, start_hi;
	u32 start_lo;
};
struct ext4_extent_idx {
	u32 block, leaf_lo;
	u16 leaf_hi, unused;
};
_Static_assert(sizeof(struct ext4_extent) == 12 && sizeof(struct ext4_extent_idx) == 12 &&
		       sizeof(struct ext4_extent_header) == 12,
	       "all three are 12 bytes");

/* ---- Directories ---- */

struct ext4_dirent {
	u32 inode;
	u16 rec_len;
	u8 name_len, file_type; /* without FILETYPE: the high byte of the length */
	char name[];
};
#define DIRENT_HEADER 8u
#define DIRENT_TAIL_TYPE 0xdeu
/* The last "entry" of a block with checksums. */
struct ext4_dir_tail {
	u32 zero;
	u16 rec_len; /* 12 */
	u8 zero2, type;
	u32 checksum;
};
#define DIR_TAIL_SIZE 12u

struct ext4_dx_info {
	u32 zero;
	u8 hash_version, info_length, indirect_levels, unused_flags;
};
struct ext4_dx_entry {
	u32 hash, block; /* the first one: limit and count instead of the hash */
};
struct ext4_dx_countlimit {
	u16 limit, count;
};
struct ext4_dx_tail {
	u32 reserved, checksum;
};
#define DX_ROOT_INFO 24u   /* behind "." and ".." */
#define DX_ROOT_ENTRIES 32u
#define DX_NODE_ENTRIES 8u
#define DX_HASH_LEGACY   0u
#define DX_HASH_HALF_MD4 1u
#define DX_HASH_TEA      2u
#define DX_HASH_UNSIGNED 3u /* added to the above */

/* ---- Extended attributes ---- */

#define XATTR_MAGIC 0xea020000u
struct ext4_xattr_header { /* of a block */
	u32 magic, refcount, blocks, hash, checksum, reserved[3];
};
struct ext4_xattr_entry {
	u8 name_len, name_index;
	u16 value_offs;
	u32 value_inum, value_size, hash;
	char name[];
};
#define XATTR_ENTRY_SIZE(name_len) ALIGN_UP(sizeof(struct ext4_xattr_entry) + (name_len), 4u)
#define XATTR_VALUE_SIZE(size)     ALIGN_UP((size), 4u)
#define XATTR_INDEX_USER        1u
#define XATTR_INDEX_ACL_ACCESS  2u
#define XATTR_INDEX_ACL_DEFAULT 3u
#define XATTR_INDEX_TRUSTED     4u
#define XATTR_INDEX_SECURITY    6u
#define XATTR_INDEX_SYSTEM      7u

/* ---- The journal; big-endian ---- */

#define JBD_MAGIC 0xc03b3998u
#define JBD_MIN_BLOCKS 1024u /* the least that mke2fs makes */
enum { JBD_DESCRIPTOR = 1, JBD_COMMIT = 2, JBD_SUPER_V1 = 3, JBD_SUPER_V2 = 4, JBD_REVOKE = 5 };
struct jbd_header {
	u32 magic, type, sequence;
};
struct jbd_super {
	struct jbd_header h;
	u32 block_size, max_len, first, sequence, start, error;
	u32 feature_compat, feature_incompat, feature_ro_compat;
	u8 uuid[16];
	u32 nr_users, dyn_super, max_transaction, max_trans_data;
	u8 checksum_type, padding[3];
	u32 nr_fc_blocks, head, padding2[40], checksum;
	u8 users[16 * 48];
};
_Static_assert(sizeof(struct jbd_super) == 1024, "the journal's super block is 1024 bytes");
#define JBD_INCOMPAT_REVOKE  0x1u
#define JBD_INCOMPAT_64BIT   0x2u
#define JBD_INCOMPAT_ASYNC   0x4u
#define JBD_INCOMPAT_CSUM_V2 0x8u
#define JBD_INCOMPAT_CSUM_V3 0x10u
#define JBD_INCOMPAT_SUPPORTED                                                                     \
	(JBD_INCOMPAT_REVOKE | JBD_INCOMPAT_64BIT | JBD_INCOMPAT_CSUM_V2 | JBD_INCOMPAT_CSUM_V3)
#define JBD_COMPAT_CHECKSUM  0x1u
#define JBD_CHECKSUM_CRC32C  4u

struct jbd_tag3 { /* CSUM_V3 */
	u32 block, flags, block_high, checksum;
};
struct jbd_tag {
	u32 block;
	u16 checksum, flags;
	u32 block_high; /* with 64BIT only */
};
#define TAG_ESCAPE    1u
#define TAG_SAME_UUID 2u
#define TAG_DELETED   4u
#define TAG_LAST      8u
struct jbd_revoke_header {
	struct jbd_header h;
	u32 count; /* bytes in use, header included */
};
struct jbd_commit {
	struct jbd_header h;
	u8 checksum_type, checksum_size, padding[2];
	u32 checksum[8];
	u64 sec;
	u32 nsec;
};
#define JBD_TAIL_SIZE 4u /* checksum at the end of descriptor and revoke blocks */

static inline u16 be16(u16 v)
{
	return __builtin_bswap16(v);
}
static inline u32 be32(u32 v)
{
	return __builtin_bswap32(v);
}
static inline u64 be64(u64 v)
{
	return __builtin_bswap64(v);
}
