/* Character devices in sysfs, by the class that their major number stands for. */
#include <lib/format.h>
#include <lib/log.h>
#include <lib/string.h>
#include <linux/major.h>
#include <mm/slab.h>
#include "internal.h"

struct chrdev_object {
	u64 rdev;
	u32 mode;
	char name[32];
};

static int show_dev(void *object, char *buf, size_t size)
{
	const struct chrdev_object *c = object;

	return format(buf, size, "%llu:%llu\n", c->rdev >> 20, c->rdev & 0xfffff);
}

static int show_uevent(void *object, char *buf, size_t size)
{
	const struct chrdev_object *c = object;
	int n = format(buf, size, "MAJOR=%llu\nMINOR=%llu\nDEVNAME=%s\n", c->rdev >> 20,
		       c->rdev & 0xfffff, c->name);

	/* As on Linux, the usual permissions go without saying. */
	if ((c->mode & 0777) != 0600)
		n += format(buf + n, size - (size_t)n, "DEVMODE=0%o\n", c->mode & 0777);
	return n;
}

static const struct sys_attr chrdev_attrs[] = {
	SYS_ATTR_RO("dev", show_dev),
	SYS_ATTR_RO("uevent", show_uevent),
	{0},
};

static const char *class_of(const char *name, u64 rdev)
{
	switch (rdev >> 20) {
	case MEM_MAJOR: return "mem";
	case MISC_MAJOR: return "misc";
	case TTY_MAJOR:
	case TTYAUX_MAJOR: return "tty";
	default: break;
	}
	if (strncmp(name, "vport", 5) == 0)
		return "virtio-ports";
	if (strncmp(name, "hvc", 3) == 0)
		return "tty";
	return NULL;
}

static int add(const char *class, struct chrdev_object *c)
{
	char path[80], number[24];
	struct sys_node *dir, *class_dir;
	int err;

	format(path, sizeof(path), "devices/virtual/%s/%s", class, c->name);
	dir = sys_dir(&sys_root, path);
	err = sys_add_attrs(dir, chrdev_attrs, c);
	if (err)
		return err;
	format(path, sizeof(path), "class/%s", class);
	class_dir = sys_dir(&sys_root, path);
	err = sys_add_link(class_dir, c->name, dir);
	if (!err)
		err = sys_add_link(dir, "subsystem", class_dir);
	format(number, sizeof(number), "%llu:%llu", c->rdev >> 20, c->rdev & 0xfffff);
	if (!err)
		err = sys_add_link(sys_dir(&sys_root, "dev/char"), number, dir);
	return err;
}

void sys_add_chrdev(const char *name, u32 mode, u64 rdev)
{
	const char *class = class_of(name, rdev);
	struct chrdev_object *c;

	if (!class)
		return;
	c = kzalloc(sizeof(*c), GFP_KERNEL); /* devices are never taken out again */
	if (!c)
		return;
	c->rdev = rdev;
	c->mode = mode;
	(void)str_copy(c->name, name, sizeof(c->name));
	if (add(class, c))
		pr_warn("sysfs: no entry for %s", name);
}
