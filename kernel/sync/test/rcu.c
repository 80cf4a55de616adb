/* RCU: no reader sees an object after its grace period; callbacks all run. */
#include <lib/string.h>
#include <mm/slab.h>
#include <sched/ktest_thread.h>
#include <sync/rcu.h>

#define ROUNDS 600
#define ALIVE  0x600dU
#define DEAD   0xdeadU

struct item {
	struct rcu_head rcu;
	u32 magic;
};

static struct item *published;
static bool stop;
static u32 dead_seen, freed; /* atomic */

static void item_free(struct rcu_head *head)
{
	struct item *it = container_of(head, struct item, rcu);

	WRITE_ONCE(it->magic, DEAD);
	__atomic_fetch_add(&freed, 1, __ATOMIC_RELAXED);
	kfree(it);
}

static void reader(void *unused)
{
	while (!READ_ONCE(stop)) {
		rcu_read_lock();
		for (u32 i = 0; i < 50; i++) {
			struct item *it = rcu_dereference(published);

			cpu_relax();
			if (READ_ONCE(it->magic) != ALIVE)
				__atomic_fetch_add(&dead_seen, 1, __ATOMIC_RELAXED);
		}
		rcu_read_unlock();
	}
}

static struct item *item_new(void)
{
	struct item *it = kzalloc(sizeof(*it), GFP_KERNEL);

	EXPECT(it);
	if (it)
		it->magic = ALIVE;
	return it;
}

KTEST(rcu_readers_never_see_the_dead)
{
	struct ktest_thread t[2];

	stop = false;
	dead_seen = freed = 0;
	published = item_new();
	for (u32 i = 0; i < ARRAY_SIZE(t); i++)
		ktest_thread_start(&t[i], reader, NULL, NULL, 0);
	for (u32 i = 0; i < ROUNDS; i++) {
		struct item *old = published;

		rcu_assign(published, item_new());
		rcu_call(&old->rcu, item_free);
		if (i % 100 == 0)
			rcu_synchronize();
		else if (i % 7 == 0)
			sched_yield();
	}
	rcu_synchronize();
	stop = true;
	for (u32 i = 0; i < ARRAY_SIZE(t); i++)
		ktest_thread_join(&t[i]);
	EXPECT(!dead_seen);
	EXPECT(freed == ROUNDS);
	kfree(published);
}

static u64 order[3], nr_order;

static void note_order(struct rcu_head *head)
{
	order[nr_order++] = container_of(head, struct item, rcu)->magic;
}

KTEST(rcu_callbacks_of_one_cpu_run_in_order)
{
	struct item it[3];

	nr_order = 0;
	preempt_disable();
	for (u32 i = 0; i < 3; i++) {
		it[i].magic = i;
		rcu_call(&it[i].rcu, note_order);
	}
	preempt_enable();
	rcu_synchronize();
	EXPECT(nr_order == 3 && order[0] == 0 && order[1] == 1 && order[2] == 2);
}
