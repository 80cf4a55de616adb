/*
 * Requests and tags: sending, waiting, giving up; and the life of fids.
 *
 * A request's memory, tag and ring place belong to the device until its descriptors come back: a
 * waiter that is killed sends Tflush and still waits for that, which a working server does at once.
 * A tag is not used again before the Tflush that names it is answered, too. A server that does
 * neither in time has failed: the device is reset, which ends all requests with EIO.
 *
 * Everything that may run in an interrupt (the end of a request) takes only client->lock with
 * interrupts disabled, and wakes through queues that live as long as the client.
 */
#include <arch/irq.h>
#include <lib/bits.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <sched/sched.h>
#include <task/task.h>
#include <time/clock.h>
#include "client.h"

#define LOOK_NS        (1 * NSEC_PER_SEC)   /* a broken device wakes nobody */

u64 p9_reply_patience = 30 * NSEC_PER_SEC;  /* then Tflush */
u64 p9_flush_patience = 120 * NSEC_PER_SEC; /* then the device is reset */

static void fid_recycle(struct p9_client *c, struct p9_fid *f);

/* ---- Tags ---- */

static int tag_take(struct p9_client *c, u32 first, u32 last)
{
	u64 flags = spin_lock_irqsave(&c->lock);
	int tag = -1;

	for (u32 i = first; i <= last && tag < 0; i++)
		if (!(c->tags[i / 64] & BIT(i % 64)))
			tag = (int)i;
	if (tag >= 0)
		c->tags[tag / 64] |= BIT(tag % 64);
	spin_unlock_irqrestore(&c->lock, flags);
	return tag;
}

static void tag_give(struct p9_client *c, u16 tag)
{
	u64 flags = spin_lock_irqsave(&c->lock);

	c->tags[tag / 64] &= ~BIT(tag % 64);
	spin_unlock_irqrestore(&c->lock, flags);
	wake_up(&c->room);
}

static bool tag_assign(struct p9_request *q)
{
	bool flush = q->type == P9_TFLUSH;
	u32 split = P9_TAGS - P9_FLUSH_TAGS;
	int tag = tag_take(q->client, flush ? split : 0, flush ? P9_TAGS - 1 : split - 1);

	if (tag < 0)
		return false;
	q->tag = q->wait_tag = (u16)tag;
	p9_set_tag(q->w.data, q->type == P9_TVERSION ? P9_NOTAG : q->tag);
	return true;
}

/* ---- Requests ---- */

static void request_ended(struct virtio_9p_request *vr, u32 written)
{
	struct p9_request *q = container_of(vr, struct p9_request, vr);
	struct p9_client *c = q->client;
	u16 wait_tag = q->wait_tag;

	q->written = written;
	if (q->detached) {
		tag_give(c, q->tag);
		if (q->clunked)
			fid_recycle(c, q->clunked);
		p9_free(q);
		return;
	}
	__atomic_store_n(&q->done, true, __ATOMIC_SEQ_CST); /* from here on q may go */
	wake_up_all(&c->wait[wait_tag]);
}

static void room_again(void *ctx)
{
	wake_up_all(&((struct p9_client *)ctx)->room);
}

static struct p9_request *request_make(struct p9_client *c, enum p9_type type, u32 tx, u32 rx,
				       u32 gfp)
{
	struct p9_request *q = kmalloc(sizeof(*q) + tx + rx, gfp);

	if (!q)
		return NULL;
	memset(q, 0, sizeof(*q));
	q->vr.done = request_ended;
	q->client = c;
	q->type = type;
	q->bufs = q->own_bufs;
	q->table = q->own_table;
	q->rx = q->data + tx;
	q->rx_size = rx;
	q->n_out = q->n_in = 1;
	q->bufs[1] = (struct virtio_buf){virt_to_phys(q->rx), rx};
	p9_begin(&q->w, q->data, tx, type, 0);
	return q;
}

struct p9_request *p9_new_sized(struct p9_client *c, enum p9_type type, u32 tx, u32 rx)
{
	return request_make(c, type, tx, rx, GFP_KERNEL);
}

struct p9_request *p9_new(struct p9_client *c, enum p9_type type)
{
	return p9_new_sized(c, type, P9_TX_SMALL, P9_RX_SMALL);
}

void p9_free(struct p9_request *q)
{
	if (q->bufs != q->own_bufs)
		pages_free_virt(q->bufs, 0);
	kfree(q);
}

static_assert(VIRTIO_9P_BUFS * (sizeof(struct virtio_buf) + VIRTIO_TABLE_ENTRY) <= PAGE_SIZE,
	      "buffers and table fit into a page");

static int bufs_grow(struct p9_request *q)
{
	struct virtio_buf *bufs = pages_alloc_virt(0, GFP_KERNEL);

	if (!bufs)
		return -ENOMEM;
	bufs[0] = q->bufs[0];
	bufs[1] = q->bufs[1];
	q->bufs = bufs;
	q->table = bufs + VIRTIO_9P_BUFS;
	return 0;
}

/* Requests send pages or receive them, never both; the reply's header is kept behind what goes out. */
int p9_add_page(struct p9_request *q, struct page *page, u32 offset, u32 len, bool in)
{
	struct paddr at = PADDR(page_paddr(page).v + offset);
	struct virtio_buf *last;
	u32 n = q->n_out + q->n_in;

	if (q->bufs == q->own_bufs && bufs_grow(q))
		return -ENOMEM;
	last = &q->bufs[in ? n - 1 : q->n_out - 1];
	q->payload += in ? 0 : len;
	if ((in ? n > 2 : q->n_out > 1) && last->addr.v + last->len == at.v) {
		last->len += len;
		return 0;
	}
	if (n == VIRTIO_9P_BUFS)
		return -EINVAL;
	if (!in) {
		q->bufs[n] = q->bufs[n - 1];
		q->bufs[q->n_out++] = (struct virtio_buf){at, len};
	} else {
		q->bufs[n] = (struct virtio_buf){at, len};
		q->n_in++;
	}
	return 0;
}

/* 0, -ENOSPC (no place in the ring), -EIO. */
static int request_submit(struct p9_request *q)
{
	return virtio_9p_submit(q->client->channel, &q->vr, q->table, q->bufs, q->n_out, q->n_in);
}

static int request_finish(struct p9_request *q)
{
	u32 len = p9_end(&q->w, q->payload);

	if (!len)
		return -EINVAL;
	q->bufs[0] = (struct virtio_buf){virt_to_phys(q->w.data), len};
	return 0;
}

/* Gets tag and place, waiting for them if need be. */
static int request_send(struct p9_request *q)
{
	struct p9_client *c = q->client;
	int err = request_finish(q), sent = -ENOSPC;

	if (err)
		return err;
	err = wait_event_killable(&c->room, tag_assign(q));
	if (err)
		return -EINTR;
	err = wait_event_killable(&c->room, (sent = request_submit(q)) != -ENOSPC);
	if (err || sent)
		tag_give(c, q->tag);
	return err ? -EINTR : sent;
}

bool p9_send_detached(struct p9_request *q)
{
	q->detached = true;
	if (request_finish(q) || !tag_assign(q))
		return false;
	if (!request_submit(q))
		return true;
	tag_give(q->client, q->tag);
	return false;
}

/* ---- Waiting ---- */

static void client_fail(struct p9_client *c)
{
	if (!__atomic_exchange_n(&c->failed, true, __ATOMIC_SEQ_CST))
		virtio_9p_fail(c->channel);
}

/* Asks the server to give q up. NULL: that cannot be sent; q must simply be waited for. */
static struct p9_request *flush_send(struct p9_request *q)
{
	struct p9_request *f = p9_new_sized(q->client, P9_TFLUSH, 32, 32);
	u16 tag = q->tag;

	if (!f)
		return NULL;
	p9_put16(&f->w, tag);
	if (request_finish(f) || !tag_assign(f))
		goto fail;
	f->wait_tag = tag;
	if (!request_submit(f))
		return f;
	tag_give(q->client, f->tag);
fail:
	p9_free(f);
	return NULL;
}

static bool ended(const struct p9_request *q, const struct p9_request *flush)
{
	return __atomic_load_n(&q->done, __ATOMIC_ACQUIRE) &&
	       (!flush || __atomic_load_n(&flush->done, __ATOMIC_ACQUIRE));
}

/* Returns when nobody but the caller knows q any more. True: it was flushed. */
static bool request_wait(struct p9_request *q)
{
	struct p9_client *c = q->client;
	u64 deadline = clock_monotonic() + p9_reply_patience;
	struct p9_request *flush = NULL;
	u32 state = TASK_KILLABLE;

	for (;;) {
		u64 now = clock_monotonic();
		int err = wait_event_state_(&c->wait[q->tag], ended(q, flush), state,
					    now + LOOK_NS, false);

		if (!err)
			break;
		if (virtio_9p_broken(c->channel) || (flush && now > deadline)) {
			client_fail(c);
		} else if (!flush && (err == -ERESTARTSYS || now > deadline)) {
			flush = flush_send(q);
			deadline = now + p9_flush_patience;
		}
		if (err == -ERESTARTSYS) /* the signal stays pending: no more of it */
			state = TASK_UNINTERRUPTIBLE;
	}
	if (!flush)
		return false;
	tag_give(c, flush->tag);
	p9_free(flush);
	return true;
}

int p9_call(struct p9_request *q)
{
	bool flushed;
	u16 tag;
	int err = request_send(q);

	if (err)
		return err;
	flushed = request_wait(q);
	tag = q->type == P9_TVERSION ? P9_NOTAG : q->tag;
	tag_give(q->client, q->tag);
	if (flushed && !q->written && !READ_ONCE(q->client->failed))
		return -EINTR;
	return p9_reply(&q->r, q->rx, q->rx_size, q->written, q->type, tag);
}

/* ---- Fids ---- */

static struct p9_fid *list_pop(struct p9_client *c, struct p9_fid **list)
{
	u64 flags = spin_lock_irqsave(&c->lock);
	struct p9_fid *f = *list;

	if (f)
		*list = f->next;
	spin_unlock_irqrestore(&c->lock, flags);
	return f;
}

static void list_push(struct p9_client *c, struct p9_fid **list, struct p9_fid *f)
{
	u64 flags = spin_lock_irqsave(&c->lock);

	f->next = *list;
	*list = f;
	spin_unlock_irqrestore(&c->lock, flags);
}

static void fid_recycle(struct p9_client *c, struct p9_fid *f)
{
	list_push(c, &c->free_fids, f);
}

/* False: no memory or no room. Any context that may take spinlocks. */
static bool fid_clunk(struct p9_fid *f)
{
	struct p9_request *q = request_make(f->client, P9_TCLUNK, 32, 32, GFP_ATOMIC);

	if (!q)
		return false;
	q->clunked = f;
	p9_put32(&q->w, f->id);
	if (p9_send_detached(q))
		return true;
	p9_free(q);
	return false;
}

/* Clunks what had to wait, as far as there is room. */
static void clunk_dead(struct p9_client *c)
{
	struct p9_fid *f;

	while (READ_ONCE(c->dead_fids) && (f = list_pop(c, &c->dead_fids))) {
		if (fid_clunk(f))
			continue;
		list_push(c, &c->dead_fids, f);
		break;
	}
}

struct p9_fid *p9_fid_new(struct p9_client *c)
{
	struct p9_fid *f;
	u64 flags;

	clunk_dead(c);
	f = list_pop(c, &c->free_fids);
	if (!f) {
		f = kzalloc(sizeof(*f), GFP_KERNEL);
		if (!f)
			return NULL;
		f->client = c;
		flags = spin_lock_irqsave(&c->lock);
		f->id = c->next_fid++;
		spin_unlock_irqrestore(&c->lock, flags);
	}
	ref_init(&f->ref);
	f->access = 0;
	return f;
}

void p9_fid_put(struct p9_fid *f)
{
	if (f && ref_put(&f->ref) && !fid_clunk(f))
		list_push(f->client, &f->client->dead_fids, f);
}

void p9_fid_forget(struct p9_fid *f)
{
	fid_recycle(f->client, f);
}

/* ---- The session ---- */

static int negotiate(struct p9_client *c, u32 msize)
{
	static const char dialect[] = "9P2000.L";
	struct p9_request *q = p9_new(c, P9_TVERSION);
	const char *answer;
	u32 len, agreed;
	int err;

	if (!q)
		return -ENOMEM;
	p9_put32(&q->w, msize);
	p9_put_string(&q->w, dialect, sizeof(dialect) - 1);
	err = p9_call(q);
	agreed = p9_get32(&q->r);
	answer = p9_get_string(&q->r, &len);
	if (!err && (q->r.bad || len != sizeof(dialect) - 1 || memcmp(answer, dialect, len) ||
		     agreed < 2 * PAGE_SIZE || agreed > msize))
		err = -EPROTO;
	p9_free(q);
	if (err)
		return err;
	c->msize = agreed;
	c->io_max = MIN((agreed - P9_IO_OVERHEAD) & (u32)PAGE_MASK, P9_IO_PAGES * (u32)PAGE_SIZE);
	return 0;
}

int p9_client_create(const char *tag, u32 msize, struct p9_client **out)
{
	struct p9_client *c = kzalloc(sizeof(*c), GFP_KERNEL);
	int err;

	if (!c)
		return -ENOMEM;
	spin_init(&c->lock, LOCK_RANK_DEVICE);
	wait_queue_init(&c->room);
	for (u32 i = 0; i < P9_TAGS; i++)
		wait_queue_init(&c->wait[i]);
	err = virtio_9p_open(tag, room_again, c, &c->channel);
	if (err) {
		kfree(c);
		return err;
	}
	err = negotiate(c, msize);
	if (err) {
		p9_client_destroy(c);
		return err;
	}
	*out = c;
	return 0;
}

static bool idle(struct p9_client *c)
{
	u64 flags = spin_lock_irqsave(&c->lock);
	bool none = !c->tags[0] && !c->tags[1];

	spin_unlock_irqrestore(&c->lock, flags);
	return none;
}

void p9_client_destroy(struct p9_client *c)
{
	struct p9_fid *f;

	/* Clunks may be on their way; a server that does not answer them has failed. */
	for (u32 tries = 0; !idle(c); tries++) {
		if (tries == p9_reply_patience / LOOK_NS || virtio_9p_broken(c->channel))
			client_fail(c);
		(void)!wait_event_state_(&c->room, idle(c), TASK_UNINTERRUPTIBLE,
					 clock_monotonic() + LOOK_NS, false);
	}
	virtio_9p_close(c->channel);
	while ((f = list_pop(c, &c->free_fids)) || (f = list_pop(c, &c->dead_fids)))
		kfree(f);
	kfree(c);
}
