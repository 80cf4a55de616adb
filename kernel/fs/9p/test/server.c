/*
 * The client against a server made here: a virtio device whose other side is a kernel thread. It can
 * answer well, answer nonsense of several kinds, complete requests that do not exist, or not answer.
 * Whatever it does, calls end with an error, and those after it work if the device still does.
 */
#include <arch/irq.h>
#include <dev/virtio_9p.h>
#include <lib/errno.h>
#include <lib/ktest.h>
#include <lib/string.h>
#include <linux/virtio_9p.h>
#include <linux/virtio_ids.h>
#include <mm/slab.h>
#include <sched/ktest_thread.h>
#include <sched/sched.h>
#include <time/clock.h>
#include "../../../dev/virtio/internal.h"
#include "../ops.h"

enum behaviour { GOOD, GARBAGE, WRONG_TAG, WRONG_TYPE, CUT, TOO_MUCH, NOT_STARTED, SILENT, NR_MODES };

struct server {
	struct virtio_device dev;
	struct virtqueue *vq;
	struct ktest_thread thread;
	const char *tag;
	enum behaviour mode;
	u16 seen;
	u64 seed;
	bool stop;
	u8 status;
	u8 reply[4096];
	u32 len;
};

static struct server *server_of(struct virtio_device *d)
{
	return d->transport;
}

static u64 dev_features(struct virtio_device *d)
{
	return BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_9P_MOUNT_TAG) | BIT(VIRTIO_RING_F_INDIRECT_DESC);
}

static void dev_set_features(struct virtio_device *d, u64 features)
{
}

static u8 dev_status(struct virtio_device *d)
{
	return server_of(d)->status;
}

static void dev_set_status(struct virtio_device *d, u8 status)
{
	server_of(d)->status = status;
}

static void dev_config(struct virtio_device *d, u32 offset, void *buf, u32 len)
{
	u8 config[16] = {0};

	config[0] = (u8)strlen(server_of(d)->tag);
	memcpy(config + 2, server_of(d)->tag, config[0]);
	memcpy(buf, config + offset, len);
}

static u32 dev_queue_max(struct virtio_device *d, u32 index)
{
	return 128;
}

static void dev_notify(struct virtqueue *vq)
{
}

static int dev_queue_enable(struct virtio_device *d, struct virtqueue *vq)
{
	vq->notify = dev_notify;
	server_of(d)->vq = vq;
	return 0;
}

static const struct virtio_transport_ops transport = {
	.features = dev_features, .set_features = dev_set_features, .status = dev_status,
	.set_status = dev_set_status, .config = dev_config, .queue_max = dev_queue_max,
	.queue_enable = dev_queue_enable,
};

/* ---- The server's side ---- */

static void put(struct server *s, const void *v, u32 n)
{
	memcpy(s->reply + s->len, v, n);
	s->len += n;
}

static void put_number(struct server *s, u64 v, u32 n)
{
	put(s, &v, n);
}

static void put_qid(struct server *s, u64 path)
{
	put_number(s, P9_QID_DIR, 1);
	put_number(s, 1, 4);
	put_number(s, path, 8);
}

static void answer_attr(struct server *s)
{
	put_number(s, P9_GETATTR_BASIC, 8);
	put_qid(s, 1);
	put_number(s, 0040755, 4);
	put_number(s, 0, 8); /* owner, group */
	put_number(s, 2, 8);
	for (u32 i = 0; i < 14; i++)
		put_number(s, i < 4 ? 0 : 1, 8);
	put_number(s, 0, 2);
}

/* The reply to a request, all of it good. */
static void answer(struct server *s, const u8 *request)
{
	u32 asked, msize;

	s->len = 0;
	put_number(s, 0, 4);
	put_number(s, request[4] + 1, 1);
	put(s, request + 5, 2);
	switch (request[4]) {
	case P9_TVERSION:
		memcpy(&msize, request + 7, 4);
		put_number(s, msize, 4);
		put_number(s, 8, 2);
		put(s, "9P2000.L", 8);
		break;
	case P9_TATTACH:
		put_qid(s, 1);
		break;
	case P9_TWALK:
		put(s, request + 15, 2);
		for (u32 i = 0; i < request[15]; i++)
			put_qid(s, 2);
		break;
	case P9_TGETATTR:
		answer_attr(s);
		break;
	case P9_TREAD:
		memcpy(&asked, request + 19, 4);
		put_number(s, asked, 4);
		memset(s->reply + s->len, 'x', asked);
		s->len += asked;
		break;
	}
	memcpy(s->reply, &s->len, 4);
}

static u32 rnd(struct server *s, u32 n)
{
	s->seed = s->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(s->seed >> 33) % n;
}

/* Makes the reply a bad one. The number of bytes that the device claims to have written. */
static u32 spoil(struct server *s)
{
	u32 claimed = s->len;

	switch (s->mode) {
	case GARBAGE:
		for (u32 i = 0; i < s->len; i++)
			s->reply[i] = (u8)rnd(s, 256);
		claimed = rnd(s, 2) ? s->len : U32_MAX;
		break;
	case WRONG_TAG:
		s->reply[5] ^= 0x40;
		break;
	case WRONG_TYPE:
		s->reply[4] += 2;
		break;
	case CUT:
		claimed = rnd(s, s->len);
		break;
	case TOO_MUCH:
		memset(s->reply + P9_HEADER, 0xff, s->len - P9_HEADER);
		break;
	default:
		break;
	}
	return claimed;
}

/* Writes the reply where the request wants it, as far as there is room. */
static void deliver(struct server *s, const struct vring_desc *d, u32 n)
{
	u32 done = 0;

	for (u32 i = 0; i < n; i++) {
		u32 part = MIN(d[i].len, s->len - done);

		if (!(d[i].flags & VRING_DESC_F_WRITE))
			continue;
		memcpy(phys_to_virt(PADDR(d[i].addr)), s->reply + done, part);
		done += part;
	}
}

static void complete_one(struct server *s, u32 id, u32 len)
{
	struct vring_used *used = s->vq->used;
	u64 flags;

	used->ring[used->idx & (s->vq->size - 1)] = (struct vring_used_elem){.id = id, .len = len};
	smp_store_release(&used->idx, (u16)(used->idx + 1));
	flags = arch_irq_save();
	virtio_interrupt(&s->dev, true, false);
	arch_irq_restore(flags);
}

static void serve(struct server *s, u16 head)
{
	const struct vring_desc *ring = &s->vq->desc[head];
	const struct vring_desc *d = phys_to_virt(PADDR(ring->addr));
	u32 n = ring->len / VIRTIO_TABLE_ENTRY, claimed;
	const u8 *request = phys_to_virt(PADDR(d[0].addr));
	bool spoilt = request[4] != P9_TVERSION && request[4] != P9_TCLUNK;

	if (s->mode == SILENT)
		return;
	if (s->mode == NOT_STARTED) {
		complete_one(s, (head + 1) % s->vq->size, 7);
		return;
	}
	answer(s, request);
	claimed = spoilt ? spoil(s) : s->len;
	deliver(s, d, n);
	complete_one(s, head, claimed);
}

static void server_main(void *arg)
{
	struct server *s = arg;

	while (!READ_ONCE(s->stop)) {
		u16 idx = smp_load_acquire(&s->vq->avail->idx);

		while (s->seen != idx && !s->dev.broken)
			serve(s, s->vq->avail->ring[s->seen++ & (s->vq->size - 1)]);
		sched_set_state(TASK_UNINTERRUPTIBLE);
		schedule_until(clock_monotonic() + 50 * NSEC_PER_USEC);
	}
}

static struct server *server_start(const char *tag)
{
	struct server *s = kzalloc(sizeof(*s), GFP_KERNEL); /* devices are never removed */

	EXPECT(s);
	if (!s)
		return NULL;
	s->tag = tag;
	s->seed = 1;
	s->dev.ops = &transport;
	s->dev.transport = s;
	s->dev.device_id = VIRTIO_ID_9P;
	virtio_device_add(&s->dev);
	EXPECT(s->vq);
	if (!s->vq || !ktest_thread_start(&s->thread, server_main, s, NULL, 0))
		return NULL;
	return s;
}

static void server_stop(struct server *s)
{
	WRITE_ONCE(s->stop, true);
	ktest_thread_join(&s->thread);
}

/* ---- The claims ---- */

/* One of each of the operations whose replies carry something. The number that succeeded. */
static u32 work(struct p9_client *c, struct p9_fid *root)
{
	struct p9_name name = {"name", 4};
	struct p9_fid *f;
	struct p9_attr a;
	struct p9_qid qid;
	char *buf = kmalloc(512, GFP_KERNEL);
	u32 good = 0;

	good += !p9_attach(c, root, &qid);
	good += !p9_getattr(root, &a);
	good += buf && p9_read(root, 0, buf, 512) == 512;
	if (!p9_walk(root, &name, 1, &qid, &f)) {
		good++;
		p9_fid_put(f);
	}
	kfree(buf);
	return good;
}

KTEST(p9_hostile_replies_are_errors)
{
	struct server *s = server_start("ktest1");
	struct p9_client *c;
	struct p9_fid *root;

	if (!s || p9_client_create("ktest1", P9_MSIZE, &c)) {
		EXPECT(!"the session starts");
		return;
	}
	root = p9_fid_new(c);
	EXPECT(work(c, root) == 4);
	for (enum behaviour mode = GARBAGE; mode <= TOO_MUCH; mode++) {
		u32 good = 0;

		WRITE_ONCE(s->mode, mode);
		for (u32 i = 0; i < 50; i++)
			good += work(c, root);
		/* The walk's reply is too short for TOO_MUCH and CUT to matter always. */
		EXPECT(mode >= CUT ? good <= 50 : good == 0);
		WRITE_ONCE(s->mode, GOOD);
		EXPECT(work(c, root) == 4);
	}
	EXPECT(!s->dev.broken);
	p9_fid_put(root);
	p9_client_destroy(c);
	server_stop(s);
}

KTEST(p9_completion_of_what_was_not_asked_breaks_the_device)
{
	struct server *s = server_start("ktest2");
	struct p9_client *c;
	struct p9_fid *root;

	if (!s || p9_client_create("ktest2", P9_MSIZE, &c)) {
		EXPECT(!"the session starts");
		return;
	}
	root = p9_fid_new(c);
	WRITE_ONCE(s->mode, NOT_STARTED);
	EXPECT(work(c, root) == 0);
	EXPECT(virtio_9p_broken(c->channel) && s->status == 0);
	p9_fid_put(root);
	p9_client_destroy(c);
	server_stop(s);
}

KTEST(p9_a_server_that_does_not_answer_is_given_up)
{
	u64 reply_patience = p9_reply_patience, flush_patience = p9_flush_patience, start;
	struct server *s = server_start("ktest3");
	struct p9_client *c;
	struct p9_fid *root;

	if (!s || p9_client_create("ktest3", P9_MSIZE, &c)) {
		EXPECT(!"the session starts");
		return;
	}
	root = p9_fid_new(c);
	p9_reply_patience = p9_flush_patience = 100 * NSEC_PER_MSEC;
	WRITE_ONCE(s->mode, SILENT);
	start = clock_monotonic();
	EXPECT(work(c, root) == 0);
	EXPECT(clock_monotonic() - start < 10 * NSEC_PER_SEC);
	EXPECT(virtio_9p_broken(c->channel) && s->status == 0);
	p9_fid_put(root);
	p9_client_destroy(c);
	p9_reply_patience = reply_patience;
	p9_flush_patience = flush_patience;
	server_stop(s);
}
