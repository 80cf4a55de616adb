/* The x86-64 system-call convention. There is no other one: calls of 32-bit code do not exist. */
#pragma once

#include <lib/types.h>
#include <linux/audit.h>

#define ARCH_AUDIT AUDIT_ARCH_X86_64

static inline bool arch_syscall_is_basic(int nr)
{
	return nr == 0 || nr == 1 || nr == 15 || nr == 60;
}
