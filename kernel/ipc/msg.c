/*
 * System V message queues. A sender hands its message straight to the first receiver that waits
 * for such a type; else it queues it. A message is built before the queue is locked and copied out
 * after, so no lock is held around user memory.
 */
#include <lib/string.h>
#include <mm/slab.h>
#include <syscall/table.h>
#include "msg.h"

#define LOOK_AGAIN (-EAGAIN) /* a waker's result: permissions or limits have changed */

/* What msgrcv asks for. */
struct wanted {
	enum { WANT_ANY, WANT_TYPE, WANT_OTHER, WANT_LOWEST, WANT_NUMBER } how;
	long type;      /* for WANT_NUMBER: the position in the queue */
	size_t size;    /* of the buffer */
	bool cut;       /* MSG_NOERROR: longer messages are cut off */
};

struct msg_receiver {
	struct ipc_waiter wait; /* first: lists lead to it */
	const struct wanted *want;
	struct message *got;    /* set before the wake-up; the receiver's own then */
};

static bool suits(const struct wanted *w, const struct message *m)
{
	switch (w->how) {
	case WANT_TYPE: return m->type == w->type;
	case WANT_OTHER: return m->type != w->type;
	case WANT_LOWEST: return m->type <= w->type;
	default: return true;
	}
}

static struct wanted wanted_from(long type, size_t size, u32 flags)
{
	struct wanted w = {.type = type, .size = size, .cut = flags & MSG_NOERROR};

	if (flags & MSG_COPY) {
		w.how = WANT_NUMBER;
	} else if (!type) {
		w.how = WANT_ANY;
	} else if (type < 0) {
		w.how = WANT_LOWEST;
		w.type = type == -LONG_MAX - 1 ? LONG_MAX : -type;
	} else {
		w.how = flags & MSG_EXCEPT ? WANT_OTHER : WANT_TYPE;
	}
	return w;
}

/* ---- messages ---- */

static struct message *message_alloc(size_t size)
{
	struct message *m = kvmalloc(sizeof(*m) + size, GFP_KERNEL);

	if (m)
		m->size = size;
	return m;
}

static int message_fetch(struct user_bytes text, size_t size, long type, struct message **out)
{
	struct message *m = message_alloc(size);
	int err;

	if (!m)
		return -ENOMEM;
	m->type = type;
	err = user_read_bytes(m->data, text, size);
	if (err)
		kvfree(m);
	*out = m;
	return err;
}

static struct message *find_number(const struct msg_queue *q, long number)
{
	struct message *m;

	list_for_each(m, &q->messages, node)
		if (number-- == 0)
			return m;
	return NULL;
}

static struct message *find(const struct msg_queue *q, const struct wanted *w)
{
	struct message *m, *best = NULL;

	if (w->how == WANT_NUMBER)
		return find_number(q, w->type);
	list_for_each(m, &q->messages, node) {
		if (!suits(w, m) || (best && m->type >= best->type))
			continue;
		best = m;
		if (w->how != WANT_LOWEST || m->type == 1)
			break;
	}
	return best;
}

/* ---- sending ---- */

static bool has_room(const struct msg_queue *q, size_t size)
{
	return size + q->bytes <= q->max_bytes && q->count + 1 <= q->max_bytes;
}

static void count(struct msg_queue *q, const struct message *m, int sign)
{
	s64 bytes = sign * (s64)m->size;

	q->bytes += (u64)bytes;
	q->count += (u64)(s64)sign;
	atomic64_add(&q->object.ns->msg_bytes, bytes);
	atomic64_add(&q->object.ns->msg_count, sign);
}

/* To a task that waits for it. Those whose buffer is too small learn that instead. */
static bool hand_over(struct msg_queue *q, struct message *m)
{
	struct msg_receiver *r, *next;

	list_for_each_safe(r, next, &q->receivers, wait.node) {
		if (!suits(r->want, m))
			continue;
		if (r->want->size < m->size && !r->want->cut) {
			ipc_wake(&r->wait, -E2BIG);
			continue;
		}
		q->receive_pid = r->wait.task->process->pid;
		q->rtime = ipc_now();
		r->got = m;
		ipc_wake(&r->wait, 0);
		return true;
	}
	return false;
}

static void deliver(struct msg_queue *q, struct message *m)
{
	q->send_pid = ipc_pid();
	q->stime = ipc_now();
	if (hand_over(q, m))
		return;
	list_add_tail(&m->node, &q->messages);
	count(q, m, 1);
}

/*
 * One sleep for something to change. Locked on entry; locked on return 0, not locked on -errno:
 * -EIDRM, -ERESTARTNOHAND.
 */
static int wait_for_change(struct msg_queue *q, struct ipc_waiter *w, struct list_head *list)
	NO_THREAD_SAFETY
{
	int err;

	ipc_waiter_init(w);
	list_add_tail(&w->node, list);
	ipc_unlock(&q->object);
	err = ipc_wait(w, U64_MAX);
	spin_lock(&q->object.lock);
	if (w->result == IPC_WAITING) {
		list_del(&w->node);
		err = -ERESTARTNOHAND;
	} else {
		err = w->result;
	}
	if (!err)
		return 0;
	spin_unlock(&q->object.lock);
	return err;
}

/* The caller has a reference on the queue. */
static int send_to(struct msg_queue *q, struct message *m, u32 flags)
{
	struct ipc_waiter w;
	int err = ipc_relock(&q->object);

	if (err)
		return err;
	for (;;) {
		err = ipc_check_access(&q->object, 0222);
		if (!err && has_room(q, m->size))
			break;
		if (!err && flags & IPC_NOWAIT)
			err = -EAGAIN;
		if (err) {
			ipc_unlock(&q->object);
			return err;
		}
		err = wait_for_change(q, &w, &q->senders);
		if (err)
			return err;
	}
	deliver(q, m);
	ipc_unlock(&q->object);
	return 0;
}

/* The queue with a reference. */
static int queue_get(struct ipc_ns *ns, s32 id, struct msg_queue **out)
{
	struct ipc_object *o;
	int err = ipc_lock(&ns->msg, id, &o);

	if (err)
		return err;
	ipc_get(o);
	ipc_unlock(o);
	*out = msg_queue_of(o);
	return 0;
}

long sys_msgsnd(int id, struct user_bytes msg, u64 size, u32 flags)
{
	struct ipc_ns *ns = ipc_ns_current();
	struct message *m;
	struct msg_queue *q;
	long type;
	int err = user_read(&type, user_cast(long, msg));

	if (err)
		return err;
	if (size > READ_ONCE(ns->limits->msgmax) || id < 0 || type < 1)
		return -EINVAL;
	err = message_fetch(user_at(msg, sizeof(long)), size, type, &m);
	if (err)
		return err;
	err = queue_get(ns, id, &q);
	if (!err) {
		err = send_to(q, m, flags);
		ipc_put(&q->object);
	}
	if (err)
		kvfree(m);
	return err;
}

/* ---- receiving ---- */

/* Lets senders go on in their order, as far as there is room for each one's guess: any message. */
static void wake_senders(struct msg_queue *q)
{
	struct ipc_waiter *w, *next;

	list_for_each_safe(w, next, &q->senders, node)
		ipc_wake(w, 0);
}

static struct message *message_copy(const struct message *m)
{
	struct message *copy = kmalloc(sizeof(*copy) + m->size, GFP_ATOMIC);

	if (copy) {
		copy->type = m->type;
		copy->size = m->size;
		memcpy(copy->data, m->data, m->size);
	}
	return copy;
}

/* What is there now. Queue locked. 0, -ENOMSG, -E2BIG, and for MSG_COPY -EINVAL, -ENOMEM. */
static int take(struct msg_queue *q, const struct wanted *w, struct message **out)
{
	struct message *m = find(q, w);

	if (!m)
		return -ENOMSG;
	if (m->size > w->size && !w->cut)
		return -E2BIG;
	if (w->how == WANT_NUMBER) {
		if (m->size > w->size)
			return -EINVAL;
		*out = message_copy(m);
		return *out ? 0 : -ENOMEM;
	}
	list_del(&m->node);
	count(q, m, -1);
	q->receive_pid = ipc_pid();
	q->rtime = ipc_now();
	wake_senders(q);
	*out = m;
	return 0;
}

/* Locked on entry; locked on return only with LOOK_AGAIN. */
static int wait_for_message(struct msg_queue *q, const struct wanted *w, struct message **out)
	NO_THREAD_SAFETY
{
	struct msg_receiver r = {.want = w};
	int err = wait_for_change(q, &r.wait, &q->receivers);

	if (err == LOOK_AGAIN)
		return ipc_relock(&q->object) ? -EIDRM : LOOK_AGAIN;
	if (!err) {
		*out = r.got;
		ipc_unlock(&q->object);
	}
	return err;
}

static int receive_from(struct msg_queue *q, const struct wanted *w, u32 flags, struct message **out)
{
	int err = ipc_relock(&q->object);

	if (err)
		return err;
	do {
		err = ipc_check_access(&q->object, 0444);
		if (!err)
			err = take(q, w, out);
		if (err != -ENOMSG || flags & IPC_NOWAIT) {
			ipc_unlock(&q->object);
			return err;
		}
		err = wait_for_message(q, w, out);
	} while (err == LOOK_AGAIN);
	return err;
}

static long message_out(struct user_bytes buf, size_t size, const struct message *m)
{
	size_t n = MIN(size, m->size);

	if (user_write(user_cast(long, buf), &m->type) ||
	    user_write_bytes(user_at(buf, sizeof(long)), m->data, n))
		return -EFAULT;
	return (long)n;
}

long sys_msgrcv(int id, struct user_bytes msg, u64 size, s64 type, u32 flags)
{
	struct wanted w = wanted_from((long)type, size, flags);
	struct message *m = NULL;
	struct msg_queue *q;
	long err;

	if (id < 0 || (s64)size < 0)
		return -EINVAL;
	if (flags & MSG_COPY && (flags & MSG_EXCEPT || !(flags & IPC_NOWAIT)))
		return -EINVAL;
	err = queue_get(ipc_ns_current(), id, &q);
	if (err)
		return err;
	err = receive_from(q, &w, flags, &m);
	ipc_put(&q->object);
	if (err)
		return err;
	err = message_out(msg, size, m);
	kvfree(m);
	return err;
}

/* ---- msgget, IPC_RMID ---- */

void msg_wake_all(struct msg_queue *q, int result)
{
	struct ipc_waiter *w, *next;

	list_for_each_safe(w, next, &q->receivers, node)
		ipc_wake(w, result ? result : LOOK_AGAIN);
	list_for_each_safe(w, next, &q->senders, node)
		ipc_wake(w, result);
}

static void queue_free(struct ipc_object *o)
{
	struct msg_queue *q = msg_queue_of(o);
	struct message *m, *next;

	list_for_each_safe(m, next, &q->messages, node)
		kvfree(m);
	kfree(q);
}

static long queue_create(struct ipc_ns *ns, s32 key, u32 flags, u64 size)
{
	struct msg_queue *q = kzalloc(sizeof(*q), GFP_KERNEL);
	int err;

	if (!q)
		return -ENOMEM;
	ipc_object_init(&q->object, ns, key, flags, queue_free);
	q->ctime = ipc_now();
	q->max_bytes = READ_ONCE(ns->limits->msgmnb);
	list_init(&q->messages);
	list_init(&q->receivers);
	list_init(&q->senders);
	err = ipc_add(&ns->msg, &q->object, READ_ONCE(ns->limits->msgmni));
	if (err) {
		kfree(q);
		return err;
	}
	return q->object.id;
}

long sys_msgget(int key, u32 flags)
{
	static const struct ipc_get_ops ops = {.create = queue_create};
	struct ipc_ns *ns = ipc_ns_current();

	return ipc_find_or_create(ns, &ns->msg, key, flags, 0, &ops);
}

long msg_remove(struct ipc_ns *ns, s32 id)
{
	struct ipc_object *o;
	struct msg_queue *q;
	long err;

	mutex_lock(&ns->msg.lock);
	err = ipc_lock(&ns->msg, id, &o);
	if (!err) {
		q = msg_queue_of(o);
		err = ipc_check_owner(o);
		if (!err) {
			ipc_remove(&ns->msg, o);
			msg_wake_all(q, -EIDRM);
			atomic64_add(&ns->msg_bytes, -(s64)q->bytes);
			atomic64_add(&ns->msg_count, -(s64)q->count);
		}
		ipc_unlock(o);
	}
	mutex_unlock(&ns->msg.lock);
	if (!err)
		ipc_put(o);
	return err;
}
