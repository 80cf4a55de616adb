/* Private to PCI. */
#pragma once

#include <dev/pci.h>

/* Makes a function visible in sysfs. Process context, once for each. */
void pci_sysfs_add(const struct pci_function *f, u32 bus, u32 devfn);
