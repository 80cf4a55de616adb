/*
 * Extended attributes: the twelve calls. Name rules and permissions are decided here; the file
 * system stores. Values are bounded by XATTR_SIZE_MAX and pass through a kernel buffer.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/xattr.h>
#include <mm/slab.h>
#include <syscall/table.h>
#include <task/task.h>
#include <vfs/file.h>
#include <vfs/notify.h>
#include <vfs/file_caps.h>

#include "internal.h"

#define NAME_SIZE (XATTR_NAME_MAX + 1)

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static int name_get(char *buf, struct user_str name)
{
	ssize_t len = user_read_str(buf, name, NAME_SIZE);

	if (len == -ENAMETOOLONG || len == 0)
		return -ERANGE;
	return len < 0 ? (int)len : 0;
}

/* Who may touch attributes of this name space. mask MAY_READ or MAY_WRITE. */
static int xattr_permission(struct inode *i, const char *name, u32 mask)
{
	if ((mask & MAY_WRITE) && (READ_ONCE(i->flags) & (INODE_IMMUTABLE | INODE_APPEND)))
		return -EPERM;
	if (has_prefix(name, XATTR_SYSTEM_PREFIX))
		return 0;
	if (has_prefix(name, XATTR_SECURITY_PREFIX)) {
		bool file_caps = strcmp(name, XATTR_NAME_CAPS) == 0;

		if (!(mask & MAY_WRITE) || capable(file_caps ? CAP_SETFCAP : CAP_SYS_ADMIN))
			return 0;
		return -EPERM;
	}
	if (has_prefix(name, XATTR_TRUSTED_PREFIX)) {
		if (capable(CAP_SYS_ADMIN))
			return 0;
		return mask & MAY_WRITE ? -EPERM : -ENODATA;
	}
	if (has_prefix(name, XATTR_USER_PREFIX)) {
		if (!inode_is_reg(i) && !inode_is_dir(i))
			return mask & MAY_WRITE ? -EPERM : -ENODATA;
		if (inode_is_dir(i) && (i->mode & S_ISVTX) && (mask & MAY_WRITE) &&
		    !inode_owner_or_capable(i))
			return -EPERM;
	}
	return inode_permission(i, mask);
}

/* ---- On a path ---- */

static int xattr_set(const struct path *p, const char *name, const void *value, size_t size,
		     int flags)
{
	bool file_caps = strcmp(name, XATTR_NAME_CAPS) == 0;
	struct inode *i = p->dentry->inode;
	int err = mount_want_write(p->mnt);

	if (err)
		return err;
	if (file_caps && value && !file_caps_writable(value, size))
		return -EINVAL;
	rwsem_write_lock(&i->lock);
	err = xattr_permission(i, name, MAY_WRITE);
	if (!err)
		err = i->ops && i->ops->setxattr ? i->ops->setxattr(p->dentry, name, value, size, flags)
						 : -EOPNOTSUPP;
	if (!err && file_caps)
		inode_note_caps(i, value);
	rwsem_write_unlock(&i->lock);
	if (!err)
		notify_dentry(p->dentry, IN_ATTRIB);
	return err;
}

ssize_t inode_getxattr(struct dentry *d, const char *name, void *value, size_t size)
{
	struct inode *i = d->inode;
	ssize_t ret;

	if (!i->ops || !i->ops->getxattr)
		return -EOPNOTSUPP;
	rwsem_read_lock(&i->lock);
	ret = i->ops->getxattr(d, name, value, size);
	rwsem_read_unlock(&i->lock);
	return ret;
}

static long xattr_get(const struct path *p, const char *name, struct user_bytes value, u64 size)
{
	struct inode *i = p->dentry->inode;
	void *buf = NULL;
	ssize_t ret = xattr_permission(i, name, MAY_READ);

	if (ret)
		return ret;
	size = MIN(size, (u64)XATTR_SIZE_MAX);
	if (size) {
		buf = kvmalloc(size, GFP_KERNEL);
		if (!buf)
			return -ENOMEM;
	}
	if (strcmp(name, XATTR_NAME_CAPS) == 0)
		ret = path_file_caps_value(p, buf, size);
	else
		ret = inode_getxattr(p->dentry, name, buf, size);
	if (ret > 0 && size && user_write_bytes(value, buf, (size_t)ret))
		ret = -EFAULT;
	kvfree(buf);
	return ret;
}

/* Takes names that the caller may not see out of the list; its new length. */
static ssize_t hide_names(char *list, ssize_t len)
{
	ssize_t kept = 0;

	if (capable(CAP_SYS_ADMIN))
		return len;
	for (ssize_t at = 0; at < len;) {
		ssize_t n = (ssize_t)strlen(list + at) + 1;

		if (!has_prefix(list + at, XATTR_TRUSTED_PREFIX)) {
			memmove(list + kept, list + at, (size_t)n);
			kept += n;
		}
		at += n;
	}
	return kept;
}

/* The whole list in a buffer of the call's own, so that hiding works for a length query as well. */
static ssize_t xattr_list_all(struct dentry *d, char **out)
{
	struct inode *i = d->inode;
	ssize_t len;
	char *buf = kvmalloc(XATTR_LIST_MAX, GFP_KERNEL);

	if (!buf)
		return -ENOMEM;
	rwsem_read_lock(&i->lock);
	len = i->ops->listxattr(d, buf, XATTR_LIST_MAX);
	rwsem_read_unlock(&i->lock);
	if (len < 0) {
		kvfree(buf);
		return len == -ERANGE ? -E2BIG : len;
	}
	*out = buf;
	return hide_names(buf, len);
}

static long xattr_list(const struct path *p, struct user_bytes list, u64 size)
{
	struct inode *i = p->dentry->inode;
	char *buf;
	ssize_t len;

	if (!i->ops || !i->ops->listxattr)
		return 0;
	len = xattr_list_all(p->dentry, &buf);
	if (len < 0)
		return len;
	if (size && (u64)len > size)
		len = -ERANGE;
	else if (size && user_write_bytes(list, buf, (size_t)len))
		len = -EFAULT;
	kvfree(buf);
	return len;
}

/* ---- Setting ---- */

static int value_get(struct user_bytes value, u64 size, void **out)
{
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	*out = kvmalloc(size ? size : 1, GFP_KERNEL);
	if (!*out)
		return -ENOMEM;
	if (user_read_bytes(*out, value, size)) {
		kvfree(*out);
		return -EFAULT;
	}
	return 0;
}

static long set_on(const struct path *p, struct user_str name, struct user_bytes value, u64 size,
		   u32 flags)
{
	char kname[NAME_SIZE] __uninit;
	void *v;
	int err;

	if (flags & ~(u32)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	err = name_get(kname, name);
	if (!err)
		err = value_get(value, size, &v);
	if (err)
		return err;
	err = xattr_set(p, kname, v, size, (int)flags);
	kvfree(v);
	return err;
}

static long set_path(struct user_str path, u32 lookup, struct user_str name,
		     struct user_bytes value, u64 size, u32 flags)
{
	struct path p;
	long err = user_path(AT_FDCWD, path, lookup, &p);

	if (err)
		return err;
	err = set_on(&p, name, value, size, flags);
	path_put(&p);
	return err;
}

long sys_setxattr(struct user_str path, struct user_str name, struct user_bytes value, u64 size,
		  u32 flags)
{
	return set_path(path, LOOKUP_FOLLOW, name, value, size, flags);
}

long sys_lsetxattr(struct user_str path, struct user_str name, struct user_bytes value, u64 size,
		   u32 flags)
{
	return set_path(path, 0, name, value, size, flags);
}

long sys_fsetxattr(int fd, struct user_str name, struct user_bytes value, u64 size, u32 flags)
{
	struct fd f = fd_get(fd);
	long err;

	if (!f.file)
		return -EBADF;
	err = set_on(&f.file->path, name, value, size, flags);
	fd_put(f);
	return err;
}

/* ---- Getting ---- */

static long get_on(const struct path *p, struct user_str name, struct user_bytes value, u64 size)
{
	char kname[NAME_SIZE] __uninit;
	int err = name_get(kname, name);

	return err ? err : xattr_get(p, kname, value, size);
}

static long get_path(struct user_str path, u32 lookup, struct user_str name,
		     struct user_bytes value, u64 size)
{
	struct path p;
	long ret = user_path(AT_FDCWD, path, lookup, &p);

	if (ret)
		return ret;
	ret = get_on(&p, name, value, size);
	path_put(&p);
	return ret;
}

long sys_getxattr(struct user_str path, struct user_str name, struct user_bytes value, u64 size)
{
	return get_path(path, LOOKUP_FOLLOW, name, value, size);
}

long sys_lgetxattr(struct user_str path, struct user_str name, struct user_bytes value, u64 size)
{
	return get_path(path, 0, name, value, size);
}

long sys_fgetxattr(int fd, struct user_str name, struct user_bytes value, u64 size)
{
	struct fd f = fd_get(fd);
	long ret;

	if (!f.file)
		return -EBADF;
	ret = get_on(&f.file->path, name, value, size);
	fd_put(f);
	return ret;
}

/* ---- Listing ---- */

static long list_path(struct user_str path, u32 lookup, struct user_bytes list, u64 size)
{
	struct path p;
	long ret = user_path(AT_FDCWD, path, lookup, &p);

	if (ret)
		return ret;
	ret = xattr_list(&p, list, size);
	path_put(&p);
	return ret;
}

long sys_listxattr(struct user_str path, struct user_bytes list, u64 size)
{
	return list_path(path, LOOKUP_FOLLOW, list, size);
}

long sys_llistxattr(struct user_str path, struct user_bytes list, u64 size)
{
	return list_path(path, 0, list, size);
}

long sys_flistxattr(int fd, struct user_bytes list, u64 size)
{
	struct fd f = fd_get(fd);
	long ret;

	if (!f.file)
		return -EBADF;
	ret = xattr_list(&f.file->path, list, size);
	fd_put(f);
	return ret;
}

/* ---- Removing ---- */

static long remove_on(const struct path *p, struct user_str name)
{
	char kname[NAME_SIZE] __uninit;
	int err = name_get(kname, name);

	return err ? err : xattr_set(p, kname, NULL, 0, XATTR_REPLACE);
}

static long remove_path(struct user_str path, u32 lookup, struct user_str name)
{
	struct path p;
	long err = user_path(AT_FDCWD, path, lookup, &p);

	if (err)
		return err;
	err = remove_on(&p, name);
	path_put(&p);
	return err;
}

long sys_removexattr(struct user_str path, struct user_str name)
{
	return remove_path(path, LOOKUP_FOLLOW, name);
}

long sys_lremovexattr(struct user_str path, struct user_str name)
{
	return remove_path(path, 0, name);
}

long sys_fremovexattr(int fd, struct user_str name)
{
	struct fd f = fd_get(fd);
	long err;

	if (!f.file)
		return -EBADF;
	err = remove_on(&f.file->path, name);
	fd_put(f);
	return err;
}
