/* The saved user registers, in the order of struct user_regs_struct (<asm/ptrace.h>). */
#pragma once

#ifndef __ASSEMBLY__
#include <lib/types.h>

struct regs {
	u64 r15, r14, r13, r12, rbp, rbx; /* callee-saved */
	u64 r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	u64 orig_rax; /* system-call number; -1 for interrupts and exceptions without one */
	u64 rip, cs, rflags, rsp, ss;
};

static inline u64 regs_ip(const struct regs *r) { return r->rip; }
static inline void regs_set_ip(struct regs *r, u64 ip) { r->rip = ip; }
static inline u64 regs_sp(const struct regs *r) { return r->rsp; }
static inline uptr regs_frame(const struct regs *r) { return r->rbp; }
static inline bool regs_user_mode(const struct regs *r) { return (r->cs & 3) == 3; }
static inline long regs_syscall_nr(const struct regs *r) { return (long)r->orig_rax; }
static inline void regs_set_syscall_nr(struct regs *r, long nr) { r->orig_rax = (u64)nr; }
static inline long regs_result(const struct regs *r) { return (long)r->rax; }
static inline void regs_set_result(struct regs *r, long v) { r->rax = (u64)v; }
static inline u64 regs_arg(const struct regs *r, unsigned int n)
{
	switch (n) {
	case 0: return r->rdi;
	case 1: return r->rsi;
	case 2: return r->rdx;
	case 3: return r->r10;
	case 4: return r->r8;
	default: return r->r9;
	}
}
#endif
