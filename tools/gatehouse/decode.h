/*
 * One recorded call as a line of text, in strace's format.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <trace/abi.h>

/*
 * Writes the line with its end. `captures` holds what follows the record, len bytes; it came from the
 * guest and may be anything.
 */
void decode_call(FILE *out, const struct trace_record *record, const char *captures, size_t len);
/* The end of a thread. */
void decode_death(FILE *out, const struct trace_record *record);
