/* What the mount table shares with the path walk and the mount calls. */
#pragma once

#include <vfs/inode.h>

/* Even when the tree of mounts is stable; changes under init_mount_ns.lock. */
extern u32 mount_seq;

/* The mount on top of (m, d), or NULL. RCU; no reference. */
struct mount *mount_find_rcu(const struct mount *m, const struct dentry *d);
/* The same with a reference. */
struct mount *mount_find(struct mount *m, struct dentry *d);

/* Where m is mounted, with references; false: it is a root or detached. */
bool mount_parent_get(struct mount *m, struct path *up);
/* True when p is root or lies below it, across mounts. */
bool path_is_under(const struct path *p, const struct path *root);

/* A mount that is not attached yet: one reference. Consumes the sb reference, also on failure. */
struct mount *mount_create(struct super_block *sb, struct dentry *root, u32 flags,
			   const char *source);
/* Puts m (reference passes to the tree) on where. ns->lock held, mount_seq open. */
void mount_attach_locked(struct mount *m, const struct path *where, struct mount_ns *ns);
/*
 * Takes m out of the tree. Its tree reference passes to the caller, and the reference on the
 * dentry that it covered, which is returned. Same locks.
 */
struct dentry *mount_detach_locked(struct mount *m);
/* -ENOSPC when the namespace cannot take that many more. */
int mount_count_check(const struct mount_ns *ns, u32 more) __must_check;
/* m and everything below it, in an order in which parents come first; NULL at the end. */
struct mount *mount_tree_next(struct mount *m, const struct mount *top);

/* Takes the mount whose root p is out of the tree; flags as umount2. 0, -EINVAL, -EBUSY. */
int mount_remove(const struct path *p, u32 flags) __must_check;

/* Opens and closes a change of the tree. ns->lock held. */
void mount_change_begin(void);
void mount_change_end(struct mount_ns *ns);

/* Mounts an instance of t as the root of everything. */
void mount_init(const struct fs_type *t);
