/* Character devices: major and minor numbers to operations, and their nodes in devtmpfs. */
#pragma once

#include <vfs/file.h>

/* Registers minors [minor, minor+count) of a major. Process context. 0, -EBUSY, -ENOMEM. */
int chrdev_register(u32 major, u32 minor, u32 count, const char *name, const struct file_ops *ops)
	__must_check;
/* "  1 mem" for each major number, in order, as in /proc/devices. Process context. */
void chrdev_show(void (*emit)(void *ctx, const char *text), void *ctx);
/* Operations of a device number, or NULL: the open of a device inode uses it. */
const struct file_ops *chrdev_find(u64 rdev);
/* Creates /dev/<name> (in devtmpfs; directories made as needed). Works before it is mounted. */
int devtmpfs_add(const char *name, u32 mode, u64 rdev) __must_check;
void devtmpfs_remove(const char *name);
