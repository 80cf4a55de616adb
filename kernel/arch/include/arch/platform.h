/* The machine around the CPUs, as far as portable drivers need it. */
#pragma once

#include <lib/types.h>

/* True when all of [pa, pa + len) can be reached through phys_to_virt. Any context. */
bool arch_direct_map_covers(struct paddr pa, size_t len);
/* True when the kernel may read at va without a fault. Any context. */
bool arch_kernel_mapped(uptr va);

/* Legacy port space; width 1, 2 or 4. A machine without ports ignores writes and reads all ones. */
void arch_port_write(u16 port, u32 v, u32 width);
u32 arch_port_read(u16 port, u32 width);
