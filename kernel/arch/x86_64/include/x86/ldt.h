/* Segments that programs make for themselves: local descriptor tables, TLS slots, selectors. */
#pragma once

#include <arch/percpu.h>

struct ldt;
struct mm;
struct regs;
struct task;
struct user_desc;

/* Access rights as LAR gives them. */
#define AR_WRITE BIT(9)  /* data: may be written; code: may be read */
#define AR_CODE  BIT(11)
#define AR_S     BIT(12) /* code or data, not a gate or a system segment */
#define AR_P     BIT(15)
#define AR_L     BIT(21)
#define AR_B     BIT(22) /* 32 bits */

#define SELECTOR_LDT 4 /* table indicator of a selector */

/*
 * The rights of the segment that a selector names in the tables loaded now, 0 when ring 3 may not use
 * it. What comes back holds until interrupts are enabled.
 */
u32 segment_rights(u16 sel);
/* The selector if DS, ES, FS and GS load it without a fault, 0 otherwise. Interrupts disabled. */
u16 segment_loadable(u16 sel);
/* SS becomes the ordinary one unless it names a stack that ring 3 can use. For current's regs. */
void stack_segment_repair(struct regs *regs);
/* Why IRET to these registers would fault: the vector, 0 if it would not. Interrupts disabled. */
u32 iret_refusal(const struct regs *regs, u64 *error);
/* Address of the next instruction; ~0: its segment does not exist. Process context. */
u64 regs_linear_ip(struct mm *mm, const struct regs *regs);

DECLARE_PER_CPU(struct ldt *, loaded_ldt);
void ldt_load(struct ldt *next);
/* For the switch of address spaces. NULL: no table. Interrupts disabled. */
static inline void ldt_switch(struct ldt *next)
{
	if (unlikely(next != this_cpu_read(loaded_ldt)))
		ldt_load(next);
}
void ldt_put(struct ldt *ldt); /* NULL is allowed; any context */

/* This CPU's TLS slots become next's. Preemption disabled. */
void tls_switch(const struct task *next);
/* ptrace(2)'s thread areas of a stopped task. 0, -EINVAL or -EFAULT. */
int tls_get(const struct task *t, u64 slot, u64 uaddr) __must_check;
int tls_set(struct task *t, u64 slot, u64 uaddr) __must_check;

/*
 * IRET to a stack segment of 16 bits sets the low half of ESP only: the rest would be the kernel's. So
 * such a frame is popped at an address whose bits 16 to 31 are the program's own (espfix.c).
 */
int espfix_prepare(void) __must_check; /* 0 or -ENOMEM; process context */
uptr espfix_frame(const struct regs *regs); /* where to IRET from; interrupts disabled */
