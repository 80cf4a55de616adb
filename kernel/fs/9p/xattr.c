/*
 * Extended attributes: each is read or written through a fid of its own. Nothing is cached, save
 * that a server without security.* attributes is not asked for them again: exec and write would.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/limits.h>
#include <linux/xattr.h>
#include <mm/slab.h>
#include "internal.h"

/* Reads all of an attribute fid, whose size is given. Consumes the fid. */
static ssize_t value_read(struct p9_fid *f, u64 size, void *value, size_t room)
{
	u64 done = 0;
	char *buf;
	ssize_t n = 0;

	if (!room || size > room) {
		p9_fid_put(f);
		return !room ? (ssize_t)size : -ERANGE;
	}
	buf = kmalloc(MIN(size + 1, (u64)PAGE_SIZE), GFP_KERNEL);
	if (!buf)
		n = -ENOMEM;
	while (n >= 0 && done < size) {
		n = p9_read(f, done, buf, (u32)MIN(size - done, (u64)PAGE_SIZE));
		if (n > 0)
			memcpy((char *)value + done, buf, (size_t)n);
		else if (!n)
			n = -EIO;
		done += n > 0 ? (u64)n : 0;
	}
	kfree(buf);
	p9_fid_put(f);
	return n < 0 ? n : (ssize_t)size;
}

static bool security(const char *name)
{
	return strncmp(name, XATTR_SECURITY_PREFIX, XATTR_SECURITY_PREFIX_LEN) == 0;
}

static bool system(const char *name)
{
	return strncmp(name, XATTR_SYSTEM_PREFIX, XATTR_SYSTEM_PREFIX_LEN) == 0;
}

static ssize_t read_attr(struct dentry *d, const char *name, u64 max, void *value, size_t room)
{
	struct p9_fid *f, *attr;
	u64 size;
	int err = p9_fid_any(d, &f);

	if (err)
		return err;
	err = p9_xattr_walk(f, name, &attr, &size);
	p9_fid_put(f);
	if (err)
		return err;
	if (size > max) {
		p9_fid_put(attr);
		return -E2BIG;
	}
	return value_read(attr, size, value, room);
}

ssize_t p9_getxattr(struct dentry *d, const char *name, void *value, size_t size)
{
	struct p9_super *s = p9_sb(d->sb);
	ssize_t n;

	/* ACLs are not looked at here, so they are not shown either; ls -l would ask for each file. */
	if ((READ_ONCE(s->no_security) && security(name)) || system(name))
		return -EOPNOTSUPP;
	n = read_attr(d, name, XATTR_SIZE_MAX, value, size);
	if (n == -EOPNOTSUPP && security(name))
		WRITE_ONCE(s->no_security, true);
	return n;
}

ssize_t p9_listxattr(struct dentry *d, char *list, size_t size)
{
	ssize_t n = read_attr(d, "", XATTR_LIST_MAX, list, size);

	/* Names end in NUL: callers rely on it. */
	if (n > 0 && size && list[n - 1])
		return -EIO;
	return n;
}

static int value_write(struct p9_fid *f, const void *value, size_t size)
{
	size_t done = 0;
	ssize_t n = 0;
	char *buf = kmalloc(MIN(size + 1, PAGE_SIZE), GFP_KERNEL);

	if (!buf)
		return -ENOMEM;
	while (n >= 0 && done < size) {
		size_t part = MIN(size - done, PAGE_SIZE);

		memcpy(buf, (const char *)value + done, part);
		n = p9_write(f, done, buf, (u32)part);
		if (!n)
			n = -EIO;
		done += n > 0 ? (size_t)n : 0;
	}
	kfree(buf);
	return n < 0 ? (int)n : 0;
}

/* A value of size 0 that is not there (NULL) removes the attribute: the protocol has one call. */
int p9_setxattr(struct dentry *d, const char *name, const void *value, size_t size, int flags)
{
	struct p9_fid *f, *attr;
	int err = system(name) ? -EOPNOTSUPP : p9_fid_of(d, &f), set;

	if (err)
		return err;
	err = p9_walk(f, NULL, 0, NULL, &attr);
	p9_fid_put(f);
	if (err)
		return err;
	if (!value)
		size = 0;
	err = p9_xattr_create(attr, name, size, value ? (u32)flags : XATTR_REPLACE);
	if (!err)
		err = value_write(attr, value, size);
	if (err) {
		p9_fid_put(attr);
		return err;
	}
	set = p9_clunk(attr); /* this is what sets it */
	if (!set)
		inode_touch(d->inode, ATTR_CTIME);
	return set;
}
