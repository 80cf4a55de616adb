/*
 * Reading and setting clocks: clock_gettime, clock_settime, clock_getres, gettimeofday,
 * settimeofday, time. BOOTTIME equals MONOTONIC because the machine never suspends, and the ALARM clocks
 * equal those without.
 *
 * Process context. The kernel's time zone is guarded by nothing: two torn-free words on the page of
 * time.
 */
#include <lib/errno.h>
#include <syscall/table.h>
#include <task/task.h>
#include <time/cpu_timer.h>
#include "internal.h"

static u64 task_clock(struct task *t, int kind)
{
	u64 user, system;

	if (kind != CPU_CLOCK_VIRT)
		return sched_task_runtime(t);
	sched_task_times(t, &user, &system);
	return user;
}

static u64 process_clock(struct process *p, int kind)
{
	u64 user, system;

	if (kind != CPU_CLOCK_VIRT)
		return process_runtime(p);
	process_cpu_times(p, &user, &system);
	return user;
}

/* Only threads of the own process have a clock that can be read, as on Linux. */
static int thread_clock_read(s32 tid, int kind, u64 *ns)
{
	struct task *t;
	int err = -EINVAL;

	if (!tid || tid == current->tid) {
		*ns = task_clock(current, kind);
		return 0;
	}
	t = task_find_get(tid);
	if (!t)
		return -EINVAL;
	if (t->process == current->process) {
		*ns = task_clock(t, kind);
		err = 0;
	}
	task_put(t);
	return err;
}

static int process_clock_read(s32 pid, int kind, u64 *ns)
{
	struct process *p;

	if (!pid || pid == current->tid || pid == current->process->pid) {
		*ns = process_clock(current->process, kind);
		return 0;
	}
	p = process_find_get(pid);
	if (!p)
		return -EINVAL;
	*ns = process_clock(p, kind);
	process_put(p);
	return 0;
}

static int cpu_clock_find_thread(s32 tid, struct task **out)
{
	struct task *t = current;

	if (tid && tid != current->tid) {
		t = task_find_get(tid);
		if (!t)
			return -EINVAL;
		if (t->process != current->process) {
			task_put(t);
			return -EINVAL;
		}
	} else {
		task_get(t);
	}
	*out = t;
	return 0;
}

int cpu_clock_find(int id, struct process **process, struct task **thread, enum cpu_time *time)
{
	bool per_thread = id < 0 ? CPU_CLOCK_PER_THREAD(id) : id == CLOCK_THREAD_CPUTIME_ID;
	s32 pid = id < 0 ? CPU_CLOCK_PID(id) : 0;
	int err = 0;

	*thread = NULL;
	*time = id < 0 && CPU_CLOCK_KIND(id) == CPU_CLOCK_VIRT ? CPU_TIME_USER : CPU_TIME_TOTAL;
	if (id < 0 && CPU_CLOCK_KIND(id) == CPU_CLOCK_FD)
		return -EINVAL;
	if (per_thread)
		err = cpu_clock_find_thread(pid, thread);
	if (err)
		return err;
	if (!pid || per_thread) {
		*process = current->process;
		process_get(*process);
		return 0;
	}
	*process = process_find_get(pid);
	return *process ? 0 : -EINVAL;
}

int cpu_clock_read(int id, u64 *ns)
{
	if (id == CLOCK_THREAD_CPUTIME_ID)
		return thread_clock_read(0, CPU_CLOCK_SCHED, ns);
	if (id == CLOCK_PROCESS_CPUTIME_ID)
		return process_clock_read(0, CPU_CLOCK_SCHED, ns);
	if (CPU_CLOCK_KIND(id) == CPU_CLOCK_FD)
		return -EINVAL;
	if (CPU_CLOCK_PER_THREAD(id))
		return thread_clock_read(CPU_CLOCK_PID(id), CPU_CLOCK_KIND(id), ns);
	return process_clock_read(CPU_CLOCK_PID(id), CPU_CLOCK_KIND(id), ns);
}

static int clock_read(int id, u64 *ns)
{
	if (id < 0)
		return cpu_clock_read(id, ns);
	switch (id) {
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		id = clock_without_alarm(id);
		__attribute__((fallthrough));
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		*ns = clock_monotonic() + (u64)clock_offset((u32)id);
		return 0;
	case CLOCK_MONOTONIC_RAW:
		*ns = clock_monotonic_raw();
		return 0;
	case CLOCK_REALTIME_COARSE:
		*ns = clock_monotonic_coarse() + (u64)clock_realtime_offset();
		return 0;
	case CLOCK_MONOTONIC_COARSE:
		*ns = clock_monotonic_coarse();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_THREAD_CPUTIME_ID:
		return cpu_clock_read(id, ns);
	default:
		return -EINVAL;
	}
}

long sys_clock_gettime(u32 clock, struct user_timespec ts)
{
	struct timespec64 now;
	u64 ns;
	int err = clock_read((int)clock, &ns);

	if (err)
		return err;
	now = ns_to_timespec(ns);
	return user_write(ts, &now);
}

long sys_clock_getres(u32 clock, struct user_timespec res)
{
	struct timespec64 step = {.tv_nsec = 1};
	int id = (int)clock, err;
	u64 ns;

	err = clock_read(id, &ns);
	if (err)
		return err;
	if (id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC_COARSE)
		step.tv_nsec = CLOCK_COARSE_NS;
	return user_is_null(res) ? 0 : user_write(res, &step);
}

/* Thirty years of running must fit behind the new time, as Linux insists. */
#define SETTIME_MAX_SEC ((u64)S64_MAX / NSEC_PER_SEC - 30ULL * 365 * 24 * 3600)

static bool settable(const struct timespec64 *ts)
{
	return timespec_valid(ts) && (u64)ts->tv_sec < SETTIME_MAX_SEC;
}

int realtime_set_checked(const struct timespec64 *ts)
{
	u64 ns;

	if (!settable(ts))
		return -EINVAL;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	ns = timespec_to_ns(ts);
	if (ns < clock_monotonic())
		return -EINVAL; /* boot would lie before 1970 */
	clock_set_realtime(ns);
	return 0;
}

long sys_clock_settime(u32 clock, struct user_timespec ts)
{
	struct timespec64 want;
	int id = (int)clock;
	u64 ns;

	if (id >= 0 && id != CLOCK_REALTIME)
		return -EINVAL;
	if (user_read(&want, ts))
		return -EFAULT;
	if (id < 0) /* CPU clocks exist but nobody may set them */
		return cpu_clock_read(id, &ns) ? -EINVAL : -EPERM;
	return realtime_set_checked(&want);
}

long sys_gettimeofday(struct user_timeval tv, struct user_timezone tz)
{
	struct timespec64 now = ns_to_timespec(clock_realtime());
	struct __kernel_old_timeval out = {.tv_sec = now.tv_sec,
					   .tv_usec = now.tv_nsec / NSEC_PER_USEC};

	if (!user_is_null(tv) && user_write(tv, &out))
		return -EFAULT;
	if (!user_is_null(tz) && user_write(tz, &clock_user_page->timezone))
		return -EFAULT;
	return 0;
}

#define TIMEZONE_MAX_MINUTES (15 * 60)

/* Everything is checked before anything changes. */
static int settimeofday_checked(const struct timespec64 *ts, const struct timezone *tz)
{
	if (ts && !settable(ts))
		return -EINVAL;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	if (tz && (tz->tz_minuteswest > TIMEZONE_MAX_MINUTES ||
		   tz->tz_minuteswest < -TIMEZONE_MAX_MINUTES))
		return -EINVAL;
	if (tz)
		clock_user_page->timezone = *tz;
	return ts ? realtime_set_checked(ts) : 0;
}

long sys_settimeofday(struct user_timeval tv, struct user_timezone tz)
{
	struct __kernel_old_timeval in = {0};
	struct timezone zone = {0};
	struct timespec64 ts;

	if (!user_is_null(tv) && user_read(&in, tv))
		return -EFAULT;
	if (in.tv_usec < 0 || in.tv_usec > 1000000)
		return -EINVAL;
	if (!user_is_null(tz) && user_read(&zone, tz))
		return -EFAULT;
	ts = (struct timespec64){in.tv_sec, in.tv_usec * (s64)NSEC_PER_USEC};
	return settimeofday_checked(user_is_null(tv) ? NULL : &ts, user_is_null(tz) ? NULL : &zone);
}

long sys_time(struct user_time t)
{
	__kernel_old_time_t now = (__kernel_old_time_t)(clock_realtime() / NSEC_PER_SEC);

	if (!user_is_null(t) && user_write(t, &now))
		return -EFAULT;
	return now;
}
