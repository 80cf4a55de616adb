/* The kernel's own mappings: write xor execute in every alias, and changes seen by all CPUs. */
#include <arch/mmu.h>
#include <arch/platform.h>
#include <boot/boot_info.h>
#include <lib/ktest.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <x86/cpu_init.h>
#include <x86/image.h>
#include <x86/paging.h>

/* What the walk to va allows: the AND of all W bits, the OR of all NX bits. */
static bool walk(uptr va, bool *writable, bool *executable)
{
	struct pte *table = kernel_root;

	*writable = *executable = true;
	for (u32 level = PT_LEVELS; level-- > 0;) {
		struct pte e = pte_get(&table[pt_index(va, level)]);

		if (!(e.v & X86_PTE_P))
			return false;
		*writable &= !!(e.v & X86_PTE_W);
		*executable &= !(e.v & X86_PTE_NX);
		EXPECT(!(e.v & X86_PTE_U));
		if (pte_leaf(e, level))
			return true;
		table = phys_to_virt(pte_paddr(e));
	}
	return false;
}

static void expect_page(const char *p, bool want_write, bool want_exec)
{
	bool w, x;

	EXPECT(walk((uptr)p, &w, &x));
	EXPECT(w == want_write && x == want_exec);
	EXPECT(walk((uptr)phys_to_virt(kernel_paddr(p)), &w, &x));
	EXPECT(w == want_write && !x);
}

KTEST(code_is_not_writable_and_data_not_executable)
{
	static int in_bss;
	static const int in_rodata = 1;

	expect_page(_text, false, true);
	expect_page((const char *)((uptr)_etext - PAGE_SIZE), false, true);
	expect_page((const char *)&in_rodata, false, false);
	expect_page((const char *)&in_bss, true, false);
	expect_page(__ro_after_init_start, true, false); /* sealed after the tests */
	expect_page(boot_stack, true, false);
}

KTEST(no_kernel_page_is_writable_and_executable)
{
	u64 bad = 0;
	bool w, x;

	for (uptr va = ALIGN_DOWN((uptr)_text, HUGE_PAGE_SIZE); va < (uptr)_end; va += PAGE_SIZE)
		bad += walk(va, &w, &x) && w && x;
	EXPECT(bad == 0);
	for (uptr va = DIRECT_MAP_START; walk(va, &w, &x); va += HUGE_PAGE_SIZE)
		bad += x;
	EXPECT(bad == 0);
}

KTEST(low_half_of_the_kernel_root_is_empty)
{
	for (u32 i = 0; i < PT_ENTRIES / 2; i++)
		EXPECT(pte_none(kernel_root[i]));
}

KTEST(unmapped_vmalloc_is_not_readable)
{
	char *p = vmalloc(3 * PAGE_SIZE, GFP_KERNEL);

	EXPECT(p != NULL);
	if (!p)
		return;
	p[0] = 1;
	p[3 * PAGE_SIZE - 1] = 2;
	EXPECT(arch_kernel_mapped((uptr)p) && arch_kernel_mapped((uptr)p + 2 * PAGE_SIZE));
	EXPECT(!arch_kernel_mapped((uptr)p + 3 * PAGE_SIZE)); /* guard page */
	vfree(p);
	EXPECT(!arch_kernel_mapped((uptr)p));
}

KTEST(the_image_lies_where_boot_has_moved_it)
{
	bool fixed = boot_option("nokaslr");

	EXPECT((uptr)_text == KERNEL_IMAGE_START + kernel_slide + boot_info.kernel_start.v);
	EXPECT(fixed ? kernel_slide == 0 : kernel_slide >= 16 * HUGE_PAGE_SIZE);
	EXPECT(IS_ALIGNED(kernel_slide, HUGE_PAGE_SIZE) && (uptr)_end < KERNEL_IMAGE_START + (1UL << 30));
	EXPECT(DIRECT_MAP_START >= DIRECT_MAP_DEFAULT && KERNEL_VMALLOC_START >= KERNEL_VMALLOC_DEFAULT);
	EXPECT(!fixed || (DIRECT_MAP_START == DIRECT_MAP_DEFAULT && KERNEL_VMALLOC_START == KERNEL_VMALLOC_DEFAULT));
	/* Where it was linked, nothing is mapped any more. */
	EXPECT(fixed || !arch_kernel_mapped(KERNEL_IMAGE_START + boot_info.kernel_start.v));
}
