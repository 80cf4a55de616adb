/*
 * POSIX timers: creation, deletion, and what happens when one expires.
 *
 * A process keeps its timers in a sparse array by id. table->lock serialises creation and deletion;
 * look-ups run under RCU and take a reference. Everything that changes in a timer is guarded by the
 * siglock of its process, which the expiry takes too; so whoever disarms a timer uses try_cancel
 * under that lock and steps back while the expiry is on its way.
 *
 * A periodic timer is not armed again when it expires but when its signal is taken
 * (posix_timer_signal_taken): a blocked signal costs no interrupts, and the periods missed become
 * the overrun count. `requeue` tells the expiry whose signal is pending (odd) from those before the
 * last setting. Only when the signal is ignored does the timer go on by itself, no faster than the
 * coarse clock.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <lib/xarray.h>
#include <mm/slab.h>
#include <syscall/table.h>
#include "posix_timer_internal.h"

struct posix_timers {
	struct mutex lock;    /* LOCK_RANK_SLEEP_INNER */
	struct xarray by_id;  /* lock; RCU to read */
	u32 next_id;          /* lock */
};

static struct posix_timers *table_get(struct process *p)
{
	struct posix_timers *table = __atomic_load_n(&p->posix_timers, __ATOMIC_ACQUIRE), *none = NULL;

	if (table)
		return table;
	table = kzalloc(sizeof(*table), GFP_KERNEL);
	if (!table)
		return NULL;
	mutex_init(&table->lock, LOCK_RANK_SLEEP_INNER);
	if (__atomic_compare_exchange_n(&p->posix_timers, &none, table, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return table;
	kfree(table); /* another thread was faster */
	return none;
}

static void timer_free_rcu(struct rcu_head *head)
{
	struct posix_timer *t = container_of(head, struct posix_timer, rcu);

	if (t->thread)
		task_put(t->thread);
	kfree(t);
}

void posix_timer_put(struct posix_timer *t)
{
	if (ref_put(&t->ref))
		rcu_call(&t->rcu, timer_free_rcu);
}

struct posix_timer *posix_timer_get(s32 id)
{
	struct posix_timers *table = __atomic_load_n(&current->process->posix_timers, __ATOMIC_ACQUIRE);
	struct posix_timer *t;

	if (!table || id < 0)
		return NULL;
	rcu_read_lock();
	t = xa_load(&table->by_id, (u64)id);
	if (t && !ref_get_unless_zero(&t->ref))
		t = NULL;
	rcu_read_unlock();
	return t;
}

/* --- arming and expiry; siglock held --- */

u64 posix_timer_counted_now(const struct posix_timer *t)
{
	return t->on_cpu_clock ? cpu_timer_counted(&t->cpu) : clock_now(t->base);
}

void posix_timer_start_locked(struct posix_timer *t)
{
	t->active = true;
	if (t->on_cpu_clock)
		cpu_timer_arm(&t->cpu, t->expires_ns);
	else
		clock_timer_arm(&t->timer, t->base, t->expires_ns);
}

int posix_timer_try_stop_locked(struct posix_timer *t)
{
	return t->on_cpu_clock ? cpu_timer_try_cancel(&t->cpu) : clock_timer_try_cancel(&t->timer);
}

/* Moves a periodic timer past now; the periods that are skipped count. */
static void forward_locked(struct posix_timer *t, u64 now_ns)
{
	u64 steps;

	t->expires_ns = clock_forward(t->expires_ns, t->interval_ns, now_ns, &steps);
	t->overrun += (s64)steps;
}

void posix_timer_catch_up_locked(struct posix_timer *t, u64 now_ns)
{
	if (t->interval_ns && (t->requeue & 1 || t->notify == SIGEV_NONE))
		forward_locked(t, now_ns);
}

static s32 overrun_to_int(s64 overrun)
{
	return overrun > INT_MAX ? INT_MAX : (s32)overrun;
}

void posix_timer_signal_taken(struct posix_timer *t, siginfo_t *info)
{
	if (!t->interval_ns || (u32)info->si_sys_private != t->requeue)
		return;
	forward_locked(t, posix_timer_counted_now(t));
	posix_timer_start_locked(t);
	t->overrun_last = overrun_to_int(t->overrun + info->si_overrun);
	t->overrun = -1;
	t->requeue++;
	info->si_overrun = t->overrun_last;
}

/* A signal that is ignored may be wanted later; until then a short period must not eat the CPU. */
static void go_on_ignored_locked(struct posix_timer *t)
{
	u64 now = posix_timer_counted_now(t);

	if (t->interval_ns < CLOCK_COARSE_NS)
		now += CLOCK_COARSE_NS;
	forward_locked(t, now);
	t->requeue++;
	posix_timer_start_locked(t);
}

void posix_timer_expire_locked(struct posix_timer *t)
{
	siginfo_t *info = signal_reserved_info(t->entry);

	t->active = false;
	info->si_sys_private = 0;
	if (t->interval_ns)
		info->si_sys_private = (int)++t->requeue;
	if (!signal_send_reserved_locked(t->process, t->thread, t->entry) && t->interval_ns)
		go_on_ignored_locked(t);
}

static void clock_expired(struct timer *timer)
{
	struct posix_timer *t = container_of(timer, struct posix_timer, timer.timer);
	struct process *p = t->process;
	u64 flags = spin_lock_irqsave(&p->siglock);

	if (clock_timer_due(&t->timer) && t->active)
		posix_timer_expire_locked(t);
	spin_unlock_irqrestore(&p->siglock, flags);
}

static void cpu_expired(struct cpu_timer *cpu)
{
	struct posix_timer *t = container_of(cpu, struct posix_timer, cpu);
	struct process *p = t->process;
	u64 flags = spin_lock_irqsave(&p->siglock);

	cpu_timer_fired(cpu);
	if (t->active)
		posix_timer_expire_locked(t);
	spin_unlock_irqrestore(&p->siglock, flags);
}

/* --- creation --- */

/* Which clocks have timers, and who may use them. */
static int clock_check(int clock)
{
	if (clock < 0)
		return CPU_CLOCK_KIND(clock) == CPU_CLOCK_FD ? -EINVAL : 0;
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_THREAD_CPUTIME_ID:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		return 0;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return capable(CAP_WAKE_ALARM) ? 0 : -EPERM;
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}

/* The thread that a signal is for: of the own process, with a reference. NULL in *out: anybody. */
static int event_thread(const struct sigevent *ev, struct task **out)
{
	struct task *t;

	if (ev->sigev_notify != (SIGEV_SIGNAL | SIGEV_THREAD_ID))
		return 0;
	t = task_find_get(ev->sigev_notify_thread_id);
	if (!t)
		return -EINVAL;
	if (t->process != current->process) {
		task_put(t);
		return -EINVAL;
	}
	*out = t;
	return 0;
}

static int event_check(const struct sigevent *ev)
{
	switch (ev->sigev_notify) {
	case SIGEV_NONE:
		return 0;
	case SIGEV_SIGNAL:
	case SIGEV_THREAD:
	case SIGEV_SIGNAL | SIGEV_THREAD_ID:
		return ev->sigev_signo > 0 && ev->sigev_signo <= SIGNAL_MAX ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static int timer_init_clock(struct posix_timer *t)
{
	if (clock_is_cpu(t->clock)) {
		t->on_cpu_clock = true;
		return cpu_timer_init(&t->cpu, t->clock, cpu_expired);
	}
	t->base = (u32)clock_without_alarm(t->clock);
	clock_timer_init(&t->timer, clock_expired);
	return 0;
}

/* The last step that can fail comes first in the order of undoing. */
static int timer_build(int clock, const struct sigevent *ev, struct posix_timer **out)
{
	struct posix_timer *t = kzalloc(sizeof(*t), GFP_KERNEL);
	int err;

	if (!t)
		return -EAGAIN;
	ref_init(&t->ref);
	t->process = current->process;
	t->clock = clock;
	t->notify = ev->sigev_notify;
	t->entry = signal_reserve(t);
	if (!t->entry) {
		kfree(t);
		return -EAGAIN;
	}
	err = event_check(ev);
	if (!err)
		err = event_thread(ev, &t->thread);
	if (!err)
		err = timer_init_clock(t);
	if (err) {
		spin_lock_irq(&t->process->siglock);
		signal_unreserve_locked(t->entry);
		spin_unlock_irq(&t->process->siglock);
		posix_timer_put(t);
		return err;
	}
	*out = t;
	return 0;
}

/* It is in no table (any more). */
static void timer_destroy(struct posix_timer *t)
{
	struct process *p = t->process;

	for (;;) {
		spin_lock_irq(&p->siglock);
		if (posix_timer_try_stop_locked(t) >= 0)
			break;
		spin_unlock_irq(&p->siglock);
		cpu_relax();
	}
	t->active = false;
	t->dead = true;
	signal_unreserve_locked(t->entry);
	spin_unlock_irq(&p->siglock);
	if (t->on_cpu_clock)
		cpu_timer_fini(&t->cpu);
	posix_timer_put(t);
}

static void fill_info(struct posix_timer *t, const struct sigevent *ev)
{
	siginfo_t *info = signal_reserved_info(t->entry);

	info->si_signo = ev->sigev_signo;
	info->si_code = SI_TIMER;
	info->si_tid = t->id;
	info->si_value = ev->sigev_value;
}

/* Numbers go round, so that the number of a deleted timer is not soon another one's. */
static int table_add(struct posix_timers *table, struct posix_timer *t)
{
	u64 id;
	int err;

	mutex_lock(&table->lock);
	err = xa_find_free(&table->by_id, table->next_id, INT_MAX, &id);
	if (err)
		err = xa_find_free(&table->by_id, 0, INT_MAX, &id);
	if (!err) {
		t->id = (s32)id;
		err = xa_store(&table->by_id, id, t, NULL);
	}
	if (!err)
		table->next_id = id == INT_MAX ? 0 : (u32)id + 1;
	mutex_unlock(&table->lock);
	return err ? -EAGAIN : 0;
}

/* True for the one caller that takes it out. */
static bool table_remove(struct posix_timers *table, struct posix_timer *t)
{
	bool mine;

	mutex_lock(&table->lock);
	mine = xa_load(&table->by_id, (u64)t->id) == t;
	if (mine)
		xa_erase(&table->by_id, (u64)t->id);
	mutex_unlock(&table->lock);
	return mine;
}

static int timer_create(int clock, struct sigevent *ev, bool default_event, struct user_int uid)
{
	struct posix_timers *table = table_get(current->process);
	struct posix_timer *t;
	int err = table ? timer_build(clock, ev, &t) : -EAGAIN;

	if (err)
		return err;
	t->clock = clock;
	err = table_add(table, t);
	if (err) {
		timer_destroy(t);
		return err;
	}
	if (default_event)
		ev->sigev_value.sival_int = t->id;
	fill_info(t, ev);
	err = user_write(uid, &t->id);
	if (err && table_remove(table, t))
		timer_destroy(t);
	return err;
}

long sys_timer_create(u32 clock, struct user_bytes event, struct user_int id)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	bool given = !user_is_null(event);
	int err;

	if (given && user_read_bytes(&ev, event, sizeof(ev)))
		return -EFAULT;
	err = clock_check((int)clock);
	return err ? err : timer_create((int)clock, &ev, !given, id);
}

long sys_timer_delete(int id)
{
	struct posix_timer *t = posix_timer_get(id);
	bool mine;

	if (!t)
		return -EINVAL;
	mine = table_remove(current->process->posix_timers, t);
	if (mine)
		timer_destroy(t);
	posix_timer_put(t);
	return mine ? 0 : -EINVAL;
}

void posix_timers_delete_all(struct process *p)
{
	struct posix_timers *table = p->posix_timers;
	struct posix_timer *t;
	u64 id;

	if (!table)
		return;
	p->posix_timers = NULL;
	xa_for_each(&table->by_id, id, t)
		timer_destroy(t);
	xa_destroy(&table->by_id);
	kfree(table);
}
