/* Private to kernel/vfs: the parts of the descriptor table that only the calls themselves need. */
#pragma once

#include <vfs/file.h>

bool fd_get_cloexec(u32 fd);
void fd_set_cloexec(u32 fd, bool set);
/* All descriptors in [first, last]. */
void fd_close_range(u32 first, u32 last);
void fd_cloexec_range(u32 first, u32 last);
