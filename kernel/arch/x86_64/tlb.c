/*
 * The TLB. A change of user entries is followed by arch_tlb_flush_range, which flushes this CPU if
 * it runs the address space and interrupts the others that may hold entries.
 *
 * Why it is safe to skip a CPU that is not in mm->cpus: arch_mm_switch sets the CPU's bit before it
 * loads CR3 (both ordered, the load serialises), and the flusher changed the entries before it
 * reads the mask. Either the flusher sees the bit and interrupts that CPU, or the CPU's walks after
 * the CR3 load see the changed entries. Loading CR3 drops every non-global entry of that CPU, so
 * the bit is cleared when the CPU leaves the address space.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/mmu.h>
#include <lib/atomic.h>
#include <mm/mm.h>
#include <sync/preempt.h>
#include <x86/cpu_init.h>
#include <x86/msr.h>
#include <x86/paging.h>

/* Beyond this, reloading everything costs less than single invalidations. */
#define FLUSH_ALL_PAGES 33

static DEFINE_PER_CPU(struct mm *, loaded_mm);

struct flush {
	struct mm *mm; /* NULL: kernel addresses */
	u64 start, end;
};

void arch_mm_switch(struct mm *next)
{
	struct mm *prev = this_cpu_read(loaded_mm);
	u64 bit = BIT(smp_processor_id());
	uptr root;

	if (next == prev)
		return;
	if (next)
		__atomic_fetch_or(&next->cpus.bits, bit, __ATOMIC_SEQ_CST);
	this_cpu_write(loaded_mm, next);
	root = next ? virt_to_phys(arch_mm_root(&next->arch)).v
		    : (uptr)kernel_root - KERNEL_IMAGE_START;
	write_cr3(root);
	if (prev)
		__atomic_fetch_and(&prev->cpus.bits, ~bit, __ATOMIC_RELEASE);
}

static void invlpg(u64 addr)
{
	__asm__ __volatile__("invlpg (%0)" : : "r"(addr) : "memory");
}

void arch_tlb_flush_page_local(u64 addr)
{
	invlpg(addr);
}

void arch_tlb_flush_local(void)
{
	write_cr3(read_cr3());
}

/* Global entries too: only toggling CR4.PGE drops them. */
static void flush_all_local(void)
{
	u64 flags = arch_irq_save();
	u64 cr4 = read_cr4();

	write_cr4(cr4 & ~(u64)CR4_PGE);
	write_cr4(cr4);
	arch_irq_restore(flags);
}

static void flush_here(void *arg)
{
	const struct flush *f = arg;
	bool many = f->end - f->start > FLUSH_ALL_PAGES * PAGE_SIZE;

	if (f->mm && this_cpu_read(loaded_mm) != f->mm)
		return;
	if (many && f->mm) {
		arch_tlb_flush_local();
	} else if (many) {
		flush_all_local();
	} else {
		for (u64 a = f->start & PAGE_MASK; a < f->end; a += PAGE_SIZE)
			invlpg(a);
	}
}

/* Preemption is off, so that "here" and "the others" are one snapshot. */
static void flush_cpus(struct flush *f, struct cpumask mask)
{
	u64 self;

	preempt_disable();
	self = BIT(smp_processor_id());
	flush_here(f);
	mask.bits &= ~self;
	if (mask.bits)
		smp_call(mask, flush_here, f);
	preempt_enable();
}

void arch_tlb_flush_range(struct mm *mm, u64 start, u64 end)
{
	struct flush f = {mm, start, end};
	struct cpumask mask;

	smp_mb(); /* the caller's entries before the mask; pairs with arch_mm_switch */
	mask.bits = READ_ONCE(mm->cpus.bits);
	flush_cpus(&f, mask);
}

void tlb_flush_kernel(uptr start, uptr end)
{
	struct flush f = {NULL, start, end};

	flush_cpus(&f, cpus_online);
}
