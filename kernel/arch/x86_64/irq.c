/*
 * Vectors: which handler each device vector runs, and the dispatch from the stubs. Handlers are
 * installed once and stay; irq_lock guards the allocation, the dispatch reads without it (a vector
 * is routed only after its handler is published).
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/timer.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <sched/sched.h>
#include <sync/spinlock.h>
#include <time/timer.h>
#include <x86/apic.h>
#include <x86/cpu_init.h>
#include <x86/smp.h>
#include <x86/vectors.h>

#define NR_DEVICE_VECTORS (VECTOR_DEVICE_LAST - VECTOR_DEVICE_FIRST + 1)
#define NO_GSI            U32_MAX

struct irq_slot {
	irq_handler handler; /* release: publishes ctx */
	void *ctx;
	u32 gsi;
};

static DEFINE_SPINLOCK(irq_lock, LOCK_RANK_NONE);
static struct irq_slot irq_slots[NR_DEVICE_VECTORS];
static u32 nr_irq_slots; /* irq_lock */

static DEFINE_PER_CPU(u64, irqs_taken);

static void device_interrupt(u32 vector)
{
	const struct irq_slot *s = &irq_slots[vector - VECTOR_DEVICE_FIRST];
	irq_handler handler = smp_load_acquire(&s->handler);

	if (handler)
		handler(s->ctx);
}

void irq_dispatch(u32 vector)
{
	this_cpu_add(irqs_taken, 1);
	switch (vector) {
	case VECTOR_SPURIOUS:
		return; /* not acknowledged: it was never in service */
	case VECTOR_TIMER:
		lapic_eoi();
		timer_interrupt();
		return;
	case VECTOR_RESCHED:
		lapic_eoi();
		sched_resched_this_cpu();
		return;
	case VECTOR_CALL:
		lapic_eoi();
		smp_call_interrupt();
		return;
	case VECTOR_HALT:
		cpu_halt_forever();
	default:
		if (vector >= VECTOR_DEVICE_FIRST && vector <= VECTOR_DEVICE_LAST)
			device_interrupt(vector);
		lapic_eoi();
	}
}

u64 irq_count(u32 cpu)
{
	return READ_ONCE(*per_cpu_ptr(irqs_taken, cpu));
}

/* A vector with its handler in place; its number, -EBUSY or -ENOSPC. */
static int vector_alloc(u32 gsi, irq_handler handler, void *ctx)
{
	u64 flags = spin_lock_irqsave(&irq_lock);
	struct irq_slot *s = &irq_slots[nr_irq_slots];
	int ret = -ENOSPC;

	for (u32 i = 0; gsi != NO_GSI && i < nr_irq_slots; i++) {
		if (irq_slots[i].gsi == gsi) {
			ret = -EBUSY;
			goto out;
		}
	}
	if (nr_irq_slots < NR_DEVICE_VECTORS) {
		s->ctx = ctx;
		s->gsi = gsi;
		smp_store_release(&s->handler, handler);
		ret = VECTOR_DEVICE_FIRST + (int)nr_irq_slots++;
	}
out:
	spin_unlock_irqrestore(&irq_lock, flags);
	return ret;
}

/* Gives the last vector back when it could not be routed. */
static void vector_free(int vector)
{
	u64 flags = spin_lock_irqsave(&irq_lock);
	struct irq_slot *s = &irq_slots[vector - VECTOR_DEVICE_FIRST];

	s->handler = NULL;
	s->gsi = NO_GSI;
	spin_unlock_irqrestore(&irq_lock, flags);
}

int irq_install(u32 gsi, enum irq_trigger trigger, irq_handler handler, void *ctx)
{
	int vector = vector_alloc(gsi, handler, ctx);
	int err;

	if (vector < 0)
		return vector;
	err = ioapic_route(gsi, trigger, (u8)vector, cpu_apic_id[0]);
	if (err)
		vector_free(vector);
	return err;
}

int irq_install_isa(u32 isa_irq, irq_handler handler, void *ctx)
{
	enum irq_trigger trigger;
	u32 gsi = ioapic_isa_gsi(isa_irq, &trigger);

	return irq_install(gsi, trigger, handler, ctx);
}

int irq_install_msi(irq_handler handler, void *ctx, u64 *addr, u32 *data)
{
	int vector = vector_alloc(NO_GSI, handler, ctx);

	if (vector < 0)
		return vector;
	*addr = 0xfee00000 | (u64)cpu_apic_id[0] << 12;
	*data = (u32)vector;
	return 0;
}
