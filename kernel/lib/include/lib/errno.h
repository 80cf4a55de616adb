/* Error numbers: the ABI's, plus the kernel-internal ones that never reach user space. */
#pragma once

#include <linux/errno.h>

/* Restart codes, interpreted by signal delivery on the way back to user mode (signal/restart). */
#define ERESTARTSYS           512 /* restart if the handler has SA_RESTART, else EINTR */
#define ERESTARTNOINTR        513 /* always restart */
#define ERESTARTNOHAND        514 /* restart only if no handler runs, else EINTR */
#define ERESTART_RESTARTBLOCK 516 /* continue through restart_syscall(2) */
