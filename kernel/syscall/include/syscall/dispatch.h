/* The dispatch table as the gate sees it. Handlers are declared in <syscall/table.h>. */
#pragma once

#include <lib/types.h>
#include <syscall/nr.h>

typedef long (*syscall_fn)(u64, u64, u64, u64, u64, u64);

/* Indexed by number, already checked against NR_SYSCALLS and clamped. No entry is NULL. */
extern const syscall_fn syscall_table[SYSCALL_TABLE_SIZE];
/* Names for logs and decoders; NULL where Linux has no call. */
extern const char *const syscall_names[NR_SYSCALLS];

/* What a number without a handler resolves to: -ENOSYS. */
long sys_unimplemented(u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5);
