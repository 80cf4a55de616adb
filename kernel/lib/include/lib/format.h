/* Formatted text into a buffer: %d %i %u %x %X %o %c %s %p %% with flags, width, precision, hh h l ll z t. */
#pragma once

#include <stdarg.h>
#include <lib/types.h>

/* Like C's snprintf: the length the whole text would have had; always terminates if size > 0. */
int format(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
int vformat(char *buf, size_t size, const char *fmt, va_list ap) __printf(3, 0);
