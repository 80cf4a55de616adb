/* readlink and readlinkat. */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <mm/slab.h>
#include <syscall/table.h>
#include <vfs/file.h>

#include "internal.h"

/* A link whose text is made on demand: through a buffer. */
static long readlink_made(struct inode *i, struct user_bytes buf, size_t size)
{
	char *text = kmalloc(PATH_MAX, GFP_KERNEL);
	int len;

	if (!text)
		return -ENOMEM;
	len = i->ops->readlink(i, text, PATH_MAX);
	if (len > 0) {
		len = (int)MIN((size_t)len, size);
		if (user_write_bytes(buf, text, (size_t)len))
			len = -EFAULT;
	}
	kfree(text);
	return len;
}

static long readlink_path(const struct path *p, bool empty, struct user_bytes buf, size_t size)
{
	struct inode *i = p->dentry->inode;
	const char *text;
	size_t len;
	int err;

	if (!inode_is_lnk(i) || !i->ops)
		return empty ? -ENOENT : -EINVAL;
	path_accessed(p);
	if (i->ops->readlink)
		return readlink_made(i, buf, size);
	if (!i->ops->get_link)
		return -EINVAL;
	err = i->ops->get_link(i, true, &text);
	if (err)
		return err;
	len = MIN(strlen(text), size);
	return user_write_bytes(buf, text, len) ? -EFAULT : (long)len;
}

long sys_readlinkat(int dirfd, struct user_str path, struct user_bytes buf, int size)
{
	struct filename f __uninit;
	struct path p;
	long ret;

	if (size <= 0)
		return -EINVAL;
	ret = filename_get(&f, path, LOOKUP_EMPTY);
	if (ret)
		return ret;
	ret = path_lookup(dirfd, f.name, LOOKUP_EMPTY, &p);
	if (!ret) {
		ret = readlink_path(&p, f.len == 0, buf, (size_t)size);
		path_put(&p);
	}
	filename_put(&f);
	return ret;
}

long sys_readlink(struct user_str path, struct user_bytes buf, int size)
{
	return sys_readlinkat(AT_FDCWD, path, buf, size);
}
