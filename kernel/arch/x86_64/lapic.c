/*
 * The local APIC: through MSRs when the CPU is, or can be put, in x2APIC mode, else through its
 * register page. Register numbers are offsets of the page; x2APIC's MSR is 0x800 + offset / 16.
 * Each CPU touches its own only; writes of the interrupt command are done with interrupts disabled.
 */
#include <arch/irq.h>
#include <lib/log.h>
#include <mm/slab.h>
#include <x86/apic.h>
#include <x86/cpuid.h>
#include <x86/io.h>
#include <x86/msr.h>
#include <x86/vectors.h>

#define APIC_BASE_ENABLE BIT(11)
#define APIC_BASE_X2     BIT(10)

#define REG_ID      0x20
#define REG_TPR     0x80
#define REG_EOI     0xb0
#define REG_SVR     0xf0
#define REG_ICR_LO  0x300
#define REG_ICR_HI  0x310
#define REG_LVT_TIMER 0x320
#define REG_LVT_LINT0 0x350
#define REG_LVT_LINT1 0x360
#define REG_LVT_ERROR 0x370
#define REG_TIMER_INIT  0x380
#define REG_TIMER_COUNT 0x390
#define REG_TIMER_DIV   0x3e0

#define SVR_ENABLE       BIT(8)
#define LVT_MASKED       BIT(16)
#define LVT_TSC_DEADLINE BIT(18)
#define LVT_NMI          (4 << 8)
#define ICR_PENDING      BIT(12)
#define ICR_ASSERT       BIT(14)
#define ICR_OTHERS       (3 << 18)
#define ICR_INIT         (5 << 8)
#define ICR_STARTUP      (6 << 8)
#define TIMER_DIVIDE_1   0xb

static volatile u32 *lapic_page __ro_after_init; /* NULL: x2APIC */

static u32 lapic_read(u32 reg)
{
	return lapic_page ? lapic_page[reg / 4] : (u32)rdmsr(MSR_X2APIC + reg / 16);
}

static void lapic_write(u32 reg, u32 v)
{
	if (lapic_page)
		lapic_page[reg / 4] = v;
	else
		wrmsr(MSR_X2APIC + reg / 16, v);
}

void apic_init(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	/* The PC's old controllers, when they exist, stay masked for good. */
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	if (cpu_has(CPU_X2APIC) || (base & APIC_BASE_X2))
		return;
	lapic_page = ioremap(PADDR(base & X86_PTE_ADDR), PAGE_SIZE);
	if (!lapic_page)
		panic("no memory to map the local APIC");
}

void lapic_cpu_init(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
	if (!lapic_page)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2);
	lapic_write(REG_TPR, 0);
	lapic_write(REG_LVT_TIMER, LVT_MASKED);
	lapic_write(REG_LVT_LINT0, LVT_MASKED);
	lapic_write(REG_LVT_LINT1, LVT_NMI);
	lapic_write(REG_LVT_ERROR, LVT_MASKED);
	lapic_write(REG_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
}

void lapic_eoi(void)
{
	lapic_write(REG_EOI, 0);
}

u32 lapic_id(void)
{
	u32 id = lapic_read(REG_ID);

	return lapic_page ? id >> 24 : id;
}

static void send_command(u32 apic_id, u32 command)
{
	u64 flags;

	if (!lapic_page) {
		wrmsr(MSR_X2APIC + REG_ICR_LO / 16, (u64)apic_id << 32 | command);
		return;
	}
	flags = arch_irq_save();
	lapic_write(REG_ICR_HI, apic_id << 24);
	lapic_write(REG_ICR_LO, command);
	while (lapic_read(REG_ICR_LO) & ICR_PENDING)
		cpu_relax();
	arch_irq_restore(flags);
}

void lapic_send_ipi(u32 apic_id, u8 vector)
{
	/* WRMSR in x2APIC mode does not wait for earlier stores. */
	__asm__ __volatile__("mfence" ::: "memory");
	send_command(apic_id, ICR_ASSERT | vector);
}

void lapic_send_ipi_others(u8 vector)
{
	__asm__ __volatile__("mfence" ::: "memory");
	send_command(0, ICR_OTHERS | ICR_ASSERT | vector);
}

void lapic_send_init(u32 apic_id)
{
	send_command(apic_id, ICR_INIT | ICR_ASSERT);
}

void lapic_send_startup(u32 apic_id, u8 page)
{
	send_command(apic_id, ICR_STARTUP | ICR_ASSERT | page);
}

void lapic_timer_setup(bool tsc_deadline)
{
	lapic_write(REG_TIMER_DIV, TIMER_DIVIDE_1);
	lapic_write(REG_LVT_TIMER, VECTOR_TIMER | (tsc_deadline ? LVT_TSC_DEADLINE : 0));
	/* The mode must be set before the deadline register is written. */
	__asm__ __volatile__("mfence" ::: "memory");
}

void lapic_timer_count(u32 count)
{
	lapic_write(REG_TIMER_INIT, count);
}

u32 lapic_timer_remaining(void)
{
	return lapic_read(REG_TIMER_COUNT);
}
