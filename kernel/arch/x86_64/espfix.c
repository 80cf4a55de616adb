/*
 * The way out to a 16-bit stack segment. IRET then leaves bits 16 to 63 of RSP as they were in the
 * kernel, which would tell a program about its kernel stack. So the frame lies in a page that is
 * mapped, read-only, at every multiple of 64 KiB of a 4 GiB area of its own: popped through the alias with
 * the right bits 16 to 31, RSP gets those, and constants above. Each CPU has 64 bytes of that page; the low 16
 * bits come from the frame, so which alias is used is all that shows.
 *
 * The tables repeat themselves: one leaf table with the page in every 16th entry, one table that
 * names it 512 times, and the area's top table (espfix_root, made at boot because it hangs in a root
 * entry that all address spaces share) that names that one for each GiB. They are made when
 * somebody first asks for a 16-bit segment, and stay. No lock: entries go in whole, from the leaf up.
 */
#include <arch/mmu.h>
#include <arch/percpu.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/page.h>
#include <sync/mutex.h>
#include <arch/cpu.h>
#include <x86/gate.h>
#include <x86/ldt.h>
#include <x86/paging.h>

#define FRAME_SIZE 64 /* of a CPU */
static_assert(MAX_CPUS * FRAME_SIZE <= PAGE_SIZE, "one page for all");

static DEFINE_MUTEX(espfix_lock, LOCK_RANK_SLEEP_INNER);
static u8 *espfix_page; /* written once under espfix_lock, when all is mapped */

static void fill(struct pte *table, u32 nr, u32 step, const void *to, u64 flags)
{
	for (u32 i = 0; i < nr; i += step)
		pte_set(&table[i], (struct pte){virt_to_phys(to).v | X86_PTE_P | X86_PTE_A | flags});
}

static int espfix_make(void)
{
	u8 *block = pages_alloc_virt(2, GFP_KERNEL | GFP_ZERO); /* page, leaf table, middle one */
	struct pte *leaf = (void *)(block + PAGE_SIZE), *middle = (void *)(block + 2 * PAGE_SIZE);

	if (!block)
		return -ENOMEM;
	fill(leaf, PT_ENTRIES, 65536 / PAGE_SIZE, block, X86_PTE_NX);
	fill(middle, PT_ENTRIES, 1, leaf, 0);
	fill(espfix_root, 4, 1, middle, 0);
	__atomic_store_n(&espfix_page, block, __ATOMIC_RELEASE);
	return 0;
}

int espfix_prepare(void)
{
	int err = 0;

	if (READ_ONCE(espfix_page))
		return 0;
	mutex_lock(&espfix_lock);
	if (!espfix_page)
		err = espfix_make();
	mutex_unlock(&espfix_lock);
	return err;
}

uptr espfix_frame(const struct regs *regs)
{
	u32 offset = smp_processor_id() * FRAME_SIZE;

	memcpy(espfix_page + offset, &regs->rip, sizeof(*regs) - offsetof(struct regs, rip));
	return ESPFIX_START + (regs->rsp & 0xffff0000) + offset;
}
