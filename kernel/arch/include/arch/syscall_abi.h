/*
 * What filters and tracers are told of the port's system-call convention.
 *
 * From arch_impl: ARCH_AUDIT, its AUDIT_ARCH_* number; bool arch_syscall_is_basic(int nr): one of the
 * four calls (read, write, exit, rt_sigreturn) that seccomp's strict mode leaves.
 */
#pragma once

#include <lib/types.h>
#include <arch_impl/syscall_abi.h>
