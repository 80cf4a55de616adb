/*
 * Descriptor table and task-state segment of each CPU, in its per-CPU area. The layout never
 * changes after gdt_cpu_init but for the TLS slots, the LDT's slot and TSS.rsp0, which the context switch writes.
 */
#include <x86/cpuid.h>
#include <x86/gate.h>
#include <x86/gdt.h>
#include <x86/msr.h>

DEFINE_PER_CPU_GATE(struct tss, cpu_tss) __aligned(64);
/* With page-table isolation entries from user mode begin here and move to the task's stack at once. */
DEFINE_PER_CPU_GATE(u64[64], entry_stack) __aligned(16);
DEFINE_PER_CPU_GATE(u64[GDT_ENTRIES], cpu_gdt) __aligned(64);

struct table_pointer {
	u16 limit;
	u64 base;
} __packed;

static const u64 gdt_template[GDT_ENTRIES] = {
	[1] = 0x00cf9b000000ffff,               /* 32-bit kernel code, for the trampoline */
	[KERNEL_CS / 8] = 0x00af9b000000ffff,
	[KERNEL_DS / 8] = 0x00cf93000000ffff,
	[USER32_CS / 8] = 0x00cffb000000ffff,
	[USER_DS / 8] = 0x00cff3000000ffff,
	[USER_CS / 8] = 0x00affb000000ffff,
};

/* Two entries: a task-state segment or a local table. */
static void set_system_descriptor(u64 *entry, uptr base, u32 size, u64 access)
{
	entry[0] = (u64)(size - 1) | (base & 0xffffff) << 16 | access << 40 |
		   (u64)(base >> 24 & 0xff) << 56;
	entry[1] = base >> 32;
}

void gdt_load_ldt(const void *table, u32 size)
{
	u16 sel = size ? LDT_SEL : 0;

	if (size)
		set_system_descriptor(*this_cpu_ptr(cpu_gdt) + LDT_SEL / 8, (uptr)table, size, 0x82);
	__asm__ __volatile__("lldt %w0" : : "r"(sel) : "memory");
}

/* A data segment that nothing can use but LSL: its limit is the CPU's number (node 0). */
static u64 cpu_number_descriptor(u32 cpu)
{
	return 0x0040f50000000000 | (cpu & 0xffff);
}

static void load_table(u64 *gdt)
{
	struct table_pointer p = {sizeof(gdt_template) - 1, (uptr)gdt};

	__asm__ __volatile__("lgdt %0\n\t"
			     "pushq %1\n\t"
			     "leaq 1f(%%rip), %%rax\n\t"
			     "pushq %%rax\n\t"
			     "lretq\n"
			     "1:\tmovl %2, %%ss\n\t"
			     "movl %3, %%ds\n\t"
			     "movl %3, %%es\n\t"
			     "movl %3, %%fs"
			     : : "m"(p), "i"(KERNEL_CS), "r"(KERNEL_DS), "r"(0) : "rax", "memory");
	__asm__ __volatile__("ltr %w0" : : "r"(TSS_SEL) : "memory");
}

void gdt_cpu_init(u32 cpu, const uptr ist_tops[NR_IST])
{
	struct tss *tss = per_cpu_ptr(cpu_tss, cpu);
	u64 *gdt = *per_cpu_ptr(cpu_gdt, cpu);

	for (u32 i = 0; i < GDT_ENTRIES; i++)
		gdt[i] = gdt_template[i];
	for (u32 i = 0; i < NR_IST; i++) {
		*(uptr *)(ist_tops[i] - IST_TOP_RESERVED) = percpu_offset[cpu];
		tss->ist[i] = ist_tops[i] - IST_TOP_RESERVED;
	}
	tss->io_bitmap = TSS_IO_CLOSED;
	tss->bitmap_end = 0xff;
	tss->rsp[0] = (uptr)(*per_cpu_ptr(entry_stack, cpu) + ARRAY_SIZE(entry_stack));
	set_system_descriptor(gdt + TSS_SEL / 8, (uptr)tss, sizeof(*tss), 0x89);
	/* For user mode's getcpu, in two ways. */
	gdt[CPU_NUMBER_SEL / 8] = cpu_number_descriptor(cpu);
	if (cpu_has(CPU_RDTSCP) || cpu_has(CPU_RDPID))
		wrmsr(MSR_TSC_AUX, cpu);
	load_table(gdt);
	/* After a reset LDTR is valid and names the first 64 KiB of memory: of the program's, that is. */
	gdt_load_ldt(NULL, 0);
}
