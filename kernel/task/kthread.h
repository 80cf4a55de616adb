/* The beginnings of the task tree. */
#pragma once

#include "internal.h"

extern struct pid_entry idle_pid; /* number 0: group and session of the kernel's own tasks */

/* The thread that will be pid 1. NULL: out of memory. */
struct task *kthread_create_init(void (*fn)(void *));
