/* Per-CPU set-up steps, in the order in which boot and secondary CPUs run them. */
#pragma once

#include <arch/mmu.h>

/* IDT and system-call MSRs. The GDT is loaded. */
void traps_cpu_init(void);
/* The descriptor table of all CPUs: one page. */
const void *traps_idt(void);
/* CR4 protections and extended state. */
void fpu_cpu_init(void);

extern u32 cpu_apic_id[];
/* The kernel's own root page table. */
extern struct pte kernel_root[];
