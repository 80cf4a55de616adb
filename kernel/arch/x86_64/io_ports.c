/*
 * ioperm(2) and iopl(2): ports that a thread with CAP_SYS_RAWIO may use from ring 3. The TSS of each
 * CPU has room for a permission bitmap; the offset in it lies beyond the limit, so that every port
 * faults, except while a thread that was granted ports runs. IOPL itself stays 0 for everybody:
 * iopl(3) opens all ports, and CLI and STI are skipped without effect, as in Linux since 5.5.
 *
 * A bitmap is shared by threads that inherited it, and copied before it is changed. `seq` names a
 * state of its contents for good, so a CPU knows whether what it has in its TSS is still that.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <mm/user.h>
#include <syscall/table.h>
#include <task/task.h>
#include <x86/gate.h>
#include <x86/gdt.h>
#include <x86/io_ports.h>
#include <x86/ldt.h>

struct io_bitmap {
	struct ref ref;
	u64 seq;
	u64 denied[IO_PORTS / 64]; /* changed by its only owner */
};

/* iopl 3; without references, as no task owns it. Its seq is 0, like what a TSS holds at first: zeros. */
static struct io_bitmap all_open;
static struct atomic64 last_seq;
static DEFINE_PER_CPU(u64, loaded_seq); /* what this CPU's TSS holds */

static void bitmap_put(struct io_bitmap *b)
{
	if (b && ref_put(&b->ref))
		kfree(b);
}

static const struct io_bitmap *in_force(const struct arch_task *a)
{
	return a->iopl == 3 ? &all_open : a->io_bitmap;
}

void io_ports_switch(const struct task *next)
{
	const struct io_bitmap *b = in_force(&next->arch);
	struct tss *tss = this_cpu_ptr(cpu_tss);

	if (!b) {
		tss->io_bitmap = TSS_IO_CLOSED;
		return;
	}
	if (this_cpu_read(loaded_seq) != b->seq) {
		memcpy(tss->bitmap, b->denied, sizeof(b->denied));
		this_cpu_write(loaded_seq, b->seq);
	}
	tss->io_bitmap = offsetof(struct tss, bitmap);
}

static void io_ports_update_current(void)
{
	preempt_disable();
	current->arch.rare &= (u8)~ARCH_RARE_PORTS;
	if (in_force(&current->arch))
		current->arch.rare |= ARCH_RARE_PORTS;
	io_ports_switch(current);
	preempt_enable();
}

void io_ports_fork(struct task *child)
{
	const struct arch_task *a = &current->arch;

	if (!(a->rare & ARCH_RARE_PORTS))
		return;
	if (a->io_bitmap)
		ref_get(&a->io_bitmap->ref);
	child->arch.io_bitmap = a->io_bitmap;
	child->arch.iopl = a->iopl;
	child->arch.rare |= ARCH_RARE_PORTS;
}

void io_ports_free(struct task *t)
{
	bitmap_put(t->arch.io_bitmap);
	t->arch.io_bitmap = NULL;
}

/* A bitmap of the thread's own, filled from the present one. NULL: no memory. */
static struct io_bitmap *bitmap_own(struct arch_task *a)
{
	struct io_bitmap *b = a->io_bitmap, *copy;

	if (b && ref_read(&b->ref) == 1)
		return b;
	copy = kmalloc(sizeof(*copy), GFP_KERNEL);
	if (!copy)
		return NULL;
	ref_init(&copy->ref);
	if (b)
		memcpy(copy->denied, b->denied, sizeof(b->denied));
	else
		memset(copy->denied, 0xff, sizeof(copy->denied));
	bitmap_put(b);
	a->io_bitmap = copy;
	return copy;
}

static bool all_denied(const struct io_bitmap *b)
{
	for (u32 i = 0; i < ARRAY_SIZE(b->denied); i++)
		if (b->denied[i] != ~0ULL)
			return false;
	return true;
}

long sys_ioperm(u64 from, u64 num, int on)
{
	struct arch_task *a = &current->arch;
	struct io_bitmap *b;

	if (from + num <= from || from + num > IO_PORTS)
		return -EINVAL;
	if (on && !capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (!a->io_bitmap && !on)
		return 0;
	b = bitmap_own(a);
	if (!b)
		return -ENOMEM;
	for (u64 port = from; port < from + num; port++) {
		if (on)
			b->denied[port / 64] &= ~BIT(port % 64);
		else
			b->denied[port / 64] |= BIT(port % 64);
	}
	b->seq = (u64)atomic64_add_return(&last_seq, 1);
	if (all_denied(b)) {
		a->io_bitmap = NULL;
		bitmap_put(b);
	}
	io_ports_update_current();
	return 0;
}

long sys_iopl(u32 level)
{
	struct arch_task *a = &current->arch;

	if (level > 3)
		return -EINVAL;
	if (level > a->iopl && !capable(CAP_SYS_RAWIO))
		return -EPERM;
	a->iopl = (u8)level;
	io_ports_update_current();
	return 0;
}

bool io_ports_skip_cli(struct regs *regs)
{
	u8 instruction;

	if (current->arch.iopl != 3 ||
	    user_read_bytes(&instruction, user_handle(bytes, regs_linear_ip(current->mm, regs)), 1) ||
	    (instruction != 0xfa && instruction != 0xfb))
		return false;
	regs->rip++;
	return true;
}
