/*
 * CPU time of whole processes, and the timers that count it. Everything in struct cpu_timers but the
 * two counters is guarded by the process's siglock; signals are sent after it is dropped.
 *
 * The counters run only while a timer needs them. runtime_ns starts at the exact CPU time so far,
 * because RLIMIT_CPU is absolute; user_ns starts at 0, because ITIMER_VIRTUAL is relative.
 */
#include <lib/errno.h>
#include <signal/signal.h>
#include <task/task.h>
#include "internal.h"

/* siglock held, which also keeps RCU readers' tasks. */
static u64 runtime_locked(const struct process *p)
{
	const struct task *t;
	u64 ns = p->utime_ns + p->stime_ns;

	list_for_each(t, &p->threads, thread_node)
		if (!(t->flags & TASK_F_COUNTED))
			ns += sched_task_runtime(t);
	return ns;
}

u64 process_runtime(struct process *p)
{
	u64 flags = spin_lock_irqsave(&p->siglock);
	u64 ns = runtime_locked(p);

	spin_unlock_irqrestore(&p->siglock, flags);
	return ns;
}

void process_cpu_times(struct process *p, u64 *user_ns, u64 *system_ns)
{
	u64 flags = spin_lock_irqsave(&p->siglock);
	const struct task *t;

	*user_ns = p->utime_ns;
	*system_ns = p->stime_ns;
	list_for_each(t, &p->threads, thread_node) {
		u64 user, system;

		if (t->flags & TASK_F_COUNTED)
			continue; /* dead, and in the sums already */
		sched_task_times(t, &user, &system);
		*user_ns += user;
		*system_ns += system;
	}
	spin_unlock_irqrestore(&p->siglock, flags);
}

static bool limit_set(const struct process *p)
{
	return READ_ONCE(p->rlimits[RLIMIT_CPU].rlim_cur) != RLIM64_INFINITY;
}

void cpu_timers_update_locked(struct process *p)
{
	struct cpu_timers *ct = &p->cpu_timers;
	bool wanted = ct->virt.expires_ns || ct->prof.expires_ns || limit_set(p);

	if (wanted && !ct->active) {
		ct->user_ns = 0;
		__atomic_store_n(&ct->runtime_ns, runtime_locked(p), __ATOMIC_RELEASE);
	}
	WRITE_ONCE(ct->active, wanted);
}

void process_timers_limit_changed(struct process *p)
{
	cpu_timers_update_locked(p);
}

/* True when it has expired; a periodic one is set for the next time. */
static bool expire(struct cpu_itimer *it, u64 now)
{
	if (!it->expires_ns || now < it->expires_ns)
		return false;
	it->expires_ns = it->interval_ns ? MAX(it->expires_ns + it->interval_ns, now) : 0;
	return true;
}

/* RLIMIT_CPU: SIGXCPU at the soft limit and each second after it, SIGKILL at the hard one. */
static int limit_signal(struct process *p, u64 runtime_ns)
{
	struct rlimit64 *lim = &p->rlimits[RLIMIT_CPU];
	u64 seconds = runtime_ns / NSEC_PER_SEC;

	if (!limit_set(p) || seconds < lim->rlim_cur)
		return 0;
	if (seconds >= lim->rlim_max)
		return SIGKILL;
	WRITE_ONCE(lim->rlim_cur, seconds + 1);
	return SIGXCPU;
}

static void send(struct process *p, int sig)
{
	siginfo_t info;

	if (!sig)
		return;
	siginfo_kernel(&info, sig);
	signal_send_process(p, sig, &info);
}

void cpu_timers_check(struct process *p)
{
	struct cpu_timers *ct = &p->cpu_timers;
	u64 flags = spin_lock_irqsave(&p->siglock), runtime = READ_ONCE(ct->runtime_ns);
	bool virt = expire(&ct->virt, READ_ONCE(ct->user_ns));
	bool prof = expire(&ct->prof, runtime);
	int limit = limit_signal(p, runtime);

	cpu_timers_update_locked(p);
	spin_unlock_irqrestore(&p->siglock, flags);
	send(p, virt ? SIGVTALRM : 0);
	send(p, prof ? SIGPROF : 0);
	send(p, limit);
}
