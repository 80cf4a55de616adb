/* Texts about mounts and file systems, for /proc. */
#pragma once

#include <vfs/inode.h>

/* Takes the next piece of text. May sleep; called with the mount tree locked. */
typedef void (*show_fn)(void *ctx, const char *text);

/* /proc/filesystems. */
void fs_types_show(show_fn emit, void *ctx);
/* /proc/PID/mounts, mountinfo and mountstats: mounts that are reachable from root (a process's). */
void mounts_show(struct mount_ns *ns, const struct path *root, show_fn emit, void *ctx);
void mountstats_show(struct mount_ns *ns, const struct path *root, show_fn emit, void *ctx);
void mountinfo_show(struct mount_ns *ns, const struct path *root, show_fn emit, void *ctx);
