/*
 * virtio over MMIO (virtio 1.2, section 4.2), as QEMU's microvm and Firecracker offer it. Devices
 * are described in the ACPI namespace (hardware id LNRO0005). Registers are read through an
 * uncached mapping.
 */
#include <boot/boot_info.h>
#include <boot/init.h>
#include <dev/acpi.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/string.h>
#include <linux/virtio_mmio.h>
#include <mm/slab.h>
#include "internal.h"

#define MMIO_MAGIC 0x74726976 /* "virt" */
#define MMIO_REGISTERS 0x200
#define MMIO_DEVICES_MAX 32

struct mmio_device {
	struct virtio_device dev;
	volatile u8 *regs;
};

static volatile u8 *regs_of(struct virtio_device *d)
{
	return ((struct mmio_device *)d->transport)->regs;
}

static u32 reg_read(struct virtio_device *d, u32 offset)
{
	return *(volatile u32 *)(regs_of(d) + offset);
}

static void reg_write(struct virtio_device *d, u32 offset, u32 v)
{
	*(volatile u32 *)(regs_of(d) + offset) = v;
}

static u64 mmio_features(struct virtio_device *d)
{
	u64 low;

	reg_write(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	low = reg_read(d, VIRTIO_MMIO_DEVICE_FEATURES);
	reg_write(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	return low | (u64)reg_read(d, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
}

static void mmio_set_features(struct virtio_device *d, u64 features)
{
	reg_write(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	reg_write(d, VIRTIO_MMIO_DRIVER_FEATURES, (u32)features);
	reg_write(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	reg_write(d, VIRTIO_MMIO_DRIVER_FEATURES, (u32)(features >> 32));
}

static u8 mmio_status(struct virtio_device *d)
{
	return (u8)reg_read(d, VIRTIO_MMIO_STATUS);
}

static void mmio_set_status(struct virtio_device *d, u8 status)
{
	reg_write(d, VIRTIO_MMIO_STATUS, status);
}

static void mmio_config(struct virtio_device *d, u32 offset, void *buf, u32 len)
{
	for (u32 i = 0; i < len; i++)
		((u8 *)buf)[i] = regs_of(d)[VIRTIO_MMIO_CONFIG + offset + i];
}

static u32 mmio_queue_max(struct virtio_device *d, u32 index)
{
	reg_write(d, VIRTIO_MMIO_QUEUE_SEL, index);
	return reg_read(d, VIRTIO_MMIO_QUEUE_NUM_MAX);
}

static void mmio_notify(struct virtqueue *vq)
{
	*(volatile u32 *)vq->notify_reg = vq->index;
}

static void write_address(struct virtio_device *d, u32 low_reg, struct paddr pa)
{
	reg_write(d, low_reg, (u32)pa.v);
	reg_write(d, low_reg + 4, (u32)(pa.v >> 32));
}

static int mmio_queue_enable(struct virtio_device *d, struct virtqueue *vq)
{
	reg_write(d, VIRTIO_MMIO_QUEUE_SEL, vq->index);
	if (reg_read(d, VIRTIO_MMIO_QUEUE_READY))
		return -EBUSY;
	reg_write(d, VIRTIO_MMIO_QUEUE_NUM, vq->size);
	write_address(d, VIRTIO_MMIO_QUEUE_DESC_LOW, vq->desc_pa);
	write_address(d, VIRTIO_MMIO_QUEUE_AVAIL_LOW, vq->avail_pa);
	write_address(d, VIRTIO_MMIO_QUEUE_USED_LOW, vq->used_pa);
	vq->notify = mmio_notify;
	vq->notify_reg = (void *)(regs_of(d) + VIRTIO_MMIO_QUEUE_NOTIFY);
	reg_write(d, VIRTIO_MMIO_QUEUE_READY, 1);
	return 0;
}

static const struct virtio_transport_ops mmio_ops = {
	.features = mmio_features,
	.set_features = mmio_set_features,
	.status = mmio_status,
	.set_status = mmio_set_status,
	.config = mmio_config,
	.queue_max = mmio_queue_max,
	.queue_enable = mmio_queue_enable,
};

static void mmio_interrupt(void *ctx)
{
	struct virtio_device *d = ctx;
	u32 status = reg_read(d, VIRTIO_MMIO_INTERRUPT_STATUS);

	if (!status)
		return;
	reg_write(d, VIRTIO_MMIO_INTERRUPT_ACK, status);
	virtio_interrupt(d, status & VIRTIO_MMIO_INT_VRING, status & VIRTIO_MMIO_INT_CONFIG);
}

/* Most slots of a microvm are empty: device id 0. */
static void mmio_probe(struct paddr base, u32 gsi, enum irq_trigger trigger)
{
	volatile u8 *regs = ioremap(base, MMIO_REGISTERS);
	struct mmio_device *m;

	if (!regs || *(volatile u32 *)(regs + VIRTIO_MMIO_MAGIC_VALUE) != MMIO_MAGIC ||
	    *(volatile u32 *)(regs + VIRTIO_MMIO_VERSION) != 2 ||
	    !*(volatile u32 *)(regs + VIRTIO_MMIO_DEVICE_ID))
		return;
	m = kzalloc(sizeof(*m), GFP_KERNEL);
	if (!m)
		return;
	m->regs = regs;
	m->dev.ops = &mmio_ops;
	m->dev.transport = m;
	m->dev.device_id = *(volatile u32 *)(regs + VIRTIO_MMIO_DEVICE_ID);
	if (irq_install(gsi, trigger, mmio_interrupt, &m->dev)) {
		pr_warn("virtio: interrupt %u is not to be had\n", gsi);
		return;
	}
	virtio_device_add(&m->dev);
}

static int virtio_mmio_init(void)
{
	static struct acpi_mmio_device found[MMIO_DEVICES_MAX];
	u32 n = acpi_find_devices("LNRO0005", found, MMIO_DEVICES_MAX);

	for (u32 i = 0; i < n; i++)
		mmio_probe(PADDR(found[i].address), found[i].gsi,
			   !found[i].level	 ? IRQ_EDGE
			   : found[i].active_low ? IRQ_LEVEL_LOW
						 : IRQ_LEVEL_HIGH);
	return 0;
}
INIT_CALL(INIT_DEVICE, virtio_mmio_init);
