/*
 * Back traces through frame pointers, for panics: nothing found in memory is trusted. A frame must be
 * aligned, mapped, and above its predecessor within one stack's size.
 */
#include <arch/cpu.h>
#include <arch/context.h>
#include <arch/entry.h>
#include <arch/mmu.h>
#include <arch/platform.h>
#include <dev/log.h>
#include <lib/log.h>
#include <task/task.h>
#include <x86/msr.h>

#define DEPTH_MAX 32

/* back is 1 for a return address: the call that it follows may be its function's last instruction. */
static void show_address(uptr addr, u32 back)
{
	char name[KSYM_NAME_LEN];
	u32 offset;

	if (ksyms_lookup(addr - back, name, &offset))
		log_write(LOG_EMERG, "  %s+0x%x", name, offset + back);
	else
		log_write(LOG_EMERG, "  ? 0x%lx", addr);
}

static bool frame_readable(uptr frame)
{
	return IS_ALIGNED(frame, 8) && arch_kernel_mapped(frame) && arch_kernel_mapped(frame + 8);
}

void arch_backtrace(uptr frame)
{
	if (!frame)
		frame = (uptr)__builtin_frame_address(0);
	log_write(LOG_EMERG, "Call trace (image moved by 0x%llx):", kernel_slide);
	for (u32 i = 0; i < DEPTH_MAX && frame_readable(frame); i++) {
		uptr next = ((const uptr *)frame)[0], ret = ((const uptr *)frame)[1];

		if (!ret)
			return;
		show_address(ret, 1);
		if (next <= frame || next - frame > KERNEL_STACK_SIZE)
			return;
		frame = next;
	}
}

/* switch_stacks has pushed r15, r14, r13, r12, rbx and rbp, above which lies its return address. */
u32 arch_task_trace(const struct task *t, uptr *addrs, u32 max)
{
	uptr low = t->kernel_stack, high = low + KERNEL_STACK_SIZE;
	uptr frame = READ_ONCE(t->arch.sp) + 5 * sizeof(uptr);
	u32 n = 0;

	while (n < max && frame >= low && frame <= high - 2 * sizeof(uptr) && IS_ALIGNED(frame, 8)) {
		uptr next = READ_ONCE(((const uptr *)frame)[0]);
		uptr ret = READ_ONCE(((const uptr *)frame)[1]);

		if (!ret)
			break;
		addrs[n++] = ret;
		if (next <= frame)
			break;
		frame = next;
	}
	return n;
}

void arch_show_regs(const struct regs *r)
{
	log_write(LOG_EMERG, "rip %016llx cs %04llx rflags %08llx", r->rip, r->cs, r->rflags);
	log_write(LOG_EMERG, "rsp %016llx ss %04llx orig_rax %016llx", r->rsp, r->ss, r->orig_rax);
	log_write(LOG_EMERG, "rax %016llx rbx %016llx rcx %016llx", r->rax, r->rbx, r->rcx);
	log_write(LOG_EMERG, "rdx %016llx rsi %016llx rdi %016llx", r->rdx, r->rsi, r->rdi);
	log_write(LOG_EMERG, "rbp %016llx r8  %016llx r9  %016llx", r->rbp, r->r8, r->r9);
	log_write(LOG_EMERG, "r10 %016llx r11 %016llx r12 %016llx", r->r10, r->r11, r->r12);
	log_write(LOG_EMERG, "r13 %016llx r14 %016llx r15 %016llx", r->r13, r->r14, r->r15);
	log_write(LOG_EMERG, "cr2 %016llx cr3 %016llx cr4 %016llx", read_cr2(), read_cr3(),
		  read_cr4());
	if (!regs_user_mode(r))
		show_address(r->rip, 0);
}
