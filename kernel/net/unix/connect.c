/*
 * Connections of SOCK_STREAM and SOCK_SEQPACKET. A connect makes the other end itself, linked to
 * it and ready for data, and puts it into the listener's queue; accept takes it out. While the queue
 * is full, connects wait in the listener's peer_wait.
 */
#include <lib/errno.h>
#include <task/task.h>

#include "unix.h"

static void peer_is_self(struct unix_sock *u)
{
	socket_set_peer(&u->s, current->process->pid, current->cred);
}

/* Both are fresh, or a is locked: nobody else links them meanwhile. */
static void link_ends(struct unix_sock *a, struct unix_sock *b)
{
	unix_get(a);
	unix_get(b);
	b->peer = a;
	WRITE_ONCE(b->state, UNIX_CONNECTED);
	WRITE_ONCE(a->state, UNIX_CONNECTED);
	smp_store_release(&a->peer, b);
}

int unix_pair(struct socket *a, struct socket *b)
{
	peer_is_self(unix_of(a));
	peer_is_self(unix_of(b));
	link_ends(unix_of(a), unix_of(b));
	return 0;
}

int unix_listen(struct socket *s, u32 backlog)
{
	struct unix_sock *u = unix_of(s);
	bool more = false;
	int err = 0;

	if (s->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	if (!smp_load_acquire(&u->addr))
		return -EINVAL;
	spin_lock(&s->lock);
	if (u->state == UNIX_CONNECTED) {
		err = -EINVAL;
	} else {
		more = backlog > u->backlog;
		WRITE_ONCE(u->backlog, backlog);
		WRITE_ONCE(u->state, UNIX_LISTENING);
		__atomic_fetch_or(&s->flags, SOCKET_LISTENING, __ATOMIC_RELAXED);
	}
	spin_unlock(&s->lock);
	if (more)
		wake_up_all(&u->peer_wait);
	if (!err)
		peer_is_self(u);
	return err;
}

/* The listener's maker is what SO_PEERCRED of the connecting socket tells. */
static void copy_peer(struct unix_sock *u, struct unix_sock *listener)
{
	struct socket *l = &listener->s;
	const struct cred *cred;
	s32 pid;

	spin_lock(&l->lock);
	cred = l->peer_cred;
	pid = l->peer_pid;
	if (cred)
		cred_get(cred);
	spin_unlock(&l->lock);
	socket_set_peer(&u->s, pid, cred);
	if (cred)
		cred_put(cred);
}

/* Both locked. The connection exists from here on. */
static void enqueue(struct unix_sock *listener, struct unix_sock *u, struct unix_sock *fresh)
{
	ref_get(&listener->addr->ref); /* only the name: look-ups find the listener */
	smp_store_release(&fresh->addr, listener->addr);
	link_ends(u, fresh);
	fresh->listener = listener;
	list_add_tail(&fresh->embryo, &listener->queue);
	listener->nr_queued++;
}

static int state_error(const struct unix_sock *u)
{
	return u->state == UNIX_CLOSED ? 0 : u->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
}

/* 0: connected. 1: the listener is gone, look again. -EAGAIN: its queue is full. */
static int try_connect(struct unix_sock *u, struct unix_sock *listener, struct unix_sock *fresh)
{
	int err;

	unix_lock_pair(u, listener);
	if (listener->dead)
		err = 1;
	else if (listener->state != UNIX_LISTENING || listener->s.shutdown & RCV_SHUTDOWN)
		err = -ECONNREFUSED;
	else if (unix_full(listener))
		err = -EAGAIN;
	else
		err = state_error(u);
	if (!err)
		enqueue(listener, u, fresh);
	unix_unlock_pair(u, listener);
	return err;
}

static bool may_proceed(struct unix_sock *listener)
{
	return !unix_full(listener) || READ_ONCE(listener->dead) ||
	       READ_ONCE(listener->s.shutdown) & RCV_SHUTDOWN;
}

static int connect_to(struct unix_sock *u, struct unix_sock *listener, struct unix_sock *fresh,
		      u64 deadline)
{
	int err;

	err = try_connect(u, listener, fresh);
	if (!err) {
		copy_peer(u, listener);
		unix_data_ready(listener);
	}
	if (err != -EAGAIN || !deadline)
		return err;
	err = wait_event_state_(&listener->peer_wait, may_proceed(listener), TASK_INTERRUPTIBLE,
				deadline, true);
	return err ? socket_wait_error(err, deadline) : 1;
}

int unix_stream_connect(struct socket *s, const struct socket_address *addr, u32 len, bool may_wait)
{
	u64 deadline = socket_deadline(READ_ONCE(s->sndtimeo_ns), may_wait);
	struct unix_sock *u = unix_of(s), *listener, *fresh;
	int err = unix_check_addr(addr, len);

	if (!err && socket_flag(s, SOCKET_PASSCRED))
		err = unix_autobind(u);
	if (err)
		return err;
	fresh = unix_alloc(s->type);
	if (!fresh)
		return -ENOMEM;
	peer_is_self(fresh);
	do {
		err = unix_find(addr, len, s->type, &listener);
		if (err)
			break;
		err = connect_to(u, listener, fresh, deadline);
		unix_put(listener);
	} while (err == 1);
	if (err)
		unix_release(&fresh->s);
	return err;
}

/* The oldest connection of the queue, or NULL. */
static struct unix_sock *dequeue(struct unix_sock *u)
{
	struct unix_sock *fresh = NULL;

	spin_lock(&u->s.lock);
	if (!list_empty(&u->queue)) {
		fresh = list_first(&u->queue, struct unix_sock, embryo);
		list_del(&fresh->embryo);
		WRITE_ONCE(u->nr_queued, u->nr_queued - 1);
		/* From here on it is alive by itself; see gc.c. */
		WRITE_ONCE(fresh->listener, NULL);
	}
	spin_unlock(&u->s.lock);
	return fresh;
}

int unix_accept(struct socket *s, bool may_wait, struct socket **out)
{
	u64 deadline = socket_deadline(READ_ONCE(s->rcvtimeo_ns), may_wait);
	struct unix_sock *u = unix_of(s), *fresh;
	int err;

	if (s->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	if (READ_ONCE(u->state) != UNIX_LISTENING)
		return -EINVAL;
	while (!(fresh = dequeue(u))) {
		err = socket_take_error(s);
		if (err)
			return err;
		if (!deadline)
			return -EAGAIN;
		if (READ_ONCE(s->shutdown) & RCV_SHUTDOWN)
			return -EINVAL;
		err = wait_event_state_(&s->read_wait,
					!list_empty(&u->queue) ||
						READ_ONCE(s->shutdown) & RCV_SHUTDOWN,
					TASK_INTERRUPTIBLE, deadline, true);
		if (err)
			return socket_wait_error(err, deadline);
	}
	wake_up(&u->peer_wait);
	fresh->s.flags |= s->flags & (SOCKET_PASSCRED | SOCKET_PASSSEC);
	*out = &fresh->s;
	return 0;
}
