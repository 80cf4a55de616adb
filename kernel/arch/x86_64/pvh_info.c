/*
 * PVH start information → boot_info. Everything is copied, so that no boot-loader memory needs to be
 * kept but the initrd. Runs on the boot page tables, before the log exists; not instrumented.
 */
#include <arch/mmu.h>
#include <boot/boot_info.h>
#include <lib/string.h>
#include <x86/early.h>

#define PVH_MAGIC 0x336ec578

/* Firmware keeps data below, and the secondary CPUs' start code lies there. */
#define LOW_RESERVED 0x10000

struct pvh_start_info {
	u32 magic, version, flags, nr_modules;
	u64 modules, cmdline, rsdp;
	/* version 1 */
	u64 memmap;
	u32 nr_memmap, reserved;
};

struct pvh_module {
	u64 start, size, cmdline, reserved;
};

struct pvh_mem {
	u64 start, size;
	u32 type, reserved;
};

struct boot_info boot_info;

static void read_cmdline(u64 pa)
{
	const char *s = early_phys(pa, sizeof(boot_info.cmdline));
	size_t i;

	if (!pa || !s)
		return;
	for (i = 0; i < sizeof(boot_info.cmdline) - 1 && s[i]; i++)
		boot_info.cmdline[i] = s[i];
	boot_info.cmdline[i] = '\0';
}

static enum mem_kind mem_kind(u32 e820_type)
{
	switch (e820_type) {
	case 1: return MEM_USABLE;
	case 3: return MEM_ACPI;
	case 4: return MEM_NVS;
	default: return MEM_RESERVED;
	}
}

static void add_range(const struct pvh_mem *m)
{
	enum mem_kind kind = mem_kind(m->type);
	u64 start = m->start, end;

	if (m->size == 0 || start + m->size < start || boot_info.nr_mem == BOOT_MEM_RANGES)
		return;
	end = start + m->size;
	if (kind == MEM_USABLE) {
		start = ALIGN_UP(MAX(start, (u64)LOW_RESERVED), PAGE_SIZE);
		end = ALIGN_DOWN(end, PAGE_SIZE);
		if (start >= end)
			return;
	}
	boot_info.mem[boot_info.nr_mem++] =
		(struct mem_range){.start = PADDR(start), .size = end - start, .kind = kind};
}

/* By address, so that overlaps are neighbours. */
static void sort_ranges(void)
{
	struct mem_range *mem = boot_info.mem;

	for (u32 i = 1; i < boot_info.nr_mem; i++) {
		struct mem_range r = mem[i];
		u32 at = i;

		for (; at > 0 && mem[at - 1].start.v > r.start.v; at--)
			mem[at] = mem[at - 1];
		mem[at] = r;
	}
}

/* Usable memory ends where the next range begins, whatever that is. */
static void cut_overlaps(void)
{
	struct mem_range *mem = boot_info.mem;

	for (u32 i = 0; i + 1 < boot_info.nr_mem; i++) {
		u64 next = ALIGN_DOWN(mem[i + 1].start.v, PAGE_SIZE);

		if (mem[i].kind == MEM_USABLE && mem[i].start.v + mem[i].size > next)
			mem[i].size = next - MIN(next, mem[i].start.v);
	}
}

void pvh_read_boot_info(u64 pa)
{
	const struct pvh_start_info *si = early_phys(pa, sizeof(*si));
	const struct pvh_module *mod;
	const struct pvh_mem *mem;

	if (!si || si->magic != PVH_MAGIC)
		return;
	read_cmdline(si->cmdline);
	boot_info.rsdp = PADDR(si->rsdp);
	mod = early_phys(si->modules, sizeof(*mod));
	if (si->nr_modules && mod && mod->start + mod->size > mod->start) {
		boot_info.initrd = PADDR(mod->start);
		boot_info.initrd_size = mod->size;
	}
	mem = early_phys(si->memmap, si->nr_memmap * sizeof(*mem));
	for (u32 i = 0; si->version >= 1 && mem && i < si->nr_memmap; i++)
		add_range(&mem[i]);
	sort_ranges();
	cut_overlaps();
}
