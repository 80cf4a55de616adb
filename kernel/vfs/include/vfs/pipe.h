/* Pipes: the operations that FIFO inodes open with. */
#pragma once

#include <vfs/file.h>

extern const struct file_ops fifo_fops;

/* Upper limits of F_SETPIPE_SZ without CAP_SYS_RESOURCE: /proc/sys/fs/pipe-max-size. */
extern u32 pipe_max_size;
