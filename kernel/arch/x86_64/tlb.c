/*
 * The TLB. A change of user entries is followed by arch_tlb_flush_range, which flushes this CPU if
 * it runs the address space and interrupts the others that may hold entries.
 *
 * Why it is safe to skip a CPU that is not in mm->cpus: arch_mm_switch sets the CPU's bit before it
 * loads CR3 (both ordered, the load serialises), and the flusher changed the entries before it
 * reads the mask. Either the flusher sees the bit and interrupts that CPU, or the CPU's walks after
 * the CR3 load see the changed entries. Loading CR3 drops every non-global entry of that CPU, so
 * the bit is cleared when the CPU leaves the address space.
 *
 * A CPU that runs a kernel thread on a borrowed address space (lazy) is skipped as well, because it
 * touches no user memory; it catches up when it leaves that state. mm->tlb_gen counts the flushes
 * asked for, and each CPU keeps the number up to which it has flushed (seen). The flusher counts,
 * then reads lazy; the CPU clears lazy, then reads the count, both with a full barrier between: so
 * one of them sees the other. `seen` moves on only with a flush, never by looking: a CPU that is
 * one flush behind does just that range, one that is further behind flushes everything. Tables
 * that are freed are another matter: a lazy CPU may still walk them speculatively.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/mmu.h>
#include <lib/atomic.h>
#include <lib/bits.h>
#include <mm/mm.h>
#include <sync/preempt.h>
#include <x86/alternatives.h>
#include <x86/cpu_init.h>
#include <x86/gate.h>
#include <x86/ldt.h>
#include <x86/msr.h>
#include <x86/paging.h>

/* Beyond this, reloading everything costs less than single invalidations. */
#define FLUSH_ALL_PAGES 33

struct tlb_state {
	struct mm *mm; /* loaded; this CPU's */
	u64 seen;      /* flushes of mm up to this number are done; this CPU's */
	bool lazy;     /* written by this CPU, read by flushers */
};
static DEFINE_PER_CPU(struct tlb_state, tlb_state);

struct flush {
	struct mm *mm; /* NULL: kernel addresses */
	u64 start, end;
	u64 gen;       /* this flush's number */
};

static u64 flushes_of(const struct mm *mm)
{
	return __atomic_load_n(&mm->tlb_gen, __ATOMIC_ACQUIRE);
}

void arch_mm_switch(struct mm *next)
{
	struct tlb_state *s = this_cpu_ptr(tlb_state);
	struct mm *prev = s->mm;
	u64 bit = BIT(smp_processor_id());
	uptr root;

	if (next == prev) {
		arch_mm_lazy_leave();
		return;
	}
	if (next)
		__atomic_fetch_or(&next->cpus.bits, bit, __ATOMIC_SEQ_CST);
	s->mm = next;
	s->seen = next ? flushes_of(next) : 0;
	WRITE_ONCE(s->lazy, false);
	root = next ? virt_to_phys(arch_mm_root(&next->arch)).v
		    : kernel_paddr(kernel_root).v;
	if (alternative(ALT_PTI)) {
		this_cpu_write(gate_kernel_cr3, root);
		this_cpu_write(gate_user_cr3, next ? virt_to_phys(next->arch.user_root).v : root);
	}
	write_cr3(root);
	ldt_switch(next ? __atomic_load_n(&next->arch.ldt, __ATOMIC_ACQUIRE) : NULL);
	if (prev)
		__atomic_fetch_and(&prev->cpus.bits, ~bit, __ATOMIC_RELEASE);
}

bool mm_is_loaded(const struct mm *mm)
{
	return this_cpu_ptr(tlb_state)->mm == mm;
}

void arch_mm_lazy_enter(void)
{
	WRITE_ONCE(this_cpu_ptr(tlb_state)->lazy, true);
}

void arch_mm_lazy_leave(void)
{
	struct tlb_state *s = this_cpu_ptr(tlb_state);
	u64 now;

	if (!s->lazy)
		return;
	WRITE_ONCE(s->lazy, false);
	smp_mb();
	now = s->mm ? flushes_of(s->mm) : READ_ONCE(s->seen);
	if (now != READ_ONCE(s->seen)) {
		WRITE_ONCE(s->seen, now);
		arch_tlb_flush_local();
	}
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

/* Global entries too: any change of CR4.PGE drops them. */
static void flush_all_local(void)
{
	u64 flags = arch_irq_save();
	u64 cr4 = read_cr4();

	write_cr4(cr4 ^ CR4_PGE);
	write_cr4(cr4);
	arch_irq_restore(flags);
}

static void flush_kernel_here(void *arg)
{
	const struct flush *f = arg;

	if (f->end - f->start > FLUSH_ALL_PAGES * PAGE_SIZE) {
		flush_all_local();
		return;
	}
	for (u64 a = f->start & PAGE_MASK; a < f->end; a += PAGE_SIZE)
		invlpg(a);
}

/* May be interrupted by itself; `seen` then stays behind what was done, which is harmless. */
static void flush_user_here(void *arg)
{
	struct tlb_state *s = this_cpu_ptr(tlb_state);
	const struct flush *f = arg;
	u64 seen = READ_ONCE(s->seen), now;

	if (s->mm != f->mm || seen >= f->gen)
		return;
	if (seen + 1 == f->gen && f->end - f->start <= FLUSH_ALL_PAGES * PAGE_SIZE) {
		for (u64 a = f->start & PAGE_MASK; a < f->end; a += PAGE_SIZE)
			invlpg(a);
		WRITE_ONCE(s->seen, f->gen);
		return;
	}
	now = flushes_of(f->mm);
	arch_tlb_flush_local();
	WRITE_ONCE(s->seen, now);
}

/* Preemption is off, so that "here" and "the others" are one snapshot. */
static void flush_user(struct mm *mm, u64 start, u64 end, bool lazy_too)
{
	/* The full barrier: the caller's entries before the mask; pairs with arch_mm_switch. */
	struct flush f = {mm, start, end, __atomic_add_fetch(&mm->tlb_gen, 1, __ATOMIC_SEQ_CST)};
	struct cpumask mask;

	preempt_disable();
	flush_user_here(&f);
	mask.bits = READ_ONCE(mm->cpus.bits) & ~BIT(smp_processor_id());
	for (u64 left = lazy_too ? 0 : mask.bits; left; left &= left - 1) {
		u32 cpu = bit_lowest(left);

		if (READ_ONCE(per_cpu_ptr(tlb_state, cpu)->lazy))
			mask.bits &= ~BIT(cpu);
	}
	if (mask.bits)
		smp_call(mask, flush_user_here, &f);
	preempt_enable();
}

void arch_tlb_flush_range(struct mm *mm, u64 start, u64 end)
{
	flush_user(mm, start, end, false);
}

void arch_tlb_flush_tables(struct mm *mm, u64 start, u64 end)
{
	flush_user(mm, start, end, true);
}

void tlb_flush_kernel(uptr start, uptr end)
{
	struct flush f = {NULL, start, end, 0};
	struct cpumask others;

	preempt_disable();
	flush_kernel_here(&f);
	others.bits = cpus_online.bits & ~BIT(smp_processor_id());
	if (others.bits)
		smp_call(others, flush_kernel_here, &f);
	preempt_enable();
}
