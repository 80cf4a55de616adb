/*
 * Read-copy-update. Callbacks wait on per-CPU stacks (pushed with a compare-and-swap by the CPU
 * itself, taken whole with an exchange by the grace-period thread). The thread sleeps until a
 * batch is due, takes all stacks, runs one grace period, then the callbacks. Nothing happens, and
 * no timer is armed, while there are no callbacks.
 *
 * Why a grace period is enough:
 *
 *   1. A callback that the thread has taken was pushed after its object was unlinked, and taking
 *      (exchange) comes before rcu_gp is raised (full barrier).
 *   2. A CPU marks rcu_seen = rcu_gp in schedule(), where no reader can be active on it. Once the
 *      mark holds the new number, every reader that could know the object has ended (release
 *      fence before the mark), and every later one began after reading the new number (acquire),
 *      so it sees the unlinking.
 *   3. An idle CPU is marked in rcu_idling. rcu_idle_exit has a full barrier after clearing it, the
 *      thread one between raising rcu_gp and looking: either the thread sees the CPU awake and
 *      waits for its mark, or the CPU's readers see the unlinking. Interrupts on an idle CPU pass
 *      through rcu_idle_exit first (hardirq_enter).
 *   4. The thread's own CPU is quiescent by the fact that the thread runs on it.
 *
 * A CPU that stays away from schedule() (a program that computes, or a long system call) gets a
 * reschedule interrupt, which sends it through schedule() as soon as preemption is allowed.
 */
#include <arch/cpu.h>
#include <lib/log.h>
#include <mm/slab.h>
#include <sync/mutex.h>
#include <sync/rcu.h>
#include <task/task.h>
#include <time/clock.h>
#include <time/timer.h>

/* A batch is started this long after its first callback, or when it has grown to BATCH_MAX. */
#define BATCH_DELAY_NS (4 * NSEC_PER_MSEC)
#define BATCH_MAX      512
/* How long a grace period waits for the CPUs to come by themselves, and between two looks. */
#define PATIENCE_NS    (1 * NSEC_PER_MSEC)
#define POLL_NS        (50 * NSEC_PER_USEC)
/* rcu_kfree stores the head's offset in fn: no function has such an address. */
#define KFREE_OFFSET_MAX 4096

u64 rcu_gp = 1;
DEFINE_PER_CPU(u64, rcu_seen) = 0;
DEFINE_PER_CPU(u8, rcu_idling) = 0;

static DEFINE_PER_CPU(struct rcu_head *, callbacks) = NULL; /* atomic stack, newest first */
static DEFINE_PER_CPU(u32, nr_callbacks) = 0;               /* own CPU; 0 again at each batch */

static struct task *rcu_thread;  /* const once started */
static DEFINE_WAIT_QUEUE(rcu_wait);
static struct timer batch_timer;
static u32 batch_armed;          /* atomic: the timer is armed, or the batch due */
static u32 batch_due;            /* atomic: the thread should run */
static u32 expedite;             /* atomic: somebody waits in rcu_synchronize */

void rcu_idle_enter(void)
{
	rcu_quiescent();
	__atomic_thread_fence(__ATOMIC_RELEASE);
	this_cpu_write(rcu_idling, 1);
}

void rcu_idle_exit(void)
{
	this_cpu_write(rcu_idling, 0);
	smp_mb();
}

static void start_batch(void)
{
	__atomic_store_n(&batch_due, 1, __ATOMIC_RELEASE);
	wake_up(&rcu_wait);
}

static void batch_timeout(struct timer *t)
{
	start_batch();
}

/* The first callback of a batch arms the timer; a flood does not wait for it. */
static void plan_batch(u32 nr)
{
	if (unlikely(!rcu_thread))
		return;
	if (nr >= BATCH_MAX) {
		if (!READ_ONCE(batch_due))
			start_batch();
		return;
	}
	if (!READ_ONCE(batch_armed) && !__atomic_exchange_n(&batch_armed, 1, __ATOMIC_SEQ_CST))
		timer_arm(&batch_timer, clock_monotonic() + BATCH_DELAY_NS);
}

void rcu_call(struct rcu_head *head, void (*fn)(struct rcu_head *))
{
	struct rcu_head **top, *old;
	u32 nr;

	head->fn = fn;
	preempt_disable();
	top = this_cpu_ptr(callbacks);
	old = READ_ONCE(*top);
	do {
		head->next = old;
	} while (!__atomic_compare_exchange_n(top, &old, head, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	this_cpu_add(nr_callbacks, 1);
	nr = this_cpu_read(nr_callbacks);
	plan_batch(nr);
	preempt_enable();
}

void rcu_kfree(struct rcu_head *head, void *object)
{
	uptr offset = (uptr)head - (uptr)object;

	BUG_ON(offset >= KFREE_OFFSET_MAX);
	rcu_call(head, (void (*)(struct rcu_head *))offset);
}

struct synchronizer {
	struct rcu_head head;
	struct completion done;
};

static void synchronize_done(struct rcu_head *head)
{
	complete(&container_of(head, struct synchronizer, head)->done);
}

void rcu_synchronize(void)
{
	struct synchronizer s;

	might_sleep();
	if (!rcu_thread)
		return; /* boot: one context, which is not a reader */
	completion_init(&s.done);
	rcu_call(&s.head, synchronize_done);
	__atomic_store_n(&expedite, 1, __ATOMIC_RELEASE);
	start_batch();
	wait_for_completion(&s.done);
}

static bool cpu_passed(u32 cpu, u64 gp)
{
	if (smp_load_acquire(per_cpu_ptr(rcu_seen, cpu)) >= gp)
		return true;
	return smp_load_acquire(per_cpu_ptr(rcu_idling, cpu));
}

/* CPUs of the set that have not been quiescent since the grace period began. */
static struct cpumask cpus_left(struct cpumask set, u64 gp)
{
	for_each_cpu(cpu)
		if ((set.bits & BIT(cpu)) && cpu_passed(cpu, gp))
			set.bits &= ~BIT(cpu);
	return set;
}

static void push_cpus(struct cpumask set)
{
	for_each_cpu(cpu)
		if (set.bits & BIT(cpu))
			arch_send_reschedule(cpu);
}

static void sleep_ns(u64 ns)
{
	sched_set_state(TASK_UNINTERRUPTIBLE);
	(void)schedule_until(clock_monotonic() + ns);
}

static void wait_for_cpus(struct cpumask left, u64 gp, bool hurry)
{
	left = cpus_left(left, gp);
	if (left.bits && !hurry) {
		sleep_ns(PATIENCE_NS);
		left = cpus_left(left, gp);
	}
	for (u64 pause = POLL_NS; left.bits; pause = MIN(pause * 2, PATIENCE_NS)) {
		push_cpus(left);
		sleep_ns(pause);
		left = cpus_left(left, gp);
	}
}

static void grace_period(bool hurry)
{
	struct cpumask others = {READ_ONCE(cpus_online.bits)};
	u64 gp = __atomic_add_fetch(&rcu_gp, 1, __ATOMIC_SEQ_CST);

	smp_mb();
	preempt_disable();
	this_cpu_write(rcu_seen, gp);
	others.bits &= ~BIT(smp_processor_id());
	preempt_enable();
	wait_for_cpus(others, gp, hurry);
}

/* All callbacks queued so far, each CPU's in the order of queueing. */
static struct rcu_head *take_callbacks(void)
{
	struct rcu_head *all = NULL, **tail = &all;

	for_each_cpu(cpu) {
		struct rcu_head *newest, *fifo = NULL;

		newest = __atomic_exchange_n(per_cpu_ptr(callbacks, cpu), NULL, __ATOMIC_SEQ_CST);
		if (!newest)
			continue;
		WRITE_ONCE(*per_cpu_ptr(nr_callbacks, cpu), 0);
		for (struct rcu_head *h = newest, *next; h; h = next) {
			next = h->next;
			h->next = fifo;
			fifo = h;
		}
		*tail = fifo;
		tail = &newest->next;
	}
	return all;
}

static void run_callbacks(struct rcu_head *h)
{
	while (h) {
		struct rcu_head *next = h->next;
		uptr fn = (uptr)h->fn;

		if (fn < KFREE_OFFSET_MAX)
			kfree((char *)h - fn);
		else
			h->fn(h);
		h = next;
	}
}

static void rcu_main(void *unused)
{
	struct sched_params fifo = {.policy = SCHED_FIFO, .rt_priority = 1};

	/* Above all fair tasks: memory must come back however many of them compete. */
	if (sched_set_params(current, &fifo))
		pr_warn("rcu: runs without real-time priority");
	for (;;) {
		struct rcu_head *list;
		bool hurry;

		wait_event(&rcu_wait, READ_ONCE(batch_due));
		__atomic_store_n(&batch_due, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&batch_armed, 0, __ATOMIC_SEQ_CST);
		hurry = __atomic_exchange_n(&expedite, 0, __ATOMIC_SEQ_CST);
		list = take_callbacks();
		if (list)
			grace_period(hurry);
		run_callbacks(list);
	}
}

void rcu_start(void)
{
	timer_init(&batch_timer, batch_timeout);
	rcu_thread = kthread_create(rcu_main, NULL, "rcu");
	if (!rcu_thread)
		panic("rcu: no memory for the grace-period thread");
	start_batch(); /* what was queued before there was a thread */
}
