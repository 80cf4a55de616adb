/* Advisory locks: record locks of processes (fcntl), of open files (OFD) and whole-file flock. */
#pragma once

#include <vfs/file.h>

struct file_locks;

/* A descriptor was closed: drops the record locks of `owner` (a descriptor table) on the file. */
void locks_release_owner(struct file *f, const void *owner);
/* The last reference is gone: drops flock and OFD locks. */
void locks_release_file(struct file *f);
/* With the inode. No user is left. */
void locks_free(struct file_locks *l);

/* Lines of /proc/locks; number counts from 1. */
void locks_show(void (*emit)(void *ctx, const char *text), void *ctx);
