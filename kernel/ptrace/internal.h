/* What the files of ptrace/ share among themselves. */
#pragma once

#include <lib/errno.h>
#include <lib/log.h>
#include <ptrace/ptrace.h>
#include <signal/jobctl.h>
#include <signal/signal.h>

/* attach.c */
long ptrace_traceme(void);
long ptrace_attach(struct task *t, bool seize, u64 addr, u64 options);
/* 0, -EINVAL, -EPERM. */
int ptrace_check_options(u64 options) __must_check;
/* t is frozen, and resumed on success. */
long ptrace_detach(struct task *t, u64 sig);

/* yama.c: the rule for PTRACE_TRACEME. tasklist_lock held. */
bool yama_may_be_traced_by(struct task *tracer);

/* registers.c, siginfo.c, info.c. t is frozen. */
long ptrace_regset(struct task *t, u32 type, bool set, struct user_bytes data, size_t len);
long ptrace_regset_vec(struct task *t, u64 type, bool set, u64 data);
long ptrace_peek(struct task *t, u64 addr, u64 data);
long ptrace_poke(struct task *t, u64 addr, u64 word);
long ptrace_getsiginfo(struct task *t, u64 data);
long ptrace_setsiginfo(struct task *t, u64 data);
long ptrace_peeksiginfo(struct task *t, u64 addr, u64 data);
long ptrace_getsigmask(struct task *t, u64 size, u64 data);
long ptrace_setsigmask(struct task *t, u64 size, u64 data);
long ptrace_get_syscall_info(struct task *t, u64 size, u64 data);
long ptrace_get_rseq(struct task *t, u64 size, u64 data);
