/*
 * What ptrace(2) does to x86-64 registers. The general registers lie at the top of the task's kernel
 * stack in the order of struct user_regs_struct, the segment bases and selectors in task->arch.
 *
 * Why nothing written here can hurt the kernel: selectors must have privilege level 3, and
 * a data selector that does not load becomes 0 when the task is switched to; flags are masked; bases are user addresses; the task leaves through gate_exit_slow, which answers a code or
 * stack segment or an instruction pointer that IRET would refuse with SIGSEGV.
 *
 * Single steps set TF. forced_tf tells TF of the tracer from TF that the program set itself: only the
 * former is hidden from the tracer's view and taken away when the stepping ends.
 */
#include <arch/core_notes.h>
#include <arch/fpu.h>
#include <arch/ptrace.h>
#include <arch/speculation.h>
#include <asm/prctl.h>
#include <asm/ptrace-abi.h>
#include <asm/ptrace.h>
#include <lib/bits.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/audit.h>
#include <linux/elf.h>
#include <mm/mm.h>
#include <mm/user.h>
#include <signal/signal.h>
#include <task/task.h>
#include <x86/debug.h>
#include <x86/fpu.h>
#include <x86/gate.h>
#include <x86/gdt.h>
#include <x86/ldt.h>

/* Flags that a tracer may set: AC RF OF DF TF SF ZF AF PF CF NT. */
#define TRACER_FLAGS 0x54dd5ULL

#define NR_SAVED (sizeof(struct regs) / sizeof(u64))
/* struct user_regs_struct goes on behind struct regs with these words. */
enum { REG_FS_BASE = NR_SAVED, REG_GS_BASE, REG_DS, REG_ES, REG_FS, REG_GS, NR_REGS };
static_assert(NR_REGS == ARCH_NR_GREGS, "struct user_regs_struct");

#define USER_SIZE     928 /* struct user of <sys/user.h> */
#define USER_DEBUGREG 848

/* --- general registers --- */

static bool selector_is_invalid(u16 sel)
{
	return sel && (sel & 3) != 3;
}

static int data_selector_set(u16 *where, u16 sel)
{
	if (selector_is_invalid(sel))
		return -EIO;
	*where = sel;
	return 0;
}

/* These two are judged when user mode is entered. */
static int frame_selector_set(u64 *where, u16 sel)
{
	if (!sel || selector_is_invalid(sel))
		return -EIO;
	*where = sel;
	return 0;
}

static int base_set(u64 *where, u64 base)
{
	if (base >= USER_TOP)
		return -EIO;
	*where = base;
	return 0;
}

static u64 flags_get(const struct task *t)
{
	u64 flags = task_regs(t)->rflags;

	return t->arch.forced_tf ? flags & ~(u64)X86_EFLAGS_TF : flags;
}

static int flags_set(struct task *t, u64 value)
{
	struct regs *r = task_regs(t);

	if (value & X86_EFLAGS_TF)
		t->arch.forced_tf = false;
	else if (t->arch.forced_tf)
		value |= X86_EFLAGS_TF;
	r->rflags = (r->rflags & ~TRACER_FLAGS) | (value & TRACER_FLAGS);
	return 0;
}

static u64 reg_get(struct task *t, size_t n)
{
	const struct arch_task *a = &t->arch;

	switch (n) {
	case offsetof(struct regs, rflags) / sizeof(u64): return flags_get(t);
	case REG_FS_BASE: return a->fs_base;
	case REG_GS_BASE: return a->gs_base;
	case REG_DS: return a->ds_sel;
	case REG_ES: return a->es_sel;
	case REG_FS: return a->fs_sel;
	case REG_GS: return a->gs_sel;
	default: return ((const u64 *)task_regs(t))[index_clamp(n, REGS_SIZE / sizeof(u64))];
	}
}

static int reg_set(struct task *t, size_t n, u64 value)
{
	struct arch_task *a = &t->arch;
	struct regs *r = task_regs(t);

	switch (n) {
	case offsetof(struct regs, rflags) / sizeof(u64): return flags_set(t, value);
	case offsetof(struct regs, cs) / sizeof(u64): return frame_selector_set(&r->cs, (u16)value);
	case offsetof(struct regs, ss) / sizeof(u64): return frame_selector_set(&r->ss, (u16)value);
	case REG_FS_BASE: return base_set(&a->fs_base, value);
	case REG_GS_BASE: return base_set(&a->gs_base, value);
	case REG_DS: return data_selector_set(&a->ds_sel, (u16)value);
	case REG_ES: return data_selector_set(&a->es_sel, (u16)value);
	case REG_FS: return data_selector_set(&a->fs_sel, (u16)value);
	case REG_GS: return data_selector_set(&a->gs_sel, (u16)value);
	default:
		((u64 *)r)[index_clamp(n, REGS_SIZE / sizeof(u64))] = value;
		return 0;
	}
}

int arch_user_word_get(struct task *t, u64 offset, u64 *value)
{
	if (offset % sizeof(u64) || offset >= USER_SIZE)
		return -EIO;
	*value = 0; /* the rest of struct user is of no meaning here */
	if (offset < NR_REGS * sizeof(u64))
		*value = reg_get(t, offset / sizeof(u64));
	else if (offset >= USER_DEBUGREG && offset < USER_DEBUGREG + 8 * sizeof(u64))
		*value = debug_reg_get(t, (unsigned int)(offset - USER_DEBUGREG) / sizeof(u64));
	return 0;
}

int arch_user_word_set(struct task *t, u64 offset, u64 value)
{
	if (offset % sizeof(u64) || offset >= USER_SIZE)
		return -EIO;
	if (offset < NR_REGS * sizeof(u64)) {
		task_set_work(t, WORK_IRET);
		return reg_set(t, offset / sizeof(u64), value);
	}
	if (offset >= USER_DEBUGREG && offset < USER_DEBUGREG + 8 * sizeof(u64))
		return debug_reg_set(t, (unsigned int)(offset - USER_DEBUGREG) / sizeof(u64), value);
	return -EIO;
}

/* --- register sets --- */

bool arch_regset_find(u32 type, struct arch_regset *set)
{
	*set = (struct arch_regset){.type = type, .word = sizeof(u64)};
	switch (type) {
	case NT_PRSTATUS:
		set->size = NR_REGS * sizeof(u64);
		return true;
	case NT_PRFPREG:
		set->size = sizeof(struct fxregs);
		return true;
	case NT_X86_XSTATE:
		set->size = arch_fpu_size;
		return fpu_has_xsave;
	default:
		return false;
	}
}

void arch_regset_get(struct task *t, u32 type, void *buf)
{
	u64 *words = buf;

	if (type == NT_PRSTATUS) {
		for (size_t n = 0; n < NR_REGS; n++)
			words[n] = reg_get(t, n);
		return;
	}
	fpu_export(buf, t->arch.fpu, type == NT_PRFPREG ? sizeof(struct fxregs) : arch_fpu_size);
}

static int gregs_set(struct task *t, const u64 *words, size_t n)
{
	task_set_work(t, WORK_IRET);
	for (size_t i = 0; i < n; i++) {
		int err = reg_set(t, i, words[i]);

		if (err)
			return err;
	}
	return 0;
}

int arch_regset_set(struct task *t, u32 type, const void *buf, size_t len)
{
	if (type == NT_PRSTATUS)
		return gregs_set(t, buf, len / sizeof(u64));
	if (type == NT_PRFPREG)
		return len == sizeof(struct fxregs) ? fpu_import_legacy(t->arch.fpu, buf) : -EINVAL;
	return len == arch_fpu_size ? fpu_import(t->arch.fpu, buf) : -EFAULT;
}

/* --- requests --- */

bool arch_request_regset(u64 request, u32 *type, bool *set)
{
	switch (request) {
	case PTRACE_GETREGS:
	case PTRACE_SETREGS:
		*type = NT_PRSTATUS;
		break;
	case PTRACE_GETFPREGS:
	case PTRACE_SETFPREGS:
		*type = NT_PRFPREG;
		break;
	default:
		return false;
	}
	*set = request == PTRACE_SETREGS || request == PTRACE_SETFPREGS;
	return true;
}

bool arch_request_steps(u64 request)
{
	return request == PTRACE_SYSEMU_SINGLESTEP || request == PTRACE_SINGLEBLOCK;
}

bool arch_request_emulates(u64 request)
{
	return request == PTRACE_SYSEMU || request == PTRACE_SYSEMU_SINGLESTEP;
}

/* arch_prctl(2) on another task. */
static long prctl_traced(struct task *t, u64 code, u64 addr)
{
	struct arch_task *a = &t->arch;

	switch (code) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (addr >= USER_TOP)
			return -EPERM;
		if (code == ARCH_SET_FS) {
			a->fs_sel = 0;
			a->fs_base = addr;
		} else {
			a->gs_sel = 0;
			a->gs_base = addr;
		}
		return 0;
	case ARCH_GET_FS:
		return user_write(user_handle(u64, addr), &a->fs_base);
	case ARCH_GET_GS:
		return user_write(user_handle(u64, addr), &a->gs_base);
	default:
		return -EINVAL;
	}
}

long arch_ptrace_request(struct task *t, u64 request, u64 addr, u64 data)
{
	switch (request) {
	case PTRACE_ARCH_PRCTL:
		return prctl_traced(t, data, addr);
	case PTRACE_GET_THREAD_AREA:
		return (int)addr < 0 ? -EIO : tls_get(t, (u32)addr, data);
	case PTRACE_SET_THREAD_AREA:
		return (int)addr < 0 ? -EIO : tls_set(t, (u32)addr, data);
	default:
		return -EIO;
	}
}

u32 arch_audit_machine(void)
{
	return AUDIT_ARCH_X86_64;
}

/* --- single steps --- */

#define INSN_MAX 15

/* The next instruction loads TF itself (POPF, IRET): what it leaves there is the program's. */
static bool next_sets_tf(struct task *t)
{
	struct mm *mm = task_get_mm(t);
	u8 insn[INSN_MAX];
	size_t n;

	if (!mm)
		return false;
	n = mm_access_remote(mm, regs_linear_ip(mm, task_regs(t)), insn, sizeof(insn), false, true);
	mm_put(mm);
	for (size_t i = 0; i < n; i++) {
		switch (insn[i]) {
		case 0x9d: case 0xcf: /* POPF, IRET */
			return true;
		case 0x66: case 0x67: /* prefixes: sizes, segments, repetition, lock */
		case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65:
		case 0xf0: case 0xf2: case 0xf3:
			continue;
		default:
			if (task_regs(t)->cs == USER_CS && (insn[i] & 0xf0) == 0x40)
				continue; /* REX */
			return false;
		}
	}
	return false;
}

void arch_step_begin(struct task *t, u64 request)
{
	struct regs *r = task_regs(t);
	bool own = r->rflags & X86_EFLAGS_TF; /* set already: by us only if forced_tf says so */

	t->arch.stepping = true;
	r->rflags |= X86_EFLAGS_TF;
	task_set_work(t, WORK_EXIT_STEP | WORK_IRET);
	t->arch.rare &= (u8)~ARCH_RARE_BLOCK;
	if (next_sets_tf(t)) {
		t->arch.forced_tf = false;
		return;
	}
	if (!own)
		t->arch.forced_tf = true;
	if (request == PTRACE_SINGLEBLOCK && t->arch.forced_tf) /* not with a TF of the program's own, as on Linux */
		t->arch.rare |= ARCH_RARE_BLOCK;
}

bool arch_step_end(struct task *t)
{
	bool stepping = t->arch.stepping;

	t->arch.stepping = false;
	task_clear_work(t, WORK_EXIT_STEP);
	if (t == current)
		block_step_end();
	else
		t->arch.rare &= (u8)~ARCH_RARE_BLOCK;
	if (t->arch.forced_tf)
		task_regs(t)->rflags &= ~(u64)X86_EFLAGS_TF;
	t->arch.forced_tf = false;
	return stepping;
}

void arch_step_report(struct regs *regs)
{
	current->arch.trap_nr = 1;
	current->arch.error_code = 0;
	fault_signal(SIGTRAP, TRAP_BRKPT, regs->rip, 1, 0);
}
