/*
 * AF_UNIX sockets: birth, state changes, readiness and death. See unix.h for the structure, its
 * locks and its life.
 */
#include <boot/init.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <mm/slab.h>
#include <asm/ioctls.h>
#include <signal/signal.h>

#include <net/unix.h>

#include "unix.h"

static struct kmem_cache *unix_cache __ro_after_init;
u32 unix_max_dgram_qlen = 10;

struct unix_sock *unix_alloc(u16 type)
{
	static const struct socket_ops *const ops[] = {
		[SOCK_STREAM] = &unix_stream_ops,
		[SOCK_DGRAM] = &unix_dgram_ops,
		[SOCK_SEQPACKET] = &unix_seqpacket_ops,
	};
	struct unix_sock *u = kmem_cache_alloc(unix_cache, GFP_KERNEL | GFP_ZERO);

	if (!u)
		return NULL;
	socket_init(&u->s, ops[type], AF_UNIX, type, 0);
	ref_init(&u->ref);
	atomic_set(&u->wmem, 1);
	u->state = UNIX_CLOSED;
	u->backlog = READ_ONCE(unix_max_dgram_qlen);
	list_init(&u->queue);
	mutex_init(&u->read_lock, LOCK_RANK_READERS);
	mutex_init(&u->bind_lock, LOCK_RANK_SOCKET_BIND);
	wait_queue_init(&u->peer_wait);
	list_init(&u->relays);
	list_init(&u->relay_node);
	list_init(&u->embryo);
	list_init(&u->inflight);
	list_init(&u->held);
	list_init(&u->gc_node);
	list_init(&u->gc_embryos);
	list_init(&u->gc_embryo);
	hlist_node_init(&u->name_node);
	unix_list_add(u);
	return u;
}

static void free_rcu(struct rcu_head *head)
{
	kmem_cache_free(unix_cache, container_of(head, struct unix_sock, rcu));
}

void unix_free(struct unix_sock *u)
{
	ASSERT(list_empty(&u->queue) && list_empty(&u->inflight) && list_empty(&u->held));
	unix_list_remove(u);
	if (u->addr)
		unix_addr_put(u->addr);
	socket_fini(&u->s);
	rcu_call(&u->rcu, free_rcu);
}

void unix_put(struct unix_sock *u)
{
	if (ref_put(&u->ref))
		unix_uncharge(u, 1);
}

void unix_lock_pair(struct unix_sock *a, struct unix_sock *b) NO_THREAD_SAFETY
{
	if (a == b) {
		spin_lock(&a->s.lock);
		return;
	}
	spin_lock(a < b ? &a->s.lock : &b->s.lock);
	spin_lock_nested(a < b ? &b->s.lock : &a->s.lock);
}

void unix_unlock_pair(struct unix_sock *a, struct unix_sock *b) NO_THREAD_SAFETY
{
	if (a != b)
		spin_unlock(&b->s.lock);
	spin_unlock(&a->s.lock);
}

void unix_data_ready(struct unix_sock *u)
{
	wake_up_poll(&u->s.read_wait, EPOLLIN | EPOLLRDNORM | EPOLLRDBAND | EPOLLPRI);
	async_notify(&u->s.async, POLL_IN);
}

void unix_state_changed(struct unix_sock *u)
{
	if (wait_queue_active(&u->s.read_wait))
		wake_up_events(&u->s.read_wait, ~0U, 0);
	if (wait_queue_active(&u->s.write_wait))
		wake_up_events(&u->s.write_wait, ~0U, 0);
}

/* ---- Readiness ---- */

static u32 stream_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct unix_sock *u = unix_of(s);
	u32 shutdown, events = 0;

	poll_wait(f, &s->read_wait, pt);
	poll_wait(f, &s->write_wait, pt);
	shutdown = READ_ONCE(s->shutdown);
	if (READ_ONCE(s->error))
		events |= EPOLLERR;
	if (shutdown == SHUTDOWN_MASK || READ_ONCE(u->state) == UNIX_CLOSED)
		events |= EPOLLHUP;
	if (shutdown & RCV_SHUTDOWN)
		events |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (!list_empty(&u->queue))
		events |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(u->oob))
		events |= EPOLLPRI;
	if (unix_writable(u))
		events |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	else
		unix_no_space(u);
	return events;
}

/* ---- ioctl ---- */

/* FIONREAD: bytes in the queue, of a datagram socket those of the first message. */
static long bytes_queued(struct unix_sock *u)
{
	struct unix_msg *m;
	u64 n = 0;

	if (READ_ONCE(u->state) == UNIX_LISTENING)
		return -EINVAL;
	spin_lock(&u->s.lock);
	list_for_each(m, &u->queue, node) {
		n += m->len - m->consumed;
		if (u->s.type == SOCK_DGRAM)
			break;
	}
	spin_unlock(&u->s.lock);
	return (long)MIN(n, (u64)INT_MAX);
}

/* SIOCATMARK: the urgent byte, or where it was, comes next. */
static int at_mark(struct unix_sock *u)
{
	struct unix_msg *m;
	int at = 0;

	spin_lock(&u->s.lock);
	if (u->s.type == SOCK_STREAM && u->state == UNIX_CONNECTED && !list_empty(&u->queue)) {
		m = list_first(&u->queue, struct unix_msg, node);
		at = m == u->oob || m->consumed == m->len;
	}
	spin_unlock(&u->s.lock);
	return at;
}

/* SIOCUNIXFILE: the bound inode as an O_PATH descriptor. */
static long open_bound(struct unix_sock *u)
{
	struct file *f;
	int fd, err;

	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	if (!smp_load_acquire(&u->addr) || !u->path.dentry)
		return -ENOENT;
	err = fd_reserve(0, true, &fd);
	if (err)
		return err;
	err = file_open_path(&u->path, O_PATH, &f);
	if (err) {
		fd_release(fd);
		return err;
	}
	fd_install(fd, f);
	return fd;
}

static long unix_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	struct unix_sock *u = unix_of(s);
	int value;
	long n;

	switch (cmd) {
	case SIOCOUTQ:
		value = (int)unix_wmem(u);
		break;
	case SIOCINQ:
		n = bytes_queued(u);
		if (n < 0)
			return n;
		value = (int)n;
		break;
	case SIOCATMARK:
		value = at_mark(u);
		break;
	case SIOCUNIXFILE:
		return open_bound(u);
	default:
		return -ENOTTY;
	}
	return user_write(user_handle(int, arg), &value);
}

/* ---- Ends ---- */

int unix_shutdown(struct socket *s, int how)
{
	u32 mode = (u32)how + 1, peer_mode = 0;
	struct unix_sock *u = unix_of(s), *peer;

	spin_lock(&s->lock);
	WRITE_ONCE(s->shutdown, s->shutdown | mode);
	peer = s->type == SOCK_DGRAM ? NULL : u->peer;
	if (peer)
		unix_get(peer);
	spin_unlock(&s->lock);
	unix_state_changed(u);
	if (wait_queue_active(&u->peer_wait)) /* connects and sends to us fail from now on */
		wake_up_events(&u->peer_wait, ~0U, 0);
	if (!peer)
		return 0;
	if (mode & RCV_SHUTDOWN)
		peer_mode |= SEND_SHUTDOWN;
	if (mode & SEND_SHUTDOWN)
		peer_mode |= RCV_SHUTDOWN;
	spin_lock(&peer->s.lock);
	WRITE_ONCE(peer->s.shutdown, peer->s.shutdown | peer_mode);
	spin_unlock(&peer->s.lock);
	unix_state_changed(peer);
	if (peer_mode == SHUTDOWN_MASK)
		async_notify(&peer->s.async, POLL_HUP);
	else if (peer_mode & RCV_SHUTDOWN)
		async_notify(&peer->s.async, POLL_IN);
	unix_put(peer);
	return 0;
}

/* Tells the peer of a connection that this end is gone, and leaves it. */
static void leave_peer(struct unix_sock *u, struct unix_sock *peer, bool reset)
{
	if (u->s.type != SOCK_DGRAM) {
		spin_lock(&peer->s.lock);
		WRITE_ONCE(peer->s.shutdown, SHUTDOWN_MASK);
		if (reset)
			WRITE_ONCE(peer->s.error, ECONNRESET);
		spin_unlock(&peer->s.lock);
		unix_state_changed(peer);
		async_notify(&peer->s.async, POLL_HUP);
	}
	unix_leave_relays(u, peer);
	unix_put(peer);
}

/* Takes everything out of the queue of a dead socket. */
static void drain(struct unix_sock *u, bool listening)
{
	for (;;) {
		struct list_head *first;

		spin_lock(&u->s.lock);
		first = list_empty(&u->queue) ? NULL : u->queue.next;
		if (first) {
			list_del(first);
			u->nr_queued--;
		}
		spin_unlock(&u->s.lock);
		if (!first)
			return;
		if (listening)
			unix_release(&list_entry(first, struct unix_sock, embryo)->s);
		else
			unix_msg_free(list_entry(first, struct unix_msg, node));
	}
}

/* Also of a connection that was not accepted: its peer sees a reset. Goes no deeper than that. */
void unix_release(struct socket *s)
{
	struct unix_sock *u = unix_of(s), *peer;
	bool listening, reset;
	struct path path;

	rcu_assign(s->file, NULL);
	unix_unhash(u);
	spin_lock(&s->lock);
	u->dead = true;
	WRITE_ONCE(s->shutdown, SHUTDOWN_MASK);
	listening = u->state == UNIX_LISTENING;
	WRITE_ONCE(u->state, UNIX_CLOSED);
	peer = u->peer;
	u->peer = NULL;
	u->oob = NULL;
	reset = !list_empty(&u->queue) || u->listener;
	path = u->path;
	u->path = (struct path){0};
	spin_unlock(&s->lock);
	if (wait_queue_active(&u->peer_wait))
		wake_up_events(&u->peer_wait, ~0U, 0);
	unix_room(u);
	if (peer)
		leave_peer(u, peer, reset);
	drain(u, listening);
	if (path.dentry)
		path_put(&path);
	unix_put(u);
}

/* ---- The family ---- */

#define COMMON_OPS                                                                                 \
	.bind = unix_bind, .pair = unix_pair, .listen = unix_listen, .accept = unix_accept,        \
	.name = unix_name, .shutdown = unix_shutdown, .ioctl = unix_ioctl,                         \
	.write_space = unix_write_space, .put_told = unix_put_told, .release = unix_release,       \
	.peek_offset = true

const struct socket_ops unix_stream_ops = {
	COMMON_OPS,
	.connect = unix_stream_connect,
	.send = unix_stream_send,
	.receive = unix_stream_receive,
	.poll = stream_poll,
};

const struct socket_ops unix_dgram_ops = {
	COMMON_OPS,
	.connect = unix_dgram_connect,
	.send = unix_dgram_send,
	.receive = unix_dgram_receive,
	.poll = unix_dgram_poll,
};

const struct socket_ops unix_seqpacket_ops = {
	COMMON_OPS,
	.connect = unix_stream_connect,
	.send = unix_seqpacket_send,
	.receive = unix_seqpacket_receive,
	.poll = unix_dgram_poll,
};

static int unix_create(u32 type, s32 protocol, struct socket **out)
{
	struct unix_sock *u;

	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (type == SOCK_RAW) /* so BSD's and Linux's habit */
		type = SOCK_DGRAM;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	u = unix_alloc((u16)type);
	if (!u)
		return -ENOMEM;
	*out = &u->s;
	return 0;
}

static const struct socket_family unix_family = {.family = AF_UNIX, .create = unix_create};

static int unix_init(void)
{
	unix_cache = kmem_cache_create("unix_sock", sizeof(struct unix_sock), 64);
	socket_family_register(&unix_family);
	return 0;
}
INIT_CALL(INIT_CORE, unix_init);
