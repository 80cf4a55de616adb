/* The stack protector's canary: each task has its own, the running task's is in the CPU's variable. */
#pragma once

#include <arch/percpu.h>

DECLARE_PER_CPU(u64, stack_canary);

/* A new one. Any context. */
u64 canary_make(void);
