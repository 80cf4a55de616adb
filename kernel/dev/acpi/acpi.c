/*
 * Finding the ACPI tables and using the registers that they name. Tables are read where they lie,
 * through the direct map when it covers them. No interpreter: see lib/acpi_tables.c for the little
 * that is taken from the DSDT.
 */
#include <arch/mmu.h>
#include <arch/platform.h>
#include <boot/boot_info.h>
#include <dev/acpi.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/slab.h>

#define TABLE_MAX   (1u << 20)
#define TABLES_MAX  64
#define SLEEP_ENABLE_PM1     BIT(13)
#define SLEEP_ENABLE_REDUCED BIT(5)

static struct acpi_platform platform __ro_after_init;
static const void *dsdt __ro_after_init;
static size_t dsdt_size __ro_after_init;
/* Mapped in advance: power-off works in a panic. */
static volatile u8 *sleep_mmio __ro_after_init, *reset_mmio __ro_after_init;

const struct acpi_platform *acpi_platform(void)
{
	return &platform;
}

static const void *map(u64 pa, size_t len)
{
	if (arch_direct_map_covers(PADDR(pa), len))
		return phys_to_virt(PADDR(pa));
	return ioremap(PADDR(pa), len);
}

/* A whole, checked table, or NULL. */
static const void *map_table(u64 pa, size_t *size)
{
	const u8 *header = pa ? map(pa, 36) : NULL;
	const void *table;
	u32 len;

	if (!header)
		return NULL;
	memcpy(&len, header + 4, 4);
	if (len < 36 || len > TABLE_MAX)
		return NULL;
	table = map(pa, len);
	*size = table ? acpi_table_size(table, len) : 0;
	return *size ? table : NULL;
}

static void parse_table(u64 pa)
{
	size_t size;
	const char *t = map_table(pa, &size);

	if (!t)
		return;
	pr_debug("acpi: %.4s, %zu bytes\n", t, size);
	if (!memcmp(t, "APIC", 4))
		acpi_parse_madt(t, size, &platform);
	else if (!memcmp(t, "FACP", 4))
		acpi_parse_fadt(t, size, &platform);
	else if (!memcmp(t, "HPET", 4))
		acpi_parse_hpet(t, size, &platform);
	else if (!memcmp(t, "MCFG", 4))
		acpi_parse_mcfg(t, size, &platform);
}

static void walk_root(u64 pa, bool is_xsdt)
{
	u32 entry = is_xsdt ? 8 : 4;
	size_t size;
	const u8 *t = map_table(pa, &size);

	for (u32 i = 0; t && i < TABLES_MAX && 36 + (i + 1) * entry <= size; i++) {
		u64 at = 0;

		memcpy(&at, t + 36 + i * entry, entry);
		parse_table(at);
	}
}

/* Where a PC's firmware leaves the pointer when the boot protocol does not say. */
static bool search_rsdp(u64 *root, bool *is_xsdt)
{
	const u8 *area = phys_to_virt(PADDR(0xe0000));

	for (u32 at = 0; at < 0x20000; at += 16) {
		if (!memcmp(area + at, "RSD PTR ", 8) &&
		    acpi_parse_rsdp(area + at, 0x20000 - at, root, is_xsdt))
			return true;
	}
	return false;
}

static bool find_root(u64 *root, bool *is_xsdt)
{
	const void *p = boot_info.rsdp.v ? map(boot_info.rsdp.v, 36) : NULL;

	return (p && acpi_parse_rsdp(p, 36, root, is_xsdt)) || search_rsdp(root, is_xsdt);
}

static volatile u8 *map_register(const struct acpi_address *a)
{
	if (!a->address || a->space != ACPI_SPACE_MEMORY)
		return NULL;
	return ioremap(PADDR(a->address), 4);
}

void acpi_init(void)
{
	bool is_xsdt;
	u64 root;

	acpi_platform_init(&platform);
	if (!find_root(&root, &is_xsdt)) {
		pr_warn("acpi: no tables\n");
		return;
	}
	walk_root(root, is_xsdt);
	dsdt = map_table(platform.dsdt, &dsdt_size);
	if (dsdt)
		acpi_parse_s5(dsdt, dsdt_size, &platform);
	sleep_mmio = map_register(&platform.sleep_control);
	reset_mmio = map_register(&platform.reset);
}

u32 acpi_find_devices(const char *hid, struct acpi_mmio_device *out, u32 max)
{
	return dsdt ? acpi_parse_devices(dsdt, dsdt_size, hid, out, max) : 0;
}

static void write_register(const struct acpi_address *a, volatile u8 *mmio, u16 v, u32 width)
{
	if (mmio)
		*mmio = v;
	else if (a->address && a->space == ACPI_SPACE_IO && a->address <= 0xffff)
		arch_port_write(a->address, v, width);
}

void acpi_power_off(void)
{
	if (!platform.has_s5)
		return;
	if (platform.hw_reduced) {
		write_register(&platform.sleep_control, sleep_mmio,
			       SLEEP_ENABLE_REDUCED | platform.s5_type_a << 2, 1);
		return;
	}
	write_register(&platform.pm1a_control, NULL, SLEEP_ENABLE_PM1 | platform.s5_type_a << 10, 2);
	write_register(&platform.pm1b_control, NULL, SLEEP_ENABLE_PM1 | platform.s5_type_b << 10, 2);
}

void acpi_reset(void)
{
	write_register(&platform.reset, reset_mmio, platform.reset_value, 1);
}
