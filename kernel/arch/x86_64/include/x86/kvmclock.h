/* KVM's paravirtual clock. */
#pragma once

#include <lib/types.h>

/* Registers the clock source when the hypervisor has one that all CPUs may share. Once. */
void kvmclock_init(void);
/* Enables this CPU's time page when the clock is in use. */
void kvmclock_cpu_init(void);
