/* Steps of the start that kernel_main asks of the port, in this order. */
#pragma once

#include <lib/types.h>

/* Exceptions and protections of the boot CPU. Before the allocator. */
void arch_traps_init(void);
/* After mm_boot_init: kernel page tables, firmware tables, interrupt controllers, memory of all CPUs. */
void arch_cpus_init(void);
/* Calls free for each part of the image that is only needed during boot. After arch_kernel_seal. */
void arch_for_each_boot_range(void (*free)(struct paddr start, struct paddr end));
