/*
 * Page-table isolation: on a CPU with Meltdown, user mode runs on tables of its own, in which nothing
 * of the kernel is mapped but what an entry needs before it can load the kernel's: the gate's code, the
 * IDT, and of each CPU the part .bss.percpu_gate (descriptor table, TSS, entry stack, the gate's
 * variables) and the exception stacks. entry.S switches.
 *
 * An address space has two roots: the lower half of both points to the same tables, the upper half of
 * user mode's is the same for all: shared_half, whose tables exist from boot, so that what is shared
 * later (pti_share) is there in every address space at once.
 *
 * Without global pages, which would outlive the switch, each write of CR3 empties the TLB; that is
 * simple and slow. shared_lock guards the tables below shared_half against each other's writers.
 */
#include <arch/mmu.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/page.h>
#include <sync/spinlock.h>
#include <x86/alternatives.h>
#include <x86/cpu_init.h>
#include <x86/gate.h>
#include <x86/gdt.h>
#include <x86/image.h>
#include <x86/msr.h>
#include <x86/paging.h>
#include <x86/pti.h>

#define HALF (PT_ENTRIES / 2)

static DEFINE_SPINLOCK(shared_lock, LOCK_RANK_VMALLOC);
static struct pte shared_half[HALF]; /* immutable once processes run; below: shared_lock */

static struct pte *shared_step(struct pte *slot)
{
	struct page *fresh;
	u64 flags;

	if (pte_none(pte_get(slot))) {
		fresh = page_alloc(0, GFP_ZERO);
		if (!fresh)
			return NULL;
		flags = spin_lock_irqsave(&shared_lock);
		if (pte_none(pte_get(slot))) {
			pte_set(slot, (struct pte){page_paddr(fresh).v | X86_PTE_P | X86_PTE_W | X86_PTE_A});
			fresh = NULL;
		}
		spin_unlock_irqrestore(&shared_lock, flags);
		if (fresh)
			page_put(fresh);
	}
	return phys_to_virt(pte_paddr(pte_get(slot)));
}

/* The leaf for va, NULL: no memory for a table. */
static struct pte *shared_leaf(uptr va)
{
	struct pte *table = shared_step(&shared_half[pt_index(va, 3) - HALF]);

	for (u32 level = 2; table && level > 0; level--)
		table = shared_step(&table[pt_index(va, level)]);
	return table ? &table[pt_index(va, 0)] : NULL;
}

static int share(const void *start, size_t size, u64 bits)
{
	for (size_t at = 0; at < size; at += PAGE_SIZE) {
		const char *page = (const char *)start + at;
		struct pte *leaf = shared_leaf((uptr)page);

		if (!leaf)
			return -ENOMEM;
		pte_set(leaf, (struct pte){kernel_paddr(page).v | bits | X86_PTE_P | X86_PTE_A});
	}
	return 0;
}

int pti_share(const void *start, size_t size)
{
	if (!alternative(ALT_PTI))
		return 0;
	return share(start, size, X86_PTE_W | X86_PTE_D | X86_PTE_NX);
}

void pti_unshare(const void *start, size_t size)
{
	for (size_t at = 0; alternative(ALT_PTI) && at < size; at += PAGE_SIZE)
		pte_set(shared_leaf((uptr)start + at), (struct pte){0});
}

int pti_share_cpu(u32 cpu, const uptr ist_tops[NR_IST], size_t ist_size)
{
	const char *area = __percpu_gate_start + percpu_offset[cpu];
	int err = pti_share(area, (size_t)(__percpu_gate_end - __percpu_gate_start));

	for (u32 i = 0; !err && i < NR_IST; i++)
		err = pti_share((const void *)(ist_tops[i] - ist_size), ist_size);
	return err;
}

void pti_init(void)
{
	int err = 0;

	if (!alternative(ALT_PTI))
		return;
	/* A table for each part of the kernel's half: roots are copied from here. */
	for (u32 i = 0; i < HALF && !err; i++)
		if (i == pt_index(ESPFIX_START, 3) - HALF)
			shared_half[i] = kernel_root[HALF + i]; /* all of it */
		else if (!pte_none(kernel_root[HALF + i]) && !shared_step(&shared_half[i]))
			err = -ENOMEM;
	if (!err)
		err = share(_text, (size_t)(ALIGN_UP((uptr)gate_end, PAGE_SIZE) - (uptr)_text), 0);
	if (!err)
		err = share(traps_idt(), PAGE_SIZE, X86_PTE_NX);
	if (err)
		panic("no memory for page-table isolation");
}

void pti_root_init(struct pte *root)
{
	memcpy(root + HALF, shared_half, sizeof(shared_half));
}
