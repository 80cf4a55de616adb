/*
 * What a process sees as / and ".": fs_context, chdir, fchdir, chroot, getcwd, umask.
 *
 * fs->lock guards root and cwd. A walk that starts under RCU copies them under the lock and drops
 * it; the objects outlive the RCU section.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/limits.h>
#include <mm/slab.h>
#include <syscall/table.h>
#include <task/task.h>
#include <vfs/file.h>

#include "internal.h"

struct fs_context init_fs_context = {
	.ref = {1},
	.lock = SPINLOCK_INIT(LOCK_RANK_FS_CONTEXT),
	.umask = 022,
};

struct fs_context *fs_context_copy(struct fs_context *from)
{
	struct fs_context *fs = kmalloc(sizeof(*fs), GFP_KERNEL);

	if (!fs)
		return NULL;
	ref_init(&fs->ref);
	spin_init(&fs->lock, LOCK_RANK_FS_CONTEXT);
	spin_lock(&from->lock);
	fs->root = from->root;
	fs->cwd = from->cwd;
	fs->umask = from->umask;
	path_get(&fs->root);
	path_get(&fs->cwd);
	spin_unlock(&from->lock);
	return fs;
}

void fs_context_put(struct fs_context *fs)
{
	if (!fs || !ref_put(&fs->ref))
		return;
	path_put(&fs->root);
	path_put(&fs->cwd);
	kfree(fs);
}

/* Puts p (reference consumed) in *slot of the current context. */
static void fs_replace(struct path *slot, const struct path *p)
{
	struct fs_context *fs = current->fs;
	struct path old;

	spin_lock(&fs->lock);
	old = *slot;
	*slot = *p;
	spin_unlock(&fs->lock);
	path_put(&old);
}

long sys_chdir(struct user_str path)
{
	struct path p;
	int err = user_path(AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	if (err)
		return err;
	err = inode_permission(p.dentry->inode, MAY_EXEC);
	if (err)
		path_put(&p);
	else
		fs_replace(&current->fs->cwd, &p);
	return err;
}

long sys_fchdir(int fd)
{
	struct fd f = fd_get_raw(fd);
	struct path p;
	int err;

	if (!f.file)
		return -EBADF;
	p = f.file->path;
	err = inode_is_dir(f.file->inode) ? inode_permission(f.file->inode, MAY_EXEC) : -ENOTDIR;
	if (!err) {
		path_get(&p);
		fs_replace(&current->fs->cwd, &p);
	}
	fd_put(f);
	return err;
}

long sys_chroot(struct user_str path)
{
	struct path p;
	int err = user_path(AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	if (err)
		return err;
	err = inode_permission(p.dentry->inode, MAY_EXEC);
	if (!err && !capable(CAP_SYS_CHROOT))
		err = -EPERM;
	if (err)
		path_put(&p);
	else
		fs_replace(&current->fs->root, &p);
	return err;
}

static void fs_get_both(struct path *root, struct path *cwd)
{
	struct fs_context *fs = current->fs;

	spin_lock(&fs->lock);
	*root = fs->root;
	*cwd = fs->cwd;
	path_get(root);
	path_get(cwd);
	spin_unlock(&fs->lock);
}

/* The text of getcwd in buf (PATH_MAX bytes); its length with the NUL, or -errno. */
static long cwd_text(char *buf, char **text)
{
	struct path root, cwd;
	bool reachable;
	long ret;

	fs_get_both(&root, &cwd);
	if (!dentry_hashed(cwd.dentry) && !dentry_is_root(cwd.dentry))
		ret = -ENOENT;
	else
		ret = path_name_from(&cwd, &root, buf + 16, PATH_MAX - 16, text, &reachable);
	path_put(&root);
	path_put(&cwd);
	if (ret)
		return ret;
	if (!reachable) {
		*text -= 13;
		memcpy(*text, "(unreachable)", 13);
	}
	return (long)strlen(*text) + 1;
}

long sys_getcwd(struct user_bytes buf, u64 size)
{
	char *page = kmalloc(PATH_MAX, GFP_KERNEL), *text;
	long len;

	if (!page)
		return -ENOMEM;
	len = cwd_text(page, &text);
	if (len > 0 && (u64)len > size)
		len = -ERANGE;
	if (len > 0 && user_write_bytes(buf, text, (size_t)len))
		len = -EFAULT;
	kfree(page);
	return len;
}

long sys_umask(u32 mask)
{
	struct fs_context *fs = current->fs;
	u32 old;

	spin_lock(&fs->lock);
	old = fs->umask;
	WRITE_ONCE(fs->umask, mask & 0777);
	spin_unlock(&fs->lock);
	return old;
}
