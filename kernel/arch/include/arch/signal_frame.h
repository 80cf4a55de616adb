/* Signal frames on the user stack, in Linux's layout, and their return. */
#pragma once

#include <lib/types.h>
#include <arch/entry.h>
#include <signal/signal.h>

/*
 * Builds the frame for a handler on the user stack (or the alternate one) and points regs at it.
 * 0 or -EFAULT (the caller forces SIGSEGV). Interrupts enabled, may fault.
 */
int arch_signal_push(struct regs *regs, const struct signal_delivery *sig) __must_check;
/*
 * rt_sigreturn(2): restores everything the frame may restore and nothing else. The value for the
 * result register; a frame that cannot be read or is forged raises SIGSEGV.
 */
long arch_sigreturn(struct regs *regs);
/* The most that a frame takes on the stack: AT_MINSIGSTKSZ. */
u64 arch_signal_frame_size(void);
/* Rewinds regs so that the interrupted call is issued again (or as restart_syscall). */
void arch_syscall_restart(struct regs *regs, bool restart_block);
