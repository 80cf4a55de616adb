/* The kernel log: a ring buffer and the serial console. Usable in every context after boot_log_init. */
#pragma once

#include <stdarg.h>
#include <lib/types.h>

enum log_level { LOG_EMERG, LOG_ALERT, LOG_CRIT, LOG_ERR, LOG_WARN, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

void log_write(enum log_level level, const char *fmt, ...) __printf(2, 3);

#define pr_err(...)   log_write(LOG_ERR, __VA_ARGS__)
#define pr_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define pr_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define pr_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

/*
 * Stops the machine with a symbolised back trace: for a broken invariant of the kernel itself,
 * never for anything that user space, a disk, a device or the network can cause.
 */
__noreturn void panic(const char *fmt, ...) __printf(1, 2);

#define BUG_ON(cond)                                                                               \
	do {                                                                                       \
		if (unlikely(cond))                                                                \
			panic("%s:%d: %s", __FILE__, __LINE__, #cond);                             \
	} while (0)

/* Checked in the debug flavours only; the condition must have no side effect. */
#ifdef CONFIG_DEBUG
#define ASSERT(cond) BUG_ON(!(cond))
#else
#define ASSERT(cond) ((void)sizeof(!(cond)))
#endif
