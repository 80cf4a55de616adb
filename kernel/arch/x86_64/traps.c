/*
 * Exceptions and interrupts in C: the interrupt descriptor table, the translation of ring-3 faults
 * into Linux's signals, page faults, and the exception table that lets user copies fail.
 *
 * A fault in ring 0 outside the exception table is a bug of the kernel and panics. Handlers for
 * user faults run with interrupts enabled and may sleep.
 */
#include <arch/cpu.h>
#include <arch/entry.h>
#include <arch/irq.h>
#include <asm/siginfo.h>
#include <dev/log.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <arch/mmu.h>
#include <sched/sched.h>
#include <signal/signal.h>
#include <task/task.h>
#include <x86/cpu_init.h>
#include <x86/cpuid.h>
#include <x86/debug.h>
#include <x86/fpu.h>
#include <x86/io_ports.h>
#include <x86/gate.h>
#include <x86/gdt.h>
#include <x86/vectors.h>
#include <x86/msr.h>

#define PF_PRESENT BIT(0)
#define PF_WRITE   BIT(1)
#define PF_USER    BIT(2)
#define PF_RSVD    BIT(3)
#define PF_FETCH   BIT(4)

struct idt_gate {
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_mid;
	u32 offset_high, zero;
} __packed;

struct table_register {
	u16 limit;
	u64 base;
} __packed;

static struct idt_gate idt[256] __ro_after_init_zero __aligned(4096);
static bool idt_built;

DEFINE_PER_CPU(bool, interrupted_user);

void trap_from_user(struct regs *regs, u32 vector);
void trap_from_kernel(struct regs *regs, u32 vector);
void trap_paranoid_kernel(struct regs *regs, u32 vector);
void interrupt_from_user(struct regs *regs, u32 vector);
void interrupt_from_kernel(struct regs *regs, u32 vector);

static u64 debug_status_take(void)
{
	u64 dr6;

	__asm__ __volatile__("movq %%db6, %0" : "=r"(dr6));
	__asm__ __volatile__("movq %0, %%db6" : : "r"(0xffff0ff0UL));
	return dr6 ^ 0xffff0ff0UL;
}

/* Index and purpose of the IST stacks: handlers that must not trust the interrupted stack. */
static unsigned int vector_ist(unsigned int vector)
{
	switch (vector) {
	case VEC_DF: return IST_DOUBLE_FAULT;
	case VEC_NMI: return IST_NMI;
	case VEC_MC: return IST_MACHINE_CHECK;
	case VEC_DB: return IST_DEBUG;
	default: return 0;
	}
}

/* Only INT3 and INTO may be raised by an INT instruction in ring 3; every other gate gives #GP. */
static void idt_build(void)
{
	for (unsigned int v = 0; v < 256; v++) {
		uptr entry = (uptr)trap_stubs + v * TRAP_STUB_SIZE;
		bool user = v == VEC_BP || v == VEC_OF;

		idt[v] = (struct idt_gate){
			.offset_low = (u16)entry,
			.selector = KERNEL_CS,
			.ist = vector_ist(v),
			.type = user ? 0xee : 0x8e,
			.offset_mid = (u16)(entry >> 16),
			.offset_high = (u32)(entry >> 32),
		};
	}
	idt_built = true;
}

const void *traps_idt(void)
{
	return idt;
}

/* The IDT of this CPU and its SYSCALL MSRs. Works before the allocators are up. */
void traps_cpu_init(void)
{
	struct table_register idtr = {sizeof(idt) - 1, (uptr)idt};

	if (!idt_built)
		idt_build();
	__asm__ __volatile__("lidt %0" : : "m"(idtr));
	gate_cpu_init();
}

bool ex_table_fixup(struct regs *regs)
{
	struct entry {
		s32 insn, fixup;
	};
	extern struct entry __ex_table_start[], __ex_table_end[];

	for (struct entry *e = __ex_table_start; e < __ex_table_end; e++) {
		if ((uptr)&e->insn + e->insn == regs->rip) {
			regs->rip = (uptr)&e->fixup + e->fixup;
			return true;
		}
	}
	return false;
}

static __noreturn void die(const struct regs *r, u32 vector, u64 error)
{
	if (vector == VEC_DF && kernel_stack_guard_hit(read_cr2()))
		panic_regs(r, "kernel stack overflow");
	panic_regs(r, "exception %u, error code %llx", vector, error);
}

/* Takes the error code out of the system-call number's slot. */
static u64 error_code_take(struct regs *regs)
{
	u64 error = regs->orig_rax;

	regs->orig_rax = (u64)-1;
	return error;
}

static void user_fault(struct regs *regs, int sig, int code, u64 addr, u32 vector, u64 error)
{
	(void)regs;
	current->arch.trap_nr = vector;
	current->arch.error_code = error;
	fault_signal(sig, code, addr, vector, error);
}

/* FPE_* from the exceptions that are raised and not masked, in Linux's order. */
static int fpe_code(u32 status, u32 mask)
{
	u32 err = status & ~mask;

	if (err & 0x01)
		return FPE_FLTINV;
	if (err & 0x04)
		return FPE_FLTDIV;
	if (err & 0x08)
		return FPE_FLTOVF;
	if (err & 0x12)
		return FPE_FLTUND;
	if (err & 0x20)
		return FPE_FLTRES;
	return 0;
}

static void user_fpu_fault(struct regs *regs, u32 vector)
{
	int code;

	if (vector == VEC_MF) {
		u32 cw, sw;

		fpu_legacy_status(&cw, &sw);
		code = fpe_code(sw, cw);
	} else {
		u32 mxcsr = fpu_mxcsr();

		code = fpe_code(mxcsr, mxcsr >> 7);
	}
	if (code) /* a spurious one: the handler that ran before has cleared the cause */
		user_fault(regs, SIGFPE, code, regs->rip, vector, 0);
}

static void user_debug_trap(struct regs *regs, u64 dr6)
{
	bool execute;
	u64 hit = debug_regs_hit(dr6, &execute);
	int code = dr6 & DR6_BS ? TRAP_TRACE : hit ? TRAP_HWBKPT : TRAP_BRKPT;

	block_step_end(); /* the CPU has forgotten it with the trap */
	if (execute) /* it has not run yet: RF lets it */
		regs->rflags |= X86_EFLAGS_RF;
	if (!hit && (dr6 & DR6_TRAPS) && !(dr6 & DR6_BS))
		return; /* of a breakpoint that is not, or no longer, the program's */
	/* TF stays: the signal frame saves it, the handler runs without it, sigreturn steps on. */
	user_fault(regs, SIGTRAP, code, regs->rip, VEC_DB, 0);
}

static unsigned int fault_access(u64 error)
{
	unsigned int access = FAULT_READ;

	if (error & PF_WRITE)
		access |= FAULT_WRITE;
	if (error & PF_FETCH)
		access |= FAULT_EXEC;
	if (error & PF_USER)
		access |= FAULT_USER;
	return access;
}

static void user_page_fault(struct regs *regs, u64 addr, u64 error)
{
	int sig = SIGSEGV, code = SEGV_MAPERR;

	/*
	 * An access with the kernel's rights out of ring 3 is one to a descriptor table, or QEMU's
	 * emulation of IRET: nothing that a page could be brought in for.
	 */
	if (addr < USER_TOP && !(error & PF_RSVD) && likely(error & PF_USER) &&
	    likely(mm_fault(addr, fault_access(error), &sig, &code)))
		return;
	/* The error code and cr2 that a handler sees tell nothing about kernel mappings. */
	if (addr >= USER_TOP)
		error |= PF_PRESENT;
	current->arch.cr2 = addr;
	user_fault(regs, sig, code, addr, VEC_PF, error);
}

/* What Linux sends for each exception that needs no further look; code 0 stands for SI_KERNEL. */
static const struct {
	u8 sig;
	s8 code;
	bool at_rip;
} trap_signals[32] = {
	[VEC_DE] = {SIGFPE, FPE_INTDIV, true}, [VEC_BP] = {SIGTRAP, 0, false},
	[VEC_OF] = {SIGSEGV, 0, false},        [VEC_BR] = {SIGSEGV, 0, false},
	[VEC_UD] = {SIGILL, ILL_ILLOPN, true}, [VEC_TS] = {SIGSEGV, 0, false},
	[VEC_NP] = {SIGBUS, 0, false},         [VEC_SS] = {SIGBUS, 0, false},
	[VEC_GP] = {SIGSEGV, 0, false},        [VEC_AC] = {SIGBUS, BUS_ADRALN, false},
};

void user_trap(struct regs *regs, u32 vector, u64 error)
{
	int code = trap_signals[vector].code;

	if (!trap_signals[vector].sig)
		panic("exception %u from user mode", vector);
	user_fault(regs, trap_signals[vector].sig, code ? code : SI_KERNEL,
		   trap_signals[vector].at_rip ? regs->rip : 0, vector, error);
}

/* Every exception in ring 3. Interrupts disabled on entry and return. */
void trap_from_user(struct regs *regs, u32 vector)
{
	u64 error = error_code_take(regs);
	u64 detail = vector == VEC_PF ? read_cr2() : vector == VEC_DB ? debug_status_take() : 0;

	if (vector == VEC_NMI)
		return;
	if (vector == VEC_MC || vector == VEC_DF)
		die(regs, vector, error);
	arch_irq_enable();
	if (likely(vector == VEC_PF))
		user_page_fault(regs, detail, error);
	else if (vector == VEC_DB)
		user_debug_trap(regs, detail);
	else if (vector == VEC_MF || vector == VEC_XM)
		user_fpu_fault(regs, vector);
	else if (vector != VEC_GP || !io_ports_skip_cli(regs))
		user_trap(regs, vector, error == (u64)-1 ? 0 : error);
	arch_irq_disable();
}

/*
 * A page fault in ring 0 is legal only at an instruction of the exception table, on a user
 * address, with SMAP lifted by that very code: everything else is a kernel bug.
 */
static bool kernel_page_fault(struct regs *regs, u64 addr, u64 error)
{
	int sig, code;
	bool may_sleep = (regs->rflags & X86_FLAGS_IF) && !in_atomic() &&
			 !current->pagefault_disabled && current->mm;

	if (addr >= USER_TOP || (error & (PF_RSVD | PF_FETCH | PF_USER)))
		return ex_table_fixup(regs);
	if (may_sleep) {
		bool done;

		arch_irq_enable();
		done = mm_fault(addr, fault_access(error), &sig, &code);
		arch_irq_disable();
		if (done)
			return true;
	}
	return ex_table_fixup(regs);
}

void trap_from_kernel(struct regs *regs, u32 vector)
{
	u64 error = error_code_take(regs);

	if (vector == VEC_PF && kernel_page_fault(regs, read_cr2(), error))
		return;
	if (vector == VEC_GP && ex_table_fixup(regs))
		return;
	die(regs, vector, error);
}

/*
 * NMI: nothing asks for one, so it is dropped. Debug: only the trap that MOV SS delays past
 * SYSCALL, or a watchpoint of the user's hit by a user copy; the kernel goes on.
 */
void trap_paranoid_kernel(struct regs *regs, u32 vector)
{
	u64 error = error_code_take(regs);

	if (vector == VEC_NMI)
		return;
	if (vector == VEC_DB) {
		bool execute;

		(void)debug_regs_hit(debug_status_take(), &execute);
		regs->rflags &= ~(u64)X86_EFLAGS_TF;
		return;
	}
	die(regs, vector, error);
}

bool irq_from_user_mode(void)
{
	return this_cpu_read(interrupted_user);
}

void interrupt_from_user(struct regs *regs, u32 vector)
{
	regs->orig_rax = (u64)-1;
	hardirq_enter();
	this_cpu_write(interrupted_user, true);
	irq_dispatch(vector);
	this_cpu_write(interrupted_user, false);
	hardirq_exit();
}

void interrupt_from_kernel(struct regs *regs, u32 vector)
{
	(void)regs;
	hardirq_enter();
	irq_dispatch(vector);
	hardirq_exit();
	if (unlikely(this_cpu_read(preempt_count) == 0))
		preempt_schedule_irq();
}
