/* What files are: stat, lstat, fstat, newfstatat, statx. */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/fcntl.h>
#include <syscall/table.h>
#include <vfs/blkdev.h>
#include <vfs/file.h>

#include "internal.h"

#define STAT_AT_FLAGS (AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE)

void stat_fill(const struct path *p, struct kstat *st)
{
	struct inode *i = p->dentry->inode;

	st->ino = i->ino;
	st->mode = READ_ONCE(i->mode);
	st->nlink = READ_ONCE(i->nlink);
	st->uid = READ_ONCE(i->uid);
	st->gid = READ_ONCE(i->gid);
	st->size = READ_ONCE(i->size);
	st->blocks = READ_ONCE(i->blocks);
	st->blksize = i->sb->blocksize;
	st->dev = i->sb->dev;
	st->rdev = i->rdev;
	st->attributes = 0;
	st->attributes_mask = STATX_ATTR_AUTOMOUNT | STATX_ATTR_DAX;
	st->has_btime = false;
	st->dio_mem_align = st->dio_offset_align = 0;
	spin_lock(&i->spin);
	st->atime = i->atime;
	st->mtime = i->mtime;
	st->ctime = i->ctime;
	st->btime = i->btime;
	spin_unlock(&i->spin);
}

int path_stat(const struct path *p, struct kstat *st)
{
	const struct inode_ops *ops = p->dentry->inode->ops;
	int err = 0;

	if (ops && ops->getattr)
		err = ops->getattr(p, st);
	else
		stat_fill(p, st);
	if (p->dentry == p->mnt->root)
		st->attributes |= STATX_ATTR_MOUNT_ROOT;
	st->attributes_mask |= STATX_ATTR_MOUNT_ROOT;
	st->mnt_id = (u64)p->mnt->id;
	return err;
}

static u32 dev_major(u64 dev)
{
	return (u32)(dev >> 20);
}

static u32 dev_minor(u64 dev)
{
	return (u32)dev & 0xfffff;
}

static u64 dev_encode(u64 dev)
{
	u32 minor = dev_minor(dev);

	return (minor & 0xff) | (dev_major(dev) << 8) | ((minor & ~0xffU) << 12);
}

static int stat_write(const struct kstat *st, struct user_stat out)
{
	struct stat s;

	memset(&s, 0, sizeof(s)); /* padding goes to user space as well */
	s.st_dev = dev_encode(st->dev);
	s.st_ino = st->ino;
	s.st_nlink = st->nlink;
	s.st_mode = st->mode;
	s.st_uid = st->uid;
	s.st_gid = st->gid;
	s.st_rdev = dev_encode(st->rdev);
	s.st_size = (long)st->size;
	s.st_blksize = st->blksize;
	s.st_blocks = (long)st->blocks;
	s.st_atime = (u64)st->atime.tv_sec;
	s.st_atime_nsec = (u64)st->atime.tv_nsec;
	s.st_mtime = (u64)st->mtime.tv_sec;
	s.st_mtime_nsec = (u64)st->mtime.tv_nsec;
	s.st_ctime = (u64)st->ctime.tv_sec;
	s.st_ctime_nsec = (u64)st->ctime.tv_nsec;
	return user_write(out, &s);
}

static int fd_stat(int fd, struct kstat *st)
{
	struct fd f = fd_get_raw(fd);
	int err;

	if (!f.file)
		return -EBADF;
	err = path_stat(&f.file->path, st);
	fd_put(f);
	return err;
}

static int stat_at(int dirfd, struct user_str path, u32 flags, struct kstat *st)
{
	struct path p;
	u32 lookup;
	int err = at_lookup_flags(flags, STAT_AT_FLAGS, &lookup);

	if (!err)
		err = user_path(dirfd, path, lookup, &p);
	if (err)
		return err;
	err = path_stat(&p, st);
	path_put(&p);
	return err;
}

long sys_newfstatat(int dirfd, struct user_str path, struct user_stat st, u32 flags)
{
	struct kstat k __uninit;
	int err = stat_at(dirfd, path, flags, &k);

	return err ? err : stat_write(&k, st);
}

long sys_stat(struct user_str path, struct user_stat st)
{
	return sys_newfstatat(AT_FDCWD, path, st, 0);
}

long sys_lstat(struct user_str path, struct user_stat st)
{
	return sys_newfstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

long sys_fstat(int fd, struct user_stat st)
{
	struct kstat k __uninit;
	int err = fd_stat(fd, &k);

	return err ? err : stat_write(&k, st);
}

static struct statx_timestamp statx_time(const struct timespec64 *t)
{
	return (struct statx_timestamp){.tv_sec = t->tv_sec, .tv_nsec = (u32)t->tv_nsec};
}

/* mask: what was asked for; the birth time costs some file systems work, so only then. */
static int statx_write(const struct kstat *st, u32 mask, struct user_statx out)
{
	bool btime = st->has_btime && (mask & STATX_BTIME);
	bool dio = st->dio_offset_align && (mask & STATX_DIOALIGN);
	struct statx s;

	memset(&s, 0, sizeof(s));
	s.stx_mask = STATX_BASIC_STATS | STATX_MNT_ID | (btime ? STATX_BTIME : 0) |
		     (dio ? STATX_DIOALIGN : 0);
	s.stx_blksize = st->blksize;
	s.stx_attributes = st->attributes;
	s.stx_attributes_mask = st->attributes_mask;
	s.stx_nlink = st->nlink;
	s.stx_uid = st->uid;
	s.stx_gid = st->gid;
	s.stx_mode = (u16)st->mode;
	s.stx_ino = st->ino;
	s.stx_size = st->size;
	s.stx_blocks = st->blocks;
	s.stx_atime = statx_time(&st->atime);
	s.stx_mtime = statx_time(&st->mtime);
	s.stx_ctime = statx_time(&st->ctime);
	if (btime)
		s.stx_btime = statx_time(&st->btime);
	s.stx_rdev_major = dev_major(st->rdev);
	s.stx_rdev_minor = dev_minor(st->rdev);
	s.stx_dev_major = dev_major(st->dev);
	s.stx_dev_minor = dev_minor(st->dev);
	s.stx_mnt_id = st->mnt_id;
	if (dio) {
		s.stx_dio_mem_align = st->dio_mem_align;
		s.stx_dio_offset_align = st->dio_offset_align;
	}
	return user_write(out, &s);
}

long sys_statx(int dirfd, struct user_str path, u32 flags, u32 mask, struct user_statx stx)
{
	struct kstat k __uninit;
	int err;

	if (mask & STATX__RESERVED)
		return -EINVAL;
	if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	err = stat_at(dirfd, path, flags, &k);
	if (!err && S_ISBLK(k.mode) && mask & STATX_DIOALIGN)
		blkdev_dio_align(k.rdev, &k.dio_mem_align, &k.dio_offset_align);
	return err ? err : statx_write(&k, mask, stx);
}
