/*
 * virtio core: matches devices with drivers, negotiates features, dispatches interrupts to queues.
 * Devices are found once, during boot, and are never removed.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/list.h>
#include "internal.h"

#define MAX_DRIVERS 8

static const struct virtio_driver *drivers[MAX_DRIVERS];
static u32 nr_drivers;

/* During boot, before the transports look for devices. */
void virtio_driver_register(const struct virtio_driver *drv)
{
	BUG_ON(nr_drivers == MAX_DRIVERS);
	drivers[nr_drivers++] = drv;
}

static const struct virtio_driver *driver_find(u32 device_id)
{
	for (u32 i = 0; i < nr_drivers; i++)
		if (drivers[i]->device_id == device_id)
			return drivers[i];
	return NULL;
}

static int device_start(struct virtio_device *d, const struct virtio_driver *drv)
{
	u64 wanted = drv->features | BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_EVENT_IDX);

	d->ops->set_status(d, 0);
	d->ops->set_status(d, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	d->features = d->ops->features(d) & wanted;
	if (!(d->features & BIT(VIRTIO_F_VERSION_1)))
		return -ENODEV;
	d->ops->set_features(d, d->features);
	d->ops->set_status(d, d->ops->status(d) | VIRTIO_CONFIG_S_FEATURES_OK);
	if (!(d->ops->status(d) & VIRTIO_CONFIG_S_FEATURES_OK))
		return -ENODEV;
	return drv->probe(d);
}

void virtio_device_add(struct virtio_device *d)
{
	const struct virtio_driver *drv = driver_find(d->device_id);
	int err;

	virtio_sysfs_add(d);
	if (!drv)
		return;
	err = device_start(d, drv);
	if (err) {
		d->ops->set_status(d, VIRTIO_CONFIG_S_FAILED);
		pr_warn("virtio: device of kind %u does not start: %d\n", d->device_id, err);
	}
}

void virtio_device_ready(struct virtio_device *d)
{
	d->ops->set_status(d, d->ops->status(d) | VIRTIO_CONFIG_S_DRIVER_OK);
}

void virtio_interrupt(struct virtio_device *d, bool queues, bool config)
{
	for (u32 i = 0; queues && i < d->nr_queues; i++) {
		struct virtqueue *vq = smp_load_acquire(&d->queues[i]);

		if (vq && vq->callback && virtqueue_has_used(vq))
			vq->callback(vq);
	}
	if (config && d->config_changed)
		d->config_changed(d);
}
