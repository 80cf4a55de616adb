/*
 * What the guest's kernel records of the program's calls: --trace, --trace=summary, --learn.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>

#include "options.h"

/* Opens the files that the options name; dies when one cannot be made. */
void trace_open(const struct run_options *options);
/* What pid 1 is told to switch on ("calls", "counts"), or NULL: nothing. */
const char *trace_mode(void);
/* The stream from the machine; -1: there is none. */
void trace_attach(int fd);
/* The slot for poll, and what to do when it has fired. */
void trace_want(struct pollfd *slot);
void trace_run(const struct pollfd *slot);
/* True when the last record has come, or none is to be expected any more. */
bool trace_done(void);
/* The run is over: takes what has come, writes the table and the profile. */
void trace_finish(void);
