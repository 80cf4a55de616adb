/* epoll's side towards the rest of the kernel: the end of a watched file, and one setting. */
#pragma once

#include <vfs/file.h>

/* Takes a file whose last reference is gone out of every epoll. Sleeps; before ops->release. */
void epoll_forget_file(struct file *f);

/* Most descriptors that one user may have in epolls: /proc/sys/fs/epoll/max_user_watches. */
extern s64 epoll_max_user_watches;
