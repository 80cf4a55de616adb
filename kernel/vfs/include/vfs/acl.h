/*
 * Access control lists of inodes, for file systems that keep them in memory: their xattr operations
 * pass the names system.posix_acl_* on to acl_getxattr and acl_setxattr.
 */
#pragma once

#include <vfs/inode.h>

/* True for the two names. */
bool acl_is_name(const char *name);
/* The attribute's size; -ENODATA, -ERANGE, -EOPNOTSUPP. Inode locked. */
ssize_t acl_getxattr(const struct inode *i, const char *name, void *value, size_t size);
/*
 * Sets the list, and with the access list the mode; value NULL: removes it. 0, -EPERM, -EINVAL,
 * -EACCES (a default list of something else than a directory), -EOPNOTSUPP, -ENOMEM. Inode locked
 * exclusively.
 */
int acl_setxattr(struct inode *i, const char *name, const void *value, size_t size) __must_check;
/* The same for what the file system finds on its disk: no permission, the mode stays. Nobody else
 * knows the inode yet. */
int acl_load(struct inode *i, const char *name, const void *value, size_t size) __must_check;
/* Appends the names of the lists that exist: bytes, or -ERANGE. size 0: counts alone. */
ssize_t acl_listxattr(const struct inode *i, char *list, size_t size);
/* Memory that the lists of an inode take. */
u64 inode_acl_bytes(const struct inode *i);

/* The list's answer to inode_permission, when it has one and the caller is not the owner. RCU. */
bool inode_acl_decides(const struct inode *i, u32 mask, bool *granted);
/* mode | kind of what is made in dir: without the umask's bits, unless dir has a default list. */
u32 new_object_mode(const struct inode *dir, u32 mode);
/* i is being made in dir: gets its lists, and its mode is restricted. 0 or -ENOMEM. */
int inode_inherit_acl(struct inode *i, const struct inode *dir) __must_check;
/* chmod to come: the access list follows. 0 or -ENOMEM. Inode locked exclusively. */
int inode_acl_chmod(struct inode *i, u32 mode) __must_check;
/* With the inode, after a grace period. */
void inode_acl_free(struct inode *i);
