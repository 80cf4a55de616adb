/* What lib/ needs from its surroundings: mm provides it in the kernel, test helpers on the host. */
#pragma once

#include <lib/types.h>

/* Zeroed memory that may be asked for under a spinlock; NULL when there is none. */
void *lib_alloc(size_t size);
void lib_free(void *p);
/*
 * Frees after every RCU reader that might still look at p is done. The first 16 bytes of p serve
 * as the queue's link at once: no reader looks at them.
 */
void lib_free_rcu(void *p);
