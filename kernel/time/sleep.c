/*
 * Sleeping for a time: nanosleep and clock_nanosleep. Relative sleeps become deadlines on
 * CLOCK_MONOTONIC once, at the start, so that interruptions add nothing up. An interrupted relative
 * sleep leaves a restart block; an interrupted absolute one is simply issued again.
 *
 * Process context; no locks. The timer slack is ignored: deadlines are exact.
 */
#include <lib/errno.h>
#include <syscall/table.h>
#include <task/task.h>
#include "internal.h"

int sleep_until(u64 deadline_ns)
{
	sched_set_state(TASK_INTERRUPTIBLE);
	if (!signal_pending(current))
		(void)schedule_until(deadline_ns);
	WRITE_ONCE(current->state, TASK_RUNNING);
	return signal_pending(current) ? -ERESTARTSYS : 0;
}

static u64 deadline_after(u64 ns)
{
	return clock_monotonic() + ns; /* cannot wrap: ns is at most S64_MAX */
}

static long sleep_restart(struct restart_block *r);

/* Interrupted: what is left goes to the user, the rest into the restart block. */
static long sleep_interrupted(u64 deadline_ns, struct user_timespec rem)
{
	u64 now = clock_monotonic();
	struct timespec64 left = ns_to_timespec(now < deadline_ns ? deadline_ns - now : 0);

	if (now >= deadline_ns)
		return 0;
	if (!user_is_null(rem) && user_write(rem, &left))
		return -EFAULT;
	current->restart.fn = sleep_restart;
	current->restart.deadline_ns = deadline_ns;
	current->restart.user_rem = user_address(rem);
	return -ERESTART_RESTARTBLOCK;
}

static long sleep_relative(u64 deadline_ns, struct user_timespec rem)
{
	if (!clock_sleep_until(CLOCK_MONOTONIC, deadline_ns))
		return 0;
	return sleep_interrupted(deadline_ns, rem);
}

static long sleep_restart(struct restart_block *r)
{
	return sleep_relative(r->deadline_ns, user_handle(timespec, r->user_rem));
}

long sys_nanosleep(struct user_timespec req, struct user_timespec rem)
{
	struct timespec64 ts;

	if (user_read(&ts, req))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	return sleep_relative(deadline_after(timespec_to_ns(&ts)), rem);
}

/*
 * Until a CPU clock shows the time. It cannot get there sooner than the remainder divided by the
 * number of CPUs, so that is slept, and looked at again.
 */
static long sleep_on_cpu_clock(int id, u64 until_ns)
{
	for (;;) {
		u64 now;
		int err = cpu_clock_read(id, &now);

		if (err || now >= until_ns)
			return err;
		if (sleep_until(deadline_after(MAX((until_ns - now) / nr_cpus, NSEC_PER_MSEC))))
			return -ERESTARTSYS;
	}
}

static long cpu_clock_restart(struct restart_block *r)
{
	long err = sleep_on_cpu_clock(r->clock, r->deadline_ns);

	return err == -ERESTARTSYS ? -ERESTART_RESTARTBLOCK : err;
}

static long cpu_clock_nanosleep(int id, bool absolute, u64 ns, struct user_timespec rem)
{
	struct timespec64 left;
	u64 now;
	long err;

	if (id < 0 && CPU_CLOCK_PER_THREAD(id) &&
	    (CPU_CLOCK_PID(id) == 0 || CPU_CLOCK_PID(id) == current->tid))
		return -EINVAL; /* it would never wake */
	err = cpu_clock_read(id, &now);
	if (err)
		return err;
	if (!absolute)
		ns += now;
	err = sleep_on_cpu_clock(id, ns);
	if (err != -ERESTARTSYS)
		return err;
	if (absolute)
		return -ERESTARTNOHAND;
	if (!user_is_null(rem) && !cpu_clock_read(id, &now)) {
		left = ns_to_timespec(now < ns ? ns - now : 0);
		if (user_write(rem, &left))
			return -EFAULT;
	}
	current->restart.fn = cpu_clock_restart;
	current->restart.clock = id;
	current->restart.deadline_ns = ns;
	return -ERESTART_RESTARTBLOCK;
}

/* 0 when one can sleep on the clock; else what Linux answers. */
static int sleep_clock_check(int id)
{
	if (id < 0)
		return CPU_CLOCK_KIND(id) == CPU_CLOCK_FD ? -EINVAL : 0;
	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
	case CLOCK_PROCESS_CPUTIME_ID:
		return 0;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return capable(CAP_WAKE_ALARM) ? 0 : -EPERM;
	case CLOCK_THREAD_CPUTIME_ID:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}

long sys_clock_nanosleep(u32 clock, u32 flags, struct user_timespec req, struct user_timespec rem)
{
	int id = (int)clock, err = sleep_clock_check(id);
	bool absolute = flags & TIMER_ABSTIME;
	struct timespec64 ts;
	u64 ns;

	if (err)
		return err;
	if (user_read(&ts, req))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	ns = timespec_to_ns(&ts);
	if (id < 0 || id == CLOCK_PROCESS_CPUTIME_ID)
		return cpu_clock_nanosleep(id, absolute, ns, rem);
	if (!absolute) /* on every clock: setting the time does not change a duration */
		return sleep_relative(deadline_after(ns), rem);
	err = clock_sleep_until((u32)clock_without_alarm(id), ns);
	return err ? -ERESTARTNOHAND : 0;
}
