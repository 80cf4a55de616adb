/* How the vmalloc region is divided, and the protections used in it. */
#pragma once

#include <arch/context.h>
#include <arch/mmu.h>
#include "internal.h"

/* Kernel stacks: slots of twice the stack's size; the lower half stays unmapped. */
#define MAX_STACKS         65536UL
#define STACK_SLOT         (2UL * KERNEL_STACK_SIZE)
#define STACK_REGION_START (KERNEL_VMALLOC_END - MAX_STACKS * STACK_SLOT)

/* With the address sanitizer each stack has its shadow. */
#ifdef CONFIG_KASAN
#define STACK_SHADOW_PAGES (KERNEL_STACK_SIZE / 8 / PAGE_SIZE)
#else
#define STACK_SHADOW_PAGES 0
#endif

#define KERNEL_DATA_PROT   (PTE_READ | PTE_WRITE | PTE_YOUNG | PTE_DIRTY | PTE_GLOBAL)
#define KERNEL_DEVICE_PROT (KERNEL_DATA_PROT | PTE_NOCACHE)
