/*
 * Messages and what they cost their sender. A message is one allocation up to a few KiB; longer
 * ones keep their bytes in a block of pages. The charge is what Linux's buffers would cost, so that
 * a socket takes as many messages as there before it is full.
 */
#include <lib/errno.h>
#include <mm/slab.h>

#include "unix.h"

#define INLINE_MAX  (8192 - sizeof(struct unix_msg))
#define BLOCK_ORDER 3
#define BLOCK_SIZE  (PAGE_SIZE << BLOCK_ORDER)
#define OVERHEAD    768 /* of the shortest message, with up to 255 bytes of data */

static u32 charge_for(size_t len)
{
	return OVERHEAD + (u32)ALIGN_DOWN(len, 256);
}

/* A message whose data lies outside. */
static struct unix_msg *alloc_large(size_t len, bool may_shrink)
{
	struct unix_msg *m = kmalloc(sizeof(*m), GFP_KERNEL);

	if (!m)
		return NULL;
	if (!may_shrink && len > BLOCK_SIZE) {
		m->memory = MSG_VIRTUAL;
		m->data = vmalloc(len, GFP_KERNEL);
	} else {
		len = MIN(len, BLOCK_SIZE);
		m->memory = MSG_PAGES;
		m->order = len > PAGE_SIZE ? (u8)log2_ceil(DIV_ROUND_UP(len, PAGE_SIZE)) : 0;
		m->data = pages_alloc_virt(m->order, GFP_KERNEL);
		if (!m->data && may_shrink) {
			m->order = 0;
			len = MIN(len, PAGE_SIZE);
			m->data = pages_alloc_virt(0, GFP_KERNEL);
		}
	}
	if (!m->data) {
		kfree(m);
		return NULL;
	}
	m->len = (u32)len;
	return m;
}

static struct unix_msg *alloc_memory(size_t len, bool may_shrink)
{
	struct unix_msg *m;

	if (unlikely(len > INLINE_MAX))
		return alloc_large(len, may_shrink);
	m = kmalloc(sizeof(*m) + len, GFP_KERNEL);
	if (!m)
		return NULL;
	m->memory = MSG_INLINE;
	m->data = m->inline_data;
	m->len = (u32)len;
	return m;
}

static void free_memory(struct unix_msg *m)
{
	if (m->memory == MSG_PAGES)
		pages_free_virt(m->data, m->order);
	else if (m->memory == MSG_VIRTUAL)
		vfree(m->data);
	kfree(m);
}

static bool has_room(const struct unix_sock *u)
{
	return unix_wmem(u) < (u32)READ_ONCE(u->s.sndbuf);
}

static bool send_ends(const struct unix_sock *u)
{
	return READ_ONCE(u->s.error) || READ_ONCE(u->s.shutdown) & SEND_SHUTDOWN;
}

static __noinline int wait_for_room(struct unix_sock *u, bool may_wait)
{
	u64 deadline = socket_deadline(READ_ONCE(u->s.sndtimeo_ns), may_wait);
	int err;

	for (;;) {
		err = socket_take_error(&u->s);
		if (err)
			return err;
		if (READ_ONCE(u->s.shutdown) & SEND_SHUTDOWN)
			return -EPIPE;
		if (has_room(u))
			return 0;
		unix_no_space(u);
		if (!deadline)
			return -EAGAIN;
		err = wait_event_deadline(&u->s.write_wait, has_room(u) || send_ends(u), deadline);
		if (err)
			return socket_wait_error(err, deadline);
	}
}

int unix_msg_alloc(struct unix_sock *u, size_t len, bool may_shrink, bool may_wait,
		   struct unix_msg **out)
{
	struct unix_msg *m;
	int err;

	if (unlikely(send_ends(u) || !has_room(u))) {
		err = wait_for_room(u, may_wait);
		if (err)
			return err;
	}
	m = alloc_memory(len, may_shrink);
	if (!m)
		return -ENOBUFS;
	m->sender = u;
	m->consumed = 0;
	m->peeked = false;
	m->creds = SCM_NO_CREDS;
	m->fds = NULL;
	m->time_ns = 0;
	m->charge = charge_for(m->len);
	atomic_add(&u->wmem, (int)m->charge);
	*out = m;
	return 0;
}

void unix_write_space(struct socket *s)
{
	struct unix_sock *u = unix_of(s);

	if (wait_queue_active(&u->s.write_wait) && unix_writable(u))
		wake_up_events(&u->s.write_wait, 1, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	if (unlikely(socket_flag(s, SOCKET_NOSPACE)) && unix_writable(u)) {
		__atomic_fetch_and(&s->flags, ~(u32)SOCKET_NOSPACE, __ATOMIC_SEQ_CST);
		async_notify(&s->async, POLL_OUT);
	}
}

void unix_uncharge(struct unix_sock *u, u32 n)
{
	int left;

	rcu_read_lock(); /* whoever takes the rest away frees the memory after a grace period */
	left = atomic_add_return(&u->wmem, -(int)n);
	if (likely(left))
		unix_write_space(&u->s);
	rcu_read_unlock();
	if (unlikely(!left))
		unix_free(u);
}

void unix_msg_free(struct unix_msg *m)
{
	struct unix_sock *sender = m->sender;
	u32 charge = m->charge;

	if (unlikely(m->fds))
		scm_destroy_attached(m);
	free_memory(m);
	unix_uncharge(sender, charge);
}
