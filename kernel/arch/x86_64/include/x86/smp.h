/* Secondary CPUs and calls between CPUs, inside arch. */
#pragma once

#include <lib/types.h>

/* Memory for every CPU that the firmware lists; sets nr_cpus. After acpi_init and lapic_cpu_init. */
void smp_prepare(void);
/* A call or flush request has arrived. Hard-interrupt context. */
void smp_call_interrupt(void);
__noreturn void cpu_halt_forever(void);
/* First C code of a secondary CPU, on its idle task's stack. */
__noreturn void smp_secondary_start(u32 cpu);
