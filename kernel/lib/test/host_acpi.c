/* ACPI tables: what is taken from good ones, and that bad ones are survived. links: lib/acpi_tables.c */
#include "host.h"
#include <lib/acpi_tables.h>
#include <string.h>

static size_t finish(u8 *t, size_t size, const char *signature)
{
	u8 sum = 0;

	memcpy(t, signature, 4);
	memcpy(t + 4, &(u32){(u32)size}, 4);
	t[9] = 0;
	for (size_t i = 0; i < size; i++)
		sum += t[i];
	t[9] = (u8)-sum;
	return size;
}

static void put32(u8 *p, u32 v)
{
	memcpy(p, &v, 4);
}

/* Two CPUs (one disabled), an x2APIC CPU, an I/O APIC, an override of IRQ 9. */
static size_t build_madt(u8 *t)
{
	static const u8 entries[] = {
		0, 8, 0, 5, 1, 0, 0, 0,
		0, 8, 1, 6, 0, 0, 0, 0,
		9, 16, 0, 0, 7, 1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0,
		1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 24, 0, 0, 0,
		2, 10, 0, 9, 20, 0, 0, 0, 0xf, 0,
	};

	memset(t, 0, 44);
	memcpy(t + 44, entries, sizeof(entries));
	return finish(t, 44 + sizeof(entries), "APIC");
}

static void madt_lists_cpus_and_interrupts(void **state)
{
	struct acpi_platform p;
	u8 t[256];
	size_t size = build_madt(t);

	acpi_platform_init(&p);
	assert_int_equal(acpi_table_size(t, sizeof(t)), size);
	acpi_parse_madt(t, size, &p);
	assert_int_equal(p.nr_cpus, 2);
	assert_int_equal(p.cpu_apic_id[0], 5);
	assert_int_equal(p.cpu_apic_id[1], 0x107);
	assert_int_equal(p.nr_ioapics, 1);
	assert_int_equal(p.ioapics[0].address, 0xfec00000);
	assert_int_equal(p.ioapics[0].gsi_base, 24);
	assert_int_equal(p.isa[9].gsi, 20);
	assert_true(p.isa[9].level && p.isa[9].active_low);
	assert_int_equal(p.isa[4].gsi, 4);
	assert_false(p.isa[4].level);
}

static void damaged_tables_are_refused(void **state)
{
	u8 t[256];
	size_t size = build_madt(t);

	assert_int_equal(acpi_table_size(t, size - 1), 0);
	t[50] ^= 1;
	assert_int_equal(acpi_table_size(t, size), 0);
	t[50] ^= 1;
	put32(t + 4, 35);
	assert_int_equal(acpi_table_size(t, size), 0);
	assert_int_equal(acpi_table_size(t, 3), 0);
}

static void rsdp_prefers_the_xsdt(void **state)
{
	u8 r[36] = "RSD PTR ";
	bool is_xsdt;
	u64 root;
	u8 sum;

	put32(r + 16, 0x1000);
	sum = 0;
	for (int i = 0; i < 20; i++)
		sum += r[i];
	r[8] = (u8)-sum;
	assert_true(acpi_parse_rsdp(r, sizeof(r), &root, &is_xsdt));
	assert_int_equal(root, 0x1000);
	assert_false(is_xsdt);
	r[15] = 2;
	r[8] -= 2;
	put32(r + 20, 36);
	put32(r + 24, 0x2000);
	sum = 0;
	for (int i = 0; i < 36; i++)
		sum += r[i];
	r[32] = (u8)-sum;
	assert_true(acpi_parse_rsdp(r, sizeof(r), &root, &is_xsdt));
	assert_int_equal(root, 0x2000);
	assert_true(is_xsdt);
	/* A broken extension falls back; a broken first part is refused. */
	r[32]++;
	assert_true(acpi_parse_rsdp(r, sizeof(r), &root, &is_xsdt));
	assert_int_equal(root, 0x1000);
	r[16]++;
	assert_false(acpi_parse_rsdp(r, sizeof(r), &root, &is_xsdt));
}

static void s5_is_found_in_every_encoding(void **state)
{
	static const u8 bytes[] = {8, '_', 'S', '5', '_', 0x12, 6, 4, 0x0a, 5, 0x0a, 3, 0, 0};
	static const u8 ones[] = {8, '\\', '_', 'S', '5', '_', 0x12, 8, 4, 1, 0, 0, 0, 0, 0, 0};
	struct acpi_platform p;
	u8 t[128] = {0};

	memcpy(t + 40, bytes, sizeof(bytes));
	acpi_platform_init(&p);
	acpi_parse_s5(t, 64, &p);
	assert_true(p.has_s5);
	assert_int_equal(p.s5_type_a, 5);
	assert_int_equal(p.s5_type_b, 3);
	memcpy(t + 40, ones, sizeof(ones));
	acpi_platform_init(&p);
	acpi_parse_s5(t, 64, &p);
	assert_true(p.has_s5);
	assert_int_equal(p.s5_type_a, 1);
	assert_int_equal(p.s5_type_b, 0);
}

static void devices_have_window_and_interrupt(void **state)
{
	static const u8 node[] = {
		'L', 'N', 'R', 'O', '0', '0', '0', '5', 0, 8, '_', 'C', 'R', 'S', 0x11, 0x17, 0x0a, 0x14,
		0x86, 9, 0, 1, 0, 0, 0xb0, 0xfe, 0, 2, 0, 0,
		0x89, 6, 0, 3, 1, 30, 0, 0, 0, 0x79, 0,
	};
	struct acpi_mmio_device d[4];
	u8 t[256] = {0};

	memcpy(t + 40, node, sizeof(node));
	memcpy(t + 100, node, sizeof(node));
	t[100 + 35] = 31;
	assert_int_equal(acpi_parse_devices(t, sizeof(t), "LNRO0005", d, 4), 2);
	assert_int_equal(d[0].address, 0xfeb00000);
	assert_int_equal(d[0].size, 0x200);
	assert_int_equal(d[0].gsi, 30);
	assert_false(d[0].level);
	assert_int_equal(d[1].gsi, 31);
	assert_int_equal(acpi_parse_devices(t, sizeof(t), "LNRO0005", d, 1), 1);
	assert_int_equal(acpi_parse_devices(t, sizeof(t), "PNP0A08", d, 4), 0);
}

/* Random bytes in exact heap blocks: the sanitizers see any access beyond the end. */
static void random_tables_are_survived(void **state)
{
	struct acpi_mmio_device d[2];
	struct acpi_platform p;
	u64 seed = 1, root;
	bool is_xsdt;

	for (int i = 0; i < 200000; i++) {
		size_t size = 36 + host_random(&seed) % 220;
		u8 *t = malloc(size);

		for (size_t k = 0; k < size; k++)
			t[k] = (u8)(host_random(&seed) >> 3);
		/* Half of them look like a list of MADT entries for a while. */
		for (size_t k = 44; i % 2 && k + 16 < size; k += t[k + 1]) {
			t[k] %= 10;
			t[k + 1] = 2 + t[k + 1] % 20;
		}
		acpi_platform_init(&p);
		acpi_parse_madt(t, size, &p);
		acpi_parse_fadt(t, size, &p);
		acpi_parse_hpet(t, size, &p);
		acpi_parse_mcfg(t, size, &p);
		acpi_parse_s5(t, size, &p);
		acpi_parse_devices(t, size, "\1", d, 2);
		acpi_table_size(t, size);
		acpi_parse_rsdp(t, size, &root, &is_xsdt);
		assert_true(p.nr_cpus <= ACPI_MAX_CPUS && p.nr_ioapics <= ACPI_MAX_IOAPICS);
		free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(madt_lists_cpus_and_interrupts),
		cmocka_unit_test(damaged_tables_are_refused),
		cmocka_unit_test(rsdp_prefers_the_xsdt),
		cmocka_unit_test(s5_is_found_in_every_encoding),
		cmocka_unit_test(devices_have_window_and_interrupt),
		cmocka_unit_test(random_tables_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
