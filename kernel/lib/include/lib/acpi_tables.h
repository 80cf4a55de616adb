/*
 * Parsers of the firmware's ACPI tables. The bytes are not trusted: every length is checked against
 * the buffer before use. Pure functions, also built and tested on the host.
 */
#pragma once

#include <lib/types.h>

#define ACPI_MAX_CPUS    64
#define ACPI_MAX_IOAPICS 8

struct acpi_ioapic {
	u64 address;
	u32 gsi_base;
};

/* Where an ISA interrupt ends up, and how it is signalled. */
struct acpi_override {
	u32 gsi;
	bool level, active_low;
};

/* A generic address: a port or device memory. space is ACPI_SPACE_*; address 0: absent. */
struct acpi_address {
	u8 space, width;
	u64 address;
};
enum { ACPI_SPACE_MEMORY = 0, ACPI_SPACE_IO = 1 };

struct acpi_platform {
	u32 cpu_apic_id[ACPI_MAX_CPUS]; /* enabled CPUs, in the firmware's order */
	u32 nr_cpus;
	struct acpi_ioapic ioapics[ACPI_MAX_IOAPICS];
	u32 nr_ioapics;
	struct acpi_override isa[16];

	u64 dsdt;
	bool hw_reduced;
	struct acpi_address pm1a_control, pm1b_control, sleep_control, reset;
	u8 reset_value;
	u16 pm_timer_port;               /* 0: none */
	bool pm_timer_32bit;
	u8 s5_type_a, s5_type_b;
	bool has_s5;

	u64 hpet;                        /* physical address; 0: none */
	u64 pcie_config;                 /* physical address of the configuration space; 0: none */
	u8 pcie_bus_first, pcie_bus_last;
};

/* A device node of the DSDT with one memory window and one interrupt. */
struct acpi_mmio_device {
	u64 address;
	u32 size;
	u32 gsi;
	bool level, active_low;
};

/* The root pointer at p (len bytes available): address of the XSDT (or RSDT) and which. */
bool acpi_parse_rsdp(const void *p, size_t len, u64 *root, bool *is_xsdt);
/* Length of the table at p if header, length (at most len) and checksum are right, else 0. */
size_t acpi_table_size(const void *p, size_t len);

/* The tables below take whole, checked tables of size bytes and fill in what they describe. */
void acpi_platform_init(struct acpi_platform *out);
void acpi_parse_madt(const void *table, size_t size, struct acpi_platform *out);
void acpi_parse_fadt(const void *table, size_t size, struct acpi_platform *out);
void acpi_parse_hpet(const void *table, size_t size, struct acpi_platform *out);
void acpi_parse_mcfg(const void *table, size_t size, struct acpi_platform *out);
/* Finds the \_S5 package in the DSDT's code. */
void acpi_parse_s5(const void *table, size_t size, struct acpi_platform *out);
/* Devices whose hardware id is hid (at most max); the number found. */
u32 acpi_parse_devices(const void *table, size_t size, const char *hid,
		       struct acpi_mmio_device *out, u32 max);
