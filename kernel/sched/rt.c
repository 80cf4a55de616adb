/*
 * The real-time class: SCHED_FIFO and SCHED_RR, one list per priority and a bitmap of those that are
 * not empty. The highest priority runs; among equals the head of the list. All functions run with the
 * run-queue lock held.
 *
 * A preempted task returns to the head of its list, one that has used its turn up (RR) or yielded
 * to the tail. So that a runaway real-time program cannot lock everybody else out, the class is
 * passed over for the rest of each second in which it has used its part (/proc/sys/kernel/sched_rt_runtime_us)
 * while fair tasks wait.
 */
#include <lib/bits.h>
#include "run_queue.h"

static inline unsigned int level(const struct task *t)
{
	return RT_PRIOS - 1 - t->sched.rt_priority; /* lower bit: higher priority */
}

static void list_insert(struct rt_queue *r, struct task *t, bool tail)
{
	unsigned int n = level(t);

	if (!(r->bitmap[n / 64] & BIT(n % 64))) {
		list_init(&r->list[n]);
		bitmap_set_plain(r->bitmap, n);
	}
	if (tail)
		list_add_tail(&t->se.rt_node, &r->list[n]);
	else
		list_add(&t->se.rt_node, &r->list[n]);
}

static void list_remove(struct rt_queue *r, struct task *t)
{
	unsigned int n = level(t);

	list_del(&t->se.rt_node);
	if (list_empty(&r->list[n]))
		bitmap_clear_plain(r->bitmap, n);
}

static struct task *first(struct rt_queue *r)
{
	unsigned int n;

	if (r->bitmap[0])
		n = bit_lowest(r->bitmap[0]);
	else if (r->bitmap[1])
		n = 64 + bit_lowest(r->bitmap[1]);
	else
		return NULL;
	return list_first(&r->list[n], struct task, se.rt_node);
}

static bool has_equal_waiting(const struct rt_queue *r, const struct task *t)
{
	return r->bitmap[level(t) / 64] & BIT(level(t) % 64);
}

s32 sched_rt_runtime_us = 950000;

/* How long the class may run in each period. */
static u64 runtime_ns(void)
{
	s32 us = READ_ONCE(sched_rt_runtime_us);

	return us < 0 ? RT_PERIOD_NS : (u64)us * NSEC_PER_USEC;
}

/* With all of the period for itself, the class is never passed over. */
bool rt_throttled(const struct run_queue *rq)
{
	const struct rt_queue *r = &rq->rt;
	u64 allowed;

	if (likely(!rq->fair.nr))
		return false;
	allowed = runtime_ns();
	return allowed < RT_PERIOD_NS && r->used_ns >= allowed &&
	       rq->clock - r->period_start_ns < RT_PERIOD_NS;
}

void rt_account(struct run_queue *rq, struct task *t, u64 ran_ns)
{
	struct rt_queue *r = &rq->rt;

	if (rq->clock - r->period_start_ns >= RT_PERIOD_NS) {
		r->period_start_ns = rq->clock;
		r->used_ns = 0;
	}
	r->used_ns += ran_ns;
	t->se.rt_ran_ns += ran_ns;
	if (rt_throttled(rq))
		rq_resched(rq);
	if (t->sched.policy != SCHED_RR)
		return;
	if (t->se.rt_slice_left_ns > ran_ns) {
		t->se.rt_slice_left_ns -= ran_ns;
		return;
	}
	t->se.rt_slice_left_ns = RR_SLICE_NS;
	if (has_equal_waiting(r, t)) {
		t->se.rt_to_tail = true;
		rq_resched(rq);
	}
}

void rt_enqueue(struct run_queue *rq, struct task *t)
{
	t->se.rt_to_tail = false;
	t->se.rt_ran_ns = 0;
	list_insert(&rq->rt, t, true);
	rq->rt.nr++;
}

void rt_dequeue(struct run_queue *rq, struct task *t)
{
	if (rq->curr != t)
		list_remove(&rq->rt, t);
	rq->rt.nr--;
}

void rt_put_prev(struct run_queue *rq, struct task *t)
{
	list_insert(&rq->rt, t, t->se.rt_to_tail);
	t->se.rt_to_tail = false;
}

void rt_set_next(struct run_queue *rq, struct task *t)
{
	list_remove(&rq->rt, t);
}

struct task *rt_pick(struct run_queue *rq, struct task *prev)
{
	struct task *t = first(&rq->rt);

	if (rt_throttled(rq))
		return NULL;
	if (!task_is_rt(prev) || prev->se.on_rq != ON_RQ_QUEUED || prev == rq->idle)
		return t;
	if (t && (t->sched.rt_priority > prev->sched.rt_priority ||
		  (prev->se.rt_to_tail && t->sched.rt_priority == prev->sched.rt_priority)))
		return t;
	prev->se.rt_to_tail = false;
	return prev;
}

u64 rt_next_event(const struct run_queue *rq)
{
	const struct rt_queue *r = &rq->rt;
	const struct task *t = rq->curr;
	u64 at = U64_MAX;

	if (!task_is_rt(t) || t == rq->idle) /* throttled tasks wait for the next period */
		return r->nr ? r->period_start_ns + RT_PERIOD_NS : U64_MAX;
	if (t->sched.policy == SCHED_RR && has_equal_waiting(r, t))
		at = rq->clock + t->se.rt_slice_left_ns;
	if (rq->fair.nr && r->used_ns < runtime_ns())
		at = MIN(at, rq->clock + runtime_ns() - r->used_ns);
	return at;
}

struct task *rt_steal_candidate(struct run_queue *rq, u32 cpu)
{
	struct task *t = first(&rq->rt);

	return t && cpu_allowed(t, cpu) ? t : NULL;
}
