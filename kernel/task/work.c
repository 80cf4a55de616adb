/*
 * Deferred work: callbacks that a task runs itself before it returns to user mode, or while it
 * exits. A lock-free stack: anybody pushes, the owner takes all of it at once.
 */
#include <mm/user.h>
#include "internal.h"

/* Marks a task that takes no more work. */
#define WORKS_CLOSED ((struct task_work *)1)

int task_work_add(struct task *t, struct task_work *w)
{
	struct task_work *head = READ_ONCE(t->works);

	do {
		if (head == WORKS_CLOSED)
			return -ESRCH;
		w->next = head;
	} while (!__atomic_compare_exchange_n(&t->works, &head, w, true, __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
	task_set_work(t, WORK_NOTIFY);
	return 0;
}

/* Runs a list that was built newest first in the order of its making. */
static void works_run(struct task_work *w)
{
	struct task_work *ordered = NULL, *next;

	for (; w; w = next) {
		next = w->next;
		w->next = ordered;
		ordered = w;
	}
	for (; ordered; ordered = next) {
		next = ordered->next;
		ordered->fn(ordered);
	}
}

/* CLONE_CHILD_SETTID: the child stores its number itself, in its own memory. */
static void store_child_tid(struct task *t)
{
	int tid = t->tid;

	(void)!user_write(user_handle(int, t->set_child_tid), &tid);
	t->set_child_tid = 0;
}

void task_work_run(void)
{
	struct task *me = current;
	struct task_work *w;

	task_clear_work(me, WORK_NOTIFY);
	if (unlikely(me->set_child_tid))
		store_child_tid(me);
	while ((w = __atomic_exchange_n(&me->works, NULL, __ATOMIC_ACQUIRE)))
		works_run(w);
}

void task_work_close(void)
{
	struct task *me = current;
	struct task_work *empty = NULL;

	do {
		task_work_run();
		empty = NULL;
	} while (!__atomic_compare_exchange_n(&me->works, &empty, WORKS_CLOSED, false,
					      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
}
