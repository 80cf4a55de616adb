/*
 * virtio 1.x devices: transport-independent set-up and split rings. The device is not trusted: every
 * index and length that it writes is checked, and a device that lies is marked broken, after which
 * its queues deliver nothing more.
 */
#pragma once

#include <arch/irq.h>
#include <sync/spinlock.h>

struct virtio_device;
struct virtqueue;

struct virtio_transport_ops {
	u64 (*features)(struct virtio_device *d);
	void (*set_features)(struct virtio_device *d, u64 features);
	u8 (*status)(struct virtio_device *d);
	void (*set_status)(struct virtio_device *d, u8 status); /* 0 resets and waits */
	/* Reads len bytes of device configuration at offset. */
	void (*config)(struct virtio_device *d, u32 offset, void *buf, u32 len);
	u32 (*queue_max)(struct virtio_device *d, u32 index);
	/* Hands the ring's addresses to the device. vq->notify is set. 0 or -errno. */
	int (*queue_enable)(struct virtio_device *d, struct virtqueue *vq);
};

struct virtio_device {
	const struct virtio_transport_ops *ops; /* const */
	u32 device_id;                          /* const: VIRTIO_ID_* */
	u64 features;                           /* negotiated */
	bool broken;                            /* sticky */
	struct virtqueue *queues[64];           /* by index; set-up only */
	u32 nr_queues;
	void (*config_changed)(struct virtio_device *d); /* interrupt context; may be NULL */
	void *transport, *driver;
};

/* Starts the driver on a device of its kind. Process context. 0 or -errno. */
struct virtio_driver {
	u32 device_id;
	u64 features; /* that the driver understands, besides VERSION_1 and EVENT_IDX */
	int (*probe)(struct virtio_device *d);
};
void virtio_driver_register(const struct virtio_driver *drv);
/* Called by transports for each device found. */
void virtio_device_add(struct virtio_device *d);
/* All queues are set up: the device may go. */
void virtio_device_ready(struct virtio_device *d);
/* Interrupt entry for transports: any queue may have work. Hard-interrupt context. */
void virtio_interrupt(struct virtio_device *d, bool queues, bool config);

/* One physically contiguous buffer of a request. */
struct virtio_buf {
	struct paddr addr;
	u32 len;
};

/*
 * A split ring. The caller serialises add, kick and get on one queue with its own lock; the
 * callback runs in hard-interrupt context without it.
 */
struct virtqueue *virtqueue_create(struct virtio_device *d, u32 index, u32 max_size,
				   void (*callback)(struct virtqueue *), void *ctx);
void *virtqueue_ctx(struct virtqueue *vq);
/* Queues a request: n_out buffers the device reads, then n_in that it writes. -ENOSPC when full,
 * -EIO when broken. token must not be NULL. */
int virtqueue_add(struct virtqueue *vq, const struct virtio_buf *bufs, u32 n_out, u32 n_in,
		  void *token) __must_check;
/*
 * The same through a table of (n_out + n_in) * VIRTIO_TABLE_ENTRY bytes, physically contiguous,
 * aligned to 16, which is the ring's until the request ends: takes one place of the ring however
 * many buffers there are. Where the device has no such tables, this is virtqueue_add.
 */
#define VIRTIO_TABLE_ENTRY 16
int virtqueue_add_table(struct virtqueue *vq, void *table, const struct virtio_buf *bufs, u32 n_out,
			u32 n_in, void *token) __must_check;
/* After the device has been reset: the token of a request that it did not finish, or NULL. */
void *virtqueue_detach(struct virtqueue *vq);
/* Tells the device, if it wants to be told. */
void virtqueue_kick(struct virtqueue *vq);
/* The token of the next finished request and the bytes written, or NULL. */
void *virtqueue_get(struct virtqueue *vq, u32 *written);
bool virtqueue_has_used(struct virtqueue *vq);
/* Interrupts are wanted from now on; true when work is already there. */
bool virtqueue_enable_interrupt(struct virtqueue *vq);
void virtqueue_disable_interrupt(struct virtqueue *vq);
