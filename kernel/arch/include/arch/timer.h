/* Hardware clocks: sources that count and the per-CPU one-shot event. */
#pragma once

#include <lib/types.h>

/* Arms this CPU's one-shot timer for the absolute monotonic time; fires timer_interrupt(). U64_MAX
 * disarms. Interrupts disabled. A deadline in the past fires at once. */
void arch_timer_arm(u64 deadline_ns);
/* Sets this CPU's timer up. Called once on each CPU after the clock source is chosen. */
void arch_timer_cpu_init(void);
/* Finds and registers the machine's clock sources through clocksource_register(). */
void arch_clocks_init(void);
/* Wall-clock seconds since 1970 from the battery clock, 0 without one. */
u64 arch_rtc_seconds(void);
