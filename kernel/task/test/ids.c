/* Numbers, credentials and threads, from inside the kernel. */
#include <lib/ktest.h>
#include <lib/string.h>
#include <sync/wait.h>
#include <task/random.h>
#include <time/clock.h>
#include "../internal.h"

KTEST(pid_numbers_are_unique_and_found)
{
	struct pid_entry *e[64], *same;

	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		EXPECT(!pid_alloc(&e[i]));
		EXPECT(e[i]->nr > 1 && e[i]->nr < pid_max);
		for (size_t j = 0; j < i; j++)
			EXPECT(e[j]->nr != e[i]->nr);
	}
	rcu_read_lock();
	for (size_t i = 0; i < ARRAY_SIZE(e); i++)
		EXPECT(pid_find(e[i]->nr) == e[i]);
	rcu_read_unlock();
	EXPECT(pid_alloc_nr(e[0]->nr, &same) == -EEXIST);
	for (size_t i = 0; i < ARRAY_SIZE(e); i++)
		pid_put(e[i]);
	EXPECT(!pid_find(0) && !pid_find(-1) && !pid_find(pid_max));
}

KTEST(pid_is_not_reused_while_it_is_referenced)
{
	struct pid_entry *first, *next;
	s32 nr;

	EXPECT(!pid_alloc(&first));
	nr = first->nr;
	pid_get(first);
	pid_put(first); /* the thread is gone, a group still goes by its number */
	EXPECT(pid_alloc_nr(nr, &next) == -EEXIST);
	pid_put(first);
	EXPECT(!pid_alloc_nr(nr, &next));
	pid_put(next);
}

KTEST(user_accounts_are_shared_and_go_away)
{
	struct user_account *a = user_account_get(4242), *b = user_account_get(4242);

	EXPECT(a && a == b);
	EXPECT(ref_read(&a->ref) == 2);
	user_account_put(b);
	user_account_put(a);
	a = user_account_get(4242);
	EXPECT(a && ref_read(&a->ref) == 1 && atomic_read(&a->nr_tasks) == 0);
	user_account_put(a);
}

KTEST(group_membership_by_binary_search)
{
	static const u32 sorted[] = {1, 5, 9, 100, 4000000000U};
	static struct {
		struct group_list list;
		u32 gid[5];
	} groups = {.list = {.nr = 5}};
	struct cred c = {.fsgid = 7, .groups = &groups.list};

	memcpy(groups.list.gid, sorted, sizeof(sorted));
	EXPECT(cred_in_group(&c, 7) && cred_in_group(&c, 1) && cred_in_group(&c, 9));
	EXPECT(cred_in_group(&c, 4000000000U) && cred_in_group(&c, 100));
	EXPECT(!cred_in_group(&c, 0) && !cred_in_group(&c, 6) && !cred_in_group(&c, ~0U));
}

static struct completion thread_done;

static void thread_body(void *arg)
{
	*(int *)arg += 1;
	complete(&thread_done);
	task_exit_kernel();
}

KTEST(kernel_threads_run_and_are_reaped)
{
	int before = atomic_read(&nr_tasks), runs = 0; /* earlier tests' threads may be among them */
	u64 end = clock_monotonic() + 30 * NSEC_PER_SEC;

	for (int i = 0; i < 20; i++) {
		completion_init(&thread_done);
		EXPECT(kthread_create(thread_body, &runs, "ktest"));
		wait_for_completion(&thread_done);
	}
	EXPECT(runs == 20);
	while (atomic_read(&nr_tasks) > before && clock_monotonic() < end) {
		sched_set_state(TASK_UNINTERRUPTIBLE);
		(void)schedule_until(clock_monotonic() + NSEC_PER_MSEC);
	}
	EXPECT(atomic_read(&nr_tasks) <= before);
}

KTEST(random_bytes_do_not_repeat)
{
	u64 seen[64];

	for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
		seen[i] = random_u64();
		for (size_t j = 0; j < i; j++)
			EXPECT(seen[j] != seen[i]);
	}
}
