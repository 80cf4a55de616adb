/* Boot-time set-up of the path cache, the mount tables and the root file system. */
#pragma once

/* A tmpfs becomes / of init_mount_ns and init_fs_context. Once, before there are processes. */
void vfs_init(void);
