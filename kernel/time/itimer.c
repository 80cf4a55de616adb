/*
 * Interval timers: getitimer, setitimer, alarm. All state is guarded by the process's siglock. The
 * callback of ITIMER_REAL takes that lock to send the signal, so whoever changes the timer uses
 * timer_try_cancel and steps back while the callback runs; the callback itself reads the interval
 * without the lock, which is safe because nobody changes it meanwhile.
 */
#include <lib/errno.h>
#include <signal/signal.h>
#include <syscall/table.h>
#include <task/task.h>
#include <time/posix_timer.h>
#include "internal.h"

/* A shorter period would let a program spend a CPU's time in interrupts. */
#define PERIOD_MIN_NS (50 * NSEC_PER_USEC)

struct itimer {
	u64 value_ns, interval_ns;
};

static void real_expired(struct timer *t)
{
	struct process *p = container_of(t, struct process, real_timer);
	u64 interval = READ_ONCE(p->real_interval_ns), now, next;
	siginfo_t info;

	siginfo_kernel(&info, SIGALRM);
	signal_send_process(p, SIGALRM, &info);
	if (!interval)
		return;
	now = clock_monotonic();
	next = t->deadline_ns + interval;
	if (next <= now) /* late by whole periods: they count as one signal */
		next += (now - next) / interval * interval + interval;
	timer_arm(t, MAX(next, now + PERIOD_MIN_NS));
}

void process_timers_init(struct process *p)
{
	timer_init(&p->real_timer, real_expired);
	p->real_interval_ns = 0;
	p->cpu_timers = (struct cpu_timers){0};
	spin_init(&p->cpu_timers.lock, LOCK_RANK_CPU_TIMERS);
	cpu_timers_update_locked(p); /* no thread yet: all counters start at 0 */
}

/* siglock taken, the real timer off and its callback not running. */
static u64 lock_real_timer(struct process *p, bool *was_queued) NO_THREAD_SAFETY
{
	for (;;) {
		u64 flags = spin_lock_irqsave(&p->siglock);
		int res = timer_try_cancel(&p->real_timer);

		if (res >= 0) {
			*was_queued = res;
			return flags;
		}
		spin_unlock_irqrestore(&p->siglock, flags);
		cpu_relax();
	}
}

void process_timers_exit(struct process *p) NO_THREAD_SAFETY
{
	bool queued;
	u64 flags;

	posix_timers_delete_all(p);
	flags = lock_real_timer(p, &queued);
	p->real_interval_ns = 0;
	p->cpu_timers.virt = p->cpu_timers.prof = (struct cpu_itimer){0};
	WRITE_ONCE(p->cpu_timers.active, false);
	spin_unlock_irqrestore(&p->siglock, flags);
}

/* What is left; an armed timer never shows 0. */
static u64 remaining(u64 expires, u64 now)
{
	return expires > now ? MAX(expires - now, NSEC_PER_USEC) : NSEC_PER_USEC;
}

static struct itimer get_real_locked(struct process *p, bool queued)
{
	struct itimer it = {.interval_ns = p->real_interval_ns};

	if (queued)
		it.value_ns = remaining(p->real_timer.deadline_ns, clock_monotonic());
	return it;
}

static struct itimer set_real(struct process *p, struct itimer want) NO_THREAD_SAFETY
{
	bool queued;
	u64 flags = lock_real_timer(p, &queued);
	struct itimer old = get_real_locked(p, queued);

	p->real_interval_ns = want.value_ns ? want.interval_ns : 0;
	if (want.value_ns)
		timer_arm(&p->real_timer, clock_monotonic() + want.value_ns);
	spin_unlock_irqrestore(&p->siglock, flags);
	return old;
}

static struct itimer get_real(struct process *p)
{
	u64 flags = spin_lock_irqsave(&p->siglock);
	struct itimer it = get_real_locked(p, READ_ONCE(p->real_timer.queued));

	spin_unlock_irqrestore(&p->siglock, flags);
	return it;
}

static struct itimer get_cpu_locked(const struct cpu_itimer *ci, u64 now)
{
	struct itimer it = {.interval_ns = ci->interval_ns};

	if (ci->expires_ns)
		it.value_ns = remaining(ci->expires_ns, now);
	return it;
}

static struct cpu_itimer *cpu_itimer_of(struct process *p, u32 which)
{
	return which == ITIMER_VIRTUAL ? &p->cpu_timers.virt : &p->cpu_timers.prof;
}

/* The exact time, so that ITIMER_PROF is not early. User time is known by samples only. siglock is
 * taken for the first and held by the caller for the second. */
static u64 prof_now(struct process *p, u32 which)
{
	return which == ITIMER_PROF ? process_runtime(p) : 0;
}

static u64 cpu_now_locked(struct process *p, u32 which, u64 prof)
{
	return which == ITIMER_PROF ? prof : READ_ONCE(p->cpu_timers.user_ns);
}

static struct itimer set_cpu(struct process *p, u32 which, struct itimer want)
{
	struct cpu_itimer *ci = cpu_itimer_of(p, which);
	u64 prof = prof_now(p, which), flags = spin_lock_irqsave(&p->siglock);
	struct itimer old = get_cpu_locked(ci, cpu_now_locked(p, which, prof));

	ci->interval_ns = want.interval_ns;
	ci->expires_ns = want.value_ns;    /* not 0: makes the counters run */
	cpu_timers_update_locked(p);
	if (want.value_ns)
		ci->expires_ns = cpu_now_locked(p, which, prof) + want.value_ns;
	spin_unlock_irqrestore(&p->siglock, flags);
	if (want.value_ns)
		sched_restart_tick();
	return old;
}

static struct itimer get_cpu(struct process *p, u32 which)
{
	u64 prof = prof_now(p, which), flags = spin_lock_irqsave(&p->siglock);
	struct itimer it = get_cpu_locked(cpu_itimer_of(p, which), cpu_now_locked(p, which, prof));

	spin_unlock_irqrestore(&p->siglock, flags);
	return it;
}

static struct __kernel_old_timeval to_timeval(u64 ns)
{
	return (struct __kernel_old_timeval){.tv_sec = (__kernel_long_t)(ns / NSEC_PER_SEC),
					     .tv_usec = ns % NSEC_PER_SEC / NSEC_PER_USEC};
}

static int from_timeval(const struct __kernel_old_timeval *tv, u64 *ns)
{
	struct timespec64 ts = {tv->tv_sec, tv->tv_usec * (s64)NSEC_PER_USEC};

	if (tv->tv_sec < 0 || tv->tv_usec < 0 || tv->tv_usec >= 1000000)
		return -EINVAL;
	*ns = timespec_to_ns(&ts);
	return 0;
}

static int write_itimer(struct user_itimerval dst, struct itimer it)
{
	struct __kernel_old_itimerval out = {.it_interval = to_timeval(it.interval_ns),
					     .it_value = to_timeval(it.value_ns)};

	return user_write(dst, &out);
}

long sys_getitimer(u32 which, struct user_itimerval value)
{
	switch (which) {
	case ITIMER_REAL:
		return write_itimer(value, get_real(current->process));
	case ITIMER_VIRTUAL:
	case ITIMER_PROF:
		return write_itimer(value, get_cpu(current->process, which));
	default:
		return -EINVAL;
	}
}

static int read_itimer(struct itimer *it, struct user_itimerval src)
{
	struct __kernel_old_itimerval in;

	if (user_read(&in, src))
		return -EFAULT;
	if (from_timeval(&in.it_value, &it->value_ns))
		return -EINVAL;
	return from_timeval(&in.it_interval, &it->interval_ns);
}

long sys_setitimer(u32 which, struct user_itimerval value, struct user_itimerval old)
{
	struct itimer want = {0}, was;
	int err = user_is_null(value) ? 0 : read_itimer(&want, value); /* NULL stops it, as on Linux */

	if (err)
		return err;
	if (which == ITIMER_REAL)
		was = set_real(current->process, want);
	else if (which == ITIMER_VIRTUAL || which == ITIMER_PROF)
		was = set_cpu(current->process, which, want);
	else
		return -EINVAL;
	return user_is_null(old) ? 0 : write_itimer(old, was);
}

long sys_alarm(u32 seconds)
{
	struct itimer was = set_real(current->process,
				     (struct itimer){.value_ns = seconds * NSEC_PER_SEC});
	u64 left = was.value_ns / NSEC_PER_SEC, rest = was.value_ns % NSEC_PER_SEC;

	/* Rounded, but never to 0 while something was left. */
	return (long)(left + (rest >= NSEC_PER_SEC / 2 || (!left && rest)));
}
