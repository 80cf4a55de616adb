/*
 * PCI through ECAM (PCI Express base specification, section 7.2.2). The scan follows bridges from
 * bus 0. Register contents are not trusted beyond the bounds that are checked here.
 */
#include <boot/init.h>
#include <dev/acpi.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <mm/slab.h>
#include "internal.h"

#define CONFIG_SIZE     4096
#define BUS_SIZE        (256ULL * CONFIG_SIZE)
#define MAX_DRIVERS     8
#define MAX_DEPTH       8

#define REG_COMMAND     0x04
#define REG_STATUS      0x06
#define REG_CLASS       0x08
#define REG_HEADER      0x0e
#define REG_BAR0        0x10
#define REG_SECONDARY   0x19
#define REG_CAPABILITY  0x34
#define COMMAND_MEMORY  BIT(1)
#define COMMAND_MASTER  BIT(2)
#define STATUS_CAPS     BIT(4)

#define CAP_MSIX        0x11
#define MSIX_ENABLE     BIT(15)
#define MSIX_ENTRY_SIZE 16

static void (*drivers[MAX_DRIVERS])(const struct pci_function *);
static u32 nr_drivers;

u8 pci_read8(const struct pci_function *f, u32 offset)
{
	return f->config[offset];
}

u16 pci_read16(const struct pci_function *f, u32 offset)
{
	return *(volatile u16 *)(f->config + offset);
}

u32 pci_read32(const struct pci_function *f, u32 offset)
{
	return *(volatile u32 *)(f->config + offset);
}

void pci_write16(const struct pci_function *f, u32 offset, u16 v)
{
	*(volatile u16 *)(f->config + offset) = v;
}

void pci_driver_register(void (*probe)(const struct pci_function *f))
{
	BUG_ON(nr_drivers == MAX_DRIVERS);
	drivers[nr_drivers++] = probe;
}

/* A list that loops, or leaves the standard space, ends the search. */
u32 pci_capability(const struct pci_function *f, u8 id, u32 from)
{
	u32 at;

	if (!(pci_read16(f, REG_STATUS) & STATUS_CAPS))
		return 0;
	at = from ? pci_read8(f, from + 1) : pci_read8(f, REG_CAPABILITY);
	for (u32 n = 0; n < 48 && (at & 0xfc) >= 0x40; n++) {
		at &= 0xfc;
		if (pci_read8(f, at) == id)
			return at;
		at = pci_read8(f, at + 1);
	}
	return 0;
}

volatile void *pci_map_bar(const struct pci_function *f, u32 bar, u64 offset, u64 len)
{
	u32 low = bar < 6 ? pci_read32(f, REG_BAR0 + 4 * bar) : 1;
	u64 base = low & ~0xfU;

	if (low & 1) /* I/O space */
		return NULL;
	if ((low & 6) == 4 && bar < 5)
		base |= (u64)pci_read32(f, REG_BAR0 + 4 * bar + 4) << 32;
	if (!base || offset > U32_MAX || len > U32_MAX)
		return NULL;
	return ioremap(PADDR(base + offset), len);
}

void pci_enable(const struct pci_function *f)
{
	pci_write16(f, REG_COMMAND,
		    pci_read16(f, REG_COMMAND) | COMMAND_MEMORY | COMMAND_MASTER);
}

int pci_enable_msix(const struct pci_function *f, irq_handler handler, void *ctx)
{
	u32 cap = pci_capability(f, CAP_MSIX, 0), where, data;
	volatile u32 *entry;
	u64 addr;
	int err;

	if (!cap)
		return -ENODEV;
	where = pci_read32(f, cap + 4);
	entry = pci_map_bar(f, where & 7, where & ~7U, MSIX_ENTRY_SIZE);
	if (!entry)
		return -ENODEV;
	err = irq_install_msi(handler, ctx, &addr, &data);
	if (err)
		return err;
	pci_write16(f, cap + 2, pci_read16(f, cap + 2) | MSIX_ENABLE);
	entry[0] = (u32)addr;
	entry[1] = (u32)(addr >> 32);
	entry[2] = data;
	entry[3] = 0; /* not masked */
	return 0;
}

static void scan_bus(u32 bus, u32 depth);

static void scan_function(volatile u8 *config, u32 bus, u32 devfn, u32 depth)
{
	struct pci_function f = {.config = config};

	f.vendor = pci_read16(&f, 0);
	f.device = pci_read16(&f, 2);
	f.class_code = pci_read32(&f, REG_CLASS) >> 8;
	f.revision = pci_read8(&f, REG_CLASS);
	if ((pci_read8(&f, REG_HEADER) & 0x7f) == 1)
		scan_bus(pci_read8(&f, REG_SECONDARY), depth + 1);
	pci_sysfs_add(&f, bus, devfn);
	for (u32 i = 0; i < nr_drivers; i++)
		drivers[i](&f);
}

static void scan_bus(u32 bus, u32 depth)
{
	const struct acpi_platform *p = acpi_platform();
	volatile u8 *space;

	if (depth > MAX_DEPTH || bus < p->pcie_bus_first || bus > p->pcie_bus_last)
		return;
	space = ioremap(PADDR(p->pcie_config + (bus - p->pcie_bus_first) * BUS_SIZE), BUS_SIZE);
	if (!space)
		return;
	for (u32 device = 0; device < 32; device++) {
		for (u32 fn = 0; fn < 8; fn++) {
			volatile u8 *config = space + (device * 8 + fn) * CONFIG_SIZE;

			if (*(volatile u16 *)config == 0xffff) {
				if (fn == 0)
					break;
				continue;
			}
			scan_function(config, bus, device * 8 + fn, depth);
			if (fn == 0 && !(config[REG_HEADER] & 0x80))
				break;
		}
	}
}

static int pci_init(void)
{
	const struct acpi_platform *p = acpi_platform();

	if (p->pcie_config)
		scan_bus(p->pcie_bus_first, 0);
	return 0;
}
INIT_CALL(INIT_DEVICE, pci_init);
