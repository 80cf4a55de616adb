/* What the files of trace/ share. */
#pragma once

#include <trace/trace.h>

/* What of an argument is copied. */
#define CAP_IN    BIT(0) /* a structure before the call */
#define CAP_OUT   BIT(1) /* … after it, if it succeeded */
#define CAP_STR   BIT(2) /* text */
#define CAP_STRV  BIT(3) /* a list of texts */
#define CAP_BYTES BIT(4) /* as many bytes as the next argument says; after it: as the result says */
#define CAP_MANY  BIT(5) /* as many structures as the next argument says */

struct trace_arg {
	u8 what;   /* CAP_* */
	u16 size;  /* of the structure */
};

#define TRACE_ARGS 6

/* The arguments of call nr, or NULL: nothing to copy. */
const struct trace_arg *trace_args(u32 nr);

/* The call that a traced task makes now. */
struct trace_call {
	struct trace_record record;
	u8 captures[TRACE_RECORD_MAX - sizeof(struct trace_record)];
};

/* stream.c */
extern bool trace_captures; /* memory is copied, not only numbers */
/* Appends a record of at most TRACE_RECORD_MAX bytes; waits for room. */
void trace_stream_put(const struct trace_record *r);
/* One call that could not be recorded. */
void trace_stream_lost(void);
