/*
 * Placing objects for archives: one walk, one directory lock and no permission questions per
 * entry, since the kernel itself asks.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/fcntl.h>

#include "dcache_internal.h"
#include "internal.h"
#include "walk.h"

/* Something of another kind stands in the way: an empty directory, or any other object. */
static int clear_way(struct name_op *op, u32 mode)
{
	const struct inode_ops *ops = op->dir->ops;
	struct inode *i = op->d->inode;
	bool is_dir = inode_is_dir(i);
	int err;

	if ((i->mode & S_IFMT) == (mode & S_IFMT) && (S_ISDIR(mode) || S_ISREG(mode)))
		return 0;
	if (!(is_dir ? ops->rmdir : ops->unlink))
		return -EPERM;
	rwsem_write_lock_nested(&i->lock);
	err = READ_ONCE(op->d->mounted) ? -EBUSY
	      : is_dir			? ops->rmdir(op->dir, op->d)
					: ops->unlink(op->dir, op->d);
	if (!err && is_dir)
		WRITE_ONCE(i->flags, i->flags | INODE_DEAD);
	rwsem_write_unlock(&i->lock);
	if (err)
		return err;
	if (is_dir)
		dentry_prune_children(op->d);
	dentry_drop(op->d);
	dentry_put(op->d);
	return child_lookup_locked(op->parent.dentry, &op->last.name, &op->d);
}

static int make(struct name_op *op, const struct place *p)
{
	const struct inode_ops *ops = op->dir->ops;

	switch (p->mode & S_IFMT) {
	case S_IFREG:
		return ops->create ? ops->create(op->dir, op->d, p->mode) : -EPERM;
	case S_IFDIR:
		return ops->mkdir ? ops->mkdir(op->dir, op->d, p->mode) : -EPERM;
	case S_IFLNK:
		return ops->symlink ? ops->symlink(op->dir, op->d, p->target) : -EPERM;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return ops->mknod ? ops->mknod(op->dir, op->d, p->mode, p->rdev) : -EPERM;
	default:
		return -EINVAL;
	}
}

static void set_owner(struct inode *i, const struct place *p)
{
	WRITE_ONCE(i->uid, p->uid);
	WRITE_ONCE(i->gid, p->gid);
	if (!inode_is_lnk(i))
		WRITE_ONCE(i->mode, (i->mode & S_IFMT) | (p->mode & S_IALLUGO));
}

static int link_locked(struct name_op *op, struct dentry *old)
{
	struct inode *i = old->inode;
	int err;

	if (op->d->inode)
		return -EEXIST;
	if (!op->dir->ops->link || op->parent.dentry->sb != old->sb)
		return -EXDEV;
	rwsem_write_lock(&i->lock);
	err = op->dir->ops->link(old, op->dir, op->d);
	rwsem_write_unlock(&i->lock);
	return err;
}

static int place_locked(struct name_op *op, const struct place *p)
{
	int err = child_lookup_locked(op->parent.dentry, &op->last.name, &op->d);

	if (!err && op->d->inode)
		err = clear_way(op, p->link ? S_IFLNK : p->mode);
	if (err)
		return err;
	if (p->link)
		return link_locked(op, p->link);
	if (!op->d->inode)
		err = make(op, p);
	if (!err)
		set_owner(op->d->inode, p);
	return err;
}

/* "." and "/": the directory where the walk ended. */
static int place_root(const struct path *dir, const struct place *p, struct path *out)
{
	if (!S_ISDIR(p->mode) || p->link) {
		path_put(dir);
		return -EEXIST;
	}
	set_owner(dir->dentry->inode, p);
	*out = *dir;
	return 0;
}

int vfs_place(const char *name, const struct place *p, struct path *out)
{
	struct name_op op = {0};
	int err = path_parent(AT_FDCWD, name, 0, &op.parent, &op.last);

	if (err)
		return err;
	if (op.last.type == LAST_DOT || op.last.type == LAST_ROOT)
		return place_root(&op.parent, p, out);
	if (op.last.type != LAST_NORM || op.last.name.len > NAME_MAX) {
		path_put(&op.parent);
		return -EINVAL;
	}
	op.dir = op.parent.dentry->inode;
	rwsem_write_lock(&op.dir->lock);
	err = place_locked(&op, p);
	rwsem_write_unlock(&op.dir->lock);
	if (err) {
		dentry_put(op.d);
		path_put(&op.parent);
		return err;
	}
	*out = (struct path){.mnt = op.parent.mnt, .dentry = op.d};
	dentry_put(op.parent.dentry);
	return 0;
}
