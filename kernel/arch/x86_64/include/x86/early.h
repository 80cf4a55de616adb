/* Before the kernel's own page tables and allocator: boot CPU only. */
#pragma once

#define EARLY_TABLES 64 /* enough for about 60 GiB without 1 GiB pages */

#ifndef __ASSEMBLY__
#include <arch/mmu.h>
#include <lib/types.h>

/* In pvh.S: a pool of tables behind everything else of the image, the rest of which is given back. */
extern struct pte early_tables[EARLY_TABLES][PT_ENTRIES];

/* Physical memory through the boot tables, or NULL beyond the first GiB. */
const void *early_phys(u64 pa, u64 size);
/* Adds [start, end) to the direct map, rounded to 2 MiB. False: no tables left. Boot only. */
bool early_map_direct(u64 start, u64 end);

/* Fills boot_info from PVH's structure at this physical address; what is unusable is left out. */
void pvh_read_boot_info(u64 start_info);

/* CPU 0's exception stacks. */
#define BOOT_IST_SIZE 8192
extern uptr boot_ist_tops[];

__noreturn void early_start(void);
#endif
