/* Private to kernel/vfs: checks and helpers shared by the calls that work on names. */
#pragma once

#include <task/task.h>
#include <vfs/inode.h>
#include <vfs/limits.h>

/* May the entry be removed or renamed: permission, sticky bit, kind. dir locked exclusively. */
int may_delete(struct inode *dir, const struct dentry *victim, bool is_dir) __must_check;
/* May d be made in dir: -EEXIST, -ENOENT (dir is gone), permission. dir locked exclusively. */
int may_create(struct inode *dir, const struct dentry *d) __must_check;
/* setattr of an inode that the caller has locked exclusively. */
int inode_setattr_locked(struct dentry *d, struct iattr *attr) __must_check;

/* Access time of an inode seen through m. Works under RCU. */
void inode_accessed(const struct mount *m, struct inode *i);

extern const struct file_ops chrdev_fops;

/*
 * A change of one name: the parent is referenced and locked exclusively, the entry looked up.
 * name_end undoes it all; objects may lose their last reference only there, after unlocking.
 */
struct name_op {
	struct path parent;
	struct inode *dir;
	struct dentry *d;
	struct inode *victim;  /* a reference to drop after unlocking, or NULL */
	struct last_component last;
};
/* For an entry that is to be made: -EEXIST, -ENOENT, -EROFS. may_create is left to the caller. */
int name_begin_create(struct name_op *op, int dirfd, const char *name, u32 lookup_flags,
		      bool is_dir) __must_check;
/* For an entry that is to go: it may be negative. */
int name_begin_remove(struct name_op *op, const struct path *parent,
		      const struct last_component *last) __must_check;
void name_end(struct name_op *op);

/* AT_* to LOOKUP_*: -EINVAL for flags that are not allowed. */
int at_lookup_flags(u32 at_flags, u32 allowed, u32 *lookup) __must_check;

static inline u32 current_umask(void)
{
	return READ_ONCE(current->fs->umask);
}

void inode_init(void);

