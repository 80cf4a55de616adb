/* Page tables and TLB, inside arch. */
#pragma once

#include <lib/types.h>

/* Takes over from the boot-time tables once page_alloc works: the kernel half is final. */
void paging_init(void);
/* Flushes kernel addresses on every CPU. Interrupts enabled once other CPUs run. */
void tlb_flush_kernel(uptr start, uptr end);
/* Physical address behind a direct-map or image address. */
struct paddr kernel_paddr(const void *p);
