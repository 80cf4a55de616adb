/*
 * The core of the scheduler: switching, waking, and the run queue's common operations.
 *
 * Locks: task->wake_lock, then one run-queue lock, interrupts disabled; a second run queue's lock is
 * only ever tried (balance.c). wake_lock serialises wake-ups and changes of parameters; the
 * run-queue lock of task->cpu guards the task's place there.
 *
 * Sleeping and waking:
 *   1. A sleeper sets its state (full barrier), tests its condition, calls schedule(), which takes it
 *      off the queue under the queue's lock if the state is still not TASK_RUNNING.
 *   2. A waker changes the condition, then looks at the state under wake_lock. A task that is still
 *      on its queue just gets TASK_RUNNING back, under that queue's lock, so (1) sees it. One that
 *      is off the queue may still be on its way out (on_cpu): the waker waits for the end of the
 *      switch, which runs with interrupts disabled, and queues it anew.
 *   3. A preempted task keeps its state and stays queued: preemption is never a sleep.
 *
 * Switching: prev's schedule() takes the lock; after arch_switch the next task releases it in
 * sched_finish_switch, which also ends prev's on_cpu. So a task can never run on two CPUs, and
 * what must not happen on prev's own stack (the last reference of a dead task, moving a task that
 * may not stay here) happens there.
 */
#include <arch/mmu.h>
#include <arch/timer.h>
#include <lib/log.h>
#include <mm/mm.h>
#include <sync/rcu.h>
#include <time/clock.h>
#include <time/timer.h>
#include <linux/membarrier.h>
#include <task/rseq.h>
#include "run_queue.h"

#define SYNC_CORE_REGISTERED MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE

DEFINE_PER_CPU(struct run_queue, run_queue) = {.lock = SPINLOCK_INIT(LOCK_RANK_RUN_QUEUE)};
struct cpumask sched_cpus, idle_cpus;

struct run_queue *task_rq_lock(const struct task *t) NO_THREAD_SAFETY
{
	for (;;) {
		struct run_queue *rq = cpu_rq(READ_ONCE(t->cpu));

		spin_lock(&rq->lock);
		if (likely(rq->cpu == READ_ONCE(t->cpu)))
			return rq;
		spin_unlock_no_resched(&rq->lock);
	}
}

/* --- the run queue --- */

void sched_resched_this_cpu(void)
{
	task_set_work(current, WORK_RESCHED);
	this_cpu_and(preempt_count, ~NO_RESCHED);
}

void rq_resched(struct run_queue *rq)
{
	if (rq_is_local(rq)) {
		if (!need_resched())
			sched_resched_this_cpu();
	} else if (!__atomic_exchange_n(&rq->resched_sent, 1, __ATOMIC_SEQ_CST)) {
		arch_send_reschedule(rq->cpu);
	}
}

void rq_update(struct run_queue *rq)
{
	struct task *t = rq->curr;
	u64 ran;

	rq->clock = clock_monotonic();
	ran = rq->clock - t->se.exec_start_ns;
	if (t == rq->idle || (s64)ran <= 0)
		return;
	t->se.exec_start_ns = rq->clock;
	account_ran(rq, t, ran);
	if (likely(!task_is_rt(t)))
		fair_account(rq, t, ran);
	else
		rt_account(rq, t, ran);
}

void rq_activate(struct run_queue *rq, struct task *t)
{
	t->se.on_rq = ON_RQ_QUEUED;
	WRITE_ONCE(rq->nr_running, rq->nr_running + 1);
	if (task_is_rt(t))
		rt_enqueue(rq, t);
	else
		fair_enqueue(rq, t);
}

void rq_deactivate(struct run_queue *rq, struct task *t, u8 on_rq)
{
	if (task_is_rt(t))
		rt_dequeue(rq, t);
	else
		fair_dequeue(rq, t);
	WRITE_ONCE(rq->nr_running, rq->nr_running - 1);
	/* Last: who sees the task off the queue without the lock may queue it elsewhere. */
	smp_store_release(&t->se.on_rq, on_rq);
}

static bool preempts_fair(struct run_queue *rq, const struct task *t)
{
	const struct task *curr = rq->curr;

	if (curr->sched.policy == SCHED_IDLE && t->sched.policy != SCHED_IDLE)
		return true;
	return t->sched.policy == SCHED_NORMAL && fair_beats_running(rq, t);
}

/* The running task has got company: its slice ends now, at the latest when a new one would. */
static void arm_for_newcomer(struct run_queue *rq)
{
	if (unlikely(rq->rt.nr))
		rq_arm(rq);
	else if (rq->fair.nr == 2)
		timer_slice_within(rq->clock + FAIR_SLICE_NS);
}

/* t has just become runnable: should its CPU pass schedule() soon? */
static inline bool newcomer_wants_cpu(struct run_queue *rq, struct task *t)
{
	const struct task *curr = rq->curr;
	bool preempt;

	if (curr == rq->idle)
		preempt = true;
	else if (task_is_rt(t))
		preempt = !task_is_rt(curr) || t->sched.rt_priority > curr->sched.rt_priority;
	else
		preempt = !task_is_rt(curr) && preempts_fair(rq, t);
	if (preempt)
		return true;
	if (rq->nr_running == 2 && !rq_is_local(rq))
		return true; /* only its own CPU can arm the end of the slice */
	if (rq_is_local(rq))
		arm_for_newcomer(rq);
	return false;
}

void rq_check_preempt(struct run_queue *rq, struct task *t)
{
	if (newcomer_wants_cpu(rq, t))
		rq_resched(rq);
}

void rq_set_next(struct run_queue *rq, struct task *t)
{
	if (task_is_rt(t))
		rt_set_next(rq, t);
	else
		fair_set_next(rq, t);
}

static u64 class_event(const struct run_queue *rq)
{
	u64 at = U64_MAX;

	if (unlikely(rq->rt.nr))
		at = rt_next_event(rq);
	if (rq->fair.nr > 1 && rq->fair.curr)
		at = MIN(at, rq->clock + fair_slice_left(rq));
	return at;
}

void rq_arm(struct run_queue *rq)
{
	const struct process *p = rq->curr->process;
	u64 at;

	if (rq->curr == rq->idle) {
		timer_slice_arm(U64_MAX);
		return;
	}
	at = rq->next_sample_ns;
	if (rq->nr_running > 1)
		at = MIN(at, class_event(rq));
	if (unlikely(p && READ_ONCE(p->cpu_timers.active)))
		at = MIN(at, rq->clock + CPU_TIMER_STEP_NS);
	timer_slice_arm(at);
}

void sched_restart_tick(void)
{
	struct run_queue *rq;

	arch_irq_disable();
	rq = this_rq();
	spin_lock(&rq->lock);
	rq_update(rq);
	rq_arm(rq);
	spin_unlock_irq(&rq->lock);
}

void sched_tick(u64 now)
{
	struct run_queue *rq = this_rq();
	struct process *p;

	spin_lock(&rq->lock);
	rq_update(rq);
	account_sample(rq, irq_from_user_mode());
	if (unlikely(rq->rt.nr) && !task_is_rt(rq->curr) && !rt_throttled(rq))
		rq_resched(rq); /* a new period: the real-time class is served again */
	balance_tick(rq);
	rq_arm(rq);
	p = rq->curr->process; /* current: it stays */
	spin_unlock_no_resched(&rq->lock);
	loadavg_tick(now);
	if (unlikely(p && READ_ONCE(p->cpu_timers.active)))
		cpu_timers_check(p);
}

/* --- switching --- */

/*
 * Kernel threads borrow the address space that is loaded, with a reference to its structure, so
 * that switching to one and back costs nothing.
 */
static inline void switch_mm(struct run_queue *rq, struct task *prev, struct task *next)
{
	struct mm *loaded = prev->active_mm;

	if (!next->mm) {
		next->active_mm = loaded;
		if (prev->mm && loaded) {
			mm_ref(loaded);
			arch_mm_lazy_enter();
		} else if (!prev->mm) {
			prev->active_mm = NULL; /* the reference moves on */
		}
		return;
	}
	next->active_mm = next->mm;
	if (next->mm != loaded)
		arch_mm_switch(next->mm);
	else if (unlikely(READ_ONCE(loaded->membarrier) & SYNC_CORE_REGISTERED) && !prev->mm)
		task_set_work(next, WORK_IRET); /* refetches instructions, as a load of CR3 does */
	if (!prev->mm) {
		arch_mm_lazy_leave();
		prev->active_mm = NULL;
		rq->drop_mm = loaded;
	}
}

static void push_away(struct task *t)
{
	u64 flags = spin_lock_irqsave(&t->wake_lock);
	struct run_queue *rq;

	t->cpu = select_cpu(t, false);
	rq = task_rq_lock(t);
	rq_update(rq);
	rq_activate(rq, t);
	rq_check_preempt(rq, t);
	task_rq_unlock(rq);
	spin_unlock_irqrestore(&t->wake_lock, flags);
}

void sched_finish_switch(struct task *prev) NO_THREAD_SAFETY
{
	struct run_queue *rq = this_rq();
	struct mm *drop = rq->drop_mm;
	struct task *push = rq->push;
	bool dead = prev->state == TASK_DEAD;

	rq->drop_mm = NULL;
	rq->push = NULL;
	/* From here on prev may run elsewhere; pairs with the waker's acquire. */
	smp_store_release(&prev->on_cpu, 0);
	spin_unlock_no_resched(&rq->lock);
	arch_irq_enable();
	if (unlikely(drop))
		mm_unref(drop);
	if (unlikely(push))
		push_away(push);
	if (unlikely(dead))
		task_put(prev);
}

static void switch_to(struct run_queue *rq, struct task *prev, struct task *next)
{
	rq->nr_switches++;
	next->se.exec_start_ns = rq->clock;
	next->on_cpu = 1;
	rseq_switch(prev, next, rq->cpu);
	switch_mm(rq, prev, next);
	sched_finish_switch(arch_switch(prev, next));
}

static struct task *pick_next(struct run_queue *rq, struct task *prev)
{
	if (unlikely(!rq->nr_running)) {
		balance_idle(rq);
		if (!rq->nr_running)
			return rq->idle;
	}
	if (unlikely(rq->rt.nr)) {
		struct task *t = rt_pick(rq, prev);

		if (t)
			return t;
	}
	return rq->fair.nr ? fair_pick(rq) : rq->idle;
}

static void put_prev(struct run_queue *rq, struct task *prev)
{
	if (prev == rq->idle) {
		account_idle_end(rq);
		__atomic_fetch_and(&idle_cpus.bits, ~BIT(rq->cpu), __ATOMIC_RELAXED);
	} else if (prev->se.on_rq != ON_RQ_QUEUED) {
		return;
	} else if (task_is_rt(prev)) {
		rt_put_prev(rq, prev);
	} else {
		fair_put_prev(rq, prev);
	}
}

/* prev wants to sleep; unless a signal that its sleep reacts to is there already. */
static void sleep_prev(struct run_queue *rq, struct task *prev, u32 state)
{
	if (unlikely((state & TASK_INTERRUPTIBLE) && signal_pending(prev))) {
		WRITE_ONCE(prev->state, TASK_RUNNING);
		return;
	}
	if ((state & TASK_UNINTERRUPTIBLE) && !(prev->flags & TASK_F_KTHREAD)) {
		prev->se.uninterruptible = true;
		rq->nr_uninterruptible++;
	}
	rq_deactivate(rq, prev, ON_RQ_NO);
}

/* prev may not stay on this CPU any more: it is queued elsewhere once it has left its stack. */
static void evict_prev(struct run_queue *rq, struct task *prev)
{
	rq_deactivate(rq, prev, ON_RQ_MIGRATING);
	rq->push = prev;
}

static void clear_resched(struct run_queue *rq, struct task *prev)
{
	this_cpu_or(preempt_count, NO_RESCHED);
	if (READ_ONCE(prev->work) & WORK_RESCHED)
		task_clear_work(prev, WORK_RESCHED);
	if (READ_ONCE(rq->resched_sent))
		__atomic_store_n(&rq->resched_sent, 0, __ATOMIC_SEQ_CST);
}

/* One pass. Called with preemption count 0; returns with interrupts enabled. */
static void schedule_once(bool preempt) NO_THREAD_SAFETY
{
	struct run_queue *rq;
	struct task *prev, *next;
	u32 state;

	arch_irq_disable();
	rq = this_rq();
	spin_lock(&rq->lock);
	prev = rq->curr;
	rcu_quiescent();
	rq_update(rq);
	state = READ_ONCE(prev->state);
	if (!preempt && state != TASK_RUNNING)
		sleep_prev(rq, prev, state);
	if (unlikely(prev->se.on_rq == ON_RQ_QUEUED && !cpu_allowed(prev, rq->cpu)))
		evict_prev(rq, prev);
	next = pick_next(rq, prev);
	clear_resched(rq, prev);
	if (next == prev) {
		rq_arm(rq);
		spin_unlock_no_resched(&rq->lock);
		arch_irq_enable();
		return;
	}
	if (prev->se.on_rq == ON_RQ_QUEUED)
		prev->se.nr_switches_involuntary++;
	else
		prev->se.nr_switches_voluntary++;
	put_prev(rq, prev);
	if (next == rq->idle)
		account_idle_start(rq);
	else
		rq_set_next(rq, next);
	WRITE_ONCE(rq->curr, next);
	rq_arm(rq);
	switch_to(rq, prev, next);
}

void schedule(void)
{
	ASSERT(!in_atomic());
	do {
		schedule_once(false);
	} while (unlikely(need_resched()));
}

void preempt_schedule(void)
{
	if (this_cpu_read(preempt_count) || arch_irqs_disabled())
		return;
	do {
		schedule_once(true);
	} while (unlikely(need_resched()));
}

/*
 * Each pass ends with interrupts enabled for a moment. One that comes there must not begin anew on top of
 * this: on a CPU so slow that every slice is over by then, the stack would fill with such frames.
 */
void preempt_schedule_irq(void)
{
	if (current->preempting)
		return; /* the loop below goes on */
	current->preempting = true;
	do {
		schedule_once(true);
		arch_irq_disable();
	} while (unlikely(need_resched()));
	current->preempting = false;
}

void sched_yield(void)
{
	struct run_queue *rq;

	arch_irq_disable();
	rq = this_rq();
	spin_lock(&rq->lock);
	if (rq->nr_running == 1 && !need_resched()) {
		spin_unlock_irq(&rq->lock); /* nobody to yield to */
		return;
	}
	rq_update(rq);
	if (task_is_rt(current))
		current->se.rt_to_tail = true;
	else
		fair_yield(rq);
	spin_unlock_no_resched(&rq->lock);
	arch_irq_enable();
	schedule();
}

/*
 * Interrupts go off first: whoever sees a task that is dead and on no CPU frees its stack
 * (task_release_stack), so a dead task must not be preempted on its way out.
 */
__noreturn void sched_exit(void)
{
	arch_irq_disable();
	WRITE_ONCE(current->state, TASK_DEAD);
	schedule_once(false);
	panic("a dead task runs");
}

void sched_set_state(u32 state)
{
	__atomic_exchange_n(&current->state, state, __ATOMIC_SEQ_CST);
}

/* --- waking --- */

/* Still on its queue: its CPU has not put it to sleep yet. False when it has meanwhile. */
static bool wake_queued(struct task *t)
{
	struct run_queue *rq;
	bool queued;

	if (smp_load_acquire(&t->se.on_rq) == ON_RQ_NO)
		return false;
	rq = task_rq_lock(t);
	queued = t->se.on_rq != ON_RQ_NO;
	if (queued)
		WRITE_ONCE(t->state, TASK_RUNNING);
	task_rq_unlock(rq);
	return queued;
}

/* wake_lock held; t is off every queue and will stay so until we queue it. */
static __always_inline void wake_sleeping(struct task *t, bool new)
{
	struct run_queue *rq;
	bool resched;

	while (smp_load_acquire(&t->on_cpu))
		cpu_relax();
	WRITE_ONCE(t->state, TASK_RUNNING);
	t->cpu = select_cpu(t, new);
	rq = cpu_rq(t->cpu);
	spin_lock(&rq->lock);
	if (unlikely(t->se.uninterruptible)) {
		t->se.uninterruptible = false;
		rq->nr_uninterruptible--;
	}
	rq_update(rq);
	rq_activate(rq, t);
	resched = newcomer_wants_cpu(rq, t);
	spin_unlock_no_resched(&rq->lock);
	/* Not sooner: the other CPU would begin by waiting for the lock. */
	if (resched)
		rq_resched(rq);
}

bool sched_wake(struct task *t, u32 states)
{
	u64 flags;
	bool woken = false;

	if (t == current && !in_hardirq()) { /* it runs: there is nothing to queue */
		if (!(t->state & states))
			return false;
		WRITE_ONCE(t->state, TASK_RUNNING);
		return true;
	}
	flags = spin_lock_irqsave(&t->wake_lock);
	smp_mb(); /* the condition was set before; pairs with sched_set_state */
	if (READ_ONCE(t->state) & states) {
		woken = true;
		if (!wake_queued(t))
			wake_sleeping(t, false);
	}
	spin_unlock_irqrestore(&t->wake_lock, flags);
	return woken;
}

void sched_wake_new(struct task *t)
{
	u64 flags = spin_lock_irqsave(&t->wake_lock);

	wake_sleeping(t, true);
	spin_unlock_irqrestore(&t->wake_lock, flags);
}

void sched_wait_inactive(struct task *t)
{
	for (;;) {
		u64 flags = arch_irq_save();
		struct run_queue *rq = task_rq_lock(t);
		bool busy = t->se.on_rq != ON_RQ_NO || READ_ONCE(t->on_cpu);

		task_rq_unlock(rq);
		arch_irq_restore(flags);
		if (!busy)
			return;
		sched_set_state(TASK_UNINTERRUPTIBLE);
		(void)schedule_until(clock_monotonic() + 50 * NSEC_PER_USEC);
	}
}

/* --- sleeping for a time --- */

struct sleep_timer {
	struct timer timer;
	struct task *task;
};

static void sleep_over(struct timer *t)
{
	sched_wake(container_of(t, struct sleep_timer, timer)->task, TASK_NORMAL);
}

u64 schedule_until(u64 deadline_ns)
{
	struct sleep_timer s = {.task = current};
	u64 now = clock_monotonic();

	if (now >= deadline_ns) {
		WRITE_ONCE(current->state, TASK_RUNNING);
		return 0;
	}
	timer_init(&s.timer, sleep_over);
	timer_arm(&s.timer, deadline_ns);
	schedule();
	timer_cancel_sync(&s.timer);
	now = clock_monotonic();
	return now < deadline_ns ? deadline_ns - now : 0;
}
