/* Power-off and reset: firmware registers first, then what every PC has. Any context. */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/platform.h>
#include <dev/acpi.h>
#include <x86/apic.h>
#include <x86/io.h>
#include <x86/smp.h>
#include <x86/vectors.h>

void arch_port_write(u16 port, u32 v, u32 width)
{
	if (width == 1)
		outb(port, (u8)v);
	else if (width == 2)
		outw(port, (u16)v);
	else
		outl(port, v);
}

u32 arch_port_read(u16 port, u32 width)
{
	if (width == 1)
		return inb(port);
	return width == 2 ? inw(port) : inl(port);
}

void cpu_halt_forever(void)
{
	for (;;)
		__asm__ __volatile__("cli; hlt");
}

/* Firmware and the machine get some time to act on a register write. */
static void settle(void)
{
	for (u32 i = 0; i < 1000; i++)
		inb(0x80);
}

/* An empty IDT makes the breakpoint exception, and what follows from it, undeliverable. */
static __noreturn void triple_fault(void)
{
	struct __packed {
		u16 limit;
		u64 base;
	} idt = {0, 0};

	__asm__ __volatile__("lidt %0; int3" : : "m"(idt));
	cpu_halt_forever();
}

void arch_reset(void)
{
	arch_irq_disable();
	acpi_reset();
	settle();
	outb(0x64, 0xfe); /* keyboard controller: pulse the reset line */
	settle();
	triple_fault();
}

void arch_power_off(void)
{
	arch_irq_disable();
	acpi_power_off();
	settle();
	arch_reset();
}

void arch_stop_others(void)
{
	if (cpus_online.bits & ~BIT(smp_processor_id()))
		lapic_send_ipi_others(VECTOR_HALT);
}
