/*
 * virtio over PCI (virtio 1.2, section 4.1), modern devices with MSI-X. One vector serves all queues
 * and configuration changes, so no interrupt status register is read.
 */
#include <arch/cpu.h>
#include <boot/init.h>
#include <dev/pci.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <linux/virtio_pci.h>
#include <mm/slab.h>
#include "internal.h"

#define VIRTIO_VENDOR       0x1af4
#define MODERN_DEVICE_BASE  0x1040
#define TRANSITIONAL_BASE   0x1000
#define CAP_VENDOR          0x09
#define VECTOR              0

struct pci_transport {
	struct virtio_device dev;
	volatile struct virtio_pci_common_cfg *common;
	volatile u8 *device;
	volatile u8 *notify;
	u32 notify_multiplier, notify_len, device_len;
};

static struct pci_transport *transport_of(struct virtio_device *d)
{
	return d->transport;
}

static u64 pci_features(struct virtio_device *d)
{
	volatile struct virtio_pci_common_cfg *c = transport_of(d)->common;
	u64 low;

	c->device_feature_select = 0;
	low = c->device_feature;
	c->device_feature_select = 1;
	return low | (u64)c->device_feature << 32;
}

static void pci_set_features(struct virtio_device *d, u64 features)
{
	volatile struct virtio_pci_common_cfg *c = transport_of(d)->common;

	c->guest_feature_select = 0;
	c->guest_feature = (u32)features;
	c->guest_feature_select = 1;
	c->guest_feature = (u32)(features >> 32);
}

static u8 pci_status(struct virtio_device *d)
{
	return transport_of(d)->common->device_status;
}

/* A reset is over when the device reads back 0. */
static void pci_set_status(struct virtio_device *d, u8 status)
{
	transport_of(d)->common->device_status = status;
	for (u32 i = 0; !status && pci_status(d) && i < 1000000; i++)
		cpu_relax();
}

static void pci_config(struct virtio_device *d, u32 offset, void *buf, u32 len)
{
	struct pci_transport *t = transport_of(d);

	/* A device without these registers, or with fewer: zeroes. */
	for (u32 i = 0; i < len; i++)
		((u8 *)buf)[i] = offset + i < t->device_len ? t->device[offset + i] : 0;
}

static u32 pci_queue_max(struct virtio_device *d, u32 index)
{
	transport_of(d)->common->queue_select = (u16)index;
	return transport_of(d)->common->queue_size;
}

static void pci_notify(struct virtqueue *vq)
{
	*(volatile u16 *)vq->notify_reg = (u16)vq->index;
}

static void write_address(volatile __le32 *low, struct paddr pa)
{
	low[0] = (u32)pa.v;
	low[1] = (u32)(pa.v >> 32);
}

static int pci_queue_enable(struct virtio_device *d, struct virtqueue *vq)
{
	struct pci_transport *t = transport_of(d);
	volatile struct virtio_pci_common_cfg *c = t->common;
	u64 notify;

	c->queue_select = (u16)vq->index;
	if (c->queue_enable)
		return -EBUSY;
	notify = (u64)c->queue_notify_off * t->notify_multiplier;
	if (notify + 2 > t->notify_len)
		return -EINVAL;
	c->queue_size = (u16)vq->size;
	c->queue_msix_vector = VECTOR;
	if (c->queue_msix_vector != VECTOR)
		return -ENOSPC;
	write_address(&c->queue_desc_lo, vq->desc_pa);
	write_address(&c->queue_avail_lo, vq->avail_pa);
	write_address(&c->queue_used_lo, vq->used_pa);
	vq->notify = pci_notify;
	vq->notify_reg = (void *)(t->notify + notify);
	c->queue_enable = 1;
	return 0;
}

static const struct virtio_transport_ops pci_ops = {
	.features = pci_features,
	.set_features = pci_set_features,
	.status = pci_status,
	.set_status = pci_set_status,
	.config = pci_config,
	.queue_max = pci_queue_max,
	.queue_enable = pci_queue_enable,
};

static void pci_interrupt(void *ctx)
{
	virtio_interrupt(ctx, true, true);
}

/* Finds the structures that the device's vendor capabilities point to. */
static int map_structures(struct pci_transport *t, const struct pci_function *f)
{
	for (u32 cap = pci_capability(f, CAP_VENDOR, 0); cap;
	     cap = pci_capability(f, CAP_VENDOR, cap)) {
		u8 type = pci_read8(f, cap + offsetof(struct virtio_pci_cap, cfg_type));
		u8 bar = pci_read8(f, cap + offsetof(struct virtio_pci_cap, bar));
		u32 offset = pci_read32(f, cap + offsetof(struct virtio_pci_cap, offset));
		u32 length = pci_read32(f, cap + offsetof(struct virtio_pci_cap, length));

		if (type == VIRTIO_PCI_CAP_COMMON_CFG && !t->common &&
		    length >= sizeof(struct virtio_pci_common_cfg)) {
			t->common = pci_map_bar(f, bar, offset, length);
		} else if (type == VIRTIO_PCI_CAP_DEVICE_CFG && !t->device) {
			t->device = pci_map_bar(f, bar, offset, length);
			t->device_len = t->device ? length : 0;
		} else if (type == VIRTIO_PCI_CAP_NOTIFY_CFG && !t->notify) {
			t->notify = pci_map_bar(f, bar, offset, length);
			t->notify_len = length;
			t->notify_multiplier = pci_read32(f, cap + sizeof(struct virtio_pci_cap));
		}
	}
	return t->common && t->notify ? 0 : -ENODEV;
}

static int transport_start(struct pci_transport *t, const struct pci_function *f)
{
	int err;

	pci_enable(f);
	err = map_structures(t, f);
	if (!err)
		err = pci_enable_msix(f, pci_interrupt, &t->dev);
	if (err)
		return err;
	t->common->msix_config = VECTOR;
	return 0;
}

static void virtio_pci_probe(const struct pci_function *f)
{
	struct pci_transport *t;
	int err;

	if (f->vendor != VIRTIO_VENDOR || f->device < TRANSITIONAL_BASE ||
	    f->device >= MODERN_DEVICE_BASE + 64)
		return;
	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		return;
	t->dev.ops = &pci_ops;
	t->dev.transport = t;
	t->dev.device_id = f->device >= MODERN_DEVICE_BASE ? f->device - MODERN_DEVICE_BASE
							    : pci_read16(f, 0x2e);
	err = transport_start(t, f);
	if (err)
		pr_warn("virtio: PCI device %04x: %d\n", f->device, err);
	else
		virtio_device_add(&t->dev);
}

static int virtio_pci_init(void)
{
	pci_driver_register(virtio_pci_probe);
	return 0;
}
INIT_CALL(INIT_FS, virtio_pci_init);
