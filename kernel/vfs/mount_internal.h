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
/*
 * Puts the tree top (references pass to the tree of the namespace) on where; what is in no
 * namespace yet joins ns. ns->lock held, mount_seq open.
 */
void mount_attach_locked(struct mount *top, const struct path *where, struct mount_ns *ns);
/* Ties m, itself in no namespace, to its parent, or unties it. Returns what m covered. */
void mount_link_locked(struct mount *m, const struct path *where);
struct dentry *mount_unlink_locked(struct mount *m);
/*
 * Takes m out of the tree. Its tree reference passes to the caller, and the reference on the
 * dentry that it covered, which is returned. Same locks.
 */
struct dentry *mount_detach_locked(struct mount *m);
/* -ENOSPC when the namespace cannot take that many more. */
int mount_count_check(const struct mount_ns *ns, u32 more) __must_check;
/* m and everything below it, in an order in which parents come first; NULL at the end. */
struct mount *mount_tree_next(struct mount *m, const struct mount *top);
/* The same without what lies below m. */
struct mount *mount_tree_skip(struct mount *m, const struct mount *top);

/* How a copied mount is related to its original. */
enum mount_kin {
	KIN_TWIN,         /* in the same peer group, if there is one, and a slave of the same master */
	KIN_SLAVE,        /* a slave of the original's group */
	KIN_SLAVE_SHARED, /* the same, and the first of a peer group of its own */
};

/*
 * A copy of what is mounted at and below root in m, attached to nothing; NULL: no memory. Without
 * children when !recursive; unbindable mounts are left out. ns->lock held.
 */
struct mount *mount_tree_copy(struct mount *m, struct dentry *root, bool recursive,
			      enum mount_kin kin);
/* Takes apart and puts a tree that is attached to nothing but itself. ns->lock held. */
void mount_tree_release(struct mount *top);

/* Relates the new mount m to its original; out of its groups again. ns->lock held. */
void mount_kin_join(struct mount *m, struct mount *original, enum mount_kin kin);
void mount_kin_leave(struct mount *m);
/* The MS_SHARED, MS_PRIVATE, MS_SLAVE or MS_UNBINDABLE of one mount. ns->lock held. */
void mount_set_propagation(struct mount *m, u32 type);
/*
 * Puts the tree m on where, and copies of it wherever where's mount propagates to. A tree that is
 * attached elsewhere moves, and *covered is what it covered. All or nothing: -ENOMEM, -ENOSPC
 * leave everything as it was. ns->lock and the place held.
 */
int mount_graft(struct mount *m, const struct path *where, struct dentry **covered) __must_check;
/*
 * Takes m with all below it out of the tree, and what it was propagated to where nothing else needs
 * that. Not lazy: -EBUSY when one of them is in use. For umount_finish: through *gone. ns->lock held.
 */
int mount_take(struct mount *m, bool lazy, struct list_head *gone) __must_check;
/* The first group above m's master that has a member below root; 0: none. ns->lock held. */
u32 mount_dominating_group(const struct mount *m, const struct path *root);

/* Takes the mount whose root p is out of the tree; flags as umount2. 0, -EINVAL, -EBUSY. */
int mount_remove(const struct path *p, u32 flags) __must_check;

/* Opens and closes a change of the tree. ns->lock held. */
void mount_change_begin(void);
void mount_change_end(struct mount_ns *ns);
/* A change that moves no mount. */
void mount_tell_change(struct mount_ns *ns);

/* Mounts an instance of t as the root of everything. */
void mount_init(const struct fs_type *t);
