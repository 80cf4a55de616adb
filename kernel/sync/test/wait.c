/* Wait queues and completions: no wake-up is lost, exclusive waiters come one by one. */
#include <lib/errno.h>
#include <sched/ktest_thread.h>
#include <time/clock.h>

#define ROUNDS 2000

static DEFINE_WAIT_QUEUE(ball_wait);
static u32 ball; /* atomic: even: ours, odd: the partner's */

static void play(void *parity)
{
	u32 me = (u32)(uptr)parity;

	for (u32 i = 0; i < ROUNDS; i++) {
		wait_event(&ball_wait, READ_ONCE(ball) % 2 == me);
		__atomic_fetch_add(&ball, 1, __ATOMIC_SEQ_CST);
		wake_up_all(&ball_wait);
	}
}

KTEST(wait_queue_loses_no_wakeup)
{
	struct ktest_thread t;

	ball = 0;
	if (!ktest_thread_start(&t, play, (void *)1, NULL, 0))
		return;
	play((void *)0);
	ktest_thread_join(&t);
	EXPECT(ball == 2 * ROUNDS);
	EXPECT(list_empty(&ball_wait.entries));
}

static DEFINE_WAIT_QUEUE(gate_wait);
static u32 passed, tickets; /* atomic */

static bool take_ticket(void)
{
	u32 n = READ_ONCE(tickets);

	while (n && !__atomic_compare_exchange_n(&tickets, &n, n - 1, false, __ATOMIC_SEQ_CST,
						 __ATOMIC_RELAXED))
		;
	return n;
}

static void pass_gate(void *unused)
{
	(void)wait_event_exclusive(&gate_wait, take_ticket());
	__atomic_fetch_add(&passed, 1, __ATOMIC_SEQ_CST);
}

KTEST(wait_exclusive_each_wake_lets_one_pass)
{
	struct ktest_thread t[4];

	passed = tickets = 0;
	for (u32 i = 0; i < ARRAY_SIZE(t); i++)
		ktest_thread_start(&t[i], pass_gate, NULL, NULL, 0);
	for (u32 i = 0; i < ARRAY_SIZE(t); i++) {
		__atomic_fetch_add(&tickets, 1, __ATOMIC_SEQ_CST);
		wake_up(&gate_wait);
	}
	for (u32 i = 0; i < ARRAY_SIZE(t); i++)
		ktest_thread_join(&t[i]);
	EXPECT(passed == ARRAY_SIZE(t));
}

KTEST(wait_ends_at_its_deadline)
{
	DEFINE_WAIT_QUEUE(q);
	u64 end = clock_monotonic() + 2 * NSEC_PER_MSEC;

	EXPECT(wait_event_deadline(&q, false, end) == -ETIME);
	EXPECT(clock_monotonic() >= end);
	EXPECT(list_empty(&q.entries));
}
