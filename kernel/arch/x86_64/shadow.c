/*
 * The address sanitizer's shadow as far as it is the architecture's: an eighth of the address space from
 * KASAN_SHADOW_OFFSET on, of which three parts are mapped. That of the image exists before any instrumented
 * code runs (early.c), that of the direct map from mm_boot_init on, and that of a kernel stack comes and goes
 * with the stack, through arch_kernel_map.
 *
 * Boot CPU only, interrupts disabled; arch_in_image in any context. Nothing outside CONFIG_KASAN.
 */
#include <arch/mmu.h>
#include <mm/page.h>
#include <x86/cpu_init.h>
#include <x86/image.h>

#ifdef CONFIG_KASAN

#define TABLE_BITS (X86_PTE_P | X86_PTE_W | X86_PTE_A)
#define LEAF_PROT  (PTE_READ | PTE_WRITE | PTE_YOUNG | PTE_DIRTY | PTE_GLOBAL)

/* At each level one for every part that is begun; both ends may lie inside of one. */
u64 arch_shadow_tables(u64 shadow_bytes)
{
	u64 n = 0;

	for (u32 level = 1; level < PT_LEVELS; level++)
		n += shadow_bytes / pt_level_size(level) + 2;
	return n;
}

void arch_shadow_map_direct(const u8 *shadow, u64 size, struct pte *tables)
{
	for (u64 at = 0; at < size; at += PAGE_SIZE) {
		uptr va = kasan_shadow_of(DIRECT_MAP_START) + at;
		struct pte *table = kernel_root;

		for (u32 level = PT_LEVELS - 1; level > 0; level--) {
			struct pte *slot = &table[pt_index(va, level)];

			if (pte_none(*slot)) {
				pte_set(slot, (struct pte){virt_to_phys(tables).v | TABLE_BITS});
				tables += PT_ENTRIES;
			}
			table = phys_to_virt(pte_paddr(*slot));
		}
		pte_set(&table[pt_index(va, 0)], pte_make(virt_to_phys(shadow + at), LEAF_PROT));
	}
}

bool arch_in_image(uptr addr)
{
	return addr >= (uptr)_text && addr < (uptr)__image_shadow;
}

void arch_register_globals(void)
{
	for (void (**call)(void) = __global_calls_start; call < __global_calls_end; call++)
		(*call)();
}

#endif
