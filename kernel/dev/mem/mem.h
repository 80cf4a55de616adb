/* Private to kernel/dev/mem: what the devices of major 1 share. */
#pragma once

#include <vfs/file.h>

#define MEM_MAJOR 1

/* Registers the operations and makes the node. */
int mem_device_add(u32 minor, const char *name, u32 mode, const struct file_ops *ops) __must_check;
/* Every position is 0. */
loff_t mem_llseek_stay(struct file *f, loff_t off, int whence);
