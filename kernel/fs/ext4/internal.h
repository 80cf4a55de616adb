/*
 * ext4 inside: what the files of this module share.
 *
 *	check.c, check_names.c, dirhash.c, csum.c, jformat.c   the disk's bytes; pure, tested on the host
 *	io.c buffer.c                    requests to the device; cached metadata blocks
 *	journal.c commit.c checkpoint.c recover.c              transactions (journal.h)
 *	group.c balloc.c ialloc.c        free blocks and inodes
 *	map.c extent.c indirect.c        which block holds which part of a file
 *	inode.c truncate.c file.c direct.c fallocate.c fiemap.c  inodes and their data
 *	dir.c htree.c readdir.c namei.c                        names
 *	xattr.c acl.c ioctl.c trim.c super.c options.c
 *
 * Locks, outermost first: the VFS's inode locks → mapping.write_lock → page locks → (a handle is
 * started) → inode map_lock → group lock → orphan lock → loading lock → buffer lock → spinlocks of
 * journal and caches. Nobody starts a handle while he has one or one of the locks behind it; a handle's owner
 * waits for memory and for reads of metadata, never for pages, user memory or the network.
 */
#pragma once

#include <block/block.h>
#include <lib/atomic.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <mm/page_cache.h>
#include <mm/slab.h>
#include <sync/mutex.h>
#include <vfs/file.h>
#include <vfs/inode.h>
#include "check.h"
#include "dirhash.h"

struct ext4_fs;
struct ext4_journal;
struct ext4_tx;
struct ext4_jentry;
struct ext4_map;

/* ---- Requests (io.c) ---- */

/*
 * A commit cannot be given up for want of memory, and neither can a handle's owner who has changed the first of
 * the blocks that belong together: they try until others have freed some. NULL for everybody else.
 */
void *ext4_alloc(size_t size, unsigned int gfp);
bool ext4_wait_for_memory(void); /* false: the caller need not try again */

/* A number of requests that are submitted together and waited for together. */
struct ext4_io {
	struct ext4_fs *fs;
	struct list_head bios;    /* the owner's */
	struct atomic pending;    /* requests, and one for the owner */
	struct completion done;
	struct block_plug plug;
};
void ext4_io_begin(struct ext4_io *io, struct ext4_fs *fs);
/* A request for nr blocks from `block` on; vecs are copied. 0 or -ENOMEM. */
int ext4_io_add(struct ext4_io *io, enum bio_op op, u32 flags, u64 block, u32 nr,
		const struct bio_vec *vecs, u32 nr_vecs, void *private) __must_check;
/* One block of kernel memory. */
int ext4_io_block(struct ext4_io *io, enum bio_op op, u32 flags, u64 block, void *data) __must_check;
/* Waits for all; tells each result to `each` (may be NULL). The first error. */
int ext4_io_end(struct ext4_io *io, void (*each)(void *private, u32 nr_vecs, int error)) __must_check;
int ext4_read_block(struct ext4_fs *fs, u64 block, void *data) __must_check;
int ext4_write_block(struct ext4_fs *fs, u64 block, void *data, u32 flags) __must_check;

/* ---- Cached metadata blocks (buffer.c) ---- */

#define BUF_UPTODATE BIT(0)
#define BUF_USED     BIT(1) /* since the last look of the shrinker; racy hint */

struct ext4_buf;
typedef const char *(*ext4_check_fn)(struct ext4_fs *fs, struct ext4_buf *b, const void *ctx);

/*
 * What a block of metadata is a part of. Its contents stay what a check has found, because all who change them
 * hold the same lock, the owner's. An image can give a block to two owners, or say that it is free: a block
 * in the cache has one, and another one's claim ends in -EUCLEAN.
 */
enum ext4_part {
	PART_NONE,
	PART_SUPER,             /* the super block, descriptors of groups */
	PART_BLOCK_BITMAP,      /* of a group; its lock */
	PART_INODE_BITMAP,
	PART_INODES,            /* of a group; each inode's bytes by raw_lock */
	PART_EXTENTS,           /* of an inode; map_lock */
	PART_INDIRECT,
	PART_CONTENTS,          /* of a directory (its inode lock) or a symbolic link (never changed) */
	PART_XATTRS,            /* of any inodes; never changed but for the header, which is under the buffer's lock */
};

/* id: the group or inode, 0: neither. */
static inline u64 ext4_owner(enum ext4_part part, u64 id)
{
	return (u64)part << 32 | (u32)id;
}

struct ext4_buf {
	struct hlist_node hash_node;   /* cache lock */
	struct list_head lru;          /* cache lock */
	struct atomic refs;            /* users; 0: only cached */
	u64 block;                     /* const */
	u8 *data;                      /* const; contents: by a handle that has write access */
	u32 flags;                     /* BUF_*; atomic */
	struct mutex lock;             /* LOCK_RANK_FS_BUFFER: being read or checked */
	ext4_check_fn checked;         /* what has found it good; release/acquire */
	u64 owner;                     /* ext4_owner; 0: nobody yet; release/acquire, it is up to date then */
	struct spinlock raw_lock;      /* LOCK_RANK_FS_INODE: bytes of inodes */
	struct ext4_fs *fs;            /* const */
	/* Journal lock. An entry keeps the buffer by a reference. */
	struct ext4_jentry *newest;    /* in the running or committing transaction */
	struct ext4_jentry *ckpt;      /* committed, not at home yet */
};

/* The cached block, read if need be. check: looks at a block that nobody has looked at. 0, -EIO,
 * -ENOMEM, -EUCLEAN. */
int ext4_buf_read(struct ext4_fs *fs, u64 block, u64 owner, ext4_check_fn check, const void *ctx,
		  struct ext4_buf **out) __must_check;
/* A block that has just been allocated: zeroed, not read, with write access, to be filled with what `check`
 * accepts. 0, -ENOMEM, -EUCLEAN: it is in use. */
struct ext4_handle;
int ext4_buf_new(struct ext4_handle *h, u64 block, u64 owner, ext4_check_fn check, struct ext4_buf **out)
	__must_check;
/* The block if it is cached, with a reference. */
struct ext4_buf *ext4_buf_peek(struct ext4_fs *fs, u64 block);
void ext4_buf_get(struct ext4_buf *b);
void ext4_buf_put(struct ext4_buf *b); /* NULL is allowed */
/* Starts reading blocks that will be wanted soon. */
void ext4_buf_ahead(struct ext4_fs *fs, u64 block, u32 nr);
/* The block has been freed: who has the buffer keeps it, who looks for the block gets another. Takes the reference. */
void ext4_buf_retire(struct ext4_buf *b);
int ext4_cache_init(struct ext4_fs *fs) __must_check;
void ext4_cache_destroy(struct ext4_fs *fs);

static inline bool buf_test(const struct ext4_buf *b, u32 flag)
{
	return __atomic_load_n(&b->flags, __ATOMIC_ACQUIRE) & flag;
}
static inline void buf_set(struct ext4_buf *b, u32 flag)
{
	__atomic_fetch_or(&b->flags, flag, __ATOMIC_RELEASE);
}
static inline void buf_clear(struct ext4_buf *b, u32 flag)
{
	__atomic_fetch_and(&b->flags, ~flag, __ATOMIC_RELEASE);
}

/* ---- Handles (journal.c) ---- */

struct ext4_handle {
	struct ext4_fs *fs;
	struct ext4_tx *tx;
	u32 credits;       /* blocks that it may still add */
};
/* 0; -EROFS: read-only or failed; -ENOSPC: never fits; -ENOMEM. May wait for a commit. */
int ext4_start(struct ext4_fs *fs, struct ext4_handle *h, u32 credits) __must_check;
void ext4_stop(struct ext4_handle *h);
/* Before the block is changed. 0 or -ENOMEM. */
int ext4_write_access(struct ext4_handle *h, struct ext4_buf *b) __must_check;
/* A block of metadata (or one that may have been) is freed: it must not come back by recovery. */
int ext4_forget(struct ext4_handle *h, u64 block) __must_check;
/* Blocks that can be allocated again once the transaction is committed. */
int ext4_free_later(struct ext4_handle *h, u64 block, u32 nr) __must_check;
/* The transaction of the handle, for ext4_sync_tid. */
u32 ext4_handle_tid(const struct ext4_handle *h);
/* Waits until that transaction is on stable storage. 0 or -EIO. */
int ext4_sync_tid(struct ext4_fs *fs, u32 tid) __must_check;
/* What fsync and fdatasync promise about metadata; data that was written in place is flushed. */
int ext4_sync_inode(struct inode *i, bool data_only) __must_check;
/* The newest transaction that is not committed; 0: none. */
u32 ext4_open_tid(struct ext4_fs *fs);
/* All transactions up to now. */
int ext4_sync_all(struct ext4_fs *fs) __must_check;

/* ---- The mounted file system (super.c) ---- */

struct ext4_options {
	u32 commit_s;
	bool barrier, errors_ro, errors_given, noload, acl, auto_da_alloc, discard;
};

struct ext4_group {
	struct mutex lock;              /* LOCK_RANK_FS_GROUP */
	struct ext4_group_info info;    /* lock; counters: torn-free reads */
	u64 *map;                       /* lock: blocks not to be allocated; NULL: not loaded */
	u32 free;                       /* lock: clear bits in map; torn-free reads */
	u8 order;                       /* orders_lock: where it is listed */
	bool bad;                       /* lock: its bitmaps cannot be trusted */
	u32 goal;                       /* behind the last allocation; racy hint */
	u32 trimmed;                    /* runs of this length were, nothing was freed since; 0: no; torn-free */
};

#define EXT4_ORDERS 17

/* Blocks that become free with their transaction. */
struct ext4_freed {
	struct list_head node;
	u64 block;
	u32 nr;
};

struct ext4_fs {
	struct super_block *sb;
	struct block_device *bdev;
	struct ext4_geometry g;         /* const */
	struct ext4_options o;          /* changes on remount, torn-free */
	struct list_head node;          /* list of all caches; its lock */
	struct list_head mounted_node;  /* list of all; its lock */
	bool ro_feature;                /* const: may only be read */
	bool failed;                    /* the journal is lost; torn-free */
	bool error_seen;                /* corruption was found; torn-free */
	u64 complaints_since;           /* torn-free; the messages about it are counted from then on: */
	u32 complaints;                 /* torn-free */
	bool writable;                  /* the journal runs; mount and remount */
	bool was_valid; /* by its state when it became writable; it is put back at the end */

	struct ext4_buf *super_buf;     /* const: pinned; contents: handle */
	struct ext4_super *super;       /* in it */
	struct ext4_buf **desc_bufs;    /* const: pinned; contents: group lock, handle */
	struct ext4_group *groups;      /* const array */

	/* Cache of blocks. */
	struct spinlock cache_lock;     /* LOCK_RANK_FS_CACHE */
	struct hlist_head *buckets;
	u32 bucket_bits;
	struct list_head cache_lru;     /* cache_lock */
	u32 nr_bufs, max_bufs;          /* cache_lock */

	/* Free space; see balloc.c. */
	struct atomic64 free_blocks;    /* that can be taken now */
	struct atomic64 freed;          /* that can be once their transaction is committed */
	struct atomic64 free_inodes;
	struct atomic64 delayed;        /* blocks promised to pages not yet written */
	u64 meta_reserve;               /* const: blocks that data may not take */
	struct spinlock orders_lock;    /* LOCK_RANK_FS_CACHE */
	u64 *orders[EXT4_ORDERS];       /* groups by the size of their longest free run; orders_lock */
	u32 next_dir_group;             /* racy */

	/* Inodes in memory. */
	struct spinlock inodes_lock;    /* LOCK_RANK_SB_LISTS */
	struct hlist_head *inode_buckets;
	u32 inode_bits;
	struct mutex *loading;          /* LOCK_RANK_FS_LOAD, by number: an inode enters the table */

	struct mutex orphan_lock;       /* LOCK_RANK_FS_ORPHAN */
	struct list_head orphans;       /* orphan_lock; newest first */

	struct ext4_journal *journal;   /* const once mounted */
};

static inline struct ext4_fs *ext4_fs(const struct super_block *sb)
{
	return sb->private;
}
/*
 * The image contradicts itself: logs it and makes the file system read-only (or not, by option).
 * Returns -EUCLEAN. ino: 0 when it is nobody's.
 */
int ext4_corrupt(struct ext4_fs *fs, u64 ino, const char *what);
/* The journal is lost: nothing is written any more. */
void ext4_fail(struct ext4_fs *fs, int err, const char *what);
/* From read-only to writable and back: journal, orphans, the marks in the super block. */
int ext4_go_writable(struct ext4_fs *fs) __must_check;
int ext4_go_readonly(struct ext4_fs *fs);
/* Free counts into the super block, at the end of a transaction. */
int ext4_super_fold(struct ext4_handle *h) __must_check;
int ext4_parse_options(struct ext4_options *o, const char *text) __must_check;
void ext4_show_options(struct super_block *sb, char *buf, size_t size);

/* ---- Inodes (inode.c) ---- */

struct ext4_extent_memo { /* a run that was looked up last */
	u32 lblk, len;
	u64 pblk;         /* 0: a hole */
	bool unwritten;
};

struct ext4_ino {
	struct inode *inode;
	struct rwsem map_lock;          /* LOCK_RANK_FS_MAP: mapping of blocks, disk_size */
	union {
		u32 block[EXT4_N_BLOCKS];   /* map_lock */
		u8 root[4 * EXT4_N_BLOCKS]; /* of the extent tree */
	};
	u64 disk_size;                  /* map_lock: size as it is on the disk */
	u64 disk_blocks;                /* map_lock: space in use, metadata too; 512-byte units */
	u64 acl_block;                  /* inode lock; torn-free */
	u32 flags;                      /* EXT4_*_FL; inode lock, torn-free */
	u32 generation, seed;           /* const */
	u32 sync_tid, data_tid;         /* transactions for fsync, fdatasync; 0: none; torn-free */
	u64 known_as;                   /* directory: of which parent and name; parent's inode lock */
	struct spinlock memo_lock;      /* LOCK_RANK_FS_INODE */
	struct ext4_extent_memo memo;   /* memo_lock */
	struct xarray delayed;          /* memo_lock: pages that blocks are promised to */
	u64 nr_delayed;                 /* memo_lock: how many blocks */
	struct atomic reads;            /* under way; begun with map_lock held */
	u32 goal_lblk;                  /* where the next allocation continues; racy */
	u64 goal_pblk;
	struct list_head orphan_node;   /* orphan_lock */
	bool has_xattrs;                /* in the inode's own space; inode lock */
	bool new;                       /* its place on the disk holds something old */
	bool orphan;                    /* orphan_lock: on the list, in memory and on the disk */
	u16 extra_isize;                /* const */
	bool replaced;                  /* cut to nothing: what is written next goes out at close; racy */
	u32 changes;                    /* directory: of blocks with names; inode lock */
	bool bad_index;                 /* directory: the index is not believed; racy */
	char *link;                     /* symlink's text; set once, RCU */
	struct rcu_head rcu;
};

static inline struct ext4_ino *ext4_i(const struct inode *i)
{
	return i->private;
}
static inline bool ext4_uses_extents(const struct inode *i)
{
	return ext4_i(i)->flags & EXT4_EXTENTS_FL;
}
/* The table of inodes in memory; freed with the file system, also after a failure. */
int ext4_inodes_init(struct ext4_fs *fs) __must_check;
/* The inode of that number. -EUCLEAN: nonsense on the disk; -ESTALE: not in use. */
int ext4_iget(struct super_block *sb, u32 ino, struct inode **out) __must_check;
/* The same, also for one without links. */
int ext4_iget_orphan(struct super_block *sb, u32 ino, struct inode **out) __must_check;
/* An inode for a new object with this number, owned as a child of dir; in the table of inodes. */
int ext4_inode_make(const struct inode *dir, u32 ino, u32 mode, u64 rdev, struct inode **out)
	__must_check;
/* Takes it out of the table: its number may be used again. */
void ext4_inode_leave(struct inode *i);
/* Blocks that were promised to pages [first, last] are not needed. */
void ext4_promises_drop(struct inode *i, u64 first, u64 last);
/* No read of the file's pages is under way. map_lock exclusively. */
void ext4_reads_wait(struct inode *i);
/* The handle's transaction has changed the inode; data: what fdatasync cares for, too. */
static inline void ext4_note_tid(const struct ext4_handle *h, struct inode *i, bool data)
{
	WRITE_ONCE(ext4_i(i)->sync_tid, ext4_handle_tid(h));
	if (data)
		WRITE_ONCE(ext4_i(i)->data_tid, ext4_handle_tid(h));
}
/* Writes everything that struct inode knows into the inode's place on the disk. */
int ext4_inode_store(struct ext4_handle *h, struct inode *i) __must_check;
#define CREDITS_INODE 1u
/* The buffer and the raw inode in it; the second with write access. */
int ext4_inode_raw(struct inode *i, struct ext4_buf **b, struct ext4_inode **raw) __must_check;
int ext4_inode_raw_change(struct ext4_handle *h, struct inode *i, struct ext4_buf **b,
			  struct ext4_inode **raw) __must_check;
u64 ext4_inode_block(const struct inode *i); /* that buffer's number */
void ext4_evict(struct inode *i);
int ext4_getattr(const struct path *p, struct kstat *st);
int ext4_setattr(struct dentry *d, struct iattr *attr);
void ext4_set_inode_flags(struct inode *i);
int ext4_get_link(struct inode *i, bool may_sleep, const char **target);
extern const struct inode_ops ext4_file_iops, ext4_link_iops, ext4_dir_iops;
extern const struct file_ops ext4_file_fops, ext4_dir_fops;
extern const struct mapping_ops ext4_data_ops;
int ext4_fsync(struct file *f, bool data_only);
/* auto_da_alloc: data without blocks gets them and is written, before the file takes another's place. No handle. */
void ext4_write_promised(struct inode *i);
long ext4_ioctl(struct file *f, unsigned int cmd, u64 arg);
long ext4_fallocate(struct file *f, int mode, loff_t off, loff_t len);
/* Unwritten blocks wherever bytes [start, end) have none. mapping.write_lock. */
int ext4_fill_holes(struct inode *i, u64 start, u64 end) __must_check;
/* ext4_map_block; *cached: it is a hole or unwritten, with data in the cache that is not on the disk. */
int ext4_map_seen(struct inode *i, struct ext4_map *m, bool *cached) __must_check;
long ext4_fiemap(struct inode *i, u64 arg);
loff_t ext4_llseek(struct file *f, loff_t off, int whence);
ssize_t ext4_read(struct file *f, struct io_iter *to, loff_t *pos);
ssize_t ext4_write(struct file *f, struct io_iter *from, loff_t *pos);

/* ---- Shorter files and deleted ones (truncate.c) ---- */
/* Frees what lies beyond i->size; the inode is on the orphan list meanwhile. */
int ext4_truncate(struct inode *i) __must_check;
int ext4_set_size(struct inode *i, u64 size) __must_check;
/* Zeroes bytes [from, to) of one page in the cache, where it is dirty afterwards. write_lock. 0 or -errno. */
int ext4_zero_cached(struct inode *i, u64 from, u64 to) __must_check;
/* The inode has no name and no user: everything of it is freed. */
void ext4_delete(struct inode *i);
/* Unmaps blocks [first, last] in as many handles as it takes. */
int ext4_unmap_all(struct inode *i, u32 first, u32 last) __must_check;
#define CREDITS_ORPHAN 3u
int ext4_orphan_add(struct ext4_handle *h, struct inode *i) __must_check;
int ext4_orphan_del(struct ext4_handle *h, struct inode *i) __must_check;
/* Off the list in memory only: the inode leaves it. */
void ext4_orphan_leave(struct inode *i);
void ext4_orphans_recover(struct ext4_fs *fs);

/* ---- Free space (group.c, balloc.c, ialloc.c) ---- */

/* A group's bitmaps. Group lock. */
enum ext4_bitmap { BITMAP_BLOCKS, BITMAP_INODES };
int ext4_bitmap_read(struct ext4_fs *fs, u32 group, enum ext4_bitmap kind, struct ext4_buf **b) __must_check;
/* To change it, and the group's counters; then ext4_bitmap_changed must follow, which puts b. */
int ext4_bitmap_change(struct ext4_handle *h, u32 group, enum ext4_bitmap kind, struct ext4_buf **b)
	__must_check;
void ext4_bitmap_changed(struct ext4_fs *fs, u32 group, enum ext4_bitmap kind, struct ext4_buf *b);
bool ext4_bitmap_fresh(const struct ext4_fs *fs, u32 group, enum ext4_bitmap kind); /* mke2fs left it for later */
void ext4_block_bitmap_initial(const struct ext4_fs *fs, u32 group, void *map);

int ext4_balloc_init(struct ext4_fs *fs) __must_check;
void ext4_balloc_destroy(struct ext4_fs *fs);
/*
 * Takes up to *nr consecutive blocks, near goal, off the free ones in memory. For the disk this
 * becomes true with ext4_blocks_use; until then ext4_blocks_release gives them back. May sleep; no
 * handle needed. 0, -ENOSPC, -EIO.
 */
int ext4_blocks_take(struct ext4_fs *fs, u64 goal, u32 *nr, u64 *out) __must_check;
void ext4_blocks_release(struct ext4_fs *fs, u64 start, u32 nr);
/* For trim.c, offsets in a group: takes its first free run of [*at, end) with at least so many blocks. 0, -ENOSPC:
 * there is none; other errors. Only trimmed blocks go back by ext4_run_release. */
int ext4_run_take(struct ext4_fs *fs, u32 group, u32 least, u32 end, u32 *at, u32 *nr) __must_check;
void ext4_run_release(struct ext4_fs *fs, u32 group, u32 at, u32 nr);
/* Is there something to trim since the last time? whole: all of the group will be. */
bool ext4_trim_wanted(struct ext4_fs *fs, u32 group, u32 least, bool whole);
/* trim.c: the ioctl; with the mount option, the blocks of struct ext4_freed. May sleep. */
long ext4_fitrim(struct inode *i, u64 arg);
void ext4_discard_freed(struct ext4_fs *fs, const struct list_head *freed);
int ext4_blocks_use(struct ext4_handle *h, u64 start, u32 nr) __must_check;
#define CREDITS_BLOCKS 3u /* bitmap and descriptor of a run */
/* Frees; with metadata: revoked. The blocks come back when the transaction is committed. */
int ext4_blocks_free(struct ext4_handle *h, u64 start, u32 nr, bool metadata) __must_check;
/* One block for metadata of a file, taken and marked. */
int ext4_block_meta(struct ext4_handle *h, u64 goal, u64 *out) __must_check;
/* Promises nr blocks to data that is not written yet. 0 or -ENOSPC. */
int ext4_promise(struct ext4_fs *fs, u32 nr) __must_check;
void ext4_promise_end(struct ext4_fs *fs, u32 nr);
u64 ext4_available(const struct ext4_fs *fs);
static inline void *ext4_desc_raw(const struct ext4_fs *fs, u32 group)
{
	return fs->desc_bufs[group / fs->g.desc_per_block]->data +
	       (size_t)(group % fs->g.desc_per_block) * fs->g.desc_size;
}
static inline struct ext4_buf *ext4_desc_buf(const struct ext4_fs *fs, u32 group)
{
	return fs->desc_bufs[group / fs->g.desc_per_block];
}
int ext4_inode_new(struct ext4_handle *h, const struct inode *dir, u32 mode, u32 *ino) __must_check;
int ext4_inode_free(struct ext4_handle *h, u32 ino, bool dir) __must_check;
#define CREDITS_INODE_NEW 4u
/* Is the inode in use, as the bitmap says? */
int ext4_inode_used(struct ext4_fs *fs, u32 ino, bool *used) __must_check;

/* ---- Mapping of file blocks (map.c and what is below it) ---- */

struct ext4_map {
	u32 lblk, len;
	u64 pblk;      /* 0: hole */
	bool unwritten;
};
/* What lies at m->lblk, for at most m->len blocks. map_lock held (shared). */
int ext4_map_find(struct inode *i, struct ext4_map *m) __must_check;
/* The same, takes the lock. */
int ext4_map_block(struct inode *i, struct ext4_map *m) __must_check;
/*
 * Enters a run whose blocks are marked in use. Nothing is mapped there. map_lock exclusively.
 * CREDITS_MAP more credits.
 */
int ext4_map_enter(struct ext4_handle *h, struct inode *i, const struct ext4_map *m) __must_check;
#define CREDITS_MAP 16u /* a path of three levels, two new nodes; deeper trees draw on the log's slack */
/* A step of ext4_unmap needs this much; it does as many as the handle's credits allow. */
#define CREDITS_UNMAP CREDITS_MAP
/* An unwritten run (or a part of one) has its data now. map_lock exclusively. */
int ext4_map_written(struct ext4_handle *h, struct inode *i, u32 lblk, u32 len) __must_check;
/*
 * Unmaps blocks of [first, last], from the end, as far as credits go; *done: nothing is left there.
 * map_lock exclusively.
 */
int ext4_unmap(struct ext4_handle *h, struct inode *i, u32 first, u32 last, bool *done) __must_check;
void ext4_memo_drop(struct ext4_ino *ei);
/* Enters blocks that were taken (ext4_blocks_take) and marks them in use; when that fails, they are free. */
int ext4_map_taken(struct ext4_handle *h, struct inode *i, const struct ext4_map *m) __must_check;
/* Allocates one block of a directory or symlink at lblk and enters it. */
int ext4_map_new_block(struct ext4_handle *h, struct inode *i, u32 lblk, ext4_check_fn check,
		       struct ext4_buf **b) __must_check;
/* Number of blocks in use, in memory and for stat. map_lock exclusively. */
void ext4_count_blocks(struct inode *i, s64 by);
u64 ext4_goal(const struct inode *i, u32 lblk);

int ext4_extent_find(struct inode *i, struct ext4_map *m) __must_check;
int ext4_extent_enter(struct ext4_handle *h, struct inode *i, const struct ext4_map *m) __must_check;
int ext4_extent_written(struct ext4_handle *h, struct inode *i, u32 lblk, u32 len) __must_check;
int ext4_extent_unmap(struct ext4_handle *h, struct inode *i, u32 first, u32 last, bool *done)
	__must_check;
void ext4_extent_init(struct ext4_ino *ei);
/* A run that goes across lblk becomes two. map_lock exclusively, as the next. CREDITS_MAP. */
int ext4_extent_split(struct ext4_handle *h, struct inode *i, u32 lblk) __must_check;
/*
 * Moves the runs of one leaf that begin at or behind `first` by so many blocks, to where nothing is. Down:
 * from *at (at first: first) on; up: from *at (at first: U32_MAX - 1) backwards. *at moves on; U32_MAX: all
 * are moved. CREDITS_MAP.
 */
int ext4_extent_move(struct ext4_handle *h, struct inode *i, u32 first, s64 by, u32 *at) __must_check;
int ext4_indirect_find(struct inode *i, struct ext4_map *m) __must_check;
int ext4_indirect_enter(struct ext4_handle *h, struct inode *i, const struct ext4_map *m) __must_check;
int ext4_indirect_unmap(struct ext4_handle *h, struct inode *i, u32 first, u32 last, bool *done)
	__must_check;
u64 ext4_indirect_max(const struct ext4_geometry *g);

/* ---- Names (dir.c, htree.c, readdir.c, namei.c) ---- */

struct ext4_name {
	const char *name;
	u32 len;
};
struct ext4_place { /* of an entry */
	struct ext4_buf *buf; /* reference */
	u32 offset;
};
/* The block of a directory at lblk. -EUCLEAN also for holes. leaf: it has entries. */
int ext4_dir_block(struct inode *dir, u32 lblk, struct ext4_buf **b) __must_check;
/* The same for blocks of other kinds. */
int ext4_dir_read(struct inode *dir, u32 lblk, ext4_check_fn check, struct ext4_buf **b) __must_check;
/* -ENOENT: no such entry. */
int ext4_dir_find(struct inode *dir, const struct ext4_name *name, struct ext4_place *at) __must_check;
static inline struct ext4_dirent *ext4_place_entry(const struct ext4_place *p)
{
	return (void *)(p->buf->data + p->offset);
}
#define CREDITS_DIR (8 + 3 * (CREDITS_BLOCKS + 6)) /* two levels of index split, a new leaf */
int ext4_dir_add(struct ext4_handle *h, struct inode *dir, const struct ext4_name *name, u32 ino,
		 u32 mode) __must_check;
int ext4_dir_remove(struct ext4_handle *h, struct inode *dir, struct ext4_place *at) __must_check;
/* Another inode under the same name. */
int ext4_dir_set(struct ext4_handle *h, struct inode *dir, struct ext4_place *at, u32 ino, u32 mode)
	__must_check;
/* The first block of a new directory. */
int ext4_dir_init(struct ext4_handle *h, struct inode *dir, u32 parent) __must_check;
int ext4_dir_empty(struct inode *dir, bool *empty) __must_check;
/* ".." of a directory. */
int ext4_dir_parent(struct inode *dir, struct ext4_place *at) __must_check;
/* Adds to one leaf; -ENOSPC: no room in it. The block is sealed. */
int ext4_leaf_add(struct ext4_handle *h, struct inode *dir, struct ext4_buf *b,
		  const struct ext4_name *name, u32 ino, u32 mode) __must_check;
int ext4_leaf_find(struct inode *dir, struct ext4_buf *b, const struct ext4_name *name,
		   struct ext4_place *at) __must_check;
void ext4_dir_put(void *block, u32 offset, u32 rec_len, const struct ext4_name *name, u32 ino,
		  u32 file_type);
u32 ext4_file_type(const struct ext4_geometry *g, u32 mode);
int ext4_htree_find(struct inode *dir, const struct ext4_name *name, struct ext4_place *at)
	__must_check;
int ext4_htree_add(struct ext4_handle *h, struct inode *dir, const struct ext4_name *name, u32 ino,
		   u32 mode) __must_check;
/* The only block is full: gives the directory an index and adds. */
int ext4_htree_make(struct ext4_handle *h, struct inode *dir, const struct ext4_name *name, u32 ino,
		    u32 mode) __must_check;
/* The leaf for a hash, and the hash at which the next leaf begins (0: it is the last); bit 0: names
 * with the same hash lie on both sides. */
int ext4_htree_leaf(struct inode *dir, u32 hash, struct ext4_buf **leaf, u32 *next) __must_check;
/* A block with names has changed: seals it. Inode lock. */
static inline void ext4_dir_changed(struct inode *dir, void *block)
{
	ext4_i(dir)->changes++;
	ext4_dir_seal(&ext4_fs(dir->sb)->g, ext4_i(dir)->seed, block);
}
/* How the directory's names are hashed, for ext4_name_hash. */
int ext4_dir_hash_version(struct inode *dir, u32 *version) __must_check;
int ext4_name_hash(struct inode *dir, u32 version, const char *name, u32 len, struct ext4_hash *out)
	__must_check;
static inline bool ext4_dir_indexed(const struct inode *dir)
{
	return ext4_fs(dir->sb)->g.dir_index && ext4_i(dir)->flags & EXT4_INDEX_FL;
}
int ext4_readdir(struct file *f, struct dir_context *ctx);
void ext4_dir_release(struct file *f);
loff_t ext4_dir_llseek(struct file *f, loff_t off, int whence);

/* ---- Attributes (xattr.c, acl.c) ---- */

ssize_t ext4_getxattr(struct dentry *d, const char *name, void *value, size_t size);
int ext4_setxattr(struct dentry *d, const char *name, const void *value, size_t size, int flags);
ssize_t ext4_listxattr(struct dentry *d, char *list, size_t size);
ssize_t ext4_xattr_get(struct inode *i, u32 index, const char *name, void *value, size_t size)
	__must_check;
/* value NULL: removes. Inside a handle with CREDITS_XATTR. */
int ext4_xattr_set(struct ext4_handle *h, struct inode *i, u32 index, const char *name,
		   const void *value, size_t size, int flags) __must_check;
#define CREDITS_XATTR (4 + 2 * CREDITS_BLOCKS)
/* The attribute block goes with the inode. */
int ext4_xattrs_free(struct ext4_handle *h, struct inode *i) __must_check;
/* ACLs and capabilities of an inode that was just read. */
int ext4_acl_load(struct inode *i) __must_check;
/* Lists that a new inode has inherited. */
int ext4_acl_store(struct ext4_handle *h, struct inode *i) __must_check;
