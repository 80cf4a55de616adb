/*
 * Signal frames in the layout of Linux's struct rt_sigframe: return address, ucontext, siginfo, and
 * above them the FPU image in XSAVE format with its two magic numbers. Everything that comes back
 * through rt_sigreturn is treated as hostile: it is copied in once, checked, and can change nothing
 * but the thread's own user state.
 */
#include <arch/fpu.h>
#include <arch/signal_frame.h>
#include <asm/sigcontext.h>
#include <asm/ucontext.h>
#include <asm/unistd.h>
#include <lib/string.h>
#include <linux/errno.h>
#include <mm/slab.h>
#include <mm/user.h>
#include <syscall/table.h>
#include <task/task.h>
#include <x86/fpu.h>
#include <linux/signal.h>
#include <x86/gate.h>
#include <x86/gdt.h>
#include <x86/ldt.h>

#define RED_ZONE 128

/* Flags that a program may set itself: AC RF OF DF TF SF ZF AF PF CF. */
#define USER_FLAGS 0x50dd5ULL
#define FLAG_DF    BIT(10)

struct sigframe_context {
	u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
	u16 cs, gs, fs, ss;
	u64 err, trapno, oldmask, cr2, fpstate, reserved1[8];
};
static_assert(sizeof(struct sigframe_context) == sizeof(struct sigcontext_64), "the ABI's size");

struct sigframe {
	u64 restorer;
	u64 uc_flags, uc_link;
	struct stack_abi uc_stack;
	struct sigframe_context context;
	struct sigset mask;
	siginfo_t info;
};
static_assert(offsetof(struct sigframe, context) == 8 + offsetof(struct ucontext, uc_mcontext),
	      "the ABI's layout");

static bool on_altstack(const struct sigaltstack_state *s, u64 sp)
{
	/* With SS_AUTODISARM the stack is never "in use": it was disarmed on entry. */
	if (s->flags & SS_AUTODISARM)
		return false;
	return sp > s->sp && sp - s->sp <= s->size;
}

static u32 xframe_size(void)
{
	return fpu_has_xsave ? arch_fpu_size + FP_XSTATE_MAGIC2_SIZE : sizeof(struct fxregs);
}

/* With what the alignments of the frame and of the image may cost. */
u64 arch_signal_frame_size(void)
{
	return ALIGN_UP(sizeof(struct sigframe) + 15 + xframe_size() + 63, 16ULL);
}

/* Where the frame goes; 0 when it would overflow the alternate stack that is already in use. */
static u64 frame_place(const struct signal_delivery *d, u64 sp, u64 *fpstate)
{
	const struct sigaltstack_state *alt = &current->altstack;
	bool nested = on_altstack(alt, sp), entering = false;

	sp -= RED_ZONE;
	if ((d->action.flags & SA_ONSTACK) && alt->size && !nested) {
		sp = alt->sp + alt->size;
		entering = true;
	}
	*fpstate = ALIGN_DOWN(sp - xframe_size(), 64ULL);
	sp = ALIGN_DOWN(*fpstate - sizeof(struct sigframe), 16ULL) - 8;
	if ((nested || entering) && !(sp > alt->sp && sp - alt->sp <= alt->size))
		return 0;
	return sp;
}

/* The task's save area, the software bytes that describe it, and the second magic number. */
static int fpstate_push(u64 to)
{
	struct xsave_area *a = current->arch.fpu;
	struct _fpx_sw_bytes *sw = (void *)a->fx.sw_reserved;
	u32 magic2 = FP_XSTATE_MAGIC2;
	int err;

	arch_fpu_save();
	if (!fpu_has_xsave)
		return user_copy_out(to, a, sizeof(struct fxregs));
	*sw = (struct _fpx_sw_bytes){
		.magic1 = FP_XSTATE_MAGIC1,
		.extended_size = xframe_size(),
		.xfeatures = fpu_features,
		.xstate_size = arch_fpu_size,
	};
	a->xstate_bv |= XSTATE_LEGACY; /* a handler may edit the legacy part without the header */
	err = user_copy_out(to, a, arch_fpu_size);
	return err ? err : user_copy_out(to + arch_fpu_size, &magic2, sizeof(magic2));
}

static void context_fill(struct sigframe_context *c, const struct regs *r, u64 fpstate)
{
	*c = (struct sigframe_context){
		.r8 = r->r8, .r9 = r->r9, .r10 = r->r10, .r11 = r->r11, .r12 = r->r12,
		.r13 = r->r13, .r14 = r->r14, .r15 = r->r15, .rdi = r->rdi, .rsi = r->rsi,
		.rbp = r->rbp, .rbx = r->rbx, .rdx = r->rdx, .rax = r->rax, .rcx = r->rcx,
		.rsp = r->rsp, .rip = r->rip, .rflags = r->rflags, .cs = (u16)r->cs,
		.ss = (u16)r->ss, .err = current->arch.error_code,
		.trapno = current->arch.trap_nr, .cr2 = current->arch.cr2, .fpstate = fpstate,
	};
}

int arch_signal_push(struct regs *regs, const struct signal_delivery *d)
{
	struct sigaltstack_state *alt = &current->altstack;
	struct sigframe f;
	u64 fpstate, sp = frame_place(d, regs->rsp, &fpstate);

	/* x86-64 has no return trampoline of its own: without SA_RESTORER there is no way back. */
	if (!sp || !(d->action.flags & SA_RESTORER))
		return -EFAULT;
	memset(&f, 0, sizeof(f));
	f.restorer = d->action.restorer;
	f.uc_flags = UC_SIGCONTEXT_SS | (regs->cs == USER_CS ? UC_STRICT_RESTORE_SS : 0) |
		     (fpu_has_xsave ? UC_FP_XSTATE : 0);
	f.uc_stack.ss_sp = alt->sp;
	f.uc_stack.ss_size = alt->size;
	f.uc_stack.ss_flags = (s32)(alt->flags | (!alt->size ? SS_DISABLE : 0) |
				    (on_altstack(alt, regs->rsp) ? SS_ONSTACK : 0));
	context_fill(&f.context, regs, fpstate);
	f.mask = d->oldmask;
	f.context.oldmask = d->oldmask.bits;
	if (d->action.flags & SA_SIGINFO)
		f.info = d->info;
	if (fpstate_push(fpstate) || user_copy_out(sp, &f, sizeof(f)))
		return -EFAULT;
	if (alt->flags & SS_AUTODISARM)
		*alt = (struct sigaltstack_state){0};

	regs->rdi = (u64)d->sig;
	regs->rsi = sp + offsetof(struct sigframe, info);
	regs->rdx = sp + offsetof(struct sigframe, uc_flags);
	regs->rax = 0;
	regs->rip = d->action.handler;
	regs->rsp = sp;
	regs->cs = USER_CS;
	stack_segment_repair(regs); /* the handler may look at it, if it is of any use */
	regs->rflags &= ~(FLAG_DF | X86_EFLAGS_RF | X86_EFLAGS_TF);
	arch_fpu_reset(); /* a handler starts as a program does */
	return 0;
}

/* True when the software bytes describe an XSAVE image that this kernel wrote, or could have. */
static bool xstate_described(const struct fxregs *fx, u64 fpstate, u32 *size)
{
	struct _fpx_sw_bytes sw;
	u32 magic2;

	memcpy(&sw, fx->sw_reserved, sizeof(sw));
	if (sw.magic1 != FP_XSTATE_MAGIC1 || sw.xstate_size < sizeof(struct xsave_area) ||
	    sw.xstate_size > arch_fpu_size || sw.xstate_size > sw.extended_size)
		return false;
	if (user_copy_in(&magic2, fpstate + sw.xstate_size, sizeof(magic2)) ||
	    magic2 != FP_XSTATE_MAGIC2)
		return false;
	*size = sw.xstate_size;
	return true;
}

/* Copies the frame's image, checks it, and makes it the thread's. False: not acceptable. */
static bool fpstate_pop(u64 fpstate)
{
	struct xsave_area *image = fpu_alloc();
	u32 size = sizeof(struct fxregs);
	bool ok = false;

	if (!image)
		return false;
	fpu_image_init(image);
	if (user_copy_in(&image->fx, fpstate, sizeof(image->fx)))
		goto out;
	if (fpu_has_xsave && xstate_described(&image->fx, fpstate, &size)) {
		/* The header and the rest; the legacy part was fetched once, above. */
		if (user_copy_in(&image->xstate_bv, fpstate + sizeof(struct fxregs),
				 size - sizeof(struct fxregs)))
			goto out;
	} else {
		image->xstate_bv = XSTATE_LEGACY & fpu_features;
	}
	if (!fpu_image_valid(image))
		goto out;
	preempt_disable();
	memcpy(current->arch.fpu, image, arch_fpu_size);
	fpu_restore(current->arch.fpu);
	preempt_enable();
	ok = true;
out:
	fpu_free(image);
	return ok;
}

static void context_restore(struct regs *r, const struct sigframe *f)
{
	const struct sigframe_context *c = &f->context;
	u64 kept_flags = r->rflags & ~USER_FLAGS;

	*r = (struct regs){
		.r15 = c->r15, .r14 = c->r14, .r13 = c->r13, .r12 = c->r12, .rbp = c->rbp,
		.rbx = c->rbx, .r11 = c->r11, .r10 = c->r10, .r9 = c->r9, .r8 = c->r8,
		.rax = c->rax, .rcx = c->rcx, .rdx = c->rdx, .rsi = c->rsi, .rdi = c->rdi,
		.orig_rax = (u64)-1, .rip = c->rip, .cs = c->cs | 3,
		.rflags = kept_flags | (c->rflags & USER_FLAGS), .rsp = c->rsp, .ss = c->ss | 3,
	};
	/* Programs from before the flag existed leave rubbish in ss: Linux repairs it for them. */
	if (!(f->uc_flags & UC_STRICT_RESTORE_SS) && r->cs == USER_CS)
		stack_segment_repair(r);
}

/* As sigaltstack(2) would set it; like Linux, errors in the frame's copy are ignored. */
static void altstack_restore(const struct stack_abi *s, u64 sp)
{
	struct sigaltstack_state *alt = &current->altstack;
	u32 mode = (u32)s->ss_flags & ~SS_AUTODISARM;

	if (on_altstack(alt, sp))
		return;
	if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE)
		return;
	if (mode == SS_DISABLE)
		*alt = (struct sigaltstack_state){.flags = (u32)s->ss_flags & SS_AUTODISARM};
	else if (s->ss_size >= MINSIGSTKSZ)
		*alt = (struct sigaltstack_state){s->ss_sp, s->ss_size,
						  (u32)s->ss_flags & SS_AUTODISARM};
}

long arch_sigreturn(struct regs *regs)
{
	struct sigframe f;
	siginfo_t info;

	if (user_copy_in(&f, regs->rsp - 8, sizeof(f)))
		goto bad;
	signal_set_blocked(f.mask);
	context_restore(regs, &f);
	task_set_work(current, WORK_IRET);
	if (!f.context.fpstate)
		arch_fpu_reset();
	else if (!fpstate_pop(f.context.fpstate))
		goto bad;
	altstack_restore(&f.uc_stack, regs->rsp);
	return regs_result(regs);
bad:
	siginfo_kernel(&info, SIGSEGV);
	signal_force(SIGSEGV, &info);
	return 0;
}

/* SYSCALL is two bytes long: the call is issued again with its own number, or restart_syscall's. */
void arch_syscall_restart(struct regs *regs, bool restart_block)
{
	regs->rax = restart_block ? __NR_restart_syscall : regs->orig_rax;
	regs->rip -= 2;
	task_set_work(current, WORK_IRET);
}
