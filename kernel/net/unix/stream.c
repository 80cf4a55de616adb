/*
 * SOCK_STREAM: moving bytes.
 *
 * A send cuts its data into messages, fills each before it takes any lock, and appends it to the
 * peer's queue under the peer's lock. A receiver holds its read_lock; as nobody else takes messages
 * away, it looks at the head and copies from it without the socket's lock, which it needs only to
 * unlink what is used up.
 *
 * Messages of different senders, and descriptors, are never glued together by one receive. The
 * urgent byte (MSG_OOB) is a message of its own that sock->oob points to; a receive stops before it
 * and the next one steps over it, unless SO_OOBINLINE. Taken with MSG_OOB it stays as an empty mark.
 *
 * The peer pointer of a connected stream does not change while its file is open, so it is used
 * without a reference.
 */
#include <lib/errno.h>
#include <signal/signal.h>

#include "unix.h"

#define STREAM_CHUNK 32768

static int broken_pipe(const struct msg *m, ssize_t sent)
{
	siginfo_t info;

	if (!sent && !(m->flags & MSG_NOSIGNAL)) {
		siginfo_user(&info, SIGPIPE);
		signal_send_task(current, SIGPIPE, &info);
	}
	return -EPIPE;
}

/* SIGURG for whom F_SETOWN named at the other end. */
static void signal_urgent(struct unix_sock *peer)
{
	struct file *f;

	rcu_read_lock();
	f = rcu_dereference(peer->s.file);
	if (f && !ref_get_unless_zero(&f->ref))
		f = NULL;
	rcu_read_unlock();
	if (!f)
		return;
	if (file_signal_urgent(f))
		async_notify(&peer->s.async, POLL_PRI);
	file_put(f);
}

/* Appends to the peer's queue, which consumes the message; false: nobody reads there. */
static bool append(struct unix_sock *u, struct unix_sock *peer, struct unix_msg *msg, bool urgent)
{
	spin_lock(&peer->s.lock);
	if (unlikely(peer->dead || peer->s.shutdown & RCV_SHUTDOWN)) {
		spin_unlock(&peer->s.lock);
		return false;
	}
	scm_add_creds(msg, u, peer);
	list_add_tail(&msg->node, &peer->queue);
	peer->nr_queued++;
	peer->nr_appended++;
	if (unlikely(urgent))
		peer->oob = msg;
	spin_unlock(&peer->s.lock);
	unix_data_ready(peer);
	if (unlikely(urgent))
		signal_urgent(peer);
	return true;
}

/* One piece of at most n bytes. The number sent, or -errno; -EPIPE: *broken says whether with SIGPIPE. */
static ssize_t send_piece(struct unix_sock *u, struct unix_sock *peer, struct msg *m, size_t n,
			  struct scm *scm, bool urgent, bool *broken)
{
	struct unix_msg *msg;
	int err = unix_msg_alloc(u, n, true, !(m->flags & MSG_DONTWAIT), &msg);

	if (unlikely(err))
		return err;
	n = msg->len;
	if (unlikely(io_copy_from(m->iter, msg->data, n) < n))
		err = -EFAULT;
	if (unlikely(scm)) {
		msg->creds = scm->creds;
		if (!err && scm->fds)
			err = scm_attach(msg, scm, peer);
	}
	if (likely(!err) && likely(append(u, peer, msg, urgent)))
		return (ssize_t)n;
	unix_msg_free(msg);
	*broken = !err;
	return err ? err : -EPIPE;
}

static ssize_t stream_send(struct unix_sock *u, struct unix_sock *peer, struct msg *m,
			   struct scm *scm)
{
	size_t left = io_count(m->iter), urgent = m->flags & MSG_OOB ? 1 : 0;
	ssize_t sent = 0, n = 0;
	bool broken = false;

	while (left) {
		bool last = left == urgent;
		size_t chunk = last ? 1 : MIN(left - urgent, (size_t)STREAM_CHUNK);

		n = send_piece(u, peer, m, chunk, scm, last && urgent, &broken);
		if (unlikely(n < 0))
			break;
		if (unlikely(scm && scm->fds))
			scm_fini(scm); /* descriptors go with the first piece */
		sent += n;
		left -= (size_t)n;
	}
	if (unlikely(broken))
		broken_pipe(m, sent);
	return sent ? sent : n;
}

/* What is not the usual "connected, no name, no control data". */
static __noinline ssize_t send_with_control(struct unix_sock *u, struct unix_sock *peer, struct msg *m)
{
	struct scm scm = {.creds = SCM_NO_CREDS};
	ssize_t n = scm_parse(m, &scm);

	if (n)
		return n;
	if (m->flags & MSG_OOB && !io_count(m->iter))
		n = -EOPNOTSUPP;
	else if (m->name)
		n = u->state == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	else if (!peer)
		n = -ENOTCONN;
	else if (READ_ONCE(u->s.shutdown) & SEND_SHUTDOWN)
		n = broken_pipe(m, 0);
	else
		n = stream_send(u, peer, m, &scm);
	scm_fini(&scm);
	return n;
}

ssize_t unix_stream_send(struct socket *s, struct msg *m)
{
	struct unix_sock *u = unix_of(s), *peer = smp_load_acquire(&u->peer);

	if (unlikely(m->control_len || m->name || m->flags & MSG_OOB))
		return send_with_control(u, peer, m);
	if (unlikely(!peer))
		return -ENOTCONN;
	if (unlikely(READ_ONCE(u->s.shutdown) & SEND_SHUTDOWN))
		return broken_pipe(m, 0);
	return stream_send(u, peer, m, NULL);
}

/* ---- Receiving: read_lock held ---- */

/* One receive in progress. */
struct reading {
	struct unix_sock *u;
	struct msg *m;
	struct scm scm;     /* what goes into the control buffer */
	ssize_t copied;
	size_t skip;        /* MSG_PEEK: bytes in front that SO_PEEK_OFF has passed */
	u64 deadline;
	bool peek, creds_set;
};

static void consume(struct unix_sock *u, struct unix_msg *msg)
{
	spin_lock(&u->s.lock);
	list_del(&msg->node);
	u->nr_queued--;
	if (u->oob == msg)
		u->oob = NULL;
	spin_unlock(&u->s.lock);
	unix_msg_free(msg);
}

static struct unix_msg *msg_after(struct unix_sock *u, struct unix_msg *msg)
{
	struct list_head *next = smp_load_acquire(msg ? &msg->node.next : &u->queue.next);

	return next == &u->queue ? NULL : list_entry(next, struct unix_msg, node);
}

static size_t msg_left(const struct unix_msg *msg)
{
	return msg->len - msg->consumed;
}

/* The urgent byte is the next one. True: it stays and is read like any other. */
static bool take_urgent(struct reading *r, struct unix_msg *msg)
{
	struct unix_sock *u = r->u;

	if (r->peek)
		return true;
	if (!socket_flag(&u->s, SOCKET_URGINLINE)) {
		consume(u, msg);
		return false;
	}
	spin_lock(&u->s.lock);
	if (u->oob == msg)
		u->oob = NULL;
	spin_unlock(&u->s.lock);
	return true;
}

/*
 * The message to read from, behind *last (NULL: the head), which moves over the marks of urgent
 * bytes when peeking. *stop: the urgent byte, or its mark, ends this receive. NULL: nothing there.
 */
static struct unix_msg *next_readable(struct reading *r, struct unix_msg **last, bool *stop)
{
	struct unix_sock *u = r->u;
	struct unix_msg *msg;

	while ((msg = msg_after(u, *last))) {
		bool mark = !msg_left(msg), urgent = msg == READ_ONCE(u->oob);

		if (likely(!mark && !urgent))
			return msg;
		if (r->copied) {
			*stop = true;
			return NULL;
		}
		if (mark && r->peek)
			*last = msg;
		else if (mark)
			consume(u, msg);
		else if (take_urgent(r, msg))
			return msg;
	}
	return NULL;
}

static bool same_sender(const struct scm_creds *a, const struct scm_creds *b)
{
	return a->pid == b->pid && a->uid == b->uid && a->gid == b->gid;
}

/* Copies from one message. 1: go on with the next, 0: this receive is over, or -errno. */
static int read_message(struct reading *r, struct unix_msg *msg)
{
	struct unix_sock *u = r->u;
	size_t n = MIN(msg_left(msg) - r->skip, io_count(r->m->iter));
	bool had_fds = msg->fds;

	if (unlikely(r->creds_set)) {
		if (!same_sender(&msg->creds, &r->scm.creds))
			return 0;
	} else if (unlikely(socket_flag(&u->s, SOCKET_PASSCRED))) {
		r->scm.creds = msg->creds;
		r->creds_set = true;
	}
	if (unlikely(r->m->name && !r->m->name_len))
		unix_copy_name(r->m, msg->sender);
	if (unlikely(io_copy_to(r->m->iter, msg->data + msg->consumed + r->skip, n) < n))
		return -EFAULT;
	r->copied += (ssize_t)n;
	if (unlikely(r->peek)) {
		if (READ_ONCE(u->s.peek_off) >= 0)
			WRITE_ONCE(u->s.peek_off, u->s.peek_off + (s32)n);
		r->skip = 0;
		if (!had_fds)
			return 1;
		return scm_copy(msg, &r->scm);
	}
	if (unlikely(READ_ONCE(u->s.peek_off) > 0))
		WRITE_ONCE(u->s.peek_off, MAX(u->s.peek_off - (s32)n, 0));
	if (unlikely(had_fds))
		scm_detach(msg, &r->scm);
	msg->consumed += (u32)n;
	if (msg_left(msg))
		return 0;
	consume(u, msg);
	return !had_fds;
}

/* The end of the queue behind `last` (NULL: it is empty). 0: look again, 1: end of file, -errno. */
static int wait_for_more(struct reading *r, struct unix_msg *last) NO_THREAD_SAFETY
{
	struct unix_sock *u = r->u;
	bool more, end;
	u32 seen;
	int err;

	/* The order is POSIX's: data, then errors, then the end. */
	spin_lock(&u->s.lock);
	more = u->queue.prev != (last ? &last->node : &u->queue);
	end = u->s.shutdown & RCV_SHUTDOWN;
	seen = u->nr_appended;
	spin_unlock(&u->s.lock);
	if (more)
		return 0;
	err = socket_take_error(&u->s);
	if (err)
		return err;
	if (end)
		return 1;
	if (!r->deadline)
		return -EAGAIN;
	mutex_unlock(&u->read_lock);
	err = wait_event_deadline(&u->s.read_wait,
				  READ_ONCE(u->nr_appended) != seen || READ_ONCE(u->s.error) ||
					  READ_ONCE(u->s.shutdown) & RCV_SHUTDOWN,
				  r->deadline);
	mutex_lock(&u->read_lock);
	return err ? socket_wait_error(err, r->deadline) : 0;
}

/* Copies until the buffer is full, or at least `target` bytes are there and nothing more is. */
static int read_messages(struct reading *r, ssize_t target)
{
	struct unix_sock *u = r->u;
	struct unix_msg *last = NULL;
	bool stop = false;
	int ret;

	for (;;) {
		struct unix_msg *msg = next_readable(r, &last, &stop);

		if (unlikely(r->peek && msg && r->skip >= msg_left(msg))) {
			r->skip -= msg_left(msg);
			last = msg;
			continue;
		}
		if (likely(msg)) {
			ret = read_message(r, msg);
			if (ret <= 0 || !io_count(r->m->iter))
				return ret < 0 ? ret : 0;
			last = r->peek ? msg : NULL;
			continue;
		}
		if (stop || r->copied >= target)
			return 0;
		if (r->peek && r->copied)
			return 0;
		ret = wait_for_more(r, last);
		if (ret)
			return ret < 0 ? ret : 0;
		if (r->peek) { /* what was passed may have been taken by somebody else */
			last = NULL;
			r->skip = (size_t)MAX(READ_ONCE(u->s.peek_off), 0);
		}
	}
}

/* MSG_OOB: the urgent byte. */
static ssize_t receive_urgent(struct unix_sock *u, struct msg *m)
{
	bool peek = m->flags & MSG_PEEK;
	struct unix_msg *msg;
	ssize_t n = 1;

	mutex_lock(&u->read_lock);
	msg = READ_ONCE(u->oob);
	if (socket_flag(&u->s, SOCKET_URGINLINE) || !msg) {
		n = -EINVAL;
	} else if (io_copy_to(m->iter, msg->data, MIN(io_count(m->iter), 1ULL)) <
		   MIN(io_count(m->iter), 1ULL)) {
		n = -EFAULT;
	} else {
		m->out_flags |= MSG_OOB;
	}
	if (msg && n != -EINVAL && !peek) {
		spin_lock(&u->s.lock);
		if (u->oob == msg) {
			msg->consumed = msg->len; /* a mark stays */
			u->oob = NULL;
		}
		spin_unlock(&u->s.lock);
	}
	mutex_unlock(&u->read_lock);
	return n;
}

ssize_t unix_stream_receive(struct socket *s, struct msg *m)
{
	struct unix_sock *u = unix_of(s);
	u64 size = io_count(m->iter);
	struct reading r __uninit;
	ssize_t target;
	int err;

	if (unlikely(READ_ONCE(u->state) != UNIX_CONNECTED))
		return -EINVAL;
	if (unlikely(m->flags & MSG_OOB))
		return receive_urgent(u, m);
	target = m->flags & MSG_WAITALL ? (ssize_t)size : (ssize_t)MIN(size, (u64)READ_ONCE(s->rcvlowat));
	r.u = u;
	r.m = m;
	r.scm = (struct scm){.creds = SCM_NO_CREDS};
	r.copied = 0;
	r.peek = m->flags & MSG_PEEK;
	r.creds_set = false;
	r.skip = unlikely(r.peek) ? (size_t)MAX(READ_ONCE(s->peek_off), 0) : 0;
	r.deadline = m->flags & MSG_DONTWAIT ? 0 : READ_ONCE(s->rcvtimeo_ns);
	if (unlikely(r.deadline && r.deadline != U64_MAX))
		r.deadline = socket_deadline(r.deadline, true);
	mutex_lock(&u->read_lock);
	err = read_messages(&r, MAX(target, (ssize_t)1));
	mutex_unlock(&u->read_lock);
	if (unlikely(r.scm.fds || socket_flag(s, SOCKET_PASSCRED)))
		scm_deliver(s, m, &r.scm);
	return r.copied ? r.copied : err;
}
