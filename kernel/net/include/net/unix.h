/* What others may know of AF_UNIX. */
#pragma once

#include <lib/types.h>

/* net.unix.max_dgram_qlen: messages that a queue takes from strangers; for sockets made later. */
extern u32 unix_max_dgram_qlen;

/* The lines of /proc/net/unix. Process context. */
void unix_show(void (*emit)(void *ctx, const char *text), void *ctx);
