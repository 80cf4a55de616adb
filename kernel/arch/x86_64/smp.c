/*
 * Secondary CPUs and calls between CPUs.
 *
 * Calls: each CPU has one node per target. A caller, preemption disabled, pushes its nodes on the
 * targets' lock-free stacks and interrupts the targets whose stack was empty; a target takes the
 * whole stack at once, runs it, and marks each node done. The caller waits for its nodes with
 * interrupts enabled, so that two CPUs may call each other; nodes are free again when it returns.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/mmu.h>
#include <arch/timer.h>
#include <boot/boot_info.h>
#include <dev/acpi.h>
#include <lib/bits.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/page.h>
#include <task/task.h>
#include <time/clock.h>
#include <time/timer.h>
#include <x86/apic.h>
#include <x86/canary.h>
#include <x86/cpu_init.h>
#include <x86/gdt.h>
#include <x86/image.h>
#include <x86/kvmclock.h>
#include <x86/mitigations.h>
#include <x86/msr.h>
#include <x86/pti.h>
#include <x86/smp.h>
#include <x86/trampoline.h>
#include <x86/vectors.h>

#define IST_ORDER       1
#define START_POLLS_US  200
#define START_TRIES     5000

struct call_node {
	struct call_node *next;
	void (*fn)(void *);
	void *arg;
	u32 pending; /* release by the target */
};

static DEFINE_PER_CPU(struct call_node *, calls); /* atomic: stack of requests to this CPU */
static struct call_node *call_nodes[MAX_CPUS];    /* [caller], one per target; set before it runs */

/* For the trampoline; one CPU starts at a time. */
uptr secondary_stack;
u32 secondary_cpu;
extern const char trampoline_start[], trampoline_end[];

static uptr ist_tops[MAX_CPUS][NR_IST];

static void post(u32 cpu, struct call_node *n)
{
	struct call_node **head = per_cpu_ptr(calls, cpu);
	struct call_node *first = __atomic_load_n(head, __ATOMIC_RELAXED);

	do {
		n->next = first;
	} while (!__atomic_compare_exchange_n(head, &first, n, true, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	if (!first)
		lapic_send_ipi(cpu_apic_id[cpu], VECTOR_CALL);
}

void smp_call(struct cpumask mask, void (*fn)(void *), void *arg)
{
	struct call_node *nodes;
	u32 self;

	preempt_disable();
	self = smp_processor_id();
	nodes = call_nodes[self];
	mask.bits &= cpus_online.bits & ~BIT(self);
	for (u64 left = mask.bits; left; left &= left - 1) {
		u32 cpu = bit_lowest(left);

		nodes[cpu].fn = fn;
		nodes[cpu].arg = arg;
		nodes[cpu].pending = 1;
		post(cpu, &nodes[cpu]);
	}
	for (u64 left = mask.bits; left; left &= left - 1) {
		while (smp_load_acquire(&nodes[bit_lowest(left)].pending))
			cpu_relax();
	}
	preempt_enable();
}

void smp_call_interrupt(void)
{
	struct call_node *n = __atomic_exchange_n(this_cpu_ptr(calls), NULL, __ATOMIC_SEQ_CST);

	while (n) {
		struct call_node *next = n->next;

		n->fn(n->arg);
		smp_store_release(&n->pending, 0);
		n = next;
	}
}

void arch_send_reschedule(u32 cpu)
{
	lapic_send_ipi(cpu_apic_id[cpu], VECTOR_RESCHED);
}

static void *pages_or_panic(size_t size)
{
	u32 order = log2_ceil(DIV_ROUND_UP(size, PAGE_SIZE));
	void *p = pages_alloc_virt(order, GFP_ZERO);

	if (!p)
		panic("no memory for per-CPU data");
	return p;
}

/* Memory of one secondary CPU: per-CPU area and exception stacks. */
static void prepare_cpu(u32 cpu)
{
	size_t size = (size_t)(__percpu_end - __percpu_start);
	char *area = pages_or_panic(size);

	memcpy(area, __percpu_start, size);
	percpu_offset[cpu] = (uptr)area - (uptr)__percpu_start;
	*per_cpu_ptr(this_cpu_off, cpu) = percpu_offset[cpu];
	*per_cpu_ptr(cpu_number, cpu) = cpu;
	for (u32 i = 0; i < NR_IST; i++)
		ist_tops[cpu][i] = (uptr)pages_or_panic(PAGE_SIZE << IST_ORDER) +
				   (PAGE_SIZE << IST_ORDER);
	if (pti_share_cpu(cpu, ist_tops[cpu], PAGE_SIZE << IST_ORDER))
		panic("no memory for per-CPU data");
}

void smp_prepare(void)
{
	const struct acpi_platform *p = acpi_platform();
	u64 max = MAX_CPUS;

	boot_option_u64("maxcpus", &max);
	cpu_apic_id[0] = lapic_id();
	for (u32 i = 0; i < p->nr_cpus && nr_cpus < MIN(max, (u64)MAX_CPUS); i++) {
		if (p->cpu_apic_id[i] == cpu_apic_id[0])
			continue;
		cpu_apic_id[nr_cpus] = p->cpu_apic_id[i];
		prepare_cpu(nr_cpus++);
	}
	for (u32 i = 0; nr_cpus > 1 && i < nr_cpus; i++)
		call_nodes[i] = pages_or_panic(nr_cpus * sizeof(struct call_node));
}

static bool wait_online(u32 cpu)
{
	for (u32 i = 0; i < START_TRIES; i++) {
		if (__atomic_load_n(&cpus_online.bits, __ATOMIC_ACQUIRE) & BIT(cpu))
			return true;
		udelay(START_POLLS_US / 10);
	}
	return false;
}

static bool start_cpu(u32 cpu)
{
	struct task *idle = task_create_idle(cpu);

	if (!idle)
		return false;
	*per_cpu_ptr(current_task, cpu) = idle;
	idle->arch.canary = canary_make();
	*per_cpu_ptr(stack_canary, cpu) = idle->arch.canary;
	secondary_stack = (uptr)task_regs(idle);
	secondary_cpu = cpu;
	lapic_send_init(cpu_apic_id[cpu]);
	udelay(START_POLLS_US);
	lapic_send_startup(cpu_apic_id[cpu], TRAMPOLINE_PADDR / PAGE_SIZE);
	udelay(START_POLLS_US);
	/* Ignored by a CPU that has started. */
	if (!(__atomic_load_n(&cpus_online.bits, __ATOMIC_ACQUIRE) & BIT(cpu)))
		lapic_send_startup(cpu_apic_id[cpu], TRAMPOLINE_PADDR / PAGE_SIZE);
	return wait_online(cpu);
}

void arch_smp_boot(void)
{
	if (nr_cpus == 1)
		return;
	memcpy(phys_to_virt(PADDR(TRAMPOLINE_PADDR)), trampoline_start,
	       (size_t)(trampoline_end - trampoline_start));
	for (u32 cpu = 1; cpu < nr_cpus; cpu++) {
		if (!start_cpu(cpu))
			pr_warn("smp: CPU %u does not start", cpu);
	}
	pr_info("smp: online mask %llx", cpus_online.bits);
}

void smp_secondary_start(u32 cpu)
{
	wrmsr(MSR_GS_BASE, percpu_offset[cpu]);
	gdt_cpu_init(cpu, ist_tops[cpu]);
	mitigations_cpu_init();
	traps_cpu_init();
	fpu_cpu_init();
	lapic_cpu_init();
	kvmclock_cpu_init();
	timers_cpu_init();
	arch_timer_cpu_init();
	__atomic_fetch_or(&cpus_online.bits, BIT(cpu), __ATOMIC_SEQ_CST);
	sched_cpu_start();
}
