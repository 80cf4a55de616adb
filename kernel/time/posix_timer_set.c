/* timer_settime, timer_gettime, timer_getoverrun; the rules stand in posix_timer.c. */
#include <lib/errno.h>
#include <syscall/table.h>
#include "posix_timer_internal.h"

struct setting {
	u64 value_ns, interval_ns;
};

/* The time of t's clock, exactly. -ESRCH: its process or thread is gone. No siglock held. */
static int timer_now(const struct posix_timer *t, u64 *ns)
{
	if (t->on_cpu_clock)
		return cpu_timer_now(&t->cpu, ns);
	*ns = clock_now(READ_ONCE(t->base));
	return 0;
}

/* What gettime tells. An armed timer never shows 0; one that never signals does once it is over. */
static struct setting get_locked(struct posix_timer *t, u64 now)
{
	struct setting s = {.interval_ns = t->interval_ns};
	bool silent = t->notify == SIGEV_NONE;

	if (!t->interval_ns && !t->active && !silent)
		return s;
	if (!t->expires_ns)
		return s;
	posix_timer_catch_up_locked(t, now);
	if (t->expires_ns > now)
		s.value_ns = t->expires_ns - now;
	else
		s.value_ns = silent ? 0 : 1;
	return s;
}

/* On the clock and in the way that the caller asked for; it is stopped. */
static void start_locked(struct posix_timer *t, struct setting want, bool absolute, u64 now)
{
	t->interval_ns = want.value_ns ? want.interval_ns : 0;
	t->expires_ns = want.value_ns;
	if (!want.value_ns)
		return;
	if (!t->on_cpu_clock) {
		/* A duration does not change when the clock is set. */
		t->base = (u32)clock_without_alarm(t->clock);
		if (!absolute && t->base == CLOCK_REALTIME)
			t->base = CLOCK_MONOTONIC;
		now = clock_now(t->base);
	}
	if (!absolute)
		t->expires_ns = MIN(now + want.value_ns, (u64)S64_MAX);
	if (t->notify == SIGEV_NONE)
		return;
	if (t->on_cpu_clock && t->expires_ns <= now)
		posix_timer_expire_locked(t);
	else
		posix_timer_start_locked(t);
}

static int timer_set(struct posix_timer *t, struct setting want, bool absolute, struct setting *old)
{
	struct process *p = t->process;
	u64 now;
	int err;

	for (;;) {
		err = timer_now(t, &now);
		if (err)
			return err;
		spin_lock_irq(&p->siglock);
		if (t->dead) {
			spin_unlock_irq(&p->siglock);
			return -EINVAL;
		}
		if (posix_timer_try_stop_locked(t) >= 0)
			break;
		spin_unlock_irq(&p->siglock);
		cpu_relax();
	}
	if (!t->on_cpu_clock)
		now = clock_now(t->base);
	*old = get_locked(t, now);
	t->active = false;
	t->requeue = (t->requeue + 2) & ~1U;
	t->overrun = -1;
	t->overrun_last = 0;
	start_locked(t, want, absolute, now);
	spin_unlock_irq(&p->siglock);
	if (t->on_cpu_clock && want.value_ns)
		sched_restart_tick();
	return 0;
}

static int read_setting(struct setting *s, struct user_itimerspec src)
{
	struct itimerspec64 in;

	if (user_is_null(src))
		return -EINVAL;
	if (user_read(&in, src))
		return -EFAULT;
	if (!timespec_valid(&in.it_interval) || !timespec_valid(&in.it_value))
		return -EINVAL;
	s->value_ns = timespec_to_ns(&in.it_value);
	s->interval_ns = timespec_to_ns(&in.it_interval);
	return 0;
}

static int write_setting(struct user_itimerspec dst, struct setting s)
{
	struct itimerspec64 out = {.it_interval = ns_to_timespec(s.interval_ns),
				   .it_value = ns_to_timespec(s.value_ns)};

	return user_write(dst, &out);
}

long sys_timer_settime(int id, u32 flags, struct user_itimerspec value, struct user_itimerspec uold)
{
	struct setting want, old;
	struct posix_timer *t;
	int err = read_setting(&want, value);

	if (err)
		return err;
	t = posix_timer_get(id);
	if (!t)
		return -EINVAL;
	err = timer_set(t, want, flags & TIMER_ABSTIME, &old);
	posix_timer_put(t);
	if (err || user_is_null(uold))
		return err;
	return write_setting(uold, old);
}

long sys_timer_gettime(int id, struct user_itimerspec value)
{
	struct posix_timer *t = posix_timer_get(id);
	struct setting s = {0};
	u64 now;

	if (!t)
		return -EINVAL;
	if (!timer_now(t, &now)) {
		spin_lock_irq(&t->process->siglock);
		if (!t->on_cpu_clock)
			now = clock_now(t->base);
		s = get_locked(t, now);
		spin_unlock_irq(&t->process->siglock);
	}
	posix_timer_put(t);
	return write_setting(value, s);
}

long sys_timer_getoverrun(int id)
{
	struct posix_timer *t = posix_timer_get(id);
	long overrun;

	if (!t)
		return -EINVAL;
	overrun = READ_ONCE(t->overrun_last);
	posix_timer_put(t);
	return overrun;
}
