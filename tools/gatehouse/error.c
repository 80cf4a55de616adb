/*
 * Error lines and allocation that cannot fail quietly.
 *
 * die() leaves through exit(), so that the terminal's atexit handler runs.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "error.h"

/* One write per line: lines of several processes on one terminal do not mix. */
static void print_line(const char *format, va_list args)
{
	char line[1024];
	int used = snprintf(line, sizeof(line), "gatehouse: ");
	int len = vsnprintf(line + used, sizeof(line) - (size_t)used - 1, format, args);
	size_t end = (size_t)used + (len < 0 ? 0 : (size_t)len);

	if (end > sizeof(line) - 2)
		end = sizeof(line) - 2;
	line[end++] = '\n';
	if (write(STDERR_FILENO, line, end) < 0)
		return; /* nowhere left to report it */
}

void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(format, args);
	va_end(args);
}

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(format, args);
	va_end(args);
	exit(STATUS_OWN_ERROR);
}

void *xmalloc(unsigned long size)
{
	void *memory = malloc(size);

	if (!memory)
		die("out of memory: %lu bytes are not available", size);
	return memory;
}

void *xrealloc(void *old, unsigned long size)
{
	void *memory = realloc(old, size);

	if (!memory)
		die("out of memory: %lu bytes are not available", size);
	return memory;
}

char *format_text(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	int len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		die("out of memory");
	return text;
}
