/*
 * Page tables and the TLB. Tables are trees of PT_LEVELS levels with PT_ENTRIES entries each; level
 * 0 holds 4 KiB leaves. mm/ walks them with the helpers below and never builds entry bits itself.
 */
#pragma once

#include <lib/types.h>
#include <arch/cpu.h>
#include <arch_impl/mmu.h>

struct mm;

/*
 * From arch_impl/mmu.h:
 *   PAGE_SHIFT PAGE_SIZE PAGE_MASK HUGE_PAGE_SHIFT PT_LEVELS PT_ENTRIES
 *   USER_TOP              first address beyond user space (0x7ffffffff000)
 *   KERNEL_VMALLOC_START/END, phys_to_virt(paddr), virt_to_phys(direct-map pointer)
 *   struct pte { u64 v; }, struct arch_mm (embedded in struct mm as .arch)
 *   pt_index(addr, level), pt_level_size(level)
 *   pte_none pte_present pte_leaf(pte, level) pte_writable pte_dirty pte_young pte_exec pte_paddr
 *   pte_make(paddr, prot) with PTE_READ|PTE_WRITE|PTE_EXEC|PTE_USER|PTE_DIRTY|PTE_YOUNG|PTE_NOCACHE,
 *   pte_make_table(paddr), pte_make_huge(paddr, prot)
 *   pte_huge(pte) pte_is_table(pte)   an entry of level 1: one page, or a table; neither: nothing
 *   pte_small(pte, paddr)        the entry for a part of a huge page
 *   pte_table_paddr(pte)         of an entry that is a table
 *   pte_with_prot(pte, prot)     same frame, dirty and young bits kept, other protection
 *   pte_wrprotect(pte) pte_clear_dirty(pte) pte_mkyoung(pte) pte_mkold(pte)
 *   arch_clear_page(page) arch_copy_page(dst, src)   direct-map addresses of whole pages
 *   pte_get(ptep) pte_set(ptep, pte) pte_xchg(ptep, pte) pte_cmpxchg(ptep, &old, new)
 * A present entry that becomes less permissive needs a flush; adding one does not.
 */

/* Root table with the kernel half shared. 0 or -ENOMEM. */
int arch_mm_init(struct arch_mm *a) __must_check;
void arch_mm_fini(struct arch_mm *a);
/* What belongs to an address space besides its memory, for fork. to is not in use yet. */
void arch_mm_fork(struct mm *to, struct mm *from);
struct pte *arch_mm_root(struct arch_mm *a);
/* The entry at slot, in a table of any level but 0, has been set or cleared. The same lock held, no flush yet. */
void arch_table_changed(struct arch_mm *a, const struct pte *slot);
/* Loads the address space on this CPU. Interrupts disabled. NULL: kernel only. */
void arch_mm_switch(struct mm *next);
/*
 * A kernel thread borrows the loaded address space: between enter and leave (or the next switch)
 * this CPU touches no user memory, so flushes need not interrupt it. Interrupts disabled.
 */
void arch_mm_lazy_enter(void);
void arch_mm_lazy_leave(void);

void arch_tlb_flush_page_local(u64 addr);
void arch_tlb_flush_local(void);
/*
 * Flushes user [start, end) of mm on every CPU that may hold entries. Waits for the others.
 * Interrupts enabled, preemption allowed, no spinlock that an interrupt handler takes held.
 */
void arch_tlb_flush_range(struct mm *mm, u64 start, u64 end);
/* The same, when page tables are about to be freed: also on CPUs that only borrow mm. */
void arch_tlb_flush_tables(struct mm *mm, u64 start, u64 end);

/* Kernel mappings in the vmalloc area; map allocates tables as needed. 0 or -ENOMEM. */
int arch_kernel_map(uptr va, struct paddr pa, unsigned int prot) __must_check;
/* Unmaps and flushes on all CPUs (deferred flush allowed until the range is reused). */
void arch_kernel_unmap(uptr va, size_t size);
/* The same in two steps, for many ranges at once: until the flush of an area that holds them all, their
 * memory is still in use. The flush: process context. */
void arch_kernel_clear(uptr va, size_t size);
void arch_kernel_flush(uptr start, uptr end);
#ifdef CONFIG_KASAN
/* The shadow of the direct map's first 8 * size bytes becomes `shadow`, memory of the direct map. tables: zeroed
 * pages, arch_shadow_tables(size) of them, that are given away. Once, at boot. */
void arch_shadow_map_direct(const u8 *shadow, u64 size, struct pte *tables);
u64 arch_shadow_tables(u64 shadow_bytes);
/* The kernel image with variables and CPU 0's first stack, whose shadow exists from the start. */
bool arch_in_image(uptr addr);
/* Calls what the compiler has made to register the global variables of each object. */
void arch_register_globals(void);
#endif
/* Kernel text read-only, data no-execute, .data.ro_after_init read-only, init sections gone. */
void arch_kernel_seal(void);
