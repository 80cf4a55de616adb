/*
 * POSIX message queues: the queue itself, sending and receiving. Names and files: mqueue_fs.c.
 *
 * Messages lie in a tree ordered by priority and age. A sender hands its message straight to the
 * first task that waits for one; a receiver lets the first waiting sender put its message in. Both
 * kinds of waiters stand in order of real-time priority, equals in order of arrival.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <signal/signal.h>
#include <syscall/table.h>
#include <time/clock.h>
#include <vfs/poll.h>
#include "mqueue.h"

/* What Linux charges for a message beyond its text: the limit is the user's to compute with. */
#define COST_MESSAGE  48
#define COST_PRIORITY 48

struct mq_waiter {
	struct ipc_waiter wait;     /* first: lists lead to it */
	struct mq_message *message; /* sender: to be queued; receiver: what it got */
	u8 rt_priority;
};

/* ---- life ---- */

static int check_limits(const struct ipc_ns *ns, const struct mq_attr *a)
{
	bool free_hand = capable(CAP_SYS_RESOURCE);
	long msgs = free_hand ? MQ_HARD_MSGS : READ_ONCE(ns->limits->mq_msg_max);
	long size = free_hand ? MQ_HARD_SIZE : READ_ONCE(ns->limits->mq_msgsize_max);

	if (a->mq_maxmsg <= 0 || a->mq_msgsize <= 0)
		return -EINVAL;
	return a->mq_maxmsg > msgs || a->mq_msgsize > size ? -EINVAL : 0;
}

static int charge(struct mqueue *q)
{
	struct user_account *user = current->cred->user;
	u64 limit = rlimit(RLIMIT_MSGQUEUE);

	q->cost = q->max_messages * (q->max_size + COST_MESSAGE) +
		  MIN(q->max_messages, (u64)MQ_PRIO_MAX) * COST_PRIORITY;
	if ((u64)atomic64_add_return(&user->mqueue_bytes, (s64)q->cost) > limit) {
		atomic64_add(&user->mqueue_bytes, -(s64)q->cost);
		return -EMFILE;
	}
	user_account_ref(user);
	q->user = user;
	return 0;
}

int mqueue_create(const struct mq_attr *attr, struct mqueue **out)
{
	struct ipc_ns *ns = ipc_ns_current();
	const struct ipc_limits *l = ns->limits;
	struct mq_attr given = {
		.mq_maxmsg = MIN(READ_ONCE(l->mq_msg_max), READ_ONCE(l->mq_msg_default)),
		.mq_msgsize = MIN(READ_ONCE(l->mq_msgsize_max), READ_ONCE(l->mq_msgsize_default)),
	};
	struct mqueue *q;
	int err;

	if (attr)
		given = *attr;
	err = check_limits(ns, &given);
	if (err)
		return err;
	q = kzalloc(sizeof(*q), GFP_KERNEL);
	if (!q)
		return -ENOMEM;
	spin_init(&q->lock, LOCK_RANK_IPC_OBJECT);
	q->max_messages = (u64)given.mq_maxmsg;
	q->max_size = (u64)given.mq_msgsize;
	list_init(&q->node);
	list_init(&q->receivers);
	list_init(&q->senders);
	wait_queue_init(&q->poll);
	err = charge(q);
	if (err) {
		kfree(q);
		return err;
	}
	*out = q;
	return 0;
}

void mqueue_destroy(struct mqueue *q)
{
	struct rb_node *n;

	while ((n = rb_first(&q->messages))) {
		rb_erase(&q->messages, n, NULL);
		kvfree(rb_entry(n, struct mq_message, node));
	}
	if (q->notify_owner)
		process_put(q->notify_owner);
	atomic64_add(&q->user->mqueue_bytes, -(s64)q->cost);
	user_account_put(q->user);
	kfree(q);
}

/* ---- messages ---- */

static void insert(struct mqueue *q, struct mq_message *m)
{
	struct rb_node **link = &q->messages.node, *parent = NULL;

	while (*link) {
		parent = *link;
		/* Younger ones of a priority lie before older ones: the last is taken first. */
		link = m->priority <= rb_entry(parent, struct mq_message, node)->priority
			       ? &parent->left
			       : &parent->right;
	}
	rb_insert(&q->messages, &m->node, parent, link, NULL);
	q->count++;
	q->bytes += m->size;
}

static struct mq_message *take_first(struct mqueue *q)
{
	struct mq_message *m = rb_entry(rb_last(&q->messages), struct mq_message, node);

	rb_erase(&q->messages, &m->node, NULL);
	q->count--;
	q->bytes -= m->size;
	return m;
}

static struct mq_waiter *first_waiter(struct list_head *list)
{
	return list_empty(list) ? NULL
				: container_of(list_first(list, struct ipc_waiter, node),
					       struct mq_waiter, wait);
}

static void enqueue(struct list_head *list, struct mq_waiter *w)
{
	struct list_head *at = list;
	struct mq_waiter *other;
	struct sched_params p;

	sched_get_params(current, &p);
	w->rt_priority = p.rt_priority;
	ipc_waiter_init(&w->wait);
	list_for_each(other, list, wait.node) {
		if (other->rt_priority < w->rt_priority) {
			at = &other->wait.node;
			break;
		}
	}
	list_add_tail(&w->wait.node, at);
}

/* Waits to be served. Locked on entry, not on return. 0, -ETIMEDOUT, -ERESTARTSYS. */
static int wait_served(struct mqueue *q, struct mq_waiter *w, struct list_head *list,
		       u64 deadline_ns) RELEASES(q->lock) NO_THREAD_SAFETY
{
	int err;

	enqueue(list, w);
	spin_unlock(&q->lock);
	err = ipc_wait(&w->wait, deadline_ns);
	if (!err)
		return 0;
	spin_lock(&q->lock);
	if (w->wait.result == IPC_WAITING)
		list_del(&w->wait.node);
	else
		err = 0; /* served after all */
	spin_unlock(&q->lock);
	return err == -ETIME ? -ETIMEDOUT : err;
}

/* ---- notification ---- */

static void forget_notify_locked(struct mqueue *q)
{
	process_put(q->notify_owner);
	q->notify_owner = NULL;
}

void mqueue_forget_notify(struct mqueue *q)
{
	spin_lock(&q->lock);
	if (q->notify_owner == current->process)
		forget_notify_locked(q);
	spin_unlock(&q->lock);
}

/* The queue was empty, nobody waited, and has a message now. Locked. */
static void notify(struct mqueue *q)
{
	siginfo_t info;

	if (q->notify_owner && q->count == 1) {
		if (q->notify_how == SIGEV_SIGNAL && q->notify_signal) {
			siginfo_user(&info, q->notify_signal);
			info.si_code = SI_MESGQ;
			info.si_value = q->notify_value;
			signal_send_process(q->notify_owner, q->notify_signal, &info);
		}
		forget_notify_locked(q);
	}
	wake_up_poll(&q->poll, EPOLLIN | EPOLLRDNORM);
}

/* SIGEV_THREAD needs a netlink socket to put a cookie on; there are none. */
static int notify_check(const struct sigevent *ev)
{
	switch (ev->sigev_notify) {
	case SIGEV_NONE:
		return 0;
	case SIGEV_SIGNAL:
		return ev->sigev_signo >= 0 && ev->sigev_signo <= SIGNAL_MAX ? 0 : -EINVAL;
	case SIGEV_THREAD: {
		struct fd f = fd_get(ev->sigev_signo);
		bool open = f.file;

		fd_put(f);
		return open ? -ENOTSOCK : -EBADF;
	}
	default:
		return -EINVAL;
	}
}

static int notify_set(struct mqueue *q, const struct sigevent *ev)
{
	int err = 0;

	spin_lock(&q->lock);
	if (q->notify_owner) {
		err = -EBUSY;
	} else {
		process_get(current->process);
		q->notify_owner = current->process;
		q->notify_how = ev->sigev_notify;
		q->notify_signal = ev->sigev_signo;
		q->notify_value = ev->sigev_value;
	}
	spin_unlock(&q->lock);
	return err;
}

DEFINE_USER_PTR(sigevent_abi, struct sigevent);

long sys_mq_notify(int mq, struct user_bytes event)
{
	bool set = !user_is_null(event);
	struct sigevent ev;
	struct mqueue *q;
	struct fd f;
	int err = set ? user_read(&ev, user_cast(sigevent_abi, event)) : 0;

	if (!err && set)
		err = notify_check(&ev);
	if (err)
		return err;
	f = fd_get(mq);
	q = f.file ? mqueue_of(f.file) : NULL;
	if (!q)
		err = -EBADF;
	else if (set)
		err = notify_set(q, &ev);
	else
		mqueue_forget_notify(q);
	fd_put(f);
	return err;
}

/* ---- sending ---- */

static int deadline_from(struct user_timespec timeout, u64 *deadline_ns)
{
	struct timespec64 ts;
	s64 offset;
	u64 ns;
	int err;

	*deadline_ns = U64_MAX;
	if (user_is_null(timeout))
		return 0;
	err = user_read(&ts, timeout);
	if (err)
		return err;
	if (!timespec_valid(&ts))
		return -EINVAL;
	ns = timespec_to_ns(&ts);
	offset = clock_realtime_offset();
	*deadline_ns = (s64)ns > offset ? ns - (u64)offset : 0;
	return 0;
}

static int message_fetch(struct user_bytes text, size_t size, u32 priority, struct mq_message **out)
{
	struct mq_message *m = kvmalloc(sizeof(*m) + size, GFP_KERNEL);
	int err;

	if (!m)
		return -ENOMEM;
	m->size = size;
	m->priority = priority;
	err = user_read_bytes(m->data, text, size);
	if (err)
		kvfree(m);
	*out = m;
	return err;
}

/* 0: the message is the queue's, or a receiver's. */
static int send(struct mqueue *q, struct mq_message *m, bool block, u64 deadline_ns)
{
	struct mq_waiter w = {.message = m}, *receiver;

	spin_lock(&q->lock);
	if (q->count == q->max_messages) {
		if (block)
			return wait_served(q, &w, &q->senders, deadline_ns);
		spin_unlock(&q->lock);
		return -EAGAIN;
	}
	receiver = first_waiter(&q->receivers);
	if (receiver) {
		receiver->message = m;
		ipc_wake(&receiver->wait, 0);
	} else {
		insert(q, m);
		notify(q);
	}
	spin_unlock(&q->lock);
	return 0;
}

long sys_mq_timedsend(int mq, struct user_bytes msg, u64 size, u32 priority,
		      struct user_timespec timeout)
{
	struct mq_message *m = NULL;
	struct mqueue *q;
	u64 deadline_ns;
	struct fd f;
	int err = deadline_from(timeout, &deadline_ns);

	if (err)
		return err;
	if (priority >= MQ_PRIO_MAX)
		return -EINVAL;
	f = fd_get(mq);
	q = f.file && f.file->mode & FMODE_WRITE ? mqueue_of(f.file) : NULL;
	if (!q)
		err = -EBADF;
	else if (size > q->max_size)
		err = -EMSGSIZE;
	else
		err = message_fetch(msg, size, priority, &m);
	if (!err) {
		err = send(q, m, !(f.file->flags & O_NONBLOCK), deadline_ns);
		if (err)
			kvfree(m);
		else
			inode_touch(f.file->inode, ATTR_MTIME | ATTR_CTIME);
	}
	fd_put(f);
	return err;
}

/* ---- receiving ---- */

/* There is room: the first sender that waits for it is through. Else writers are told. */
static void let_sender_in(struct mqueue *q)
{
	struct mq_waiter *sender = first_waiter(&q->senders);

	if (!sender) {
		wake_up_poll(&q->poll, EPOLLOUT | EPOLLWRNORM);
		return;
	}
	insert(q, sender->message);
	ipc_wake(&sender->wait, 0);
}

static int receive(struct mqueue *q, bool block, u64 deadline_ns, struct mq_message **out)
{
	struct mq_waiter w = {0};
	int err;

	spin_lock(&q->lock);
	if (!q->count) {
		if (!block) {
			spin_unlock(&q->lock);
			return -EAGAIN;
		}
		err = wait_served(q, &w, &q->receivers, deadline_ns);
		*out = w.message;
		return err;
	}
	*out = take_first(q);
	let_sender_in(q);
	spin_unlock(&q->lock);
	return 0;
}

long sys_mq_timedreceive(int mq, struct user_bytes msg, u64 size, struct user_uint priority,
			 struct user_timespec timeout)
{
	struct mq_message *m = NULL;
	struct mqueue *q;
	u64 deadline_ns;
	struct fd f;
	long err = deadline_from(timeout, &deadline_ns);

	if (err)
		return err;
	f = fd_get(mq);
	q = f.file && f.file->mode & FMODE_READ ? mqueue_of(f.file) : NULL;
	if (!q)
		err = -EBADF;
	else if (size < q->max_size)
		err = -EMSGSIZE;
	else
		err = receive(q, !(f.file->flags & O_NONBLOCK), deadline_ns, &m);
	if (!err)
		inode_touch(f.file->inode, ATTR_ATIME);
	fd_put(f);
	if (err)
		return err;
	err = user_write_bytes(msg, m->data, m->size);
	if (!err && !user_is_null(priority))
		err = user_write(priority, &m->priority);
	if (!err)
		err = (long)m->size;
	kvfree(m);
	return err;
}

/* ---- attributes ---- */

long sys_mq_getsetattr(int mq, struct user_bytes attr, struct user_bytes old)
{
	struct mq_attr new, was;
	struct mqueue *q;
	struct fd f;
	int err = user_is_null(attr) ? 0 : user_read(&new, user_cast(mq_attr, attr));

	if (err)
		return err;
	if (!user_is_null(attr) && new.mq_flags & ~(long)O_NONBLOCK)
		return -EINVAL;
	f = fd_get(mq);
	q = f.file ? mqueue_of(f.file) : NULL;
	if (!q) {
		fd_put(f);
		return -EBADF;
	}
	memset(&was, 0, sizeof(was));
	was.mq_maxmsg = (long)q->max_messages;
	was.mq_msgsize = (long)q->max_size;
	spin_lock(&q->lock);
	was.mq_curmsgs = (long)q->count;
	spin_unlock(&q->lock);
	spin_lock(&f.file->spin);
	was.mq_flags = f.file->flags & O_NONBLOCK;
	if (!user_is_null(attr))
		f.file->flags = (f.file->flags & ~(u32)O_NONBLOCK) | (u32)new.mq_flags;
	spin_unlock(&f.file->spin);
	fd_put(f);
	return user_is_null(old) ? 0 : user_write(user_cast(mq_attr, old), &was);
}
