/*
 * Access control lists of inodes. i->acl and i->default_acl change under the inode lock and are
 * replaced as a whole: path walks check permissions under RCU. A list that says no more than the
 * mode does is not kept.
 */
#include <lib/acl.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/xattr.h>
#include <mm/slab.h>
#include <vfs/acl.h>

#include "internal.h"

struct posix_acl {
	struct rcu_head rcu;
	u32 nr;
	struct acl_entry e[];
};

static struct posix_acl *acl_new(u32 nr)
{
	struct posix_acl *a = kmalloc(sizeof(*a) + nr * sizeof(a->e[0]), GFP_KERNEL);

	if (a)
		a->nr = nr;
	return a;
}

static struct posix_acl *acl_copy(const struct posix_acl *from)
{
	struct posix_acl *a = acl_new(from->nr);

	if (a)
		memcpy(a->e, from->e, from->nr * sizeof(a->e[0]));
	return a;
}

/* Nobody has seen it, or only under RCU. */
static void acl_replace(struct posix_acl **slot, struct posix_acl *new)
{
	struct posix_acl *old = *slot;

	rcu_assign(*slot, new);
	if (old)
		rcu_kfree(&old->rcu, old);
}

/* ---- Permission ---- */

static bool in_group(const void *ctx, u32 gid)
{
	return cred_in_group(ctx, gid);
}

bool inode_acl_decides(const struct inode *i, u32 mask, bool *granted)
{
	const struct cred *c = current->cred;
	struct acl_subject s = {.uid = c->fsuid, .in_group = in_group, .ctx = c};
	const struct posix_acl *a;

	rcu_read_lock();
	a = rcu_dereference(i->acl);
	if (a) {
		s.group = cred_in_group(c, READ_ONCE(i->gid));
		*granted = acl_check(a->e, a->nr, &s, mask);
	}
	rcu_read_unlock();
	return a != NULL;
}

/* ---- New objects ---- */

u32 new_object_mode(const struct inode *dir, u32 mode)
{
	return READ_ONCE(dir->default_acl) ? mode : mode & ~current_umask();
}

/* dir is locked, so its list stays. */
int inode_inherit_acl(struct inode *i, const struct inode *dir)
{
	const struct posix_acl *from = dir->default_acl;
	struct posix_acl *a, *sub = NULL;
	bool more;

	if (likely(!from) || inode_is_lnk(i))
		return 0;
	a = acl_copy(from);
	if (inode_is_dir(i))
		sub = acl_copy(from);
	if (!a || (inode_is_dir(i) && !sub)) {
		kfree(a);
		kfree(sub);
		return -ENOMEM;
	}
	i->mode = (i->mode & ~(u32)S_IRWXUGO) | acl_inherit(a->e, a->nr, i->mode, &more);
	if (more)
		i->acl = a;
	else
		kfree(a);
	i->default_acl = sub;
	return 0;
}

int inode_acl_chmod(struct inode *i, u32 mode)
{
	struct posix_acl *a;

	if (likely(!i->acl))
		return 0;
	a = acl_copy(i->acl);
	if (!a)
		return -ENOMEM;
	acl_chmod(a->e, a->nr, mode);
	acl_replace(&i->acl, a);
	return 0;
}

void inode_acl_free(struct inode *i)
{
	kfree(i->acl);
	kfree(i->default_acl);
}

/* ---- Attributes ---- */

static bool is_default(const char *name)
{
	return strcmp(name, XATTR_NAME_POSIX_ACL_DEFAULT) == 0;
}

bool acl_is_name(const char *name)
{
	return is_default(name) || strcmp(name, XATTR_NAME_POSIX_ACL_ACCESS) == 0;
}

static u64 bytes_of(const struct posix_acl *a)
{
	return a ? sizeof(*a) + a->nr * sizeof(a->e[0]) : 0;
}

u64 inode_acl_bytes(const struct inode *i)
{
	return bytes_of(i->acl) + bytes_of(i->default_acl);
}

ssize_t acl_getxattr(const struct inode *i, const char *name, void *value, size_t size)
{
	const struct posix_acl *a = is_default(name) ? i->default_acl : i->acl;

	if (inode_is_lnk(i))
		return -EOPNOTSUPP;
	if (!a)
		return -ENODATA;
	if (!size)
		return (ssize_t)acl_bytes(a->nr);
	if (size < acl_bytes(a->nr))
		return -ERANGE;
	acl_format(a->e, a->nr, value);
	return (ssize_t)acl_bytes(a->nr);
}

/* *out: the list, or NULL when the value has no entries. */
static int acl_from_value(const void *value, size_t size, struct posix_acl **out)
{
	struct posix_acl *a;
	u32 nr;
	int err = acl_count(value, size, &nr);

	*out = NULL;
	if (err || !nr)
		return err;
	a = acl_new(nr);
	if (!a)
		return -ENOMEM;
	err = acl_parse(value, nr, a->e);
	if (err)
		kfree(a);
	else
		*out = a;
	return err;
}

/* The access list and the mode follow each other. */
static void set_access(struct inode *i, struct posix_acl *a)
{
	u32 mode = i->mode;
	bool more = false;

	if (a)
		mode = (mode & ~(u32)S_IRWXUGO) | acl_mode(a->e, a->nr, &more);
	if (!cred_in_group(current->cred, i->gid) && !capable(CAP_FSETID))
		mode &= ~(u32)S_ISGID;
	if (!more) {
		kfree(a);
		a = NULL;
	}
	acl_replace(&i->acl, a);
	WRITE_ONCE(i->mode, mode);
}

int acl_setxattr(struct inode *i, const char *name, const void *value, size_t size)
{
	struct posix_acl *a = NULL;
	int err = inode_is_lnk(i) ? -EOPNOTSUPP : 0;

	if (!err && value)
		err = acl_from_value(value, size, &a);
	if (err)
		return err;
	if (is_default(name) && !inode_is_dir(i)) {
		err = a ? -EACCES : 0;
		kfree(a);
		return err;
	}
	if (!inode_owner_or_capable(i)) {
		kfree(a);
		return -EPERM;
	}
	if (is_default(name))
		acl_replace(&i->default_acl, a);
	else
		set_access(i, a);
	inode_touch(i, ATTR_CTIME);
	return 0;
}

int acl_load(struct inode *i, const char *name, const void *value, size_t size)
{
	struct posix_acl *a;
	int err = acl_from_value(value, size, &a);

	if (!err)
		acl_replace(is_default(name) ? &i->default_acl : &i->acl, a);
	return err;
}

static ssize_t list_one(const struct posix_acl *a, const char *name, char *list, size_t size,
			size_t used)
{
	size_t len = strlen(name) + 1;

	if (!a)
		return (ssize_t)used;
	if (size && used + len > size)
		return -ERANGE;
	if (size)
		memcpy(list + used, name, len);
	return (ssize_t)(used + len);
}

ssize_t acl_listxattr(const struct inode *i, char *list, size_t size)
{
	ssize_t n = list_one(i->acl, XATTR_NAME_POSIX_ACL_ACCESS, list, size, 0);

	return n < 0 ? n : list_one(i->default_acl, XATTR_NAME_POSIX_ACL_DEFAULT, list, size,
				    (size_t)n);
}
