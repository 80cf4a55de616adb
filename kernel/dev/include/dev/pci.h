/*
 * PCI functions, found once during boot through the memory-mapped configuration space. The firmware
 * has assigned bus numbers and base addresses. Process context.
 */
#pragma once

#include <arch/irq.h>

struct pci_function {
	volatile u8 *config;  /* 4 KiB, uncached */
	u16 vendor, device;
	u8 revision;
	u32 class_code;       /* class, subclass, interface */
};

u8 pci_read8(const struct pci_function *f, u32 offset);
u16 pci_read16(const struct pci_function *f, u32 offset);
u32 pci_read32(const struct pci_function *f, u32 offset);
void pci_write16(const struct pci_function *f, u32 offset, u16 v);

/* Drivers look at every function; ids are the driver's business. During INIT_FS. */
void pci_driver_register(void (*probe)(const struct pci_function *f));

/* The next capability with the id after `from` (0: the first); its offset or 0. */
u32 pci_capability(const struct pci_function *f, u8 id, u32 from);
/* Maps [offset, offset+len) of a memory BAR; NULL when the BAR is absent or too small. */
volatile void *pci_map_bar(const struct pci_function *f, u32 bar, u64 offset, u64 len);
/* Memory decoding and bus mastering on. */
void pci_enable(const struct pci_function *f);
/* One MSI-X vector (table entry 0) to the handler, MSI-X on. 0 or -errno. */
int pci_enable_msix(const struct pci_function *f, irq_handler handler, void *ctx) __must_check;
