/* The machine's clocks, inside arch. */
#pragma once

#include <lib/types.h>

/* Frequency of the time-stamp counter; 0 before arch_clocks_init. */
u64 clocks_tsc_hz(void);
/* Input frequency of the local APIC's timer, and whether TSC-deadline mode is to be used. */
u64 clocks_lapic_hz(void);
bool clocks_tsc_deadline(void);
