/*
 * SOCK_DGRAM and SOCK_SEQPACKET: moving whole messages.
 *
 * A datagram socket may send to anybody who is not connected to somebody else. The receiver's queue
 * is bounded in messages for senders that it has not connected to: they wait in its peer_wait. A
 * poller that waits to send to its peer cannot queue itself there (the peer may go away under it);
 * its socket stands in the peer's `relays` instead, and room in the queue wakes the sockets there.
 *
 * A receiver takes its message out of the queue before it copies, so a fault loses the datagram, as
 * on Linux. A peeking one copies with read_lock held; so whoever empties a queue takes it, too.
 */
#include <lib/errno.h>
#include <signal/signal.h>

#include "unix.h"

#define WRITABLE (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)

/* ---- Relays ---- */

/* The next socket that waits for room, with a reference; NULL: none, or there is no room again. */
static struct unix_sock *next_relay(struct unix_sock *u)
{
	struct unix_sock *waiter = NULL;

	spin_lock(&u->s.lock);
	if (!list_empty(&u->relays) && !(unix_full(u) && !u->dead)) {
		waiter = list_first(&u->relays, struct unix_sock, relay_node);
		list_del(&waiter->relay_node);
		unix_get(waiter);
	}
	spin_unlock(&u->s.lock);
	return waiter;
}

void unix_room(struct unix_sock *u)
{
	struct unix_sock *waiter;

	wake_up_poll(&u->peer_wait, WRITABLE);
	if (likely(list_empty(&u->relays)))
		return;
	/* One by one: there may be thousands, and the lock keeps the CPU. */
	while ((waiter = next_relay(u))) {
		if (wait_queue_active(&waiter->s.write_wait))
			wake_up_events(&waiter->s.write_wait, ~0U, WRITABLE);
		unix_put(waiter);
	}
}

void unix_leave_relays(struct unix_sock *u, struct unix_sock *peer)
{
	spin_lock(&peer->s.lock);
	list_del(&u->relay_node);
	spin_unlock(&peer->s.lock);
}

/* True when u cannot send to its peer now, and will be woken when it can. */
static bool wait_by_relay(struct unix_sock *u, struct unix_sock *peer)
{
	bool full;

	unix_lock_pair(u, peer);
	full = u->peer == peer && peer->peer != u && !peer->dead && unix_full(peer);
	if (full && list_empty(&u->relay_node))
		list_add_tail(&u->relay_node, &peer->relays);
	unix_unlock_pair(u, peer);
	return full;
}

static struct unix_sock *peer_get(struct unix_sock *u)
{
	struct unix_sock *peer;

	spin_lock(&u->s.lock);
	peer = u->peer;
	if (peer)
		unix_get(peer);
	spin_unlock(&u->s.lock);
	return peer;
}

/* ---- Connecting ---- */

static bool may_send(const struct unix_sock *u, const struct unix_sock *to)
{
	return !to->peer || to->peer == u;
}

/* u has left `old`: what it had received is lost, and an end that still points here is told. */
static void disconnected(struct unix_sock *u, struct unix_sock *old)
{
	bool lost = false, told = false;
	struct unix_msg *m, *next;
	struct list_head gone;

	list_init(&gone);
	mutex_lock(&u->read_lock);
	spin_lock(&u->s.lock);
	lost = !list_empty(&u->queue);
	list_splice_tail(&u->queue, &gone);
	WRITE_ONCE(u->nr_queued, 0);
	spin_unlock(&u->s.lock);
	mutex_unlock(&u->read_lock);
	list_for_each_safe(m, next, &gone, node)
		unix_msg_free(m);
	if (!lost)
		return;
	unix_room(u);
	spin_lock(&old->s.lock);
	if (!old->dead && old->peer == u) {
		WRITE_ONCE(old->s.error, ECONNRESET);
		told = true;
	}
	spin_unlock(&old->s.lock);
	if (told)
		unix_state_changed(old);
}

/* Consumes the reference to `to` (NULL: none any more). */
static void replace_peer(struct unix_sock *u, struct unix_sock *old, struct unix_sock *to)
{
	if (!old)
		return;
	unix_leave_relays(u, old);
	if (to != old)
		disconnected(u, old);
	unix_state_changed(u);
	unix_put(old);
}

static void disconnect(struct unix_sock *u)
{
	struct unix_sock *old;

	spin_lock(&u->s.lock);
	old = u->peer;
	u->peer = NULL;
	if (old)
		WRITE_ONCE(u->state, UNIX_CLOSED);
	spin_unlock(&u->s.lock);
	replace_peer(u, old, NULL);
}

/* 0: connected, `to` is consumed. 1: it is dead. -EPERM. */
static int connect_to(struct unix_sock *u, struct unix_sock *to)
{
	struct unix_sock *old = NULL;
	int err = 0;

	unix_lock_pair(u, to);
	if (to->dead)
		err = 1;
	else if (!may_send(u, to))
		err = -EPERM;
	if (!err) {
		WRITE_ONCE(u->state, UNIX_CONNECTED);
		WRITE_ONCE(to->state, UNIX_CONNECTED);
		old = u->peer;
		u->peer = to;
	}
	unix_unlock_pair(u, to);
	if (!err)
		replace_peer(u, old, to);
	return err;
}

int unix_dgram_connect(struct socket *s, const struct socket_address *addr, u32 len, bool may_wait)
{
	struct unix_sock *u = unix_of(s), *to;
	int err;

	if (len < sizeof(addr->storage.ss_family))
		return -EINVAL;
	if (addr->storage.ss_family == AF_UNSPEC) {
		disconnect(u);
		return 0;
	}
	err = unix_check_addr(addr, len);
	if (!err && socket_flag(s, SOCKET_PASSCRED))
		err = unix_autobind(u);
	if (err)
		return err;
	do {
		err = unix_find(addr, len, s->type, &to);
		if (err)
			return err;
		err = connect_to(u, to);
		if (err)
			unix_put(to);
	} while (err == 1);
	return err;
}

/* ---- Sending ---- */

/* 0: queued. 1: `to` is dead. -EPERM, -EPIPE, -EAGAIN (full). */
static int append(struct unix_sock *u, struct unix_sock *to, struct unix_msg *msg)
{
	int err = 0;

	spin_lock(&to->s.lock);
	if (!may_send(u, to))
		err = -EPERM;
	else if (to->dead)
		err = 1;
	else if (to->s.shutdown & RCV_SHUTDOWN)
		err = -EPIPE;
	else if (to != u && to->peer != u && unix_full(to))
		err = -EAGAIN;
	if (!err) {
		scm_add_creds(msg, u, to);
		if (unlikely(socket_flag(&to->s, SOCKET_TIMESTAMP)))
			msg->time_ns = clock_realtime();
		list_add_tail(&msg->node, &to->queue);
		to->nr_queued++;
		to->nr_appended++;
	}
	spin_unlock(&to->s.lock);
	if (!err)
		unix_data_ready(to);
	return err;
}

/* The target has died. 0: look it up again, or what the sender is told. */
static int target_died(struct unix_sock *u, struct unix_sock *to, const struct msg *m)
{
	bool was_peer;

	if (u->s.type == SOCK_SEQPACKET)
		return -EPIPE;
	spin_lock(&u->s.lock);
	was_peer = u->peer == to;
	spin_unlock(&u->s.lock);
	if (was_peer) {
		disconnect(u);
		return -ECONNREFUSED;
	}
	return m->name ? 0 : -ECONNRESET;
}

static bool may_try_again(const struct unix_sock *u, struct unix_sock *to)
{
	return !unix_full(to) || READ_ONCE(to->dead) || READ_ONCE(to->peer) == u ||
	       READ_ONCE(to->s.shutdown) & RCV_SHUTDOWN;
}

/* Its queue is full. 0: try again. */
static int wait_for_target(struct unix_sock *u, struct unix_sock *to, u64 deadline)
{
	int err;

	if (!deadline)
		return wait_by_relay(u, to) || unix_full(to) ? -EAGAIN : 0;
	err = wait_event_state_(&to->peer_wait, may_try_again(u, to), TASK_INTERRUPTIBLE, deadline,
				true);
	return err ? socket_wait_error(err, deadline) : 0;
}

/* One attempt at one target: 0 queued, 1 try again with the same, 2 look it up again, or -errno. */
static int send_to(struct unix_sock *u, struct unix_sock *to, struct msg *m, struct unix_msg *msg,
		   u64 deadline)
{
	int err = append(u, to, msg);

	if (likely(!err))
		return 0;
	if (err == 1) {
		err = target_died(u, to, m);
		return err ? err : 2;
	}
	if (err != -EAGAIN)
		return err;
	err = wait_for_target(u, to, deadline);
	return err ? err : 1;
}

/* Consumes the message when it has been queued. The descriptors travel towards `to`. */
static int deliver(struct unix_sock *u, struct msg *m, struct unix_msg *msg, struct scm *scm)
{
	u64 deadline = socket_deadline(READ_ONCE(u->s.sndtimeo_ns), !(m->flags & MSG_DONTWAIT));
	struct unix_sock *to;
	int err;

	do {
		if (m->name) {
			err = unix_find(m->name, m->name_len, u->s.type, &to);
		} else {
			to = peer_get(u);
			err = to ? 0 : -ECONNRESET;
		}
		if (err)
			return err;
		if (unlikely(scm && scm->fds))
			err = scm_attach(msg, scm, to);
		if (!err) {
			do {
				err = send_to(u, to, m, msg, deadline);
			} while (err == 1);
		}
		if (unlikely(err && msg->fds))
			scm_destroy_attached(msg);
		unix_put(to);
	} while (err == 2);
	return err;
}

static int check_send(struct unix_sock *u, const struct msg *m)
{
	int err = 0;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->name)
		err = unix_check_addr(m->name, m->name_len);
	else if (!READ_ONCE(u->peer))
		err = -ENOTCONN;
	if (!err && socket_flag(&u->s, SOCKET_PASSCRED))
		err = unix_autobind(u);
	if (!err && io_count(m->iter) > (u64)READ_ONCE(u->s.sndbuf) - 32)
		err = -EMSGSIZE;
	return err;
}

static ssize_t send_message(struct unix_sock *u, struct msg *m, struct scm *scm)
{
	size_t n = io_count(m->iter);
	struct unix_msg *msg;
	int err = check_send(u, m);

	if (!err)
		err = unix_msg_alloc(u, n, false, !(m->flags & MSG_DONTWAIT), &msg);
	if (err)
		return err;
	if (io_copy_from(m->iter, msg->data, n) < n)
		err = -EFAULT;
	if (scm)
		msg->creds = scm->creds;
	if (!err)
		err = deliver(u, m, msg, scm);
	if (likely(!err))
		return (ssize_t)n;
	unix_msg_free(msg);
	return err;
}

ssize_t unix_dgram_send(struct socket *s, struct msg *m)
{
	struct scm scm = {.creds = SCM_NO_CREDS};
	ssize_t n;

	if (likely(!m->control_len))
		return send_message(unix_of(s), m, NULL);
	n = scm_parse(m, &scm);
	if (n)
		return n;
	n = send_message(unix_of(s), m, &scm);
	scm_fini(&scm);
	return n;
}

ssize_t unix_seqpacket_send(struct socket *s, struct msg *m)
{
	int err = socket_take_error(s);

	if (err)
		return err;
	if (READ_ONCE(unix_of(s)->state) != UNIX_CONNECTED)
		return -ENOTCONN;
	m->name = NULL;
	return unix_dgram_send(s, m);
}

/* ---- Receiving: read_lock held ---- */

/*
 * The message to receive, out of the queue unless it is peeked at; *skip bytes into it. With
 * SO_PEEK_OFF, messages that have been peeked at are passed over.
 */
static struct unix_msg *take_message(struct unix_sock *u, bool peek, size_t *skip, u32 *seen)
{
	struct unix_msg *m, *found = NULL;

	spin_lock(&u->s.lock);
	*seen = u->nr_appended;
	list_for_each(m, &u->queue, node) {
		if (peek && READ_ONCE(u->s.peek_off) >= 0 && *skip >= m->len &&
		    (m->len || *skip || m->peeked)) {
			*skip -= m->len;
			continue;
		}
		found = m;
		break;
	}
	if (found && peek) {
		found->peeked |= !found->len;
	} else if (found) {
		list_del(&found->node);
		WRITE_ONCE(u->nr_queued, u->nr_queued - 1);
	}
	spin_unlock(&u->s.lock);
	return found;
}

/* 0: look again, 1: end of file, -errno. read_lock is not held. */
static int wait_for_message(struct unix_sock *u, u64 deadline, u32 seen)
{
	bool end = READ_ONCE(u->s.shutdown) & RCV_SHUTDOWN;
	int err;

	if (!deadline)
		return end && u->s.type == SOCK_SEQPACKET ? 1 : -EAGAIN;
	if (READ_ONCE(u->s.error))
		return 0;
	if (end)
		return READ_ONCE(u->nr_appended) == seen;
	err = wait_event_state_(&u->s.read_wait,
				READ_ONCE(u->nr_appended) != seen || READ_ONCE(u->s.error) ||
					READ_ONCE(u->s.shutdown) & RCV_SHUTDOWN,
				TASK_INTERRUPTIBLE, deadline, true);
	return err ? socket_wait_error(err, deadline) : 0;
}

/* On success read_lock is held. 0 and *out, 1: end of file, -errno. */
static int get_message(struct unix_sock *u, struct msg *m, struct unix_msg **out, size_t *skip)
	NO_THREAD_SAFETY
{
	u64 deadline = m->flags & MSG_DONTWAIT ? 0 : READ_ONCE(u->s.rcvtimeo_ns);
	bool peek = m->flags & MSG_PEEK;
	u32 seen;
	int err;

	if (deadline && deadline != U64_MAX)
		deadline = socket_deadline(deadline, true);
	for (;;) {
		mutex_lock(&u->read_lock);
		err = socket_take_error(&u->s);
		if (!err) {
			*skip = peek ? (size_t)MAX(READ_ONCE(u->s.peek_off), 0) : 0;
			*out = take_message(u, peek, skip, &seen);
			if (likely(*out))
				return 0;
		}
		mutex_unlock(&u->read_lock);
		if (!err)
			err = wait_for_message(u, deadline, seen);
		if (err)
			return err;
	}
}

static void put_timestamp(struct msg *m, u64 ns)
{
	struct __kernel_old_timeval tv = {(s64)(ns / NSEC_PER_SEC),
					  (s64)(ns % NSEC_PER_SEC / NSEC_PER_USEC)};

	if (!user_is_null(m->control_out))
		msg_put_control(m, SOL_SOCKET, SO_TIMESTAMP, &tv, sizeof(tv));
}

static void move_peek_offset(struct unix_sock *u, bool peek, size_t n)
{
	s32 off = READ_ONCE(u->s.peek_off);

	if (off >= 0)
		WRITE_ONCE(u->s.peek_off, peek ? off + (s32)n : MAX(off - (s32)n, 0));
}

/* Hands the message's contents to the receiver. Bytes, or -errno. */
static ssize_t copy_message(struct unix_sock *u, struct msg *m, struct unix_msg *msg, size_t skip,
			    struct scm *scm)
{
	size_t left = msg->len - skip, n = MIN(io_count(m->iter), left);
	bool peek = m->flags & MSG_PEEK;
	int err = 0;

	if (m->name)
		unix_copy_name(m, msg->sender);
	if (n < left)
		m->out_flags |= MSG_TRUNC;
	if (io_copy_to(m->iter, msg->data + skip, n) < n)
		return -EFAULT;
	if (msg->time_ns)
		put_timestamp(m, msg->time_ns);
	scm->creds = msg->creds;
	move_peek_offset(u, peek, peek ? n : msg->len);
	if (unlikely(msg->fds)) {
		if (peek)
			err = scm_copy(msg, scm);
		else
			scm_detach(msg, scm);
	}
	if (err)
		return err;
	return (ssize_t)(m->flags & MSG_TRUNC ? left : n);
}

ssize_t unix_dgram_receive(struct socket *s, struct msg *m) NO_THREAD_SAFETY
{
	struct unix_sock *u = unix_of(s);
	struct scm scm = {.creds = SCM_NO_CREDS};
	bool peek = m->flags & MSG_PEEK;
	struct unix_msg *msg;
	size_t skip;
	ssize_t n;
	int err;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	err = get_message(u, m, &msg, &skip);
	if (err)
		return err == 1 ? 0 : err;
	if (!peek) {
		mutex_unlock(&u->read_lock);
		unix_room(u);
	}
	n = copy_message(u, m, msg, skip, &scm);
	if (peek) {
		mutex_unlock(&u->read_lock);
		wake_up_poll(&u->s.read_wait, EPOLLIN | EPOLLRDNORM); /* still there for the next who waits */
	} else {
		unix_msg_free(msg);
	}
	if (n < 0)
		scm_fini(&scm);
	else if (scm.fds || socket_flag(s, SOCKET_PASSCRED))
		scm_deliver(s, m, &scm);
	return n;
}

ssize_t unix_seqpacket_receive(struct socket *s, struct msg *m)
{
	if (READ_ONCE(unix_of(s)->state) != UNIX_CONNECTED)
		return -ENOTCONN;
	return unix_dgram_receive(s, m);
}

/* ---- Readiness ---- */

static bool dgram_writable(struct unix_sock *u)
{
	struct unix_sock *peer;
	bool writable = unix_writable(u);

	if (!writable || u->s.type != SOCK_DGRAM)
		return writable;
	peer = peer_get(u);
	if (!peer)
		return true;
	if (READ_ONCE(peer->peer) != u && unix_full(peer))
		writable = !wait_by_relay(u, peer);
	unix_put(peer);
	return writable;
}

u32 unix_dgram_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct unix_sock *u = unix_of(s);
	u32 shutdown, events = 0;

	poll_wait(f, &s->read_wait, pt);
	poll_wait(f, &s->write_wait, pt);
	shutdown = READ_ONCE(s->shutdown);
	if (READ_ONCE(s->error))
		events |= EPOLLERR;
	if (shutdown & RCV_SHUTDOWN)
		events |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (shutdown == SHUTDOWN_MASK ||
	    (s->type == SOCK_SEQPACKET && READ_ONCE(u->state) == UNIX_CLOSED))
		events |= EPOLLHUP;
	if (!list_empty(&u->queue))
		events |= EPOLLIN | EPOLLRDNORM;
	if (!pt || pt->events & WRITABLE) /* what else there is to ask costs more */
		if (dgram_writable(u))
			events |= WRITABLE;
	return events;
}
