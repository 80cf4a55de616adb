/*
 * Telling the device which blocks nobody needs any more: FITRIM for what is free, and with the mount
 * option "discard" what a transaction has freed, once it is committed.
 *
 * Blocks are taken off the free ones in memory while the device forgets them, so nobody gets them
 * meanwhile. Only blocks whose freeing is committed are free in memory (balloc.c).
 */
#include <linux/fs.h>
#include <mm/user.h>
#include <task/task.h>
#include "internal.h"

DEFINE_USER_PTR(fstrim, struct fstrim_range);

struct trim {
	u64 first, last; /* blocks */
	u32 least;       /* shorter runs stay */
	u64 done;
};

/* The free runs of a group. */
static int trim_group(struct ext4_fs *fs, u32 group, struct trim *t)
{
	u32 bits = fs->g.block_bits, blocks = ext4_group_blocks(&fs->g, group), nr;
	u64 base = ext4_group_first_block(&fs->g, group);
	u32 at = (u32)(MAX(t->first, base) - base), end = (u32)(MIN(t->last + 1, base + blocks) - base);
	bool whole = !at && end == blocks;
	int err;

	if (!ext4_trim_wanted(fs, group, t->least, whole))
		return 0;
	while (!(err = ext4_run_take(fs, group, t->least, end, &at, &nr))) {
		err = block_discard(fs->bdev, (base + at) << bits, (u64)nr << bits);
		ext4_run_release(fs, group, at, nr);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		if (err)
			break;
		t->done += nr;
		at += nr;
	}
	return err == -ENOSPC ? 0 : err; /* there are no more */
}

/* As Linux checks it. 1: nothing is to be done. */
static int check(const struct ext4_fs *fs, const struct fstrim_range *r, struct trim *t)
{
	u32 bits = fs->g.block_bits, granularity = block_device_granularity(fs->bdev);
	u64 least = r->minlen >> bits, start = r->start >> bits;

	if (least > fs->g.blocks_per_group || start >= fs->g.blocks || r->len < fs->g.block_size)
		return -EINVAL;
	if (r->minlen < granularity)
		least = DIV_ROUND_UP(granularity, fs->g.block_size);
	t->first = MAX(start, (u64)fs->g.first_data_block);
	t->last = start + MIN(r->len >> bits, fs->g.blocks - start) - 1;
	t->least = MAX((u32)least, 1u);
	return least > fs->g.blocks_per_group || t->last < t->first;
}

static int trim(struct ext4_fs *fs, struct fstrim_range *r)
{
	struct trim t = {0};
	int err = check(fs, r, &t);

	if (err < 0)
		return err;
	for (u32 g = 0; !err && g < fs->g.groups; g++) {
		u64 base = ext4_group_first_block(&fs->g, g);

		if (base <= t.last && base + ext4_group_blocks(&fs->g, g) > t.first)
			err = trim_group(fs, g, &t);
	}
	r->len = t.done << fs->g.block_bits;
	return err < 0 ? err : 0;
}

long ext4_fitrim(struct inode *i, u64 arg)
{
	struct ext4_fs *fs = ext4_fs(i->sb);
	struct user_fstrim user = {.uaddr = arg};
	struct fstrim_range r;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!block_device_can_discard(fs->bdev))
		return -EOPNOTSUPP;
	if (fs->o.noload)
		return -EROFS;
	if (user_read(&r, user))
		return -EFAULT;
	err = trim(fs, &r);
	return err ? err : user_write(user, &r);
}

void ext4_discard_freed(struct ext4_fs *fs, const struct list_head *freed)
{
	static const struct bio_vec none;
	const struct ext4_freed *f;
	struct ext4_io io;
	int err = 0;

	if (!READ_ONCE(fs->o.discard) || list_empty(freed))
		return;
	ext4_io_begin(&io, fs);
	list_for_each(f, freed, node)
		if (!err)
			err = ext4_io_add(&io, BIO_DISCARD, 0, f->block, f->nr, &none, 0, NULL);
	if (ext4_io_end(&io, NULL) == -EOPNOTSUPP)
		WRITE_ONCE(fs->o.discard, false);
}
