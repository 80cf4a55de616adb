/* PCI functions in sysfs: /sys/bus/pci/devices/0000:BB:DD.F. */
#include <fs/sysfs.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/slab.h>
#include "internal.h"

#define REG_SUBSYSTEM_VENDOR 0x2c
#define REG_SUBSYSTEM_DEVICE 0x2e
#define STANDARD_HEADER      64

#define SHOW(name, fmt, value)                                                                     \
	static int show_##name(void *object, char *buf, size_t size)                               \
	{                                                                                          \
		const struct pci_function *f = object;                                             \
                                                                                                   \
		return format(buf, size, fmt "\n", value);                                         \
	}
SHOW(vendor, "0x%04x", f->vendor)
SHOW(device, "0x%04x", f->device)
SHOW(class, "0x%06x", f->class_code)
SHOW(revision, "0x%02x", f->revision)
SHOW(subsystem_vendor, "0x%04x", pci_read16(f, REG_SUBSYSTEM_VENDOR))
SHOW(subsystem_device, "0x%04x", pci_read16(f, REG_SUBSYSTEM_DEVICE))

/* The standard part: reading it changes nothing in any device. */
static int show_config(void *object, char *buf, size_t size)
{
	for (u32 i = 0; i < STANDARD_HEADER; i++)
		buf[i] = (char)pci_read8(object, i);
	return STANDARD_HEADER;
}

static const struct sys_attr attrs[] = {
	SYS_ATTR_RO("class", show_class),
	SYS_ATTR_RO("config", show_config),
	SYS_ATTR_RO("device", show_device),
	SYS_ATTR_RO("revision", show_revision),
	SYS_ATTR_RO("subsystem_device", show_subsystem_device),
	SYS_ATTR_RO("subsystem_vendor", show_subsystem_vendor),
	SYS_ATTR_RO("vendor", show_vendor),
	{0},
};

static int add(struct pci_function *f, u32 bus, u32 devfn)
{
	char path[48], *name = path + sizeof("devices/pci0000:00");
	struct sys_node *dir;
	int err;

	format(path, sizeof(path), "devices/pci0000:00/0000:%02x:%02x.%u", bus, devfn >> 3,
	       devfn & 7);
	dir = sys_dir(&sys_root, path);
	err = sys_add_attrs(dir, attrs, f);
	return err ? err : sys_add_link(sys_dir(&sys_root, "bus/pci/devices"), name, dir);
}

void pci_sysfs_add(const struct pci_function *f, u32 bus, u32 devfn)
{
	struct pci_function *copy = kmalloc(sizeof(*copy), GFP_KERNEL); /* stays for ever */
	int err = -ENOMEM;

	if (copy) {
		*copy = *f;
		err = add(copy, bus, devfn);
	}
	if (err)
		pr_warn("pci: no entry in sysfs: error %d", -err);
}
