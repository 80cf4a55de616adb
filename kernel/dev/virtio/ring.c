/*
 * Split virtqueues (virtio 1.2, section 2.7). The descriptor table, the available ring and the
 * used ring share pages with the device; what the driver must rely on later (chain links and
 * lengths) is kept in memory that the device cannot write.
 *
 * Ordering: a request is visible before avail->idx (release store); used entries are read after
 * used->idx (acquire load); a full barrier stands between publishing an index and reading the
 * other side's event index, so that one of the two always sees the other.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/slab.h>
#include "internal.h"

static size_t avail_offset(u32 size)
{
	return sizeof(struct vring_desc) * size;
}

static size_t used_offset(u32 size)
{
	return ALIGN_UP(avail_offset(size) + sizeof(u16) * (3 + size), 4096UL);
}

static size_t ring_bytes(u32 size)
{
	return used_offset(size) + sizeof(u16) * 3 + sizeof(struct vring_used_elem) * size;
}

static u16 *avail_event(struct virtqueue *vq)
{
	return (u16 *)&vq->used->ring[vq->size];
}

static u16 *used_event(struct virtqueue *vq)
{
	return &vq->avail->ring[vq->size];
}

static void queue_broken(struct virtqueue *vq, const char *why)
{
	vq->dev->broken = true;
	pr_err("virtio: device %u queue %u: %s\n", vq->dev->device_id, vq->index, why);
}

static bool ring_memory(struct virtqueue *vq)
{
	size_t bytes = ring_bytes(vq->size);
	unsigned int order = 0;
	char *mem;

	while ((PAGE_SIZE << order) < bytes)
		order++;
	mem = pages_alloc_virt(order, GFP_KERNEL | GFP_ZERO);
	if (!mem)
		return false;
	vq->desc = (void *)mem;
	vq->avail = (void *)(mem + avail_offset(vq->size));
	vq->used = (void *)(mem + used_offset(vq->size));
	vq->desc_pa = virt_to_phys(vq->desc);
	vq->avail_pa = virt_to_phys(vq->avail);
	vq->used_pa = virt_to_phys(vq->used);
	return true;
}

/* Devices are never removed, so what a failed set-up has allocated stays with the dead device. */
struct virtqueue *virtqueue_create(struct virtio_device *d, u32 index, u32 max_size,
				   void (*callback)(struct virtqueue *), void *ctx)
{
	struct virtqueue *vq = kzalloc(sizeof(*vq), GFP_KERNEL);
	u32 size = MIN(d->ops->queue_max(d, index), max_size);

	while (size & (size - 1))
		size &= size - 1;
	if (!vq || !size || index >= ARRAY_SIZE(d->queues))
		return NULL;
	vq->dev = d;
	vq->index = index;
	vq->size = size;
	vq->callback = callback;
	vq->interrupts = true;
	vq->ctx = ctx;
	vq->event_idx = d->features & BIT(VIRTIO_RING_F_EVENT_IDX);
	vq->indirect = d->features & BIT(VIRTIO_RING_F_INDIRECT_DESC);
	vq->next = kmalloc_array(size, sizeof(u16), GFP_KERNEL);
	vq->chain_len = kmalloc_array(size, sizeof(u16), GFP_KERNEL | GFP_ZERO);
	vq->token = kmalloc_array(size, sizeof(void *), GFP_KERNEL | GFP_ZERO);
	if (!vq->next || !vq->chain_len || !vq->token || !ring_memory(vq))
		return NULL;
	for (u32 i = 0; i < size; i++)
		vq->next[i] = (u16)(i + 1);
	vq->nr_free = (u16)size;
	if (d->ops->queue_enable(d, vq))
		return NULL;
	__atomic_store_n(&d->queues[index], vq, __ATOMIC_RELEASE);
	if (index >= d->nr_queues)
		d->nr_queues = index + 1;
	return vq;
}

void *virtqueue_ctx(struct virtqueue *vq)
{
	return vq->ctx;
}

/* The chain of `n` descriptors that begins at head is filled in and ends with `last`: publishes it. */
static void publish(struct virtqueue *vq, u16 head, u16 last, u32 n, void *token)
{
	vq->free_head = vq->next[last];
	vq->nr_free -= (u16)n;
	vq->chain_len[head] = (u16)n;
	vq->token[head] = token;
	vq->avail->ring[vq->avail_idx & (vq->size - 1)] = head;
	vq->avail_idx++;
	smp_store_release(&vq->avail->idx, vq->avail_idx);
}

int virtqueue_add(struct virtqueue *vq, const struct virtio_buf *bufs, u32 n_out, u32 n_in,
		  void *token)
{
	u32 n = n_out + n_in;
	u16 head = vq->free_head, i = head;

	if (vq->dev->broken)
		return -EIO;
	if (n > vq->nr_free)
		return -ENOSPC;
	for (u32 k = 0; k < n; k++) {
		bool last = k == n - 1;

		vq->desc[i] = (struct vring_desc){
			.addr = bufs[k].addr.v,
			.len = bufs[k].len,
			.flags = (u16)((k >= n_out ? VRING_DESC_F_WRITE : 0) |
				       (last ? 0 : VRING_DESC_F_NEXT)),
			.next = last ? 0 : vq->next[i],
		};
		if (!last)
			i = vq->next[i];
	}
	publish(vq, head, i, n, token);
	return 0;
}

static_assert(sizeof(struct vring_desc) == VIRTIO_TABLE_ENTRY, "table entries");

int virtqueue_add_table(struct virtqueue *vq, void *table, const struct virtio_buf *bufs, u32 n_out,
			u32 n_in, void *token)
{
	struct vring_desc *d = table;
	u16 head = vq->free_head;
	u32 n = n_out + n_in;

	if (!vq->indirect)
		return virtqueue_add(vq, bufs, n_out, n_in, token);
	if (vq->dev->broken)
		return -EIO;
	if (!vq->nr_free)
		return -ENOSPC;
	for (u32 k = 0; k < n; k++)
		d[k] = (struct vring_desc){
			.addr = bufs[k].addr.v,
			.len = bufs[k].len,
			.flags = (u16)((k >= n_out ? VRING_DESC_F_WRITE : 0) |
				       (k == n - 1 ? 0 : VRING_DESC_F_NEXT)),
			.next = (u16)(k + 1),
		};
	vq->desc[head] = (struct vring_desc){
		.addr = virt_to_phys(table).v,
		.len = n * VIRTIO_TABLE_ENTRY,
		.flags = VRING_DESC_F_INDIRECT,
	};
	publish(vq, head, head, 1, token);
	return 0;
}

void *virtqueue_detach(struct virtqueue *vq)
{
	for (u32 id = 0; id < vq->size; id++) {
		void *token = vq->token[id];

		vq->token[id] = NULL;
		if (token)
			return token;
	}
	return NULL;
}

void virtqueue_kick(struct virtqueue *vq)
{
	bool wanted;

	smp_mb();
	if (vq->event_idx)
		wanted = vring_need_event(READ_ONCE(*avail_event(vq)), vq->avail_idx,
					  vq->kicked_idx);
	else
		wanted = !(READ_ONCE(vq->used->flags) & VRING_USED_F_NO_NOTIFY);
	vq->kicked_idx = vq->avail_idx;
	if (wanted)
		vq->notify(vq);
}

bool virtqueue_has_used(struct virtqueue *vq)
{
	return !vq->dev->broken && smp_load_acquire(&vq->used->idx) != vq->last_used;
}

void *virtqueue_get(struct virtqueue *vq, u32 *written)
{
	struct vring_used_elem *e;
	void *token;
	u32 id;
	u16 i;

	if (!virtqueue_has_used(vq))
		return NULL;
	if ((u16)(READ_ONCE(vq->used->idx) - vq->last_used) > vq->size) {
		queue_broken(vq, "used index out of range");
		return NULL;
	}
	e = &vq->used->ring[vq->last_used & (vq->size - 1)];
	id = READ_ONCE(e->id);
	*written = READ_ONCE(e->len);
	if (id >= vq->size || !vq->token[id]) {
		queue_broken(vq, "completion of a request that is not in flight");
		return NULL;
	}
	token = vq->token[id];
	vq->token[id] = NULL;
	i = (u16)id;
	for (u16 n = vq->chain_len[id]; n > 1; n--)
		i = vq->next[i];
	vq->next[i] = vq->free_head;
	vq->free_head = (u16)id;
	vq->nr_free += vq->chain_len[id];
	vq->last_used++;
	/* Asks for an interrupt at the next completion; the barrier pairs with the device's: either
	 * it sees the new index, or the caller's next look at the used ring sees the completion. */
	if (vq->event_idx && vq->interrupts) {
		WRITE_ONCE(*used_event(vq), vq->last_used);
		smp_mb();
	}
	return token;
}

void virtqueue_disable_interrupt(struct virtqueue *vq)
{
	vq->interrupts = false;
	if (vq->event_idx)
		WRITE_ONCE(*used_event(vq), vq->last_used - 1); /* half the circle away */
	else
		WRITE_ONCE(vq->avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
}

bool virtqueue_enable_interrupt(struct virtqueue *vq)
{
	vq->interrupts = true;
	if (vq->event_idx)
		WRITE_ONCE(*used_event(vq), vq->last_used);
	else
		WRITE_ONCE(vq->avail->flags, 0);
	smp_mb();
	return virtqueue_has_used(vq);
}
