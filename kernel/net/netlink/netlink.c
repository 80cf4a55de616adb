/*
 * AF_NETLINK: sockets to the kernel's own services, of which NETLINK_ROUTE exists. Requests of one
 * datagram are handled one after the other in the sender's context; each may be acknowledged.
 * Nothing is multicast yet: a membership is remembered, and nothing ever comes.
 */
#include <boot/init.h>
#include <lib/errno.h>
#include <lib/hash.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <task/random.h>
#include <task/task.h>

#include "netlink.h"

#define PORT_BITS   6
#define REQUEST_MAX 65536

static DEFINE_SPINLOCK(port_lock, LOCK_RANK_SOCKET_TABLE);
static struct hlist_head ports[1 << PORT_BITS]; /* port_lock */

static struct netlink_sock *netlink_of(struct socket *s)
{
	return container_of(s, struct netlink_sock, s);
}

/* ---- Messages to user space ---- */

struct nl_message *nl_alloc(u32 capacity)
{
	struct nl_message *m = kmalloc(sizeof(*m) + capacity, GFP_KERNEL);

	if (!m)
		return NULL;
	m->len = 0;
	m->capacity = capacity;
	return m;
}

void *nl_begin(struct nl_message *m, const struct nl_request *r, u16 type, u16 flags, u32 body_len)
{
	u32 len = NLMSG_HDRLEN + NLMSG_ALIGN(body_len);
	struct nlmsghdr *h;

	if (!m || m->capacity - m->len < len)
		return NULL;
	h = (struct nlmsghdr *)(m->data + m->len);
	memset(h, 0, len);
	h->nlmsg_len = NLMSG_HDRLEN + body_len;
	h->nlmsg_type = type;
	h->nlmsg_flags = flags;
	h->nlmsg_seq = r->hdr->nlmsg_seq;
	h->nlmsg_pid = r->from->port;
	m->len += len;
	return h + 1;
}

void nl_attr(struct nl_message *m, u16 type, const void *data, u32 len)
{
	struct nlattr *a = (struct nlattr *)(m->data + m->len);
	u32 space = NLA_ALIGN(NLA_HDRLEN + len);

	if (m->capacity - m->len < space)
		return;
	memset(a, 0, space);
	a->nla_len = (u16)(NLA_HDRLEN + len);
	a->nla_type = type;
	memcpy(a + 1, data, len);
	m->len += space;
}

void nl_end(struct nl_message *m, void *body)
{
	struct nlmsghdr *h = (struct nlmsghdr *)body - 1;

	h->nlmsg_len = (u32)(m->data + m->len - (u8 *)h);
}

int nl_reply(struct netlink_sock *to, struct nl_message *m)
{
	bool room = false;

	if (!m)
		return -ENOBUFS;
	spin_lock(&to->s.lock);
	room = to->queued_bytes + m->len <= (u32)READ_ONCE(to->s.rcvbuf);
	if (room) {
		list_add_tail(&m->node, &to->queue);
		to->queued_bytes += m->len;
	} else {
		WRITE_ONCE(to->s.error, ENOBUFS); /* the reader has lost something */
	}
	spin_unlock(&to->s.lock);
	if (!room)
		kfree(m);
	wake_up_poll(&to->s.read_wait, EPOLLIN | EPOLLRDNORM);
	return room ? 0 : -ENOBUFS;
}

/* ---- Requests ---- */

static int acknowledge(const struct nl_request *r, int err)
{
	bool whole = err && !r->from->cap_ack;
	u32 extra = whole ? r->len : 0;
	u32 body_len = sizeof(struct nlmsgerr) + extra;
	struct nl_message *m = nl_alloc(NLMSG_HDRLEN + NLMSG_ALIGN(body_len));
	struct nlmsgerr *e = nl_begin(m, r, NLMSG_ERROR, whole || !err ? 0 : NLM_F_CAPPED, body_len);

	if (e) {
		e->error = err;
		memcpy(&e->msg, r->hdr, sizeof(e->msg));
		memcpy(e + 1, r->body, extra);
	}
	return nl_reply(r->from, m);
}

static int handle(const struct nl_request *r)
{
	u16 flags = r->hdr->nlmsg_flags;
	int err = 0;

	if (flags & NLM_F_REQUEST && r->hdr->nlmsg_type >= NLMSG_MIN_TYPE)
		err = route_request(r);
	return err || flags & NLM_F_ACK ? acknowledge(r, err) : 0;
}

static void handle_all(struct netlink_sock *n, const u8 *data, size_t len)
{
	while (len >= NLMSG_HDRLEN) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)data;
		struct nl_request r = {.from = n, .hdr = h, .body = data + NLMSG_HDRLEN};

		if (h->nlmsg_len < NLMSG_HDRLEN || h->nlmsg_len > len)
			return;
		r.len = h->nlmsg_len - NLMSG_HDRLEN;
		if (handle(&r))
			return;
		if (NLMSG_ALIGN((u64)h->nlmsg_len) >= len)
			return;
		data += NLMSG_ALIGN(h->nlmsg_len);
		len -= NLMSG_ALIGN(h->nlmsg_len);
	}
}

/* ---- Ports ---- */

static struct hlist_head *port_bucket(u32 port)
{
	return &ports[hash_u64(port, PORT_BITS)];
}

/* -EADDRINUSE, or -EINVAL when n has another one. */
static int take_port(struct netlink_sock *n, u32 port)
{
	struct netlink_sock *other;
	int err = 0;

	spin_lock(&port_lock);
	hlist_for_each(other, port_bucket(port), node)
		if (other->port == port && other->s.protocol == n->s.protocol)
			break;
	if (n->port)
		err = n->port == port ? 0 : -EINVAL;
	else if (other)
		err = -EADDRINUSE;
	if (!err && !n->port) {
		n->port = port;
		hlist_add_head(&n->node, port_bucket(port));
	}
	spin_unlock(&port_lock);
	return err;
}

/* The process's number if it is free, else a negative one. */
static int take_any_port(struct netlink_sock *n)
{
	u32 port = (u32)current->process->pid;
	int err;

	if (READ_ONCE(n->port))
		return 0;
	while ((err = take_port(n, port)) == -EADDRINUSE)
		port = (u32)random_u64() | 0x80000000u;
	return err == -EINVAL ? 0 : err; /* another thread was faster */
}

static int check_address(const struct socket_address *a, u32 len, struct sockaddr_nl *nl)
{
	if (len < sizeof(*nl))
		return -EINVAL;
	memcpy(nl, &a->storage, sizeof(*nl));
	return nl->nl_family == AF_NETLINK ? 0 : -EINVAL;
}

static int netlink_bind(struct socket *s, const struct socket_address *a, u32 len)
{
	struct netlink_sock *n = netlink_of(s);
	struct sockaddr_nl nl;
	int err = check_address(a, len, &nl);

	if (err)
		return err;
	if (n->port)
		err = nl.nl_pid == n->port ? 0 : -EINVAL;
	else
		err = nl.nl_pid ? take_port(n, nl.nl_pid) : take_any_port(n);
	if (!err)
		WRITE_ONCE(n->groups, nl.nl_groups);
	return err;
}

static int netlink_connect(struct socket *s, const struct socket_address *a, u32 len, bool may_wait)
{
	struct netlink_sock *n = netlink_of(s);
	struct sockaddr_nl nl;
	int err;

	if (len < sizeof(a->storage.ss_family))
		return -EINVAL;
	if (a->storage.ss_family == AF_UNSPEC) {
		WRITE_ONCE(n->peer_port, 0);
		return 0;
	}
	err = check_address(a, len, &nl);
	if (!err && (nl.nl_pid || nl.nl_groups) && !capable(CAP_NET_ADMIN))
		err = -EPERM;
	if (!err)
		err = take_any_port(n);
	if (!err)
		WRITE_ONCE(n->peer_port, nl.nl_pid);
	return err;
}

static int netlink_name(struct socket *s, bool peer, struct socket_address *out)
{
	struct netlink_sock *n = netlink_of(s);
	struct sockaddr_nl nl = {.nl_family = AF_NETLINK};

	nl.nl_pid = peer ? READ_ONCE(n->peer_port) : READ_ONCE(n->port);
	nl.nl_groups = peer ? 0 : READ_ONCE(n->groups);
	memcpy(&out->storage, &nl, sizeof(nl));
	return sizeof(nl);
}

/* ---- Data ---- */

/* Only the kernel answers: other sockets' ports take no messages. */
static int check_target(struct netlink_sock *n, const struct msg *m)
{
	u32 port = READ_ONCE(n->peer_port);
	struct sockaddr_nl nl;
	int err;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->name) {
		err = check_address(m->name, m->name_len, &nl);
		if (err)
			return err;
		if ((nl.nl_pid || nl.nl_groups) && !capable(CAP_NET_ADMIN))
			return -EPERM;
		port = nl.nl_pid;
	}
	return port ? -ECONNREFUSED : 0;
}

static ssize_t netlink_send(struct socket *s, struct msg *m)
{
	struct netlink_sock *n = netlink_of(s);
	size_t len = io_count(m->iter);
	int err = check_target(n, m);
	u8 *data;

	if (!len && err != -EOPNOTSUPP)
		return -ENODATA;
	if (!err)
		err = take_any_port(n);
	if (err)
		return err;
	if (len > (size_t)READ_ONCE(s->sndbuf) - 32 || len > REQUEST_MAX)
		return -EMSGSIZE;
	data = kvmalloc(len, GFP_KERNEL);
	if (!data)
		return -ENOBUFS;
	if (io_copy_from(m->iter, data, len) < len)
		err = -EFAULT;
	else
		handle_all(n, data, len);
	kvfree(data);
	return err ? err : (ssize_t)len;
}

static struct nl_message *dequeue(struct netlink_sock *n)
{
	struct nl_message *m = NULL;

	spin_lock(&n->s.lock);
	if (!list_empty(&n->queue)) {
		m = list_first(&n->queue, struct nl_message, node);
		list_del(&m->node);
		n->queued_bytes -= m->len;
	}
	spin_unlock(&n->s.lock);
	return m;
}

/* A message that was only looked at becomes the first again. */
static void put_back(struct netlink_sock *n, struct nl_message *m)
{
	spin_lock(&n->s.lock);
	list_add(&m->node, &n->queue);
	n->queued_bytes += m->len;
	spin_unlock(&n->s.lock);
	wake_up_poll(&n->s.read_wait, EPOLLIN | EPOLLRDNORM);
}

static int wait_for_message(struct netlink_sock *n, const struct msg *msg, struct nl_message **out)
{
	u64 deadline = socket_deadline(READ_ONCE(n->s.rcvtimeo_ns), !(msg->flags & MSG_DONTWAIT));
	int err;

	while (!(*out = dequeue(n))) {
		err = socket_take_error(&n->s);
		if (err)
			return err;
		if (!deadline)
			return -EAGAIN;
		err = wait_event_deadline(&n->s.read_wait,
					  !list_empty(&n->queue) || READ_ONCE(n->s.error), deadline);
		if (err)
			return socket_wait_error(err, deadline);
	}
	return 0;
}

static ssize_t netlink_receive(struct socket *s, struct msg *msg)
{
	struct netlink_sock *n = netlink_of(s);
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct nl_message *m;
	size_t len;
	ssize_t ret;
	int err;

	if (msg->flags & MSG_OOB)
		return -EOPNOTSUPP;
	err = wait_for_message(n, msg, &m);
	if (err)
		return err;
	len = MIN(io_count(msg->iter), (u64)m->len);
	if (len < m->len)
		msg->out_flags |= MSG_TRUNC;
	ret = (ssize_t)(msg->flags & MSG_TRUNC ? m->len : len);
	if (io_copy_to(msg->iter, m->data, len) < len)
		ret = -EFAULT;
	if (msg->name) {
		memcpy(&msg->name->storage, &kernel, sizeof(kernel));
		msg->name_len = sizeof(kernel);
	}
	if (msg->flags & MSG_PEEK)
		put_back(n, m);
	else
		kfree(m);
	return ret;
}

static u32 netlink_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	u32 events = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;

	poll_wait(f, &s->read_wait, pt);
	if (!list_empty(&netlink_of(s)->queue))
		events |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(s->error))
		events |= EPOLLERR;
	return events;
}

static int netlink_set_option(struct socket *s, int level, int name, struct user_bytes value, u32 len)
{
	struct netlink_sock *n = netlink_of(s);
	u32 val;

	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	if (len < sizeof(val))
		return -EINVAL;
	if (user_read_bytes(&val, value, sizeof(val)))
		return -EFAULT;
	switch (name) {
	case NETLINK_ADD_MEMBERSHIP:
	case NETLINK_DROP_MEMBERSHIP:
		if (!val || val > 32)
			return -EINVAL;
		if (name == NETLINK_ADD_MEMBERSHIP)
			__atomic_fetch_or(&n->groups, 1u << (val - 1), __ATOMIC_RELAXED);
		else
			__atomic_fetch_and(&n->groups, ~(1u << (val - 1)), __ATOMIC_RELAXED);
		return 0;
	case NETLINK_CAP_ACK:
		WRITE_ONCE(n->cap_ack, val != 0);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static void netlink_release(struct socket *s)
{
	struct netlink_sock *n = netlink_of(s);
	struct nl_message *m;

	spin_lock(&port_lock);
	hlist_del(&n->node);
	spin_unlock(&port_lock);
	while ((m = dequeue(n)))
		kfree(m);
	socket_fini(s);
	kfree(n);
}

static const struct socket_ops netlink_ops = {
	.bind = netlink_bind,
	.connect = netlink_connect,
	.name = netlink_name,
	.send = netlink_send,
	.receive = netlink_receive,
	.poll = netlink_poll,
	.set_option = netlink_set_option,
	.release = netlink_release,
};

static int netlink_create(u32 type, s32 protocol, struct socket **out)
{
	struct netlink_sock *n;

	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol != NETLINK_ROUTE)
		return -EPROTONOSUPPORT;
	n = kzalloc(sizeof(*n), GFP_KERNEL);
	if (!n)
		return -ENOMEM;
	socket_init(&n->s, &netlink_ops, AF_NETLINK, (u16)type, protocol);
	list_init(&n->queue);
	hlist_node_init(&n->node);
	*out = &n->s;
	return 0;
}

static const struct socket_family netlink_family = {.family = AF_NETLINK, .create = netlink_create};

static int netlink_init(void)
{
	socket_family_register(&netlink_family);
	return 0;
}
INIT_CALL(INIT_CORE, netlink_init);
