/* Page tables and TLB, inside arch. */
#pragma once

#include <lib/types.h>

struct mm;
struct pte;

/* 4 GiB of aliases of one page (espfix.c), in a root entry of their own; its top table. */
#define ESPFIX_START 0xffffff0000000000UL
extern struct pte *espfix_root;

/* Takes over from the boot-time tables once page_alloc works: the kernel half is final. */
void paging_init(void);
/* Flushes kernel addresses on every CPU. Interrupts enabled once other CPUs run. */
void tlb_flush_kernel(uptr start, uptr end);
/* This CPU has mm's tables loaded, though it may run a kernel thread. Preemption disabled. */
bool mm_is_loaded(const struct mm *mm);
/* Physical address behind a direct-map or image address. */
struct paddr kernel_paddr(const void *p);
