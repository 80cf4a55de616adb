/*
 * The stream of recorded calls, from the kernel to the host command: records one behind the other, little
 * endian, each a struct trace_record and then captures. The kernel copies, the host decodes; both know the
 * calls from syscalls.def. Shared by both, so this header includes nothing of either.
 */
#pragma once

#include <linux/types.h>

#define TRACE_PORT "/dev/vport0p5"
#define TRACE_CONTROL "/sys/kernel/gatehouse/trace" /* what pid 1 writes "calls", "counts", "flush" to */

enum trace_type {
	TRACE_CALL = 1, /* a call that has returned, or never will */
	TRACE_DIED,     /* a thread has ended; result: its wait status */
	TRACE_END,      /* the last record; result: calls that could not be recorded */
};

/* Who refused a call, where it is known. Numbers from TRACE_CHECK_CAP on: that plus the capability. */
enum trace_check {
	TRACE_CHECK_NONE,
	TRACE_CHECK_SECCOMP,
	TRACE_CHECK_NO_CALL, /* a number without a handler */
	TRACE_CHECK_FILE,    /* the permissions of a file */
	TRACE_CHECK_CAP = 64,
};

#define TRACE_UNFINISHED 1u /* flags: there is no result */

struct trace_record {
	__u32 len; /* with the captures */
	__u16 type, check;
	__u32 nr, flags;
	__s32 pid;
	__u32 unused;
	__u64 start_ns, duration_ns; /* monotonic */
	__s64 result;
	__u64 args[6];
};

/* Captured memory: `len` bytes follow. Of one argument there may be several (strings of a list). */
struct trace_capture {
	__u16 len;
	__u8 arg;
	__u8 flags; /* TRACE_CUT … */
};
#define TRACE_CUT 1u /* there was more */
#define TRACE_OUT 2u /* taken after the call */

#define TRACE_BYTES_MAX 32  /* of buffers */
#define TRACE_STR_MAX   256 /* of paths and names */
#define TRACE_LIST_MAX  32  /* strings of a list */
#define TRACE_RECORD_MAX 4096
