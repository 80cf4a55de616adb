/* POSIX timers (timer_create and the rest), as other modules meet them. */
#pragma once

#include <signal/types.h>

struct posix_timer;
struct process;

/* The timer's signal has been taken off its queue: a periodic one starts its next period, and the
 * overruns go into *info. siglock of its process held. */
void posix_timer_signal_taken(struct posix_timer *t, siginfo_t *info);
/* For execve and the end of a process: nobody else uses its timers. Process context, no spinlock. */
void posix_timers_delete_all(struct process *p);
