/*
 * System V semaphores: sets, atomic operations on several semaphores, and who waits for what.
 *
 * An array of operations is tried as a whole under the set's lock; if one blocks or is out of
 * range, those before it are taken back. A call that waits stands on its semaphore's list when it
 * has one operation, else on the set's list of complex ones. When values change, the semaphores
 * concerned are noted, and sem_update looks through their lists, oldest first, then through the
 * complex list, for as long as there are changes. A list is looked through again only after a
 * value went up or became 0: nothing that waited before can go on because a value went down.
 */
#include <arch/speculation.h>
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <syscall/table.h>
#include <time/clock.h>
#include "sem.h"

#define OPS_ON_STACK 8

DEFINE_USER_PTR(sembuf, struct sembuf);

/* ---- trying ---- */

static int apply_one(struct sem_set *set, struct sem_waiter *w, const struct sembuf *op)
{
	struct semaphore *s = &set->sem[index_clamp(op->sem_num, set->nr)];
	int result = s->value + op->sem_op;

	if ((!op->sem_op && s->value) || result < 0)
		return IPC_WAITING;
	if (result > SEMVMX)
		return -ERANGE;
	if (op->sem_flg & SEM_UNDO) {
		int adjust = w->undo->adjust[op->sem_num] - op->sem_op;

		if (adjust < -SEMVMX - 1 || adjust > SEMVMX)
			return -ERANGE;
		w->undo->adjust[op->sem_num] = (s16)adjust;
	}
	s->value = result;
	return 0;
}

/* Takes back the first n operations. */
static void revert(struct sem_set *set, struct sem_waiter *w, u32 n)
{
	while (n--) {
		const struct sembuf *op = &w->ops[n];

		set->sem[op->sem_num].value -= op->sem_op;
		if (op->sem_flg & SEM_UNDO)
			w->undo->adjust[op->sem_num] += op->sem_op;
	}
}

/* 0: done. IPC_WAITING: cannot go on now. Else the call's errno. */
static int try_operations(struct sem_set *set, struct sem_waiter *w)
{
	for (u32 i = 0; i < w->nr; i++) {
		int err = apply_one(set, w, &w->ops[i]);

		if (!err)
			continue;
		w->blocking = &w->ops[i];
		if (err == IPC_WAITING && w->ops[i].sem_flg & IPC_NOWAIT)
			err = -EAGAIN;
		revert(set, w, i);
		return err;
	}
	for (u32 i = 0; i < w->nr; i++)
		set->sem[w->ops[i].sem_num].pid = w->pid;
	set->otime = ipc_now();
	return 0;
}

/* ---- letting others go on ---- */

void sem_note_change(struct sem_set *set, u32 num)
{
	struct semaphore *s = &set->sem[num];

	if (list_empty(&s->changed))
		list_add_tail(&s->changed, &set->changed);
}

/* After w's operations: what they raised, or brought to 0, may let somebody else go on. */
static void note_changes(struct sem_set *set, const struct sem_waiter *w)
{
	for (u32 i = 0; w->alters && i < w->nr; i++) {
		const struct sembuf *op = &w->ops[i];

		if (op->sem_op > 0 || (op->sem_op < 0 && !set->sem[op->sem_num].value))
			sem_note_change(set, op->sem_num);
	}
}

static void try_waiters(struct sem_set *set, struct list_head *list)
{
	struct sem_waiter *w, *next;

	list_for_each_safe(w, next, list, wait.node) {
		int result = try_operations(set, w);

		if (result == IPC_WAITING)
			continue;
		if (!result)
			note_changes(set, w);
		ipc_wake(&w->wait, result);
	}
}

void sem_update(struct sem_set *set)
{
	while (!list_empty(&set->changed)) {
		while (!list_empty(&set->changed)) {
			struct semaphore *s = list_first(&set->changed, struct semaphore, changed);

			list_del(&s->changed);
			try_waiters(set, &s->waiters);
		}
		try_waiters(set, &set->complex);
	}
}

/* ---- semop ---- */

static void enqueue(struct sem_set *set, struct sem_waiter *w)
{
	struct list_head *list = w->nr == 1 ? &set->sem[w->ops[0].sem_num].waiters : &set->complex;

	ipc_waiter_init(&w->wait);
	list_add_tail(&w->wait.node, list);
}

/* Waits for what the waker has decided, or gives up. Set locked on entry, not on return. */
static int wait_for_turn(struct sem_set *set, struct sem_waiter *w, u64 deadline_ns) NO_THREAD_SAFETY
{
	int err, result;

	enqueue(set, w);
	ipc_get(&set->object);
	ipc_unlock(&set->object);
	err = ipc_wait(&w->wait, deadline_ns);
	if (err == -ERESTARTSYS || err == -ETIME) {
		spin_lock(&set->object.lock);
		result = w->wait.result;
		if (result == IPC_WAITING)
			list_del(&w->wait.node);
		spin_unlock(&set->object.lock);
		if (result != IPC_WAITING)
			err = result;
		else
			err = err == -ETIME ? -EAGAIN : -EINTR; /* never restarted */
	}
	ipc_put(&set->object);
	return err;
}

static int check_operations(const struct sem_set *set, const struct sem_waiter *w)
{
	for (u32 i = 0; i < w->nr; i++)
		if (w->ops[i].sem_num >= set->nr)
			return -EFBIG;
	return ipc_check_access(&set->object, w->alters ? 0222 : 0444);
}

static int operate(struct ipc_ns *ns, s32 id, struct sem_waiter *w, bool undo, u64 deadline_ns)
{
	struct ipc_object *o;
	struct sem_set *set;
	int err = undo ? sem_undo_lock(ns, id, &o, &w->undo) : ipc_lock(&ns->sem, id, &o);

	if (err)
		return err;
	set = sem_set_of(o);
	err = check_operations(set, w);
	if (!err)
		err = try_operations(set, w);
	if (err == IPC_WAITING)
		return wait_for_turn(set, w, deadline_ns);
	if (!err) {
		note_changes(set, w);
		sem_update(set);
	}
	ipc_unlock(o);
	return err;
}

static int deadline_from(const struct timespec64 *timeout, u64 *deadline_ns)
{
	u64 now = clock_monotonic(), ns;

	*deadline_ns = U64_MAX;
	if (!timeout)
		return 0;
	if (!timespec_valid(timeout))
		return -EINVAL;
	ns = timespec_to_ns(timeout);
	if (ns < S64_MAX - now)
		*deadline_ns = now + ns;
	return 0;
}

static int operate_on(s32 id, const struct sembuf *ops, u32 nr, const struct timespec64 *timeout)
{
	struct sem_waiter w = {.ops = ops, .nr = nr, .pid = ipc_pid()};
	bool undo = false;
	u64 deadline_ns;
	int err;

	if (nr < 1 || id < 0)
		return -EINVAL;
	err = deadline_from(timeout, &deadline_ns);
	if (err)
		return err;
	for (u32 i = 0; i < nr; i++) {
		undo |= ops[i].sem_flg & SEM_UNDO;
		w.alters |= ops[i].sem_op != 0;
	}
	return operate(ipc_ns_current(), id, &w, undo, deadline_ns);
}

static long fetch_and_operate(s32 id, struct user_sembuf ops, u32 nr,
			      const struct timespec64 *timeout)
{
	struct sembuf few[OPS_ON_STACK], *copy = few;
	long err;

	if (nr > READ_ONCE(ipc_ns_current()->limits->semopm))
		return -E2BIG;
	if (nr > OPS_ON_STACK)
		copy = kvmalloc(nr * sizeof(*copy), GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	err = user_read_array(copy, ops, nr);
	if (!err)
		err = operate_on(id, copy, nr, timeout);
	if (copy != few)
		kvfree(copy);
	return err;
}

long sys_semtimedop(int id, struct user_bytes ops, u32 nr, struct user_timespec timeout)
{
	struct timespec64 ts;
	int err;

	if (user_is_null(timeout))
		return fetch_and_operate(id, user_cast(sembuf, ops), nr, NULL);
	err = user_read(&ts, timeout);
	return err ? err : fetch_and_operate(id, user_cast(sembuf, ops), nr, &ts);
}

long sys_semop(int id, struct user_bytes ops, u32 nr)
{
	return fetch_and_operate(id, user_cast(sembuf, ops), nr, NULL);
}

/* ---- semget, IPC_RMID ---- */

static void set_free(struct ipc_object *o)
{
	kvfree(sem_set_of(o));
}

static long set_create(struct ipc_ns *ns, s32 key, u32 flags, u64 nr)
{
	struct sem_set *set;
	int err;

	if (!nr)
		return -EINVAL;
	if (ns->sem_total + nr > READ_ONCE(ns->limits->semmns))
		return -ENOSPC;
	set = kvmalloc(sizeof(*set) + nr * sizeof(set->sem[0]), GFP_KERNEL);
	if (!set)
		return -ENOMEM;
	memset(set, 0, sizeof(*set) + nr * sizeof(set->sem[0]));
	ipc_object_init(&set->object, ns, key, flags, set_free);
	set->nr = (u32)nr;
	set->ctime = ipc_now();
	list_init(&set->complex);
	list_init(&set->changed);
	list_init(&set->undos);
	for (u32 i = 0; i < set->nr; i++) {
		list_init(&set->sem[i].waiters);
		list_init(&set->sem[i].changed);
	}
	err = ipc_add(&ns->sem, &set->object, READ_ONCE(ns->limits->semmni));
	if (err) {
		kvfree(set);
		return err;
	}
	ns->sem_total += set->nr;
	return set->object.id;
}

static int set_check(struct ipc_object *o, u64 nr)
{
	return nr > sem_set_of(o)->nr ? -EINVAL : 0;
}

long sys_semget(int key, int nr, u32 flags)
{
	static const struct ipc_get_ops ops = {.create = set_create, .check = set_check};
	struct ipc_ns *ns = ipc_ns_current();

	if (nr < 0 || (u32)nr > READ_ONCE(ns->limits->semmsl))
		return -EINVAL;
	return ipc_find_or_create(ns, &ns->sem, key, flags, (u64)nr, &ops);
}

static void wake_all(struct list_head *list)
{
	struct sem_waiter *w, *next;

	list_for_each_safe(w, next, list, wait.node)
		ipc_wake(&w->wait, -EIDRM);
}

long sem_remove(struct ipc_ns *ns, s32 id)
{
	struct ipc_object *o;
	struct sem_set *set;
	long err;

	mutex_lock(&ns->sem.lock);
	err = ipc_lock(&ns->sem, id, &o);
	if (!err) {
		set = sem_set_of(o);
		err = ipc_check_owner(o);
		if (!err) {
			ipc_remove(&ns->sem, o);
			ns->sem_total -= set->nr;
			for (u32 i = 0; i < set->nr; i++)
				wake_all(&set->sem[i].waiters);
			wake_all(&set->complex);
		}
		ipc_unlock(o);
	}
	mutex_unlock(&ns->sem.lock);
	if (!err) {
		sem_undo_drop(set);
		ipc_put(o);
	}
	return err;
}
