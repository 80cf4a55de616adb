/* Shared by the ring and the transports. */
#pragma once

#include <dev/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

struct virtqueue {
	struct virtio_device *dev;
	u32 index, size;               /* const; size is a power of two */
	struct vring_desc *desc;       /* ring memory, shared with the device */
	struct vring_avail *avail;
	struct vring_used *used;
	struct paddr desc_pa, avail_pa, used_pa;
	u16 free_head, nr_free;        /* caller's lock */
	u16 avail_idx, kicked_idx;     /* caller's lock: next to publish, last told */
	u16 last_used;                 /* caller's lock */
	bool event_idx, indirect;      /* const */
	bool interrupts;               /* caller's lock: the driver wants to hear of completions */
	u16 *next;                     /* free list and chains, out of the device's reach */
	u16 *chain_len;
	void **token;
	void (*notify)(struct virtqueue *vq);
	void *notify_reg;
	void (*callback)(struct virtqueue *vq);
	void *ctx;
};

/* Makes a device visible in sysfs. Process context, once for each. */
void virtio_sysfs_add(struct virtio_device *d);
