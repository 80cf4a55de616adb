/*
 * The C half of the gate: set-up of the system-call MSRs, the slow exit to user mode, and the
 * layout checks that tie entry.S to the C structures. The fast path itself is entry.S.
 */
#include <arch/irq.h>
#include <arch_impl/regs.h>
#include <lib/log.h>
#include <signal/signal.h>
#include <syscall/nr.h>
#include <task/task.h>
#include <x86/alternatives.h>
#include <x86/gate.h>
#include <x86/gdt.h>
#include <x86/ldt.h>
#include <x86/msr.h>

static_assert(offsetof(struct task, work) == TASK_WORK_OFFSET, "entry.S tests task->work");
static_assert(offsetof(struct regs, rbx) == REGS_RBX && offsetof(struct regs, r11) == REGS_R11 &&
	      offsetof(struct regs, rax) == REGS_RAX && offsetof(struct regs, rdi) == REGS_RDI &&
	      offsetof(struct regs, orig_rax) == REGS_ORIG_RAX &&
	      offsetof(struct regs, rip) == REGS_RIP && offsetof(struct regs, cs) == REGS_CS &&
	      offsetof(struct regs, rflags) == REGS_RFLAGS &&
	      offsetof(struct regs, rsp) == REGS_RSP && offsetof(struct regs, ss) == REGS_SS &&
	      sizeof(struct regs) == REGS_SIZE,
	      "entry.S builds struct regs");

DEFINE_PER_CPU_GATE(uptr, gate_kernel_stack);
DEFINE_PER_CPU_GATE(u64, gate_kernel_cr3);
DEFINE_PER_CPU_GATE(u64, gate_user_cr3);
DEFINE_PER_CPU_GATE(uptr, gate_user_rsp); /* scratch of the first instructions */
DEFINE_PER_CPU_GATE(uptr, gate_scratch);  /* and of the last */
DEFINE_PER_CPU(u32, stack_offset); /* of the next system call, with ALT_STACK_OFFSET */

uptr gate_exit_slow(struct regs *regs);
uptr gate_exit_syscall(struct regs *regs);

void gate_set_stack(uptr top)
{
	this_cpu_write(gate_kernel_stack, top);
	if (!alternative(ALT_PTI)) /* else the entry stack stays */
		gdt_set_kernel_stack(top);
}

/* SYSCALL goes to syscall_entry, from 32-bit code to a stub; SYSENTER stays off (CS 0: #GP). */
void gate_cpu_init(void)
{
	wrmsr(MSR_STAR, ((u64)(USER32_CS) << 48) | ((u64)KERNEL_CS << 32));
	wrmsr(MSR_LSTAR, (uptr)(alternative(ALT_PTI) ? syscall_entry_pti : syscall_entry));
	wrmsr(MSR_CSTAR, (uptr)syscall_entry_compat);
	wrmsr(MSR_SFMASK, GATE_SFMASK);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	wrmsr(MSR_SYSENTER_CS, 0);
}

/*
 * IRET must not fault in ring 0. What a program may have put into its registers (sigreturn, ptrace, a far
 * jump into a segment that has gone by now): selectors and an address of its own. The answer is
 * the one that the CPU would give.
 */
static u32 return_refused(const struct regs *r, u64 *error)
{
	bool canonical = (s64)(r->rip << 16) >> 16 == (s64)r->rip;

	if (likely(r->cs == USER_CS && r->ss == USER_DS && canonical))
		return 0;
	return iret_refusal(r, error);
}

/*
 * Leaves the kernel with work pending, with registers that may have been replaced, or to a segment of the
 * LDT. Interrupts disabled on entry and return. Linux answers a bad return state with the signal of
 * IRET's fault; the same signal comes from here, before the IRET. 0, or the address of the frame to IRET from.
 */
uptr gate_exit_slow(struct regs *regs)
{
	u32 vector;
	u64 error;

	for (;;) {
		task_clear_work(current, WORK_IRET);
		if (READ_ONCE(current->work) & WORK_EXIT_MASK)
			gate_exit_work(regs);
		vector = return_refused(regs, &error);
		if (likely(!vector))
			break;
		arch_irq_enable();
		user_trap(regs, vector, error);
		arch_irq_disable();
	}
	if (likely(!(regs->ss & SELECTOR_LDT)) || (segment_rights((u16)regs->ss) & AR_B))
		return 0;
	return espfix_frame(regs);
}

/* The end of a system call with work pending. Interrupts disabled on entry and return. */
uptr gate_exit_syscall(struct regs *regs)
{
	if (READ_ONCE(current->work) & WORK_EXIT_SYSCALL_MASK) {
		arch_irq_enable();
		syscall_exit_work(regs);
		arch_irq_disable();
	}
	return gate_exit_slow(regs);
}
