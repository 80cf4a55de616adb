/* Mutexes and rwsems under contention: exclusion, and that everybody gets through. */
#include <lib/errno.h>
#include <sched/ktest_thread.h>
#include <sync/mutex.h>

#define THREADS 4
#define ROUNDS  1500

static DEFINE_MUTEX(mutex, LOCK_RANK_SLEEP_INNER);
static struct rwsem rwsem;
static u64 shared[2];
static u32 broken;

/* Not atomic on purpose: two in here at once lose an increment. */
static void mutex_worker(void *unused)
{
	for (u32 i = 0; i < ROUNDS; i++) {
		u64 seen;

		mutex_lock(&mutex);
		seen = READ_ONCE(shared[0]);
		if (i % 64 == 0)
			sched_yield();
		WRITE_ONCE(shared[0], seen + 1);
		mutex_unlock(&mutex);
	}
}

KTEST(mutex_excludes_under_contention)
{
	struct ktest_thread t[THREADS];
	bool got;

	shared[0] = 0;
	for (u32 i = 0; i < THREADS; i++)
		ktest_thread_start(&t[i], mutex_worker, NULL, NULL, 0);
	for (u32 i = 0; i < THREADS; i++)
		ktest_thread_join(&t[i]);
	EXPECT(shared[0] == THREADS * ROUNDS);
	got = false;
	if (mutex_trylock(&mutex)) {
		got = mutex_held(&mutex);
		mutex_unlock(&mutex);
	}
	EXPECT(got);
	EXPECT(!mutex.owner);
}

static void rwsem_reader(void *unused)
{
	for (u32 i = 0; i < ROUNDS; i++) {
		u64 a;

		rwsem_read_lock(&rwsem);
		a = READ_ONCE(shared[0]);
		if (i % 64 == 0)
			sched_yield();
		if (READ_ONCE(shared[1]) != a)
			broken++;
		rwsem_read_unlock(&rwsem);
	}
}

/* Downgrading is beyond the analysis: it has no notion of a lock that changes its kind. */
static void rwsem_writer(void *unused) NO_THREAD_SAFETY
{
	for (u32 i = 0; i < ROUNDS; i++) {
		rwsem_write_lock(&rwsem);
		shared[0]++;
		if (i % 64 == 0)
			sched_yield();
		shared[1]++;
		if (i % 3 == 0) {
			rwsem_downgrade(&rwsem);
			if (shared[0] != shared[1])
				broken++;
			rwsem_read_unlock(&rwsem);
		} else {
			rwsem_write_unlock(&rwsem);
		}
	}
}

KTEST(rwsem_writers_exclude_readers)
{
	struct ktest_thread t[THREADS];

	shared[0] = shared[1] = 0;
	broken = 0;
	rwsem_init(&rwsem, LOCK_RANK_SLEEP_INNER);
	for (u32 i = 0; i < THREADS; i++)
		ktest_thread_start(&t[i], i % 2 ? rwsem_writer : rwsem_reader, NULL, NULL, 0);
	for (u32 i = 0; i < THREADS; i++)
		ktest_thread_join(&t[i]);
	EXPECT(!broken);
	EXPECT(shared[0] == THREADS / 2 * ROUNDS && shared[1] == shared[0]);
	EXPECT(rwsem.count == 0);
}

static void read_twice(void) NO_THREAD_SAFETY
{
	rwsem_read_lock(&rwsem);
	EXPECT(rwsem_read_trylock(&rwsem));
	rwsem_read_unlock(&rwsem);
	rwsem_read_unlock(&rwsem);
}

static bool enough;

static void rwsem_hog(void *unused)
{
	while (!READ_ONCE(enough)) {
		rwsem_write_lock(&rwsem);
		cpu_relax();
		rwsem_write_unlock(&rwsem);
	}
}

/* Running writers overtake those that wait, but not for ever. */
KTEST(rwsem_hogs_let_others_in)
{
	struct ktest_thread t[2];

	rwsem_init(&rwsem, LOCK_RANK_SLEEP_INNER);
	enough = false;
	for (u32 i = 0; i < ARRAY_SIZE(t); i++)
		ktest_thread_start(&t[i], rwsem_hog, NULL, NULL, 0);
	for (u32 i = 0; i < 10; i++) {
		rwsem_read_lock(&rwsem);
		rwsem_read_unlock(&rwsem);
		rwsem_write_lock(&rwsem);
		rwsem_write_unlock(&rwsem);
	}
	WRITE_ONCE(enough, true);
	for (u32 i = 0; i < ARRAY_SIZE(t); i++)
		ktest_thread_join(&t[i]);
	EXPECT(rwsem.count == 0);
}

KTEST(rwsem_lets_readers_share)
{
	rwsem_init(&rwsem, LOCK_RANK_SLEEP_INNER);
	read_twice();
	rwsem_write_lock(&rwsem);
	EXPECT(rwsem_write_held(&rwsem));
	EXPECT(!rwsem_read_trylock(&rwsem));
	rwsem_write_unlock(&rwsem);
}

KTEST(lock_checks_found_nothing_so_far)
{
	EXPECT(lock_debug_reports() == 0);
}
