/*
 * virtio-9p channels (virtio device 9): a mount tag, and requests that are one buffer list out and
 * one in. What the bytes mean is the business of fs/9p.
 */
#pragma once

#include <dev/virtio.h>

struct virtio_9p;

/* A request in flight; embedded in its owner's structure. */
struct virtio_9p_request {
	/* Hard-interrupt context, or virtio_9p_fail's. written: bytes the device has put in. */
	void (*done)(struct virtio_9p_request *r, u32 written);
};

/* Most buffers of one request. */
#define VIRTIO_9P_BUFS 128u

/*
 * Takes the channel with this tag for one user. notify (interrupt context, or virtio_9p_fail's) is
 * called when there may be room for a request again. 0, -ENOENT, -EBUSY.
 */
int virtio_9p_open(const char *tag, void (*notify)(void *ctx), void *ctx,
		   struct virtio_9p **out) __must_check;
/* Nothing is in flight. */
void virtio_9p_close(struct virtio_9p *ch);
/*
 * Hands a request to the device. table is as for virtqueue_add_table. Any context. 0, -ENOSPC (the
 * ring is full: wait for notify), -EIO.
 */
int virtio_9p_submit(struct virtio_9p *ch, struct virtio_9p_request *r, void *table,
		     const struct virtio_buf *bufs, u32 n_out, u32 n_in) __must_check;
bool virtio_9p_broken(const struct virtio_9p *ch);
/*
 * The device does not do its work: resets it, so that it touches no memory any more, and ends all
 * requests with 0 bytes. The channel stays broken. Process context.
 */
void virtio_9p_fail(struct virtio_9p *ch);
