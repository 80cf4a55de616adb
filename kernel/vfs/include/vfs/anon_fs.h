/* File systems of objects without a name: pipes, sockets. No user can mount them. */
#pragma once

#include <vfs/inode.h>

/* The mount operation of such a type. 0 or -ENOMEM. */
int anon_super(const struct fs_type *t, u64 magic, struct super_block **out) __must_check;
/*
 * A place for the inode, whose reference is consumed in any case: a dentry without a name on mnt,
 * shown as ops->name says; `name` becomes its private data. References on *out. 0 or -ENFILE.
 */
int anon_path(struct mount *mnt, struct inode *inode, const struct dentry_ops *ops, const char *name,
	      struct path *out) __must_check;
