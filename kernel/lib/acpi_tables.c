/*
 * ACPI tables: the root pointer, MADT, FADT, HPET, MCFG, and the two things that are needed from the
 * DSDT without an interpreter: the sleep type of \_S5 and the resources of simple device nodes,
 * found by their encoding. Owns no state, takes no locks, allocates nothing.
 */
#include <lib/acpi_tables.h>
#include <lib/string.h>

#define HEADER_SIZE 36

struct bytes {
	const u8 *p;
	size_t len;
};

/* Little-endian field, 0 when it lies beyond the end. */
static u64 field(struct bytes b, size_t at, u32 size)
{
	u64 v = 0;

	if (at > b.len || size > b.len - at)
		return 0;
	for (u32 i = 0; i < size; i++)
		v |= (u64)b.p[at + i] << (8 * i);
	return v;
}

static bool checksum_ok(const u8 *p, size_t len)
{
	u8 sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += p[i];
	return sum == 0;
}

bool acpi_parse_rsdp(const void *p, size_t len, u64 *root, bool *is_xsdt)
{
	struct bytes b = {p, len};
	size_t size;

	if (len < 20 || memcmp(p, "RSD PTR ", 8) != 0 || !checksum_ok(p, 20))
		return false;
	*is_xsdt = false;
	*root = field(b, 16, 4);
	size = field(b, 20, 4);
	if (b.p[15] >= 2 && size >= 36 && size <= len && checksum_ok(p, size) && field(b, 24, 8)) {
		*is_xsdt = true;
		*root = field(b, 24, 8);
	}
	return *root != 0;
}

size_t acpi_table_size(const void *p, size_t len)
{
	struct bytes b = {p, len};
	size_t size = field(b, 4, 4);

	if (size < HEADER_SIZE || size > len || !checksum_ok(p, size))
		return 0;
	return size;
}

void acpi_platform_init(struct acpi_platform *out)
{
	memset(out, 0, sizeof(*out));
	for (u32 i = 0; i < 16; i++)
		out->isa[i].gsi = i;
}

static void add_cpu(struct acpi_platform *out, u32 apic_id, u32 flags)
{
	if (!(flags & 1) || out->nr_cpus == ACPI_MAX_CPUS)
		return;
	for (u32 i = 0; i < out->nr_cpus; i++) {
		if (out->cpu_apic_id[i] == apic_id)
			return;
	}
	out->cpu_apic_id[out->nr_cpus++] = apic_id;
}

static void add_override(struct acpi_platform *out, struct bytes e)
{
	u32 irq = field(e, 3, 1), flags = field(e, 8, 2);

	if (irq >= 16)
		return;
	out->isa[irq].gsi = field(e, 4, 4);
	out->isa[irq].active_low = (flags & 3) == 3;
	out->isa[irq].level = (flags >> 2 & 3) == 3;
}

static void madt_entry(struct acpi_platform *out, struct bytes e)
{
	switch (e.p[0]) {
	case 0:
		if (e.len >= 8)
			add_cpu(out, field(e, 3, 1), field(e, 4, 4));
		break;
	case 1:
		if (e.len >= 12 && out->nr_ioapics < ACPI_MAX_IOAPICS)
			out->ioapics[out->nr_ioapics++] =
				(struct acpi_ioapic){field(e, 4, 4), field(e, 8, 4)};
		break;
	case 2:
		if (e.len >= 10)
			add_override(out, e);
		break;
	case 9:
		if (e.len >= 16)
			add_cpu(out, field(e, 4, 4), field(e, 8, 4));
		break;
	default:
		break;
	}
}

void acpi_parse_madt(const void *table, size_t size, struct acpi_platform *out)
{
	const u8 *p = table;
	size_t at = HEADER_SIZE + 8;

	while (at + 2 <= size) {
		size_t len = p[at + 1];

		if (len < 2 || len > size - at)
			return;
		madt_entry(out, (struct bytes){p + at, len});
		at += len;
	}
}

static struct acpi_address generic_address(struct bytes b, size_t at)
{
	struct acpi_address a = {field(b, at, 1), field(b, at + 1, 1), field(b, at + 4, 8)};

	if (a.space > ACPI_SPACE_IO)
		a.address = 0;
	return a;
}

/* The extended field when it is there, else the old port number. */
static struct acpi_address pm_register(struct bytes b, size_t extended, size_t old)
{
	struct acpi_address a = generic_address(b, extended);

	if (!a.address)
		a = (struct acpi_address){ACPI_SPACE_IO, 16, field(b, old, 4)};
	return a;
}

void acpi_parse_fadt(const void *table, size_t size, struct acpi_platform *out)
{
	struct bytes b = {table, size};
	u32 flags = field(b, 112, 4);
	struct acpi_address timer = generic_address(b, 208);

	out->dsdt = field(b, 140, 8);
	if (!out->dsdt)
		out->dsdt = field(b, 40, 4);
	out->hw_reduced = flags & BIT(20);
	if (flags & BIT(10)) {
		out->reset = generic_address(b, 116);
		out->reset_value = field(b, 128, 1);
	}
	if (out->hw_reduced) {
		out->sleep_control = generic_address(b, 244);
		return;
	}
	out->pm1a_control = pm_register(b, 172, 64);
	out->pm1b_control = pm_register(b, 184, 68);
	out->pm_timer_port = field(b, 76, 4);
	if (timer.address && timer.space == ACPI_SPACE_IO)
		out->pm_timer_port = timer.address;
	out->pm_timer_32bit = flags & BIT(8);
}

void acpi_parse_hpet(const void *table, size_t size, struct acpi_platform *out)
{
	struct acpi_address a = generic_address((struct bytes){table, size}, 40);

	if (a.space == ACPI_SPACE_MEMORY)
		out->hpet = a.address;
}

void acpi_parse_mcfg(const void *table, size_t size, struct acpi_platform *out)
{
	struct bytes b = {table, size};

	if (size < HEADER_SIZE + 8 + 16 || field(b, 52, 2) != 0)
		return;
	out->pcie_config = field(b, 44, 8);
	out->pcie_bus_first = field(b, 54, 1);
	out->pcie_bus_last = field(b, 55, 1);
}

/* An AML integer at *at, which moves behind it; false for anything else. */
static bool aml_integer(struct bytes b, size_t *at, u64 *v)
{
	static const u8 sizes[] = {[0x0a] = 1, [0x0b] = 2, [0x0c] = 4, [0x0e] = 8};
	u8 op = field(b, *at, 1);

	if (*at >= b.len)
		return false;
	if (op == 0 || op == 1) {
		*v = op;
		*at += 1;
		return true;
	}
	if (op >= sizeof(sizes) || !sizes[op] || b.len - *at < 1u + sizes[op])
		return false;
	*v = field(b, *at + 1, sizes[op]);
	*at += 1 + sizes[op];
	return true;
}

/* NameOp "_S5_" PackageOp length count a b … */
void acpi_parse_s5(const void *table, size_t size, struct acpi_platform *out)
{
	struct bytes b = {table, size};

	for (size_t at = HEADER_SIZE; at + 12 < size; at++) {
		size_t in = at + 5;
		u64 type_a, type_b = 0;

		if (b.p[at] != 0x08 ||
		    (memcmp(b.p + at + 1, "_S5_", 4) != 0 && memcmp(b.p + at + 1, "\\_S5_", 5) != 0))
			continue;
		in += b.p[at + 1] == '\\';
		if (b.p[in] != 0x12)
			continue;
		in += 2 + (field(b, in + 1, 1) >> 6) + 1; /* package length, element count */
		if (!aml_integer(b, &in, &type_a))
			continue;
		if (!aml_integer(b, &in, &type_b))
			type_b = type_a;
		out->s5_type_a = type_a & 7;
		out->s5_type_b = type_b & 7;
		out->has_s5 = true;
		return;
	}
}

/* Resource descriptors in [at, end): fills the device; true when window and interrupt are there. */
static bool parse_resources(struct bytes b, size_t at, size_t end, struct acpi_mmio_device *d)
{
	bool window = false;

	for (; at + 12 <= end; at++) {
		if (field(b, at, 3) == 0x000986 && !window) { /* 32-bit fixed memory, 9 bytes */
			d->address = field(b, at + 4, 4);
			d->size = field(b, at + 8, 4);
			window = true;
			at += 11;
		} else if (window && b.p[at] == 0x89 && field(b, at + 4, 1) == 1) {
			d->level = !(b.p[at + 3] & 2);
			d->active_low = b.p[at + 3] & 4;
			d->gsi = field(b, at + 5, 4);
			return true;
		}
	}
	return false;
}

u32 acpi_parse_devices(const void *table, size_t size, const char *hid,
		       struct acpi_mmio_device *out, u32 max)
{
	struct bytes b = {table, size};
	size_t len = strlen(hid), last = 0;
	u32 n = 0;

	/* Each node's resources lie between its id and the next node's. */
	for (size_t at = HEADER_SIZE; n < max && at + len <= size; at++) {
		if (memcmp(b.p + at, hid, len) != 0)
			continue;
		if (last && parse_resources(b, last, at, &out[n]))
			n++;
		last = at + len;
	}
	if (last && n < max && parse_resources(b, last, MIN(size, last + 256), &out[n]))
		n++;
	return n;
}
