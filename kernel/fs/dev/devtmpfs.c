/*
 * devtmpfs: the one tmpfs instance that drivers put their nodes into. It exists before anybody
 * mounts it; each mount shows the same instance, and what programs change in it they change there.
 *
 * Nodes are placed with the instance's own directory operations, under the directory's inode lock
 * like any other creation. devtmpfs_lock guards only the birth of the instance.
 */
#include <boot/init.h>
#include <fs/sysfs.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <tmpfs/tmpfs.h>
#include <vfs/chrdev.h>

static int devtmpfs_mount(const struct fs_type *t, const char *source, u32 flags,
			  const char *options, struct super_block **out);

static struct fs_type devtmpfs_type = {
	.name = "devtmpfs",
	.no_device = true,
	.user_mountable = true,
	.mount = devtmpfs_mount,
	.remount = tmpfs_remount,
};
static DEFINE_MUTEX(devtmpfs_lock, LOCK_RANK_FS_REGISTRY);
static struct super_block *instance; /* devtmpfs_lock to make; then const, never freed */

static int instance_get(struct super_block **out)
{
	int err = 0;

	mutex_lock(&devtmpfs_lock);
	if (!instance)
		err = tmpfs_super_create(&devtmpfs_type, 0, 0755, "", &instance);
	*out = instance;
	mutex_unlock(&devtmpfs_lock);
	return err;
}

static int devtmpfs_mount(const struct fs_type *t, const char *source, u32 flags,
			  const char *options, struct super_block **out)
{
	int err = instance_get(out);

	if (!err)
		err = tmpfs_remount(*out, flags, options);
	if (!err)
		super_get(*out);
	return err;
}

/* The child of that name, hashed and possibly negative. The directory is locked exclusively. */
static struct dentry *child_get(struct dentry *dir, const struct qstr *name)
{
	struct dentry *d = dentry_lookup(dir, name);

	if (d)
		return d;
	d = dentry_alloc(dir, name);
	if (d)
		dentry_add(d, NULL);
	return d;
}

static int make_locked(struct inode *dir, struct dentry *d, u32 mode, u64 rdev)
{
	int err;

	if (d->inode)
		return S_ISDIR(mode) && inode_is_dir(d->inode) ? 0 : -EEXIST;
	err = S_ISDIR(mode) ? dir->ops->mkdir(dir, d, mode) : dir->ops->mknod(dir, d, mode, rdev);
	if (!err) {
		/* Whoever's action made the device appear does not own it. */
		d->inode->uid = d->inode->gid = 0;
		d->inode->mode = mode;
	}
	return err;
}

/* Makes (or finds, if it is a directory) one entry; *out has a reference. */
static int make_child(struct dentry *dir, const char *name, size_t len, u32 mode, u64 rdev,
		      struct dentry **out)
{
	struct qstr q = qstr_make(name, (u32)len);
	struct dentry *d;
	int err = -ENOMEM;

	if (!len || len > NAME_MAX)
		return -EINVAL;
	rwsem_write_lock(&dir->inode->lock);
	d = child_get(dir, &q);
	if (d)
		err = make_locked(dir->inode, d, mode, rdev);
	rwsem_write_unlock(&dir->inode->lock);
	if (err)
		dentry_put(d);
	else
		*out = d;
	return err;
}

/* Walks the directories in front of the last component; they are made if make is set. */
static int parent_of(const char **name, bool make, struct dentry **out)
{
	struct dentry *dir, *next;
	struct super_block *sb;
	const char *slash;
	int err = instance_get(&sb);

	if (err)
		return err;
	dir = sb->root;
	dentry_get(dir);
	while ((slash = strchr(*name, '/'))) {
		struct qstr q = qstr_make(*name, (u32)(slash - *name));

		next = NULL;
		if (make)
			err = make_child(dir, q.name, q.len, S_IFDIR | 0755, 0, &next);
		else
			next = dentry_lookup(dir, &q);
		dentry_put(dir);
		if (err)
			return err;
		if (!next || !next->inode || !inode_is_dir(next->inode)) {
			dentry_put(next);
			return -ENOENT;
		}
		dir = next;
		*name = slash + 1;
	}
	*out = dir;
	return 0;
}

int devtmpfs_add(const char *name, u32 mode, u64 rdev)
{
	struct dentry *dir, *d;
	int err = parent_of(&name, true, &dir);

	if (err)
		return err;
	if (!(mode & S_IFMT))
		mode |= S_IFCHR;
	err = make_child(dir, name, strlen(name), mode, rdev, &d);
	if (!err) {
		dentry_put(d);
		if (S_ISCHR(mode))
			sys_add_chrdev(name, mode, rdev);
	}
	dentry_put(dir);
	return err;
}

void devtmpfs_remove(const char *name)
{
	struct dentry *dir, *d = NULL;
	struct inode *i = NULL;
	struct qstr q;

	if (parent_of(&name, false, &dir))
		return;
	q = qstr_make(name, (u32)strlen(name));
	rwsem_write_lock(&dir->inode->lock);
	d = dentry_lookup(dir, &q);
	if (d && d->inode && !inode_is_dir(d->inode) && !d->mounted) {
		i = d->inode;
		inode_get(i);
		rwsem_write_lock(&i->lock);
		if (!dir->inode->ops->unlink(dir->inode, d))
			dentry_delete(d);
		rwsem_write_unlock(&i->lock);
	}
	rwsem_write_unlock(&dir->inode->lock);
	dentry_put(d);
	dentry_put(dir);
	if (i)
		inode_put(i);
}

static int devtmpfs_init(void)
{
	return fs_register(&devtmpfs_type);
}
INIT_CALL(INIT_CORE, devtmpfs_init);
