/* Descriptors that stand for processes. */
#pragma once

#include <lib/types.h>

struct file;
struct process;
struct task;

/* A new descriptor's file for p; flags: O_NONBLOCK. 0 or -errno. May sleep. */
int pidfd_create(struct process *p, u32 flags, struct file **out) __must_check;
/* The process of a pidfd with a reference, and whether the descriptor is non-blocking (NULL: not
 * asked). NULL: fd is no pidfd. */
struct process *pidfd_process_get(int fd, bool *nonblock);
/* The leader of the pidfd's process, with a reference: *out. 0, -EBADF, or -ESRCH when it has been
 * reaped. */
int pidfd_task_get(int fd, struct task **out) __must_check;
/* p's leader with a reference, or NULL when it has been reaped. */
struct task *process_leader_get(struct process *p);
/* Filled in by procfs: the process that an open /proc/PID directory is about, with a reference. 0,
 * -EBADF, or -ESRCH when it is gone. */
extern int (*pidfd_of_proc_dir)(const struct file *f, struct process **out);
