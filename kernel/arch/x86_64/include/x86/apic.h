/* Local and I/O interrupt controllers. */
#pragma once

#include <arch/irq.h>
#include <lib/types.h>

struct acpi_platform;

/* Enables this CPU's local APIC, all local interrupts masked. */
void lapic_cpu_init(void);
void lapic_eoi(void);
u32 lapic_id(void);
/* Fixed interrupt `vector` to one CPU's APIC. Any context. */
void lapic_send_ipi(u32 apic_id, u8 vector);
void lapic_send_ipi_others(u8 vector);
void lapic_send_init(u32 apic_id);
void lapic_send_startup(u32 apic_id, u8 page);
/* Timer registers; count in input clocks (divider 1). */
void lapic_timer_setup(bool tsc_deadline);
void lapic_timer_count(u32 count);
u32 lapic_timer_remaining(void);

/* Finds the controllers that the firmware lists, masks everything. Once. */
void apic_init(void);
void ioapic_init(const struct acpi_platform *p);

/* Connects a pin; the caller owns the vector. 0 or -ENODEV. */
int ioapic_route(u32 gsi, enum irq_trigger trigger, u8 vector, u32 apic_id) __must_check;
/* The global interrupt and trigger of an ISA interrupt after the firmware's overrides. */
u32 ioapic_isa_gsi(u32 isa_irq, enum irq_trigger *trigger);
