/* What the firmware says about the machine. Read once during boot, immutable afterwards. */
#pragma once

#include <lib/acpi_tables.h>

/* Finds and parses the tables. After mm_boot_init; without tables the platform stays empty. */
void acpi_init(void);
const struct acpi_platform *acpi_platform(void);

/* Device nodes by hardware id; the number found, at most max. Boot and process context. */
u32 acpi_find_devices(const char *hid, struct acpi_mmio_device *out, u32 max);

/* Soft power-off and reset by the firmware's registers; return when there are none, or nothing
 * happens. Any context. */
void acpi_power_off(void);
void acpi_reset(void);
