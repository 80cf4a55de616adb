/* Files of /proc about the machine as a whole that root.c does not have: memory, devices, tables. */
#include <arch/cpu.h>
#include <boot/boot_info.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <task/cred.h>
#include <vfs/blkdev.h>
#include <vfs/chrdev.h>
#include <vfs/locks.h>
#include "internal.h"

/* ---- memory ---- */

static int show_vmstat(struct text *t, const struct proc_target *target)
{
	struct mem_stats m;

	mem_stats(&m);
	const struct {
		const char *name;
		u64 value;
	} lines[] = {
		{"nr_free_pages", m.free_pages},
		{"nr_anon_pages", m.anon_pages},
		{"nr_mapped", m.mapped_pages},
		{"nr_file_pages", m.cached_pages},
		{"nr_dirty", m.dirty_pages},
		{"nr_writeback", 0},
		{"nr_shmem", m.shmem_pages},
		{"nr_slab_reclaimable", m.slab_reclaimable_pages},
		{"nr_slab_unreclaimable", m.slab_pages - m.slab_reclaimable_pages},
		{"nr_kernel_stack", m.kernel_stack_pages * (PAGE_SIZE / 1024)},
		{"nr_page_table_pages", m.page_table_pages},
		{"pgpgin", 0},
		{"pgpgout", 0},
		{"pswpin", 0},
		{"pswpout", 0},
	};
	for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++)
		text_printf(t, "%s %llu\n", lines[i].name, lines[i].value);
	return 0;
}

static int show_buddyinfo(struct text *t, const struct proc_target *target)
{
	u64 counts[MAX_ORDER + 1], reserve;

	mem_free_blocks(counts, &reserve);
	text_printf(t, "Node 0, zone   Normal ");
	for (unsigned int i = 0; i <= MAX_ORDER; i++)
		text_printf(t, "%6llu ", counts[i]);
	text_append(t, "\n", 1);
	return 0;
}

static int show_zoneinfo(struct text *t, const struct proc_target *target)
{
	u64 counts[MAX_ORDER + 1], reserve;
	struct mem_stats m;

	mem_stats(&m);
	mem_free_blocks(counts, &reserve);
	text_printf(t, "Node 0, zone   Normal\n  per-node stats\n      nr_anon_pages %llu\n"
		    "      nr_mapped    %llu\n      nr_file_pages %llu\n      nr_shmem     %llu\n",
		    m.anon_pages, m.mapped_pages, m.cached_pages, m.shmem_pages);
	text_printf(t, "  pages free     %llu\n        min      %llu\n        present  %llu\n"
		    "        managed  %llu\n", m.free_pages, reserve, m.total_pages, m.total_pages);
	return 0;
}

static int show_slabinfo(struct text *t, const struct proc_target *target)
{
	struct slab_info s;

	text_printf(t, "slabinfo - version: 2.1\n"
		    "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
		    " : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> "
		    "<num_slabs> <sharedavail>\n");
	for (u32 i = 0; slab_info(i, &s); i++)
		text_printf(t, "%-17s %6llu %6llu %6u %4u %4u : tunables %4u %4u %4u : slabdata "
			    "%6llu %6llu %6u\n", s.name, s.active, s.objects, s.size, s.per_slab,
			    1u << s.order, 0u, 0u, 0u, s.slabs, s.slabs, 0u);
	return 0;
}

/* Addresses only for those who administrate the machine, as on Linux. */
static int show_iomem(struct text *t, const struct proc_target *target)
{
	bool visible = capable(CAP_SYS_ADMIN);

	for (u32 i = 0; i < boot_info.nr_mem; i++) {
		const struct mem_range *r = &boot_info.mem[i];
		u64 start = r->start.v, end = start + r->size - 1;

		text_printf(t, "%08llx-%08llx : %s\n", visible ? start : 0, visible ? end : 0,
			    r->kind == MEM_USABLE ? "System RAM" : "Reserved");
	}
	return 0;
}

static int show_swaps(struct text *t, const struct proc_target *target)
{
	text_printf(t, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	return 0;
}

/* ---- devices ---- */

static int show_devices(struct text *t, const struct proc_target *target)
{
	text_printf(t, "Character devices:\n");
	chrdev_show(text_emit, t);
	text_printf(t, "\nBlock devices:\n");
	blkdev_show(text_emit, t);
	return 0;
}

static int show_partitions(struct text *t, const struct proc_target *target)
{
	block_partitions_show(text_emit, t);
	return 0;
}

static int show_diskstats(struct text *t, const struct proc_target *target)
{
	block_diskstats_show(text_emit, t);
	return 0;
}

static int show_nothing(struct text *t, const struct proc_target *target)
{
	return 0;
}

static int show_execdomains(struct text *t, const struct proc_target *target)
{
	text_printf(t, "0-0\tLinux           \t[kernel]\n");
	return 0;
}

static int show_locks(struct text *t, const struct proc_target *target)
{
	return locks_show(text_emit, t);
}

static int show_tty_drivers(struct text *t, const struct proc_target *target)
{
	static const struct {
		const char *name, *device, *numbers, *type;
		u32 major;
	} drivers[] = {
		{"/dev/tty", "/dev/tty", "0", "system:/dev/tty", 5},
		{"/dev/console", "/dev/console", "1", "system:console", 5},
		{"/dev/ptmx", "/dev/ptmx", "2", "system", 5},
		{"hvc", "/dev/hvc", "0-7", "system", 229},
		{"serial", "/dev/ttyS", "64", "serial", 4},
		{"pty_slave", "/dev/pts", "0-1048575", "pty:slave", 136},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(drivers); i++)
		text_printf(t, "%-20s %-14s %3u %7s %s\n", drivers[i].name, drivers[i].device,
			    drivers[i].major, drivers[i].numbers, drivers[i].type);
	return 0;
}

/* ---- sysrq-trigger ---- */

static int store_sysrq(char *data, const struct proc_target *target)
{
	switch (*data) {
	case 'b':
		arch_reset();
	case 'o':
		arch_power_off();
	default: /* the other keys do nothing here */
		return 0;
	}
}

static const struct proc_entry tty_children[] = {
	{.name = "drivers", .mode = S_IFREG | 0444, .show = show_tty_drivers},
	{0},
};

const struct proc_entry proc_system_children[] = {
	{.name = "buddyinfo", .mode = S_IFREG | 0444, .show = show_buddyinfo},
	{.name = "devices", .mode = S_IFREG | 0444, .show = show_devices},
	{.name = "diskstats", .mode = S_IFREG | 0444, .show = show_diskstats},
	{.name = "execdomains", .mode = S_IFREG | 0444, .show = show_execdomains},
	{.name = "iomem", .mode = S_IFREG | 0400, .show = show_iomem},
	{.name = "locks", .mode = S_IFREG | 0444, .show = show_locks},
	{.name = "misc", .mode = S_IFREG | 0444, .show = show_nothing},
	{.name = "modules", .mode = S_IFREG | 0444, .show = show_nothing},
	{.name = "partitions", .mode = S_IFREG | 0444, .show = show_partitions},
	{.name = "slabinfo", .mode = S_IFREG | 0400, .show = show_slabinfo},
	{.name = "swaps", .mode = S_IFREG | 0444, .show = show_swaps},
	{.name = "sysrq-trigger", .mode = S_IFREG | 0200, .store = store_sysrq},
	{.name = "tty", .mode = S_IFDIR | 0555, .children = tty_children},
	{.name = "vmstat", .mode = S_IFREG | 0444, .show = show_vmstat},
	{.name = "zoneinfo", .mode = S_IFREG | 0444, .show = show_zoneinfo},
	{0},
};
