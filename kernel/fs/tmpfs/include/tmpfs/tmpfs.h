/* tmpfs: files that live in the page cache and names that live in the path cache. */
#pragma once

#include <vfs/inode.h>

struct file;

/* What is mounted on / before there is anything else. Not registered, so not mountable. */
extern struct fs_type rootfs_type;

/* Registers tmpfs and ramfs. During boot. */
int tmpfs_register(void) __must_check;

/*
 * A new instance for a type that is tmpfs in disguise (devtmpfs): its root has root_mode. options
 * as for mount(2). 0, -EINVAL, -ENOMEM.
 */
int tmpfs_super_create(const struct fs_type *t, u32 flags, u32 root_mode, const char *options,
		       struct super_block **out) __must_check;
/* MS_REMOUNT of such an instance. */
int tmpfs_remount(struct super_block *sb, u32 flags, const char *options);

/*
 * A nameless regular file for memfd and shared anonymous memory: an inode with nlink 0 and one
 * reference on an instance that no one mounts. NULL: no memory.
 */
struct inode *tmpfs_anon_inode(struct super_block *sb, u32 mode);

/*
 * An open file of that kind, size bytes of zeroes, on an instance without limits. It is shown as
 * "/NAME (deleted)"; name is copied. flags O_*. 0, -ENOMEM, -ENFILE.
 */
int tmpfs_file_create_nameless(const char *name, u64 size, u32 mode, u32 flags, struct file **out)
	__must_check;

/* F_ADD_SEALS. 0, -EPERM, -EBUSY, -EINVAL (also for files that are not tmpfs's). */
int tmpfs_seals_add(struct file *f, u64 seals) __must_check;
/* F_GET_SEALS: the seals or -EINVAL. */
int tmpfs_seals_get(const struct file *f);
