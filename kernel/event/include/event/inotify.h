/* inotify's limits, under /proc/sys/fs/inotify. */
#pragma once

#include <lib/types.h>

extern u32 inotify_max_queued_events, inotify_max_user_instances, inotify_max_user_watches;
