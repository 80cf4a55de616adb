/*
 * The fair class: EEVDF, earliest eligible virtual deadline first. All functions run with the
 * run-queue lock held.
 *
 * Every task has a virtual runtime that advances by (time run) / weight. The average V of all
 * runnable tasks, weighted, is what each would have if the CPU were divided perfectly:
 *
 *   1. A task is eligible when it has had no more than its share: vruntime <= V.
 *   2. A request is one slice; its virtual deadline is vruntime + slice / weight when it is made, and a
 *      new one is made when the slice is used up.
 *   3. Of the eligible tasks the one with the earliest deadline runs. So a task's lag behind
 *      perfect division stays within about one slice, and a short or heavy request goes first.
 *   4. Lag (V - vruntime) is kept over sleep: whoever slept with a debt wakes with it, and a
 *      sleeper gains nothing. It is bounded by two slices.
 *
 * V is not stored: sum_wv and sum_w give it relative to `base`, so that the products stay small.
 * With S = sum_wv + running task's share and W likewise, v <= V means (v - base) * W <= S, which
 * needs no division. The tree is ordered by deadline and each node knows the smallest vruntime
 * below it, so the earliest eligible deadline is found in one descent: go left where something
 * eligible is there, else take the node itself if eligible, else go right.
 */
#include <lib/log.h>
#include "run_queue.h"

/* Each step of nice is a factor of 1.25 in weight; Linux's figures. */
static const u32 nice_weight[40] = {
	88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
	9548,  7620,  6100,  4904,  3906,  3121,  2501,  1991,  1586,  1277,
	1024,  820,   655,   526,   423,   335,   272,   215,   172,   137,
	110,   87,    70,    56,    45,    36,    29,    23,    18,    15,
};
#define IDLE_POLICY_WEIGHT 3
/* How many tasks stealing looks at before it gives up. */
#define STEAL_LOOKS 32

static inline struct sched_entity *entity(struct rb_node *n)
{
	return rb_entry(n, struct sched_entity, node);
}

static inline struct task *task_of(struct sched_entity *se)
{
	return container_of(se, struct task, se);
}

static inline bool before(u64 a, u64 b)
{
	return (s64)(a - b) < 0;
}

void fair_set_weight(struct task *t)
{
	u32 w = t->sched.policy == SCHED_IDLE ? IDLE_POLICY_WEIGHT
					      : nice_weight[t->sched.nice + 20];

	t->se.weight = w;
	t->se.inv_weight = (u32)MIN((1ULL << 32) / w, (u64)U32_MAX);
}

void fair_init_entity(struct sched_entity *se)
{
	se->vlag = 0;
	se->vruntime = se->deadline = 0;
}

u64 fair_to_virtual(u64 ns, const struct sched_entity *se)
{
	return (u64)(((unsigned __int128)ns * se->inv_weight) >> 22);
}

/* Real to virtual time. */
static inline u64 to_virtual(u64 ns, const struct sched_entity *se)
{
	return likely(se->weight == NICE_0_WEIGHT) ? ns : fair_to_virtual(ns, se);
}

static inline s64 key(const struct fair_queue *f, const struct sched_entity *se)
{
	return (s64)(se->vruntime - f->base);
}

/* The weighted sum over all runnable tasks, and their weight. */
static inline s64 total(const struct fair_queue *f, s64 *weight)
{
	s64 sum = f->sum_wv;

	*weight = (s64)f->sum_w;
	if (f->curr) {
		sum += key(f, f->curr) * f->curr->weight;
		*weight += f->curr->weight;
	}
	return sum;
}

static u64 average(const struct fair_queue *f)
{
	s64 weight, sum;

	if (!f->sum_w) /* nobody waits: the average is the running task itself */
		return f->curr ? f->curr->vruntime : f->base;
	sum = total(f, &weight);
	if (sum < 0)
		sum -= weight - 1; /* towards minus infinity: the average itself stays eligible */
	return f->base + (u64)(sum / weight);
}

static bool update_min(struct rb_node *n)
{
	struct sched_entity *se = entity(n);
	u64 min = se->vruntime, was = se->min_vruntime;

	if (n->left && before(entity(n->left)->min_vruntime, min))
		min = entity(n->left)->min_vruntime;
	if (n->right && before(entity(n->right)->min_vruntime, min))
		min = entity(n->right)->min_vruntime;
	se->min_vruntime = min;
	return min != was;
}

static void tree_insert(struct fair_queue *f, struct sched_entity *se)
{
	struct rb_node **link = &f->tree.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = before(se->deadline, entity(parent)->deadline) ? &parent->left
								      : &parent->right;
	}
	se->min_vruntime = se->vruntime;
	rb_insert(&f->tree, &se->node, parent, link, update_min);
	f->sum_wv += key(f, se) * se->weight;
	f->sum_w += se->weight;
}

static void tree_erase(struct fair_queue *f, struct sched_entity *se)
{
	rb_erase(&f->tree, &se->node, update_min);
	f->sum_wv -= key(f, se) * se->weight;
	f->sum_w -= se->weight;
}

/* Follows the smallest vruntime, so that keys stay small: with each arrival and each slice. */
static void advance_base(struct fair_queue *f)
{
	u64 min = f->base;

	if (f->curr)
		min = f->curr->vruntime;
	if (f->tree.node && (!f->curr || before(entity(f->tree.node)->min_vruntime, min)))
		min = entity(f->tree.node)->min_vruntime;
	if (before(f->base, min)) {
		f->sum_wv -= (s64)(min - f->base) * (s64)f->sum_w;
		f->base = min;
	}
}

void fair_slice_end(struct run_queue *rq, struct task *t)
{
	struct sched_entity *se = &t->se;

	advance_base(&rq->fair);
	se->deadline = se->vruntime + to_virtual(FAIR_SLICE_NS, se);
	if (rq->fair.nr > 1)
		rq_resched(rq);
}

/* Gives se its place among the others, from the lag that it left with. */
static void place(struct fair_queue *f, struct sched_entity *se)
{
	s64 lag = se->vlag, others;
	u64 slice = to_virtual(FAIR_SLICE_NS, se);

	/* Its own arrival pulls the average towards it: what is asked for is the lag afterwards. */
	if (lag) {
		(void)total(f, &others);
		lag = others ? lag * (others + se->weight) / others : 0;
	}
	se->vruntime = average(f) - (u64)lag;
	se->deadline = se->vruntime + slice;
}

void fair_enqueue(struct run_queue *rq, struct task *t)
{
	advance_base(&rq->fair);
	place(&rq->fair, &t->se);
	tree_insert(&rq->fair, &t->se);
	rq->fair.nr++;
}

void fair_dequeue(struct run_queue *rq, struct task *t)
{
	struct fair_queue *f = &rq->fair;
	struct sched_entity *se = &t->se;
	s64 limit = (s64)to_virtual(2 * FAIR_SLICE_NS, se);
	s64 lag = f->nr > 1 ? (s64)(average(f) - se->vruntime) : 0;

	se->vlag = MAX(MIN(lag, limit), -limit);
	if (f->curr == se)
		f->curr = NULL;
	else
		tree_erase(f, se);
	/* An empty queue's average is its base: the next arrival starts where this one left. */
	if (--f->nr == 0 && before(f->base, se->vruntime))
		f->base = se->vruntime;
}

void fair_put_prev(struct run_queue *rq, struct task *t)
{
	rq->fair.curr = NULL;
	tree_insert(&rq->fair, &t->se);
}

void fair_set_next(struct run_queue *rq, struct task *t)
{
	tree_erase(&rq->fair, &t->se);
	rq->fair.curr = &t->se;
}

/* With f, and its total() in sum and weight, at hand. */
#define ELIGIBLE(v) ((s64)((v) - f->base) * weight <= sum)

/* The earliest eligible deadline in the tree; NULL when nobody there is eligible. */
static struct sched_entity *tree_pick(const struct fair_queue *f, s64 sum, s64 weight)
{
	struct rb_node *n = f->tree.node;

	if (!n || !ELIGIBLE(entity(n)->min_vruntime))
		return NULL;
	for (;;) {
		if (n->left && ELIGIBLE(entity(n->left)->min_vruntime))
			n = n->left;
		else if (ELIGIBLE(entity(n)->vruntime))
			return entity(n);
		else
			n = n->right; /* somebody below n is eligible, and not on the left */
	}
}

struct task *fair_pick(struct run_queue *rq)
{
	struct fair_queue *f = &rq->fair;
	struct sched_entity *curr = f->curr, *best;
	s64 weight, sum;

	if (f->nr == 1)
		return task_of(curr ? curr : entity(f->tree.node));
	sum = total(f, &weight);
	best = tree_pick(f, sum, weight);
	if (curr && ELIGIBLE(curr->vruntime) && (!best || !before(best->deadline, curr->deadline)))
		best = curr;
	/* The smallest vruntime is never above the average, so somebody is eligible. */
	ASSERT(best);
	if (unlikely(!best))
		best = curr ? curr : entity(rb_first(&f->tree));
	return task_of(best);
}

bool fair_beats_running(struct run_queue *rq, const struct task *t)
{
	const struct fair_queue *f = &rq->fair;
	s64 weight, sum;

	if (!before(t->se.deadline, f->curr->deadline))
		return false;
	sum = total(f, &weight);
	return ELIGIBLE(t->se.vruntime);
}
#undef ELIGIBLE

u64 fair_slice_left(const struct run_queue *rq)
{
	const struct sched_entity *se = rq->fair.curr;
	s64 left = (s64)(se->deadline - se->vruntime);

	return left <= 0 ? 0 : ((u64)left * se->weight) / NICE_0_WEIGHT;
}

/* The rest of the slice counts as used. */
void fair_yield(struct run_queue *rq)
{
	struct fair_queue *f = &rq->fair;
	struct sched_entity *se = f->curr;

	if (f->nr < 2 || before(average(f), se->vruntime))
		return;
	se->vruntime = se->deadline;
	se->deadline += to_virtual(FAIR_SLICE_NS, se);
	advance_base(f);
}

struct task *fair_steal_candidate(struct run_queue *rq, u32 cpu)
{
	struct rb_node *n = rb_last(&rq->fair.tree); /* runs last here: loses least by moving */

	for (u32 looks = 0; n && looks < STEAL_LOOKS; looks++, n = rb_prev(n))
		if (cpu_allowed(task_of(entity(n)), cpu))
			return task_of(entity(n));
	return NULL;
}
