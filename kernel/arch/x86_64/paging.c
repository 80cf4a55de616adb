/*
 * Page tables after boot: roots of address spaces, mappings in the vmalloc area, and the final
 * sealing of the kernel's own pages. The kernel half is shared by copying the root entries that
 * exist at boot; the vmalloc area's upper table is made once, so no root ever needs an update.
 *
 * kernel_map_lock guards tables below the vmalloc slot; leaves are changed only by the owner of the
 * address range, so reading them needs no lock.
 */
#include <arch/mmu.h>
#include <arch/platform.h>
#include <boot/boot_info.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/page.h>
#include <sync/spinlock.h>
#include <x86/alternatives.h>
#include <x86/cpu_init.h>
#include <x86/early.h>
#include <x86/image.h>
#include <x86/ldt.h>
#include <x86/msr.h>
#include <x86/paging.h>
#include <x86/pti.h>

#define KERNEL_SLOTS_MAX 32
#define KERNEL_HALF      (PT_ENTRIES / 2)

static DEFINE_SPINLOCK(kernel_map_lock, LOCK_RANK_VMALLOC);

/* Root entries that every address space has in common. */
static u16 kernel_slots[KERNEL_SLOTS_MAX] __ro_after_init;
static u32 nr_kernel_slots __ro_after_init;

static struct pte kernel_table(struct paddr pa)
{
	return (struct pte){pa.v | X86_PTE_P | X86_PTE_W | X86_PTE_A};
}

struct pte *espfix_root __ro_after_init;

/* The table below a root entry that is to be common to all address spaces. */
static struct pte *make_slot(uptr va)
{
	struct page *p = page_alloc(0, GFP_ZERO);

	if (!p)
		panic("no memory for the kernel's page tables");
	pte_set(&kernel_root[pt_index(va, 3)], kernel_table(page_paddr(p)));
	return page_address(p);
}

void paging_init(void)
{
	make_slot(KERNEL_VMALLOC_START);
	espfix_root = make_slot(ESPFIX_START);
#ifdef CONFIG_KASAN
	make_slot(kasan_shadow_of(KERNEL_VMALLOC_START));
#endif
	for (u32 i = KERNEL_HALF; i < PT_ENTRIES; i++) {
		if (pte_none(kernel_root[i]))
			continue;
		if (nr_kernel_slots == KERNEL_SLOTS_MAX)
			panic("more memory than the kernel half has room for");
		kernel_slots[nr_kernel_slots++] = i;
	}
	pti_init();
}

int arch_mm_init(struct arch_mm *a)
{
	a->tlb_gen = 0;
	a->root = pages_alloc_virt(0, GFP_ZERO);
	if (!a->root)
		return -ENOMEM;
	if (alternative(ALT_PTI)) {
		a->user_root = pages_alloc_virt(0, GFP_ZERO);
		if (!a->user_root) {
			arch_mm_fini(a);
			return -ENOMEM;
		}
		pti_root_init(a->user_root);
	}
	for (u32 i = 0; i < nr_kernel_slots; i++)
		a->root[kernel_slots[i]] = kernel_root[kernel_slots[i]];
	return 0;
}

void arch_mm_fini(struct arch_mm *a)
{
	pages_free_virt(a->root, 0);
	pages_free_virt(a->user_root, 0);
	a->root = a->user_root = NULL;
	ldt_put(a->ldt);
}

void arch_table_changed(struct arch_mm *a, const struct pte *slot)
{
	u64 i = (u64)(slot - a->root);

	if (a->user_root && i < KERNEL_HALF)
		pte_set(&a->user_root[i], pte_get(slot));
}

struct pte *arch_mm_root(struct arch_mm *a)
{
	return a->root;
}

/* The next lower table of a kernel walk, made when missing. */
static struct pte *kernel_step(struct pte *slot)
{
	struct page *fresh;
	u64 flags;

	if (!pte_none(pte_get(slot)))
		return phys_to_virt(pte_paddr(pte_get(slot)));
	fresh = page_alloc(0, GFP_ZERO);
	if (!fresh)
		return NULL;
	flags = spin_lock_irqsave(&kernel_map_lock);
	if (pte_none(pte_get(slot))) {
		pte_set(slot, kernel_table(page_paddr(fresh)));
		fresh = NULL;
	}
	spin_unlock_irqrestore(&kernel_map_lock, flags);
	if (fresh)
		page_put(fresh);
	return phys_to_virt(pte_paddr(pte_get(slot)));
}

/* Size of the mapping at va, 0: none. Reads tables only, which are never freed. */
static u64 mapping_size(uptr va)
{
	struct pte *table = kernel_root;

	if (va < DIRECT_MAP_START)
		return 0;
	for (u32 level = PT_LEVELS; level-- > 0;) {
		struct pte e = pte_get(&table[pt_index(va, level)]);

		if (!(e.v & X86_PTE_P))
			return 0;
		if (pte_leaf(e, level))
			return pt_level_size(level);
		table = phys_to_virt(pte_paddr(e));
	}
	return 0;
}

struct paddr kernel_paddr(const void *p)
{
	if ((uptr)p >= KERNEL_IMAGE_START)
		return kernel_image_paddr((uptr)p);
	return virt_to_phys(p);
}

bool arch_kernel_mapped(uptr va)
{
	return mapping_size(va) != 0;
}

bool arch_direct_map_covers(struct paddr pa, size_t len)
{
	uptr va = DIRECT_MAP_START + pa.v, end = va + len;

	if (end < va || end > KERNEL_VMALLOC_START)
		return false;
	while (va < end) {
		u64 size = mapping_size(va);

		if (!size)
			return false;
		va = ALIGN_DOWN(va, size) + size;
	}
	return true;
}

/* The leaf entry of a vmalloc address, or NULL when there is no table for it. */
static struct pte *kernel_leaf(uptr va)
{
	struct pte e = pte_get(&kernel_root[pt_index(va, 3)]);

	for (u32 level = 3; level > 0; level--) {
		if (pte_none(e))
			return NULL;
		if (level > 1)
			e = pte_get((struct pte *)phys_to_virt(pte_paddr(e)) + pt_index(va, level - 1));
	}
	return (struct pte *)phys_to_virt(pte_paddr(e)) + pt_index(va, 0);
}

static bool in_vmalloc_area(uptr va)
{
#ifdef CONFIG_KASAN
	if (va >= kasan_shadow_of(KERNEL_VMALLOC_START) && va < kasan_shadow_of(KERNEL_VMALLOC_END))
		return true;
#endif
	return va >= KERNEL_VMALLOC_START && va < KERNEL_VMALLOC_END;
}

int arch_kernel_map(uptr va, struct paddr pa, unsigned int prot)
{
	struct pte *table;

	if (!in_vmalloc_area(va))
		return -EINVAL;
	table = phys_to_virt(pte_paddr(kernel_root[pt_index(va, 3)]));
	for (u32 level = 2; level > 0; level--) {
		table = kernel_step(&table[pt_index(va, level)]);
		if (!table)
			return -ENOMEM;
	}
	pte_set(&table[pt_index(va, 0)],
		pte_make(pa, prot | PTE_GLOBAL | PTE_YOUNG | (prot & PTE_WRITE ? PTE_DIRTY : 0)));
	return 0;
}

void arch_kernel_clear(uptr va, size_t size)
{
	for (uptr at = va; at < va + size; at += PAGE_SIZE) {
		struct pte *leaf = kernel_leaf(at);

		if (leaf)
			pte_set(leaf, (struct pte){0});
	}
}

void arch_kernel_flush(uptr start, uptr end)
{
	tlb_flush_kernel(start, end);
}

void arch_kernel_unmap(uptr va, size_t size)
{
	arch_kernel_clear(va, size);
	tlb_flush_kernel(va, va + size);
}

/* Changes the protection of image pages; the 4 KiB tables exist since boot. */
static void image_protect(const char *start, const char *end, u64 clear, u64 set)
{
	for (uptr va = (uptr)start; va < (uptr)end; va += PAGE_SIZE) {
		struct pte *leaf = kernel_leaf(va);

		if (leaf)
			pte_set(leaf, (struct pte){(leaf->v & ~clear) | set});
	}
}

void arch_kernel_seal(void)
{
	image_protect(__ro_after_init_start, __ro_after_init_end, X86_PTE_W, X86_PTE_NX);
	image_protect(__ro_zero_start, __ro_zero_end, X86_PTE_W, X86_PTE_NX);
	/* Once freed they are ordinary memory, through the direct map's no-execute entries. */
	image_protect(__init_text_start, __init_text_end, 0, X86_PTE_W | X86_PTE_NX | X86_PTE_D);
	/* Last: from here on the tables of the image, these entries included, are final. */
	image_protect((const char *)kernel_root, (const char *)kernel_root + PAGE_SIZE, X86_PTE_W, 0);
	image_protect((const char *)early_tables,
		      (const char *)(KERNEL_IMAGE_START + kernel_slide + boot_info.kernel_end.v), X86_PTE_W, 0);
	tlb_flush_kernel((uptr)_text, (uptr)_end);
}
