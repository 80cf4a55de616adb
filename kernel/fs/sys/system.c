/*
 * /sys/devices/system and the directories that are always there: processors with topology, caches
 * and what is done about their speculation; the one memory node; the clock source; /sys/kernel.
 */
#include <arch/cpu_info.h>
#include <boot/init.h>
#include <lib/bits.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/page.h>
#include <time/clock.h>
#include "internal.h"

int sys_show_list(char *buf, size_t size, u64 bits)
{
	const char *separator = "";
	int n = 0;

	for (u32 i = 0; i < 64; i++) {
		u32 first = i;

		if (!(bits & BIT(i)))
			continue;
		while (i + 1 < 64 && bits & BIT(i + 1))
			i++;
		n += format(buf + n, size - (size_t)n, first == i ? "%s%u" : "%s%u-%u", separator,
			    first, i);
		separator = ",";
	}
	return n + format(buf + n, size - (size_t)n, "\n");
}

/* As wide as the CPUs that there can be, in groups of 32 bits, as Linux writes them. */
int sys_show_map(char *buf, size_t size, u64 bits)
{
	if (nr_cpus <= 32)
		return format(buf, size, "%0*llx\n", (int)DIV_ROUND_UP(nr_cpus, 4), bits);
	return format(buf, size, "%0*llx,%08llx\n", (int)DIV_ROUND_UP(nr_cpus - 32, 4), bits >> 32,
		      bits & U32_MAX);
}

static u64 all_cpus(void)
{
	return nr_cpus >= 64 ? U64_MAX : BIT(nr_cpus) - 1;
}

/* ---- all processors ---- */

static int show_all(void *object, char *buf, size_t size)
{
	return sys_show_list(buf, size, all_cpus());
}

static int show_online(void *object, char *buf, size_t size)
{
	return sys_show_list(buf, size, cpus_online.bits);
}

static int show_offline(void *object, char *buf, size_t size)
{
	return sys_show_list(buf, size, all_cpus() & ~cpus_online.bits);
}

static int show_none(void *object, char *buf, size_t size)
{
	return format(buf, size, "\n");
}

static int show_kernel_max(void *object, char *buf, size_t size)
{
	return format(buf, size, "%u\n", MAX_CPUS - 1);
}

static const struct sys_attr cpu_attrs[] = {
	SYS_ATTR_RO("isolated", show_none),
	SYS_ATTR_RO("kernel_max", show_kernel_max),
	SYS_ATTR_RO("offline", show_offline),
	SYS_ATTR_RO("online", show_online),
	SYS_ATTR_RO("possible", show_all),
	SYS_ATTR_RO("present", show_all),
	{0},
};

/* ---- speculation ---- */

static int show_vulnerability(void *object, char *buf, size_t size)
{
	return arch_vulnerability((enum cpu_bug)(uptr)object, buf, size);
}

static int add_vulnerabilities(struct sys_node *cpu)
{
	static struct sys_attr attrs[NR_CPU_BUGS][2];
	struct sys_node *dir = sys_dir(cpu, "vulnerabilities");
	int err = dir ? 0 : -ENOMEM;

	for (uptr bug = 0; !err && bug < NR_CPU_BUGS; bug++) {
		attrs[bug][0] = (struct sys_attr)SYS_ATTR_RO(arch_bug_names[bug],
							     show_vulnerability);
		err = sys_add_attrs(dir, attrs[bug], (void *)bug);
	}
	return err;
}

/* ---- one processor: the object is its number ---- */

#define CPU(object) ((u32)(uptr)(object))

/* The processors for which same(theirs, mine) holds. */
static u64 siblings(u32 cpu, bool (*same)(const struct cpu_topology *, const struct cpu_topology *))
{
	struct cpu_topology mine, other;
	u64 bits = 0;

	arch_cpu_topology(cpu, &mine);
	for_each_cpu(c) {
		arch_cpu_topology(c, &other);
		if (same(&other, &mine))
			bits |= BIT(c);
	}
	return bits;
}

static bool same_package(const struct cpu_topology *a, const struct cpu_topology *b)
{
	return a->package == b->package;
}

static bool same_core(const struct cpu_topology *a, const struct cpu_topology *b)
{
	return a->package == b->package && a->core == b->core;
}

#define SHOW_SIBLINGS(name, same)                                                                  \
	static int show_##name(void *object, char *buf, size_t size)                               \
	{                                                                                          \
		return sys_show_map(buf, size, siblings(CPU(object), same));                       \
	}                                                                                          \
	static int show_##name##_list(void *object, char *buf, size_t size)                        \
	{                                                                                          \
		return sys_show_list(buf, size, siblings(CPU(object), same));                      \
	}
SHOW_SIBLINGS(core_cpus, same_core)
SHOW_SIBLINGS(package_cpus, same_package)

static int show_package(void *object, char *buf, size_t size)
{
	struct cpu_topology t;

	arch_cpu_topology(CPU(object), &t);
	return format(buf, size, "%u\n", t.package);
}

static int show_core(void *object, char *buf, size_t size)
{
	struct cpu_topology t;

	arch_cpu_topology(CPU(object), &t);
	return format(buf, size, "%u\n", t.core);
}

static int show_zero(void *object, char *buf, size_t size)
{
	return format(buf, size, "0\n");
}

static const struct sys_attr topology_attrs[] = {
	SYS_ATTR_RO("core_cpus", show_core_cpus),
	SYS_ATTR_RO("core_cpus_list", show_core_cpus_list),
	SYS_ATTR_RO("core_id", show_core),
	SYS_ATTR_RO("core_siblings", show_package_cpus),
	SYS_ATTR_RO("core_siblings_list", show_package_cpus_list),
	SYS_ATTR_RO("die_cpus", show_package_cpus),
	SYS_ATTR_RO("die_cpus_list", show_package_cpus_list),
	SYS_ATTR_RO("die_id", show_zero),
	SYS_ATTR_RO("package_cpus", show_package_cpus),
	SYS_ATTR_RO("package_cpus_list", show_package_cpus_list),
	SYS_ATTR_RO("physical_package_id", show_package),
	SYS_ATTR_RO("thread_siblings", show_core_cpus),
	SYS_ATTR_RO("thread_siblings_list", show_core_cpus_list),
	{0},
};

static int show_cpu_online(void *object, char *buf, size_t size)
{
	return format(buf, size, "%u\n", (u32)(cpus_online.bits >> CPU(object) & 1));
}

static const struct sys_attr online_attr[] = {SYS_ATTR_RO("online", show_cpu_online), {0}};

/* ---- caches: the object is (cpu << 8 | index) ---- */

static void cache_of(void *object, struct cpu_cache *c)
{
	*c = (struct cpu_cache){0};
	(void)!arch_cpu_cache((u32)(uptr)object & 0xff, c);
}

static u64 cache_sharers(void *object)
{
	struct cpu_topology mine, other;
	struct cpu_cache c;
	u64 bits = 0;

	cache_of(object, &c);
	arch_cpu_topology((u32)((uptr)object >> 8), &mine);
	for_each_cpu(cpu) {
		arch_cpu_topology(cpu, &other);
		if (other.id >> c.share_shift == mine.id >> c.share_shift)
			bits |= BIT(cpu);
	}
	return bits;
}

#define SHOW_CACHE(name, fmt, value)                                                               \
	static int show_cache_##name(void *object, char *buf, size_t size)                         \
	{                                                                                          \
		struct cpu_cache c;                                                                \
                                                                                                   \
		cache_of(object, &c);                                                              \
		return format(buf, size, fmt "\n", value);                                         \
	}
SHOW_CACHE(level, "%u", c.level)
SHOW_CACHE(type, "%s", c.type)
SHOW_CACHE(line, "%u", c.line_size)
SHOW_CACHE(partitions, "%u", c.partitions)
SHOW_CACHE(sets, "%u", c.sets)
SHOW_CACHE(ways, "%u", c.ways)
SHOW_CACHE(size, "%lluK", ((u64)c.ways * c.partitions * c.line_size * c.sets) >> 10)

static int show_cache_id(void *object, char *buf, size_t size)
{
	struct cpu_topology t;
	struct cpu_cache c;

	cache_of(object, &c);
	arch_cpu_topology((u32)((uptr)object >> 8), &t);
	return format(buf, size, "%u\n", t.id >> c.share_shift);
}

static int show_cache_map(void *object, char *buf, size_t size)
{
	return sys_show_map(buf, size, cache_sharers(object));
}

static int show_cache_list(void *object, char *buf, size_t size)
{
	return sys_show_list(buf, size, cache_sharers(object));
}

static const struct sys_attr cache_attrs[] = {
	SYS_ATTR_RO("coherency_line_size", show_cache_line),
	SYS_ATTR_RO("id", show_cache_id),
	SYS_ATTR_RO("level", show_cache_level),
	SYS_ATTR_RO("number_of_sets", show_cache_sets),
	SYS_ATTR_RO("physical_line_partition", show_cache_partitions),
	SYS_ATTR_RO("shared_cpu_list", show_cache_list),
	SYS_ATTR_RO("shared_cpu_map", show_cache_map),
	SYS_ATTR_RO("size", show_cache_size),
	SYS_ATTR_RO("type", show_cache_type),
	SYS_ATTR_RO("ways_of_associativity", show_cache_ways),
	{0},
};

static int add_caches(struct sys_node *dir, u32 cpu)
{
	struct cpu_cache c;
	char path[24];
	int err = 0;

	for (u32 index = 0; !err && arch_cpu_cache(index, &c); index++) {
		format(path, sizeof(path), "cache/index%u", index);
		err = sys_add_attrs(sys_dir(dir, path), cache_attrs,
				    (void *)(uptr)(cpu << 8 | index));
	}
	return err;
}

static int add_cpus(struct sys_node *system)
{
	struct sys_node *cpus = sys_dir(system, "cpu"), *dir;
	struct sys_node *bus = sys_dir(&sys_root, "bus/cpu/devices");
	int err = sys_add_attrs(cpus, cpu_attrs, NULL);
	char name[8];

	for_each_cpu(cpu) {
		format(name, sizeof(name), "cpu%u", cpu);
		dir = sys_dir(cpus, name);
		if (!err)
			err = sys_add_attrs(sys_dir(dir, "topology"), topology_attrs,
					    (void *)(uptr)cpu);
		if (!err && cpu)
			err = sys_add_attrs(dir, online_attr, (void *)(uptr)cpu);
		if (!err)
			err = add_caches(dir, cpu);
		if (!err)
			err = sys_add_link(bus, name, dir);
	}
	return err ? err : add_vulnerabilities(cpus);
}

/* ---- memory: one node ---- */

static int show_node_cpus(void *object, char *buf, size_t size)
{
	return sys_show_list(buf, size, cpus_online.bits);
}

static int show_node_map(void *object, char *buf, size_t size)
{
	return sys_show_map(buf, size, cpus_online.bits);
}

static int show_distance(void *object, char *buf, size_t size)
{
	return format(buf, size, "10\n");
}

static int show_node_meminfo(void *object, char *buf, size_t size)
{
	struct mem_stats m;
	int n = 0;

	mem_stats(&m);
	const struct {
		const char *name;
		u64 pages;
	} lines[] = {
		{"MemTotal:", m.total_pages}, {"MemFree:", m.free_pages},
		{"MemUsed:", m.total_pages - m.free_pages}, {"Dirty:", m.dirty_pages},
		{"Writeback:", 0}, {"FilePages:", m.cached_pages}, {"Mapped:", m.mapped_pages},
		{"AnonPages:", m.anon_pages}, {"Shmem:", m.shmem_pages},
		{"KernelStack:", m.kernel_stack_pages}, {"PageTables:", m.page_table_pages},
		{"KReclaimable:", m.slab_reclaimable_pages}, {"Slab:", m.slab_pages},
		{"SReclaimable:", m.slab_reclaimable_pages},
		{"SUnreclaim:", m.slab_pages - m.slab_reclaimable_pages},
		{"AnonHugePages:", m.anon_huge_pages},
	};
	for (u32 i = 0; i < ARRAY_SIZE(lines); i++)
		n += format(buf + n, size - (size_t)n, "Node 0 %-15s %8llu kB\n", lines[i].name,
			    lines[i].pages * (PAGE_SIZE / 1024));
	return n;
}

static const struct sys_attr node_attrs[] = {
	SYS_ATTR_RO("cpulist", show_node_cpus),
	SYS_ATTR_RO("cpumap", show_node_map),
	SYS_ATTR_RO("distance", show_distance),
	SYS_ATTR_RO("meminfo", show_node_meminfo),
	{0},
};

static const struct sys_attr nodes_attrs[] = {
	SYS_ATTR_RO("has_cpu", show_zero),
	SYS_ATTR_RO("has_memory", show_zero),
	SYS_ATTR_RO("has_normal_memory", show_zero),
	SYS_ATTR_RO("online", show_zero),
	SYS_ATTR_RO("possible", show_zero),
	{0},
};

static int add_node(struct sys_node *system)
{
	struct sys_node *nodes = sys_dir(system, "node"), *node = sys_dir(nodes, "node0");
	struct sys_node *cpus = sys_dir(system, "cpu");
	int err = sys_add_attrs(nodes, nodes_attrs, NULL);
	char name[8];

	if (!err)
		err = sys_add_attrs(node, node_attrs, NULL);
	for_each_cpu(cpu) {
		format(name, sizeof(name), "cpu%u", cpu);
		if (!err)
			err = sys_add_link(node, name, sys_dir(cpus, name));
		if (!err)
			err = sys_add_link(sys_dir(cpus, name), "node0", node);
	}
	if (!err)
		err = sys_add_link(sys_dir(&sys_root, "bus/node/devices"), "node0", node);
	return err;
}

/* ---- the rest ---- */

static int show_clock(void *object, char *buf, size_t size)
{
	return format(buf, size, "%s\n", clock_source_name());
}

static const struct sys_attr clock_attrs[] = {
	SYS_ATTR_RO("available_clocksource", show_clock), /* one is picked, the others are dropped */
	SYS_ATTR_RO("current_clocksource", show_clock),
	{0},
};

static const struct sys_attr kernel_attrs[] = {
	SYS_ATTR_RO("uevent_seqnum", show_zero), /* no event has been sent */
	{0},
};

/* All words, the one that holds in brackets. */
static int show_huge(void *object, char *buf, size_t size)
{
	static const char *const texts[] = {"always madvise [never]", "always [madvise] never",
					    "[always] madvise never"};

	return format(buf, size, "%s\n", texts[READ_ONCE(huge_mode)]);
}

static int store_huge(void *object, const char *text)
{
	return huge_mode_set(text);
}

static int show_huge_size(void *object, char *buf, size_t size)
{
	return format(buf, size, "%llu\n", HUGE_PAGE_SIZE);
}

static const struct sys_attr huge_attrs[] = {
	{.name = "enabled", .mode = 0644, .show = show_huge, .store = store_huge},
	SYS_ATTR_RO("hpage_pmd_size", show_huge_size),
	{0},
};

static int system_init(void)
{
	static const char *const always[] = {"block", "bus", "class", "dev/block", "dev/char",
					     "devices/virtual", "firmware", "fs", "kernel/mm",
					     "module"};
	struct sys_node *system = sys_dir(&sys_root, "devices/system");
	int err = system ? 0 : -ENOMEM;

	for (u32 i = 0; !err && i < ARRAY_SIZE(always); i++)
		err = sys_dir(&sys_root, always[i]) ? 0 : -ENOMEM;
	if (!err)
		err = add_cpus(system);
	if (!err)
		err = add_node(system);
	if (!err)
		err = sys_add_attrs(sys_dir(system, "clocksource/clocksource0"), clock_attrs, NULL);
	if (!err)
		err = sys_add_attrs(sys_dir(&sys_root, "kernel"), kernel_attrs, NULL);
	if (!err)
		err = sys_add_attrs(sys_dir(&sys_root, "kernel/mm/transparent_hugepage"), huge_attrs, NULL);
	return err;
}
INIT_CALL(INIT_FS, system_init);
