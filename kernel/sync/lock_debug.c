/*
 * Lock checking of the debug flavours. Spinlocks that are held are listed per CPU (they are never
 * held across a CPU change; the run-queue lock passes from task to task on one CPU), sleeping locks
 * per task. Each acquisition is checked against three rules:
 *
 *   1. its rank is higher than every rank taken in the same context (task, or interrupt: what an
 *      interrupt takes is compared with nothing below it);
 *   2. a rank that interrupts take is never taken with interrupts enabled, else the interrupt
 *      could spin on a lock that its own CPU holds;
 *   3. nobody sleeps, or takes a lock that sleeps, with a spinlock held, preemption disabled or
 *      interrupts disabled.
 *
 * A violation is logged with a back trace, at most MAX_REPORTS times; taking a lock twice stops
 * the machine, because it would hang. No lock of its own: the lists belong to this CPU with
 * interrupts disabled, the rank words are atomic.
 */
#include <lib/log.h>
#include <sync/mutex.h>
#include <task/task.h>

#define MAX_HELD 24
#define MAX_REPORTS 20

struct held_lock {
	const void *lock;
	u16 rank;
	bool in_irq;
};

struct held_locks {
	struct held_lock e[MAX_HELD];
	u32 nr;
	bool reporting; /* the log's own locks are not checked meanwhile */
};

static DEFINE_PER_CPU(struct held_locks, held_locks);
static u8 rank_in_irq[LOCK_RANK_LAST], rank_irqs_on[LOCK_RANK_LAST];
static u32 nr_reports;

u32 lock_debug_reports(void)
{
	return READ_ONCE(nr_reports);
}

/* Interrupts disabled. */
static void report(struct held_locks *h, const char *what, u16 rank, u16 other)
{
	if (__atomic_fetch_add(&nr_reports, 1, __ATOMIC_RELAXED) >= MAX_REPORTS)
		return;
	h->reporting = true;
	pr_err("lock: %s (rank %u, against %u)", what, rank, other);
	arch_backtrace(0);
	h->reporting = false;
}

static void check_spin_rank(struct held_locks *h, const void *lock, u16 rank, bool irq)
{
	for (u32 i = 0; i < h->nr; i++) {
		const struct held_lock *e = &h->e[i];

		if (e->lock == lock)
			panic("lock: rank %u taken twice on one CPU", rank);
		if (e->in_irq == irq && e->rank >= rank && rank != LOCK_RANK_NONE)
			return report(h, "order violated", rank, e->rank);
	}
}

static void check_irq_use(struct held_locks *h, u16 rank, bool irq, bool irqs_off)
{
	if (rank == LOCK_RANK_NONE)
		return;
	if (irq)
		WRITE_ONCE(rank_in_irq[rank], 1);
	else if (!irqs_off)
		WRITE_ONCE(rank_irqs_on[rank], 1);
	else
		return;
	if (READ_ONCE(rank_in_irq[rank]) == 1 && READ_ONCE(rank_irqs_on[rank]) == 1) {
		WRITE_ONCE(rank_irqs_on[rank], 2); /* once per rank is enough */
		report(h, "taken by interrupts and with interrupts enabled", rank, rank);
	}
}

static void acquire_spin(struct held_locks *h, const void *lock, u16 rank, bool irqs_off)
{
	bool irq = in_hardirq();

	check_spin_rank(h, lock, rank, irq);
	check_irq_use(h, rank, irq, irqs_off);
	if (h->nr == MAX_HELD)
		panic("lock: more than %u spinlocks held", MAX_HELD);
	h->e[h->nr++] = (struct held_lock){lock, rank, irq};
}

static void acquire_sleeping(struct held_locks *h, const void *lock, u16 rank)
{
	struct task *t = current;

	if (!t)
		return;
	for (u32 i = 0; i < t->nr_held; i++) {
		if (t->held[i].lock == lock && rank != LOCK_RANK_NONE)
			panic("lock: sleeping lock of rank %u taken twice by %s", rank, t->comm);
		if (t->held[i].rank >= rank && rank != LOCK_RANK_NONE) {
			report(h, "order violated", rank, t->held[i].rank);
			break;
		}
	}
	if (t->nr_held == ARRAY_SIZE(t->held))
		panic("lock: more than %zu sleeping locks held", ARRAY_SIZE(t->held));
	t->held[t->nr_held].lock = lock;
	t->held[t->nr_held++].rank = rank;
}

void lock_debug_acquire(const void *lock, u16 rank, bool sleeping)
{
	bool irqs_off = arch_irqs_disabled();
	u64 flags = arch_irq_save();
	struct held_locks *h = this_cpu_ptr(held_locks);

	if (!h->reporting) {
		if (sleeping)
			acquire_sleeping(h, lock, rank);
		else
			acquire_spin(h, lock, rank, irqs_off);
	}
	arch_irq_restore(flags);
}

static bool release_spin(struct held_locks *h, const void *lock)
{
	for (u32 i = h->nr; i-- > 0;) {
		if (h->e[i].lock != lock)
			continue;
		for (h->nr--; i < h->nr; i++)
			h->e[i] = h->e[i + 1];
		return true;
	}
	return false;
}

static bool release_sleeping(struct task *t, const void *lock)
{
	for (u32 i = t ? t->nr_held : 0; i-- > 0;) {
		if (t->held[i].lock != lock)
			continue;
		for (t->nr_held--; i < t->nr_held; i++)
			t->held[i] = t->held[i + 1];
		return true;
	}
	return false;
}

void lock_debug_release(const void *lock)
{
	u64 flags = arch_irq_save();
	struct held_locks *h = this_cpu_ptr(held_locks);

	if (!h->reporting && !release_spin(h, lock) && !release_sleeping(current, lock))
		report(h, "released without being held", 0, 0);
	arch_irq_restore(flags);
}

bool lock_debug_held(const void *lock)
{
	u64 flags = arch_irq_save();
	struct held_locks *h = this_cpu_ptr(held_locks);
	const struct task *t = current;
	bool held = h->reporting;

	for (u32 i = 0; i < h->nr; i++)
		held |= h->e[i].lock == lock;
	for (u32 i = 0; t && i < t->nr_held; i++)
		held |= t->held[i].lock == lock;
	arch_irq_restore(flags);
	return held;
}

/*
 * During boot there is one context, interrupts are disabled and no lock can be contended: sleeping
 * locks may be taken then. It ends when CPU 0's first task turns into its idle task.
 */
void might_sleep(void)
{
	u64 flags;

	if (!current || current == &init_idle_task || (!in_atomic() && !arch_irqs_disabled()))
		return;
	flags = arch_irq_save();
	report(this_cpu_ptr(held_locks), "sleeping where it is forbidden", 0,
	       in_atomic() ? this_cpu_read(preempt_count) & 0xffff : 0);
	arch_irq_restore(flags);
}
