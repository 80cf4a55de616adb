/* File capabilities: what execve asks of a file, and when they go. */
#pragma once

#include <lib/file_caps.h>
#include <vfs/inode.h>

/* What the file at p grants. 0; -ENODATA: nothing (to this system's users); or -errno. May sleep. */
int path_file_caps(const struct path *p, struct file_caps *out) __must_check;
/* The attribute as getxattr shows it: one for our root as revision 2. Its size, or -errno. */
ssize_t path_file_caps_value(const struct path *p, void *buf, size_t size);
/* Data or owner changed: the capabilities go. Inode lock held exclusively. */
int inode_kill_caps(struct dentry *d) __must_check;
/* The attribute was set or removed (value NULL). Inode lock held exclusively. */
void inode_note_caps(struct inode *i, const void *value);
