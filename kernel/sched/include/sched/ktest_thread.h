/* Threads for in-kernel tests: started together with their creator's knowledge, and joined. */
#pragma once

#include <lib/ktest.h>
#include <sync/wait.h>
#include <task/task.h>

struct ktest_thread {
	void (*fn)(void *);
	void *arg;
	struct task *task; /* reference, from start to join */
	struct completion go, done;
};

static void ktest_thread_main(void *p)
{
	struct ktest_thread *t = p;

	wait_for_completion(&t->go);
	t->fn(t->arg);
	complete(&t->done);
	task_exit_kernel();
}

/* Creates the thread with the parameters and affinity (0: any CPU), then lets it go. */
static inline bool ktest_thread_start(struct ktest_thread *t, void (*fn)(void *), void *arg,
				      const struct sched_params *params, u64 cpus)
{
	*t = (struct ktest_thread){.fn = fn, .arg = arg};
	completion_init(&t->go);
	completion_init(&t->done);
	t->task = kthread_create(ktest_thread_main, t, "ktest");
	EXPECT(t->task);
	if (!t->task)
		return false;
	task_get(t->task);
	if (params)
		EXPECT(!sched_set_params(t->task, params));
	if (cpus)
		EXPECT(!sched_set_affinity(t->task, (struct cpumask){cpus}));
	complete(&t->go);
	return true;
}

static inline void ktest_thread_join(struct ktest_thread *t)
{
	if (!t->task)
		return;
	wait_for_completion(&t->done);
	task_put(t->task);
}
