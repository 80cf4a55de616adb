/* Removing names: unlink and rmdir. */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/fcntl.h>
#include <syscall/table.h>
#include <vfs/file.h>
#include <vfs/notify.h>

#include "dcache_internal.h"
#include "internal.h"
#include "mount_internal.h"

static int unlink_locked(struct name_op *op)
{
	struct inode *i = op->d->inode;
	int err = may_delete(op->dir, op->d, false);

	if (err)
		return err;
	if (!op->dir->ops->unlink)
		return -EPERM;
	rwsem_write_lock(&i->lock);
	err = READ_ONCE(op->d->mounted) ? -EBUSY : op->dir->ops->unlink(op->dir, op->d);
	if (!err) {
		notify_inode(i, IN_ATTRIB);
		dentry_delete(op->d); /* still locked: no mount gets onto a name that goes */
	}
	rwsem_write_unlock(&i->lock);
	if (!err)
		notify_name(op->dir, IN_DELETE, &op->d->name);
	return err;
}

/* A slash behind the name asks for a directory, which unlink does not remove. */
static int unlink_slash_error(const struct inode *i)
{
	if (!i)
		return -ENOENT;
	return inode_is_dir(i) ? -EISDIR : -ENOTDIR;
}

static int unlink_in(const struct path *parent, const struct last_component *last)
{
	struct name_op op;
	int err = name_begin_remove(&op, parent, last);

	if (err)
		return err;
	if (last->trailing_slash) {
		err = unlink_slash_error(op.d->inode);
	} else if (!op.d->inode) {
		err = -ENOENT;
	} else {
		/* Its pages, if this was the last name, are freed after the directory is unlocked. */
		op.victim = op.d->inode;
		inode_get(op.victim);
		err = unlink_locked(&op);
	}
	name_end(&op);
	return err;
}

int vfs_unlink_in(const struct path *dir, const char *name)
{
	struct last_component last = {.name = qstr_make(name, (u32)strlen(name)), .type = LAST_NORM};

	path_get(dir);
	return unlink_in(dir, &last);
}

int vfs_with_child(const struct path *dir, const char *name, child_fn act, void *ctx)
{
	struct last_component last = {.name = qstr_make(name, (u32)strlen(name)), .type = LAST_NORM};
	struct name_op op;
	int err;

	path_get(dir);
	err = name_begin_remove(&op, dir, &last);
	if (err)
		return err;
	err = act(op.dir, op.d, ctx);
	name_end(&op);
	return err;
}

static int rmdir_locked(struct name_op *op)
{
	struct dentry *d = op->d;
	struct inode *i = d->inode;
	int err = may_delete(op->dir, d, true);

	if (err)
		return err;
	if (!op->dir->ops->rmdir)
		return -EPERM;
	rwsem_write_lock_nested(&i->lock); /* parent before child */
	err = READ_ONCE(d->mounted) ? -EBUSY : op->dir->ops->rmdir(op->dir, d);
	if (!err) {
		WRITE_ONCE(i->flags, i->flags | INODE_DEAD);
		dentry_prune_children(d);
		dentry_delete(d);
	}
	rwsem_write_unlock(&i->lock);
	if (!err)
		notify_name(op->dir, IN_DELETE | IN_ISDIR, &d->name);
	return err;
}

static int rmdir_in(const struct path *parent, const struct last_component *last)
{
	struct name_op op;
	int err = name_begin_remove(&op, parent, last);

	if (err)
		return err;
	if (op.d->inode) {
		op.victim = op.d->inode;
		inode_get(op.victim);
		err = rmdir_locked(&op);
	} else {
		err = -ENOENT;
	}
	name_end(&op);
	return err;
}

static int rmdir_last_error(const struct last_component *last)
{
	switch (last->type) {
	case LAST_DOTDOT:
		return -ENOTEMPTY;
	case LAST_DOT:
		return -EINVAL;
	case LAST_ROOT:
		return -EBUSY;
	default:
		return 0;
	}
}

static int remove_at(int dirfd, const char *name, bool is_dir)
{
	struct last_component last;
	struct path parent;
	int err = path_parent(dirfd, name, 0, &parent, &last);

	if (err)
		return err;
	if (is_dir)
		err = rmdir_last_error(&last);
	else if (last.type != LAST_NORM)
		err = -EISDIR;
	if (!err)
		err = mount_want_write(parent.mnt);
	if (err) {
		path_put(&parent);
		return err;
	}
	return is_dir ? rmdir_in(&parent, &last) : unlink_in(&parent, &last);
}

int kernel_unlink(const char *name)
{
	return remove_at(AT_FDCWD, name, false);
}

long sys_unlinkat(int dirfd, struct user_str path, u32 flags)
{
	struct filename f __uninit;
	int err;

	if (flags & ~(u32)AT_REMOVEDIR)
		return -EINVAL;
	err = filename_get(&f, path, 0);
	if (err)
		return err;
	err = remove_at(dirfd, f.name, flags & AT_REMOVEDIR);
	filename_put(&f);
	return err;
}

long sys_unlink(struct user_str path)
{
	return sys_unlinkat(AT_FDCWD, path, 0);
}

long sys_rmdir(struct user_str path)
{
	return sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}
