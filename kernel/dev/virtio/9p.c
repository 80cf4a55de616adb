/*
 * virtio-9p (virtio 1.2, device 9): channels found at boot, named by their mount tags.
 *
 * One queue per channel; its lock (LOCK_RANK_DEVICE, interrupts disabled) guards the ring. Ended
 * requests are called back without the lock. Channels are never removed.
 */
#include <boot/init.h>
#include <dev/virtio_9p.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/string.h>
#include <linux/virtio_9p.h>
#include <linux/virtio_ring.h>
#include <mm/slab.h>
#include "internal.h"

#define TAG_MAX 255

struct virtio_9p {
	struct virtio_device *dev; /* const */
	struct virtqueue *vq;      /* lock */
	struct spinlock lock;      /* LOCK_RANK_DEVICE */
	struct virtio_9p *next;    /* const once published */
	bool used;                 /* lock: somebody has opened it */
	void (*notify)(void *ctx); /* lock to change */
	void *ctx;
	char tag[TAG_MAX + 1];     /* const */
};

static struct virtio_9p *channels; /* grows during boot only */

static struct virtio_9p_request *take_ended(struct virtio_9p *ch, u32 *written)
{
	u64 flags = spin_lock_irqsave(&ch->lock);
	struct virtio_9p_request *r = virtqueue_get(ch->vq, written);

	spin_unlock_irqrestore(&ch->lock, flags);
	return r;
}

static void ring_interrupt(struct virtqueue *vq)
{
	struct virtio_9p *ch = virtqueue_ctx(vq);
	struct virtio_9p_request *r;
	u32 written;
	bool any = false;

	while ((r = take_ended(ch, &written))) {
		r->done(r, written);
		any = true;
	}
	if (any && ch->notify)
		ch->notify(ch->ctx);
}

static struct virtio_9p *find(const char *tag)
{
	struct virtio_9p *ch = channels;

	while (ch && strcmp(ch->tag, tag) != 0)
		ch = ch->next;
	return ch;
}

int virtio_9p_open(const char *tag, void (*notify)(void *ctx), void *ctx, struct virtio_9p **out)
{
	struct virtio_9p *ch = find(tag);
	bool busy;
	u64 flags;

	if (!ch)
		return -ENOENT;
	flags = spin_lock_irqsave(&ch->lock);
	busy = ch->used;
	if (!busy) {
		ch->used = true;
		ch->ctx = ctx;
		ch->notify = notify;
	}
	spin_unlock_irqrestore(&ch->lock, flags);
	*out = ch;
	return busy ? -EBUSY : 0;
}

void virtio_9p_close(struct virtio_9p *ch)
{
	u64 flags = spin_lock_irqsave(&ch->lock);

	ch->used = false;
	ch->notify = NULL;
	spin_unlock_irqrestore(&ch->lock, flags);
}

int virtio_9p_submit(struct virtio_9p *ch, struct virtio_9p_request *r, void *table,
		     const struct virtio_buf *bufs, u32 n_out, u32 n_in)
{
	u64 flags = spin_lock_irqsave(&ch->lock);
	int err = virtqueue_add_table(ch->vq, table, bufs, n_out, n_in, r);

	if (!err)
		virtqueue_kick(ch->vq);
	spin_unlock_irqrestore(&ch->lock, flags);
	return err;
}

bool virtio_9p_broken(const struct virtio_9p *ch)
{
	return READ_ONCE(ch->dev->broken);
}

static struct virtio_9p_request *detach(struct virtio_9p *ch)
{
	u64 flags = spin_lock_irqsave(&ch->lock);
	struct virtio_9p_request *r = virtqueue_detach(ch->vq);

	spin_unlock_irqrestore(&ch->lock, flags);
	return r;
}

void virtio_9p_fail(struct virtio_9p *ch)
{
	struct virtio_9p_request *r;

	pr_err("virtio-9p: '%s' does not answer: the share is lost\n", ch->tag);
	WRITE_ONCE(ch->dev->broken, true);
	ch->dev->ops->set_status(ch->dev, 0);
	while ((r = detach(ch)))
		r->done(r, 0);
	if (ch->notify)
		ch->notify(ch->ctx);
}

/* The tag is the whole of the device's configuration. */
static void read_tag(struct virtio_9p *ch)
{
	u16 len = 0;

	ch->dev->ops->config(ch->dev, 0, &len, sizeof(len));
	len = (u16)MIN((u32)len, (u32)TAG_MAX);
	ch->dev->ops->config(ch->dev, sizeof(len), ch->tag, len);
	ch->tag[len] = '\0';
}

static int probe(struct virtio_device *d)
{
	struct virtio_9p *ch = kzalloc(sizeof(*ch), GFP_KERNEL);

	if (!ch)
		return -ENOMEM;
	ch->dev = d;
	spin_init(&ch->lock, LOCK_RANK_DEVICE);
	if (d->features & BIT(VIRTIO_9P_MOUNT_TAG))
		read_tag(ch);
	ch->vq = virtqueue_create(d, 0, VIRTIO_9P_BUFS, ring_interrupt, ch);
	if (!ch->vq)
		return -ENOMEM;
	virtio_device_ready(d);
	ch->next = channels;
	channels = ch;
	return 0;
}

static int virtio_9p_init(void)
{
	static const struct virtio_driver driver = {
		.device_id = VIRTIO_ID_9P,
		.features = BIT(VIRTIO_9P_MOUNT_TAG) | BIT(VIRTIO_RING_F_INDIRECT_DESC),
		.probe = probe,
	};

	virtio_driver_register(&driver);
	return 0;
}
INIT_CALL(INIT_CORE, virtio_9p_init);
