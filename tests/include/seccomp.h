/* Filters for the seccomp tests. */
#pragma once

#include "test.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#define NR_WORD    (offsetof(struct seccomp_data, nr))
#define ARG_WORD(n) (offsetof(struct seccomp_data, args) + 8 * (n))
#define LOAD(off)  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (off))
#define RETURN(k)  BPF_STMT(BPF_RET | BPF_K, (k))
/* The number was loaded: this verdict if it is nr. */
#define ON(number, k) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), RETURN(k)

static inline long seccomp_call(unsigned op, unsigned flags, const void *args)
{
	return syscall(SYS_seccomp, op, flags, args);
}

static inline long filter_set(const struct sock_filter *f, size_t len, unsigned flags)
{
	struct sock_fprog prog = {(unsigned short)len, (struct sock_filter *)f};

	return seccomp_call(SECCOMP_SET_MODE_FILTER, flags, &prog);
}

#define FILTER_FLAGS(flags, ...)                                                                   \
	({                                                                                         \
		const struct sock_filter f_[] = {__VA_ARGS__};                                     \
		filter_set(f_, ARRAY_SIZE(f_), flags);                                             \
	})
#define FILTER(...) CHECK_OK(FILTER_FLAGS(0, __VA_ARGS__))
/* One call gets the verdict, all others are allowed. */
#define VERDICT(number, k) FILTER(LOAD(NR_WORD), ON(number, k), RETURN(SECCOMP_RET_ALLOW))

static inline void no_new_privs(void)
{
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}
