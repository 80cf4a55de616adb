/*
 * Making names: mkdir, mknod, symlink, link.
 *
 * One frame for all: walk to the parent, lock it, look the entry up, check, call the file system.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <mm/slab.h>
#include <syscall/table.h>
#include <vfs/acl.h>
#include <vfs/file.h>
#include <vfs/notify.h>

#include "internal.h"
#include "mount_internal.h"
#include "walk.h"

/* The kernel form of the device number that mknod and stat pass around. */
static u64 dev_decode(u32 dev)
{
	return dev_make((dev & 0xfff00) >> 8, (dev & 0xff) | ((dev >> 12) & 0xfff00));
}

void name_end(struct name_op *op) NO_THREAD_SAFETY
{
	rwsem_write_unlock(&op->dir->lock);
	dentry_put(op->d);
	if (op->victim)
		inode_put(op->victim);
	path_put(&op->parent); /* last: it keeps the file system */
}

static void name_begin(struct name_op *op) NO_THREAD_SAFETY
{
	op->dir = op->parent.dentry->inode;
	op->d = NULL;
	op->victim = NULL;
	rwsem_write_lock(&op->dir->lock);
}

int name_begin_create(struct name_op *op, int dirfd, const char *name, u32 lookup_flags,
		      bool is_dir)
{
	int err = path_parent(dirfd, name, lookup_flags | LOOKUP_CREATE, &op->parent, &op->last);

	if (err)
		return err;
	if (op->last.type != LAST_NORM) {
		path_put(&op->parent);
		return -EEXIST;
	}
	name_begin(op);
	err = op->last.name.len > NAME_MAX
		      ? -ENAMETOOLONG
		      : child_lookup_locked(op->parent.dentry, &op->last.name, &op->d);
	if (!err && op->d->inode)
		err = -EEXIST;
	else if (!err && op->last.trailing_slash && !is_dir)
		err = -ENOENT;
	if (!err)
		err = mount_want_write(op->parent.mnt);
	if (err)
		name_end(op);
	return err;
}

int name_begin_remove(struct name_op *op, const struct path *parent,
		      const struct last_component *last)
{
	int err;

	op->parent = *parent;
	op->last = *last;
	name_begin(op);
	err = last->name.len > NAME_MAX
		      ? -ENAMETOOLONG
		      : child_lookup_locked(parent->dentry, &last->name, &op->d);
	if (err)
		name_end(op);
	return err;
}

int vfs_mkdir_at(int dirfd, const char *name, u32 mode)
{
	struct name_op op;
	int err = name_begin_create(&op, dirfd, name, 0, true);

	if (err)
		return err;
	mode = new_object_mode(op.dir, mode & (S_IRWXUGO | S_ISVTX));
	err = may_create(op.dir, op.d);
	if (!err)
		err = op.dir->ops->mkdir ? op.dir->ops->mkdir(op.dir, op.d, mode | S_IFDIR)
					 : -EPERM;
	if (!err)
		notify_name(op.dir, IN_CREATE | IN_ISDIR, &op.d->name);
	name_end(&op);
	return err;
}

/* The kind alone; comes before anything is looked up. */
static int mknod_kind_check(u32 mode)
{
	switch (mode & S_IFMT) {
	case 0:
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		return 0;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
}

static int mknod_in(struct name_op *op, u32 mode, u64 rdev)
{
	const struct inode_ops *ops = op->dir->ops;
	int err = may_create(op->dir, op->d);

	if (err)
		return err;
	/* Device 0:0 is overlayfs's white-out: harmless. */
	if ((S_ISBLK(mode) || (S_ISCHR(mode) && rdev)) && !capable(CAP_MKNOD))
		return -EPERM;
	if (S_ISREG(mode))
		return ops->create ? ops->create(op->dir, op->d, mode) : -EACCES;
	return ops->mknod ? ops->mknod(op->dir, op->d, mode, rdev) : -EPERM;
}

static int mknod_at(int dirfd, const char *name, u32 mode, u64 rdev, struct path *out)
{
	struct name_op op;
	int err;

	if (!(mode & S_IFMT))
		mode |= S_IFREG;
	err = mknod_kind_check(mode);
	if (!err)
		err = name_begin_create(&op, dirfd, name, 0, false);
	if (err)
		return err;
	mode = new_object_mode(op.dir, mode & (S_IFMT | S_IALLUGO));
	err = mknod_in(&op, mode, rdev);
	if (!err && out) {
		*out = (struct path){op.parent.mnt, op.d};
		path_get(out);
	}
	if (!err)
		notify_name(op.dir, IN_CREATE, &op.d->name);
	name_end(&op);
	return err;
}

int vfs_mknod_at(int dirfd, const char *name, u32 mode, u64 rdev)
{
	return mknod_at(dirfd, name, mode, rdev, NULL);
}

int vfs_mknod_path(const char *name, u32 mode, struct path *out)
{
	return mknod_at(AT_FDCWD, name, mode, 0, out);
}

int vfs_symlink_at(const char *target, int dirfd, const char *name)
{
	struct name_op op;
	int err = name_begin_create(&op, dirfd, name, 0, false);

	if (err)
		return err;
	err = may_create(op.dir, op.d);
	if (!err)
		err = op.dir->ops->symlink ? op.dir->ops->symlink(op.dir, op.d, target) : -EPERM;
	if (!err)
		notify_name(op.dir, IN_CREATE, &op.d->name);
	name_end(&op);
	return err;
}

long sys_mkdirat(int dirfd, struct user_str path, u32 mode)
{
	struct filename f __uninit;
	int err = filename_get(&f, path, 0);

	if (err)
		return err;
	err = vfs_mkdir_at(dirfd, f.name, mode);
	filename_put(&f);
	return err;
}

long sys_mkdir(struct user_str path, u32 mode)
{
	return sys_mkdirat(AT_FDCWD, path, mode);
}

long sys_mknodat(int dirfd, struct user_str path, u32 mode, u32 dev)
{
	struct filename f __uninit;
	int err = mknod_kind_check(mode);

	if (!err)
		err = filename_get(&f, path, 0);
	if (err)
		return err;
	err = vfs_mknod_at(dirfd, f.name, mode & 0xffff, dev_decode(dev));
	filename_put(&f);
	return err;
}

long sys_mknod(struct user_str path, u32 mode, u32 dev)
{
	return sys_mknodat(AT_FDCWD, path, mode, dev);
}

long sys_symlinkat(struct user_str target, int dirfd, struct user_str path)
{
	struct filename from __uninit, to __uninit;
	int err = filename_get(&from, target, 0);

	if (err)
		return err;
	err = filename_get(&to, path, 0);
	if (!err) {
		err = vfs_symlink_at(from.name, dirfd, to.name);
		filename_put(&to);
	}
	filename_put(&from);
	return err;
}

long sys_symlink(struct user_str target, struct user_str path)
{
	return sys_symlinkat(target, AT_FDCWD, path);
}

/* ---- Hard links ---- */

/* protected_hardlinks: what one could not write anyway, or must not pin, is not linked to. */
static int may_link(struct inode *i)
{
	u32 mode = READ_ONCE(i->mode);

	if (!READ_ONCE(protected_hardlinks) || inode_owner_or_capable(i))
		return 0;
	if (!S_ISREG(mode) || (mode & S_ISUID) ||
	    (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		return -EPERM;
	return inode_permission(i, MAY_READ | MAY_WRITE) ? -EPERM : 0;
}

static int link_locked(struct dentry *old, struct name_op *op)
{
	struct inode *i = old->inode;
	int err = may_create(op->dir, op->d);

	if (err)
		return err;
	if (READ_ONCE(i->flags) & (INODE_APPEND | INODE_IMMUTABLE))
		return -EPERM;
	if (!op->dir->ops->link || inode_is_dir(i))
		return -EPERM;
	rwsem_write_lock(&i->lock);
	if (i->nlink == 0 && !(i->flags & INODE_LINKABLE))
		err = -ENOENT;
	else
		err = op->dir->ops->link(old, op->dir, op->d);
	if (!err)
		i->flags &= ~(u32)INODE_LINKABLE;
	rwsem_write_unlock(&i->lock);
	if (!err) {
		notify_inode(i, IN_ATTRIB);
		notify_name(op->dir, IN_CREATE, &op->d->name);
	}
	return err;
}

static int link_path(const struct path *old, int dirfd, const char *name)
{
	struct name_op op;
	int err = name_begin_create(&op, dirfd, name, 0, false);

	if (err)
		return err;
	if (old->mnt != op.parent.mnt)
		err = -EXDEV;
	else
		err = may_link(old->dentry->inode);
	if (!err)
		err = link_locked(old->dentry, &op);
	name_end(&op);
	return err;
}

static int link_at(int olddirfd, struct user_str old, u32 lookup, int newdirfd, const char *name)
{
	struct path p;
	int err = user_path(olddirfd, old, lookup, &p);

	if (err)
		return err;
	err = link_path(&p, newdirfd, name);
	path_put(&p);
	return err;
}

long sys_linkat(int olddirfd, struct user_str old, int newdirfd, struct user_str new, u32 flags)
{
	struct filename f __uninit;
	u32 lookup;
	int err;

	if (flags & ~(u32)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if ((flags & AT_EMPTY_PATH) && !capable(CAP_DAC_READ_SEARCH))
		return -ENOENT;
	lookup = (flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) |
		 (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	err = filename_get(&f, new, 0);
	if (err)
		return err;
	err = link_at(olddirfd, old, (u32)lookup, newdirfd, f.name);
	filename_put(&f);
	return err;
}

long sys_link(struct user_str old, struct user_str new)
{
	return sys_linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}
