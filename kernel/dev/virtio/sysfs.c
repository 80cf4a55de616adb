/* virtio devices in sysfs: /sys/bus/virtio/devices/virtioN. */
#include <fs/sysfs.h>
#include <lib/bits.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/log.h>
#include "internal.h"

static int show_device(void *object, char *buf, size_t size)
{
	return format(buf, size, "0x%04x\n", ((struct virtio_device *)object)->device_id);
}

static int show_features(void *object, char *buf, size_t size)
{
	u64 features = ((struct virtio_device *)object)->features;
	char bits[66];

	for (u32 i = 0; i < 64; i++)
		bits[i] = features >> i & 1 ? '1' : '0';
	bits[64] = '\n';
	bits[65] = '\0';
	return format(buf, size, "%s", bits);
}

static int show_status(void *object, char *buf, size_t size)
{
	struct virtio_device *d = object;

	return format(buf, size, "0x%08x\n", d->ops->status(d));
}

static const struct sys_attr attrs[] = {
	SYS_ATTR_RO("device", show_device),
	SYS_ATTR_RO("features", show_features),
	SYS_ATTR_RO("status", show_status),
	{0},
};

void virtio_sysfs_add(struct virtio_device *d)
{
	static u32 next; /* devices are found one after the other, during boot */
	char path[32];
	struct sys_node *dir;
	int err;

	format(path, sizeof(path), "devices/virtio/virtio%u", next);
	dir = sys_dir(&sys_root, path);
	err = sys_add_attrs(dir, attrs, d);
	format(path, sizeof(path), "virtio%u", next++);
	if (!err)
		err = sys_add_link(sys_dir(&sys_root, "bus/virtio/devices"), path, dir);
	if (err)
		pr_warn("virtio: no entry in sysfs: error %d", -err);
}
