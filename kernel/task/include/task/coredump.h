/* Where core files go: kernel.core_pattern and kernel.core_uses_pid. */
#pragma once

#include <lib/types.h>

#define CORE_PATTERN_MAX 128 /* with the terminator */

extern u32 core_uses_pid; /* a pattern without %p gets ".PID" behind it; torn-free */
/* Process context. */
void core_pattern_get(char out[CORE_PATTERN_MAX]);
void core_pattern_set(const char *pattern);
