/*
 * I/O APICs: redirection of global interrupts to vectors. ioapic_lock guards the index/data register
 * pair. Controllers and overrides come from the firmware and never change.
 */
#include <dev/acpi.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <mm/slab.h>
#include <sync/spinlock.h>
#include <x86/apic.h>

#define REG_VERSION  1
#define REG_REDIRECT 16 /* two registers per pin */

#define REDIRECT_LOW_ACTIVE BIT(13)
#define REDIRECT_LEVEL      BIT(15)
#define REDIRECT_MASKED     BIT(16)

struct ioapic {
	volatile u32 *regs; /* [0] index, [4] data */
	u32 gsi_base, nr_pins;
};

static struct ioapic ioapics[ACPI_MAX_IOAPICS] __ro_after_init;
static u32 nr_ioapics __ro_after_init;
static struct acpi_override overrides[16] __ro_after_init;

static DEFINE_SPINLOCK(ioapic_lock, LOCK_RANK_IRQ);

static u32 ioapic_read(const struct ioapic *io, u32 reg)
{
	io->regs[0] = reg;
	return io->regs[4];
}

static void ioapic_write(const struct ioapic *io, u32 reg, u32 v)
{
	io->regs[0] = reg;
	io->regs[4] = v;
}

static void add_ioapic(const struct acpi_ioapic *a)
{
	struct ioapic *io = &ioapics[nr_ioapics];

	io->regs = ioremap(PADDR(a->address), PAGE_SIZE);
	if (!io->regs)
		return;
	io->gsi_base = a->gsi_base;
	io->nr_pins = (ioapic_read(io, REG_VERSION) >> 16 & 0xff) + 1;
	for (u32 pin = 0; pin < io->nr_pins; pin++)
		ioapic_write(io, REG_REDIRECT + 2 * pin, REDIRECT_MASKED);
	nr_ioapics++;
}

void ioapic_init(const struct acpi_platform *p)
{
	for (u32 i = 0; i < 16; i++)
		overrides[i] = p->isa[i];
	for (u32 i = 0; i < p->nr_ioapics; i++)
		add_ioapic(&p->ioapics[i]);
}

static const struct ioapic *ioapic_of(u32 gsi)
{
	for (u32 i = 0; i < nr_ioapics; i++) {
		if (gsi - ioapics[i].gsi_base < ioapics[i].nr_pins)
			return &ioapics[i];
	}
	return NULL;
}

int ioapic_route(u32 gsi, enum irq_trigger trigger, u8 vector, u32 apic_id)
{
	const struct ioapic *io = ioapic_of(gsi);
	u32 reg, low = vector;
	u64 flags;

	if (!io)
		return -ENODEV;
	if (trigger != IRQ_EDGE)
		low |= REDIRECT_LEVEL;
	if (trigger == IRQ_LEVEL_LOW)
		low |= REDIRECT_LOW_ACTIVE;
	reg = REG_REDIRECT + 2 * (gsi - io->gsi_base);
	flags = spin_lock_irqsave(&ioapic_lock);
	ioapic_write(io, reg + 1, apic_id << 24);
	ioapic_write(io, reg, low);
	spin_unlock_irqrestore(&ioapic_lock, flags);
	return 0;
}

u32 ioapic_isa_gsi(u32 isa_irq, enum irq_trigger *trigger)
{
	*trigger = IRQ_EDGE;
	if (isa_irq >= 16)
		return isa_irq;
	if (overrides[isa_irq].level)
		*trigger = overrides[isa_irq].active_low ? IRQ_LEVEL_LOW : IRQ_LEVEL_HIGH;
	return overrides[isa_irq].gsi;
}
