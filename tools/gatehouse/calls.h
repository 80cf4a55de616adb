/*
 * What the trace knows of system calls: tables that calls.c makes from the kernel's syscalls.def and
 * flags.def by the preprocessor.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kinds of arguments, as syscall/kinds.h has them. */
enum arg_kind {
	ARG_NONE, ARG_fd, ARG_dirfd, ARG_pid, ARG_uid, ARG_gid, ARG_sig, ARG_path, ARG_str, ARG_size,
	ARG_off, ARG_flags, ARG_value, ARG_lflags, ARG_mode, ARG_i32, ARG_u32, ARG_i64, ARG_u64,
	ARG_addr, ARG_in, ARG_out, ARG_inout, ARG_in_bytes, ARG_out_bytes, ARG_inout_bytes,
};

struct call_arg {
	enum arg_kind kind;
	const char *what; /* the flag set, or the type of a structure */
};

struct call {
	const char *name; /* NULL: no such number */
	unsigned int nr_args;
	struct call_arg arg[6];
};

/* NULL: a number that no call has. */
const struct call *call_find(uint32_t nr);
/* The highest number in the table, plus one. */
uint32_t call_limit(void);

struct call_flag {
	const char *set, *name;
	uint64_t value;
};

extern const struct call_flag call_flags[];
extern const size_t nr_call_flags;
