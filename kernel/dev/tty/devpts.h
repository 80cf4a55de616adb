/* The file system with the slaves' names. One instance, whatever the number of mounts. */
#pragma once

#include <lib/types.h>

int devpts_init(void);
/* The node /dev/pts/<index>, owned by the caller's ids. 0 or -ENOMEM. */
int devpts_add(u32 index, u64 rdev) __must_check;
void devpts_remove(u32 index);
/* The next index >= *index that has a node. */
bool pty_next(u32 *index);
