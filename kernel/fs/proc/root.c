/* The root of procfs: global files, the processes by number, and the links self and thread-self. */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <boot/boot_info.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/layout.h>
#include <mm/page.h>
#include <sched/sched.h>
#include <task/uts.h>
#include <time/clock.h>
#include <vfs/show.h>
#include "internal.h"

#define USER_HZ 100
#define PID_BASE 256 /* directory positions from here on are numbers of processes */

static u64 kib(u64 pages)
{
	return pages * (PAGE_SIZE / 1024);
}

static int show_meminfo(struct text *t, const struct proc_target *target)
{
	struct mem_stats m;
	u64 limit, available;

	(void)target;
	mem_stats(&m);
	limit = commit_limit();
	available = m.free_pages + m.buffer_pages + m.cached_pages - m.shmem_pages +
		    m.slab_reclaimable_pages / 2; /* names and inodes in use stay */
	const struct {
		const char *name;
		u64 pages;
	} lines[] = {
		{"MemTotal:", m.total_pages},
		{"MemFree:", m.free_pages},
		{"MemAvailable:", available},
		{"Buffers:", m.buffer_pages},
		{"Cached:", m.cached_pages},
		{"SwapCached:", 0},
		{"SwapTotal:", 0},
		{"SwapFree:", 0},
		{"Dirty:", m.dirty_pages},
		{"Writeback:", 0},
		{"AnonPages:", m.anon_pages},
		{"Mapped:", m.mapped_pages},
		{"Shmem:", m.shmem_pages},
		{"KReclaimable:", m.slab_reclaimable_pages},
		{"Slab:", m.slab_pages},
		{"SReclaimable:", m.slab_reclaimable_pages},
		{"SUnreclaim:", m.slab_pages - m.slab_reclaimable_pages},
		{"KernelStack:", m.kernel_stack_pages},
		{"PageTables:", m.page_table_pages},
		{"CommitLimit:", limit},
		{"Committed_AS:", m.committed_pages},
		{"VmallocTotal:", (KERNEL_VMALLOC_END - KERNEL_VMALLOC_START) / PAGE_SIZE},
		{"VmallocUsed:", m.vmalloc_pages},
		{"AnonHugePages:", m.anon_huge_pages},
	};
	for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++)
		text_printf(t, "%-16s%8llu kB\n", lines[i].name, kib(lines[i].pages));
	return 0;
}

static int show_cpuinfo(struct text *t, const struct proc_target *target)
{
	(void)target;
	for_each_cpu(cpu) {
		arch_cpuinfo(cpu, text_emit, t);
		text_append(t, "\n", 1);
	}
	return 0;
}

static int show_uptime(struct text *t, const struct proc_target *target)
{
	u64 up = clock_monotonic() / (NSEC_PER_SEC / USER_HZ), idle = 0;
	struct sched_cpu_stat st;

	(void)target;
	for_each_cpu(cpu) {
		sched_cpu_stat(cpu, &st);
		idle += st.idle_ns;
	}
	idle /= NSEC_PER_SEC / USER_HZ;
	text_printf(t, "%llu.%02llu %llu.%02llu\n", up / USER_HZ, up % USER_HZ, idle / USER_HZ,
		    idle % USER_HZ);
	return 0;
}

static int show_loadavg(struct text *t, const struct proc_target *target)
{
	u64 avg[3];
	u32 running;

	(void)target;
	sched_loadavg(avg, &running);
	for (unsigned int i = 0; i < 3; i++) {
		u64 a = avg[i] + 65536 / 200; /* rounded as Linux does */

		text_printf(t, "%llu.%02llu ", a >> 16, ((a & 0xffff) * 100) >> 16);
	}
	text_printf(t, "%u/%d %d\n", running, atomic_read(&nr_tasks), pid_last());
	return 0;
}

static void stat_cpu_line(struct text *t, const char *name, const struct sched_cpu_stat *s)
{
	u64 tick = NSEC_PER_SEC / USER_HZ;

	text_printf(t, "%s %llu %llu %llu %llu 0 %llu 0 0 0 0\n", name, s->user_ns / tick,
		    s->nice_ns / tick, s->system_ns / tick, s->idle_ns / tick, s->irq_ns / tick);
}

static int show_stat(struct text *t, const struct proc_target *target)
{
	struct sched_cpu_stat sum = {0}, st;
	u64 interrupts = 0, avg[3];
	char name[16];
	u32 running;

	(void)target;
	for_each_cpu(cpu) {
		sched_cpu_stat(cpu, &st);
		sum.user_ns += st.user_ns;
		sum.nice_ns += st.nice_ns;
		sum.system_ns += st.system_ns;
		sum.idle_ns += st.idle_ns;
		sum.irq_ns += st.irq_ns;
		sum.switches += st.switches;
		interrupts += irq_count(cpu);
	}
	stat_cpu_line(t, "cpu ", &sum);
	for_each_cpu(cpu) {
		sched_cpu_stat(cpu, &st);
		format(name, sizeof(name), "cpu%u", cpu);
		stat_cpu_line(t, name, &st);
	}
	sched_loadavg(avg, &running);
	text_printf(t, "intr %llu\nctxt %llu\nbtime %llu\nprocesses %lld\n", interrupts,
		    sum.switches, clock_realtime_offset() / (s64)NSEC_PER_SEC,
		    atomic64_read(&nr_forks));
	text_printf(t, "procs_running %u\nprocs_blocked 0\n", running);
	return 0;
}

static int show_version(struct text *t, const struct proc_target *target)
{
	struct new_utsname u;

	(void)target;
	uts_get(&u);
	text_printf(t, "%s version %s (gatehouse) %s\n", u.sysname, u.release, u.version);
	return 0;
}

static int show_cmdline(struct text *t, const struct proc_target *target)
{
	(void)target;
	text_printf(t, "%s\n", boot_info.cmdline);
	return 0;
}

static int show_filesystems(struct text *t, const struct proc_target *target)
{
	(void)target;
	fs_types_show(text_emit, t);
	return 0;
}

static int show_interrupts(struct text *t, const struct proc_target *target)
{
	(void)target;
	text_printf(t, "    ");
	for_each_cpu(cpu)
		text_printf(t, "       CPU%-2u", cpu);
	text_printf(t, "\nALL:");
	for_each_cpu(cpu)
		text_printf(t, " %10llu ", irq_count(cpu));
	text_printf(t, "  All interrupts\n");
	return 0;
}

static int read_self(const struct proc_target *target, char *buf, size_t size)
{
	(void)target;
	return format(buf, size, "%d", current->process->pid);
}

static int read_thread_self(const struct proc_target *target, char *buf, size_t size)
{
	(void)target;
	return format(buf, size, "%d/task/%d", current->process->pid, current->tid);
}

static int read_self_net(const struct proc_target *target, char *buf, size_t size)
{
	(void)target;
	return format(buf, size, "self/net");
}

static int read_self_mounts(const struct proc_target *target, char *buf, size_t size)
{
	(void)target;
	return format(buf, size, "self/mounts");
}

const struct proc_entry proc_root_children[] = {
	{.name = "cmdline", .mode = S_IFREG | 0444, .show = show_cmdline},
	{.name = "cpuinfo", .mode = S_IFREG | 0444, .show = show_cpuinfo},
	{.name = "filesystems", .mode = S_IFREG | 0444, .show = show_filesystems},
	{.name = "interrupts", .mode = S_IFREG | 0444, .show = show_interrupts},
	{.name = "loadavg", .mode = S_IFREG | 0444, .show = show_loadavg},
	{.name = "meminfo", .mode = S_IFREG | 0444, .show = show_meminfo},
	{.name = "mounts", .mode = S_IFLNK | 0777, .readlink = read_self_mounts},
	{.name = "net", .mode = S_IFLNK | 0777, .readlink = read_self_net},
	{.name = "self", .mode = S_IFLNK | 0777, .readlink = read_self},
	{.name = "stat", .mode = S_IFREG | 0444, .show = show_stat},
	{.name = "sys", .mode = S_IFDIR | 0555, .children = proc_sys_children},
	{.name = "sysvipc", .mode = S_IFDIR | 0555, .children = proc_sysvipc_children},
	{.name = "thread-self", .mode = S_IFLNK | 0777, .readlink = read_thread_self},
	{.name = "uptime", .mode = S_IFREG | 0444, .show = show_uptime},
	{.name = "version", .mode = S_IFREG | 0444, .show = show_version},
	{0},
};

/* Any thread's number names its process's directory here, though only processes are listed. */
int proc_root_lookup(struct inode *dir, struct dentry *d)
{
	struct pid_entry *pid;
	u32 nr;
	int err;

	(void)dir;
	pid = proc_parse_number(&d->name, &nr) ? proc_pid_get((s32)nr) : NULL;
	if (!pid)
		return -ENOENT;
	err = proc_bind(d, &proc_process_entry, pid, true, U32_MAX);
	pid_put(pid);
	return err;
}

static bool pid_is_visible(s32 pid)
{
	struct task *t = task_find_get(pid);
	bool visible = t && proc_is_visible(t);

	if (t)
		task_put(t);
	return visible;
}

int proc_root_list(struct inode *dir, struct dir_context *ctx, loff_t base)
{
	char name[12];
	s32 pid;

	(void)dir;
	(void)base;
	pid = ctx->pos < PID_BASE ? 1 : (s32)(ctx->pos - PID_BASE);
	for (;; pid++) {
		struct process *p = process_next_get(&pid);

		if (!p)
			return 0;
		process_put(p);
		if (!pid_is_visible(pid))
			continue;
		ctx->pos = (loff_t)pid + PID_BASE;
		if (!dir_emit(ctx, name, (u32)format(name, sizeof(name), "%d", pid),
			      (u64)pid + PID_BASE, DT_DIR))
			return 0;
		ctx->pos++;
	}
}
