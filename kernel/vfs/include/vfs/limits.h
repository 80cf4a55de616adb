/* Settings of /proc/sys/fs that the path walk and its calls obey. Single words; torn-free. */
#pragma once

#include <lib/types.h>

/* Who follows and links to what in sticky, world-writable directories; 0 or 1. */
extern u32 protected_symlinks, protected_hardlinks;
extern s32 lease_break_time; /* seconds for the holder of a lease; 0: for ever */
extern s32 dir_notify_enable; /* may directories be watched by F_NOTIFY? */
extern s32 leases_enable;    /* may leases be taken? */
/* Which FIFOs and regular files of others O_CREAT opens there; 0, 1, or 2 (group-writable too). */
extern u32 protected_fifos, protected_regular;
