/* Private to time/. */
#pragma once

#include <time/clock.h>
#include <time/cpu_timer.h>
#include <uapi/user_types.h>

u64 clock_monotonic_coarse(void);
/* Keeps a counter that wraps folded into the clock; nothing to do for a 64-bit one. */
void clock_start_folding(void);

/* Lets CLOCK_MONOTONIC run faster by scaled_ppm / 2^16 millionths than the hardware says. */
void clock_set_rate(s64 scaled_ppm);
/* CLOCK_TAI minus CLOCK_REALTIME. */
void clock_set_tai_offset(s32 seconds);
s32 clock_tai_offset(void);

/* A clock has been set: moves the timers on it (clock_timer.c). Any context. */
void clock_timers_follow(void);
/* The same for timerfds that want to be told (timerfd.c). */
void timerfds_clock_set(void);

/* Sleeps once, interruptible, until the monotonic time, a wake-up or a signal (-ERESTARTSYS). */
int sleep_until(u64 deadline_ns) __must_check;

/* Dynamic ids: CPU-time clocks of processes and threads, as clock_getcpuclockid(3) builds them. */
#define CPU_CLOCK_PID(id)        (~((id) >> 3))
#define CPU_CLOCK_PER_THREAD(id) ((id) & 4)
#define CPU_CLOCK_KIND(id)       ((id) & 3)
enum { CPU_CLOCK_PROF, CPU_CLOCK_VIRT, CPU_CLOCK_SCHED, CPU_CLOCK_FD };

/* The time of a CPU clock (fixed or dynamic id). 0 or -EINVAL when there is no such thread. */
int cpu_clock_read(int id, u64 *ns) __must_check;

/* What the clock counts: references, thread NULL for a whole process. 0 or -EINVAL. */
int cpu_clock_find(int id, struct process **process, struct task **thread,
		   enum cpu_time *time) __must_check;
static inline bool clock_is_cpu(int id)
{
	return id < 0 || id == CLOCK_PROCESS_CPUTIME_ID || id == CLOCK_THREAD_CPUTIME_ID;
}

/* CLOCK_*_ALARM would wake a machine from suspend; this one never sleeps so deeply. */
static inline bool clock_is_alarm(int id)
{
	return id == CLOCK_REALTIME_ALARM || id == CLOCK_BOOTTIME_ALARM;
}
static inline int clock_without_alarm(int id)
{
	return id == CLOCK_REALTIME_ALARM ? CLOCK_REALTIME : id == CLOCK_BOOTTIME_ALARM ? CLOCK_BOOTTIME : id;
}

/* The common end of clock_settime and settimeofday. 0, -EINVAL or -EPERM. */
int realtime_set_checked(const struct timespec64 *ts) __must_check;

struct process;
/* Starts or stops the counters as the timers and the limit demand. siglock held. */
void cpu_timers_update_locked(struct process *p);
