/*
 * The last lines of a log that is shown only when something went wrong.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct klog {
	int from;   /* non-blocking; -1: ended */
	bool show;  /* pass everything on to standard error as it comes */
	size_t end; /* bytes ever received; the buffer holds the last ones */
	char buffer[1 << 14];
};

void klog_init(struct klog *log, int from, bool show);
/* Takes what has arrived. */
void klog_read(struct klog *log);
/* Writes the last `lines` lines to standard error. */
void klog_print_tail(const struct klog *log, unsigned int lines);
/* The last non-empty line, into `line`; false when there is none. */
bool klog_last_line(const struct klog *log, char *line, size_t size);
