/* RLIMITs and system limits that mm consults. */
#pragma once

#include <lib/types.h>

#define MMAP_MIN_ADDR      65536ULL
#define STACK_GUARD_GAP    (256ULL * 4096)

/* Settings of /proc/sys/vm: single words, read when they are needed. */
extern u32 max_map_count;     /* areas in an address space */
extern u32 overcommit_memory; /* OVERCOMMIT_* */
extern u32 overcommit_ratio;  /* per cent of memory, for OVERCOMMIT_NEVER */
#define OVERCOMMIT_GUESS  0   /* refuse a single request larger than all memory */
#define OVERCOMMIT_ALWAYS 1
#define OVERCOMMIT_NEVER  2   /* refuse what goes beyond commit_limit */
/* Pages that may be promised under OVERCOMMIT_NEVER. */
u64 commit_limit(void);
