/*
 * Files without a name in the tree. Two kernel-internal file systems hold them: pipefs, where each
 * pipe has an inode of its own, and anon_inodefs, where all objects share one inode and differ by
 * the operations of their open files. Neither can be mounted by a user.
 */
#include <boot/init.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <vfs/anon_fs.h>
#include <vfs/file_alloc.h>
#include <vfs/pipe.h>

#include "anon.h"

#define PIPEFS_MAGIC      0x50495045
#define ANON_INODE_MAGIC  0x09041934

static struct mount *pipe_mnt __ro_after_init;
static struct mount *anon_mnt __ro_after_init;

static int fits(int len, size_t size)
{
	return (size_t)len < size ? 0 : -ENAMETOOLONG;
}

static int pipe_name(struct dentry *d, char *buf, size_t size)
{
	return fits(format(buf, size, "pipe:[%llu]", d->inode->ino), size);
}

static int anon_name(struct dentry *d, char *buf, size_t size)
{
	return fits(format(buf, size, "%s", (const char *)d->private), size);
}

static const struct dentry_ops pipe_dentry_ops = {.name = pipe_name};
static const struct dentry_ops anon_dentry_ops = {.name = anon_name};

static int anon_statfs(struct super_block *sb, struct kstatfs *st)
{
	st->type = sb->magic;
	st->bsize = st->frsize = sb->blocksize;
	st->namelen = 255;
	return 0;
}

static const struct super_ops anon_super_ops = {.statfs = anon_statfs};

int anon_super(const struct fs_type *t, u64 magic, struct super_block **out)
{
	struct super_block *sb = super_alloc(t);
	struct inode *inode;

	if (!sb)
		return -ENOMEM;
	sb->ops = &anon_super_ops;
	sb->magic = magic;
	inode = inode_alloc(sb, S_IFDIR | 0600);
	if (inode)
		sb->root = dentry_alloc_root(sb, inode);
	if (!sb->root) {
		super_put(sb);
		return -ENOMEM;
	}
	*out = sb;
	return 0;
}

static int mount_pipefs(const struct fs_type *t, const char *source, u32 flags,
			const char *options, struct super_block **out)
{
	return anon_super(t, PIPEFS_MAGIC, out);
}

static int mount_anon_inodefs(const struct fs_type *t, const char *source, u32 flags,
			      const char *options, struct super_block **out)
{
	return anon_super(t, ANON_INODE_MAGIC, out);
}

static struct fs_type pipefs = {.name = "pipefs", .no_device = true, .mount = mount_pipefs};
static struct fs_type anon_inodefs = {
	.name = "anon_inodefs",
	.no_device = true,
	.mount = mount_anon_inodefs,
};

int anon_path(struct mount *mnt, struct inode *inode, const struct dentry_ops *ops, const char *name,
	      struct path *out)
{
	struct dentry *d = dentry_alloc_root(mnt->sb, inode);

	if (!d)
		return -ENFILE;
	d->ops = ops;
	d->private = (void *)name;
	mount_get(mnt);
	*out = (struct path){mnt, d};
	return 0;
}

int anon_pipe_path(struct path *out)
{
	struct inode *inode = inode_alloc(pipe_mnt->sb, S_IFIFO | 0600);

	if (!inode)
		return -ENFILE;
	inode->fops = &fifo_fops;
	return anon_path(pipe_mnt, inode, &pipe_dentry_ops, NULL, out);
}

bool anon_is_pipe(const struct inode *inode)
{
	return inode->sb->magic == PIPEFS_MAGIC;
}

/* /proc/self/fd shows the object, but it cannot be opened a second time. */
static int anon_open(struct inode *inode, struct file *f)
{
	return -ENXIO;
}

static const struct file_ops anon_fops = {.name = "anon", .open = anon_open};
static struct inode *anon_inode __ro_after_init;

int file_create_anon(const char *name, const struct file_ops *ops, void *private, u32 flags,
		     struct file **out)
{
	struct path path;
	struct file *f;
	int err;

	inode_get(anon_inode);
	err = anon_path(anon_mnt, anon_inode, &anon_dentry_ops, name, &path);
	if (err)
		return err;
	err = file_alloc(&path, flags, &f);
	path_put(&path);
	if (err)
		return err;
	f->ops = ops;
	f->private = private;
	f->mode &= FMODE_READ | FMODE_WRITE | (ops->llseek ? FMODE_SEEK : 0);
	*out = f;
	return 0;
}

static int anon_init(void)
{
	if (fs_register(&pipefs) || fs_register(&anon_inodefs))
		return -EBUSY;
	pipe_mnt = mount_internal(&pipefs);
	anon_mnt = mount_internal(&anon_inodefs);
	if (!pipe_mnt || !anon_mnt)
		return -ENOMEM;
	/* Linux's anonymous inode has no type. */
	anon_inode = inode_alloc(anon_mnt->sb, 0600);
	if (!anon_inode)
		return -ENOMEM;
	anon_inode->fops = &anon_fops;
	return 0;
}
INIT_CALL(INIT_CORE, anon_init);
