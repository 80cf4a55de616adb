/*
 * Contexts: the switch between kernel stacks with all per-task CPU state, the first frame of a new
 * task, and the thread pointers that arch_prctl sets.
 */
#include <arch/context.h>
#include <arch/fpu.h>
#include <arch/irq.h>
#include <asm/prctl.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <mm/user.h>
#include <syscall/table.h>
#include <task/task.h>
#include <x86/canary.h>
#include <x86/cpuid.h>
#include <x86/debug.h>
#include <x86/fpu.h>
#include <x86/gate.h>
#include <x86/gdt.h>
#include <x86/io_ports.h>
#include <x86/ldt.h>
#include <x86/mitigations.h>
#include <x86/msr.h>

#define NR_XSTATE_COMPONENTS 19 /* that Linux 6.1 knows */

/* switch.S: saves the callee-saved registers and the stack pointer, loads the other's. */
struct task *switch_stacks(u64 *save_sp, u64 load_sp, struct task *prev);

/* What switch_stacks pops from a new task's stack. */
struct switch_frame {
	u64 r15, r14, r13, r12, rbx, rbp, rip;
};

static bool has_fsgsbase(void)
{
	return cpu_has(CPU_FSGSBASE);
}

static u64 fs_base_read(void)
{
	u64 v;

	if (!has_fsgsbase())
		return rdmsr(MSR_FS_BASE);
	__asm__ __volatile__("rdfsbase %0" : "=r"(v));
	return v;
}

static void fs_base_write(u64 v)
{
	if (has_fsgsbase())
		__asm__ __volatile__("wrfsbase %0" : : "r"(v));
	else
		wrmsr(MSR_FS_BASE, v);
}

/* The user's GS base waits in the inactive MSR while the kernel runs. */
static u64 user_gs_base_read(void)
{
	return rdmsr(MSR_KERNEL_GS_BASE);
}

static void user_gs_base_write(u64 v)
{
	wrmsr(MSR_KERNEL_GS_BASE, v);
}

#define segment_read(name)                                                                         \
	({ u16 s_; __asm__ __volatile__("movw %%" #name ", %0" : "=rm"(s_)); s_; })
/* What a thread had loaded may have vanished, or come from a tracer: segment_loadable first. */
#define segment_write(name, sel) __asm__ __volatile__("movl %0, %%" #name : : "r"((u32)(sel)))

/*
 * Loading GS would replace the kernel's base: SWAPGS around it keeps that in the inactive MSR. No
 * interrupt may come in between (an NMI finds its base on its own stack).
 */
static void user_gs_selector_write(u16 sel)
{
	u64 flags = arch_irq_save();

	__asm__ __volatile__("swapgs; movl %0, %%gs; swapgs" : : "r"((u32)sel) : "memory");
	arch_irq_restore(flags);
}

static void segments_save(struct arch_task *a)
{
	a->fs_base = fs_base_read();
	a->gs_base = user_gs_base_read();
	a->fs_sel = segment_read(fs);
	a->gs_sel = segment_read(gs);
	a->ds_sel = segment_read(ds);
	a->es_sel = segment_read(es);
}

void arch_segments_save(void)
{
	preempt_disable();
	segments_save(&current->arch);
	preempt_enable();
}

/* All four selectors at once: 0 for nearly every 64-bit program. */
static DEFINE_PER_CPU(u64, user_selectors);

static u64 selectors_of(const struct arch_task *a)
{
	return (u64)a->fs_sel | (u64)a->gs_sel << 16 | (u64)a->ds_sel << 32 | (u64)a->es_sel << 48;
}

static void segments_load(u64 loaded_selectors, const struct arch_task *next)
{
	if (unlikely(loaded_selectors | selectors_of(next))) {
		segment_write(ds, segment_loadable(next->ds_sel));
		segment_write(es, segment_loadable(next->es_sel));
		segment_write(fs, segment_loadable(next->fs_sel));
		user_gs_selector_write(segment_loadable(next->gs_sel));
	}
	fs_base_write(next->fs_base);
	user_gs_base_write(next->gs_base);
}

/* Whether RDTSC works in ring 3 while next runs. Interrupts disabled. */
static void tsc_access_switch(const struct task *next)
{
	u64 cr4 = read_cr4(), now = cr4 & ~(u64)CR4_TSD;

	if (next->arch.rare & ARCH_RARE_NO_TSC)
		now |= CR4_TSD;
	if (now != cr4)
		write_cr4(now);
}

void arch_tsc_allow(bool allow)
{
	u64 flags = arch_irq_save();

	current->arch.rare &= (u8)~ARCH_RARE_NO_TSC;
	if (!allow)
		current->arch.rare |= ARCH_RARE_NO_TSC;
	tsc_access_switch(current);
	arch_irq_restore(flags);
}

bool arch_tsc_allowed(void)
{
	return !(current->arch.rare & ARCH_RARE_NO_TSC);
}

/*
 * Kernel threads have neither segments nor FPU state: the registers stay as the last user task left
 * them, invisible to ring 0, and the next user task loads its own.
 */
struct task *arch_switch(struct task *prev, struct task *next)
{
	if (prev->arch.fpu) {
		segments_save(&prev->arch);
		fpu_save(prev->arch.fpu);
		this_cpu_write(user_selectors, selectors_of(&prev->arch));
	}
	if (unlikely((prev->arch.rare | next->arch.rare) & ARCH_RARE_TLS))
		tls_switch(next); /* before the selectors that name them */
	if (next->arch.fpu) {
		segments_load(this_cpu_read(user_selectors), &next->arch);
		fpu_restore(next->arch.fpu);
	}
	if (unlikely(prev->arch.rare | next->arch.rare)) {
		io_ports_switch(next);
		tsc_access_switch(next);
		if ((prev->arch.rare | next->arch.rare) & ARCH_RARE_BLOCK)
			block_step_switch(next);
		if ((prev->arch.rare | next->arch.rare) & ARCH_RARE_SPEC)
			speculation_switch(prev, next);
	}
	if (unlikely(prev->arch.watched | next->arch.watched))
		debug_regs_switch(next);
	/*
	 * An interrupt of user mode leaves SS null, and SYSRET on an AMD CPU does not make it usable again
	 * for 32-bit code: the next task may leave that way.
	 */
	if (segment_read(ss) != KERNEL_DS)
		segment_write(ss, KERNEL_DS);
	this_cpu_write(current_task, next);
	this_cpu_write(stack_canary, next->arch.canary);
	gate_set_stack(next->kernel_stack + KERNEL_STACK_SIZE);
	return switch_stacks(&prev->arch.sp, next->arch.sp, prev);
}

static void first_frame(struct task *t, void (*entry)(void), u64 rbx, u64 r12)
{
	struct switch_frame *f = (struct switch_frame *)task_regs(t) - 1;

	*f = (struct switch_frame){.rbx = rbx, .r12 = r12, .rip = (uptr)entry};
	t->arch.sp = (uptr)f;
}

int arch_task_fork(struct task *child, u64 user_sp, bool set_tls, u64 tls)
{
	struct regs *regs = task_regs(child);

	child->arch = (struct arch_task){.fpu = fpu_alloc(),
					 .canary = canary_make(),
					 .speculation = current->arch.speculation,
					 .rare = current->arch.rare & (ARCH_RARE_NO_TSC | ARCH_RARE_SPEC |
								       ARCH_RARE_TLS)};
	memcpy(child->arch.tls, current->arch.tls, sizeof(child->arch.tls));
	if (!child->arch.fpu)
		return -ENOMEM;
	preempt_disable();
	fpu_save(current->arch.fpu);
	segments_save(&child->arch);
	memcpy(child->arch.fpu, current->arch.fpu, arch_fpu_size);
	preempt_enable();
	io_ports_fork(child);
	if (set_tls)
		child->arch.fs_base = tls;
	*regs = *task_regs(current);
	regs->rax = 0;
	if (current->arch.forced_tf) /* the tracer steps the parent, not the child */
		regs->rflags &= ~(u64)X86_EFLAGS_TF;
	if (user_sp)
		regs->rsp = user_sp;
	first_frame(child, user_first_run, 0, 0);
	return 0;
}

int arch_task_kernel(struct task *t, void (*fn)(void *), void *arg)
{
	t->arch = (struct arch_task){.canary = canary_make()};
	first_frame(t, kernel_first_run, (uptr)fn, (uptr)arg);
	return 0;
}

void arch_task_free(struct task *t)
{
	io_ports_free(t);
	debug_regs_free(t);
	fpu_free(t->arch.fpu);
	t->arch.fpu = NULL;
}

int arch_exec_prepare(void)
{
	struct xsave_area *fpu;

	if (current->arch.fpu)
		return 0;
	fpu = fpu_alloc();
	if (!fpu)
		return -ENOMEM;
	fpu_image_init(fpu);
	current->arch.fpu = fpu;
	/* Every program is to be kept apart, or any thread may be told to by another. */
	if (mitigations.indirect_branch >= CONTROL_SECCOMP || mitigations.store_bypass == CONTROL_SECCOMP)
		current->arch.rare |= ARCH_RARE_SPEC;
	return 0;
}

void arch_exec_start(struct regs *regs, u64 ip, u64 sp)
{
	debug_regs_reset();
	current->arch.forced_tf = false;
	speculation_exec();
	preempt_disable();
	if (current->arch.rare & ARCH_RARE_TLS) {
		memset(current->arch.tls, 0, sizeof(current->arch.tls));
		tls_switch(current);
		current->arch.rare &= (u8)~ARCH_RARE_TLS;
	}
	*regs = (struct regs){.rip = ip, .rsp = sp, .cs = USER_CS, .ss = USER_DS,
			      .rflags = X86_FLAGS_IF, .orig_rax = (u64)-1};
	segment_write(ds, 0);
	segment_write(es, 0);
	segment_write(fs, 0);
	user_gs_selector_write(0);
	fs_base_write(0);
	user_gs_base_write(0);
	fpu_image_init(current->arch.fpu);
	fpu_restore(current->arch.fpu);
	preempt_enable();
	task_set_work(current, WORK_IRET);
}

long arch_prctl(int code, u64 addr)
{
	u64 v;

	switch (code) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (addr >= USER_TOP)
			return -EPERM;
		preempt_disable();
		if (code == ARCH_SET_FS) {
			segment_write(fs, 0);
			fs_base_write(addr);
		} else {
			user_gs_selector_write(0);
			user_gs_base_write(addr);
		}
		preempt_enable();
		return 0;
	case ARCH_GET_FS:
	case ARCH_GET_GS:
		preempt_disable();
		v = code == ARCH_GET_FS ? fs_base_read() : user_gs_base_read();
		preempt_enable();
		return user_write(((struct user_u64){.uaddr = addr}), &v);
	case ARCH_GET_CPUID:
		return 1; /* CPUID works */
	case ARCH_SET_CPUID:
		return -ENODEV; /* and cannot be made to fault */
	case ARCH_GET_XCOMP_SUPP:
	case ARCH_GET_XCOMP_PERM:
	case ARCH_GET_XCOMP_GUEST_PERM:
		return user_write(((struct user_u64){.uaddr = addr}), &fpu_features);
	case ARCH_REQ_XCOMP_PERM:
	case ARCH_REQ_XCOMP_GUEST_PERM:
		/* Nothing that is offered has to be asked for. */
		return addr < NR_XSTATE_COMPONENTS ? -EOPNOTSUPP : -EINVAL;
	default:
		return -EINVAL;
	}
}

long sys_arch_prctl(u32 code, u64 addr)
{
	return arch_prctl((int)code, addr);
}
