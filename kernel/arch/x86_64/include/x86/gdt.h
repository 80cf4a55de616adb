/* Segments and the task-state segment. The layout is Linux's: selectors show up in ptrace and in
 * signal frames. */
#pragma once

#define KERNEL_CS 0x10
#define KERNEL_DS 0x18
#define USER32_CS 0x23
#define USER_DS   0x2b
#define USER_CS   0x33
#define TSS_SEL   0x40
#define LDT_SEL   0x50
#define GDT_TLS_FIRST 12
#define GDT_TLS_COUNT 3
#define CPU_NUMBER_SEL 0x7b /* limit holds the CPU number, for the vDSO's getcpu */
#define GDT_ENTRIES 16

#define IST_DOUBLE_FAULT  1
#define IST_NMI           2
#define IST_MACHINE_CHECK 3
#define IST_DEBUG         4 /* MOV SS delays a #DB past SYSCALL, onto the user's stack */
#define NR_IST            4

#define IO_PORTS 65536

/* Offset of rsp0 in struct tss, for the gate. */
#define TSS_RSP0 4

#ifndef __ASSEMBLY__
#include <arch/percpu.h>

struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 io_bitmap; /* offset; TSS_IO_CLOSED: no port is open to user mode */
	u8 bitmap[IO_PORTS / 8]; /* of the last thread with ports on this CPU; set bit: denied */
	u8 bitmap_end; /* the CPU reads two bytes at a time: all ones */
} __packed;
/* Beyond the limit. */
#define TSS_IO_CLOSED ((u16)sizeof(struct tss))

static_assert(offsetof(struct tss, rsp) == TSS_RSP0, "the gate reads rsp0");
static_assert(offsetof(struct tss, bitmap) == 104, "hardware layout");

DECLARE_PER_CPU_GATE(struct tss, cpu_tss);
DECLARE_PER_CPU_GATE(u64[GDT_ENTRIES], cpu_gdt);

/* The stack for entries from user mode on this CPU. */
static inline void gdt_set_kernel_stack(uptr top)
{
	this_cpu_write(cpu_tss.rsp[0], top);
}

/* LDTR of this CPU; size in bytes, 0: no table. Interrupts disabled. */
void gdt_load_ldt(const void *table, u32 size);
/*
 * Builds the CPU's GDT and TSS in its per-CPU area and loads them; the GS base is set already.
 * ist_tops are the ends of the stacks for IST 1 to NR_IST. TSS.ist is IST_TOP_RESERVED (x86/gate.h)
 * below each end, and the u64 there holds the CPU's GS base, for the paranoid entries.
 */
void gdt_cpu_init(u32 cpu, const uptr ist_tops[NR_IST]);
#endif
