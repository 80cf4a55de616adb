/* The race detector sees a race, and none where a lock forbids it. */
#include <sched/ktest_thread.h>
#include <sync/race.h>
#include <sync/spinlock.h>

#define ROUNDS 400000

static DEFINE_SPINLOCK(lock, LOCK_RANK_IRQ);
static u64 guarded, unguarded;

static void count_guarded(void *unused)
{
	for (u32 i = 0; i < ROUNDS; i++) {
		spin_lock(&lock);
		guarded++;
		spin_unlock(&lock);
	}
}

static void count_unguarded(void *unused)
{
	for (u32 i = 0; i < ROUNDS; i++) {
		unguarded++;
		barrier();
	}
}

/* How many races two threads run into that do the same. */
static u64 races_of(void (*fn)(void *))
{
	struct ktest_thread t[2];
	u64 before = race_reports();

	for (u32 i = 0; i < 2; i++)
		ktest_thread_start(&t[i], fn, NULL, NULL, BIT(i));
	for (u32 i = 0; i < 2; i++)
		ktest_thread_join(&t[i]);
	return race_reports() - before;
}

KTEST(race_detector_sees_races_only)
{
	if (nr_cpus < 2)
		return;
	race_expect(true);
	EXPECT(!races_of(count_guarded));
	EXPECT(races_of(count_unguarded));
	race_expect(false);
	EXPECT(guarded == 2 * ROUNDS);
}
