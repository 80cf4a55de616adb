/*
 * tmpfs extended attributes: a short list per inode, under the inode lock, charged to the inode
 * budget of the instance and bounded per inode so that the list stays short.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/xattr.h>
#include <mm/slab.h>
#include <vfs/acl.h>

#include "internal.h"

#define XATTRS_MAX      128u
#define ACL_OVERHEAD    64u /* more than a list takes beyond its entries */
#define XATTR_BYTES_MAX (128u << 10)

/* The name spaces that Linux 6.1's tmpfs has: user.* is not among them. */
static int name_check(const struct inode *i, const char *name)
{
	const char *rest = NULL;

	if (strncmp(name, XATTR_SECURITY_PREFIX, XATTR_SECURITY_PREFIX_LEN) == 0)
		rest = name + XATTR_SECURITY_PREFIX_LEN;
	else if (strncmp(name, XATTR_TRUSTED_PREFIX, XATTR_TRUSTED_PREFIX_LEN) == 0)
		rest = name + XATTR_TRUSTED_PREFIX_LEN;
	else if (acl_is_name(name))
		rest = name;
	if (!rest || tmpfs_sb(i->sb)->ramfs)
		return -EOPNOTSUPP;
	return *rest ? 0 : -EINVAL;
}

static struct xattr_entry *find(const struct inode *i, const char *name)
{
	struct tmpfs_node *n = i->private;
	struct xattr_entry *e;

	if (!n)
		return NULL;
	list_for_each(e, &n->xattrs, node)
		if (strcmp(e->data, name) == 0)
			return e;
	return NULL;
}

static u64 cost(const struct xattr_entry *e)
{
	return sizeof(*e) + e->name_len + 1 + e->size;
}

static void entry_drop(struct inode *i, struct xattr_entry *e)
{
	struct tmpfs_node *n = i->private;

	list_del(&e->node);
	n->nr_xattrs--;
	n->xattr_bytes -= cost(e);
	tmpfs_uncharge_ispace(i->sb, cost(e));
	kfree(e);
}

void tmpfs_xattrs_free(struct inode *i)
{
	struct tmpfs_node *n = i->private;

	while (n && !list_empty(&n->xattrs))
		entry_drop(i, list_first(&n->xattrs, struct xattr_entry, node));
}

ssize_t tmpfs_getxattr(struct dentry *d, const char *name, void *value, size_t size)
{
	const struct inode *i = d->inode;
	const struct xattr_entry *e = find(i, name);
	int err = name_check(i, name);

	if (err)
		return err;
	if (acl_is_name(name))
		return acl_getxattr(i, name, value, size);
	if (!e)
		return -ENODATA;
	if (!size)
		return e->size;
	if (size < e->size)
		return -ERANGE;
	memcpy(value, e->data + e->name_len + 1, e->size);
	return e->size;
}

static struct xattr_entry *entry_make(const char *name, const void *value, size_t size)
{
	size_t len = strlen(name);
	struct xattr_entry *e = kmalloc(sizeof(*e) + len + 1 + size, GFP_KERNEL);

	if (!e)
		return NULL;
	e->name_len = (u32)len;
	e->size = (u32)size;
	memcpy(e->data, name, len + 1);
	memcpy(e->data + len + 1, value, size);
	return e;
}

/* Puts e in the place of old (which may be NULL). */
static int entry_enter(struct inode *i, struct xattr_entry *e, struct xattr_entry *old)
{
	struct tmpfs_node *n = i->private;
	u64 freed = old ? cost(old) : 0;
	int err;

	if ((!old && n->nr_xattrs >= XATTRS_MAX) ||
	    n->xattr_bytes - freed + cost(e) > XATTR_BYTES_MAX)
		return -ENOSPC;
	err = tmpfs_charge_ispace(i->sb, cost(e));
	if (err)
		return err;
	if (old)
		entry_drop(i, old);
	list_add(&e->node, &n->xattrs);
	n->nr_xattrs++;
	n->xattr_bytes += cost(e);
	return 0;
}

static int entry_replace(struct inode *i, const char *name, const void *value, size_t size,
			 struct xattr_entry *old)
{
	struct xattr_entry *e = entry_make(name, value, size);
	int err;

	if (!e)
		return -ENOMEM;
	if (!i->private)
		i->private = tmpfs_node_alloc(0);
	err = i->private ? entry_enter(i, e, old) : -ENOMEM;
	if (err)
		kfree(e);
	return err;
}

/* The new list is charged at its full size first; what it did not take is given back. */
static int set_acl(struct inode *i, const char *name, const void *value, size_t size)
{
	u64 before = inode_acl_bytes(i), room = 2 * size + ACL_OVERHEAD;
	int err = tmpfs_charge_ispace(i->sb, room);

	if (err)
		return err;
	err = acl_setxattr(i, name, value, size);
	tmpfs_uncharge_ispace(i->sb, before + room - inode_acl_bytes(i));
	return err;
}

int tmpfs_inherit_acl(struct inode *i, const struct inode *dir)
{
	u64 room = 2 * inode_acl_bytes(dir);
	int err;

	if (likely(!dir->default_acl))
		return 0;
	err = tmpfs_charge_ispace(i->sb, room);
	if (err)
		return err;
	err = inode_inherit_acl(i, dir);
	tmpfs_uncharge_ispace(i->sb, room - inode_acl_bytes(i));
	return err;
}

int tmpfs_setxattr(struct dentry *d, const char *name, const void *value, size_t size, int flags)
{
	struct inode *i = d->inode;
	struct xattr_entry *old = find(i, name);
	int err = name_check(i, name);

	if (err)
		return err;
	if (acl_is_name(name))
		return set_acl(i, name, value, size);
	if (old && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!old && (flags & XATTR_REPLACE))
		return -ENODATA;
	if (value)
		err = entry_replace(i, name, value, size, old);
	else if (old)
		entry_drop(i, old);
	if (!err)
		inode_touch(i, ATTR_CTIME);
	return err;
}

ssize_t tmpfs_listxattr(struct dentry *d, char *list, size_t size)
{
	struct tmpfs_node *n = d->inode->private;
	const struct xattr_entry *e;
	ssize_t acls = acl_listxattr(d->inode, list, size);
	size_t used = acls < 0 ? 0 : (size_t)acls;

	if (!n || acls < 0)
		return acls;
	list_for_each(e, &n->xattrs, node) {
		if (size && used + e->name_len + 1 > size)
			return -ERANGE;
		if (size)
			memcpy(list + used, e->data, e->name_len + 1);
		used += e->name_len + 1;
	}
	return (ssize_t)used;
}
