/*
 * Files without a name, for memfd and System V shared memory: unlinked from their birth, on an
 * instance that nobody can mount and that has no limits but memory.
 */
#include <boot/init.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <vfs/file.h>
#include <vfs/file_alloc.h>

#include "internal.h"

static struct mount *nameless_mnt __ro_after_init;

static int attach_file(struct inode *i, const char *name, u32 flags, struct file **out)
{
	struct qstr q = qstr_make(name, (u32)strlen(name));
	struct path p = {nameless_mnt, dentry_alloc(nameless_mnt->sb->root, &q)};
	int err;

	if (!p.dentry) {
		inode_put(i);
		return -ENOMEM;
	}
	dentry_instantiate(p.dentry, i);
	mount_get(p.mnt);
	err = file_alloc(&p, flags, out);
	path_put(&p);
	return err;
}

int tmpfs_file_create_nameless(const char *name, u64 size, u32 mode, u32 flags, struct file **out)
{
	struct inode *i = tmpfs_anon_inode(nameless_mnt->sb, mode);

	if (!i)
		return -ENOMEM;
	i->size = size;
	return attach_file(i, name, flags, out);
}

static int nameless_mount(const struct fs_type *t, const char *source, u32 flags,
			  const char *options, struct super_block **out)
{
	return tmpfs_super_create(t, flags, 0777, "size=0,nr_inodes=0", out);
}

static int nameless_init(void)
{
	static struct fs_type type = {.name = "tmpfs", .no_device = true, .mount = nameless_mount};

	nameless_mnt = mount_internal(&type);
	return nameless_mnt ? 0 : -ENOMEM;
}
INIT_CALL(INIT_CORE, nameless_init);
