/*
 * The command's own errors: one line on standard error that says what to do, status 125.
 */
#pragma once

enum {
	STATUS_TIMEOUT = 124,	     /* --timeout expired */
	STATUS_OWN_ERROR = 125,	     /* Gatehouse's own error */
	STATUS_NOT_EXECUTABLE = 126, /* the guest found the program but cannot execute it */
	STATUS_NOT_FOUND = 127,	     /* the guest did not find the program */
	STATUS_SIGNAL = 128,	     /* plus the number of the signal */
};

/* Prints "gatehouse: TEXT" and ends the command with STATUS_OWN_ERROR. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints "gatehouse: TEXT" and goes on. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* malloc and realloc that die instead of returning NULL. */
void *xmalloc(unsigned long size);
void *xrealloc(void *old, unsigned long size);
/* asprintf that dies instead of failing; the caller owns the string. */
char *format_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
