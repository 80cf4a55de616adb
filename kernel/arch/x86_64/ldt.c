/*
 * modify_ldt(2): local descriptor tables, and the three TLS slots of the GDT, which only tracers can
 * set for a 64-bit program.
 *
 * A table never changes: a write makes a new one, and a fork shares it by reference. mm->arch.ldt is
 * written under mm->page_table_lock. A write tells every CPU that has the address space loaded and waits for
 * them, so no CPU uses a table that its address space has let go of. The order is that of tlb.c:
 * arch_mm_switch sets the CPU's bit in mm->cpus before it reads arch.ldt; the writer stores arch.ldt before it
 * reads the mask. Hence what a CPU finds in its tables with interrupts disabled stays true until it
 * enables them, and the way out to user mode can judge selectors instead of faulting on them.
 *
 * Why the entries are harmless: descriptor_make gives code and data segments of ring 3 only, no gates, no
 * 64-bit code; conforming code is refused or not present, as on Linux.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <asm/ldt.h>
#include <lib/bits.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <mm/user.h>
#include <syscall/table.h>
#include <task/task.h>
#include <x86/gate.h>
#include <x86/gdt.h>
#include <x86/ldt.h>
#include <x86/paging.h>
#include <x86/pti.h>
#include <x86/vectors.h>

#define DEFAULT_LDT_SIZE 128 /* what function 2 gives: zeroes */

struct ldt {
	struct ref ref;
	u32 nr;       /* const */
	u64 *entries; /* const, and what they are */
};

DEFINE_PER_CPU(struct ldt *, loaded_ldt);

/* --- descriptors --- */

/* Programs mean "no segment" by either. lm is not looked at: 32-bit programs do not have it. */
static bool desc_empty(const struct user_desc *d)
{
	return !d->base_addr && !d->limit && !d->contents && d->read_exec_only && !d->seg_32bit &&
	       !d->limit_in_pages && d->seg_not_present && !d->useable;
}

static bool desc_zero(const struct user_desc *d)
{
	return !d->base_addr && !d->limit && !d->contents && !d->read_exec_only && !d->seg_32bit &&
	       !d->limit_in_pages && !d->seg_not_present && !d->useable;
}

#define DESC_AVL BIT(52)

/* Ring 3, accessed (so that the CPU never writes to the table), never 64-bit. */
static u64 descriptor_make(const struct user_desc *d)
{
	u64 base = d->base_addr, limit = d->limit;

	return (limit & 0xffff) | (base & 0xffffff) << 16 |
	       (u64)(0xf1 & ~(d->seg_not_present << 7)) << 40 | (u64)d->contents << 42 |
	       (u64)!d->read_exec_only << 41 | (limit & 0xf0000) << 32 |
	       (d->useable ? DESC_AVL : 0) | (u64)d->seg_32bit << 54 |
	       (u64)d->limit_in_pages << 55 | (base >> 24) << 56;
}

static u32 descriptor_base(u64 e)
{
	return (u32)(e >> 16 & 0xffffff) | (u32)(e >> 56) << 24;
}

static struct user_desc descriptor_show(u64 e, u32 slot)
{
	return (struct user_desc){
		.entry_number = slot, .base_addr = descriptor_base(e),
		.limit = (u32)(e & 0xffff) | (u32)(e >> 32 & 0xf0000), .seg_32bit = e >> 54 & 1,
		.contents = e >> 42 & 3, .read_exec_only = !(e >> 41 & 1),
		.limit_in_pages = e >> 55 & 1, .seg_not_present = !(e >> 47 & 1),
		.useable = e >> 52 & 1,
	};
}

/* --- what the loaded tables say --- */

u32 segment_rights(u16 sel)
{
	u32 rights;
	bool ok;

	__asm__ __volatile__("larl %2, %0" : "=r"(rights), "=@ccz"(ok) : "r"((u32)(sel | 3)));
	return ok ? rights : 0;
}

static u32 segment_limit(u16 sel)
{
	u32 limit = 0;

	__asm__ __volatile__("lsll %1, %0" : "+r"(limit) : "r"((u32)(sel | 3)) : "cc");
	return limit;
}

u16 segment_loadable(u16 sel)
{
	u32 rights = segment_rights(sel);

	if (sel <= 3) /* IRET turns these into 0, no one else */
		return sel;
	if (!(rights & AR_S) || !(rights & AR_P) || (rights & (AR_CODE | AR_WRITE)) == AR_CODE)
		return 0;
	return sel;
}

void stack_segment_repair(struct regs *regs)
{
	u32 rights = segment_rights((u16)regs->ss);

	if ((rights & (AR_S | AR_P | AR_CODE | AR_WRITE)) != (AR_S | AR_P | AR_WRITE))
		regs->ss = USER_DS;
}

/* In the CPU's order. A null selector has no rights, and error code 0. */
static u32 frame_refusal(const struct regs *r, u64 *error)
{
	u32 cs = segment_rights((u16)r->cs), ss = segment_rights((u16)r->ss);

	*error = r->cs & ~3ULL;
	if ((cs & (AR_S | AR_CODE)) != (AR_S | AR_CODE))
		return VEC_GP;
	if (!(cs & AR_P))
		return VEC_NP;
	*error = r->ss & ~3ULL;
	if ((ss & (AR_S | AR_CODE | AR_WRITE)) != (AR_S | AR_WRITE))
		return VEC_GP;
	if (!(ss & AR_P))
		return VEC_SS;
	*error = 0;
	if (cs & AR_L ? (s64)(r->rip << 16) >> 16 != (s64)r->rip : r->rip > segment_limit((u16)r->cs))
		return VEC_GP;
	return 0;
}

u32 iret_refusal(const struct regs *regs, u64 *error)
{
	u32 vector = frame_refusal(regs, error);

	if (!vector || !(regs->ss & SELECTOR_LDT))
		return vector;
	*error = 0; /* Linux leaves these through its espfix stack, and loses the cause there */
	return VEC_GP;
}

/* --- tables --- */

/* Whole pages: with page-table isolation user mode's tables map them. */
static u32 ldt_order(u32 nr)
{
	return log2_ceil(DIV_ROUND_UP(nr * sizeof(u64), PAGE_SIZE));
}

static struct ldt *ldt_get(struct mm *mm)
{
	struct ldt *ldt;

	spin_lock(&mm->page_table_lock);
	ldt = mm->arch.ldt;
	if (ldt)
		ref_get(&ldt->ref);
	spin_unlock(&mm->page_table_lock);
	return ldt;
}

void ldt_put(struct ldt *ldt)
{
	if (!ldt || !ref_put(&ldt->ref))
		return;
	if (ldt->entries)
		pti_unshare(ldt->entries, PAGE_SIZE << ldt_order(ldt->nr));
	pages_free_virt(ldt->entries, ldt_order(ldt->nr));
	kfree(ldt);
}

/* A copy of old (or nothing) with another entry. */
static struct ldt *ldt_with(const struct ldt *old, u32 entry, u64 value)
{
	u32 nr = MAX(entry + 1, old ? old->nr : 0);
	struct ldt *ldt = kmalloc(sizeof(*ldt), GFP_KERNEL);

	if (!ldt)
		return NULL;
	*ldt = (struct ldt){.nr = nr, .entries = pages_alloc_virt(ldt_order(nr), GFP_KERNEL | GFP_ZERO)};
	ref_init(&ldt->ref);
	if (!ldt->entries || pti_share(ldt->entries, PAGE_SIZE << ldt_order(nr))) {
		ldt_put(ldt);
		return NULL;
	}
	if (old)
		memcpy(ldt->entries, old->entries, old->nr * sizeof(u64));
	ldt->entries[entry] = value;
	return ldt;
}

void ldt_load(struct ldt *next)
{
	this_cpu_write(loaded_ldt, next);
	gdt_load_ldt(next ? next->entries : NULL, next ? next->nr * (u32)sizeof(u64) : 0);
}

/* As on Linux, FS and GS keep what they cache until the thread is switched. */
static void reload_here(void *arg)
{
	struct mm *mm = arg;
	u16 sel;

	if (!mm_is_loaded(mm))
		return;
	ldt_switch(__atomic_load_n(&mm->arch.ldt, __ATOMIC_ACQUIRE));
	__asm__ __volatile__("movw %%ds, %0" : "=r"(sel));
	if (sel & SELECTOR_LDT)
		__asm__ __volatile__("movl %0, %%ds" : : "r"((u32)segment_loadable(sel)));
	__asm__ __volatile__("movw %%es, %0" : "=r"(sel));
	if (sel & SELECTOR_LDT)
		__asm__ __volatile__("movl %0, %%es" : : "r"((u32)segment_loadable(sel)));
}

/* On every CPU that has mm loaded, whatever it runs there. */
static void reload_all(struct mm *mm)
{
	u64 flags;

	smp_mb(); /* arch.ldt before the mask: see the head of the file */
	preempt_disable();
	flags = arch_irq_save();
	reload_here(mm);
	arch_irq_restore(flags);
	smp_call((struct cpumask){READ_ONCE(mm->cpus.bits)}, reload_here, mm);
	preempt_enable();
}

/* False: somebody was faster. */
static bool ldt_replace(struct mm *mm, struct ldt *old, struct ldt *fresh)
{
	bool same;

	spin_lock(&mm->page_table_lock);
	same = mm->arch.ldt == old;
	if (same)
		__atomic_store_n(&mm->arch.ldt, fresh, __ATOMIC_RELEASE);
	spin_unlock(&mm->page_table_lock);
	return same;
}

static int ldt_set(struct mm *mm, u32 entry, u64 value)
{
	for (;;) {
		struct ldt *old = ldt_get(mm), *fresh = ldt_with(old, entry, value);
		bool done = fresh && ldt_replace(mm, old, fresh);

		if (done) {
			reload_all(mm);
			ldt_put(old); /* the address space's */
		} else {
			ldt_put(fresh);
		}
		ldt_put(old);
		if (done || !fresh)
			return done ? 0 : -ENOMEM;
	}
}

void arch_mm_fork(struct mm *to, struct mm *from)
{
	if (READ_ONCE(from->arch.ldt))
		to->arch.ldt = ldt_get(from);
}

u64 regs_linear_ip(struct mm *mm, const struct regs *regs)
{
	u32 entry = (u32)regs->cs >> 3;
	u64 ip = ~0ULL;
	struct ldt *ldt;

	if (!(regs->cs & SELECTOR_LDT))
		return regs->rip;
	ldt = ldt_get(mm);
	if (ldt && entry < ldt->nr) {
		u64 e = ldt->entries[entry];

		ip = descriptor_base(e) + (e & BIT(54) ? regs->rip : regs->rip & 0xffff);
	}
	ldt_put(ldt);
	return ip;
}

/* --- the call --- */

static int ldt_read(struct user_bytes to, u64 count)
{
	struct ldt *ldt = ldt_get(current->mm);
	size_t size, n = MIN(count, (u64)LDT_ENTRIES * LDT_ENTRY_SIZE);
	int err;

	if (!ldt)
		return 0;
	size = MIN(n, (size_t)ldt->nr * sizeof(u64));
	err = user_write_bytes(to, ldt->entries, size);
	ldt_put(ldt);
	if (!err)
		err = user_zero_bytes(user_at(to, size), n - size);
	return err ? err : (int)n;
}

static int ldt_write(struct user_bytes from, u64 count, bool old_mode)
{
	struct user_desc d;
	u64 value = 0;

	if (count != sizeof(d))
		return -EINVAL;
	if (user_read_bytes(&d, from, sizeof(d)))
		return -EFAULT;
	if (d.entry_number >= LDT_ENTRIES || (d.contents == 3 && (old_mode || !d.seg_not_present)))
		return -EINVAL;
	if (!desc_empty(&d) && !(old_mode && !d.base_addr && !d.limit)) {
		value = descriptor_make(&d);
		if (old_mode)
			value &= ~DESC_AVL;
		if (!d.seg_32bit && espfix_prepare())
			return -ENOMEM;
	}
	return ldt_set(current->mm, d.entry_number, value);
}

static int ldt_read_default(struct user_bytes to, u64 count)
{
	size_t n = MIN(count, (u64)DEFAULT_LDT_SIZE);

	return user_zero_bytes(to, n) ? -EFAULT : (int)n;
}

/* The result is an int: errors come back as numbers of 32 bits. */
long sys_modify_ldt(int func, struct user_bytes ptr, u64 count)
{
	int ret = -ENOSYS;

	switch (func) {
	case 0: ret = ldt_read(ptr, count); break;
	case 1: ret = ldt_write(ptr, count, true); break;
	case 2: ret = ldt_read_default(ptr, count); break;
	case 0x11: ret = ldt_write(ptr, count, false); break;
	default: break;
	}
	return (long)(u32)ret;
}

/* --- TLS slots --- */

void tls_switch(const struct task *next)
{
	memcpy(*this_cpu_ptr(cpu_gdt) + GDT_TLS_FIRST, next->arch.tls, sizeof(next->arch.tls));
}

int tls_get(const struct task *t, u64 slot, u64 uaddr)
{
	struct user_desc d;

	if (slot - GDT_TLS_FIRST >= GDT_TLS_COUNT)
		return -EINVAL;
	d = descriptor_show(t->arch.tls[slot - GDT_TLS_FIRST], (u32)slot);
	return user_copy_out(uaddr, &d, sizeof(d));
}

/* Present 32-bit data segments only: the way out has no answer to others in the GDT. */
int tls_set(struct task *t, u64 slot, u64 uaddr)
{
	u16 sel = (u16)(slot << 3 | 3);
	struct user_desc d;
	bool none;

	if (user_copy_in(&d, uaddr, sizeof(d)))
		return -EFAULT;
	none = desc_empty(&d) || desc_zero(&d);
	if ((!none && (!d.seg_32bit || d.contents > 1 || d.seg_not_present)) ||
	    slot - GDT_TLS_FIRST >= GDT_TLS_COUNT)
		return -EINVAL;
	t->arch.tls[slot - GDT_TLS_FIRST] = none ? 0 : descriptor_make(&d);
	t->arch.rare |= ARCH_RARE_TLS;
	if (t->arch.fs_sel == sel)
		t->arch.fs_base = d.base_addr;
	if (t->arch.gs_sel == sel)
		t->arch.gs_base = d.base_addr;
	return 0;
}
