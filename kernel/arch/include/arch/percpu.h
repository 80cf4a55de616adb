/*
 * Per-CPU variables. DEFINE_PER_CPU places the template in .percpu; every CPU gets a copy at boot
 * and reaches it through a segment base, in one instruction. this_cpu_* on integers is atomic
 * against interrupts of the same CPU; pointers from this_cpu_ptr are only stable while preemption
 * is disabled.
 *
 *   DEFINE_PER_CPU(type, name)  DECLARE_PER_CPU(type, name)
 *   this_cpu_read(var) this_cpu_write(var, v) this_cpu_add(var, v)      scalars of 1..8 bytes
 *   this_cpu_ptr(var)  per_cpu_ptr(var, cpu)                            address of this / that copy
 */
#pragma once

#include <lib/types.h>
#include <arch_impl/percpu.h>
