/*
 * CPU time of whole processes, and the timers that count it.
 *
 * The counters of struct cpu_timers run only while somebody needs them. They start at the CPU time
 * that the scheduler has counted so far, so they are never ahead of the exact time, and a timer set
 * by the exact time is never early. siglock guards all but the counters and the queues of POSIX
 * timers; these have a lock of their own inside every siglock, because a timer's owner may be another
 * process than the one whose clock it is on.
 *
 * The tick takes what is due off the queues, marks it FIRING and calls it without locks. The
 * callback takes its owner's lock and ends that mark; until then the owner cannot cancel the timer,
 * and steps back, as with struct timer.
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

/* As much of it as the scheduler has added up. */
static u64 counted_locked(const struct process *p)
{
	const struct task *t;
	u64 ns = p->utime_ns + p->stime_ns;

	list_for_each(t, &p->threads, thread_node)
		if (!(t->flags & TASK_F_COUNTED))
			ns += READ_ONCE(t->se.sum_exec_ns);
	return ns;
}

u64 process_runtime(struct process *p)
{
	u64 flags = spin_lock_irqsave(&p->siglock);
	u64 ns = runtime_locked(p);

	spin_unlock_irqrestore(&p->siglock, flags);
	return ns;
}

static void cpu_times_locked(const struct process *p, u64 *user_ns, u64 *system_ns)
{
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
}

void process_cpu_times(struct process *p, u64 *user_ns, u64 *system_ns)
{
	u64 flags = spin_lock_irqsave(&p->siglock);

	cpu_times_locked(p, user_ns, system_ns);
	spin_unlock_irqrestore(&p->siglock, flags);
}

static bool limit_set(const struct process *p)
{
	return READ_ONCE(p->rlimits[RLIMIT_CPU].rlim_cur) != RLIM64_INFINITY ||
	       READ_ONCE(p->rlimits[RLIMIT_RTTIME].rlim_cur) != RLIM64_INFINITY;
}

void cpu_timers_update_locked(struct process *p)
{
	struct cpu_timers *ct = &p->cpu_timers;
	bool wanted = ct->virt.expires_ns || ct->prof.expires_ns || ct->nr_timers || limit_set(p);
	u64 user, system;

	if (wanted && !ct->active) {
		cpu_times_locked(p, &user, &system);
		__atomic_store_n(&ct->user_ns, user, __ATOMIC_RELAXED);
		__atomic_store_n(&ct->runtime_ns, counted_locked(p), __ATOMIC_RELEASE);
	}
	WRITE_ONCE(ct->active, wanted);
}

void process_timers_limit_changed(struct process *p)
{
	cpu_timers_update_locked(p);
}

/* --- POSIX timers --- */

int cpu_timer_init(struct cpu_timer *ct, int clock, void (*fn)(struct cpu_timer *))
{
	struct process *p;
	u64 flags;
	int err = cpu_clock_find(clock, &ct->target, &ct->thread, &ct->time);

	if (err)
		return err;
	ct->fn = fn;
	ct->state = CPU_TIMER_IDLE;
	p = ct->target;
	flags = spin_lock_irqsave(&p->siglock);
	p->cpu_timers.nr_timers++;
	cpu_timers_update_locked(p);
	spin_unlock_irqrestore(&p->siglock, flags);
	return 0;
}

void cpu_timer_fini(struct cpu_timer *ct)
{
	struct process *p = ct->target;
	u64 flags = spin_lock_irqsave(&p->siglock);

	p->cpu_timers.nr_timers--;
	cpu_timers_update_locked(p);
	spin_unlock_irqrestore(&p->siglock, flags);
	if (ct->thread)
		task_put(ct->thread);
	process_put(p);
}

static struct cpu_clock_queue *queue_of(const struct cpu_timer *ct)
{
	return ct->thread ? &ct->thread->cpu_queue[ct->time] : &ct->target->cpu_timers.queue[ct->time];
}

int cpu_timer_now(const struct cpu_timer *ct, u64 *ns)
{
	bool user = ct->time == CPU_TIME_USER;
	u64 system;

	if (ct->thread ? ct->thread->flags & TASK_F_EXITED
		       : READ_ONCE(ct->target->exit_state) == PROCESS_REAPED)
		return -ESRCH;
	if (ct->thread && user)
		sched_task_times(ct->thread, ns, &system);
	else if (ct->thread)
		*ns = sched_task_runtime(ct->thread);
	else if (user)
		process_cpu_times(ct->target, ns, &system);
	else
		*ns = process_runtime(ct->target);
	return 0;
}

static u64 thread_counted(const struct task *t, enum cpu_time time)
{
	u64 user, system;

	if (time == CPU_TIME_TOTAL)
		return READ_ONCE(t->se.sum_exec_ns);
	sched_task_times(t, &user, &system);
	return user;
}

static u64 process_counted(const struct process *p, enum cpu_time time)
{
	return READ_ONCE(*(time == CPU_TIME_USER ? &p->cpu_timers.user_ns : &p->cpu_timers.runtime_ns));
}

u64 cpu_timer_counted(const struct cpu_timer *ct)
{
	return ct->thread ? thread_counted(ct->thread, ct->time) : process_counted(ct->target, ct->time);
}

static void queue_insert(struct cpu_clock_queue *q, struct cpu_timer *ct)
{
	struct rb_node **link = &q->root.node, *parent = NULL;
	bool first = true;

	while (*link) {
		parent = *link;
		if (ct->expires_ns < rb_entry(parent, struct cpu_timer, node)->expires_ns) {
			link = &parent->left;
		} else {
			link = &parent->right;
			first = false;
		}
	}
	rb_insert(&q->root, &ct->node, parent, link, NULL);
	if (first)
		q->first = &ct->node;
}

static void queue_remove(struct cpu_clock_queue *q, struct cpu_timer *ct)
{
	if (q->first == &ct->node)
		q->first = rb_next(&ct->node);
	rb_erase(&q->root, &ct->node, NULL);
}

void cpu_timer_arm(struct cpu_timer *ct, u64 expires_ns)
{
	u64 flags = spin_lock_irqsave(&ct->target->cpu_timers.lock);

	if (ct->state == CPU_TIMER_QUEUED)
		queue_remove(queue_of(ct), ct);
	ct->expires_ns = expires_ns;
	queue_insert(queue_of(ct), ct);
	ct->state = CPU_TIMER_QUEUED;
	spin_unlock_irqrestore(&ct->target->cpu_timers.lock, flags);
}

int cpu_timer_try_cancel(struct cpu_timer *ct)
{
	u64 flags = spin_lock_irqsave(&ct->target->cpu_timers.lock);
	int res = ct->state == CPU_TIMER_FIRING ? -1 : ct->state == CPU_TIMER_QUEUED;

	if (res == 1) {
		queue_remove(queue_of(ct), ct);
		ct->state = CPU_TIMER_IDLE;
	}
	spin_unlock_irqrestore(&ct->target->cpu_timers.lock, flags);
	return res;
}

void cpu_timer_fired(struct cpu_timer *ct)
{
	u64 flags = spin_lock_irqsave(&ct->target->cpu_timers.lock);

	ct->state = CPU_TIMER_IDLE;
	spin_unlock_irqrestore(&ct->target->cpu_timers.lock, flags);
}

/* Puts what is due on one queue in front of the chain. */
static struct cpu_timer *take_due(struct cpu_clock_queue *q, u64 now, struct cpu_timer *chain)
{
	while (q->first) {
		struct cpu_timer *ct = rb_entry(q->first, struct cpu_timer, node);

		if (ct->expires_ns > now)
			break;
		queue_remove(q, ct);
		ct->state = CPU_TIMER_FIRING;
		ct->next_due = chain;
		chain = ct;
	}
	return chain;
}

/* What is due on the clocks of p and of its current thread. */
static void fire_due(struct process *p)
{
	struct task *me = current;
	struct cpu_timer *due = NULL, *next;
	u64 flags = spin_lock_irqsave(&p->cpu_timers.lock);

	for (enum cpu_time i = 0; i < NR_CPU_TIMES; i++) {
		if (p->cpu_timers.queue[i].first)
			due = take_due(&p->cpu_timers.queue[i], process_counted(p, i), due);
		if (me->cpu_queue[i].first)
			due = take_due(&me->cpu_queue[i], thread_counted(me, i), due);
	}
	spin_unlock_irqrestore(&p->cpu_timers.lock, flags);
	for (; due; due = next) {
		next = due->next_due;
		due->fn(due);
	}
}

/* --- interval timers and limits --- */

/* True when it has expired; a periodic one is set for the next time. */
static bool expire(struct cpu_itimer *it, u64 now)
{
	if (!it->expires_ns || now < it->expires_ns)
		return false;
	it->expires_ns = it->interval_ns ? MAX(it->expires_ns + it->interval_ns, now) : 0;
	return true;
}

/* SIGXCPU at the soft limit and each step after it, SIGKILL at the hard one. */
static int limit_signal(struct rlimit64 *lim, u64 used, u64 step)
{
	if (lim->rlim_cur == RLIM64_INFINITY || used < lim->rlim_cur)
		return 0;
	if (used >= lim->rlim_max)
		return SIGKILL;
	WRITE_ONCE(lim->rlim_cur, used + step);
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
	int limit = limit_signal(&p->rlimits[RLIMIT_CPU], runtime / NSEC_PER_SEC, 1);
	int rt_limit = limit_signal(&p->rlimits[RLIMIT_RTTIME],
				    current->se.rt_ran_ns / NSEC_PER_USEC, 1000000);

	cpu_timers_update_locked(p);
	spin_unlock_irqrestore(&p->siglock, flags);
	send(p, virt ? SIGVTALRM : 0);
	send(p, prof ? SIGPROF : 0);
	send(p, limit);
	send(p, rt_limit);
	fire_due(p);
}
