/* The shared object that the kernel maps into every program. */
#pragma once

#include <lib/types.h>

struct mm;

/* The length of all its areas together. */
u64 arch_vdso_bytes(void);
/*
 * Maps it at addr of an address space that exec is making, where there is room, and sets
 * mm->vdso_base to the ELF header. Process context. 0 or -errno.
 */
int arch_vdso_map(struct mm *mm, u64 addr) __must_check;
