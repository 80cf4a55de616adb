/*
 * File capabilities: the attribute security.capability as execve sees it, and its removal when the
 * file's data or owner changes.
 *
 * INODE_FILE_CAPS says that the attribute was set through this kernel, so that writes do not have to
 * ask the file system each time. A file system with files from elsewhere drops them by itself.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/xattr.h>
#include <vfs/file_caps.h>

int path_file_caps(const struct path *p, struct file_caps *out)
{
	u8 value[FILE_CAPS_MAX_BYTES];
	ssize_t n = inode_getxattr(p->dentry, XATTR_NAME_CAPS, value, sizeof(value));
	int err;

	if (n < 0)
		return n == -EOPNOTSUPP ? -ENODATA : (int)n;
	err = file_caps_parse(value, (size_t)n, out);
	if (!err && out->rootid)
		return -ENODATA; /* for the root of a user namespace that is not ours */
	return err;
}

ssize_t path_file_caps_value(const struct path *p, void *buf, size_t size)
{
	u8 value[FILE_CAPS_MAX_BYTES];
	ssize_t n = inode_getxattr(p->dentry, XATTR_NAME_CAPS, value, sizeof(value));

	if (n < 0)
		return n;
	n = file_caps_as_shown(value, (size_t)n);
	if (n < 0 || !size)
		return n;
	if (size < (size_t)n)
		return -ERANGE;
	memcpy(buf, value, (size_t)n);
	return n;
}

int inode_kill_caps(struct dentry *d)
{
	struct inode *i = d->inode;
	int err;

	if (likely(!(i->flags & INODE_FILE_CAPS)))
		return 0;
	err = i->ops->setxattr(d, XATTR_NAME_CAPS, NULL, 0, XATTR_REPLACE);
	if (err && err != -ENODATA)
		return err;
	inode_note_caps(i, NULL);
	return 0;
}

void inode_note_caps(struct inode *i, const void *value)
{
	if (value)
		WRITE_ONCE(i->flags, i->flags | INODE_FILE_CAPS);
	else
		WRITE_ONCE(i->flags, i->flags & ~(u32)INODE_FILE_CAPS);
}
