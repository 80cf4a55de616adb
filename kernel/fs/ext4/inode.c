/*
 * Inodes: from the disk into memory and back, the table of those in memory, attributes.
 *
 * The table (inodes_lock) makes sure that there is one struct inode per number: under a lock of the number it is
 * looked for, read and entered. One whose last reference has gone may still be in it until it is evicted;
 * look-ups pass it by, which is safe because everything of an inode that has a name is in the cached block
 * of the inode table by then.
 *
 * An inode's bytes in the inode table are read and stored under raw_lock, as a whole and sealed, so that
 * two who store it at the same time do not mix.
 */
#include <lib/hash.h>
#include <lib/string.h>
#include <linux/stat.h>
#include <task/random.h>
#include <vfs/acl.h>
#include "internal.h"

#define BUCKET_BITS 12u
#define LOADING     64u /* numbers that are loaded at the same time, at most */

/* ---- The table ---- */

static struct hlist_head *bucket_of(const struct ext4_fs *fs, u64 ino)
{
	return &fs->inode_buckets[hash_u64(ino, fs->inode_bits)];
}

/* inodes_lock. With a reference. */
static struct inode *find_locked(const struct ext4_fs *fs, u64 ino)
{
	struct inode *i;

	hlist_for_each(i, bucket_of(fs, ino), ino_node)
		if (i->ino == ino && ref_get_unless_zero(&i->ref))
			return i;
	return NULL;
}

static struct inode *table_find(struct ext4_fs *fs, u64 ino)
{
	struct inode *i;

	spin_lock(&fs->inodes_lock);
	i = find_locked(fs, ino);
	spin_unlock(&fs->inodes_lock);
	return i;
}

/* The number's loading lock, under which nobody has been found. */
static void table_enter(struct ext4_fs *fs, struct inode *i)
{
	spin_lock(&fs->inodes_lock);
	hlist_add_head(&i->ino_node, bucket_of(fs, i->ino));
	spin_unlock(&fs->inodes_lock);
}

static struct mutex *loading_of(struct ext4_fs *fs, u64 ino)
{
	return &fs->loading[ino % LOADING];
}

int ext4_inodes_init(struct ext4_fs *fs)
{
	fs->inode_bits = BUCKET_BITS;
	fs->inode_buckets = kvmalloc(sizeof(*fs->inode_buckets) << BUCKET_BITS, GFP_KERNEL | GFP_ZERO);
	fs->loading = kvmalloc(LOADING * sizeof(*fs->loading), GFP_KERNEL);
	for (u32 n = 0; fs->loading && n < LOADING; n++)
		mutex_init(&fs->loading[n], LOCK_RANK_FS_LOAD);
	return fs->inode_buckets && fs->loading ? 0 : -ENOMEM;
}

void ext4_inode_leave(struct inode *i)
{
	struct ext4_fs *fs = ext4_fs(i->sb);

	spin_lock(&fs->inodes_lock);
	hlist_del(&i->ino_node);
	spin_unlock(&fs->inodes_lock);
}

/* ---- Where it lies ---- */

static u32 group_of(const struct ext4_fs *fs, u64 ino)
{
	return (u32)(ino - 1) / fs->g.inodes_per_group;
}

static u64 raw_block(const struct ext4_fs *fs, u64 ino, u32 *offset)
{
	u32 at = (u32)(ino - 1) % fs->g.inodes_per_group * fs->g.inode_size;

	*offset = at & (fs->g.block_size - 1);
	return fs->groups[group_of(fs, ino)].info.inode_table + (at >> fs->g.block_bits);
}

static int raw_read(struct ext4_fs *fs, u64 ino, struct ext4_buf **b, struct ext4_inode **raw)
{
	u32 offset;
	u64 block = raw_block(fs, ino, &offset);
	int err;

	*b = ext4_buf_peek(fs, block);
	if (!*b)
		ext4_buf_ahead(fs, ALIGN_DOWN(block, 8ULL), 8);
	ext4_buf_put(*b);
	err = ext4_buf_read(fs, block, ext4_owner(PART_INODES, group_of(fs, ino)), NULL, NULL, b);
	if (!err)
		*raw = (void *)((*b)->data + offset);
	return err;
}

int ext4_inode_raw_change(struct ext4_handle *h, struct inode *i, struct ext4_buf **b, struct ext4_inode **raw)
{
	int err = ext4_inode_raw(i, b, raw);

	if (err)
		return err;
	err = ext4_write_access(h, *b);
	if (err)
		ext4_buf_put(*b);
	return err;
}

u64 ext4_inode_block(const struct inode *i)
{
	u32 offset;

	return raw_block(ext4_fs(i->sb), i->ino, &offset);
}

int ext4_inode_raw(struct inode *i, struct ext4_buf **b, struct ext4_inode **raw)
{
	return raw_read(ext4_fs(i->sb), i->ino, b, raw);
}

/* Does the raw inode have the field? */
#define HAS_FIELD(size, field)                                                                     \
	(offsetof(struct ext4_inode, field) + sizeof(((struct ext4_inode *)0)->field) <= (size))

/* ---- Loading ---- */

static struct timespec64 load_time(u32 sec, u32 extra)
{
	return (struct timespec64){
		.tv_sec = (s64)(s32)sec + ((s64)(extra & 3) << 32),
		.tv_nsec = (long)MIN(extra >> 2, 999999999u),
	};
}

static void load_times(struct inode *i, const struct ext4_inode *raw, u32 size)
{
	i->atime = load_time(raw->atime, HAS_FIELD(size, atime_extra) ? raw->atime_extra : 0);
	i->mtime = load_time(raw->mtime, HAS_FIELD(size, mtime_extra) ? raw->mtime_extra : 0);
	i->ctime = load_time(raw->ctime, HAS_FIELD(size, ctime_extra) ? raw->ctime_extra : 0);
	i->btime = (struct timespec64){0};
	if (HAS_FIELD(size, crtime))
		i->btime = load_time(raw->crtime,
				     HAS_FIELD(size, crtime_extra) ? raw->crtime_extra : 0);
}

static u64 load_rdev(const struct ext4_inode *raw)
{
	u32 dev = raw->block[1];

	if (raw->block[0])
		return dev_make(raw->block[0] >> 8 & 0xff, raw->block[0] & 0xff);
	return dev_make((dev & 0xfff00) >> 8, (dev & 0xff) | ((dev >> 12) & 0xfff00));
}

static void store_rdev(struct ext4_ino *ei, u64 rdev)
{
	u32 major = (u32)(rdev >> 20), minor = (u32)(rdev & 0xfffff);

	if (major < 256 && minor < 256)
		ei->block[0] = major << 8 | minor;
	else
		ei->block[1] = (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

static void load_space(struct inode *i, const struct ext4_inode *raw)
{
	const struct ext4_fs *fs = ext4_fs(i->sb);
	struct ext4_ino *ei = ext4_i(i);

	ei->disk_blocks = raw->blocks_lo;
	if (fs->g.ro_compat & RO_HUGE_FILE) {
		ei->disk_blocks |= (u64)raw->blocks_high << 32;
		if (raw->flags & EXT4_HUGE_FILE_FL)
			ei->disk_blocks <<= fs->g.block_bits - SECTOR_SHIFT;
	}
	i->blocks = ei->disk_blocks;
	ei->acl_block = raw->file_acl_lo;
	if (fs->g.has_64bit)
		ei->acl_block |= (u64)raw->file_acl_high << 32;
	i->size = raw->size_lo;
	if (S_ISREG(raw->mode) || S_ISDIR(raw->mode))
		i->size |= (u64)raw->size_high << 32;
	ei->disk_size = i->size;
}

static bool has_own_xattrs(const struct ext4_fs *fs, const struct ext4_inode *raw)
{
	u32 at = ext4_inode_fixed_size(&fs->g, raw);

	return at + 2 * sizeof(u32) <= fs->g.inode_size &&
	       *(const u32 *)((const u8 *)raw + at) == XATTR_MAGIC;
}

static bool is_fast_link(const struct inode *i)
{
	const struct ext4_ino *ei = ext4_i(i);
	u64 acl = ei->acl_block ? ext4_fs(i->sb)->g.block_size >> SECTOR_SHIFT : 0;

	return i->size < sizeof(ei->block) && ei->disk_blocks == acl;
}

static const char *check_kind(const struct inode *i)
{
	const struct ext4_fs *fs = ext4_fs(i->sb);
	const struct ext4_ino *ei = ext4_i(i);
	bool mapped = inode_is_reg(i) || inode_is_dir(i) || (inode_is_lnk(i) && !is_fast_link(i));

	if (inode_is_dir(i) && (i->size & (fs->g.block_size - 1)))
		return "bad size of a directory";
	if (inode_is_lnk(i) && (!i->size || i->size > fs->g.block_size - 1))
		return "bad size of a symbolic link";
	if (ei->acl_block && !ext4_blocks_valid(&fs->g, ei->acl_block, 1))
		return "attribute block outside of the file system";
	if (mapped && ext4_uses_extents(i))
		return ext4_check_extents(&fs->g, ei->root, sizeof(ei->root), -1);
	return NULL;
}

static const char *load_link(struct inode *i)
{
	struct ext4_ino *ei = ext4_i(i);

	if (!is_fast_link(i))
		return NULL;
	if (strnlen((const char *)ei->root, sizeof(ei->root)) != i->size)
		return "bad text of a symbolic link";
	ei->link = (char *)ei->root; /* lives and dies with ei */
	return NULL;
}

static const struct inode_ops special_iops = {
	.getattr = ext4_getattr,
	.setattr = ext4_setattr,
	.getxattr = ext4_getxattr,
	.setxattr = ext4_setxattr,
	.listxattr = ext4_listxattr,
};

static const char *set_kind(struct inode *i, u64 rdev)
{
	i->ops = &special_iops;
	switch (i->mode & S_IFMT) {
	case S_IFREG:
		i->ops = &ext4_file_iops;
		i->fops = &ext4_file_fops;
		i->mapping.ops = &ext4_data_ops;
		return NULL;
	case S_IFDIR:
		i->ops = &ext4_dir_iops;
		i->fops = &ext4_dir_fops;
		return NULL;
	case S_IFLNK:
		i->ops = &ext4_link_iops;
		return NULL;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		inode_init_special(i, i->mode, rdev);
		return NULL;
	default:
		return "inode of an unknown kind";
	}
}

void ext4_set_inode_flags(struct inode *i)
{
	u32 f = ext4_i(i)->flags, own = INODE_IMMUTABLE | INODE_APPEND | INODE_NOATIME;
	u32 new = (f & EXT4_IMMUTABLE_FL ? INODE_IMMUTABLE : 0) |
		  (f & EXT4_APPEND_FL ? INODE_APPEND : 0) |
		  (f & EXT4_NOATIME_FL ? INODE_NOATIME : 0);

	WRITE_ONCE(i->flags, (i->flags & ~own) | new);
}

/* A struct inode with its private part; the lock of a directory needs the mode from the beginning. */
static struct inode *ino_alloc(struct super_block *sb, u32 mode, u32 ino, u32 generation)
{
	struct ext4_ino *ei = kzalloc(sizeof(*ei), GFP_KERNEL);
	struct inode *i = ei ? inode_alloc(sb, mode) : NULL;

	if (!i) {
		kfree(ei);
		return NULL;
	}
	ei->inode = i;
	rwsem_init(&ei->map_lock, LOCK_RANK_FS_MAP);
	spin_init(&ei->memo_lock, LOCK_RANK_FS_INODE);
	xa_init(&ei->delayed);
	list_init(&ei->orphan_node);
	ei->generation = generation;
	ei->seed = ext4_inode_seed(&ext4_fs(sb)->g, ino, generation);
	/* Its last change before it left memory may not be committed yet. */
	ei->sync_tid = ei->data_tid = ext4_open_tid(ext4_fs(sb));
	i->private = ei;
	i->ino = ino;
	return i;
}

/* What was read of an inode at one moment. */
struct snapshot {
	struct ext4_inode raw;
	bool has_xattrs;
};

static const char *load(struct inode *i, const struct snapshot *s)
{
	const struct ext4_fs *fs = ext4_fs(i->sb);
	const struct ext4_inode *raw = &s->raw;
	struct ext4_ino *ei = ext4_i(i);
	const char *why;

	i->uid = raw->uid | (u32)raw->uid_high << 16;
	i->gid = raw->gid | (u32)raw->gid_high << 16;
	i->nlink = raw->links;
	ei->flags = raw->flags;
	memcpy(ei->block, raw->block, sizeof(ei->block));
	if (fs->g.inode_size > EXT4_GOOD_OLD_INODE_SIZE)
		ei->extra_isize = raw->extra_isize;
	load_space(i, raw);
	load_times(i, raw, ext4_inode_fixed_size(&fs->g, raw));
	ei->has_xattrs = s->has_xattrs;
	ext4_set_inode_flags(i);
	why = set_kind(i, load_rdev(raw));
	if (!why)
		why = check_kind(i);
	return why || !inode_is_lnk(i) ? why : load_link(i);
}

static int snapshot(struct ext4_fs *fs, u32 ino, struct snapshot *s)
{
	struct ext4_inode *raw;
	struct ext4_buf *b;
	const char *why;
	int err = raw_read(fs, ino, &b, &raw);

	if (err)
		return err;
	memset(s, 0, sizeof(*s));
	spin_lock(&b->raw_lock);
	why = ext4_check_inode(&fs->g, ino, raw);
	if (!why) {
		memcpy(&s->raw, raw, MIN(sizeof(s->raw), (size_t)fs->g.inode_size));
		s->has_xattrs = has_own_xattrs(fs, raw);
	}
	spin_unlock(&b->raw_lock);
	ext4_buf_put(b);
	return why ? ext4_corrupt(fs, ino, why) : 0;
}

/* The loading lock. An inode in *out after an error is the caller's, too. */
static int read_inode(struct super_block *sb, u32 ino, bool orphan, struct inode **out)
{
	struct ext4_fs *fs = ext4_fs(sb);
	struct snapshot s;
	const char *why;
	int err = snapshot(fs, ino, &s);

	if (!err && (!s.raw.links || !s.raw.mode) && !orphan)
		err = -ESTALE;
	if (err)
		return err;
	*out = ino_alloc(sb, s.raw.mode, ino, s.raw.generation);
	if (!*out)
		return -ENOMEM;
	why = load(*out, &s);
	if (why)
		err = ext4_corrupt(fs, ino, why);
	else if (ext4_i(*out)->has_xattrs || ext4_i(*out)->acl_block)
		err = ext4_acl_load(*out);
	return err;
}

static int iget(struct super_block *sb, u32 ino, bool orphan, struct inode **out)
{
	struct ext4_fs *fs = ext4_fs(sb);
	int err = 0;

	if (!ino || ino > fs->g.inodes ||
	    (ino < fs->g.first_ino && ino != EXT4_ROOT_INO && ino != EXT4_JOURNAL_INO))
		return ext4_corrupt(fs, ino, "impossible inode number");
	*out = table_find(fs, ino);
	if (*out)
		return 0;
	mutex_lock(loading_of(fs, ino));
	*out = table_find(fs, ino);
	if (!*out) {
		err = read_inode(sb, ino, orphan, out);
		if (!err)
			table_enter(fs, *out);
	}
	mutex_unlock(loading_of(fs, ino));
	if (err && *out) {
		(*out)->nlink = 1; /* nothing of it is freed on the disk */
		inode_put(*out);
	}
	return err;
}

int ext4_iget(struct super_block *sb, u32 ino, struct inode **out)
{
	int err = iget(sb, ino, false, out);

	return err == -ESTALE ? ext4_corrupt(ext4_fs(sb), ino, "a name of an unused inode") : err;
}

int ext4_iget_orphan(struct super_block *sb, u32 ino, struct inode **out)
{
	return iget(sb, ino, true, out);
}

/* ---- New ones ---- */

static u32 inherited_flags(const struct inode *dir, u32 mode)
{
	u32 f = ext4_i(dir)->flags & EXT4_INHERITED_FL;

	if (S_ISREG(mode))
		f &= ~(u32)(0x10000 | 0x20000); /* DIRSYNC and TOPDIR are for directories */
	else if (!S_ISDIR(mode))
		f &= EXT4_NODUMP_FL | EXT4_NOATIME_FL;
	return f;
}

static u16 new_extra_isize(const struct ext4_fs *fs)
{
	u32 want = sizeof(struct ext4_inode) - EXT4_GOOD_OLD_INODE_SIZE;

	if (fs->g.inode_size == EXT4_GOOD_OLD_INODE_SIZE)
		return 0;
	return (u16)MIN(want, fs->g.inode_size - EXT4_GOOD_OLD_INODE_SIZE);
}

int ext4_inode_make(const struct inode *dir, u32 ino, u32 mode, u64 rdev, struct inode **out)
{
	struct ext4_fs *fs = ext4_fs(dir->sb);
	struct inode *i = ino_alloc(dir->sb, mode, ino, (u32)random_u64()), *other;
	struct ext4_ino *ei;

	if (!i)
		return -ENOMEM;
	ei = ext4_i(i);
	inode_init_owner(i, dir, mode);
	ei->flags = inherited_flags(dir, mode);
	ei->extra_isize = new_extra_isize(fs);
	ei->new = true;
	if (fs->g.extents && (S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode))) {
		ei->flags |= EXT4_EXTENTS_FL;
		ext4_extent_init(ei);
	}
	if (S_ISCHR(mode) || S_ISBLK(mode))
		store_rdev(ei, rdev);
	(void)set_kind(i, rdev);
	ext4_set_inode_flags(i);
	if (S_ISDIR(mode))
		i->nlink = 2;
	mutex_lock(loading_of(fs, ino));
	other = table_find(fs, ino);
	if (!other)
		table_enter(fs, i);
	mutex_unlock(loading_of(fs, ino));
	if (!other) {
		*out = i;
		return 0;
	}
	i->nlink = 1; /* the other's, which is in use although the bitmap says that it is free */
	inode_put(i);
	inode_put(other);
	return ext4_corrupt(fs, ino, "an inode that is in use is allocated");
}

/* ---- Storing ---- */

static u32 time_extra(const struct timespec64 *t)
{
	return (u32)((t->tv_sec - (s32)t->tv_sec) >> 32 & 3) | (u32)t->tv_nsec << 2;
}

static void store_times(struct inode *i, struct ext4_inode *raw, u32 size)
{
	spin_lock(&i->spin);
	raw->atime = (u32)i->atime.tv_sec;
	raw->mtime = (u32)i->mtime.tv_sec;
	raw->ctime = (u32)i->ctime.tv_sec;
	if (HAS_FIELD(size, ctime_extra))
		raw->ctime_extra = time_extra(&i->ctime);
	if (HAS_FIELD(size, mtime_extra))
		raw->mtime_extra = time_extra(&i->mtime);
	if (HAS_FIELD(size, atime_extra))
		raw->atime_extra = time_extra(&i->atime);
	if (HAS_FIELD(size, crtime))
		raw->crtime = (u32)i->btime.tv_sec;
	if (HAS_FIELD(size, crtime_extra))
		raw->crtime_extra = time_extra(&i->btime);
	spin_unlock(&i->spin);
}

static void store_space(struct inode *i, struct ext4_inode *raw)
{
	const struct ext4_fs *fs = ext4_fs(i->sb);
	struct ext4_ino *ei = ext4_i(i);
	u64 size = inode_is_reg(i) ? ei->disk_size : i->size, blocks = ei->disk_blocks;
	u64 acl = READ_ONCE(ei->acl_block); /* who changes it stores the inode in the same transaction */

	raw->size_lo = (u32)size;
	raw->size_high = (u32)(size >> 32);
	ei->flags &= ~EXT4_HUGE_FILE_FL;
	if (blocks >> 48) {
		ei->flags |= EXT4_HUGE_FILE_FL;
		blocks >>= fs->g.block_bits - SECTOR_SHIFT;
	}
	raw->blocks_lo = (u32)blocks;
	raw->blocks_high = (u16)(blocks >> 32);
	raw->file_acl_lo = (u32)acl;
	raw->file_acl_high = (u16)(acl >> 32);
}

/* The raw inode, its buffer's raw_lock held. */
static void store(struct inode *i, struct ext4_inode *raw)
{
	const struct ext4_fs *fs = ext4_fs(i->sb);
	struct ext4_ino *ei = ext4_i(i);

	if (ei->new) {
		memset(raw, 0, fs->g.inode_size);
		if (fs->g.inode_size > EXT4_GOOD_OLD_INODE_SIZE)
			raw->extra_isize = ei->extra_isize;
		raw->generation = ei->generation;
		ei->new = false;
	}
	raw->mode = (u16)i->mode;
	raw->uid = (u16)i->uid;
	raw->uid_high = (u16)(i->uid >> 16);
	raw->gid = (u16)i->gid;
	raw->gid_high = (u16)(i->gid >> 16);
	raw->links = (u16)i->nlink;
	store_space(i, raw);
	raw->flags = ei->flags;
	memcpy(raw->block, ei->block, sizeof(raw->block));
	store_times(i, raw, ext4_inode_fixed_size(&fs->g, raw));
	ext4_inode_seal(&fs->g, (u32)i->ino, raw);
}

int ext4_inode_store(struct ext4_handle *h, struct inode *i)
{
	struct ext4_inode *raw;
	struct ext4_buf *b;
	int err = ext4_inode_raw_change(h, i, &b, &raw);

	if (err)
		return err;
	spin_lock(&b->raw_lock);
	store(i, raw);
	spin_unlock(&b->raw_lock);
	ext4_note_tid(h, i, false);
	ext4_buf_put(b);
	return 0;
}

/* ---- The end ---- */

static void ino_free_rcu(struct rcu_head *head)
{
	struct ext4_ino *ei = container_of(head, struct ext4_ino, rcu);

	if (ei->link != (char *)ei->root)
		kfree(ei->link);
	kfree(ei);
}

void ext4_evict(struct inode *i)
{
	struct ext4_ino *ei = ext4_i(i);

	if (!ei)
		return;
	ext4_promises_drop(i, 0, U64_MAX);
	if (!i->nlink)
		ext4_delete(i);
	/* That, or making it shorter, has failed: it stays on the disk's list, for the next mount that can write. */
	if (unlikely(READ_ONCE(ei->orphan)))
		ext4_orphan_leave(i);
	ext4_inode_leave(i);
	xa_destroy(&ei->delayed);
	rcu_call(&ei->rcu, ino_free_rcu); /* a walk may be reading the link's text */
}

/* ---- Attributes ---- */

int ext4_getattr(const struct path *p, struct kstat *st)
{
	struct inode *i = p->dentry->inode;
	u32 f = READ_ONCE(ext4_i(i)->flags);

	stat_fill(p, st);
	st->blksize = ext4_fs(i->sb)->g.block_size;
	st->has_btime = i->btime.tv_sec;
	/* Blocks that are promised count, as on Linux. */
	if (inode_is_reg(i)) {
		st->dio_mem_align = SECTOR_SIZE;
		st->dio_offset_align = block_device_block_size(ext4_fs(i->sb)->bdev);
		st->blocks += READ_ONCE(ext4_i(i)->nr_delayed)
			      << (ext4_fs(i->sb)->g.block_bits - SECTOR_SHIFT);
	}
	st->attributes |= (f & EXT4_APPEND_FL ? STATX_ATTR_APPEND : 0) |
			  (f & EXT4_IMMUTABLE_FL ? STATX_ATTR_IMMUTABLE : 0) |
			  (f & EXT4_NODUMP_FL ? STATX_ATTR_NODUMP : 0);
	st->attributes_mask |= STATX_ATTR_APPEND | STATX_ATTR_COMPRESSED | STATX_ATTR_ENCRYPTED |
			       STATX_ATTR_IMMUTABLE | STATX_ATTR_NODUMP | STATX_ATTR_VERITY;
	return 0;
}

static int set_attributes(struct dentry *d, struct iattr *attr)
{
	struct inode *i = d->inode;
	struct ext4_handle h;
	int err = ext4_start(ext4_fs(i->sb), &h, CREDITS_INODE + CREDITS_XATTR);

	if (err)
		return err;
	err = inode_setattr_simple(d, attr);
	if (!err && attr->valid & ATTR_MODE && i->acl)
		err = ext4_acl_store(&h, i);
	if (!err)
		err = ext4_inode_store(&h, i);
	ext4_stop(&h);
	return err;
}

int ext4_setattr(struct dentry *d, struct iattr *attr)
{
	struct inode *i = d->inode;
	bool resize = attr->valid & ATTR_SIZE && attr->size != i->size;
	int err = 0;

	if (attr->valid & ATTR_SIZE && !attr->size)
		ext4_i(i)->replaced = true;
	if (resize && inode_is_reg(i)) {
		attr->valid |= ATTR_MTIME | ATTR_CTIME;
		err = ext4_set_size(i, attr->size);
	}
	attr->valid &= ~ATTR_SIZE;
	return err || !attr->valid ? err : set_attributes(d, attr);
}

/* A long link's text lies in its first block. */
static int read_link(struct inode *i, char **out)
{
	struct ext4_map m = {.lblk = 0, .len = 1};
	struct ext4_buf *b;
	int err = ext4_map_block(i, &m);

	if (!err && (!m.pblk || m.unwritten))
		err = ext4_corrupt(ext4_fs(i->sb), i->ino, "symbolic link without a text");
	if (!err)
		err = ext4_buf_read(ext4_fs(i->sb), m.pblk, ext4_owner(PART_CONTENTS, i->ino), NULL, NULL, &b);
	if (err)
		return err;
	*out = kmalloc(i->size + 1, GFP_KERNEL);
	if (*out) {
		memcpy(*out, b->data, i->size);
		(*out)[i->size] = '\0';
	}
	ext4_buf_put(b);
	if (*out && strlen(*out) != i->size) {
		kfree(*out);
		return ext4_corrupt(ext4_fs(i->sb), i->ino, "bad text of a symbolic link");
	}
	return *out ? 0 : -ENOMEM;
}

int ext4_get_link(struct inode *i, bool may_sleep, const char **target)
{
	struct ext4_ino *ei = ext4_i(i);
	char *text = smp_load_acquire(&ei->link), *none = NULL;
	int err;

	if (!text && !may_sleep)
		return -ECHILD;
	if (!text) {
		err = read_link(i, &text);
		if (err)
			return err;
		if (!__atomic_compare_exchange_n(&ei->link, &none, text, false, __ATOMIC_SEQ_CST,
						 __ATOMIC_SEQ_CST)) {
			kfree(text);
			text = none;
		}
	}
	*target = text;
	return 0;
}

const struct inode_ops ext4_file_iops = {
	.getattr = ext4_getattr,
	.setattr = ext4_setattr,
	.getxattr = ext4_getxattr,
	.setxattr = ext4_setxattr,
	.listxattr = ext4_listxattr,
};

const struct inode_ops ext4_link_iops = {
	.get_link = ext4_get_link,
	.getattr = ext4_getattr,
	.setattr = ext4_setattr,
	.getxattr = ext4_getxattr,
	.setxattr = ext4_setxattr,
	.listxattr = ext4_listxattr,
};
