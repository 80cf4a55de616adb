/*
 * Hardware breakpoints and watchpoints of user programs, as ptrace(2) sets them. Each task has its own
 * registers, loaded while it runs. A breakpoint is checked before it is stored: a kernel address, I/O
 * ports and the general-detect bit never reach the CPU. A watchpoint can still hit in the kernel, when
 * that copies to the watched user memory; trap_paranoid_kernel notes it and goes on.
 */
#include <arch/mmu.h>
#include <arch/speculation.h>
#include <lib/bits.h>
#include <lib/errno.h>
#include <mm/slab.h>
#include <task/task.h>
#include <x86/debug.h>
#include <x86/msr.h>

#define DEBUGCTL_BTF BIT(1)
#define DR7_RESERVED 0xfc00ULL /* with general detect */

enum { DR_EXECUTE = 0, DR_WRITE = 1, DR_IO = 2, DR_ACCESS = 3 };

static unsigned int bp_type(u64 control, unsigned int n)
{
	return (control >> (16 + n * 4)) & 3;
}

/* Bytes that are watched: 1, 2, 8, 4 by the code. */
static u64 bp_length(u64 control, unsigned int n)
{
	static const u8 lengths[4] = {1, 2, 8, 4};

	return lengths[(control >> (18 + n * 4)) & 3];
}

static bool bp_enabled(u64 control, unsigned int n)
{
	return control & (3ULL << (n * 2));
}

static void debug_addr_load(unsigned int n, u64 addr)
{
	switch (n) {
	case 0: __asm__ __volatile__("movq %0, %%db0" : : "r"(addr)); break;
	case 1: __asm__ __volatile__("movq %0, %%db1" : : "r"(addr)); break;
	case 2: __asm__ __volatile__("movq %0, %%db2" : : "r"(addr)); break;
	default: __asm__ __volatile__("movq %0, %%db3" : : "r"(addr)); break;
	}
}

static void debug_control_load(u64 control)
{
	__asm__ __volatile__("movq %0, %%db7" : : "r"(control) : "memory");
}

void debug_regs_switch(const struct task *next)
{
	const struct debug_regs *d = next->arch.debug;

	debug_control_load(DR7_FIXED);
	if (!d || !(d->control & 0xff))
		return;
	for (unsigned int n = 0; n < NR_BREAKPOINTS; n++)
		debug_addr_load(n, d->addr[n]);
	debug_control_load((d->control & U32_MAX & ~DR7_RESERVED) | DR7_FIXED);
}

void block_step_switch(const struct task *next)
{
	wrmsr(MSR_DEBUGCTL, next->arch.rare & ARCH_RARE_BLOCK ? DEBUGCTL_BTF : 0);
}

void block_step_end(void)
{
	if (likely(!(current->arch.rare & ARCH_RARE_BLOCK)))
		return;
	preempt_disable();
	current->arch.rare &= (u8)~ARCH_RARE_BLOCK;
	block_step_switch(current);
	preempt_enable();
}

void debug_regs_reset(void)
{
	struct debug_regs *d = current->arch.debug;

	if (likely(!d))
		return;
	preempt_disable();
	debug_control_load(DR7_FIXED);
	*d = (struct debug_regs){0};
	preempt_enable();
}

void debug_regs_free(struct task *t)
{
	kfree(t->arch.debug);
	t->arch.debug = NULL;
	t->arch.watched = false;
}

u64 debug_regs_hit(u64 dr6, bool *execute)
{
	struct debug_regs *d = current->arch.debug;
	u64 hit = 0;

	*execute = false;
	if (likely(!d))
		return 0;
	d->status = dr6 & DR6_BS;
	for (unsigned int n = 0; n < NR_BREAKPOINTS; n++) {
		/* The CPU reports matches of disabled ones too. */
		if (!(dr6 & BIT(n)) || !bp_enabled(d->control, n))
			continue;
		hit |= BIT(n);
		*execute |= bp_type(d->control, n) == DR_EXECUTE;
	}
	d->status |= hit;
	return hit;
}

/* Whether the CPU may be given breakpoint n as this control word describes it. */
static int bp_check(const struct debug_regs *d, u64 control, unsigned int n)
{
	u64 length = bp_length(control, n);

	if (!bp_enabled(control, n))
		return 0;
	switch (bp_type(control, n)) {
	case DR_EXECUTE:
		if (length != 1)
			return -EINVAL;
		break;
	case DR_IO:
		return -EINVAL;
	default:
		break;
	}
	return d->addr[n] & (length - 1) ? -EINVAL : 0;
}

static int debug_control_set(struct debug_regs *d, u64 control)
{
	for (unsigned int n = 0; n < NR_BREAKPOINTS; n++) {
		int err = bp_check(d, control, n);

		if (err)
			return err;
	}
	d->control = control;
	return 0;
}

static int debug_addr_set(struct debug_regs *d, unsigned int n, u64 addr)
{
	u64 old;
	int err;

	if (addr >= USER_TOP)
		return -EINVAL;
	n = (unsigned int)index_clamp(n, NR_BREAKPOINTS);
	old = d->addr[n];
	d->addr[n] = addr;
	err = bp_check(d, d->control, n);
	if (err)
		d->addr[n] = old;
	return err;
}

u64 debug_reg_get(const struct task *t, unsigned int n)
{
	const struct debug_regs *d = t->arch.debug;

	if (n == 6)
		return (d ? d->status : 0) ^ 0xffff0ff0ULL;
	if (!d)
		return 0;
	return n < NR_BREAKPOINTS ? d->addr[index_clamp(n, NR_BREAKPOINTS)] : n == 7 ? d->control : 0;
}

int debug_reg_set(struct task *t, unsigned int n, u64 value)
{
	if (n == 4 || n == 5)
		return -EIO;
	if (!t->arch.debug) {
		t->arch.debug = kzalloc(sizeof(*t->arch.debug), GFP_KERNEL);
		if (!t->arch.debug)
			return -ENOMEM;
		t->arch.watched = true;
	}
	if (n < NR_BREAKPOINTS)
		return debug_addr_set(t->arch.debug, n, value);
	if (n == 7)
		return debug_control_set(t->arch.debug, value);
	t->arch.debug->status = value ^ 0xffff0ff0ULL;
	return 0;
}
