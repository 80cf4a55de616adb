/* One past the highest system-call number. For C and assembly. */
#pragma once

#define NR_SYSCALLS 451
/* The table is this long, so that an index can be clamped by a mask. */
#define SYSCALL_TABLE_SIZE 512
