/* Address randomisation at boot. */
#pragma once

#include <lib/types.h>

/* In pvh.S: what the boot tables map at the image's place. */
extern u64 boot_pd_high[];

/* Called by pvh.S: fills boot_info and the CPU's features, moves the kernel; by how much. */
u64 kaslr_init(u64 start_info);
