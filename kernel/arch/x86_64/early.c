/*
 * From the boot page tables to the kernel's own. Owns the kernel's root table while one CPU runs:
 * the direct map of all memory, and the image with its final protections. The image's 4 KiB tables
 * serve both mappings; the direct map reaches them through no-execute entries, so there is no
 * writable alias of code and no executable alias of data.
 *
 * Runs before anything else, with interrupts disabled; not instrumented.
 */
#include <arch/mmu.h>
#include <boot/boot_info.h>
#include <boot/init.h>
#include <lib/string.h>
#include <x86/alternatives.h>
#include <x86/bugs.h>
#include <x86/cpu_init.h>
#include <x86/cpuid.h>
#include <x86/early.h>
#include <x86/gdt.h>
#include <x86/image.h>
#include <x86/mitigations.h>
#include <x86/msr.h>
#include <x86/thunks.h>

#define GIB          (1ULL << 30)

#define TABLE_BITS  (X86_PTE_P | X86_PTE_W | X86_PTE_A)
#define DATA_BITS   (X86_PTE_P | X86_PTE_W | X86_PTE_A | X86_PTE_D | X86_PTE_G | X86_PTE_NX)
#define RODATA_BITS (X86_PTE_P | X86_PTE_A | X86_PTE_G | X86_PTE_NX)
#define TEXT_BITS   (X86_PTE_P | X86_PTE_A | X86_PTE_G)

struct pte kernel_root[PT_ENTRIES] __attribute__((section(".bss.page_aligned"), aligned(4096)));

static u32 early_tables_used;

static u8 boot_ist[NR_IST][BOOT_IST_SIZE] __aligned(4096);

uptr boot_ist_tops[NR_IST] __ro_after_init;

static u64 image_paddr(const void *p)
{
	return kernel_image_paddr((uptr)p).v;
}

static uptr image_vaddr(u64 pa)
{
	return KERNEL_IMAGE_START + kernel_slide + pa;
}

static struct pte *early_table(void)
{
	struct pte *t;

	if (early_tables_used == EARLY_TABLES)
		return NULL;
	t = early_tables[early_tables_used++];
	memset(t, 0, PAGE_SIZE);
	return t;
}

/* The table below entry `slot`, made when missing; NULL when the pool is used up. */
static struct pte *early_step(struct pte *slot)
{
	struct pte *t;

	if (pte_none(*slot)) {
		t = early_table();
		if (!t)
			return NULL;
		slot->v = image_paddr(t) | TABLE_BITS;
	}
	return (struct pte *)image_vaddr(pte_paddr(*slot).v);
}

/* The directory of the GiB in which the image lies. */
static struct pte *image_pd(void)
{
	struct pte *pdpt = early_step(&kernel_root[pt_index(KERNEL_IMAGE_START, 3)]);

	return early_step(&pdpt[pt_index(KERNEL_IMAGE_START, 2)]);
}

static u64 image_page_bits(u64 pa)
{
	uptr va = image_vaddr(pa);

	if (va >= (uptr)_text && va < (uptr)__init_text_end)
		return TEXT_BITS;
	if (va >= (uptr)__rodata_start && va < (uptr)__rodata_end)
		return RODATA_BITS;
	return DATA_BITS;
}

/* Maps the 2 MiB regions that contain the image, page by page. */
static void map_image(void)
{
	struct pte *pd = image_pd();
	u64 pa = ALIGN_DOWN(image_paddr(_text), HUGE_PAGE_SIZE);

	for (; pa < image_paddr(_end); pa += HUGE_PAGE_SIZE) {
		struct pte *pt = early_step(&pd[pt_index(image_vaddr(pa), 1)]);

		for (u32 i = 0; i < PT_ENTRIES; i++) {
			u64 page = pa + i * PAGE_SIZE;

			pt[i].v = page | image_page_bits(page);
		}
	}
}

/* The second mapping of the page that makes the CPU forget what it believes of returns, for the CPUs that need it. */
static void map_returns_alias(void)
{
	uptr va = (uptr)returns_alias_page + (uptr)(s64)RETURNS_ALIAS_DISTANCE;
	struct pte *pt = early_step(&image_pd()[pt_index(va, 1)]);

	if (!alternative(ALT_UNTRAIN_ALIAS))
		return;
	pt[pt_index(va, 0)].v = image_paddr(returns_alias_page) | TEXT_BITS;
	write_cr3(read_cr3());
}

static bool map_direct_2m(struct pte *pd, u64 pa)
{
	struct pte *slot = &pd[pt_index(pa, 1)];

	if (!pte_none(*slot))
		return true;
	if (pa + HUGE_PAGE_SIZE > image_paddr(_text) && pa < image_paddr(_end)) {
		slot->v = image_pd()[pt_index(image_vaddr(pa), 1)].v | X86_PTE_NX;
	} else {
		slot->v = pa | DATA_BITS | X86_PTE_PS;
	}
	return true;
}

bool early_map_direct(u64 start, u64 end)
{
	u64 pa = ALIGN_DOWN(start, HUGE_PAGE_SIZE);

	while (pa < end) {
		u64 va = DIRECT_MAP_START + pa;
		struct pte *pdpt = early_step(&kernel_root[pt_index(va, 3)]);
		struct pte *slot, *pd;

		if (!pdpt)
			return false;
		slot = &pdpt[pt_index(va, 2)];
		if (IS_ALIGNED(pa, GIB) && pa && pa + GIB <= end && pte_none(*slot) &&
		    cpu_has(CPU_GIB_PAGES)) {
			slot->v = pa | DATA_BITS | X86_PTE_PS;
			pa += GIB;
			continue;
		}
		if (pte_leaf(*slot, 2) && !pte_none(*slot)) {
			pa = ALIGN_DOWN(pa, GIB) + GIB;
			continue;
		}
		pd = early_step(slot);
		if (!pd || !map_direct_2m(pd, pa))
			return false;
		pa += HUGE_PAGE_SIZE;
	}
	return true;
}

/* Everything that is memory; what no table is left for is not used. */
static void map_memory(void)
{
	for (u32 i = 0; i < boot_info.nr_mem; i++) {
		struct mem_range *r = &boot_info.mem[i];

		if (r->kind != MEM_RESERVED && !early_map_direct(r->start.v, r->start.v + r->size))
			r->kind = MEM_RESERVED;
	}
}

static void percpu_boot_init(void)
{
	uptr offset = (uptr)__percpu_boot - (uptr)__percpu_start;

	memcpy(__percpu_boot, __percpu_start, (size_t)(__percpu_end - __percpu_start));
	percpu_offset[0] = offset;
	wrmsr(MSR_GS_BASE, offset);
	this_cpu_write(this_cpu_off, offset);
}

#ifdef CONFIG_KASAN
static void map_image_shadow(void)
{
	uptr va = kasan_shadow_of(KERNEL_IMAGE_START + kernel_slide);

	for (u64 at = 0; at < (u64)(__image_shadow_end - __image_shadow); at += PAGE_SIZE) {
		struct pte *table = kernel_root;

		for (u32 level = 3; level > 0; level--)
			table = early_step(&table[pt_index(va + at, level)]);
		table[pt_index(va + at, 0)].v = image_paddr(__image_shadow + at) | DATA_BITS;
	}
}
#else
static void map_image_shadow(void)
{
}
#endif

/* Called by pvh.S on the boot stack. */
__noreturn void early_start(void)
{
	for (u32 i = 0; i < NR_IST; i++)
		boot_ist_tops[i] = (uptr)boot_ist[i] + BOOT_IST_SIZE;
	percpu_boot_init();
	map_image();
	map_image_shadow();
	map_memory();
	boot_info.kernel_start = PADDR(image_paddr(_text));
	boot_info.kernel_end = PADDR(image_paddr(early_tables[early_tables_used]));
	write_cr3(image_paddr(kernel_root));
	bugs_init();
	mitigations_init();
	map_returns_alias();
	mitigations_cpu_init();
	gdt_cpu_init(0, boot_ist_tops);
	kernel_main();
}

const void *early_phys(u64 pa, u64 size)
{
	if (pa >= GIB || size > GIB - pa)
		return NULL;
	return (const void *)pa; /* mapped as it is by the boot tables */
}
