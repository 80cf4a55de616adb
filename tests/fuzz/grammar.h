/* What syscalls.def and flags.def say about each call, for the fuzzer: numbers, argument kinds, flags. */
#pragma once

#include <stdint.h>

enum arg_kind {
	K_FD, K_DIRFD, K_PID, K_UID, K_GID, K_SIG, K_PATH, K_STR, K_SIZE, K_OFF, K_FLAGS, K_VALUE,
	K_MODE, K_I32, K_U32, K_I64, K_U64, K_ADDR, K_IN, K_OUT, K_INOUT,
};

struct arg {
	uint8_t kind;
	const char *name; /* K_FLAGS, K_VALUE: the set; K_IN, K_OUT, K_INOUT: the structure; or "" */
	const char *text; /* as the row spells it: "dirfd(dir)" */
};

struct call {
	int nr;
	const char *name;
	int nr_args;
	struct arg args[6];
};

struct flag {
	const char *set;
	uint64_t value;
};

extern const struct call calls[];
extern const int nr_calls;
extern const struct flag flags[];
extern const int nr_flags;
