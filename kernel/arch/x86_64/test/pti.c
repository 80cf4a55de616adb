/* Page-table isolation: what user mode's tables hold of the kernel is what an entry needs, and no more. */
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <lib/ktest.h>
#include <lib/string.h>
#include <x86/alternatives.h>
#include <x86/cpu_init.h>
#include <x86/gate.h>
#include <x86/gdt.h>
#include <x86/image.h>
#include <x86/msr.h>
#include <x86/paging.h>

/* The first address at or after va that the tables map, 0: none. */
static uptr next_mapped(struct pte *root, uptr va, struct pte *leaf)
{
	while (va) {
		struct pte *table = root;
		u32 level = PT_LEVELS;

		while (level-- > 0) {
			struct pte e = pte_get(&table[pt_index(va, level)]);

			if (!(e.v & X86_PTE_P))
				break;
			*leaf = e;
			if (pte_leaf(e, level))
				return va;
			table = phys_to_virt(pte_paddr(e));
		}
		va = ALIGN_DOWN(va, pt_level_size(level)) + pt_level_size(level);
	}
	return 0;
}

static bool is_exception_stack(uptr va)
{
	for_each_cpu(cpu)
		for (u32 i = 0; i < NR_IST; i++) {
			uptr top = per_cpu_ptr(cpu_tss, cpu)->ist[i] + IST_TOP_RESERVED;

			if (va >= top - 2 * PAGE_SIZE && va < top)
				return true;
		}
	return false;
}

static bool is_gate_data(uptr va)
{
	for_each_cpu(cpu) {
		uptr area = (uptr)__percpu_gate_start + percpu_offset[cpu];

		if (va >= area && va < area + (uptr)(__percpu_gate_end - __percpu_gate_start))
			return true;
	}
	return va == (uptr)traps_idt() || is_exception_stack(va);
}

KTEST(user_tables_hold_the_gate_only)
{
	struct arch_mm mm = {0};
	u64 code = 0, data = 0, other = 0;
	struct pte e;
	uptr va;

	EXPECT(arch_mm_init(&mm) == 0);
	EXPECT(!!mm.user_root == alternative(ALT_PTI));
	for (va = 0xffff800000000000; mm.user_root && (va = next_mapped(mm.user_root, va, &e)); va += PAGE_SIZE) {
		bool gate = va >= (uptr)_text && va < ALIGN_UP((uptr)gate_end, PAGE_SIZE);

		code += gate && !(e.v & (X86_PTE_W | X86_PTE_NX | X86_PTE_U));
		data += is_gate_data(va) && (e.v & X86_PTE_NX) && !(e.v & X86_PTE_U);
		other += !gate && !is_gate_data(va);
		EXPECT(pte_paddr(e).v == kernel_paddr((const void *)va).v);
	}
	if (mm.user_root) {
		EXPECT(other == 0);
		EXPECT(code == ALIGN_UP((uptr)gate_end - (uptr)_text, PAGE_SIZE) / PAGE_SIZE);
		EXPECT(data == 1 + nr_cpus * (2 * NR_IST + (u64)(__percpu_gate_end - __percpu_gate_start) / PAGE_SIZE));
		EXPECT(!(read_cr4() & CR4_PGE));
	}
	arch_mm_fini(&mm);
}

KTEST(entries_of_the_lower_half_are_in_both_roots)
{
	struct arch_mm mm = {0};

	EXPECT(arch_mm_init(&mm) == 0);
	pte_set(&mm.root[5], pte_make_table(PADDR(0x1000)));
	arch_table_changed(&mm, &mm.root[5]);
	EXPECT(!mm.user_root || mm.user_root[5].v == mm.root[5].v);
	pte_set(&mm.root[5], (struct pte){0});
	arch_table_changed(&mm, &mm.root[5]);
	EXPECT(!mm.user_root || pte_none(mm.user_root[5]));
	arch_mm_fini(&mm);
}

/* A page without access rights names no frame that a speculative load could hit in the cache. */
KTEST(entries_without_access_hold_no_frame)
{
	struct paddr frame = PADDR(0x123456000);
	struct pte none = pte_make(frame, PTE_USER), some = pte_make(frame, PTE_READ | PTE_USER);

	EXPECT((none.v & X86_PTE_ADDR) == (~frame.v & X86_PTE_ADDR));
	EXPECT(pte_paddr(none).v == frame.v && pte_paddr(some).v == frame.v);
	EXPECT(pte_with_prot(none, PTE_READ | PTE_USER).v == some.v);
	EXPECT(pte_with_prot(some, PTE_USER).v == none.v);
	EXPECT(pte_paddr(pte_wrprotect(pte_mkold(none))).v == frame.v);
}
