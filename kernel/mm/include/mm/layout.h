/* RLIMITs and system limits that mm consults. */
#pragma once

#include <lib/types.h>

#define MMAP_MIN_ADDR      65536ULL
#define STACK_GUARD_GAP    (256ULL * 4096)
#define MAX_MAP_COUNT      65530
