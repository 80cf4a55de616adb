/* The per-CPU words behind sync/preempt.h. Each is written by its own CPU only. */
#include <sync/preempt.h>

DEFINE_PER_CPU(u32, preempt_count) = PREEMPT_COUNT_INIT;
DEFINE_PER_CPU(u8, irq_from_user) = 0;
