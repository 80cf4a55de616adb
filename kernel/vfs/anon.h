/* Private to kernel/vfs: places for objects that have no name in the tree. */
#pragma once

#include <vfs/inode.h>

/* A fresh FIFO inode on the pipes' own file system; references on *out. 0 or -ENFILE. */
int anon_pipe_path(struct path *out) __must_check;

/* The inode is a pipe(2)'s, not a FIFO's: opening it again (through /proc) waits for nobody. */
bool anon_is_pipe(const struct inode *inode);
