/*
 * Timer queues: one per CPU, a red-black tree in deadline order with its first node cached, under a
 * lock taken with interrupts disabled. A timer is armed on the CPU that arms it. Callbacks run on
 * the queue's CPU in hard-interrupt context, without the lock.
 *
 *   1. t->cpu says whose lock guards t. It changes only while t is on no queue, under the old lock,
 *      passing through MIGRATING until it belongs to the new queue: lock_queue spins over that.
 *   2. While its callback runs, a timer stays with its queue, so it never runs on two CPUs at once.
 *      The queue remembers the running timer, and nothing touches a timer after its callback, so
 *      a callback may free it or let its owner do so.
 *   3. The hardware is programmed for the earliest of the queue and the scheduler's slice, and only
 *      ever moved forward; what was cancelled costs one interrupt that finds nothing to do. A timer
 *      that was armed for another CPU's queue under rule 2 is seen when that CPU's timer_interrupt
 *      ends, which is still going on.
 */
#include <arch/cpu.h>
#include <arch/timer.h>
#include <lib/log.h>
#include <sched/sched.h>
#include <sync/spinlock.h>
#include <time/clock.h>
#include <time/timer.h>
#include "internal.h"

#define MIGRATING U32_MAX

struct timer_queue {
	struct spinlock lock;        /* LOCK_RANK_TIMER */
	struct rb_root root;         /* lock */
	struct rb_node *first;       /* lock */
	const struct timer *running; /* lock */
	u64 armed_ns;                /* own CPU, interrupts disabled: what the hardware waits for */
};

static DEFINE_PER_CPU(struct timer_queue, timer_queue) = {
	.lock = SPINLOCK_INIT(LOCK_RANK_TIMER), .armed_ns = U64_MAX};
DEFINE_PER_CPU(u64, timer_slice_ns) = U64_MAX;

void timers_cpu_init(void)
{
	clock_start_folding();
}

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	*t = (struct timer){.fn = fn, .cpu = smp_processor_id()};
}

static u64 deadline_of(const struct rb_node *node)
{
	return node ? rb_entry(node, struct timer, node)->deadline_ns : U64_MAX;
}

/* Locks the queue that guards t. Interrupts disabled. */
static struct timer_queue *lock_queue(struct timer *t) NO_THREAD_SAFETY
{
	for (;;) {
		u32 cpu = READ_ONCE(t->cpu);
		struct timer_queue *q;

		if (unlikely(cpu == MIGRATING)) {
			cpu_relax();
			continue;
		}
		q = per_cpu_ptr(timer_queue, cpu);
		spin_lock(&q->lock);
		if (likely(t->cpu == cpu))
			return q;
		spin_unlock(&q->lock);
	}
}

static void queue_insert(struct timer_queue *q, struct timer *t)
{
	struct rb_node **link = &q->root.node, *parent = NULL;
	bool first = true;

	while (*link) {
		parent = *link;
		if (t->deadline_ns < deadline_of(parent)) {
			link = &parent->left;
		} else {
			link = &parent->right;
			first = false;
		}
	}
	rb_insert(&q->root, &t->node, parent, link, NULL);
	if (first)
		q->first = &t->node;
	t->queued = true;
}

static void queue_remove(struct timer_queue *q, struct timer *t)
{
	if (q->first == &t->node)
		q->first = rb_next(&t->node);
	rb_erase(&q->root, &t->node, NULL);
	t->queued = false;
}

/* This CPU's queue. Interrupts disabled. */
static void program(struct timer_queue *q, u64 deadline_ns)
{
	if (deadline_ns < q->armed_ns) {
		q->armed_ns = deadline_ns;
		arch_timer_arm(deadline_ns);
	}
}

/* Moves t, which is on no queue, from q (locked) to this CPU's, which is locked in its place. */
static struct timer_queue *move_here(struct timer_queue *q, struct timer *t, u32 cpu)
	NO_THREAD_SAFETY
{
	struct timer_queue *here = per_cpu_ptr(timer_queue, cpu);

	WRITE_ONCE(t->cpu, MIGRATING);
	spin_unlock_no_resched(&q->lock);
	spin_lock(&here->lock);
	smp_store_release(&t->cpu, cpu);
	return here;
}

void timer_arm(struct timer *t, u64 deadline_ns) NO_THREAD_SAFETY
{
	u64 flags = arch_irq_save();
	u32 cpu = smp_processor_id();
	struct timer_queue *q = lock_queue(t);

	if (t->queued)
		queue_remove(q, t);
	if (t->cpu != cpu && q->running != t)
		q = move_here(q, t, cpu);
	t->deadline_ns = deadline_ns;
	queue_insert(q, t);
	if (q->first == &t->node && t->cpu == cpu)
		program(q, deadline_ns);
	spin_unlock_irqrestore(&q->lock, flags);
}

bool timer_cancel(struct timer *t) NO_THREAD_SAFETY
{
	u64 flags = arch_irq_save();
	struct timer_queue *q = lock_queue(t);
	bool queued = t->queued;

	if (queued)
		queue_remove(q, t);
	spin_unlock_irqrestore(&q->lock, flags);
	return queued;
}

int timer_try_cancel(struct timer *t) NO_THREAD_SAFETY
{
	u64 flags = arch_irq_save();
	struct timer_queue *q = lock_queue(t);
	int res = t->queued;

	if (q->running == t)
		res = -1;
	else if (t->queued)
		queue_remove(q, t);
	spin_unlock_irqrestore(&q->lock, flags);
	return res;
}

void timer_cancel_sync(struct timer *t)
{
	while (timer_try_cancel(t) < 0)
		cpu_relax();
}

static void run_expired_locked(struct timer_queue *q, u64 now) NO_THREAD_SAFETY
{
	while (q->first && deadline_of(q->first) <= now) {
		struct timer *t = rb_entry(q->first, struct timer, node);

		queue_remove(q, t);
		q->running = t;
		spin_unlock_no_resched(&q->lock);
		t->fn(t);
		spin_lock(&q->lock);
		q->running = NULL;
	}
}

void timer_interrupt(void)
{
	struct timer_queue *q = this_cpu_ptr(timer_queue);
	u64 now = clock_monotonic(), next;

	q->armed_ns = U64_MAX;
	spin_lock(&q->lock);
	run_expired_locked(q, now);
	next = deadline_of(q->first);
	spin_unlock_no_resched(&q->lock);
	if (this_cpu_read(timer_slice_ns) <= now) {
		this_cpu_write(timer_slice_ns, U64_MAX);
		sched_tick(now);
	}
	program(q, MIN(next, this_cpu_read(timer_slice_ns)));
}

void timer_slice_arm(u64 deadline_ns)
{
	this_cpu_write(timer_slice_ns, deadline_ns);
	program(this_cpu_ptr(timer_queue), deadline_ns);
}
