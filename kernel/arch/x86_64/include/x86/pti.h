/* Page-table isolation. All of it does nothing unless ALT_PTI is chosen. */
#pragma once

#include <arch/mmu.h>
#include <x86/gdt.h>

/* Maps whole pages of kernel memory, writable, in the tables of user mode as well: what the CPU itself
 * reads there (a descriptor table, a stack). 0 or -ENOMEM; process context, or boot. */
int pti_share(const void *start, size_t size) __must_check;
/* The reverse, before the memory is given back. TLBs forget it at the next crossing. */
void pti_unshare(const void *start, size_t size);

/* At the end of paging_init: what all CPUs have in common. */
void pti_init(void);
/* One CPU's gate variables and exception stacks, before it runs. 0 or -ENOMEM. */
int pti_share_cpu(u32 cpu, const uptr ist_tops[NR_IST], size_t ist_size) __must_check;
/* Fills the kernel's half of a new root table for user mode. */
void pti_root_init(struct pte *root);
