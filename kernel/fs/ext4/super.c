/*
 * Mounting: reading the super block and the group descriptors, recovery, becoming writable and clean
 * again; errors; statfs.
 *
 * A file system that may have to be recovered is loaded twice: once to find the journal, and again
 * from the beginning after it was replayed.
 */
#include <boot/init.h>
#include <lib/format.h>
#include <lib/string.h>
#include <linux/magic.h>
#include <sched/sched.h>
#include <time/clock.h>
#include "csum.h"
#include "journal.h"

#define COMPLAINTS_MAX  10u /* as on Linux */
#define COMPLAINTS_TIME (5 * NSEC_PER_SEC)

static DEFINE_MUTEX(mounted_lock, LOCK_RANK_FS_REGISTRY);
static struct list_head mounted = LIST_INIT(mounted); /* mounted_lock */

/* ---- Errors ---- */

/* A damaged image gives reasons to complain without end: some at a time will do. Races only miscount. */
static bool may_complain(struct ext4_fs *fs)
{
	u64 now = clock_monotonic();
	u32 nr = READ_ONCE(fs->complaints);

	if (now - READ_ONCE(fs->complaints_since) > COMPLAINTS_TIME) {
		if (nr > COMPLAINTS_MAX)
			pr_err("ext4 (%s): %u complaints were left out\n", fs->bdev->name,
			       nr - COMPLAINTS_MAX);
		WRITE_ONCE(fs->complaints_since, now);
		nr = 0;
	}
	WRITE_ONCE(fs->complaints, nr + 1);
	return nr < COMPLAINTS_MAX;
}

int ext4_corrupt(struct ext4_fs *fs, u64 ino, const char *what)
{
	if (may_complain(fs)) {
		if (ino)
			pr_err("ext4 (%s): inode %llu: %s\n", fs->bdev->name, ino, what);
		else
			pr_err("ext4 (%s): %s\n", fs->bdev->name, what);
	}
	WRITE_ONCE(fs->error_seen, true);
	if (READ_ONCE(fs->o.errors_ro) && !(READ_ONCE(fs->sb->flags) & MS_RDONLY)) {
		pr_err("ext4 (%s): read-only from now on\n", fs->bdev->name);
		__atomic_fetch_or(&fs->sb->flags, MS_RDONLY, __ATOMIC_SEQ_CST);
	}
	return -EUCLEAN;
}

void ext4_fail(struct ext4_fs *fs, int err, const char *what)
{
	struct ext4_journal *j = fs->journal;

	spin_lock(&j->lock);
	WRITE_ONCE(j->error, -EIO); /* for every caller: what it does next relies on it */
	spin_unlock(&j->lock);
	if (__atomic_exchange_n(&fs->failed, true, __ATOMIC_SEQ_CST))
		return;
	pr_err("ext4 (%s): %s: error %d; read-only from now on\n", fs->bdev->name, what, -err);
	__atomic_fetch_or(&fs->sb->flags, MS_RDONLY, __ATOMIC_SEQ_CST);
	wake_up_all(&j->changed);
}

/* ---- The super block on the disk ---- */

/* Counts and marks as they are now. Whoever may write the super block's buffer. */
static void super_update(struct ext4_fs *fs)
{
	struct ext4_super *s = fs->super;
	u64 blocks = 0;
	u32 inodes = 0;

	for (u32 i = 0; i < fs->g.groups; i++) {
		blocks += READ_ONCE(fs->groups[i].info.free_blocks);
		inodes += READ_ONCE(fs->groups[i].info.free_inodes);
	}
	s->free_blocks_lo = (u32)blocks;
	if (fs->g.has_64bit)
		s->free_blocks_hi = (u32)(blocks >> 32);
	s->free_inodes = inodes;
	s->wtime = (u32)clock_inode_time().tv_sec;
	if (READ_ONCE(fs->error_seen)) {
		s->state |= EXT4_STATE_ERROR;
		s->error_count += !s->error_count;
		s->last_error_time = s->wtime;
		s->first_error_time = s->first_error_time ? s->first_error_time : s->wtime;
	}
	ext4_seal_super(&fs->g, s);
}

int ext4_super_fold(struct ext4_handle *h)
{
	int err = ext4_write_access(h, h->fs->super_buf);

	if (!err)
		super_update(h->fs);
	return err;
}

static int super_write(struct ext4_fs *fs)
{
	super_update(fs);
	return ext4_write_block(fs, fs->super_buf->block, fs->super_buf->data,
				BIO_FUA | BIO_PREFLUSH);
}

/* ---- Writable and not ---- */

static void mark_mounted(struct ext4_fs *fs)
{
	struct ext4_super *s = fs->super;

	fs->was_valid = s->state & EXT4_STATE_VALID;
	s->mtime = (u32)clock_inode_time().tv_sec;
	s->mnt_count++;
	if (fs->journal && fs->journal->has_log)
		s->feature_incompat |= INCOMPAT_RECOVER;
	else
		s->state &= (u16)~EXT4_STATE_VALID;
	/* Files above 2 GiB and the other things that may come to be. */
	if (s->rev_level)
		s->feature_ro_compat |= RO_LARGE_FILE;
}

static int write_clean(struct ext4_fs *fs)
{
	fs->super->feature_incompat &= ~INCOMPAT_RECOVER;
	if (fs->was_valid)
		fs->super->state |= EXT4_STATE_VALID;
	return super_write(fs);
}

int ext4_go_writable(struct ext4_fs *fs)
{
	int err;

	if (fs->ro_feature || fs->failed)
		return -EROFS;
	if (fs->o.noload && fs->journal && fs->journal->g.start)
		return -EROFS;
	if (!fs->super->rev_level)
		return -EROFS; /* too old to have the features that are written here */
	/*
	 * The flag first: a log that begins somewhere in a file system that does not have to be
	 * recovered is something that e2fsck leaves to a human being.
	 */
	mark_mounted(fs);
	err = super_write(fs);
	if (!err)
		err = ext4_journal_start(fs);
	if (err) {
		if (!fs->journal || !fs->journal->has_log || !fs->journal->g.start)
			(void)!write_clean(fs);
		return err;
	}
	fs->writable = true;
	__atomic_fetch_and(&fs->sb->flags, ~MS_RDONLY, __ATOMIC_SEQ_CST);
	ext4_orphans_recover(fs);
	return 0;
}

int ext4_go_readonly(struct ext4_fs *fs)
{
	struct ext4_journal *j = fs->journal;
	int err = 0;

	if (!fs->writable)
		return 0;
	ext4_journal_stop(fs);
	fs->writable = false;
	if (j->error)
		return -EIO; /* the log stays as it is: recovery is the next mount's */
	if (j->has_log)
		err = ext4_journal_write_super(j, 0, j->next_tid);
	return err ? err : write_clean(fs);
}

/* ---- Loading ---- */

static int read_super(struct ext4_fs *fs)
{
	u8 *raw = kmalloc(2 * sizeof(struct ext4_super), GFP_KERNEL);
	u32 unsupported, size = MAX(block_device_block_size(fs->bdev), 1024u);
	const char *why;
	int err;

	if (!raw)
		return -ENOMEM;
	if (size > 2048) {
		kfree(raw);
		raw = kmalloc(size, GFP_KERNEL);
	}
	err = raw ? block_read(fs->bdev, size > 1024 ? 0 : 1024, raw, MAX(size, 1024u)) : -ENOMEM;
	if (!err) {
		why = ext4_check_super((void *)(raw + (size > 1024 ? 1024 : 0)), &fs->g,
				       &unsupported);
		if (unsupported)
			pr_err("ext4 (%s): feature %s (0x%x) is not supported\n", fs->bdev->name,
			       ext4_incompat_name(unsupported), unsupported);
		else if (why && strcmp(why, "no ext4 super block") != 0)
			pr_err("ext4 (%s): %s\n", fs->bdev->name, why);
		err = why ? -EINVAL : 0;
	}
	kfree(raw);
	if (!err && fs->g.blocks > block_device_size(fs->bdev) >> fs->g.block_bits) {
		pr_err("ext4 (%s): the device is smaller than the file system\n", fs->bdev->name);
		err = -EINVAL;
	}
	if (!err && fs->g.block_size < block_device_block_size(fs->bdev))
		err = -EINVAL;
	return err;
}

static int load_descs(struct ext4_fs *fs)
{
	const char *why = NULL;
	int err = 0;

	fs->groups = kvmalloc(fs->g.groups * sizeof(*fs->groups), GFP_KERNEL | GFP_ZERO);
	fs->desc_bufs = kvmalloc(fs->g.desc_blocks * sizeof(*fs->desc_bufs), GFP_KERNEL | GFP_ZERO);
	if (!fs->groups || !fs->desc_bufs)
		return -ENOMEM;
	for (u32 n = 0; n < fs->g.desc_blocks && !err; n++)
		err = ext4_buf_read(fs, ext4_desc_block(&fs->g, n), ext4_owner(PART_SUPER, 0), NULL, NULL,
				    &fs->desc_bufs[n]);
	for (u32 i = 0; i < fs->g.groups && !err; i++) {
		mutex_init(&fs->groups[i].lock, LOCK_RANK_FS_GROUP);
		why = ext4_check_desc(&fs->g, i, ext4_desc_raw(fs, i), &fs->groups[i].info);
		err = why ? -EUCLEAN : 0;
		atomic64_add(&fs->free_inodes, fs->groups[i].info.free_inodes);
	}
	if (why)
		pr_err("ext4 (%s): %s\n", fs->bdev->name, why);
	return err;
}

static int load_super(struct ext4_fs *fs)
{
	bool small = fs->g.block_size == 1024;
	int err = ext4_buf_read(fs, small, ext4_owner(PART_SUPER, 0), NULL, NULL, &fs->super_buf);

	if (!err)
		fs->super = (void *)(fs->super_buf->data + (small ? 0 : EXT4_SUPER_OFFSET));
	return err;
}

static int load_tables(struct ext4_fs *fs)
{
	int err = ext4_cache_init(fs);

	if (!err)
		err = ext4_inodes_init(fs);
	if (!err)
		err = load_super(fs);
	if (!err)
		err = load_descs(fs);
	return err ? err : ext4_balloc_init(fs);
}

static void unload(struct ext4_fs *fs)
{
	ext4_journal_free(fs->journal);
	fs->journal = NULL;
	ext4_balloc_destroy(fs);
	for (u32 n = 0; fs->desc_bufs && n < fs->g.desc_blocks; n++)
		ext4_buf_put(fs->desc_bufs[n]);
	ext4_buf_put(fs->super_buf);
	kvfree(fs->desc_bufs);
	kvfree(fs->groups);
	kvfree(fs->inode_buckets);
	kvfree(fs->loading);
	ext4_cache_destroy(fs);
}

static void fs_reset(struct ext4_fs *fs)
{
	struct ext4_fs keep = *fs;

	*fs = (struct ext4_fs){.sb = keep.sb, .bdev = keep.bdev, .o = keep.o,
			       .error_seen = keep.error_seen};
	list_init(&fs->node);
	list_init(&fs->mounted_node);
	list_init(&fs->cache_lru);
	list_init(&fs->orphans);
	spin_init(&fs->cache_lock, LOCK_RANK_FS_CACHE);
	spin_init(&fs->inodes_lock, LOCK_RANK_SB_LISTS);
	mutex_init(&fs->orphan_lock, LOCK_RANK_FS_ORPHAN);
}

static int load(struct ext4_fs *fs)
{
	int err;

	fs_reset(fs);
	err = read_super(fs);
	if (err)
		return err;
	fs->ro_feature = fs->g.ro_compat & ~RO_SUPPORTED;
	fs->sb->blocksize = fs->g.block_size;
	err = load_tables(fs);
	if (!err && !fs->o.errors_given)
		fs->o.errors_ro = fs->super->errors != EXT4_ERRORS_CONTINUE;
	if (!err && fs->g.compat & COMPAT_HAS_JOURNAL) {
		if (fs->super->journal_inum == EXT4_JOURNAL_INO)
			err = ext4_journal_load(fs, EXT4_JOURNAL_INO, &fs->journal);
		else
			err = -EINVAL; /* on a device of its own */
	}
	if (err)
		unload(fs);
	return err;
}

/* The log into the file system. *again: it must be loaded anew. */
static int recover(struct ext4_fs *fs, bool *again)
{
	int err;

	*again = false;
	if (!fs->journal || !(fs->g.incompat & INCOMPAT_RECOVER) || fs->o.noload)
		return 0;
	if (block_device_read_only(fs->bdev)) {
		pr_err("ext4 (%s): must be recovered, but the device is read-only\n",
		       fs->bdev->name);
		return -EROFS;
	}
	err = ext4_journal_recover(fs->journal);
	*again = !err;
	return err;
}

static int root_inode(struct ext4_fs *fs)
{
	struct inode *i;
	int err = ext4_iget(fs->sb, EXT4_ROOT_INO, &i);

	if (err)
		return err;
	if (!inode_is_dir(i) || !i->size) {
		inode_put(i);
		return ext4_corrupt(fs, EXT4_ROOT_INO, "the root is no directory");
	}
	fs->sb->root = dentry_alloc_root(fs->sb, i);
	return fs->sb->root ? 0 : -ENOMEM;
}

/* Loaded, recovered, loaded again. */
static int load_recovered(struct ext4_fs *fs)
{
	bool again;
	int err = load(fs);

	if (err)
		return err;
	err = recover(fs, &again);
	if (!err && again) {
		unload(fs);
		err = load(fs);
		if (err)
			return err;
	}
	if (err)
		unload(fs);
	return err;
}

/* ---- Super block operations ---- */

static u64 overhead(const struct ext4_fs *fs)
{
	u64 n = fs->g.first_data_block;

	if (fs->super->overhead_blocks && fs->super->overhead_blocks < fs->g.blocks)
		return fs->super->overhead_blocks;
	for (u32 i = 0; i < fs->g.groups; i++)
		n += ext4_group_overhead(&fs->g, i) + fs->g.itable_blocks + 2;
	if (fs->journal && fs->journal->has_log)
		n += fs->journal->g.len;
	return MIN(n, fs->g.blocks);
}

static int statfs(struct super_block *sb, struct kstatfs *st)
{
	const struct ext4_fs *fs = ext4_fs(sb);
	u64 keep = fs->g.r_blocks + fs->meta_reserve, id[2];

	memcpy(id, fs->super->uuid, sizeof(id));
	st->type = EXT4_SUPER_MAGIC;
	st->bsize = st->frsize = fs->g.block_size;
	st->blocks = fs->g.blocks - overhead(fs);
	st->bfree = ext4_available(fs);
	st->bavail = st->bfree > keep ? st->bfree - keep : 0;
	st->files = fs->g.inodes;
	st->ffree = (u64)atomic64_read(&fs->free_inodes);
	st->namelen = EXT4_NAME_LEN;
	st->fsid = id[0] ^ id[1];
	return 0;
}

static int sync(struct super_block *sb)
{
	struct ext4_fs *fs = ext4_fs(sb);
	int err, e = 0;

	if (READ_ONCE(sb->flags) & MS_RDONLY)
		return READ_ONCE(fs->failed) ? -EIO : 0;
	err = writeback_super(sb);
	if (ext4_open_tid(fs))
		e = ext4_sync_all(fs);
	else if (READ_ONCE(fs->o.barrier))
		e = block_flush(fs->bdev);
	return err ? err : e;
}

static void super_free(struct super_block *sb)
{
	struct ext4_fs *fs = ext4_fs(sb);

	mutex_lock(&mounted_lock);
	list_del(&fs->mounted_node);
	mutex_unlock(&mounted_lock);
	block_device_close(fs->bdev, sb);
	block_device_put(fs->bdev);
	kfree(fs);
}

static void kill(struct super_block *sb)
{
	struct ext4_fs *fs = ext4_fs(sb);

	if (!fs)
		return; /* not even the device could be opened */
	if (fs->inode_buckets) {
		(void)!ext4_go_readonly(fs);
		unload(fs);
	}
	super_free(sb);
}

static const struct super_ops ext4_super_ops = {
	.evict = ext4_evict,
	.statfs = statfs,
	.sync = sync,
	.kill = kill,
	.show_options = ext4_show_options,
};

static int remount_to(struct ext4_fs *fs, bool ro)
{
	struct super_block *sb = fs->sb;
	int err;

	if (!ro && !fs->writable)
		return ext4_go_writable(fs);
	if (!ro || !fs->writable)
		return 0;
	/* The flag is set already, but what is in memory still has to go out. */
	__atomic_fetch_and(&sb->flags, ~MS_RDONLY, __ATOMIC_SEQ_CST);
	err = writeback_super(sb);
	__atomic_fetch_or(&sb->flags, MS_RDONLY, __ATOMIC_SEQ_CST);
	return ext4_go_readonly(fs) ? -EIO : err;
}

static int remount(struct super_block *sb, u32 flags, const char *text)
{
	struct ext4_fs *fs = ext4_fs(sb);
	struct ext4_options o = fs->o;
	bool noload = o.noload;
	int err = ext4_parse_options(&o, text);

	if (err)
		return err;
	o.noload = noload;
	fs->o = o;
	return remount_to(fs, flags & MS_RDONLY);
}

/* ---- mount(2) ---- */

/* A super block for the device that exists already, with a reference. *dying: one is going away. */
static struct super_block *find_mounted(const struct block_device *bdev, bool *dying)
{
	struct super_block *sb = NULL;
	struct ext4_fs *fs;

	*dying = false;
	mutex_lock(&mounted_lock);
	list_for_each(fs, &mounted, mounted_node) {
		if (fs->bdev != bdev)
			continue;
		if (ref_get_unless_zero(&fs->sb->ref))
			sb = fs->sb;
		else
			*dying = true;
	}
	mutex_unlock(&mounted_lock);
	return sb;
}

static int fs_start(struct super_block *sb, u32 flags)
{
	struct ext4_fs *fs = ext4_fs(sb);
	int err = load_recovered(fs);

	if (err) {
		fs->inode_buckets = NULL;
		return err;
	}
	if (fs->o.discard && !block_device_can_discard(fs->bdev))
		pr_warn("ext4 (%s): the device cannot discard\n", fs->bdev->name);
	sb->dev = fs->bdev->dev;
	sb->magic = EXT4_SUPER_MAGIC;
	sb->max_bytes = (fs->g.extents ? (u64)U32_MAX : ext4_indirect_max(&fs->g)) << fs->g.block_bits;
	err = root_inode(fs);
	if (err)
		return err;
	mutex_lock(&mounted_lock);
	list_add_tail(&fs->mounted_node, &mounted);
	mutex_unlock(&mounted_lock);
	if (fs->ro_feature && !(flags & MS_RDONLY)) {
		pr_err("ext4 (%s): a feature (0x%x) allows reading only\n", fs->bdev->name,
		       fs->g.ro_compat & ~RO_SUPPORTED);
		return -EROFS;
	}
	return flags & MS_RDONLY ? 0 : ext4_go_writable(fs);
}

/* The device is opened for writing also for a read-only mount, which may have to recover it. */
static int open_device(struct super_block *sb, struct block_device *bdev, u32 flags)
{
	bool write = !block_device_read_only(bdev);

	if (!write && !(flags & MS_RDONLY))
		return -EACCES;
	return block_device_open(bdev, write, sb);
}

static int mount_device(const struct fs_type *t, struct block_device *bdev, u32 flags,
			const struct ext4_options *o, struct super_block **out)
{
	struct super_block *sb = super_alloc(t);
	struct ext4_fs *fs = sb ? kzalloc(sizeof(*fs), GFP_KERNEL) : NULL;
	int err = fs ? writeback_start(sb) : -ENOMEM;

	if (!err)
		err = open_device(sb, bdev, flags);
	if (err) {
		kfree(fs);
		if (sb)
			super_put(sb);
		return err;
	}
	block_device_get(bdev);
	fs->sb = sb;
	fs->bdev = bdev;
	fs->o = *o;
	fs_reset(fs);
	sb->private = fs;
	sb->ops = &ext4_super_ops;
	sb->flags = flags | MS_RDONLY; /* until it is ready */
	err = fs_start(sb, flags);
	if (err)
		super_put(sb);
	else
		*out = sb;
	return err;
}

static int mount_again(struct super_block *sb, u32 flags, struct super_block **out)
{
	if ((READ_ONCE(sb->flags) ^ flags) & MS_RDONLY) {
		super_put(sb);
		return -EBUSY;
	}
	*out = sb;
	return 0;
}

static int mount_type(const struct fs_type *t, const char *source, u32 flags, const char *text,
		      struct super_block **out)
{
	struct ext4_options o = {.commit_s = 5, .barrier = true, .acl = true, .auto_da_alloc = true};
	struct block_device *bdev;
	struct super_block *sb;
	bool dying;
	int err = ext4_parse_options(&o, text);

	if (!err)
		err = source && *source ? block_device_by_path(source, &bdev) : -EINVAL;
	if (err)
		return err;
	for (;;) {
		sb = find_mounted(bdev, &dying);
		if (!dying || sb)
			break;
		sched_set_state(TASK_UNINTERRUPTIBLE);
		schedule_until(clock_monotonic() + 5 * NSEC_PER_MSEC);
	}
	err = sb ? mount_again(sb, flags, out) : mount_device(t, bdev, flags, &o, out);
	block_device_put(bdev);
	return err;
}

static int ext4_init(void)
{
	static struct fs_type types[] = {
		{.name = "ext4", .user_mountable = true, .mount = mount_type, .remount = remount},
		{.name = "ext3", .user_mountable = true, .mount = mount_type, .remount = remount},
		{.name = "ext2", .user_mountable = true, .mount = mount_type, .remount = remount},
	};
	int err = 0;

	ext4_csum_init();
	for (u32 i = 0; i < ARRAY_SIZE(types) && !err; i++)
		err = fs_register(&types[i]);
	return err;
}
INIT_CALL(INIT_FS, ext4_init);
