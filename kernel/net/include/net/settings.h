/* Settings of /proc/sys/net. */
#pragma once

#include <lib/types.h>

extern u32 net_somaxconn; /* the longest queue that listen makes */
