/*
 * The common part of System V objects: tables, ids, keys, permissions, waiting.
 *
 * An id is an index into the table with a sequence number above it, which changes when indices are
 * handed out again: an old id does not name a new object. Look-up by id runs under RCU and ends
 * with the object's own lock held, which keeps it from being freed (a spinlock's holder is an RCU
 * reader, since neither lets go of the CPU). Making and removing hold the table's lock, then the
 * object's.
 */
#include <lib/log.h>
#include <lib/string.h>
#include <time/clock.h>
#include "ids.h"

#define CYCLE_MIN 64 /* indices that are handed out before the first is used again, as on Linux */
#define IDS_INIT(kind)                                                                             \
	{.lock = MUTEX_INIT(init_ipc_ns.kind.lock, LOCK_RANK_IPC), .last_index = U32_MAX,         \
	 .max_index = -1}

struct ipc_limits init_ipc_limits = {
	.shmmax = ~0ULL - (1ULL << 24),
	.shmall = ~0ULL - (1ULL << 24),
	.shmmni = 4096,
	.semmsl = 32000,
	.semmns = 32000 * 32000,
	.semopm = 500,
	.semmni = 32000,
	.msgmax = 8192,
	.msgmnb = 16384,
	.msgmni = 32000,
	.mq_queues_max = 256,
	.mq_msg_max = 10,
	.mq_msgsize_max = 8192,
	.mq_msg_default = 10,
	.mq_msgsize_default = 8192,
	};

struct ipc_ns init_ipc_ns = {
	.sem = IDS_INIT(sem),
	.msg = IDS_INIT(msg),
	.shm = IDS_INIT(shm),
	.limits = &init_ipc_limits,
};

s64 ipc_now(void)
{
	return (s64)(clock_realtime() / NSEC_PER_SEC);
}

/* ---- objects ---- */

void ipc_object_init(struct ipc_object *o, struct ipc_ns *ns, s32 key, u32 flags,
		     void (*free)(struct ipc_object *o))
{
	const struct cred *c = current->cred;

	ref_init(&o->ref);
	spin_init(&o->lock, LOCK_RANK_IPC_OBJECT);
	o->ns = ns;
	o->free = free;
	o->key = key;
	o->uid = o->cuid = c->euid;
	o->gid = o->cgid = c->egid;
	o->mode = flags & 0777;
}

static void object_free(struct rcu_head *head)
{
	struct ipc_object *o = container_of(head, struct ipc_object, rcu);

	o->free(o);
}

void ipc_put(struct ipc_object *o)
{
	if (ref_put(&o->ref))
		rcu_call(&o->rcu, object_free);
}

/* ---- tables ---- */

static struct ipc_object *key_find(const struct ipc_ids *ids, s32 key)
{
	struct rb_node *n = ids->keys.node;

	while (n) {
		struct ipc_object *o = rb_entry(n, struct ipc_object, key_node);

		if (o->key == key)
			return o;
		n = key < o->key ? n->left : n->right;
	}
	return NULL;
}

static void key_insert(struct ipc_ids *ids, struct ipc_object *o)
{
	struct rb_node **link = &ids->keys.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = o->key < rb_entry(parent, struct ipc_object, key_node)->key ? &parent->left
										   : &parent->right;
	}
	rb_insert(&ids->keys, &o->key_node, parent, link, NULL);
}

/* Indices go round in a window half as large again as what is in use. */
static int index_alloc(struct ipc_ids *ids, u64 *index)
{
	u32 window = MIN(MAX(ids->nr * 3 / 2, CYCLE_MIN), IPC_INDEX_MAX);
	u32 next = ids->last_index + 1; /* wraps from "none" to 0 */

	if (next < window && !xa_find_free(&ids->objects, next, window - 1, index))
		return 0;
	return xa_find_free(&ids->objects, 0, window - 1, index);
}

int ipc_add(struct ipc_ids *ids, struct ipc_object *o, u32 limit)
{
	u64 index;
	int err;

	if (ids->nr >= MIN(limit, IPC_INDEX_MAX) || index_alloc(ids, &index))
		return -ENOSPC;
	err = xa_reserve(&ids->objects, index);
	if (err)
		return err;
	if (ids->last_index != U32_MAX && index <= ids->last_index)
		ids->seq = ids->seq >= IPC_SEQ_MAX - 1 ? 0 : ids->seq + 1;
	ids->last_index = (u32)index;
	o->seq = ids->seq;
	o->id = (s32)(o->seq << IPC_INDEX_BITS | index);
	if (o->key != IPC_PRIVATE)
		key_insert(ids, o);
	ids->nr++;
	ids->max_index = MAX(ids->max_index, (s32)index);
	return xa_store(&ids->objects, index, o, NULL);
}

void ipc_forget_key(struct ipc_ids *ids, struct ipc_object *o)
{
	if (o->key != IPC_PRIVATE)
		rb_erase(&ids->keys, &o->key_node, NULL);
	o->key = IPC_PRIVATE;
}

void ipc_remove(struct ipc_ids *ids, struct ipc_object *o)
{
	u32 index = (u32)o->id % IPC_INDEX_MAX;

	ASSERT_HELD(&o->lock);
	xa_erase(&ids->objects, index);
	ipc_forget_key(ids, o);
	ids->nr--;
	o->deleted = true;
	while (ids->max_index >= 0 && !xa_load(&ids->objects, (u64)ids->max_index))
		ids->max_index--;
}

int ipc_relock(struct ipc_object *o) NO_THREAD_SAFETY
{
	spin_lock(&o->lock);
	if (!o->deleted)
		return 0;
	spin_unlock(&o->lock);
	return -EIDRM;
}

static int lock_at(struct ipc_ids *ids, s32 index, s32 id, struct ipc_object **out)
{
	struct ipc_object *o;
	int err = -EINVAL;

	rcu_read_lock();
	o = xa_load(&ids->objects, (u64)index);
	if (o && (id < 0 || o->id == id))
		err = ipc_relock(o);
	rcu_read_unlock();
	*out = o;
	return err;
}

int ipc_lock(struct ipc_ids *ids, s32 id, struct ipc_object **out)
{
	return id < 0 ? -EINVAL : lock_at(ids, id % (s32)IPC_INDEX_MAX, id, out);
}

int ipc_lock_index(struct ipc_ids *ids, s32 index, struct ipc_object **out)
{
	if (index < 0)
		return -EINVAL;
	return lock_at(ids, index % (s32)IPC_INDEX_MAX, -1, out) ? -EINVAL : 0;
}

int ipc_lock_stat(struct ipc_ids *ids, s32 id, bool by_index, bool anybody, struct ipc_object **out,
		  long *result)
{
	int err = by_index ? ipc_lock_index(ids, id, out) : ipc_lock(ids, id, out);

	if (err)
		return err;
	*result = by_index ? (*out)->id : 0;
	err = anybody ? 0 : ipc_check_access(*out, 0444);
	if (err)
		ipc_unlock(*out);
	return err;
}

struct ipc_object *ipc_next(struct ipc_ids *ids, u64 *index)
{
	struct ipc_object *o;

	rcu_read_lock();
	while ((o = xa_find(&ids->objects, index, IPC_INDEX_MAX - 1)) && ipc_relock(o))
		++*index;
	rcu_read_unlock();
	return o;
}

long ipc_max_index(struct ipc_ids *ids)
{
	long max;

	mutex_lock(&ids->lock);
	max = MAX(ids->max_index, 0);
	mutex_unlock(&ids->lock);
	return max;
}

static long get_existing(struct ipc_object *o, u32 flags, u64 size, const struct ipc_get_ops *ops)
{
	long err = 0;

	if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
		return -EEXIST;
	spin_lock(&o->lock);
	if (ops->check)
		err = ops->check(o, size);
	if (!err)
		err = ipc_check_access(o, flags);
	if (!err)
		err = o->id;
	spin_unlock(&o->lock);
	return err;
}

long ipc_find_or_create(struct ipc_ns *ns, struct ipc_ids *ids, s32 key, u32 flags, u64 size,
			const struct ipc_get_ops *ops)
{
	struct ipc_object *o;
	long id;

	mutex_lock(&ids->lock);
	o = key == IPC_PRIVATE ? NULL : key_find(ids, key);
	if (o)
		id = get_existing(o, flags, size, ops);
	else if (key != IPC_PRIVATE && !(flags & IPC_CREAT))
		id = -ENOENT;
	else
		id = ops->create(ns, key, flags, size);
	mutex_unlock(&ids->lock);
	return id;
}

/* ---- permissions ---- */

int ipc_check_access(const struct ipc_object *o, u32 want)
{
	const struct cred *c = current->cred;
	u32 granted = o->mode;

	want = want >> 6 | want >> 3 | want;
	if (c->euid == o->cuid || c->euid == o->uid)
		granted >>= 6;
	else if (cred_in_group(c, o->cgid) || cred_in_group(c, o->gid))
		granted >>= 3;
	return (want & ~granted & 07) && !capable(CAP_IPC_OWNER) ? -EACCES : 0;
}

int ipc_check_owner(const struct ipc_object *o)
{
	const struct cred *c = current->cred;

	if (c->euid == o->cuid || c->euid == o->uid || capable(CAP_SYS_ADMIN))
		return 0;
	return -EPERM;
}

void ipc_fill_perm(const struct ipc_object *o, struct ipc64_perm *out)
{
	memset(out, 0, sizeof(*out)); /* padding, too: it goes to user space */
	out->key = o->key;
	out->uid = o->uid;
	out->gid = o->gid;
	out->cuid = o->cuid;
	out->cgid = o->cgid;
	out->mode = o->mode;
	out->seq = (unsigned short)o->seq;
}

int ipc_set_perm(struct ipc_object *o, const struct ipc64_perm *in)
{
	if (in->uid == U32_MAX || in->gid == U32_MAX)
		return -EINVAL;
	o->uid = in->uid;
	o->gid = in->gid;
	o->mode = (o->mode & ~0777u) | (in->mode & 0777);
	return 0;
}

/* ---- waiting ---- */

void ipc_waiter_init(struct ipc_waiter *w)
{
	list_init(&w->node);
	w->task = current;
	w->result = IPC_WAITING;
}

void ipc_wake(struct ipc_waiter *w, int result)
{
	struct task *t = w->task;

	list_del(&w->node);
	smp_store_release(&w->result, result);
	/* *w may be gone from here on; t not, for its structure is freed by RCU. */
	sched_wake(t, TASK_NORMAL);
}

int ipc_wait(struct ipc_waiter *w, u64 deadline_ns)
{
	int err = 0, result;

	do {
		sched_set_state(TASK_INTERRUPTIBLE);
		if (smp_load_acquire(&w->result) != IPC_WAITING)
			break;
		err = wait_sleep(TASK_INTERRUPTIBLE, deadline_ns);
	} while (!err);
	WRITE_ONCE(current->state, TASK_RUNNING);
	result = smp_load_acquire(&w->result);
	return result == IPC_WAITING ? err : result;
}
