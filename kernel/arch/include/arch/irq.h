/* Interrupt masking and device interrupts. */
#pragma once

#include <lib/types.h>
#include <arch_impl/irq.h>

/* From arch_impl: arch_irq_enable(), arch_irq_disable(), u64 arch_irq_save(), arch_irq_restore(u64),
 * bool arch_irqs_disabled(). */

/* Called with interrupts disabled, in hard-interrupt context. */
typedef void (*irq_handler)(void *ctx);

enum irq_trigger { IRQ_EDGE, IRQ_LEVEL_LOW, IRQ_LEVEL_HIGH };

/*
 * Routes the global interrupt (GSI; ISA numbers are mapped by the firmware's overrides) to handler.
 * Process context during set-up. 0, -EBUSY, -ENOSPC or -ENODEV.
 */
int irq_install(u32 gsi, enum irq_trigger trigger, irq_handler handler, void *ctx) __must_check;
int irq_install_isa(u32 isa_irq, irq_handler handler, void *ctx) __must_check;

/* Allocates a vector for a message-signalled interrupt; the device is programmed with addr, data. */
int irq_install_msi(irq_handler handler, void *ctx, u64 *addr, u32 *data) __must_check;

/* In hard-interrupt context: did this interrupt come from user mode? For CPU-time accounting. */
bool irq_from_user_mode(void);

/* Interrupts taken on that CPU since boot, for /proc/stat and /proc/interrupts. */
u64 irq_count(u32 cpu);
