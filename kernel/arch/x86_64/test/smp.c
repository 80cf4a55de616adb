/* Calls between CPUs, per-CPU data, TLB flushes, the one-shot timer. */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/mmu.h>
#include <lib/bits.h>
#include <lib/ktest.h>
#include <mm/page.h>
#include <sched/sched.h>
#include <time/clock.h>
#include <x86/paging.h>

static DEFINE_PER_CPU(u64, called);

static void count_call(void *arg)
{
	EXPECT(arch_irqs_disabled());
	this_cpu_add(called, 1);
	__atomic_fetch_add((u64 *)arg, 1, __ATOMIC_RELAXED);
}

KTEST(smp_call_runs_once_on_every_other_cpu)
{
	u64 total = 0, before[MAX_CPUS], others = bit_count(cpus_online.bits) - 1;
	u32 self;

	for_each_cpu(cpu)
		before[cpu] = *per_cpu_ptr(called, cpu);
	preempt_disable();
	self = smp_processor_id();
	for (u32 i = 0; i < 100; i++)
		smp_call(cpus_online, count_call, &total);
	preempt_enable();
	EXPECT(total == 100 * others);
	for_each_cpu(cpu)
		EXPECT(*per_cpu_ptr(called, cpu) - before[cpu] == (cpu == self ? 0 : 100));
}

struct callers {
	u64 total;
	u32 running;
};

static void call_often(void *arg)
{
	struct callers *c = arg;

	for (u32 i = 0; i < 50; i++)
		smp_call(cpus_online, count_call, &c->total);
	__atomic_fetch_sub(&c->running, 1, __ATOMIC_RELEASE);
	sched_exit();
}

KTEST(cpus_may_call_each_other_at_once)
{
	static struct callers c;
	u64 others = bit_count(cpus_online.bits) - 1;

	c = (struct callers){.running = 3};
	for (u32 i = 0; i < 3; i++)
		EXPECT(kthread_create(call_often, &c, "caller"));
	while (__atomic_load_n(&c.running, __ATOMIC_ACQUIRE))
		sched_yield();
	EXPECT(c.total == 150 * others);
}

struct view {
	const volatile u64 *at;
	u64 expect;
};

static void look(void *arg)
{
	const struct view *v = arg;

	EXPECT(*v->at == v->expect);
}

/* Both mappings are read by every CPU, then exchanged: nobody may see the old one. */
KTEST(a_kernel_flush_reaches_every_cpu)
{
	uptr va = KERNEL_VMALLOC_END - 16 * PAGE_SIZE;
	struct page *page[2] = {page_alloc(0, GFP_ZERO), page_alloc(0, GFP_ZERO)};
	struct view v = {(const volatile u64 *)va, 0};

	EXPECT(page[0] && page[1]);
	if (!page[0] || !page[1])
		return;
	for (u64 i = 0; i < 20; i++) {
		*(u64 *)page_address(page[i % 2]) = i + 1;
		EXPECT(arch_kernel_map(va, page_paddr(page[i % 2]), PTE_READ | PTE_WRITE) == 0);
		v.expect = i + 1;
		preempt_disable();
		look(&v);
		smp_call(cpus_online, look, &v);
		preempt_enable();
		arch_kernel_unmap(va, PAGE_SIZE);
	}
	page_put(page[0]);
	page_put(page[1]);
}

KTEST(sleep_ends_after_its_deadline)
{
	for (u64 us = 1; us < 5000; us *= 3) {
		u64 start = clock_monotonic(), end = start + us * NSEC_PER_USEC;

		sched_set_state(TASK_UNINTERRUPTIBLE);
		schedule_until(end);
		EXPECT(clock_monotonic() >= end);
		EXPECT(clock_monotonic() < end + NSEC_PER_SEC);
	}
}

static void read_clock(void *arg)
{
	*(u64 *)arg = clock_monotonic();
}

KTEST(the_clock_does_not_run_backwards_across_cpus)
{
	u64 last = clock_monotonic();

	for (u32 i = 0; i < 100; i++) {
		for (u64 left = cpus_online.bits; left; left &= left - 1) {
			struct cpumask one = {left & -left};
			u64 there = last, here;

			preempt_disable();
			smp_call(one, read_clock, &there);
			preempt_enable();
			here = clock_monotonic();
			EXPECT(there >= last && here >= there);
			last = here;
		}
	}
}
