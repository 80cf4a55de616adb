/* Programs that the kernel itself starts. */
#pragma once

#include <lib/types.h>

struct file;

/* Gives the current kernel thread descriptors, a directory and signal actions of its own. 0 or -ENOMEM. */
int kernel_become_process(void) __must_check;
/*
 * Starts argv[0] as root in the initial root directory, with `in` (a reference is taken) as its
 * standard input, an empty environment and no core files of its own. Nobody waits for it. 0 when
 * the program runs, or -errno. May sleep.
 */
int user_helper_start(const char *const argv[], struct file *in) __must_check;
