/* Running programs from inside the kernel. */
#pragma once

/*
 * Turns the current task into the program at path: on success its registers are set, and it enters
 * user mode when its kernel function returns. May sleep. 0 or -errno with the old state intact.
 */
int exec_kernel(const char *path, const char *const argv[], const char *const envp[]) __must_check;
/* kernel.randomize_va_space: 0: nothing, 1: all but the heap, else all. Torn-free. */
extern u32 randomize_va_space;
