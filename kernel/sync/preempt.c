/* The per-CPU word behind sync/preempt.h, written by its own CPU only. */
#include <sync/preempt.h>

DEFINE_PER_CPU(u32, preempt_count) = PREEMPT_COUNT_INIT;
