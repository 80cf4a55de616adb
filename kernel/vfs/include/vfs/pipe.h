/* Pipes: the operations that FIFO inodes open with. */
#pragma once

#include <vfs/file.h>

extern const struct file_ops fifo_fops;

/* Two pipe ends; flags O_NONBLOCK, O_DIRECT. 0 or -errno. */
int pipe_create(u32 flags, struct file **reader, struct file **writer) __must_check;

/* Upper limits of F_SETPIPE_SZ without CAP_SYS_RESOURCE: /proc/sys/fs/pipe-max-size. */
extern u32 pipe_max_size; /* bytes: a power of two of pages */
/* What a pipe asked to hold size bytes will hold; 0: out of range. */
u32 pipe_round_size(u64 size);
