/* Bounds of the descriptor side that /proc/sys/fs shows. */
#pragma once

#define NR_OPEN_MAX   1048576 /* RLIMIT_NOFILE can be raised to this */
#define FILE_MAX      9223372036854775807LL /* open files in the system: memory is the bound */
#define PIPE_MAX_SIZE 1048576
