/* The PVH boot protocol. */
#pragma once

#include <lib/types.h>

/* Fills boot_info from the structure at this physical address. Before paging is final; cannot fail:
 * what is unusable is left out. */
void pvh_read_boot_info(u64 start_info);
