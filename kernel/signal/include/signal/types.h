/* Signal types: the ABI's layouts, named by the kernel. Numbers come from <asm/signal.h>. */
#pragma once

#include <linux/signal.h>
#include <asm/siginfo.h>
#include <lib/atomic.h>
#include <lib/list.h>
#include <mm/user.h>
#include <sync/spinlock.h>

#define SIGNAL_MAX 64 /* signals are 1..64 */

struct sigset {
	u64 bits; /* bit n-1 is signal n */
};
DEFINE_USER_PTR(sigset, struct sigset);
DEFINE_USER_PTR(siginfo, siginfo_t);

#define sigmask(sig) BIT((sig) - 1)
#define SIG_KERNEL_ONLY (sigmask(SIGKILL) | sigmask(SIGSTOP)) /* cannot be blocked or caught */

/* struct kernel_sigaction of the x86-64 ABI. */
struct sigaction_abi {
	u64 handler;
	u64 flags;
	u64 restorer;
	struct sigset mask;
};
DEFINE_USER_PTR(sigaction, struct sigaction_abi);

struct stack_abi {
	u64 ss_sp;
	s32 ss_flags;
	u32 pad;
	u64 ss_size;
};
DEFINE_USER_PTR(stack, struct stack_abi);

struct sigaltstack_state {
	u64 sp, size;
	u32 flags;
};

/* A queue of pending signals; guarded by the process's siglock. */
struct signal_queue {
	struct list_head entries; /* struct sigqueue with siginfo */
	struct sigset set;
};

/* Actions: one object per CLONE_SIGHAND group, which may span processes. */
struct sighand {
	struct ref ref;
	struct spinlock lock; /* LOCK_RANK_SIGACTION; inside siglock, interrupts disabled */
	struct sigaction_abi action[SIGNAL_MAX]; /* lock; handlers alone: torn-free reads */
};

/* What restart_syscall(2) continues. */
struct restart_block {
	long (*fn)(struct restart_block *);
	u64 deadline_ns;   /* absolute, on the given clock */
	u64 user_rem;      /* user address for the remainder */
	s32 clock;
	u32 nr;
	u64 arg[2];
};
