/*
 * futex_waitv(2): waits for any of up to 128 words. The thread has one waiter per word; whichever is
 * woken first is the answer. While it queues them one by one it is already in its sleeping state, so
 * a wake-up in between is not lost.
 */
#include <arch/usercopy.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <linux/futex.h>
#include <mm/slab.h>
#include <sync/wait.h>
#include <syscall/table.h>
#include <task/task.h>
#include <time/clock.h>
#include "futex_internal.h"

struct waitv_slot {
	struct futex_waiter w;
	u64 addr, expected;
	u32 flags;
};

static int slot_read(struct waitv_slot *s, struct user_bytes at)
{
	struct futex_waitv in;

	if (user_read_bytes(&in, at, sizeof(in)))
		return -EFAULT;
	if ((in.flags & ~(u32)(FUTEX_32 | FUTEX_PRIVATE_FLAG)) || in.__reserved ||
	    !(in.flags & FUTEX_32))
		return -EINVAL;
	s->addr = in.uaddr;
	s->expected = in.val;
	s->flags = in.flags;
	return 0;
}

static int slots_read(struct waitv_slot *slots, struct user_bytes from, u32 nr)
{
	int err = 0;

	for (u32 i = 0; i < nr && !err; i++)
		err = slot_read(&slots[i], user_handle(bytes, user_address(from) +
								      i * sizeof(struct futex_waitv)));
	return err;
}

/* The number of keys taken; err tells whether that is all. */
static u32 slots_get_keys(struct waitv_slot *slots, u32 nr, int *err)
{
	u32 i;

	*err = 0;
	for (i = 0; i < nr; i++) {
		struct waitv_slot *s = &slots[i];

		s->w.task = current;
		s->w.bitset = FUTEX_BITSET_MATCH_ANY;
		s->w.priority = current->sched.rt_priority;
		*err = futex_key_get(s->addr, !(s->flags & FUTEX_PRIVATE_FLAG), &s->w.key);
		if (*err)
			break;
	}
	return i;
}

/* The last one that was woken, or -1; none is queued afterwards. */
static int slots_unqueue(struct waitv_slot *slots, u32 nr)
{
	int woken = -1;

	for (u32 i = 0; i < nr; i++)
		if (!futex_waiter_unqueue(&slots[i].w))
			woken = (int)i;
	return woken;
}

/* 0: all are queued; 1: *woken was woken meanwhile; or -errno. */
static int slots_queue(struct waitv_slot *slots, u32 nr, int *woken)
{
	for (u32 i = 0; i < nr; i++) {
		struct waitv_slot *s = &slots[i];
		/* A value that a word cannot have is never waited for. */
		int err = s->expected > U32_MAX ? -EAGAIN :
						  futex_waiter_queue(&s->w, s->addr, (u32)s->expected);

		if (!err)
			continue;
		sched_set_state(TASK_RUNNING);
		*woken = slots_unqueue(slots, i);
		return *woken >= 0 ? 1 : err;
	}
	return 0;
}

static bool any_woken(struct waitv_slot *slots, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		if (!smp_load_acquire(&slots[i].w.bucket))
			return true;
	return false;
}

static int waitv_wait(struct waitv_slot *slots, u32 nr, u64 deadline_ns)
{
	int woken, err = slots_queue(slots, nr, &woken);

	if (err)
		return err > 0 ? woken : err;
	for (;;) {
		sched_set_state(TASK_INTERRUPTIBLE);
		if (any_woken(slots, nr) || err)
			break;
		err = wait_sleep(TASK_INTERRUPTIBLE, deadline_ns);
	}
	sched_set_state(TASK_RUNNING);
	woken = slots_unqueue(slots, nr);
	if (woken >= 0)
		return woken;
	return err == -ETIME ? -ETIMEDOUT : -ERESTARTSYS;
}

static int waitv_deadline(struct user_timespec utimeout, u32 clock, u64 *deadline_ns)
{
	struct timespec64 ts;

	*deadline_ns = U64_MAX;
	if (user_is_null(utimeout))
		return 0;
	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
		return -EINVAL;
	if (user_read(&ts, utimeout))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	*deadline_ns = timespec_to_ns(&ts);
	if (clock == CLOCK_REALTIME)
		*deadline_ns = futex_realtime_deadline(*deadline_ns);
	return 0;
}

long sys_futex_waitv(struct user_bytes waiters, u32 nr, u32 flags, struct user_timespec utimeout,
		     u32 clock)
{
	struct waitv_slot *slots;
	u64 deadline_ns;
	u32 nr_keys;
	int res;

	if (flags || !nr || nr > FUTEX_WAITV_MAX || user_is_null(waiters))
		return -EINVAL;
	res = waitv_deadline(utimeout, clock, &deadline_ns);
	if (res)
		return res;
	slots = kzalloc(nr * sizeof(*slots), GFP_KERNEL);
	if (!slots)
		return -ENOMEM;
	res = slots_read(slots, waiters, nr);
	if (!res) {
		nr_keys = slots_get_keys(slots, nr, &res);
		if (!res)
			res = waitv_wait(slots, nr, deadline_ns);
		for (u32 i = 0; i < nr_keys; i++)
			futex_key_put(&slots[i].w.key);
	}
	kfree(slots);
	return res;
}
