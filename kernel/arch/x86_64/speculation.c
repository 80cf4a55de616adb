/*
 * Speculation as a task wants it: PR_SET_SPECULATION_CTRL, seccomp, and what a switch between tasks
 * has to do about it. A task without a wish has arch.speculation 0 and no ARCH_RARE_SPEC, so switching
 * between such tasks costs nothing here.
 *
 * arch.speculation is atomic: seccomp's TSYNC sets bits of the other threads of its process, which act on
 * them when they are switched to next. Where seccomp may do that, every program has ARCH_RARE_SPEC.
 */
#include <arch/context.h>
#include <arch/cpu_info.h>
#include <arch/irq.h>
#include <lib/errno.h>
#include <linux/prctl.h>
#include <task/task.h>
#include <x86/alternatives.h>
#include <x86/bugs.h>
#include <x86/cpuid.h>
#include <x86/mitigations.h>
#include <x86/msr.h>

/* arch_task.speculation */
#define SSB_OFF        BIT(0)
#define SSB_OFF_EXEC   BIT(1) /* until execve */
#define SSB_OFF_FORCED BIT(2)
#define IB_OFF         BIT(3)
#define IB_OFF_FORCED  BIT(4)

static u32 spec_ctrl_of(const struct task *t)
{
	u32 v = mitigations.spec_ctrl, wish = READ_ONCE(t->arch.speculation);

	if ((wish & SSB_OFF) && mitigations.store_bypass)
		v |= SPEC_CTRL_SSBD;
	if ((wish & IB_OFF) && mitigations.stibp)
		v |= SPEC_CTRL_STIBP;
	return v;
}

static bool ssbd_in_spec_ctrl(void)
{
	return cpu_has(CPU_SSBD) || cpu_has(CPU_AMD_SSBD);
}

/* The registers of this CPU for t. Interrupts disabled. */
static void registers_load(const struct task *t)
{
	u32 v = spec_ctrl_of(t), user = v;

	if (!ssbd_in_spec_ctrl()) {
		if (mitigations.store_bypass)
			wrmsr(MSR_VIRT_SPEC_CTRL, v & SPEC_CTRL_SSBD);
		v &= ~(u32)SPEC_CTRL_SSBD;
		user = v;
	}
	if (alternative(ALT_IBRS))
		user &= ~(u32)SPEC_CTRL_IBRS;
	if (v == this_cpu_read(spec_ctrl_kernel))
		return;
	this_cpu_write(spec_ctrl_kernel, v);
	this_cpu_write(spec_ctrl_user, user);
	wrmsr(MSR_SPEC_CTRL, v);
}

/*
 * Between a task that wants no foreign predictions and anybody outside its address space the
 * predictors are emptied, both ways; a kernel thread counts as outside.
 */
void speculation_switch(const struct task *prev, const struct task *next)
{
	u32 either = READ_ONCE(prev->arch.speculation) | READ_ONCE(next->arch.speculation);

	if (mitigations.ibpb && prev->mm != next->mm &&
	    ((either & IB_OFF) || mitigations.indirect_branch == CONTROL_ALWAYS))
		wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
	if (mitigations.store_bypass || mitigations.indirect_branch)
		registers_load(next);
}

static void wish_set(struct task *t, u32 clear, u32 set)
{
	u64 flags = arch_irq_save();

	__atomic_fetch_and(&t->arch.speculation, (u8)~clear, __ATOMIC_RELAXED);
	__atomic_fetch_or(&t->arch.speculation, (u8)set, __ATOMIC_RELAXED);
	if (t == current)
		t->arch.rare |= ARCH_RARE_SPEC;
	if (t == current && (mitigations.store_bypass || mitigations.indirect_branch))
		registers_load(t);
	arch_irq_restore(flags);
}

void speculation_exec(void)
{
	if (current->arch.speculation & SSB_OFF_EXEC)
		wish_set(current, SSB_OFF | SSB_OFF_EXEC, 0);
}

/* ---- prctl ---- */

static long ssb_get(const struct task *t)
{
	u32 wish = READ_ONCE(t->arch.speculation);

	if (mitigations.store_bypass == CONTROL_ALWAYS)
		return PR_SPEC_DISABLE;
	if (!mitigations.store_bypass)
		return cpu_flawed(FLAW_SSB) ? PR_SPEC_ENABLE : PR_SPEC_NOT_AFFECTED;
	if (wish & SSB_OFF_FORCED)
		return PR_SPEC_PRCTL | PR_SPEC_FORCE_DISABLE;
	if (wish & SSB_OFF_EXEC)
		return PR_SPEC_PRCTL | PR_SPEC_DISABLE_NOEXEC;
	return PR_SPEC_PRCTL | (wish & SSB_OFF ? PR_SPEC_DISABLE : PR_SPEC_ENABLE);
}

static long ssb_set(struct task *t, u64 how)
{
	bool forced = t->arch.speculation & SSB_OFF_FORCED;

	if (mitigations.store_bypass != CONTROL_PRCTL && mitigations.store_bypass != CONTROL_SECCOMP)
		return -ENXIO;
	switch (how) {
	case PR_SPEC_ENABLE:
		if (forced)
			return -EPERM;
		wish_set(t, SSB_OFF | SSB_OFF_EXEC, 0);
		return 0;
	case PR_SPEC_DISABLE:
		wish_set(t, SSB_OFF_EXEC, SSB_OFF);
		return 0;
	case PR_SPEC_FORCE_DISABLE:
		wish_set(t, SSB_OFF_EXEC, SSB_OFF | SSB_OFF_FORCED);
		return 0;
	case PR_SPEC_DISABLE_NOEXEC:
		if (forced)
			return -EPERM;
		wish_set(t, 0, SSB_OFF | SSB_OFF_EXEC);
		return 0;
	default:
		return -ERANGE;
	}
}

static long ib_get(const struct task *t)
{
	u32 wish = READ_ONCE(t->arch.speculation);

	if (!cpu_flawed(FLAW_SPECTRE_V2))
		return PR_SPEC_NOT_AFFECTED;
	if (!mitigations.indirect_branch)
		return PR_SPEC_ENABLE;
	if (mitigations.indirect_branch == CONTROL_ALWAYS)
		return PR_SPEC_DISABLE;
	if (wish & IB_OFF_FORCED)
		return PR_SPEC_PRCTL | PR_SPEC_FORCE_DISABLE;
	return PR_SPEC_PRCTL | (wish & IB_OFF ? PR_SPEC_DISABLE : PR_SPEC_ENABLE);
}

static long ib_set(struct task *t, u64 how)
{
	enum task_control mode = mitigations.indirect_branch;

	switch (how) {
	case PR_SPEC_ENABLE:
		if (!mode)
			return 0;
		if (mode == CONTROL_ALWAYS || (t->arch.speculation & IB_OFF_FORCED))
			return -EPERM;
		wish_set(t, IB_OFF, 0);
		return 0;
	case PR_SPEC_DISABLE:
	case PR_SPEC_FORCE_DISABLE:
		if (!mode)
			return -EPERM;
		if (mode == CONTROL_ALWAYS)
			return 0;
		wish_set(t, 0, how == PR_SPEC_FORCE_DISABLE ? IB_OFF | IB_OFF_FORCED : IB_OFF);
		if (mitigations.ibpb && t == current)
			wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
		return 0;
	default:
		return -ERANGE;
	}
}

long arch_speculation_get(const struct task *t, u64 which)
{
	switch (which) {
	case PR_SPEC_STORE_BYPASS:
		return ssb_get(t);
	case PR_SPEC_INDIRECT_BRANCH:
		return ib_get(t);
	case PR_SPEC_L1D_FLUSH: /* not offered, as on Linux without l1d_flush=on */
		return PR_SPEC_FORCE_DISABLE;
	default:
		return -ENODEV;
	}
}

long arch_speculation_set(u64 which, u64 how)
{
	switch (which) {
	case PR_SPEC_STORE_BYPASS:
		return ssb_set(current, how);
	case PR_SPEC_INDIRECT_BRANCH:
		return ib_set(current, how);
	case PR_SPEC_L1D_FLUSH:
		return -EPERM;
	default:
		return -ENODEV;
	}
}

void arch_speculation_seccomp(struct task *t)
{
	if (mitigations.store_bypass == CONTROL_SECCOMP)
		(void)ssb_set(t, PR_SPEC_FORCE_DISABLE);
	if (mitigations.indirect_branch == CONTROL_SECCOMP)
		(void)ib_set(t, PR_SPEC_FORCE_DISABLE);
}
