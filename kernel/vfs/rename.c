/*
 * rename(2): the one operation that changes two directories.
 *
 * Across directories the super block's rename_lock comes first, so that "is one an ancestor of the
 * other" stays answered; then the ancestor's lock before the descendant's, and unrelated ones by
 * address. The inode that is replaced is locked last.
 */
#include <lib/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <syscall/table.h>
#include <vfs/file.h>
#include <vfs/notify.h>

#include "dcache_internal.h"
#include "internal.h"
#include "mount_internal.h"
#include "walk.h"

struct rename_op {
	struct path from, to;            /* parents */
	struct last_component old_last, new_last;
	struct inode *old_dir, *new_dir;
	struct dentry *old, *new;
	struct dentry *trap;             /* the entry on the way from one parent down to the other */
	u32 flags;
};

/* The child of top that is d or an ancestor of d. d lies below top; rename_lock held. */
static struct dentry *child_towards(struct dentry *top, struct dentry *d)
{
	while (d->parent != top)
		d = d->parent;
	return d;
}

static void lock_dirs_by(struct inode *first, struct inode *second) NO_THREAD_SAFETY
{
	rwsem_write_lock(&first->lock);
	rwsem_write_lock_nested(&second->lock);
}

static void lock_parents(struct rename_op *op) NO_THREAD_SAFETY
{
	struct dentry *p = op->from.dentry, *q = op->to.dentry;

	op->trap = NULL;
	if (p == q) {
		rwsem_write_lock(&op->old_dir->lock);
		return;
	}
	mutex_lock(&p->sb->rename_lock);
	if (dentry_is_below(q, p)) {
		op->trap = child_towards(p, q);
		lock_dirs_by(op->old_dir, op->new_dir);
	} else if (dentry_is_below(p, q)) {
		op->trap = child_towards(q, p);
		lock_dirs_by(op->new_dir, op->old_dir);
	} else if (op->old_dir < op->new_dir) {
		lock_dirs_by(op->old_dir, op->new_dir);
	} else {
		lock_dirs_by(op->new_dir, op->old_dir);
	}
}

static void unlock_parents(struct rename_op *op) NO_THREAD_SAFETY
{
	rwsem_write_unlock(&op->old_dir->lock);
	if (op->old_dir == op->new_dir)
		return;
	rwsem_write_unlock(&op->new_dir->lock);
	mutex_unlock(&op->from.dentry->sb->rename_lock);
}

/* What the two names are and how they were written. Everything that needs no permission. */
static int check_names(const struct rename_op *op)
{
	bool exchange = op->flags & RENAME_EXCHANGE;
	const struct inode *old = op->old->inode, *new = op->new->inode;

	if (!old)
		return -ENOENT;
	if ((op->flags & RENAME_NOREPLACE) && new)
		return -EEXIST;
	if (exchange && !new)
		return -ENOENT;
	if (exchange && !inode_is_dir(new) && op->new_last.trailing_slash)
		return -ENOTDIR;
	if (!inode_is_dir(old) &&
	    (op->old_last.trailing_slash || (!exchange && op->new_last.trailing_slash)))
		return -ENOTDIR;
	if (op->old == op->trap)
		return -EINVAL; /* a directory into itself */
	if (op->new == op->trap)
		return exchange ? -EINVAL : -ENOTEMPTY;
	return 0;
}

static int check_permissions(const struct rename_op *op)
{
	struct inode *old = op->old->inode, *new = op->new->inode;
	bool exchange = op->flags & RENAME_EXCHANGE, is_dir = inode_is_dir(old);
	int err = may_delete(op->old_dir, op->old, is_dir);

	if (err)
		return err;
	if (!new)
		err = may_create(op->new_dir, op->new);
	else
		err = may_delete(op->new_dir, op->new, exchange ? inode_is_dir(new) : is_dir);
	if (err)
		return err;
	if (!op->old_dir->ops->rename)
		return -EPERM;
	/* A directory that gets another parent changes its "..". */
	if (op->old_dir != op->new_dir && is_dir)
		err = inode_permission(old, MAY_WRITE);
	if (!err && op->old_dir != op->new_dir && exchange && inode_is_dir(new))
		err = inode_permission(new, MAY_WRITE);
	return err;
}

/* target: the inode of op->new, or NULL; locked. */
static int rename_target_locked(struct rename_op *op, struct inode *target)
{
	bool exchange = op->flags & RENAME_EXCHANGE;
	struct dentry_move move;
	int err;

	if (READ_ONCE(op->old->mounted) || READ_ONCE(op->new->mounted))
		return -EBUSY;
	err = dentry_move_prepare(&move, op->old, op->new, exchange);
	if (err)
		return err;
	err = op->old_dir->ops->rename(op->old_dir, op->old, op->new_dir, op->new, op->flags);
	if (err) {
		dentry_move_abort(&move);
		return err;
	}
	if (target && !exchange && inode_is_dir(target)) {
		WRITE_ONCE(target->flags, target->flags | INODE_DEAD);
		dentry_prune_children(op->new);
	}
	dentry_move_commit(&move);
	return 0;
}

/* Both directories are locked still; the dentries have their new names. */
static void rename_notify(const struct rename_op *op, struct inode *moved, struct inode *target)
{
	const struct qstr *old = &op->old_last.name, *new = &op->new_last.name;
	bool exchange = op->flags & RENAME_EXCHANGE;

	notify_move(op->old_dir, old, op->new_dir, new, moved, exchange ? NULL : target);
	if (exchange)
		notify_move(op->new_dir, new, op->old_dir, old, target, NULL);
}

static int rename_locked(struct rename_op *op) NO_THREAD_SAFETY
{
	struct inode *moved = op->old->inode, *target = op->new->inode;
	int err = check_names(op);

	if (err)
		return err;
	if (op->old->inode == target)
		return 0; /* two names of one file: nothing happens, as POSIX has it */
	err = check_permissions(op);
	if (err)
		return err;
	if (target)
		rwsem_write_lock_nested(&target->lock);
	err = rename_target_locked(op, target);
	if (target)
		rwsem_write_unlock(&target->lock);
	if (!err)
		rename_notify(op, moved, target);
	return err;
}

static int rename_entries(struct rename_op *op)
{
	int err;

	op->old = op->new = NULL;
	lock_parents(op);
	err = child_lookup_locked(op->from.dentry, &op->old_last.name, &op->old);
	if (!err && !op->old->inode)
		err = -ENOENT;
	if (!err)
		err = child_lookup_locked(op->to.dentry, &op->new_last.name, &op->new);
	if (!err)
		err = rename_locked(op);
	unlock_parents(op);
	/* The replaced object dies here, outside all locks. */
	dentry_put(op->new);
	dentry_put(op->old);
	return err;
}

static int rename_parents(struct rename_op *op)
{
	int err;

	if (op->from.mnt != op->to.mnt)
		return -EXDEV;
	if (op->old_last.type != LAST_NORM)
		return -EBUSY;
	if (op->new_last.type != LAST_NORM)
		return op->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	if (op->old_last.name.len > NAME_MAX || op->new_last.name.len > NAME_MAX)
		return -ENAMETOOLONG;
	err = mount_want_write(op->from.mnt);
	if (err)
		return err;
	op->old_dir = op->from.dentry->inode;
	op->new_dir = op->to.dentry->inode;
	return rename_entries(op);
}

static int rename_at(int olddirfd, const char *old, int newdirfd, const char *new, u32 flags)
{
	struct rename_op op = {.flags = flags};
	int err = path_parent(olddirfd, old, 0, &op.from, &op.old_last);

	if (err)
		return err;
	err = path_parent(newdirfd, new, 0, &op.to, &op.new_last);
	if (!err) {
		err = rename_parents(&op);
		path_put(&op.to);
	}
	path_put(&op.from);
	return err;
}

long sys_renameat2(int olddirfd, struct user_str old, int newdirfd, struct user_str new, u32 flags)
{
	struct filename from __uninit, to __uninit;
	int err;

	if (flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if ((flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) && (flags & RENAME_EXCHANGE))
		return -EINVAL;
	err = filename_get(&from, old, 0);
	if (err)
		return err;
	err = filename_get(&to, new, 0);
	if (!err) {
		err = rename_at(olddirfd, from.name, newdirfd, to.name, flags);
		filename_put(&to);
	}
	filename_put(&from);
	return err;
}

long sys_renameat(int olddirfd, struct user_str old, int newdirfd, struct user_str new)
{
	return sys_renameat2(olddirfd, old, newdirfd, new, 0);
}

long sys_rename(struct user_str old, struct user_str new)
{
	return sys_renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}
